"""The judge's side of the separate process: starts it walled in where the machine allows, talks to it, replaces it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from dojo import places
from dojo.judge import plain
from dojo.judge.frames import read_frame, write_frame
from dojo.judge.work import LearnerError, Memory, NotAttempted, NotCheckable, Stopped, handed_in

SOURCE = Path(__file__).resolve().parents[2]
LIMITS = {"memory": 3 << 30, "file": 256 << 20, "processes": 96, "cpu": 120}
"""What one task may use: bytes of memory, bytes a file, processes and threads, CPU seconds."""
TASK_UID = 64321
"""The first of a thousand users that own nothing: when the judge is root, each sandbox's tasks run as one of them."""


def _walls() -> list[str] | None:
    """The bubblewrap command line, or None where there is no bubblewrap."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return None
    command = [
        bwrap,
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--die-with-parent",
        "--new-session",
    ]
    command += ["--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8"]
    if os.geteuid() == 0:
        command += ["--cap-drop", "ALL"]
        for capability in ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE"):
            command += ["--cap-add", f"CAP_{capability}"]
    else:
        command += ["--unshare-user", "--cap-drop", "ALL"]
    for path in ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo"):
        if os.path.islink(path):
            command += ["--symlink", os.readlink(path), path]
        elif os.path.exists(path):
            command += ["--ro-bind", path, path]
    command += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
    command += ["--perms", "1777", "--tmpfs", "/dev/shm"]  # dbt's locks live there
    own = [
        Path(p) for p in sorted({sys.base_prefix, sys.prefix, str(SOURCE), *_tools()}) if not Path(p).is_relative_to("/usr")
    ]
    for folder in sorted({parent for path in own for parent in path.parents if parent != Path("/")}):
        command += ["--perms", "0755", "--dir", str(folder)]
    for path in own:
        command += ["--ro-bind", str(path), str(path)]
    command += ["--tmpfs", str(SOURCE / "dojo" / "tasks"), "--chdir", "/tmp"]
    return command


def _tools() -> list[str]:
    """The folder of added tools, where there is one: what a task needs of them must run where its work does."""
    return [str(places.tools())] if places.tools().is_dir() else []


def _environment() -> dict[str, str]:
    keep = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
    keep |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCE), "DO_NOT_TRACK": "1"}
    keep["GIT_CONFIG_NOSYSTEM"] = "1"
    keep["HOME"] = tempfile.gettempdir()  # there must be one, for libraries that ask on import
    keep["DOJO_TOOLS"] = str(places.tools())
    return keep


_numbers = itertools.count(os.getpid() * 8)


def _task_uid(isolated: bool) -> int:
    """The uid for one sandbox's tasks, since processes are counted by user: what one starts must not be missing to another.

    0 means the judge's own: it may choose none, or another user could not even read the interpreter.
    """
    private = any(not p.stat().st_mode & 0o001 for p in Path(sys.base_prefix).parents)
    chosen = os.geteuid() == 0 and (isolated or not private)
    return TASK_UID + next(_numbers) % 1000 if chosen else 0


def _limits(isolated: bool) -> dict[str, int]:
    """LIMITS with the uid; where that is the judge's own, what its user runs already does not count."""
    uid = _task_uid(isolated)
    running = 0
    if not uid:
        own = [
            p for p in psutil.process_iter(["uids", "num_threads"]) if p.info["uids"] and p.info["uids"].real == os.getuid()
        ]
        running = 2 * sum(p.info["num_threads"] or 1 for p in own)  # twice: the user goes on working meanwhile
    return {**LIMITS, "processes": LIMITS["processes"] + running, "uid": uid}


@cache
def isolation() -> str:
    """How well this machine can wall in a learner's code: "isolated", or "not isolated: " and why."""
    walls = _walls()
    if walls is None:
        return "not isolated: there is no bubblewrap here (Debian and Ubuntu: apt-get install bubblewrap)"
    tried = subprocess.run([*walls, "/usr/bin/true"], capture_output=True, text=True, timeout=20)
    if tried.returncode:
        return f"not isolated: bubblewrap cannot start here ({tried.stderr.strip()[:120]})"
    return "isolated"


@cache
def _starter() -> ThreadPoolExecutor:
    """The thread that starts judging processes: they die with it, so it must outlive whoever asks for one."""
    return ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")


class CannotJudge(OSError):
    """The judging process cannot run here; the message says why and what to do."""


