"""What is asked and how it is judged: one Python module a lesson, each with its MODULE (see dojo.judge.contract)."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache

from dojo.judge.contract import Module, Task


class UnknownTask(KeyError):
    """No such task or module; the message names the nearest ones."""

    def __str__(self) -> str:
        return str(self.args[0])


@cache
def _names() -> dict[str, str]:
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        head = entry.name.split("_")[0]
        if head[:1] in "mi" and head[1:].isdigit():
            found[head[1:] if head[0] == "m" else head] = entry.name
    return dict(sorted(found.items(), key=lambda item: (item[0][0] == "i", item[0])))


def module_keys() -> list[str]:
    """Keys of all modules that exist, lessons first: ["00", "03", "11", "i01"]."""
    return list(_names())


def module(key: str) -> Module:
    """A lesson or scenario by its key. UnknownTask names what exists."""
    try:
        return importlib.import_module(f"dojo.tasks.{_names()[key]}").MODULE
    except KeyError:
        raise UnknownTask(f"There is no module {key!r}. These exist: {', '.join(_names())}.") from None


def tasks_of(key: str) -> tuple[Task, ...]:
    """All tasks of a module in order."""
    return module(key).tasks


def get(task_id: str) -> Task:
    """A task by its id, for example "03.2". UnknownTask suggests the nearest ids."""
    key = str(task_id).split(".")[0]
    known = [t.id for k in ([key] if key in _names() else module_keys()) for t in tasks_of(k)]
    if key in _names():
        for task in tasks_of(key):
            if task.id == task_id:
                return task
    near = difflib.get_close_matches(str(task_id), known, n=3, cutoff=0.4) or known[:5]
    raise UnknownTask(f"There is no task {task_id!r}. Did you mean {', '.join(near)}?")
