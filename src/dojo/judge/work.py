"""The learner's work as a check sees it, whatever carries it: a live kernel, or a separate process that holds no answer."""

from __future__ import annotations

import asyncio
import contextlib
import decimal
import os
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from dojo.judge import lending, plain, settings
from dojo.judge.cells import is_stub_file


class NotAttempted(Exception):
    """The learner has not begun: nothing of that name, a stub, or an empty file."""


class LearnerError(Exception):
    """The learner's code raised. Fields: kind (class name), text, line (of the answer, 0 unknown)."""

    def __init__(self, kind: str, text: str, line: int = 0, where: str = ""):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.line, self.where = kind, text, line, where


class Stopped(Exception):
    """The work was stopped at a limit (time, memory, output, processes); the message says which."""


class NotCheckable(Exception):
    """This machine lacks what the check needs; the message says what would make it checkable."""


ZONES = ("UTC", "Pacific/Auckland")
"""The time zones of the process in which work is judged, one data set in each: the machine's own must not decide."""


class Memory:
    """What one piece of work has already been asked; gone with it. Both kinds of work have it.

    zone: the time zone of the process while the work runs; deciding: where a task makes many runs, those that are wanted
    (None: all of them).
    """

    zone: str = ZONES[0]
    deciding: frozenset[str] | None = None

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value made for a key, made when it is first asked for. What `make` raises is raised again, and not made again."""
        kept = self.__dict__.setdefault("_kept", {})
        if key not in kept:
            try:
                kept[key] = (make(), None)
            except Exception as error:
                kept[key] = (None, error)
        made, error = kept[key]
        if error is not None:
            raise error
        return made


@contextlib.contextmanager
def in_zone(name: str) -> Iterator[None]:
    """The process's time zone for the block; where the system cannot change it (Windows), its own stays."""
    if not hasattr(time, "tzset"):
        yield
        return
    before = os.environ.get("TZ")
    os.environ["TZ"] = name
    time.tzset()
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("TZ", None)
        else:
            os.environ["TZ"] = before
        time.tzset()


class Work(Protocol):
    """What a check may ask of a learner's work. Values come back as copies that survived plain.dumps."""

    isolated: bool | None
    zone: str
    deciding: frozenset[str] | None

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value made for a key by the first check that asks for it, for every later one."""

    def value(self, name: str) -> Any:
        """The variable of that name."""

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """The result of the learner's function. Database arguments arrive as DuckDB connections."""

    def calls(self, name: str, arguments: list[tuple]) -> list[Any]:
        """The results of many calls in one journey, each on positional arguments of its own."""

    def file(self, path: str) -> str:
        """Text of a workspace file."""

    def files(self, folder: str) -> dict[str, str]:
        """Texts of the files below a folder of the workspace that a commit would take along, by their path in it."""

    def tool(self, name: str, request: dict[str, Any]) -> Any:
        """The answer of a real tool run over the learner's files (see dojo.judge.toolbox), where the learner's code may run."""


def no_such_name(name: str) -> str:
    """What is said of an answer that is not there."""
    return f"There is no `{name}` yet. Run the answer cell; if it stopped with an error, mend that first."


def handed_in(path: str, data: bytes | None) -> str:
    """The text of a file handed in, its lines ended as on any system. NotAttempted says what there is instead of work."""
    if data is None:
        raise NotAttempted(f"There is no file `{path}` yet.")
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise LearnerError("UnicodeDecodeError", f"`{path}` is not UTF-8 text") from None
    if is_stub_file(text):
        raise NotAttempted(f"`{path}` is empty or holds only comments so far.")
    return text


def invoke(function: Any, args: list, kwargs: dict, result: Callable[[Any], Any]) -> Any:
    """Calls the learner's function; arguments are its to spoil, and Database arguments arrive as connections.

    result: what is made of the value while those connections are still open.
    """
    with contextlib.ExitStack() as opened:

        def arrive(argument: Any) -> Any:
            if isinstance(argument, plain.Database):
                alone = lending.registers_functions(function)
                return opened.enter_context(lending.lent(argument.tables, alone=alone))
            return argument

        given, named = [arrive(a) for a in args], {k: arrive(v) for k, v in kwargs.items()}
        with course_words_are_errors():
            value = function(*given, **named)
        return result(value)


@contextlib.contextmanager
def course_words_are_errors() -> Iterator[None]:
    """Around the learner's code: what the course says by an exception is an ordinary error where the learner raises it."""
    try:
        yield
    except (NotAttempted, NotCheckable, Stopped, LearnerError, plain.NotPlain) as raised:
        raise learner_error(raised) from None


