"""The task model: what is handed in, how it is tried, and the opposition every task ships with itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dojo.judge.work import Work


class NotYet(Exception):
    """Raised by a check whose expectation was not met; its fields become the verdict.

    said: one sentence to the learner; cause: key of the named mistake ("" when none was recognised).
    """

    def __init__(self, said: str, *, cause: str = "", tried: str = "", expected: Any = "", got: Any = "", look: str = ""):
        super().__init__(said)
        self.said, self.cause, self.tried, self.look = said, cause, tried, look
        self.expected, self.got = expected, got


@dataclass(frozen=True)
class Deliverable:
    """One thing handed in: a `function` or `value` by its name, or a `file` by its path in the workspace."""

    kind: str
    name: str


def function(name: str) -> Deliverable:
    """A function the learner defines in the answer cell."""
    return Deliverable("function", name)


def value(name: str) -> Deliverable:
    """A variable the learner sets in the answer cell."""
    return Deliverable("value", name)


def file(path: str) -> Deliverable:
    """A file of the workspace, written by a %%workfile cell or in the editor. The path is relative to the workspace."""
    return Deliverable("file", path)


@dataclass(frozen=True)
class Check:
    """One expectation.

    name: what is expected, as a short sentence; judge(work, data): returns what to say on success (or None) and raises
    NotYet otherwise; expected(data): the value that must differ between the judge's data sets, so that no constant can
    pass (None where the check judges behaviour on several inputs at once).
    """

    name: str
    judge: Callable[[Work, Any], str | None]
    expected: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Attempt:
    """A prepared answer: what it is, its text (a cell, or a dict of workspace files), and the cause it must be refused for."""

    name: str
    answer: str | dict[str, str]
    cause: str = ""


def wrong(name: str, answer: str | dict[str, str], cause: str) -> Attempt:
    """A mistake people really make; selftest demands that it is refused, and for this cause."""
    return Attempt(name, answer, cause)


def right(name: str, answer: str | dict[str, str]) -> Attempt:
    """A right answer unlike the reference; selftest demands that it is accepted."""
    return Attempt(name, answer)


@dataclass(frozen=True)
class Task:
    """One piece of real work with one deliverable (sometimes two that belong together).

    id: "NN.k"; minutes: a learner's time; points: at most this many; data(seed): what the judge tries the work against
    (inputs and expectations, built by the judge only); seeds: the judge's data sets, at least two; limits: seconds one
    data set may take; needs: tools without which the task cannot be checked here; hints: a nudge, a direction, nearly
    the answer; spared: fragments of mutants known to be equivalent, each with its reason; mutants: how many of the
    solution's mutants selftest tries at most, fewer where a try costs seconds.
    """

    id: str
    title: str
    minutes: int
    points: int
    deliver: tuple[Deliverable, ...]
    data: Callable[[int], Any]
    checks: tuple[Check, ...]
    hints: tuple[str, str, str]
    wrong: tuple[Attempt, ...]
    right: tuple[Attempt, ...]
    seeds: tuple[int, ...] = (11, 29)
    seconds: float = 20.0
    needs: tuple[str, ...] = ()
    spared: dict[str, str] = field(default_factory=dict)
    mutants: int = 40

    @property
    def module(self) -> str:
        """The module's number, for example "03" or "i01"."""
        return self.id.split(".")[0]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the files handed in."""
        return tuple(d.name for d in self.deliver if d.kind == "file")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the functions and values handed in."""
        return tuple(d.name for d in self.deliver if d.kind != "file")
