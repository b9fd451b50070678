"""What follows an interview scenario: its debriefing, read from the solutions notebook, once a task has been tried."""

from __future__ import annotations

from typing import Any

import nbformat

from dojo import tasks
from dojo.feedback import Note
from dojo.places import COURSE
from dojo.record import Progress

TAG = "debrief"


class NoDebriefing(LookupError):
    """A module without a debriefing; the message names those that have one."""


class Debriefing:
    """The debriefing of a scenario: Markdown in a notebook, the same text in a terminal."""

    def __init__(self, text: str):
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        return self.text


def debriefing(key: str, progress: Progress) -> Debriefing | Note:
    """A scenario's debriefing, or a note on what opens it. NoDebriefing for a module that has none."""
    module = tasks.module(key)
    scenarios = [key for key in tasks.module_keys() if key.startswith("i")]
    if key not in scenarios:
        raise NoDebriefing(f"Module {key} has no debriefing; the interview scenarios have one: {', '.join(scenarios)}.")
    if not any(progress.attempted(task.id) for task in module.tasks):
        return Note(
            f"The debriefing of {key} opens when you have tried one of its tasks: run a `check` in exercises/{module.stem}.ipynb."
        )
    cells = nbformat.read(COURSE / "solutions" / f"{module.stem}.ipynb", as_version=4).cells
    return Debriefing("\n\n".join(_shown(cell) for cell in cells if TAG in cell.metadata.get("tags", [])))


def _shown(cell: Any) -> str:
    """A cell as Markdown: prose as it is, code with what it printed."""
    if cell.cell_type == "markdown":
        return cell.source
    printed = "".join(str(o.get("text") or o.get("data", {}).get("text/plain", "")) for o in cell.outputs).rstrip()
    return f"```python\n{cell.source}\n```" + (f"\n\n```text\n{printed}\n```" if printed else "")
