"""The maturity card: practices, levels, rules of evidence, and the score that findings give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from dataops_audit.findings import Finding

OUT_OF = 10.0
"""Points a practice is worth."""
WEIGHT = {"certain": 1.0, "likely": 0.7, "possible": 0.0}
"""How much of a danger's points a finding takes, by sureness."""
KINDS = ("danger", "gap", "good")


@dataclass(frozen=True)
class Rule:
    """One rule of evidence: the practice it speaks about, its kind, points, risk (1 to 5), reason, cure and module."""

    key: str
    practice: str
    kind: str
    why: str
    module: str
    points: float = 0.0
    risk: int = 0
    cure: str = ""


def kind_of(finding: Finding) -> str:
    """What a finding counts as: a danger that is only possible is something to look at, and so a gap."""
    kind = load().rules[finding.rule].kind
    return "gap" if kind == "danger" and finding.sure == "possible" else kind


@dataclass(frozen=True)
class Claim:
    """What has to be seen for a level: one rule of each group in `needs`, none in `denied_by`."""

    needs: tuple[tuple[str, ...], ...] = ()
    denied_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Practice:
    """One practice of the card: what each of its five levels says, and the evidence that saying so takes."""

    key: str
    name: str
    module: str
    levels: tuple[str, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Card:
    """The whole card; `levels_from` are the points that levels 1 to 4 ask for."""

    version: int
    practices: dict[str, Practice]
    rules: dict[str, Rule]
    levels_from: tuple[float, ...]


@dataclass(frozen=True)
class Scored:
    """A practice with its points, its level (0 to 4), what that level says here, and the findings that decided.

    `reached` is the level that the points alone would give; where it is higher, `lacking` says what the level above asks
    for: groups of rules that were not seen, and rules that refute it.
    """

    practice: Practice
    points: float
    reached: int
    level: int
    meaning: str
    lacking: tuple[str, ...]
    findings: tuple[Finding, ...]


@cache
def load() -> Card:
    """The card that lies beside this module."""
    data = yaml.safe_load(files("dataops_audit").joinpath("card.yaml").read_text(encoding="utf-8"))
    practices = {key: _practice(key, one) for key, one in data["practices"].items()}
    rules = {}
    for key, one in data["rules"].items():
        rules[key] = Rule(key, **{"module": practices[one["practice"]].module, **one})
    return Card(data["version"], practices, rules, tuple(data["levels_from"]))


def _practice(key: str, one: dict[str, Any]) -> Practice:
    claims = [Claim(tuple(map(tuple, level.get("needs", []))), tuple(level.get("denied_by", []))) for level in one["levels"]]
    return Practice(key, one["name"], one["module"], tuple(level["says"] for level in one["levels"]), tuple(claims))


def level_of(points: float) -> int:
    """The level that points alone reach: the number of thresholds they are not below."""
    return sum(points >= start for start in load().levels_from)


def score(findings: list[Finding]) -> list[Scored]:
    """Each practice with its points and its level.

    Every good rule counts once, every danger takes once, by its surest finding. The level is the highest whose points are
    there and whose claims, like those of all levels below it, rest on findings.
    """
    card = load()
    supporting = {one.rule for one in findings if one.sure != "possible"}
    present = {one.rule for one in findings}
    scored = []
    for practice in card.practices.values():
        mine = [one for one in findings if card.rules[one.rule].practice == practice.key]
        points = 0.0
        for key in {one.rule for one in mine}:
            rule = card.rules[key]
            weight = max(WEIGHT[one.sure] for one in mine if one.rule == key)
            if rule.kind == "good":
                points += rule.points
            elif rule.kind == "danger":
                points -= rule.points * weight
        points = round(min(max(points, 0.0), OUT_OF), 1)
        reached = level_of(points)
        level, lacking = _supported(practice, reached, supporting, present)
        meaning = practice.levels[level] if level else _at_the_bottom(practice, mine, present)
        scored.append(Scored(practice, points, reached, level, meaning, lacking, tuple(ordered(mine))))
    return scored


def _supported(practice: Practice, reached: int, supporting: set[str], present: set[str]) -> tuple[int, tuple[str, ...]]:
    """The highest level up to `reached` whose claims rest on findings, and what the next one lacks."""
    for level in range(1, reached + 1):
        claim = practice.claims[level]
        missing = [" or ".join(group) for group in claim.needs if not supporting.intersection(group)]
        refuted = [f"no {rule}" for rule in claim.denied_by if rule in present]
        if missing or refuted:
            return level - 1, (*missing, *refuted)
    return reached, ()


def _at_the_bottom(practice: Practice, mine: list[Finding], present: set[str]) -> str:
    """What level 0 says; where something was seen that it denies, what keeps the practice down instead."""
    if not present.intersection(practice.claims[0].denied_by):
        return practice.levels[0]
    if any(kind_of(one) == "danger" for one in mine):
        return "There is something to build on, but the dangers outweigh it."
    return "There is a beginning, too little for a level."


def ordered(findings: list[Finding]) -> list[Finding]:
    """Dangers first, then gaps, then what is good; the riskiest and surest first among each."""
    rules = load().rules
    sureness = list(WEIGHT)
    return sorted(
        findings,
        key=lambda one: (
            KINDS.index(kind_of(one)),
            -rules[one.rule].risk,
            sureness.index(one.sure),
            one.rule,
            one.file,
            one.line,
        ),
    )


def first_fixes(findings: list[Finding], most: int = 5) -> list[Finding]:
    """What to do first: the surest finding of each rule that has a cure, by risk."""
    rules = load().rules
    sureness = list(WEIGHT)
    best: dict[str, Finding] = {}
    for one in ordered(findings):
        if rules[one.rule].cure and rules[one.rule].kind != "good" and one.sure != "possible":
            best.setdefault(one.rule, one)
    chosen = sorted(
        best.values(),
        key=lambda one: (-rules[one.rule].risk, KINDS.index(rules[one.rule].kind), sureness.index(one.sure), one.rule),
    )
    return chosen[:most]
