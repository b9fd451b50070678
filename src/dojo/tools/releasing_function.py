"""The learner's function in a process of its own: what it asks for is carried out, and seen, by the process that judges.

There it meets only stand-ins: `dbt` sends its command, a connection sends each call (its class is Session). What comes from
there is plain values, never unpickled; what goes there may be any value of ours.
"""

from __future__ import annotations

import builtins
import contextlib
import inspect
import linecache
import os
import pickle
import re
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dojo.judge import namespaces, plain, refusals, settings
from dojo.judge.frames import read_frame, write_frame
from dojo.judge.work import LearnerError, NotAttempted, NotCheckable, learner_error
from dojo.tools.companions import Companion

ANSWER = "<answer file>"
STEPS = ("copyfile", "copyfileobj", "_fastcopy_sendfile", "_fastcopy_fcopyfile", "move", "write_bytes", "write_text")
"""Library functions whose lines count like the learner's: a copy is many steps, and a reader may look between any two."""


@dataclass
class Outcome:
    """How one call of the learner's function ended."""

    returned: Any = None
    raised: str = ""
    line: int = 0


@dataclass(frozen=True)
class Served:
    """An argument that stays on the judge's side: "dbt", or "session" for a DuckDB connection; there a stand-in takes its place."""

    kind: str


# ---------------------------------------------------------------- the judge's side


class Function:
    """The learner's function. A context manager: its process lasts as long as the block.

    LearnerError where the file does not run, NotAttempted where it lacks the function.
    """

    def __init__(self, text: str, entry: str):
        self._process = _Forked() if namespaces.judging else _Spawned.here()
        try:
            self._say({"op": "load", "entry": entry}, text)
            message, _ = self._hear()
        except BaseException:
            self._process.end()
            raise
        if message["op"] == "loaded":
            return
        self._process.close()
        if message["op"] == "missing":
            raise NotAttempted(f"The file defines no function `{entry}` yet.")
        raise LearnerError(str(message.get("kind")), str(message.get("said")), _whole(message.get("line")))

    def __enter__(self) -> Function:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self._process.end() if kind else self._process.close()

    def call(self, arguments: list[Any], answers: dict[str, Callable[[dict, Any], Any]], *, traced: bool = False) -> Outcome:
        """Calls the function and answers what it asks meanwhile: `answers` are by kind, each gets the message and its value.

        traced: it asks "look" after each of its lines, with the line that comes next. What it raises is kept.
        """
        self._say({"op": "call", "traced": traced}, arguments)
        while True:
            try:
                message, value = self._hear()
            except EOFError:
                return Outcome(None, f"the function ended its process ({self._process.ending()})")
            if message["op"] == "done":
                return _outcome(message, value)
            if message["op"] not in answers:
                self._process.end()
                return Outcome(None, "the function wrote into the pipe that leads to the judge")
            self._answer(answers[message["op"]], message, value)

    def kill(self) -> None:
        """Kills the process in the middle of a call, as a machine does that goes down."""
        self._process.kill()

    def _answer(self, answer: Callable[[dict, Any], Any], message: dict, value: Any) -> None:
        try:
            self._say({"op": "answer"}, answer(message, value))
        except NotCheckable:
            raise
        except (duckdb.Error, OSError, TypeError, ValueError, AttributeError, LookupError, RuntimeError) as error:
            if isinstance(error, OSError) and refusals.of_the_disk(str(error)):
                raise
            self._say({"op": "raise", "kind": type(error).__name__, "said": str(error)})

    def _say(self, message: dict[str, Any], value: Any = None) -> None:
        with contextlib.suppress(BrokenPipeError):  # then there is nothing to hear either
            write_frame(self._process.outbox, message, pickle.dumps(value))

    def _hear(self) -> tuple[dict[str, Any], Any]:
        """One message. EOFError when the process is gone, or sent what is none."""
        try:
            message, value = read_frame(self._process.inbox)
            return {**message, "op": str(message["op"])}, plain.loads(value) if value else None
        except EOFError:
            raise
        except Exception:
            raise EOFError from None


