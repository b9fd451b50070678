"""The process in which a learner's code runs when it is graded: one warm parent, one forked child a task.

Speaks frames (dojo.judge.frames) on stdin and stdout with dojo.judge.sandbox, on POSIX systems. The parent never runs a
line of the learner's, never reads a value and holds none; the child has no way to the judge but its own pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from dojo.judge import lending, plain, standins, toolbox
from dojo.judge.frames import read_frame, write_frame
from dojo.judge.work import LearnerError, NotAttempted, NotCheckable, Stopped, invoke, learner_error

PR_SET_DUMPABLE = 4
F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20
GRACE = 0.5
"""Seconds a child that has closed its pipe may take to be gone."""
MAX_PRINTED = 1024 * 1024
KEPT_PRINTED = 4000


# ---------------------------------------------------------------- the child


def _limit(limits: dict[str, int]) -> None:
    """Memory, files and processes; a uid of its own where this process may choose one."""
    if os.geteuid() == 0 and limits["uid"]:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresgid(limits["uid"], limits["uid"], limits["uid"])
            os.setresuid(limits["uid"], limits["uid"], limits["uid"])
    if sys.platform == "linux":  # elsewhere the system does not hold a process to it
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits["memory"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu"], limits["cpu"] + 1))
    _keep_memory_private()


def _keep_memory_private() -> None:
    """No other process of this user may read this one's memory (Linux; elsewhere that is the system's rule)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def _home_of(parent: int) -> str:
    """How the folders of one sandbox's tasks begin: another sandbox may be at work in the same /tmp."""
    return f"answer-{parent}-"


def _child(inbox: int, outbox: int, limits: dict[str, int]) -> None:
    """Serves one task: runs the answer, then answers calls until the pipe closes."""
    home = tempfile.mkdtemp(prefix=_home_of(os.getppid()), dir="/tmp")
    if os.geteuid() == 0 and limits["uid"]:
        os.chown(home, limits["uid"], limits["uid"])
    os.chdir(home)
    os.environ["HOME"] = os.environ["TMPDIR"] = home
    _limit(limits)
    session = standins.Session()
    sent = plain.Sent()
    while True:
        value = b""
        try:
            message, given = read_frame(inbox)
        except EOFError:
            return
        try:
            value = _serve(message, given, session, sent)
            reply: dict[str, Any] = {"ok": None}
        except (NotAttempted, NotCheckable, Stopped) as said:
            reply = {"raised": type(said).__name__, "said": str(said)}
        except LearnerError as error:
            reply = _told(error)
        except MemoryError:
            reply = {"raised": "Stopped", "said": _MEMORY}
        except BaseException as error:
            reply = _told(learner_error(error))
        write_frame(outbox, reply, value)


_MEMORY = "The work asked for more memory than it may have."


def _told(error: LearnerError) -> dict[str, Any]:
    if error.kind in ("MemoryError", "OutOfMemoryException"):
        return {"raised": "Stopped", "said": _MEMORY}
    return {"raised": "LearnerError", "said": error.text, "kind": error.kind, "line": error.line, "where": error.where}


def _serve(message: dict[str, Any], given: bytes, session: standins.Session, sent: plain.Sent) -> bytes:
    """The value a request asks for, as bytes."""
    op = message["op"]
    if hasattr(time, "tzset") and os.environ.get("TZ") != message.get("zone", "UTC"):
        os.environ["TZ"] = message.get("zone", "UTC")
        time.tzset()
    if op == "run":
        session.run(message["cells"])
        return b""
    if op == "tool":
        return plain.dumps(toolbox.run(message["name"], plain.loads(given)))
    name = message["name"]
    found = session.find(name)
    if op == "value":
        return plain.dumps(found)
    arguments = plain.loads(given, sent)
    if op == "calls":
        return plain.dumps([_call(found, name, list(args), {}, plain.copy) for args in arguments])
    return _call(found, name, *arguments, plain.dumps)


def _call(function: Any, name: str, args: list, kwargs: dict, result: Callable[[Any], Any]) -> Any:
    if not callable(function):
        raise LearnerError("TypeError", f"`{name}` must be a function; it is a {type(function).__name__}")
    try:
        return invoke(function, args, kwargs, result)
    except NotImplementedError:
        raise NotAttempted(f"`{name}` still raises NotImplementedError.") from None
    except plain.NotPlain as error:
        raise LearnerError("TypeError", str(error)) from None


# ---------------------------------------------------------------- the warm parent


