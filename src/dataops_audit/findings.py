"""What every reader reports: a rule of the card seen at a place, and a check seen in a CI system."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from dataops_audit import printable
from dataops_audit.delegation import Executed

SURENESS = ("certain", "likely", "possible")


@dataclass(frozen=True)
class Finding:
    """A rule of the card, seen in a file at a line (from 1), in one sentence; the card knows the rest."""

    rule: str
    file: str
    line: int
    what: str
    sure: str = "certain"


@dataclass(frozen=True)
class CheckRun:
    """A check in a CI system: whether its failure stops a change, and if not, why."""

    system: str
    file: str
    line: int
    job: str
    executed: Executed
    mask: str | None = None
    sure: str = "certain"
    guards: bool = True
    unguarded: str = ""

    @property
    def tool(self) -> str:
        """The tool that checks."""
        return self.executed.check.tool if self.executed.check else self.executed.words[0]

    @property
    def kind(self) -> str:
        """The kind of check."""
        return self.executed.check.kind if self.executed.check else ""

    @property
    def blocks(self) -> bool:
        """Whether a failure stops the change before it is merged."""
        return self.mask is None and self.guards


@dataclass
class Seen:
    """Everything the readers found: findings, checks, and names of the CI systems with a readable configuration.

    `searched` counts the files in which secrets were looked for.
    """

    findings: list[Finding] = field(default_factory=list)
    checks: list[CheckRun] = field(default_factory=list)
    systems: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    stumbles: list[BaseException] = field(default_factory=list)
    searched: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, rule: str, file: str, line: int, what: str, sure: str = "certain") -> None:
        """Notes a finding; what it quotes of a file holds no command for a terminal."""
        self.findings.append(Finding(rule, file, max(1, int(line or 1)), printable.one_line(what), sure))
        self.counts[rule] += 1

    def has(self, *rules: str) -> bool:
        """Whether any of the rules was seen."""
        return any(self.counts[rule] for rule in rules)
