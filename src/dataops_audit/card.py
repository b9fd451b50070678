"""The maturity card: practices, levels, rules of evidence, and the score that findings give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

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
class Practice:
    """One practice of the card with what each of its five levels means."""

    key: str
    name: str
    module: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """The whole card; `levels_from` are the points at which levels 1 to 4 begin."""

    version: int
    practices: dict[str, Practice]
    rules: dict[str, Rule]
    levels_from: tuple[float, ...]


@dataclass(frozen=True)
class Scored:
    """A practice with its points, its level (0 to 4) and the findings that decided."""

    practice: Practice
    points: float
    level: int
    findings: tuple[Finding, ...]


@cache
def load() -> Card:
    """The card that lies beside this module."""
    data = yaml.safe_load(files("dataops_audit").joinpath("card.yaml").read_text(encoding="utf-8"))
    practices = {
        key: Practice(key, one["name"], one["module"], tuple(one["levels"])) for key, one in data["practices"].items()
    }
    rules = {}
    for key, one in data["rules"].items():
        rules[key] = Rule(key, **{"module": practices[one["practice"]].module, **one})
    return Card(data["version"], practices, rules, tuple(data["levels_from"]))


def score(findings: list[Finding]) -> list[Scored]:
    """Each practice with its points: every good rule counts once, every danger takes once, by its surest finding."""
    card = load()
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
        level = sum(points >= start for start in card.levels_from)
        scored.append(Scored(practice, points, level, tuple(ordered(mine))))
    return scored


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
