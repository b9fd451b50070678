"""The judge's side of the separate process: starts it walled in where the machine allows, talks to it, replaces it."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import IO, Any

import psutil

from dojo import places
from dojo.judge import namespaces, plain, toolbox
from dojo.judge.frames import FRAME_SECONDS, PATIENCE, read_frame, write_frame
from dojo.judge.work import LearnerError, Memory, NotAttempted, NotCheckable, Stopped, handed_in

SOURCE = Path(__file__).resolve().parents[2]
LIMITS = {"memory": 3 << 30, "file": 256 << 20, "processes": 96, "cpu": 120, "total": 240}
"""What one task may use: bytes of memory (each process, and all together), bytes a file, processes and threads, CPU seconds
of one process and of all.
"""
TASK_UID = namespaces.INNER_UID
"""The first of a thousand users that own nothing: when the judge is root, each sandbox's tasks run as one of them."""
OPENINGS = 3
"""So often the process is started, and a room opened, before the machine is said to be unable to: nothing of the learner's
has run yet, and a file that is written anew meanwhile is enough for the walls not to stand.
"""


def _walls(*lent: Path) -> list[str] | None:
    """The bubblewrap command line, or None where there is no bubblewrap. lent: more folders that can be read."""
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
        for capability in ("SETUID", "SETGID", "KILL", "CHOWN", "DAC_OVERRIDE", "SYS_ADMIN"):  # the last: rooms
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
    command += ["--perms", "0755", "--tmpfs", namespaces.WARM]
    own = [
        Path(p)
        for p in sorted({sys.base_prefix, sys.prefix, str(SOURCE), *_tools(), *map(str, lent)})
        if not Path(p).is_relative_to("/usr")
    ]
    for folder in sorted({parent for path in own for parent in path.parents if parent != Path("/")}):
        command += ["--perms", "0755", "--dir", str(folder)]
    for path in own:
        command += ["--ro-bind", str(path), str(path)]
    for path in _hidden():
        command += ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", os.devnull, str(path)]
    return [*command, "--chdir", "/tmp"]


def _hidden() -> list[Path]:
    """What holds or computes expected values: nothing in the sandbox may read it."""
    truth = SOURCE / "shopflow" / "truth.py"
    if not Path(importlib.util.cache_from_source(str(truth))).exists():  # what is not there yet cannot be covered
        with contextlib.suppress(OSError, py_compile.PyCompileError):
            py_compile.compile(str(truth))
    compiled = (SOURCE / "shopflow" / "__pycache__").glob("truth.*.pyc")
    return [SOURCE / "dojo" / "tasks", SOURCE / "dojo" / "quizzes", *(p for p in (truth, *compiled) if p.exists())]


def _tools() -> list[str]:
    """The folder of added tools, where there is one: what a task needs of them must run where its work does."""
    return [str(places.tools())] if places.tools().is_dir() else []


def _environment() -> dict[str, str]:
    keep = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"}
    keep |= {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SOURCE), "DO_NOT_TRACK": "1"}
    keep["GIT_CONFIG_NOSYSTEM"] = "1"
    keep["PYTHONIOENCODING"] = "utf-8"
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
    problem = _stops([*walls, "/usr/bin/true"])
    if problem:
        return f"not isolated: bubblewrap cannot start here ({problem})"
    user = [] if os.geteuid() == 0 else ["--user"]
    problem = _stops([*walls, "/usr/bin/unshare", *user, "--mount", "--ipc", "--pid", "--fork", "/usr/bin/true"])
    if problem:
        return f"not isolated: one task's work could reach the next, for want of namespaces ({problem})"
    return "isolated"


def _stops(command: list[str]) -> str:
    """What a command that should end well says when it does not, else ""."""
    try:
        tried = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "still starting after 60 s"
    return (tried.stderr.strip()[:120] or f"exit status {tried.returncode}") if tried.returncode else ""


@cache
def _starter() -> ThreadPoolExecutor:
    """The thread that starts judging processes: they die with it, so it must outlive whoever asks for one."""
    return ThreadPoolExecutor(1, thread_name_prefix="sandbox-starter")


class CannotJudge(OSError):
    """The judging process cannot run here; the message says why and what to do."""