class Sandbox:
    """One warm process that runs learners' code, a task at a time. Use as a context manager; `task()` opens a task."""

    def __init__(self) -> None:
        self.isolated = isolation() == "isolated"
        self._process: subprocess.Popen | None = None
        self._warm: set[str] = set()
        self.limits: dict[str, int] = {}

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.stdin.close()  # it tidies up after its last task, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self.stop()

    def start(self) -> None:
        """Starts the process if it is not there. CannotJudge says why it cannot be started."""
        if self._process and self._process.poll() is None:
            return
        if not hasattr(os, "fork"):
            raise CannotJudge("Windows cannot run the judging process. Grade in WSL, a container or on another system.")
        self.limits = self.limits or _limits(self.isolated)
        command = [sys.executable, "-P", "-m", "dojo.judge.runner"]
        environment = _environment()
        if self.isolated:
            walls = _walls() or []
            for name, text in environment.items():
                walls += ["--setenv", name, text] if name != "PATH" else []
            command = [*walls, *command, "contained"]
        log = tempfile.TemporaryFile()
        self._process = _starter().submit(
            subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment,
            start_new_session=True, cwd=tempfile.gettempdir(),
        ).result()  # fmt: skip
        warm, self._warm = self._warm, set()
        try:
            self._read(60)
        except EOFError:
            log.seek(0)
            raise CannotJudge(
                f"The judging process did not start. dojo doctor says what is missing. {log.read()[-800:].decode('utf-8', 'replace')}"
            ) from None
        for name in warm:
            self.warm(name)

    def stop(self) -> None:
        """Ends the process and everything in it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                pipe.close()
            self._process = None

    def warm(self, tool: str) -> None:
        """Loads a tool in the warm process, once."""
        if tool not in self._warm:
            self.start()
            self.ask({"op": "warm", "name": tool}, 60)
            self._warm.add(tool)

    def ask(self, message: dict[str, Any], seconds: float, value: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """One request to the warm process; when it is gone or silent it is replaced and Stopped is raised."""
        self.start()
        try:
            write_frame(self._process.stdin.fileno(), message, value)
            return self._read(seconds + 15)
        except (EOFError, OSError, ValueError, TimeoutError):
            self.stop()
            raise Stopped("The answer brought down the process it runs in.") from None

    def _read(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        import select

        fd = self._process.stdout.fileno()
        if not select.select([fd], [], [], seconds)[0]:
            raise TimeoutError
        return read_frame(fd)

    def task(self, cells: list[tuple[str, str]], files: dict[str, str], *, seconds: float = 20.0) -> SandboxWork:
        """Opens a task: `cells` are (label, source) pairs to run first, `files` the texts handed in, by path."""
        return SandboxWork(self, cells, files, seconds)


class SandboxWork(Memory):
    """The work in a separate process. A context manager: its child lives from the first question to the end of the block."""

    def __init__(self, sandbox: Sandbox, cells: list[tuple[str, str]], files: dict[str, str], seconds: float):
        self._sandbox, self._cells, self._files, self._seconds = sandbox, cells, files, seconds
        self.isolated: bool | None = sandbox.isolated
        self.printed = ""
        self._opened = self._ran = False
        self._sent = plain.Sent()

    def __enter__(self) -> SandboxWork:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Stopped):
            if self._opened:
                self.printed = self._sandbox.ask({"op": "close"}, 10)[0].get("ok", "")

    def _open(self) -> None:
        """Files alone need no child, and one that runs a tool is forked when the tool is warm: so not before it is asked."""
        if not self._opened:
            self._sandbox.start()
            self._sandbox.ask({"op": "open", "limits": self._sandbox.limits}, 10)
            self._opened = True

    def _exchange(self, message: dict[str, Any], value: bytes = b"") -> bytes:
        self._open()
        reply, given = self._sandbox.ask({**message, "zone": self.zone, "seconds": self._seconds}, self._seconds, value)
        if "ok" in reply:
            return given
        said = str(reply.get("said", ""))[:2000]
        if reply["raised"] == "LearnerError":
            line = reply.get("line")
            raise LearnerError(
                str(reply.get("kind")), said, line if isinstance(line, int) else 0, str(reply.get("where", ""))[:300]
            )
        raise {"NotAttempted": NotAttempted, "NotCheckable": NotCheckable}.get(reply["raised"], Stopped)(said)

    def _answer(self, message: dict[str, Any], value: bytes = b"") -> Any:
        if not self._ran:
            self._exchange({"op": "run", "cells": self._cells})
            self._ran = True
        return self._value(self._exchange(message, value))

    @staticmethod
    def _value(data: bytes) -> Any:
        try:
            return plain.loads(data)
        except Exception:
            raise Stopped("What came back is not a value; the answer's result is void.") from None

    def value(self, name: str) -> Any:
        return self._answer({"op": "value", "name": name})

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self._answer({"op": "call", "name": name}, plain.dumps([list(args), kwargs], self._sent))

    def calls(self, name: str, arguments: list[tuple]) -> list[Any]:
        return self._answer({"op": "calls", "name": name}, plain.dumps([list(args) for args in arguments], self._sent))

    def file(self, path: str) -> str:
        text = self._files.get(path)
        return handed_in(path, None if text is None else text.encode("utf-8", "surrogatepass"))

    def files(self, folder: str) -> dict[str, str]:
        inside = folder.rstrip("/") + "/"
        return {p.removeprefix(inside): t for p, t in self._files.items() if p.startswith(inside) and t.strip()}

    def tool(self, name: str, request: dict[str, Any]) -> Any:
        self._sandbox.warm(name)
        return self._value(self._exchange({"op": "tool", "name": name}, plain.dumps(request)))
