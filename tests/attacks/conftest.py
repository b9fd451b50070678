"""A small task to attack, and the grader as it stands."""

from __future__ import annotations

import sys
import types

import pytest

from dojo import tasks
from dojo.grading import grade_answer
from dojo.judge.contract import Check, Module, NotYet, Task, function, right, wrong
from dojo.judge.sandbox import Sandbox
from dojo.submission import Answer

RIGHT = "def double(n):\n    return 2 * n"


def doubled(work, number):
    got = work.call("double", number)
    if got != 2 * number:
        raise NotYet(
            "That is not twice the number.", cause="not-twice", tried=f"double({number})", expected=2 * number, got=got
        )
    return f"double({number}) is {got}"


TOY = Task(
    id="90.1",
    title="Twice",
    minutes=1,
    points=2,
    deliver=(function("double"),),
    data=lambda seed: seed,
    checks=(Check("doubles a number", doubled, expected=lambda n: 2 * n),),
    hints=("a", "b", "c"),
    wrong=(wrong("adds", "def double(n):\n    return n + 2", "not-twice"),),
    right=(right("shift", "def double(n):\n    return n << 1"), right("sum", "def double(n):\n    return sum([n, n])")),
    seconds=2.0,
)


@pytest.fixture(scope="session")
def sandbox():
    """One warm judging process."""
    with Sandbox() as box:
        yield box


@pytest.fixture
def attacked(sandbox):
    """attacked(source or files, task): the report on an answer to the small task, or to a task by its id."""

    def judged(handed_in, task=TOY, then=True):
        task = tasks.get(task) if isinstance(task, str) else task
        files = handed_in if isinstance(handed_in, dict) else {}
        report = grade_answer(task, Answer([("cell 1", handed_in)] if not files else [], files), sandbox)
        if then:
            after = grade_answer(TOY, Answer([("cell 1", RIGHT)], {}), sandbox)
            assert after.passed, f"the next answer must not pay for it: {after}"
        return report

    return judged


@pytest.fixture
def small_task():
    """The small task itself."""
    return TOY


@pytest.fixture
def toy(monkeypatch):
    """The small task as module 90 of the course."""
    module = types.ModuleType("dojo.tasks.m90_toy")
    module.MODULE = Module("90", "90-toy", "Toy", (TOY,))
    monkeypatch.setitem(sys.modules, "dojo.tasks.m90_toy", module)
    monkeypatch.setattr(tasks, "_names", lambda: {"90": "m90_toy"})
    return TOY