def _outcome(message: dict[str, Any], value: Any) -> Outcome:
    if message.get("raised") == "NotImplementedError":
        raise NotAttempted("The function still raises NotImplementedError.")
    plainly = value if isinstance(value, bool | str | int | float | None) else repr(value)[:200]
    return Outcome(plainly, str(message.get("raised", ""))[:500], _whole(message.get("line")))


def _whole(value: Any) -> int:
    return value if isinstance(value, int) else 0


class _Forked:
    """A fork of this process, whose memory its children may not read."""

    def __init__(self) -> None:
        namespaces.keep_memory_private()
        hears, self.outbox = os.pipe()
        self.inbox, says = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                os.setpgid(0, 0)
                namespaces.die_with_parent()
                os.dup2(hears, 3)
                os.dup2(says, 4)
                os.closerange(5, 4096)
                _serve(3, 4)
            os._exit(1)
        os.close(hears)
        os.close(says)

    def ending(self) -> str:
        """How the process ended, in words."""
        pid, self.pid = self.pid, 0
        status = os.waitpid(pid, 0)[1] if pid else 0
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit status {os.WEXITSTATUS(status)}"

    def kill(self) -> None:
        """Kills the process and what it started."""
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Ends the process and what it started, and takes the pipes away."""
        if self.pid:
            self.kill()
            os.waitpid(self.pid, 0)
            self.pid = 0
        for pipe in (self.inbox, self.outbox):
            with contextlib.suppress(OSError):
                os.close(pipe)
        self.inbox = self.outbox = -1  # their numbers are another file's from now on

    close = end


class _Spawned(Companion):
    """A new interpreter: a learner's kernel has threads, and may be on a system that cannot fork. It serves several functions."""

    def __init__(self) -> None:
        source = str(Path(__file__).resolve().parents[2])
        super().__init__("-P", "-m", "dojo.tools.releasing_function", env={**settings.inherited(), "PYTHONPATH": source})
        self.inbox, self.outbox = self._process.stdout.fileno(), self._process.stdin.fileno()

    def ending(self) -> str:
        """How the process ended, in words."""
        return f"exit status {self._process.wait()}"

    def kill(self) -> None:
        """Kills the process; the next function gets another one."""
        self._process.kill()

    def close(self) -> None:
        """Leaves it for the next function."""


class Session:
    """The judge's side of a connection that the learner's function calls; `look` is told the line after each statement."""

    REFUSED = ("create_function", "remove_function", "map", "register_filesystem", "unregister_filesystem", "load_extension")
    QUERIES = ("execute", "executemany", "sql", "query", "from_query")
    SHOWN = ("description", "rowcount", "columns", "types", "dtypes", "shape", "alias", "type")

    def __init__(self, connection: Any, look: Callable[[str], None]):
        connection.execute("set python_enable_replacements = false")  # names of this process are nobody's tables
        self._things: list[Any] = [connection]
        self._look = look

    def ask(self, message: dict[str, Any], value: Any) -> Any:
        """One call, or one attribute, of the connection or of what an earlier call returned."""
        number, name, given, named = value
        thing = self._things[number]
        if name in self.REFUSED:
            raise NotCheckable(f"`con.{name}` runs Python inside the database, which cannot be tried from another process.")
        if not hasattr(type(thing), name) or (name.startswith("_") and name not in ("__len__",)):
            raise AttributeError(f"{type(thing).__name__!r} object has no attribute {name!r}")
        if name in self.SHOWN:
            return self._returned(getattr(thing, name))
        given, named = [self._meant(v) for v in given], {k: self._meant(v) for k, v in named.items()}
        line = str(message.get("line", ""))[:300]
        try:
            if name in self.QUERIES and isinstance(thing, duckdb.DuckDBPyConnection):
                given, named = self._up_to_the_last(thing, given, named, line)
            returned = getattr(thing, name)(*given, **named)
            return self._returned(returned)
        finally:
            self._look(line)

    def _up_to_the_last(self, connection: Any, given: list[Any], named: dict, line: str) -> tuple[list[Any], dict]:
        """Runs the statements of a text one by one, all but the last; returns the arguments of the call that runs that one."""
        text = given[0] if given else named.get("query")
        try:
            statements = connection.extract_statements(text) if isinstance(text, str) else []
        except duckdb.Error:
            statements = []  # the call itself says what is wrong
        if len(statements) < 2:
            return given, named
        for statement in statements[:-1]:
            connection.execute(statement)
            self._look(line)
        last = statements[-1]
        return ([last, *given[1:]], named) if given else ([], {**named, "query": last})

    def _meant(self, value: Any) -> Any:
        return self._things[value[_THING]] if isinstance(value, dict) and [*value] == [_THING] else value

    def _returned(self, value: Any) -> Any:
        if isinstance(value, duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation):
            known = next((n for n, one in enumerate(self._things) if one is value), len(self._things))
            if known == len(self._things):
                self._things.append(value)
            return _Thing(known)
        if type(value).__name__ == "RecordBatchReader":
            return _Batches(value.read_all())
        try:
            pickle.dumps(value)
        except (TypeError, pickle.PicklingError):  # the types of columns are objects of the database
            return _told(value)
        return value


