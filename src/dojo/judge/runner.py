"""The process in which a learner's code runs when it is graded: one warm parent, and a room of its own for every task.

Speaks frames (dojo.judge.frames) on stdin and stdout with dojo.judge.sandbox, on POSIX systems. The parent never runs a
line of the learner's, never reads a value and holds no expected one. A room is a set of namespaces with a warden as its
first process: files, shared memory and processes of one task end with it, and nothing in it sees the parent. In a room
the learner's code and the real tools are two processes, so that the one cannot answer for the other.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import resource
import select
import signal
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from dojo.judge import lending, namespaces, plain, standins, toolbox
from dojo.judge.frames import FRAME_SECONDS, MAX_REPLY, PATIENCE, read_frame, write_frame
from dojo.judge.work import LearnerError, NotAttempted, NotCheckable, Stopped, course_words_are_errors, invoke, learner_error

F_SETPIPE_SZ = 1031
PIPE_BYTES = 1 << 20
GRACE = 0.5
"""Seconds a child that has closed its pipe may take to be gone."""
TICK = 0.1
"""Seconds between two looks at what a room uses."""
MAX_PRINTED = 1024 * 1024
KEPT_PRINTED = 4000
ROLES = ("answer", "tool")
"""The processes of a room: one runs the learner's code, the other the real tools over the learner's files."""
INBOX, OUTBOX, LOG, NULL = range(200, 204)
"""Where a process of a room finds its pipes."""


# ---------------------------------------------------------------- a process of a room


def _limit(limits: dict[str, int]) -> None:
    """Memory, files and processes; a uid of its own where this process may choose one, and no privilege left."""
    if os.geteuid() == 0 and limits["uid"]:
        with contextlib.suppress(OSError):
            os.setgroups([])
            os.setresgid(limits["uid"], limits["uid"], limits["uid"])
            os.setresuid(limits["uid"], limits["uid"], limits["uid"])
    if sys.platform == "linux":  # elsewhere the system does not hold a process to it
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + limits["memory"],) * 2)
        namespaces.drop_privileges()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file"],) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (limits["processes"],) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu"], limits["cpu"] + 1))
    namespaces.keep_memory_private()


def _home_of(parent: int) -> str:
    """How the folders of one sandbox's tasks begin: where there are no rooms, another may be at work in the same /tmp."""
    return f"answer-{parent}-"


def _child(limits: dict[str, int], prefix: str) -> None:
    """Serves one role of a task: carries out requests until the pipe closes."""
    namespaces.judging = True
    gc.set_threshold(50_000, 20, 100)  # a task is over before much has to be swept
    os.umask(0o022)
    home = tempfile.mkdtemp(prefix=prefix, dir="/tmp")
    if os.geteuid() == 0 and limits["uid"]:
        os.chown(home, limits["uid"], limits["uid"])
    os.chdir(home)
    os.environ["HOME"] = os.environ["TMPDIR"] = tempfile.tempdir = home
    _limit(limits)
    session = standins.Session()
    sent = plain.Sent()
    while True:
        value = b""
        try:
            message, given = read_frame(INBOX)
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
        write_frame(OUTBOX, reply, value)


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
        with course_words_are_errors():
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


# ---------------------------------------------------------------- the warden of a room


class _Pipes:
    """The four ends of a role's two pipes."""

    def __init__(self) -> None:
        self.inbox, self.to = os.pipe()
        self.back, self.outbox = os.pipe()
        for fd in (self.to, self.back):
            with contextlib.suppress(OSError):  # a table in one piece, where the system allows
                fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)

    def close(self, *names: str) -> None:
        for name in names:
            os.close(getattr(self, name))


def _warden(pipes: dict[str, _Pipes], log: int, fate: int, limits: dict[str, int], prefix: str) -> None:
    """Starts each role when its first request comes, tells how it ended, and collects what else dies in the room."""
    for one in pipes.values():
        one.close("to", "back")
    waiting, running = dict(pipes), {}
    while True:
        ready, _, _ = select.select([p.inbox for p in waiting.values()], [], [], TICK / 2)
        for role in [r for r, p in waiting.items() if p.inbox in ready]:
            pid = os.fork()
            if pid == 0:
                _become_child(waiting[role], log, limits, prefix)
            running[pid] = role
            waiting.pop(role).close("inbox", "outbox")
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] in running:
                    os.write(fate, struct.pack(">II", ROLES.index(running.pop(ended[0])), ended[1]))