def _own(argument: Any) -> Any:
    """A copy of an argument that a learner's function may spoil."""
    return argument if isinstance(argument, plain.Database) else plain.copy(argument)


def learner_error(error: BaseException) -> LearnerError:
    """The exception in the learner's terms: its kind, its words, and the line of the answer it left from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "ipykernel" in f.filename or f.filename.startswith(("<answer", "<ipython", "<timed"))]
    line = own[-1].lineno or 0 if own else 0
    text = str(error).strip().split("\n")[0]
    if isinstance(error, SyntaxError):
        line = error.lineno or 0
        said = f"{error.msg} (line {line})" if line else str(error.msg)
        return LearnerError("SyntaxError", said, line, (error.text or "").strip())
    return LearnerError(type(error).__name__, text[:400], line, (own[-1].line or "") if own else "")


MAX_TEXT = 1 << 20
"""Bytes of the largest file of a workspace that is handed to a tool; there is no source file of that size."""


def _committable(root: Path) -> list[str]:
    """Paths of the files below a folder that `git add --all` would take; of all its files where it is no checkout."""
    if (root / ".git").exists():
        from shopflow.history import CONFIG

        listed = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root,
            capture_output=True,
            env={**settings.inherited(), "GIT_CONFIG_GLOBAL": str(CONFIG)},
        )
        if listed.returncode == 0:
            return sorted({name for name in listed.stdout.decode("utf-8", "replace").split("\0") if name})
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file() and ".git" not in p.parts)


class KernelWork(Memory):
    """The work in the learner's own kernel: names from the notebook, files from the workspace. Honour system, milliseconds."""

    isolated: bool | None = None

    def __init__(self, names: dict[str, Any], folder: Path | None, failed: dict[str, LearnerError] | None = None):
        """failed: for a name that a cell should have made, the error it stopped with before it came to it."""
        self._names, self._folder, self._failed = names, folder, failed or {}
        self._decimals = decimal.getcontext().copy()

    def _found(self, name: str) -> Any:
        if name in self._names and self._names[name] is not ...:
            return self._names[name]
        if name in self._failed:
            raise self._failed[name]
        raise NotAttempted(no_such_name(name))

    def _function(self, name: str) -> Callable[..., Any]:
        function = self._found(name)
        if not callable(function):
            raise LearnerError("TypeError", f"`{name}` must be a function; it is a {type(function).__name__}")
        return function

    def value(self, name: str) -> Any:
        found = self._found(name)
        return self._run(name, lambda: plain.copy(found))

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        function = self._function(name)
        return self._run(name, lambda: self._invoked(function, args, kwargs))

    def calls(self, name: str, arguments: list[tuple]) -> list[Any]:
        function = self._function(name)
        return self._run(name, lambda: [self._invoked(function, args, {}) for args in arguments])

    @staticmethod
    def _invoked(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        return invoke(function, [_own(a) for a in args], {k: _own(v) for k, v in kwargs.items()}, plain.copy)

    def _run(self, name: str, work: Callable[[], Any]) -> Any:
        running = asyncio._get_running_loop()
        try:
            # A kernel's cells run inside its event loop; a function under test finds none, as when it is graded.
            asyncio._set_running_loop(None)
            with in_zone(self.zone), decimal.localcontext(self._decimals), settings.validating():
                return work()
        except NotImplementedError:
            raise NotAttempted(f"`{name}` still raises NotImplementedError.") from None
        except plain.NotPlain as error:
            raise LearnerError("TypeError", str(error)) from None
        except RecursionError as error:
            raise LearnerError("RecursionError", "the function calls itself without end") from error
        except (Exception, SystemExit) as error:
            raise learner_error(error) from None
        finally:
            asyncio._set_running_loop(running)

    def file(self, path: str) -> str:
        target = (self._folder or Path()) / path
        return handed_in(path, target.read_bytes() if self._folder is not None and target.is_file() else None)

    def files(self, folder: str) -> dict[str, str]:
        root = (self._folder or Path()) / folder
        if self._folder is None or not root.is_dir():
            return {}
        texts = {}
        for name in _committable(root):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                if (root / name).is_file() and (root / name).stat().st_size <= MAX_TEXT:
                    texts[name] = (root / name).read_text(encoding="utf-8")
        return texts

    def tool(self, name: str, request: dict[str, Any]) -> Any:
        from dojo.judge import toolbox

        with settings.interruptible():
            return toolbox.run(name, plain.copy(request))


class Timer:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    @property
    def milliseconds(self) -> float:
        """Elapsed time in ms."""
        return (time.perf_counter() - self._begun) * 1000
