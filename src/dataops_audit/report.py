"""The report on a tree: made from every reader, told as text, JSON and one page of HTML."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataops_audit import card, judge, linters, printable
from dataops_audit.card import Scored
from dataops_audit.findings import CheckRun, Finding, Seen
from dataops_audit.tree import NothingToAudit, Tree, plant

VERSION = 1
MOST_OF_A_RULE = {"danger": 25, "gap": 8, "good": 3}
"""Findings of one rule that are told, by kind; the rest is counted."""
MOST_SKIPPED = 500


@dataclass
class Report:
    """What an audit found. `score` is out of 100."""

    name: str
    kind: str
    files: int
    scored: list[Scored]
    checks: list[CheckRun]
    at_hand: list[str]
    missing: list[str]
    skipped: list[tuple[str, str]]
    more: dict[str, int] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The points of all practices, out of 100."""
        return round(sum(one.points for one in self.scored), 1)

    @property
    def findings(self) -> list[Finding]:
        """All findings in the card's order of practices, dangers first in each."""
        return [finding for one in self.scored for finding in one.findings]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values; the schema is stable for one `version`."""
        return {
            "version": VERSION,
            "name": self.name,
            "kind": self.kind,
            "files": self.files,
            "score": self.score,
            "out_of": card.OUT_OF * len(self.scored),
            "practices": [
                {
                    "key": one.practice.key,
                    "name": one.practice.name,
                    "level": one.level,
                    "meaning": one.meaning,
                    "points": one.points,
                    "out_of": card.OUT_OF,
                    "findings": [_finding(finding) for finding in one.findings],
                }
                for one in self.scored
            ],
            "first": [_finding(one) for one in card.first_fixes(self.findings)],
            "checks": [_check(one) for one in self.checks],
            "more": self.more,
            "tools": {"at_hand": self.at_hand, "missing": self.missing},
            "skipped": [{"file": path, "why": why} for path, why in self.skipped[:MOST_SKIPPED]],
            "skipped_count": len(self.skipped),
        }

    def json(self) -> str:
        """The report as JSON."""
        return printable.in_json(json.dumps(self.as_dict(), indent=2, ensure_ascii=False))

    def text(self) -> str:
        """The report for a terminal."""
        return as_text(self)

    def html(self) -> str:
        """The report as one page that needs nothing else."""
        from dataops_audit import page

        return page.made(self)


def _finding(one: Finding) -> dict[str, Any]:
    rule = card.load().rules[one.rule]
    told = {
        "practice": rule.practice,
        "kind": rule.kind,
        "rule": one.rule,
        "file": one.file,
        "line": one.line,
        "what": one.what,
    }
    told |= {"why": rule.why, "module": rule.module, "sureness": one.sure}
    return {**told, "cure": rule.cure, "risk": rule.risk} if rule.cure else told


def _check(one: CheckRun) -> dict[str, Any]:
    return {
        "system": one.system,
        "file": one.file,
        "line": one.line,
        "job": one.job,
        "command": one.executed.text,
        "tool": one.tool,
        "kind": one.kind,
        "written_in": one.executed.file,
        "written_line": one.executed.line,
        "blocks": one.blocks,
        "why_not": one.mask or ("" if one.guards else one.unguarded),
    }


def _readers() -> list[Callable[[Tree, Seen], None]]:
    from dataops_audit import containers, dags, dbt, documents, environment, secrets, suites, terraform, versioning

    return [
        versioning.read,
        dbt.read,
        suites.read,
        judge.integration,
        environment.read,
        terraform.read,
        containers.read,
        dags.read,
        documents.read,
        secrets.read,
    ]


def make(path: str | Path, run: bool = False) -> Report:
    """Audits what is at a path."""
    tree = plant(path)
    seen = Seen()
    with linters.Bench(tree) as bench:
        bench.start(tree)
        for reader in _readers():
            _guarded(reader, tree, seen)
        bench.collect(seen)
        if run:
            bench.run(tree, seen)
    _guarded(judge.what_is_missing, tree, seen)
    if tree.git and tree.git.hung:
        asked = ", ".join(sorted({f"git {one}" for one in tree.git.hung}))
        raise NothingToAudit(f"{tree.name} is not scored: {asked} gave no answer. Try again when the disk is not busy.")
    findings, more = _thinned(_once(seen.findings))
    skipped = [*tree.skipped, *seen.skipped]
    return Report(
        tree.name,
        tree.kind,
        len(tree.entries),
        card.score(findings),
        seen.checks,
        bench.at_hand,
        bench.missing,
        skipped,
        more,
    )


def _guarded(reader: Callable[[Tree, Seen], None], tree: Tree, seen: Seen) -> None:
    """One reader's stumble must not cost the others their findings; it is told among what was skipped."""
    try:
        reader(tree, seen)
    except (Exception, RecursionError) as error:
        part = reader.__module__.rsplit(".", 1)[-1]
        seen.skipped.append((f"({part})", f"this reader stopped early: {type(error).__name__}"))
        seen.stumbles.append(error)


