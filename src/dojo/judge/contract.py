"""The contract of judging: what a module holds, what is handed in, how it is tried, and the opposition a task ships with."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
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
    pass (None where the check judges behaviour on several inputs at once); after: names of the checks it builds on, which
    must have passed before it is judged. None means every check before it; () is for a check that stands alone and that
    no constant passes.
    """

    name: str
    judge: Callable[[Work, Any], str | None]
    expected: Callable[[Any], Any] | None = None
    after: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attempt:
    """A prepared answer.

    name: what it is; answer: its text (a cell, or a dict of workspace files, "cell" for a cell beside them); cause: what it
    must be refused for; also: every other cause that one of its verdicts may give; decided_by: the run that refuses it,
    where a task makes many runs (selftest then makes the good run and this one).
    """

    name: str
    answer: str | dict[str, str]
    cause: str = ""
    also: tuple[str, ...] = ()
    decided_by: str = ""


def wrong(name: str, answer: str | dict[str, str], cause: str, *also: str, decided_by: str = "") -> Attempt:
    """A mistake people really make. selftest demands that it is refused for `cause` and for nothing that is not declared."""
    return Attempt(name, answer, cause, also, decided_by)


def edited(text: str, *changes: tuple[str, str]) -> str:
    """A reference with each (old, new) changed everywhere, for attempts that differ in that alone.

    ValueError where old is not there.
    """
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the reference")
        text = text.replace(old, new)
    return text


def right(name: str, answer: str | dict[str, str]) -> Attempt:
    """A right answer unlike the reference; selftest demands that it is accepted."""
    return Attempt(name, answer)


SEEDS = (11, 28)
"""The data sets that a learner's own `check` uses. Their small companies end on different days (see tasks.samples)."""


@dataclass(frozen=True)
class Task:
    """One piece of real work with one deliverable (sometimes two that belong together).

    id: "NN.k"; minutes: a learner's time; points: at most this many; data(seed): what the judge tries the work against
    (inputs and expectations, built by the judge only), for any seed from 1 to 99,999; seeds: the data sets of a learner's
    own check, at least two; seconds: how long one request may take; needs: tools without which the task cannot be checked
    here; hints: a nudge, a direction, nearly the answer; clauses: the conditions its text sets, word for word as they stand
    there, each with the name of the wrong answer that breaks it and nothing else; executes: whether its checks run real
    tools, so that each try costs seconds; replays: whether a process remembers what its tools did to the same files, so that
    selftest tries its many answers as a notebook does and only some of them in the grader, where each begins with nothing;
    spared: fragments of mutants known to be equivalent, each with its reason; mutants: how many of the solution's mutants
    selftest tries at most, and never fewer than eight.
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
    clauses: dict[str, str] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    seconds: float = 20.0
    needs: tuple[str, ...] = ()
    executes: bool = False
    replays: bool = False
    spared: dict[str, str] = field(default_factory=dict)
    mutants: int = 40
    _made: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)

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

    def data_set(self, seed: int) -> Any:
        """What the work is tried against under a seed; the last few are kept, since every check asks for them."""
        if seed not in self._made:
            made = self.data(seed)
            while len(self._made) > 5:
                self._made.pop(next(iter(self._made)))
            self._made[seed] = made
        return self._made[seed]

    def premises(self, check: Check) -> tuple[str, ...]:
        """Names of the checks that must have passed before this one is judged."""
        if check.after is not None:
            return check.after
        names = [c.name for c in self.checks]
        return tuple(names[: names.index(check.name)])

    def official_seeds(self, secret: int) -> tuple[int, ...]:
        """The data sets of an official run, drawn from its secret, from 100 to 99,999.

        Each leaves the rest that its place in `seeds` leaves on division by 12: data sets that take turns between two, three
        or four variants do so in an official run as well.
        """
        dice = random.Random(f"{secret}/{self.id}")
        return tuple(seed % 12 + 12 * dice.randrange(9, 8_300) for seed in self.seeds)


@dataclass(frozen=True)
class Module:
    """One lesson or interview scenario as the course knows it.

    key: "03" or "i01"; stem: of its files, "03-data-tests"; title: as on the map; tasks: in order; prepare(root): makes the
    state it starts from (None: ShopFlow's usual sixty days); uses: tools that its first cell loads in the background.
    """

    key: str
    stem: str
    title: str
    tasks: tuple[Task, ...]
    prepare: Callable[[Path], None] | None = None
    uses: tuple[str, ...] = ()