class _Task:
    """The child that serves one task, seen from the parent."""

    def __init__(self, limits: dict[str, int]):
        to_child, self.to = os.pipe()
        self.back, from_child = os.pipe()
        self.log, log_in = os.pipe()
        for fd in (self.to, self.back):
            with contextlib.suppress(OSError):  # a table in one piece, where the system allows
                fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)
        self.printed, self.printed_bytes = b"", 0
        self.pid = os.fork()
        if self.pid == 0:
            _become_child(to_child, from_child, log_in, limits)
        for fd in (to_child, from_child, log_in):
            os.close(fd)

    def exchange(self, message: dict[str, Any], value: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Sends one request and waits for its reply within `seconds`, keeping an eye on what is printed."""
        deadline = time.monotonic() + seconds
        try:
            with _alarm(seconds):
                write_frame(self.to, message, value)
        except TimeoutError:
            return _stopped(f"Still running after {seconds:g} s: stopped.")
        except OSError:
            return self._gone()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return _stopped(f"Still running after {seconds:g} s: stopped.")
            ready, _, _ = select.select([self.back, self.log], [], [], left)
            if self.log in ready and not self._listen():
                return _stopped("It printed more than 1 MB: stopped.")
            if self.back in ready:
                return self._reply(min(deadline, time.monotonic() + 10))

    def _reply(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        try:
            with _alarm(max(0.1, deadline - time.monotonic())):
                reply, value = read_frame(self.back)
            if not isinstance(reply, dict) or not ("ok" in reply or "raised" in reply):
                raise ValueError
            return reply, value
        except EOFError:
            return self._gone()
        except (ValueError, TimeoutError):
            return _stopped("The answer wrote to the judge's own channel; its result is void.")

    def _listen(self) -> bool:
        part = os.read(self.log, 1 << 16)
        self.printed_bytes += len(part)
        if len(self.printed) < KEPT_PRINTED:
            self.printed += part[:KEPT_PRINTED]
        if not part:
            time.sleep(0.001)
        return self.printed_bytes <= MAX_PRINTED

    def _gone(self) -> tuple[dict[str, Any], bytes]:
        status = self._ended(GRACE)
        if status is None:
            return _stopped("The answer closed the judge's own channel; its result is void.")
        self.pid = 0
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
            return _stopped("It used more processor time or memory than it may: stopped.")
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"
        return _stopped(f"The answer ended the process it runs in ({how}).")

    def _ended(self, seconds: float) -> int | None:
        """The child's wait status, or None when it still runs after `seconds`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            time.sleep(0.002)
        return None

    def heard(self) -> str:
        """The head of what the child printed."""
        with contextlib.suppress(OSError):
            while select.select([self.log], [], [], 0)[0] and len(self.printed) < KEPT_PRINTED:
                part = os.read(self.log, 1 << 16)
                if not part:
                    break
                self.printed += part
        return self.printed[:KEPT_PRINTED].decode("utf-8", "replace")

    def close(self) -> None:
        """Ends the child and everything in its process group."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        for fd in (self.to, self.back, self.log):
            os.close(fd)


@contextlib.contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """TimeoutError after so many seconds, wherever the block is waiting."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _stopped(said: str) -> tuple[dict[str, Any], bytes]:
    return {"raised": "Stopped", "said": said}, b""


def _become_child(inbox: int, outbox: int, log: int, limits: dict[str, int]) -> None:
    """In the forked child: keeps three pipes, drops everything else, serves, and leaves without the parent's exits."""
    code = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        inbox, outbox, log, null = (os.dup2(fd, 200 + n) for n, fd in enumerate((inbox, outbox, log, null)))
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.closerange(3, 200)
        os.closerange(202, 4096)
        sys.stdin = open(0, closefd=False)
        _child(inbox, outbox, limits)
        code = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(code)


def _sweep(contained: bool, homes_before: set[str]) -> None:
    """After a task: no process and no file of it may live on."""
    if contained:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    for entry in set(os.listdir("/tmp")) - homes_before:
        if contained or entry.startswith(_home_of(os.getpid())):
            path = os.path.join("/tmp", entry)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            elif contained:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def _rehearse() -> None:
    """One journey of a small table, so that no task pays for what its libraries load on first use."""
    import pandas as pd
    import pyarrow as pa

    frame = plain.copy(pd.DataFrame({"day": pd.to_datetime(["2025-12-01"]), "n": [1], "text": ["a"]}))
    repr(frame.groupby("text").agg({"n": "sum"}))
    with lending.lent({"rehearsal.rows": pa.table({"n": [1]})}) as con:
        con.execute(
            "select timezone('Europe/Berlin', timezone('UTC', now()::timestamp)), count(*) from rehearsal.rows"
        ).fetchall()
    gc.collect()
    gc.freeze()  # what is here now stays: a child's collector need not touch, and so copy, its pages


class _Server:
    """The parent's side of the conversation with the judge: at most one task at a time."""

    def __init__(self, contained: bool):
        self.contained, self.task = contained, None
        self.homes = set(os.listdir("/tmp"))

    def answer(self, message: dict[str, Any], value: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one message."""
        if message["op"] == "warm":
            with contextlib.suppress(Exception):  # a tool that cannot load says so where it is asked
                toolbox.warm(message["name"])
        elif message["op"] == "open":
            self.task = _Task(message["limits"])
        elif message["op"] == "close":
            return {"ok": self.task.heard() if self.task else ""}, b""
        elif self.task:
            return self.task.exchange(message, value, message["seconds"])
        else:
            return _stopped("")
        return {"ok": None}, b""

    def settle(self) -> None:
        """After the last reply to a task: no process and no file of it lives on."""
        if self.task:
            self.task.close()
        self.task = None
        _sweep(self.contained, self.homes)


def main() -> None:
    """Serves the judge until it closes the pipe. argv[1] is "contained" inside a process namespace of its own."""
    contained = sys.argv[1:] == ["contained"]
    _keep_memory_private()
    judge_in, judge_out = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    for name in ("duckdb", "pandas", "pyarrow", "numpy", "yaml"):
        with contextlib.suppress(ImportError):
            __import__(name)

    def alarm(*_: Any) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, alarm)
    _rehearse()
    server = _Server(contained)
    write_frame(judge_out, {"ready": os.getpid()})
    while True:
        try:
            message, value = read_frame(judge_in)
        except EOFError:
            break
        write_frame(judge_out, *server.answer(message, value))
        if message["op"] == "close":
            server.settle()


if __name__ == "__main__":
    main()