def _become_child(pipes: _Pipes, log: int, limits: dict[str, int], prefix: str) -> None:
    """In the forked child: keeps three pipes, drops everything else, serves, and leaves without the parent's exits."""
    code = 1
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for fd, place in ((pipes.inbox, INBOX), (pipes.outbox, OUTBOX), (log, LOG), (null, NULL)):
            os.dup2(fd, place)
        os.dup2(NULL, 0)
        os.dup2(LOG, 1)
        os.dup2(LOG, 2)
        os.closerange(3, INBOX)
        os.closerange(LOG, 4096)
        sys.stdin = open(0, closefd=False)
        _child(limits, prefix)
        code = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
        os._exit(code)


# ---------------------------------------------------------------- the warm parent


class _Room:
    """What serves one task, seen from the parent: a warden, and behind its pipes the answer and the tool."""

    def __init__(self, limits: dict[str, int], apart: bool):
        self.limits = limits
        self.outsiders = set(psutil.pids()) if apart else set()  # a warm tool may hold processes: they are not the task's
        self.pipes = {role: _Pipes() for role in ROLES}
        self.log, log_in = os.pipe()
        self.fate, fate_in = os.pipe()
        self.printed, self.printed_bytes = b"", 0
        self.begun_with = psutil.Process().memory_info().rss
        here = os.getpid()

        def serve() -> None:
            if apart:
                namespaces.hold(here)
            _warden(self.pipes, log_in, fate_in, limits, _home_of(here))

        self.pid = namespaces.fork_apart(serve) if apart else namespaces.fork_here(serve)
        for pipes in self.pipes.values():
            pipes.close("inbox", "outbox")
        for fd in (log_in, fate_in):
            os.close(fd)

    def exchange(self, message: dict[str, Any], value: bytes, seconds: float) -> tuple[dict[str, Any], bytes]:
        """Sends one request and waits for its reply, keeping an eye on what is used and printed meanwhile.

        `seconds` are processor seconds; where little is used, PATIENCE times as many may pass by the clock.
        """
        role = "tool" if message["op"] == "tool" else "answer"
        pipes, begun, used_before = self.pipes[role], time.monotonic(), None
        try:
            write_frame(pipes.to, message, value, PATIENCE * seconds)
        except TimeoutError:
            return _stopped(_late(seconds), idle=True)
        except OSError:
            return self._gone(role)
        while True:
            ready, _, _ = select.select([pipes.back, self.log], [], [], TICK)
            if self.log in ready and not self._listen():
                return _stopped("It printed more than 1 MB: stopped.")
            if pipes.back in ready:
                return self._reply(role)
            waited = time.monotonic() - begun
            if waited < TICK:
                continue
            used, memory = self.usage()
            used_before = used if used_before is None else used_before
            if memory > self.limits["memory"]:
                return _stopped(_MEMORY)
            if used > self.limits["total"]:
                return _stopped("It used more processor time than it may: stopped.")
            if waited >= seconds and used - used_before >= 0.9 * seconds:
                return _stopped(_late(seconds))
            if waited >= PATIENCE * seconds:
                return _stopped(_late(seconds), idle=True)

    def usage(self) -> tuple[float, int]:
        """Processor seconds of everything in the room so far, and the bytes of memory its processes hold of their own."""
        seconds, memory = 0.0, 0
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                seconds += sum(process.cpu_times()[:4])
                memory += max(0, process.memory_info().rss - self.begun_with)
        return seconds, memory

    def _processes(self) -> list[psutil.Process]:
        if self.outsiders:  # a process namespace of our own: who is not known from before is in the room
            return [p for p in psutil.process_iter() if p.pid not in self.outsiders]
        with contextlib.suppress(psutil.Error):
            warden = psutil.Process(self.pid)
            return [warden, *warden.children(recursive=True)]
        return []

    def _reply(self, role: str) -> tuple[dict[str, Any], bytes]:
        try:
            reply, value = read_frame(self.pipes[role].back, FRAME_SECONDS, largest=MAX_REPLY)
            if not isinstance(reply, dict) or not ("ok" in reply or isinstance(reply.get("raised"), str)):
                raise ValueError
            reply.pop("idle", None)  # that is not for the answer to say
            return reply, value
        except EOFError:
            return self._gone(role)
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

    def _gone(self, role: str) -> tuple[dict[str, Any], bytes]:
        status = self._ended(role)
        if status is None:
            return _stopped("The answer closed the judge's own channel; its result is void.")
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
            return _stopped("It used more processor time or memory than it may: stopped.")
        how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"
        return _stopped(f"The answer ended the process it runs in ({how}).")

    def _ended(self, role: str) -> int | None:
        """The role's wait status as the warden tells it, or None when it still runs after a while."""
        while select.select([self.fate], [], [], GRACE)[0]:
            told = os.read(self.fate, 8)
            if len(told) < 8:
                return None
            number, status = struct.unpack(">II", told)
            if ROLES[number] == role:
                return status
        return None

    def heard(self) -> str:
        """The head of what the task printed."""
        with contextlib.suppress(OSError):
            while select.select([self.log], [], [], 0)[0] and len(self.printed) < KEPT_PRINTED:
                part = os.read(self.log, 1 << 16)
                if not part:
                    break
                self.printed += part
        return self.printed[:KEPT_PRINTED].decode("utf-8", "replace")

    def close(self) -> None:
        """Ends the warden, and with it everything in the room."""
        namespaces.end(self.pid)
        for pipes in self.pipes.values():
            pipes.close("to", "back")
        os.close(self.log)
        os.close(self.fate)


