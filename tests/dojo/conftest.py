"""A toy task that stands in for a module, so that the engine is tried on its own."""

from __future__ import annotations

import sys
import types

import pytest

from dojo import grading, tasks
from dojo.judge.contract import Check, Module, NotYet, Task, function, right, wrong
from dojo.judge.sandbox import Sandbox


def doubled_is_right(work, data):
    got = work.call("double", data)
    if got != 2 * data:
        raise NotYet("That is not twice the number.", cause="not-twice", tried=f"double({data})", expected=2 * data, got=got)
    return f"double({data}) is {got}"


TOY = Task(
    id="90.1",
    title="Twice",
    minutes=1,
    points=2,
    deliver=(function("double"),),
    data=lambda seed: seed,
    checks=(
        Check("doubles a number", doubled_is_right, expected=lambda d: 2 * d),
        Check("doubles zero", lambda w, d: None if w.call("double", 0) == 0 else ""),
    ),
    hints=("a", "b", "c"),
    wrong=(wrong("adds", "def double(n):\n    return n + 2", "not-twice"),),
    right=(right("shift", "def double(n):\n    return n << 1"), right("sum", "def double(n):\n    return sum([n, n])")),
    seconds=2.0,
)


@pytest.fixture
def toy(monkeypatch):
    """Module "90" with one task."""
    module = types.ModuleType("dojo.tasks.m90_toy")
    module.MODULE = Module("90", "90-toy", "Toy", (TOY,))
    monkeypatch.setitem(sys.modules, "dojo.tasks.m90_toy", module)
    monkeypatch.setattr(tasks, "_names", lambda: {"90": "m90_toy"})
    return TOY


@pytest.fixture(scope="session")
def sandbox():
    """One warm judging process for the tests."""
    with Sandbox() as box:
        yield box


@pytest.fixture
def dojo_home(tmp_path, monkeypatch):
    """A learner's folder of its own."""
    monkeypatch.setenv("DOJO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def quiet_machine(monkeypatch):
    """What a loaded machine earns (a regrade, no verdict) does not decide a test about verdicts."""
    monkeypatch.setattr(grading, "_busy", lambda since: False)
