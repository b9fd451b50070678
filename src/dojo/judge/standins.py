"""What a notebook's cells find when they are graded: stand-ins for IPython and for the course, which do nothing."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import linecache
import sys
import traceback
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dojo.judge import cells
from dojo.judge.work import LearnerError, NotAttempted, learner_error, no_such_name

COURSE_CALLS = ("check", "compare", "debrief", "hint", "predict", "progress", "quiz", "solution", "start")


class NotInGrading:
    """Stands in for what only a live notebook has: any use of it does nothing and gives another of its kind.

    It never turns into a number or into text that could pass for one.
    """

    uses = 0

    def __use(self, *_: Any, **__: Any) -> NotInGrading:
        NotInGrading.uses += 1
        return self

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(name)
        if name == "today":
            from shopflow.clock import TODAY

            return TODAY
        return self.__use()

    __call__ = __getitem__ = __enter__ = __use
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __neg__ = __use
    __hash__ = object.__hash__

    def __no(self, *_: Any) -> bool:
        self.__use()
        return False

    __bool__ = __contains__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __no

    def __number(self) -> Any:
        self.__use()
        raise TypeError("What the notebook's workspace holds is not there in grading: a function works on its arguments.")

    __int__ = __float__ = __index__ = __number

    def __setitem__(self, key: Any, value: Any) -> None:
        self.__use()

    def __exit__(self, *_: object) -> None:
        self.__use()

    def __iter__(self) -> Iterator[Any]:
        self.__use()
        return iter(())

    def __len__(self) -> int:
        self.__use()
        return 0

    def __repr__(self) -> str:
        self.__use()
        return "(not there when work is graded)"

    def __format__(self, how: str) -> str:
        return repr(self)


class Shell:
    """Stands in for IPython: magics that time or capture run what they are given, no other does anything."""

    def __init__(self, session: Session):
        self._session = session
        self.user_ns = session.names

    def run_line_magic(self, name: str, line: str, *_: Any) -> Any:
        """`%time f(x)` gives what f(x) gives, in the names of the place it stands in; other magics give None."""
        if not name.isidentifier():  # `%%time` below a comment, which is no cell magic
            from IPython.core.error import UsageError

            raise UsageError(f"Line magic function `%{name}` not found.")
        if name != "time":
            return None
        caller = sys._getframe(1)
        local = self.user_ns if caller.f_locals is caller.f_globals else dict(caller.f_locals)
        return self._session.timed(line, local)

    def run_cell_magic(self, name: str, line: str, cell: str) -> Any:
        """`%%time`, `%%capture` and `%%prun` run the cell, `%%writefile` writes it; other magics leave it alone."""
        if name in cells.WRITE_A_FILE and line.split():
            _write_beside(line.split(), cell)
        if name not in cells.RUN_THEIR_CELL:
            return None
        words = line.split()
        if name == "capture" and words and words[-1].isidentifier():
            self.user_ns[words[-1]] = NotInGrading()
        try:
            self._session.execute(cell, f"<answer %%{name}>")
        except Exception as error:
            if name != "capture" or isinstance(error, MemoryError):
                raise
            traceback.print_exc()  # what %%capture runs may fail, and the cell is done all the same
        return None

    def system(self, command: str) -> None:
        """`!command` is not run."""

    def getoutput(self, command: str, *_: Any, **__: Any) -> Any:
        """`x = !command` is not run: no lines."""
        from IPython.utils.text import SList

        return SList()

    def __getattr__(self, name: str) -> Any:
        return getattr(NotInGrading(), name)


def _write_beside(words: list[str], text: str) -> None:
    """Writes a file where the cells run, and lets them import it from there."""
    with Path(words[-1]).open("a" if "-a" in words else "w", encoding="utf-8", newline="") as file:
        file.write(text)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()


class Session:
    """The names of a notebook whose cells are run for grading."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._failed: dict[str, LearnerError] = {}
        self._flags = cells.AWAIT
        self._loop: asyncio.AbstractEventLoop | None = None
        self.names |= _standins(self)

    def run(self, given: list[tuple[str, str]]) -> None:
        """Runs cells one after the other. One that stops keeps what it did before, as in a kernel."""
        for label, source in given:
            try:
                self.execute(source, f"<answer {label}>")
            except MemoryError:
                raise
            except (Exception, SystemExit) as error:
                said = learner_error(error)
                for name in cells.read(source).bound:
                    self._failed[name] = said

    def find(self, name: str) -> Any:
        """The learner's object of that name. LearnerError from the cell that should have made it, or NotAttempted."""
        if name in self.names and self.names[name] is not ...:
            return self.names[name]
        if name in self._failed:
            raise self._failed[name]
        raise NotAttempted(no_such_name(name))

    def execute(self, source: str, label: str) -> None:
        """Runs the Python of a cell, a statement at a time, as IPython does.

        A statement that fails over a stand-in is passed over: in the notebook it would have worked.
        """
        python = cells.python_of(source)
        linecache.cache[label] = (len(python), None, [f"{line}\n" for line in python.split("\n")], label)
        module = compile(python, label, "exec", ast.PyCF_ONLY_AST | cells.AWAIT, dont_inherit=True)
        self._flags |= _futures(module)
        compile(module, label, "exec", self._flags, dont_inherit=True)  # all of a cell can be read, or none of it runs
        for statement in module.body:
            before = NotInGrading.uses
            try:
                self._run(ast.Module([statement], []), label)
            except (Exception, SystemExit):
                if NotInGrading.uses == before:
                    raise
            if NotInGrading.uses > before:
                for name in cells.read(ast.unparse(statement)).bound:
                    self.names.setdefault(name, NotInGrading())

    def timed(self, line: str, local: dict[str, Any]) -> Any:
        """The value of an expression, or None after a statement, run in a place's own names."""
        module = cells.tree(cells.python_of(line))
        last = module.body.pop() if module.body and isinstance(module.body[-1], ast.Expr) else None
        exec(compile(module, "<timed exec>", "exec", self._flags), self.names, local)
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), "<timed eval>", "eval", self._flags), self.names, local)

    def _run(self, module: ast.Module, label: str) -> None:
        code = compile(module, label, "exec", self._flags, dont_inherit=True)
        if code.co_flags & inspect.CO_COROUTINE:
            self._loop = self._loop or asyncio.new_event_loop()
            self._loop.run_until_complete(eval(code, self.names))
        else:
            exec(code, self.names)


