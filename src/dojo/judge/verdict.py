"""What a check says of a learner's work: one verdict, five outcomes, always with the learner's own values in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from dojo.judge.visible import visible


class Outcome(StrEnum):
    """The five things that can be said of a check; they are never mixed.

    NOT_JUDGED: a check that it builds on has not passed, so nothing is said of it; NOT_CHECKABLE: for a reason of this
    machine or of the course, never of the learner.
    """

    PASSED = "passed"
    NOT_YET = "not yet"
    NOT_JUDGED = "not judged yet"
    NOT_ATTEMPTED = "not attempted"
    NOT_CHECKABLE = "cannot be checked here"


@dataclass(frozen=True)
class Verdict:
    """The result of one check.

    check: name of the check; outcome: see Outcome; said: one sentence in the second person;
    tried, expected, got: what was fed in, what was wanted, what the learner's work gave (short texts);
    cause: key of the named mistake, when it is recognised; look: where to look next; flaw: what is wrong with the verdict
    itself, for selftest ("" for a sound one).
    """

    check: str
    outcome: Outcome
    said: str = ""
    tried: str = ""
    expected: str = ""
    got: str = ""
    cause: str = ""
    look: str = ""
    flaw: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check was met."""
        return self.outcome is Outcome.PASSED


@dataclass(frozen=True)
class TaskReport:
    """All verdicts on one task. `points` are of `out_of`; `isolated` says whether the work ran in a sandbox."""

    task: str
    title: str
    verdicts: tuple[Verdict, ...]
    out_of: int
    transport: str = "kernel"
    isolated: bool | None = None
    printed: str = ""
    milliseconds: float = field(default=0.0, compare=False)

    @property
    def outcome(self) -> Outcome:
        """The task as a whole: passed when every check passed; else the first outcome that says the most."""
        outcomes = [v.outcome for v in self.verdicts]
        if all(o is Outcome.PASSED for o in outcomes):
            return Outcome.PASSED
        for outcome in (Outcome.NOT_YET, Outcome.NOT_CHECKABLE, Outcome.NOT_ATTEMPTED):
            if outcome in outcomes:
                return outcome
        return Outcome.NOT_ATTEMPTED

    @property
    def passed(self) -> bool:
        """Whether every check was met."""
        return self.outcome is Outcome.PASSED

    @property
    def regrade(self) -> bool:
        """Whether something could not be judged for a reason of the machine or of the course: to be tried again, not a 0."""
        return any(v.outcome is Outcome.NOT_CHECKABLE and v.cause in ("machine", "course") for v in self.verdicts)

    @property
    def points(self) -> float:
        """Points earned: each check weighs the same, rounded down to a tenth so that only all checks give all points."""
        met = sum(v.passed for v in self.verdicts)
        return int(10 * self.out_of * met / max(1, len(self.verdicts))) / 10

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, for machines."""
        return {
            "task": self.task,
            "title": self.title,
            "outcome": str(self.outcome),
            "points": self.points,
            "out_of": self.out_of,
            "transport": self.transport,
            "isolated": self.isolated,
            "printed": visible(self.printed),
            "regrade": self.regrade,
            "checks": [{k: visible(str(v)) for k, v in asdict(verdict).items() if k != "flaw"} for verdict in self.verdicts],
        }
