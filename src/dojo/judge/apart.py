"""Judging in a process that can be killed: whatever reads, matches, converts or shows what a learner handed in runs there."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.judge import namespaces

QUIET = threading.Lock()
"""Held while a process is forked, and by whoever runs threads of a library meanwhile: a fork must not find its locks taken."""
MEMORY = 3 << 30
"""Bytes one judging process may ask for beyond those it is born with."""
MAX_ANSWER = 8 << 20


@dataclass(frozen=True)
class Ending:
    """How a judging process ended.

    answer: what it made, None when it did not come to that; said: then why not, as a sentence to the learner; machine:
    whether the reason may be the machine's, so that it is fair to try again.
    """

    answer: Any = None
    said: str = ""
    machine: bool = False


def apart(make: Callable[[], Any], *, processor: float, clock: float, memory: int = MEMORY) -> Ending:
    """Runs `make`, whose answer is plain JSON, in a forked process within processor seconds, seconds by the clock and bytes."""
    folder = tempfile.mkdtemp(prefix="dojo-judge-")
    try:
        with QUIET:
            ours, theirs = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(ours)
                _work(make, theirs, folder, processor, memory)
            os.close(theirs)
        try:
            text, late = _heard(ours, clock)
        finally:
            os.close(ours)
            status = _ended(pid)
        return _ending(text, late, status, clock)
    finally:
        namespaces.remove_tree(folder)


@contextlib.contextmanager
def last_resort(seconds: float, said: str) -> Iterator[None]:
    """Ends the judging process, saying why, where the block does not end within `seconds` and cannot be interrupted.

    Elsewhere, in a learner's own kernel, nothing is ended.
    """
    if _answers_to is None:
        yield
        return
    timer = threading.Timer(seconds, _give_up, (said,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(said: str) -> None:
    os.write(_answers_to, json.dumps({"stopped": said}).encode())
    os._exit(0)


_answers_to: int | None = None
"""In a judging process: where its answer goes."""


def _work(make: Callable[[], Any], out: int, folder: str, processor: float, memory: int) -> None:
    """In the forked process: limits, the work, its answer; never returns."""
    global _answers_to
    _answers_to = out
    try:
        namespaces.die_with_parent()
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        seconds = max(1, int(processor))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if sys.platform == "linux":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + memory,) * 2)
        rest = memoryview(json.dumps(make()).encode())
        while rest:
            rest = rest[os.write(out, rest) :]
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(out, json.dumps({"broke": f"{type(error).__name__}: {str(error)[:300]}"}).encode())
    finally:
        os._exit(0)


def _heard(fd: int, seconds: float) -> tuple[bytes, bool]:
    """What the process said until it closed its pipe, and whether it was late."""
    until, said = time.monotonic() + seconds, b""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            return said, True
        part = os.read(fd, 1 << 20)
        said += part
        if not part or len(said) > MAX_ANSWER:
            return said, False


def _ended(pid: int) -> int:
    """Kills the process with all it started, and its wait status."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def _ending(text: bytes, late: bool, status: int, clock: float) -> Ending:
    if len(text) > MAX_ANSWER:
        return Ending(said=f"What there was to say of it is longer than {MAX_ANSWER >> 20} MB: stopped.")
    if late:
        return Ending(said=f"Judging it was not done after {clock:.0f} s: stopped.", machine=True)
    with contextlib.suppress(ValueError):
        answer = json.loads(text)
        if "stopped" in answer:
            return Ending(said=answer["stopped"])
        if "broke" not in answer:
            return Ending(answer)
        kind = answer["broke"].split(":")[0]
        if kind.endswith(("MemoryError", "RecursionError")):
            return Ending(said="Judging it asked for more memory than a judge may have: stopped.")
        return Ending(said=f"The judge itself broke ({answer['broke']}).", machine=True)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        return Ending(said="Judging it took more processor time than a judge may have: stopped.")
    return Ending(said="Judging it brought down the process that judges.", machine=True)