def _told(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_told(one) for one in value)
    return value if isinstance(value, bool | int | float | str | None) else str(value)


_THING = "\0thing"


@dataclass(frozen=True)
class _Thing:
    number: int


@dataclass(frozen=True)
class _Batches:
    table: Any


# ---------------------------------------------------------------- the learner's side


class _Line:
    """The way to the judge. One question at a time."""

    def __init__(self, inbox: int, outbox: int):
        self._inbox, self._outbox, self._lock = inbox, outbox, threading.RLock()

    def hear(self) -> tuple[dict[str, Any], Any]:
        message, value = read_frame(self._inbox)
        return message, pickle.loads(value)

    def say(self, op: str, value: Any = None, **words: Any) -> None:
        write_frame(self._outbox, {"op": op, **words}, plain.dumps(value))

    def ask(self, op: str, value: Any = None, **words: Any) -> Any:
        """The judge's answer; raises what was raised there."""
        with self._lock, _untraced():
            self.say(op, value, **words)
            message, answer = self.hear()
        if message["op"] == "raise":
            kind = getattr(duckdb, message["kind"], None) or getattr(builtins, message["kind"], RuntimeError)
            raise kind(message["said"])
        return answer


@contextlib.contextmanager
def _untraced():
    before = sys.gettrace()
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(before)


class _Dbt:
    """`dbt` as a delivery calls it: dbt("build", "--select", "…", target="staging", warehouse=…, variables={…})."""

    def __init__(self, line: _Line):
        self._line = line

    def __call__(
        self,
        *arguments: str,
        target: str | None = None,
        env: str | None = None,
        warehouse: Any = None,
        variables: dict | None = None,
    ) -> Any:
        target = env if target is None else target  # shop.dbt, in a notebook, calls it env
        given = [str(a) for a in arguments]
        there = [None if value is None else str(value) for value in (target, warehouse)]
        return self._line.ask("dbt", [given, *there, variables or {}])


class _Remote:
    """A connection, or what a call of it returned."""

    def __init__(self, line: _Line, number: int):
        self.__dict__.update(_line=line, _number=number)

    def __enter__(self) -> _Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self._asked("close")

    def __len__(self) -> int:
        return self._asked("__len__")

    def __repr__(self) -> str:
        return "<DuckDB>"

    def __getattr__(self, name: str) -> Any:
        if name in Session.SHOWN:
            return self._asked(name)
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *given, **named: self._asked(name, given, named)

    def _asked(self, name: str, given: Any = (), named: dict[str, Any] | None = None) -> Any:
        if name in Session.REFUSED:
            given, named = (), {}  # a function cannot travel, and the answer is the same
        value = [self._number, name, [_sent(v) for v in given], {k: _sent(v) for k, v in (named or {}).items()}]
        for _ in range(10):
            try:
                return self._back(self._line.ask("session", value, line=_own_line()))
            except duckdb.CatalogException as error:
                table = re.search(r"Table with name (\w+) does not exist", str(error))
                frame = _value_of(table[1]) if table else None
                if frame is None:
                    raise
                self._line.ask("session", [self._number, "register", [table[1], _sent(frame)], {}], line=_own_line())
        return None

    def _back(self, answer: Any) -> Any:
        if isinstance(answer, _Thing):
            return self if answer.number == self._number else _Remote(self._line, answer.number)
        return answer.table.to_reader() if isinstance(answer, _Batches) else answer


