"""The course as the book sees it: lessons and scenarios with their minutes, tasks and code, read from the files themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from dojo import tasks
from dojo.judge.contract import Task
from dojo.places import COURSE


@dataclass(frozen=True)
class Module:
    """One lesson or interview scenario: a notebook, its exercise and its solution, and the tasks between them."""

    key: str
    stem: str
    lesson: nbformat.NotebookNode
    exercise: nbformat.NotebookNode | None
    solved: nbformat.NotebookNode | None
    tasks: tuple[Task, ...] = field(repr=False)

    @property
    def front(self) -> dict:
        """The lesson's front matter: title, question, summary, objectives, needs, minutes_read, minutes_do."""
        return self.lesson.metadata.get("dojo", {})

    @property
    def title(self) -> str:
        """The lesson's title."""
        return str(self.front["title"])

    @property
    def name(self) -> str:
        """A short name to refer to it by: the title up to its colon, without "Scenario i01"."""
        first, _, rest = self.title.partition(":")
        rest = rest.strip()
        return rest[0].upper() + rest[1:] if first.lower().startswith("scenario") and rest else first

    @property
    def is_scenario(self) -> bool:
        """Whether it is an interview scenario."""
        return self.key.startswith("i")

    @property
    def number(self) -> str:
        """What the text calls it: "Module 03", "Scenario i01"."""
        return f"{'Scenario' if self.is_scenario else 'Module'} {self.key}"

    @property
    def minutes_lesson(self) -> int:
        """Minutes of the lesson: reading, and doing what it asks on the way. A scenario's doing is its tasks."""
        doing = 0 if self.is_scenario else int(self.front["minutes_do"])
        return int(self.front["minutes_read"]) + doing

    @property
    def minutes_brief(self) -> int:
        """Minutes to read the exercise."""
        return int(self.exercise.metadata.get("dojo", {}).get("minutes_read", 0)) if self.exercise else 0

    @property
    def minutes_tasks(self) -> int:
        """Minutes of the exercise's tasks."""
        return sum(task.minutes for task in self.tasks)

    @property
    def minutes(self) -> int:
        """Minutes of the whole."""
        return self.minutes_lesson + self.minutes_brief + self.minutes_tasks

    @property
    def points(self) -> int:
        """Points the exercise gives at most."""
        return sum(task.points for task in self.tasks)

    @cached_property
    def code(self) -> str:
        """All code of lesson, exercise and solution with what it printed, as one text."""
        return "\n".join(_code(book) for book in (self.lesson, self.exercise, self.solved) if book)

    @cached_property
    def prose(self) -> str:
        """All prose of lesson and exercise, as one text."""
        return "\n".join(_prose(book) for book in (self.lesson, self.exercise) if book)


def modules() -> list[Module]:
    """All modules that have a lesson in notebooks/, lessons first, then scenarios."""
    keys = tasks.module_keys()
    found = []
    for path in sorted((COURSE / "notebooks").glob("*.ipynb"), key=lambda p: (p.name.startswith("i"), p.name)):
        key = path.stem.split("-")[0]
        asked = tasks.tasks_of(key) if key in keys else ()
        found.append(Module(key, path.stem, _read(path), _beside(path, "exercises"), _beside(path, "solutions"), asked))
    return found


def _beside(lesson: Path, folder: str) -> nbformat.NotebookNode | None:
    path = COURSE / folder / lesson.name
    return _read(path) if path.exists() else None


def _read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def _code(notebook: nbformat.NotebookNode) -> str:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    printed = [str(o.get("text", "")) for cell in cells for o in cell.get("outputs", [])]
    return "\n".join([cell.source for cell in cells] + printed)


def _prose(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def hours(minutes: int) -> str:
    """Minutes as people say them: "55 min", "1 h 35 min", "14 h"."""
    whole, rest = divmod(minutes, 60)
    return " ".join(part for part in (f"{whole} h" if whole else "", f"{rest} min" if rest or not whole else "") if part)