def _late(seconds: float) -> str:
    return f"Still running after {seconds:g} s: stopped."


def _stopped(said: str, *, idle: bool = False) -> tuple[dict[str, Any], bytes]:
    """A reply that the work was stopped; `idle`: by the clock, with little processor time used."""
    return {"raised": "Stopped", "said": said, "idle": idle}, b""


def _sweep(homes_before: set[str]) -> None:
    """After a task without namespaces of its own: its folders go."""
    for entry in set(os.listdir("/tmp")) - homes_before:
        if entry.startswith(_home_of(os.getpid())):
            namespaces.remove_tree(os.path.join("/tmp", entry))


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
    _keep()


def _keep() -> None:
    """What is here now stays: a child's collector need not touch, and so copy, its pages."""
    gc.collect()
    gc.freeze()


class _Server:
    """The parent's side of the conversation with the judge: at most one task at a time."""

    def __init__(self, apart: bool):
        self.apart, self.room = apart, None
        self.homes = set(os.listdir("/tmp"))

    def answer(self, message: dict[str, Any], value: bytes) -> tuple[dict[str, Any], bytes]:
        """The reply to one message."""
        if message["op"] == "warm":
            with contextlib.suppress(Exception):  # a tool that cannot load says so where it is asked
                toolbox.warm(message["name"])
            _keep()
        elif message["op"] == "open":
            self.settle()
            try:
                self.room = _Room(message["limits"], self.apart)
            except OSError as error:
                return {"raised": "NoRoom", "said": str(error)}, b""
        elif message["op"] == "close":
            return {"ok": self.room.heard() if self.room else ""}, b""
        elif self.room:
            return self.room.exchange(message, value, message["seconds"])
        else:
            return _stopped("")
        return {"ok": None}, b""

    def settle(self) -> None:
        """After the last reply to a task: no process and no file of it lives on."""
        if self.room:
            self.room.close()
            if not self.apart:
                _sweep(self.homes)
        self.room = None


def main() -> None:
    """Serves the judge until it closes the pipe. argv[1] is "apart" where each task gets namespaces of its own."""
    os.umask(0o022)
    namespaces.keep_memory_private()
    judge_in, judge_out = os.dup(0), os.dup(1)
    os.dup2(2, 1)
    for name in ("duckdb", "pandas", "pyarrow", "numpy", "yaml"):
        with contextlib.suppress(ImportError):
            __import__(name)

    _rehearse()
    server = _Server(sys.argv[1:] == ["apart"])
    write_frame(judge_out, {"ready": os.getpid()})
    while True:
        try:
            message, value = read_frame(judge_in)
        except EOFError:
            break
        write_frame(judge_out, *server.answer(message, value))
        if message["op"] == "close":
            server.settle()
    server.settle()


if __name__ == "__main__":
    main()