def _futures(module: ast.Module) -> int:
    """Compiler flags of the `from __future__` lines of a cell; they hold for the cells after it, too."""
    import __future__

    names = [a.name for n in module.body if isinstance(n, ast.ImportFrom) and n.module == "__future__" for a in n.names]
    return sum(getattr(__future__, name).compiler_flag for name in set(names) if hasattr(__future__, name))


def _standins(session: Session) -> dict[str, Any]:
    """The names that a kernel, or the notebook's first cell, puts at a cell's hand."""
    absent = NotInGrading()
    course = dict.fromkeys(COURSE_CALLS, absent)
    module = types.ModuleType("dojo.notebook", "Stands in for the course's own calls.")
    vars(module).update(course)
    sys.modules["dojo.notebook"] = sys.modules["dojo"].notebook = module
    shell = Shell(session)

    def get_ipython() -> Shell:
        return shell

    def display(*objects: Any, **_: Any) -> None:
        for shown in objects:
            print(repr(shown))

    def given(prompt: object = "") -> str:
        return ""

    def leave(*_: object) -> None:
        return None

    kernel = {"get_ipython": get_ipython, "display": display, "input": given, "exit": leave, "quit": leave}
    history = {"In": [""], "Out": {}, "_": "", "__": "", "___": ""}
    return {**course, "shop": absent, **kernel, **history}