class Sandbox:
    """One warm process that runs learners' code, a task at a time. Use as a context manager; `task()` opens a task.

    lent: a folder that its tasks may read; its path stands there in $DOJO_LENT. What marks are given for is never lent.
    """

    def __init__(self, lent: Path | None = None) -> None:
        self.isolated = isolation() == "isolated"
        self.lent = lent
        self.warm_tools: set[str] = set()
        self.limits: dict[str, int] = {}
        self._process: subprocess.Popen | None = None
        self._borrowed = False

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            with contextlib.suppress(OSError):
                self._process.stdin.close()  # it tidies up after its last task, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self.stop()

    def borrow(self) -> None:
        """In a forked process: uses the warm process as it is; to replace it is its owner's business."""
        self._borrowed = True

    def start(self) -> None:
        """Starts the process if it is not there. CannotJudge says why it cannot be started."""
        if self._borrowed or (self._process and self._process.poll() is None):
            return
        if not hasattr(os, "fork"):
            raise CannotJudge("Windows cannot run the judging process. Grade in WSL, a container or on another system.")
        self.limits = self.limits or _limits(self.isolated)
        warm, self.warm_tools = self.warm_tools, set()
        for left in reversed(range(OPENINGS)):
            words = self._opened()
            if not words:
                break
            if not left:
                raise CannotJudge(f"The judging process did not start. dojo doctor says what is missing. {words}")
        for name in warm:
            self.warm(name)

    def _opened(self) -> str:
        """One try to start the process: its last words where it did not begin to serve, else ""."""
        with tempfile.TemporaryFile() as log:
            return self._opened_with(log)

    def _opened_with(self, log: IO[bytes]) -> str:
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log, "env": self._environment()}
        options |= {"start_new_session": True, "cwd": tempfile.gettempdir()}
        self._process = _starter().submit(subprocess.Popen, self._command(), **options).result()
        try:
            self._read(120)
        except (EOFError, ValueError, TimeoutError) as error:
            self.stop()
            log.seek(0)
            return log.read()[-800:].decode("utf-8", "replace") or f"({type(error).__name__})"
        return ""

    def _command(self) -> list[str]:
        command = [sys.executable, "-P", "-m", "dojo.judge.runner"]
        if not self.isolated:
            return command
        walls = _walls(*([self.lent] if self.lent else [])) or []
        for name, text in {**self._environment(), "TMPDIR": namespaces.WARM}.items():
            walls += ["--setenv", name, text] if name != "PATH" else []
        return [*walls, *command, "apart"]

    def _environment(self) -> dict[str, str]:
        return {**_environment(), **({"DOJO_LENT": str(self.lent)} if self.lent else {})}

    def stop(self) -> None:
        """Ends the process and everything in it."""
        if self._process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            self._process = None

    def warm(self, tool: str) -> None:
        """Loads a tool in the warm process, once."""
        if tool not in self.warm_tools:
            self.start()
            self.ask({"op": "warm", "name": tool}, 60)
            self.warm_tools.add(tool)

    def ask(self, message: dict[str, Any], seconds: float, value: bytes = b"") -> tuple[dict[str, Any], bytes]:
        """One request to the warm process; when it is gone or silent it is ended, to be replaced, and Lost is raised."""
        self.start()
        if self._process is None:
            raise Lost("The process that judges is gone.")
        try:
            write_frame(self._process.stdin.fileno(), message, value, FRAME_SECONDS)
            return self._read(seconds + FRAME_SECONDS)
        except (EOFError, OSError, ValueError, TimeoutError):
            self.stop()
            raise Lost("The answer brought down the process it runs in.") from None

    def _read(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        return read_frame(self._process.stdout.fileno(), seconds)

    def task(self, cells: list[tuple[str, str]], files: dict[str, str], *, seconds: float = 20.0) -> SandboxWork:
        """Opens a task: `cells` are (label, source) pairs to run first, `files` the texts handed in, by path."""
        return SandboxWork(self, cells, files, seconds)


class Lost(Stopped):
    """The warm process died or fell silent: by the answer's doing or by the machine's."""


class SandboxWork(Memory):
    """The work in a separate process. A context manager: its room is there from the first question to the end of the block.

    idle: a question was stopped by the clock although little processor time was used; lost: the process went away;
    begun: something of the learner's may have run by then. Whoever gives marks tries again where the machine may be at fault.
    """

    def __init__(self, sandbox: Sandbox, cells: list[tuple[str, str]], files: dict[str, str], seconds: float):
        self._sandbox, self._cells, self._files, self._seconds = sandbox, cells, files, seconds
        self.isolated: bool | None = sandbox.isolated
        self.printed = ""
        self.begun = self.idle = self.lost = False
        self._opened = self._ran = False
        self._sent = plain.Sent()

    def __enter__(self) -> SandboxWork:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(Stopped):
            if self._opened:
                self.printed = str(self._sandbox.ask({"op": "close"}, 10)[0].get("ok", ""))

    def _open(self) -> None:
        """Files alone need no room, and one that runs a tool is made when the tool is warm: so not before it is asked."""
        for name in toolbox.LIBRARIES:
            if any(name in source for _, source in self._cells):
                self._sandbox.warm(name)
        for left in reversed(range(OPENINGS)):
            try:
                self._sandbox.start()
                limits = self._sandbox.limits
                total = max(limits["total"], int(4 * self._seconds))
                reply, _ = self._sandbox.ask({"op": "open", "limits": {**limits, "total": total}}, 30)
                if "ok" not in reply:
                    raise Lost(f"No room could be made for the work ({str(reply.get('said'))[:300]}).")
                self._opened = True
                return
            except Lost:
                if not left or self._sandbox._borrowed:
                    self.lost = True
                    raise

    def _exchange(self, message: dict[str, Any], value: bytes = b"") -> bytes:
        if not self._opened:
            self._open()
        self.begun = True
        try:
            message = {**message, "zone": self.zone, "seconds": self._seconds}
            reply, given = self._sandbox.ask(message, PATIENCE * self._seconds, value)
        except Lost:
            self.lost = True
            raise
        if "ok" in reply:
            return given
        said, raised = str(reply.get("said", ""))[:2000], reply["raised"]
        if raised == "LearnerError":
            line = reply.get("line")
            kind, where = str(reply.get("kind"))[:100], str(reply.get("where", ""))[:300]
            raise LearnerError(kind, said, line if isinstance(line, int) else 0, where)
        if raised == "NotAttempted":
            raise NotAttempted(said)
        if raised == "NotCheckable" and message["op"] == "tool":  # an answer cannot say what this machine lacks
            raise NotCheckable(said)
        self.idle = self.idle or reply.get("idle") is True
        raise Stopped(said)

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