def _sent(value: Any) -> Any:
    if isinstance(value, _Remote):
        return {_THING: value._number}
    return str(value) if isinstance(value, os.PathLike) else value


def _own_frames() -> list[Any]:
    """The frames of the learner's file, innermost first."""
    frame, found = inspect.currentframe(), []
    while frame is not None:
        found += [frame] if frame.f_code.co_filename == ANSWER else []
        frame = frame.f_back
    return found


def _own_line() -> str:
    frames = _own_frames()
    return linecache.getline(ANSWER, frames[0].f_lineno).strip() if frames else ""


def _value_of(name: str) -> Any:
    """A table of that name among the learner's variables, as DuckDB itself would find it."""
    for frame in _own_frames():
        for names in (frame.f_locals, frame.f_globals):
            value = names.get(name)
            if type(value).__name__ in ("DataFrame", "Table", "RecordBatchReader", "_Remote"):
                return value.read_all() if type(value).__name__ == "RecordBatchReader" else value
    return None


def _serve(inbox: int, outbox: int) -> None:
    """Serves requests until the judge is gone."""
    line, function = _Line(inbox, outbox), None
    while True:
        message, value = line.hear()
        if message["op"] == "load":
            function = _loaded(line, value, message["entry"])
        else:
            _called(line, function, [_stand_in(line, a) for a in value], traced=message["traced"])


def _loaded(line: _Line, text: str, entry: str) -> Callable[..., Any] | None:
    """The function of that name in the learner's file; the judge is told whether there is one."""
    linecache.cache[ANSWER] = (len(text), None, [f"{one}\n" for one in text.split("\n")], ANSWER)
    names: dict[str, Any] = {"__name__": "delivery", "__file__": ANSWER}
    try:
        exec(compile(text, ANSWER, "exec", dont_inherit=True), names)
    except SyntaxError as error:
        line.say("broken", kind="SyntaxError", said=f"line {error.lineno}: {error.msg}", line=error.lineno or 0)
    except (Exception, SystemExit) as error:
        found = learner_error(error)
        line.say("broken", kind=found.kind, said=found.text, line=found.line)
    else:
        line.say("loaded" if callable(names.get(entry)) else "missing")
    return names.get(entry)


def _stand_in(line: _Line, argument: Any) -> Any:
    if not isinstance(argument, Served):
        return argument
    return _Dbt(line) if argument.kind == "dbt" else _Remote(line, 0)


def _called(line: _Line, function: Callable[..., Any], arguments: list[Any], *, traced: bool) -> None:
    """Calls the function and tells how it ended."""
    words: dict[str, Any] = {}
    returned = None
    try:
        if traced:
            sys.settrace(_tracer(lambda text: line.ask("look", line=text)))
        returned = function(*arguments)
    except NotImplementedError:
        words = {"raised": "NotImplementedError"}
    except (Exception, SystemExit) as error:
        sys.settrace(None)
        found = learner_error(error)
        words = {"raised": f"{found.kind}: {found.text}", "line": found.line}
    finally:
        sys.settrace(None)
    line.say("done", returned if isinstance(returned, bool | str | int | float | None) else repr(returned)[:200], **words)


def _tracer(look: Callable[[str], None]) -> Callable:
    def local(frame: Any, event: str, _: Any) -> Any:
        if event in ("line", "return"):
            outer = frame
            while outer is not None and outer.f_code.co_filename != ANSWER:
                outer = outer.f_back
            if outer is not None:
                look(linecache.getline(ANSWER, outer.f_lineno).strip())
        return local

    def begin(frame: Any, _: str, __: Any) -> Any:
        return local if frame.f_code.co_filename == ANSWER or frame.f_code.co_name in STEPS else None

    return begin


def _main() -> None:
    """A new interpreter: what the learner prints must not run into what is said to the judge."""
    inbox, outbox = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(inbox, outbox)


if __name__ == "__main__":
    from dojo.tools import releasing_function

    releasing_function._main()  # what is pickled names that module, not __main__
