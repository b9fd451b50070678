"""One uploaded exercise notebook, read without running it: which cells answer which task."""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

from dojo.authoring import without_markers
from dojo.judge.contract import Task

MAX_BYTES = 50 * 1024 * 1024


class NotANotebook(ValueError):
    """The file cannot be judged; the message says what it is and what to hand in instead."""


@dataclass(frozen=True)
class Cell:
    """A code cell of the submission: its position from 1, its source, the tasks it is tagged with."""

    number: int
    source: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Submission:
    """The code cells of one notebook and the module they belong to ("" when that cannot be told)."""

    cells: tuple[Cell, ...]
    module: str

    def answer(self, task: Task) -> Answer:
        """What the notebook hands in for a task: tagged cells, or, where tags were lost, the cells that define its names."""
        own = [c for c in self.cells if task.id in c.tasks]
        files = {path: text for c in own or self.cells for path, text in _file_of(c.source).items() if path in task.files}
        if task.files and len(files) < len(task.files):
            files = {p: t for c in self.cells for p, t in _file_of(c.source).items() if p in task.files} | files
        code = [c for c in own if not _file_of(c.source)]
        defined = set().union(*(_bound(c.source) for c in code)) if code else set()
        for name in task.names:
            if name not in defined:
                code += [c for c in self.cells if name in _bound(c.source) and c not in code]
        needed = self._with_what_they_need(code)
        around = {path: text for c in self.cells for path, text in _file_of(c.source).items() if path not in files}
        return Answer([(f"cell {c.number}", _plain_python(c.source)) for c in needed], files, around)

    def _with_what_they_need(self, code: list[Cell]) -> list[Cell]:
        """Adds the other cells that define a name used here, and theirs in turn; notebook order is kept."""
        chosen = {c.number: c for c in code}
        todo = list(code)
        while todo:
            cell = todo.pop()
            for name in _free(cell.source):
                if any(name in _bound(c.source) for c in chosen.values()):
                    continue
                for other in self.cells:
                    if other.number not in chosen and name in _bound(other.source) and not _calls_course(other.source):
                        chosen[other.number] = other
                        todo.append(other)
        return [chosen[n] for n in sorted(chosen)]


@dataclass(frozen=True)
class Answer:
    """What goes to the judge for one task: (label, source) cells to run first, files by path, and the other files around them."""

    cells: list[tuple[str, str]]
    files: dict[str, str]
    around: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> Submission:
    """The submission in a file. NotANotebook for anything that is not a readable notebook."""
    if not path.is_file():
        raise NotANotebook(f"There is no file {path.name}. Give the path of an exercise notebook (.ipynb).")
    if path.stat().st_size > MAX_BYTES:
        raise NotANotebook(
            f"{path.name} is larger than 50 MB. Clear its outputs (Kernel → Restart and Clear) and save it again."
        )
    if path.stat().st_size == 0:
        raise NotANotebook(f"{path.name} is empty. Save the exercise notebook again and hand that in.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        notebook = nbformat.reads(text, as_version=4)
        cells = [c for c in notebook.cells if c.cell_type == "code"]
    except Exception as error:
        raise NotANotebook(
            f"{path.name} is not a notebook that Jupyter could open ({type(error).__name__}). "
            "Open the exercise in JupyterLab, save it (Ctrl+S) and hand in the .ipynb file."
        ) from None
    made = tuple(
        Cell(n, "".join(c.source), tuple(t[5:] for t in c.metadata.get("tags", []) if str(t).startswith("task-")))
        for n, c in enumerate(cells, 1)
    )
    return Submission(made, _module_of(made))


def _module_of(cells: tuple[Cell, ...]) -> str:
    tagged = Counter(t.split(".")[0] for c in cells for t in c.tasks)
    asked = Counter(m for c in cells for m in re.findall(r"""(?:start|check)\(\s*["'](i?\d+)""", c.source))
    best = (tagged or asked).most_common(1)
    return best[0][0] if best else ""


def _file_of(source: str) -> dict[str, str]:
    """{path: text} of a %%workfile cell, else {}."""
    lines = source.lstrip("\n").splitlines()
    if not lines or not lines[0].startswith("%%workfile"):
        return {}
    return {lines[0].removeprefix("%%workfile").strip(): without_markers("\n".join(lines[1:]))}


def _plain_python(source: str) -> str:
    """The source with notebook magics and shell lines commented out; line numbers stay."""
    return "\n".join(f"pass  # {line}" if line.lstrip()[:1] in ("%", "!") else line for line in source.splitlines())


def _tree(source: str) -> ast.Module | None:
    try:
        return ast.parse(_plain_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound(source: str) -> set[str]:
    """Names a cell defines at top level. For a cell that does not parse: those its `def`, `class` and `=` lines name."""
    if _file_of(source):
        return set()
    tree = _tree(source)
    if tree is None:
        return {a or b for a, b in re.findall(r"^(?:def|class)\s+(\w+)|^(\w+)\s*=", source, re.M)}
    names: set[str] = set()
    for node in (
        ast.walk(tree) if any(isinstance(n, ast.If | ast.Try | ast.With | ast.For) for n in tree.body) else tree.body
    ):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return names


def _free(source: str) -> set[str]:
    """Names a cell reads anywhere and does not define at top level itself."""
    tree = _tree(source)
    if tree is None:
        return set()
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return read - _bound(source) - set(dir(builtins))


def _calls_course(source: str) -> bool:
    """Whether a cell belongs to the notebook's own course (it opens the workspace or checks), not to an answer."""
    tree = _tree(source)
    calls = (n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)) if tree else ()
    return any(name in ("start", "check", "hint", "solution", "progress", "predict", "compare", "quiz") for name in calls)
