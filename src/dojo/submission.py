"""One uploaded exercise notebook, read without running it: which cells answer which task."""

from __future__ import annotations

import builtins
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from pathlib import Path

from dojo.authoring import without_markers
from dojo.judge import cells
from dojo.judge.cells import Reading, is_untouched
from dojo.judge.contract import Task
from dojo.judge.notebook_file import NotANotebook, code_cells

__all__ = ["Answer", "Cell", "NotANotebook", "Submission", "read"]


@dataclass(frozen=True)
class Cell:
    """A code cell of the submission: its position from 1, its source, the tasks it is tagged with."""

    number: int
    source: str
    tasks: tuple[str, ...]
    known: Reading | None = field(default=None, compare=False, repr=False)

    @cached_property
    def reading(self) -> Reading:
        """What the cell does with names."""
        return self.known or cells.read(self.source)


@dataclass(frozen=True)
class Answer:
    """What goes to the judge for one task: (label, source) cells to run first, files by path, and the other files around them."""

    cells: list[tuple[str, str]]
    files: dict[str, str]
    around: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Submission:
    """The code cells of one notebook and the module they belong to ("" when that cannot be told)."""

    cells: tuple[Cell, ...]
    module: str

    def answer(self, task: Task) -> Answer:
        """What the notebook hands in for a task.

        Each name is what Run All would leave it as: its last definition that is no stub. Cells that it needs come with it.
        """
        code = self._code(task)
        stubs_first = sorted(code, key=lambda c: (not self._is_stub(c, task), c.number))
        files = self._files(task)
        return Answer([(f"cell {c.number}", c.source) for c in stubs_first], files, self._around(files))

    def _around(self, files: dict[str, str]) -> dict[str, str]:
        """The last text, no stub, of every other file that the notebook writes: the repository that the files stand in."""
        found = {}
        for path, writing in self._writing.items():
            texts = [without_markers(c.reading.workfile[1]) for c in writing]
            worked = [text for text in texts if not is_untouched(path, text)]
            if worked and path not in files:
                found[path] = worked[-1]
        return found

    def _files(self, task: Task) -> dict[str, str]:
        """The last text of each file that is no stub; cells tagged with another task count where there is no other."""
        found = {}
        for path in task.files:
            texts = [(c, without_markers(c.reading.workfile[1])) for c in self._writing.get(path, ())]
            own = [text for c, text in texts if task.id in c.tasks or not c.tasks]
            every = [text for _, text in texts]
            worked = [text for text in own if not is_untouched(path, text)] or [
                t for t in every if not is_untouched(path, t)
            ]
            if worked or every:
                found[path] = (worked or own or every)[-1]
        return found

    def _code(self, task: Task) -> list[Cell]:
        """The cells to run, in no order."""
        checked = max((c.number for c in self.cells if task.id in c.reading.checks), default=inf)
        own = [c for c in self.cells if task.id in c.tasks and c.reading.workfile is None]
        chosen = {c.number: c for c in own}
        for name in task.names:
            cell = _definition(self._binding.get(name, []), name, checked)
            if cell is not None:
                chosen[cell.number] = cell
        end = max([checked if checked < inf else 0, *chosen]) if chosen else 0
        self._add_what_they_need(chosen, set(task.names), inf if checked == inf else end)
        return list(chosen.values())

    def _add_what_they_need(self, chosen: dict[int, Cell], settled: set[str], end: float) -> None:
        """Adds the cells that bind or change a name used here, and what these need in turn; each cell is looked at once."""
        todo = list(chosen.values())
        while todo:
            cell = todo.pop()
            for name in cell.reading.needed:
                if name in settled:
                    continue
                settled.add(name)
                binding = self._binding.get(name) or (self._stars if _may_be_starred(name) else [])
                above = [c for c in binding if c.number <= end] or binding
                last = max((c.number for c in above), default=0)
                changing = [c for c in self._changing.get(name, ()) if c.number <= max(end, last)]
                for other in [*above, *changing]:
                    if other.number not in chosen:
                        chosen[other.number] = other
                        todo.append(other)

    @staticmethod
    def _is_stub(cell: Cell, task: Task) -> bool:
        return any(cell.reading.bound.get(name) == "stub" for name in task.names)

    @cached_property
    def _binding(self) -> dict[str, list[Cell]]:
        return _by((c, c.reading.bound) for c in self.cells)

    @cached_property
    def _changing(self) -> dict[str, list[Cell]]:
        return _by((c, c.reading.changed) for c in self.cells)

    @cached_property
    def _writing(self) -> dict[str, list[Cell]]:
        return _by((c, [c.reading.workfile[0]]) for c in self.cells if c.reading.workfile)

    @cached_property
    def _stars(self) -> list[Cell]:
        return [c for c in self.cells if c.reading.star]


def _by(pairs: Iterable[tuple[Cell, Iterable[str]]]) -> dict[str, list[Cell]]:
    """The cells under each key, in the order of the notebook."""
    found: dict[str, list[Cell]] = {}
    for cell, keys in pairs:
        for key in keys:
            found.setdefault(key, []).append(cell)
    return found


def _may_be_starred(name: str) -> bool:
    """Whether a name that no cell binds can have come from a star import."""
    return name.isidentifier() and not hasattr(builtins, name)


def _definition(binding: list[Cell], name: str, checked: float) -> Cell | None:
    """The cell whose definition of a name counts: the last that is no stub.

    Below the last check of the task a variable of that name is a sheet of scratch paper, a function is an answer.
    """
    worked = [c for c in binding if c.reading.bound[name] != "stub"]
    whole = [c for c in worked if not c.reading.broken]
    meant = [c for c in whole if c.number <= checked or c.reading.bound[name] == "function"]
    ranked = meant or whole or worked or binding
    return ranked[-1] if ranked else None


def read(path: Path) -> Submission:
    """The submission in a file. NotANotebook for anything that is not a readable notebook."""
    made = tuple(Cell(c["number"], c["source"], tuple(c["tasks"]), Reading.of_json(c["reading"])) for c in code_cells(path))
    return Submission(made, _module_of(made))


def _module_of(made: tuple[Cell, ...]) -> str:
    """The module most answer cells are tagged with; where tags were lost, the one that is opened or checked most."""
    tagged = Counter(t.split(".")[0] for c in made for t in c.tasks)
    asked = Counter(m for c in made for m in re.findall(r"""(?:start|check)\(\s*["'](i?\d+)""", c.source))
    best = (tagged or asked).most_common(1)
    return best[0][0] if best else ""