def _once(findings: list[Finding]) -> list[Finding]:
    kept: dict[tuple[str, str, int], Finding] = {}
    for one in findings:
        kept.setdefault((one.rule, one.file, one.line), one)
    return list(kept.values())


def _thinned(findings: list[Finding]) -> tuple[list[Finding], dict[str, int]]:
    """The surest findings of each rule, and how many more there were."""
    rules = card.load().rules
    kept: list[Finding] = []
    more: dict[str, int] = {}
    counts: dict[str, int] = {}
    for one in card.ordered(findings):
        counts[one.rule] = counts.get(one.rule, 0) + 1
        if counts[one.rule] <= MOST_OF_A_RULE[rules[one.rule].kind]:
            kept.append(one)
        else:
            more[one.rule] = more.get(one.rule, 0) + 1
    return kept, more


_SIGNS = {"danger": "DANGER", "gap": "gap", "good": "good"}


def as_text(report: Report) -> str:
    """A plain table of practices, what to do first, and the findings of each practice."""
    rules = card.load().rules
    rows = [
        f"{printable.one_line(report.name)}: {report.score:g} of {card.OUT_OF * len(report.scored):g} points, "
        f"{report.files:,} files ({report.kind})",
        "",
    ]
    rows.append(f"{'practice':34} level  points  what that level means")
    for one in report.scored:
        dangers = sum(card.kind_of(finding) == "danger" for finding in one.findings)
        note = f"  [{dangers} danger{'s' * (dangers > 1)}]" if dangers else ""
        rows.append(f"{one.practice.name:34} {one.level} of 4  {one.points:4.1f}    {one.meaning}{note}")
    fixes = card.first_fixes(report.findings)
    if fixes:
        rows += ["", "Do this first"]
        for place, one in enumerate(fixes, 1):
            rule = rules[one.rule]
            rows += _wrapped(f"{place}. {_where(one)} {one.what}.", 3) + _wrapped(
                f"   {rule.cure} (module {rule.module})", 3
            )
    for one in report.scored:
        if not one.findings:
            continue
        rows += ["", f"{one.practice.name} ({one.points:g} of {card.OUT_OF:g})", *_held_back(one)]
        for finding in one.findings:
            rule = rules[finding.rule]
            sure = "" if finding.sure == "certain" else f" [{finding.sure}]"
            rows += _wrapped(f"  {_SIGNS[card.kind_of(finding)]:6} {_where(finding)} {finding.what}.{sure}", 9)
            if rule.kind != "good":
                rows += _wrapped(f"         {rule.why} Module {rule.module}.", 9)
    told = [f"{count} of {rule}" for rule, count in report.more.items() if rules[rule].kind != "good"]
    rows += ["", "More of the same: " + ", ".join(told)] if told else []
    rows += [
        "",
        "Tools at hand: "
        + (", ".join(report.at_hand) or "none")
        + ("; missing: " + ", ".join(report.missing) if report.missing else ""),
    ]
    if report.skipped:
        rows.append(f"Not looked at: {len(report.skipped)}")
        rows += [f"  {printable.one_line(path)}: {why}" for path, why in report.skipped[:10]]
        rows += (
            [f"  ... and {len(report.skipped) - 10} more (--json tells {MOST_SKIPPED})"] if len(report.skipped) > 10 else []
        )
    return printable.shown("\n".join(row.rstrip() for row in rows))


def _held_back(one: Scored) -> list[str]:
    """Why a practice has points for a level that it is not given."""
    if not one.lacking:
        return []
    return _wrapped(
        f"  It has the points of level {one.reached}. Level {one.level + 1} also asks for: {'; '.join(one.lacking)}.", 2
    )


def _where(one: Finding) -> str:
    return f"{printable.one_line(one.file)}:{one.line}" if one.file != "." else "(whole)"


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(text, 118, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False) or [text]
