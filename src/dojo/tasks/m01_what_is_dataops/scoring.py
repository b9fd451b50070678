"""Tasks 01.3 and 01.4: levels of maturity from evidence, by the card's rules; and which gap to close first."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from dataops_audit import card
from dataops_audit.findings import Finding
from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, repeated, texts, whole_number

# ---------------------------------------------------------------- 01.3

Evidence = list[dict[str, str]]


@dataclass(frozen=True)
class Cards:
    """The card as plain data, named bodies of evidence, and the levels that their points reach by the audit's own arithmetic."""

    card: dict[str, Any]
    edges: dict[str, Any]
    bodies: dict[str, Evidence]
    levels: dict[str, dict[str, int]]


def plain_card() -> dict[str, Any]:
    """The maturity card as a function gets it: practices, thresholds, and each rule's practice, kind and points."""
    found = card.load()
    return {
        "practices": list(found.practices),
        "levels_from": list(found.levels_from),
        "rules": {key: {"practice": r.practice, "kind": r.kind, "points": r.points} for key, r in found.rules.items()},
    }


def cards(seed: int) -> Cards:
    """Evidence made to stand on the edges of the rules, and evidence drawn by chance."""
    chance = random.Random(seed)
    day = f"{seed % 9 + 1}"
    seen = lambda *rules, sure="certain": [{"rule": r, "sure": sure, "file": f"f{day}.yml"} for r in rules]  # noqa: E731
    good = [key for key, rule in card.load().rules.items() if rule.kind == "good"]
    every = list(card.load().rules)
    strong = seen("vc.history", "vc.ignore", "vc.owners", "vc.hooks", "vc.logic", "vc.releases")
    bodies = {
        "nothing seen": [],
        "exactly on a threshold": seen("inc.runbook")
        + seen("run.schedule")
        + seen("box.image", "box.stack", "box.user", "box.ignore"),
        "one habit seen in many files": seen(*["vc.ignore"] * 5),
        "the same leak in four files": seen("sec.env-secrets", "sec.vault", "sec.scanner", "sec.narrow", "sec.oidc")
        + seen(*["sec.no-tls"] * 4),
        "a danger that is likely": seen("sec.vault", "sec.scanner", "sec.narrow") + seen("sec.env-file", sure="likely"),
        "a danger that is only possible": seen("sec.env-secrets", "sec.vault", "sec.scanner")
        + seen("sec.secret", sure="possible"),
        "likely in one file, certain in the next": seen("sec.env-secrets", "sec.vault", "sec.scanner", "sec.narrow")
        + seen("sec.env-file", sure="likely")
        + seen("sec.env-file")
        + seen("sec.env-file", sure="possible"),
        "gaps": strong + seen("vc.no-readme" if "vc.no-readme" in every else "vc.copies", "vc.junk", "vc.no-hooks"),
        "nothing but good": seen(*good),
        "dangers without anything good": seen("sec.secret", "ci.masked", "vc.logic-outside"),
    }
    for n in range(4):
        picked = chance.sample(good, 30) + chance.sample(every, 25)
        bodies[f"a repository drawn by chance, number {n + 1}"] = [
            {"rule": key, "sure": chance.choice(list(card.WEIGHT)), "file": f"f{n}.yml"} for key in picked
        ]
    levels = {name: _levels(body) for name, body in bodies.items()}
    return Cards(plain_card(), _edges(seed), bodies, levels)


def _edges(seed: int) -> dict[str, Any]:
    """A card of one's own with points on the edges of the rounding, evidence for all its rules, and the levels."""
    start = 2 + seed % 5
    points = {
        "just under, to one decimal": (start - 0.04, 1),
        "just under, to the whole point": (start - 0.4, 0),
        "exactly there": (float(start), 1),
    }
    rules = {
        f"r{n}": {"practice": name, "kind": "good", "points": value} for n, (name, (value, _)) in enumerate(points.items())
    }
    own = {"practices": list(points), "levels_from": [start, start + 10, start + 20, start + 30], "rules": rules}
    evidence = [{"rule": key, "sure": "certain", "file": "a.yml"} for key in rules]
    return {"card": own, "evidence": evidence, "levels": {name: level for name, (_, level) in points.items()}}


def _levels(body: Evidence) -> dict[str, int]:
    scored = card.score([Finding(one["rule"], one["file"], 1, "", one["sure"]) for one in body])
    return {one.practice.key: one.reached for one in scored}


def _slim(whole: dict[str, Any], body: Evidence) -> dict[str, Any]:
    """The card with the rules that a body of evidence speaks of: what need not travel does not."""
    return {**whole, "rules": {one["rule"]: whole["rules"][one["rule"]] for one in body}}


CAUSE = {
    "nothing seen": ("practices", "A practice without evidence stands at level 0, and it stands on the card."),
    "one habit seen in many files": ("good-twice", "A good rule earns its points once, however many files show it."),
    "the same leak in four files": ("danger-twice", "A danger takes its points once, not once a file."),
    "a danger that is likely": ("likely", "A danger that is likely takes 0.7 of its points."),
    "a danger that is only possible": (
        "possible",
        "A danger that is only possible takes nothing: somebody has to look first.",
    ),
    "likely in one file, certain in the next": (
        "surest",
        "A danger seen more than once weighs what its surest finding weighs.",
    ),
    "gaps": ("gap", "A gap takes nothing away: what is missing has earned no points."),
    "exactly on a threshold": ("threshold", "Whoever reaches the points of a level is on that level."),
}


def _levels_given(got: Any, practices: list[str], tried: str) -> dict[str, int]:
    """The levels of an answer, each a whole number; practices that are missing are named."""
    if isinstance(got, dict) and (missing := [key for key in practices if key not in got]):
        raise NotYet(
            "A practice without evidence stands at level 0, and it stands on the card.",
            tried=tried,
            expected=f"{len(practices)} practices",
            got=f"without {', '.join(missing[:3])}",
            cause="practices",
        )
    return {
        key: whole_number(mapping(got, "What you return", practices)[key], f"The level of {key}", tried=tried)
        for key in practices
    }


def _evidence_for(key: str, whole: dict[str, Any], body: Evidence) -> str:
    """What a body of evidence says of one practice, and where levels begin."""
    mine = [one for one in body if whole["rules"][one["rule"]]["practice"] == key]
    said = [
        f"{one['rule']} ({(r := whole['rules'][one['rule']])['kind']}, {r['points']} points, {one['sure']})" for one in mine
    ]
    return f"Evidence for {key}: {'; '.join(said) or 'none'}. Levels begin at {', '.join(map(str, whole['levels_from']))} points."


def by_the_card(work: Work, data: Cards) -> str:
    names = list(data.bodies)
    results = work.calls("levels", [(_slim(data.card, data.bodies[name]), data.bodies[name]) for name in names])
    for name, given in zip(names, results, strict=True):
        want, tried = data.levels[name], f"levels(card, evidence): {name}"
        got = _levels_given(given, list(want), tried)
        off = next((key for key in want if got[key] != want[key]), None)
        if off:
            cause, why = CAUSE.get(name, ("levels", "Add up the evidence below by hand and hold it against the thresholds."))
            raise NotYet(
                why,
                tried=f"{tried}; {off}",
                expected=f"level {want[off]}",
                got=f"level {got[off]}",
                cause=cause,
                look=_evidence_for(off, data.card, data.bodies[name]),
            )
    return f"{len(names)} bodies of evidence, ten practices each, by the arithmetic of the audit."


def rounds(work: Work, data: Cards) -> str:
    edges = data.edges
    tried = "levels(card, evidence) with a card whose points are on the edge"
    got = _levels_given(work.call("levels", edges["card"], edges["evidence"]), edges["card"]["practices"], tried)
    for key, want in edges["levels"].items():
        if got[key] != want:
            raise NotYet(
                "Points are rounded to one decimal before they are held against the thresholds.",
                tried=f"{tried}; {key}",
                expected=f"level {want}",
                got=f"level {got[key]}",
                cause="rounding" if key != "exactly there" else "threshold",
                look=_evidence_for(key, edges["card"], edges["evidence"]),
            )
    return "Rounded to one decimal, no more and no less."


_LEVELS = """
def levels(card, evidence):
    weight = {"certain": 1, "likely": {likely}, "possible": {possible}}
    points = {start}
    worst = {}
    goods = set()
    for one in evidence:
        rule = card["rules"][one["rule"]]
        points.setdefault(rule["practice"], 0)
        if rule["kind"] == "good" {once}:
            goods.add(one["rule"])
            points[rule["practice"]] += rule["points"]
        {danger}
        {gap}
    for key, share in worst.items():
        points[card["rules"][key]["practice"]] -= share * card["rules"][key]["points"]
    return {p: sum(round(value, 1) {over} edge for edge in card["levels_from"]) {more} for p, value in points.items()}
"""


def _scored(**parts: str) -> str:
    usual = {
        "likely": "0.7",
        "possible": "0",
        "start": "{p: 0 for p in card['practices']}",
        "once": "and one['rule'] not in goods",
        "danger": "if rule['kind'] == 'danger': worst[one['rule']] = max(worst.get(one['rule'], 0), weight[one['sure']])",
        "gap": "",
        "over": ">=",
        "more": "",
    }
    text = _LEVELS
    for key, value in {**usual, **parts}.items():
        text = text.replace("{" + key + "}", value)
    return text


TASK_3 = Task(
    id="01.3",
    title="Fill in the card",
    minutes=12,
    points=2,
    deliver=(function("levels"),),
    data=cards,
    checks=(
        Check(
            "gives each practice the level that its evidence supports",
            by_the_card,
            expected=lambda d: list(d.levels.values()),
        ),
        Check("rounds the points to one decimal", rounds),
    ),
    hints=(
        "Two passes: first make each rule count once (for a danger, keep its surest finding), then add up by practice.",
        "`weights = {}`; for each finding `weights[rule] = max(weights.get(rule, 0), …)`. A good rule weighs 1, a gap 0, a danger minus 1, 0.7 or 0.",
        "`points[practice] += sign * weight * rule['points']`, then `sum(round(points, 1) >= start for start in card['levels_from'])` is the level.",
    ),
    wrong=(
        wrong("only practices with evidence", _scored(start="{}"), "practices"),
        wrong("counts a habit once a file", _scored(once=""), "good-twice"),
        wrong(
            "counts a danger once a file",
            _scored(danger="if rule['kind'] == 'danger': points[rule['practice']] -= weight[one['sure']] * rule['points']"),
            "danger-twice",
        ),
        wrong("a likely danger in full", _scored(likely="1"), "likely"),
        wrong("a suspicion counts", _scored(possible="0.5"), "possible"),
        wrong(
            "the last finding decides",
            _scored(danger="if rule['kind'] == 'danger': worst[one['rule']] = weight[one['sure']]"),
            "surest",
        ),
        wrong("gaps cost a point", _scored(gap="if rule['kind'] == 'gap': points[rule['practice']] -= 1"), "gap"),
        wrong("above, not at", _scored(over=">"), "threshold"),
        wrong("does not round", _scored().replace("round(value, 1)", "value"), "rounding", "threshold", "likely"),
        wrong(
            "rounds to the whole point",
            _scored().replace("round(value, 1)", "round(value)"),
            "levels",
            "rounding",
            "likely",
            "threshold",
        ),
        wrong("rounds to two decimals", _scored().replace("round(value, 1)", "round(value, 2)"), "rounding"),
        wrong("levels from one", _scored(more="+ 1"), "practices"),
        wrong("a list", "def levels(card, evidence):\n    return [0] * 10", "shape"),
    ),
    right=(
        right("as a loop", _scored()),
        right(
            "a sum for each practice",
            """
def levels(card, evidence):
    weight = {"good": lambda s: 1, "gap": lambda s: 0, "danger": lambda s: -{"certain": 1, "likely": 0.7, "possible": 0}[s]}
    found = {}
    for practice in card["practices"]:
        total = 0
        for key in {one["rule"] for one in evidence}:
            rule = card["rules"][key]
            if rule["practice"] == practice:
                total += rule["points"] * sorted((weight[rule["kind"]](one["sure"]) for one in evidence if one["rule"] == key), key=abs)[-1]
        found[practice] = len([edge for edge in card["levels_from"] if edge <= round(total, 1)])
    return found
""",
        ),
    ),
    clauses={
        "of each practice": "only practices with evidence",
        "earns its points once": "counts a habit once a file",
        "A danger takes its points once": "counts a danger once a file",
        "0.7 of them when likely": "a likely danger in full",
        "none when possible": "a suspicion counts",
        "its surest finding decides": "the last finding decides",
        "A gap takes nothing": "gaps cost a point",
        "Round the points of a practice to one decimal": "rounds to two decimals",
        "the number of thresholds it has reached": "above, not at",
    },
    spared={"line 7: 0.0 → 1.0": "a rule of kind gap has no points on the card, whatever its weight"},
)


# ---------------------------------------------------------------- 01.4


@dataclass(frozen=True)
class Register:
    """Findings with what they may cost, and their names in the order in which to close them."""

    findings: list[dict[str, Any]]
    order: list[str]
    others: dict[str, list[str]]


NEVER = 90
"""Days until noticed, for what nobody would notice."""
NAMES = (
    "view typed into the warehouse",
    "tests that cannot fail",
    "update in production",
    "bucket by hand",
    "errors to /dev/null",
    "no promise",
    "alerts to a closed mailbox",
    "password in a script",
    "full access for the load",
    "grant to public",
    "rate in a dashboard",
    "macro in a sheet",
)


def _risk(one: dict[str, Any]) -> float:
    noticed = NEVER if one["days_until_noticed"] is None else one["days_until_noticed"]
    return one["chance_percent"] * one["eur_a_day"] * noticed


def register(seed: int) -> Register:
    """Twelve findings: two pairs of equal risk and other effort, one noticed never, one noticed on the same day (0)."""
    chance = random.Random(seed)
    findings = []
    for name in chance.sample(NAMES, len(NAMES)):
        findings.append(
            {
                "name": name,
                "chance_percent": chance.randint(1, 40),
                "eur_a_day": chance.randrange(50, 2_000, 50),
                "days_until_noticed": chance.randint(1, 30),
                "effort_days": chance.randint(1, 20),
            }
        )
    findings[0] |= {"days_until_noticed": None, "chance_percent": 5, "eur_a_day": 900}
    findings[1] |= {"days_until_noticed": 0, "chance_percent": 40, "eur_a_day": 9_000}
    for first, second in ((2, 3), (5, 4)):
        same = {"chance_percent": 10, "eur_a_day": 100 * first, "days_until_noticed": 8}
        findings[first] |= same | {"effort_days": 9}
        findings[second] |= {"chance_percent": 20, "eur_a_day": 100 * first, "days_until_noticed": 4, "effort_days": 2}
    findings[6] |= {"chance_percent": 1, "eur_a_day": 40_000, "days_until_noticed": 1, "effort_days": 1}
    findings[8] |= {"chance_percent": 5, "eur_a_day": 905, "days_until_noticed": 90}  # just above the one never noticed
    findings[7] |= {"chance_percent": 40, "eur_a_day": 1_500, "days_until_noticed": 29, "effort_days": 60}

    def by(key: Any) -> list[str]:
        return [one["name"] for one in sorted(findings, key=key)]

    return Register(
        findings,
        by(lambda one: (-_risk(one), one["effort_days"])),
        {
            "effort-for-risk": by(lambda one: -_risk(one) / one["effort_days"]),
            "cheapest-first": by(lambda one: (one["effort_days"], -_risk(one))),
            "upside-down": by(lambda one: (_risk(one), one["effort_days"])),
            "tie": by(lambda one: (-_risk(one), -one["effort_days"])),
            "never": by(lambda one: (0 if one["days_until_noticed"] is None else -_risk(one), one["effort_days"])),
            "zero": by(
                lambda one: (
                    -_risk(one) if one["days_until_noticed"] != 0 else -_risk({**one, "days_until_noticed": None}),
                    one["effort_days"],
                )
            ),
            "euros-only": by(lambda one: -one["eur_a_day"]),
        },
    )


SAID = {
    "effort-for-risk": "That is risk for each day of effort. Asked was risk; effort only decides between equals.",
    "cheapest-first": "That is the cheapest first. Cheap and harmless can wait.",
    "upside-down": "The order is right and begins at the wrong end.",
    "never": f"What nobody would notice runs for a quarter: count {NEVER} days.",
    "zero": "What is noticed on the same day has run for 0 days; 0 is a number of days, not a missing one.",
    "euros-only": "That is by euros a day. What happens twice a week and stays unseen for a month costs more than its price tag.",
}


def in_order(work: Work, data: Register) -> str:
    tried = f"rank(findings), {len(data.findings)} findings"
    got = texts(work.call("rank", data.findings), "What you return", tried=tried)
    if lost := [name for name in data.order if name not in got]:
        said = f"“{lost[0]}” is not in your list. What nobody notices is no less of a risk."
        raise NotYet(said, tried=tried, expected=f"all {len(data.order)} findings", got=got, cause="lost")
    if got == data.order:
        return f"First “{got[0]}”, last “{got[-1]}”."
    if twice := repeated(got):
        raise NotYet(
            f"“{twice[0]}” stands in your list twice.", tried=tried, expected="each name once", got=got, cause="twice"
        )
    if len(got) != len(data.order):
        extra = next(name for name in got if name not in data.order)
        raise NotYet(
            f"“{extra}” is no finding.", tried=tried, expected=f"{len(data.order)} names", got=len(got), cause="extra"
        )
    at = next(n for n, (want, have) in enumerate(zip(data.order, got, strict=True)) if want != have)
    said, cause = next(((SAID[c], c) for c in SAID if got == data.others[c]), _swapped(data, data.order[at], got[at]))
    where = f"place {at + 1} of {len(got)}"
    raise NotYet(said, tried=tried, expected=f"{where}: {data.order[at]}", got=f"{where}: {got[at]}", cause=cause)


def _swapped(data: Register, want: str, have: str) -> tuple[str, str]:
    """What is said of two findings in the wrong order."""
    by_name = {one["name"]: one for one in data.findings}
    one, other = by_name[want], by_name[have]
    if _risk(one) == _risk(other):
        efforts = f"{one['effort_days']} against {other['effort_days']} days"
        return f"“{want}” and “{have}” carry the same risk; the smaller effort comes first ({efforts}).", "tie"
    amounts = f"“{want}” ({_risk(one) / 100:,.0f} euros expected) comes before “{have}” ({_risk(other) / 100:,.0f})."
    return amounts, "order"


_RANK = "def rank(findings):\n    def risk(f):\n        days = {days}\n        return {risk}\n    return [f['name'] for f in sorted({which}, key=lambda f: {key})]"


def _ranked(
    days: str = "90 if f['days_until_noticed'] is None else f['days_until_noticed']",
    risk: str = "f['chance_percent'] * f['eur_a_day'] * days",
    which: str = "findings",
    key: str = "(-risk(f), f['effort_days'])",
) -> str:
    return _RANK.format(days=days, risk=risk, which=which, key=key)


TASK_4 = Task(
    id="01.4",
    title="What first?",
    minutes=8,
    points=1,
    deliver=(function("rank"),),
    data=register,
    checks=(Check("puts the greatest risk first, the smaller effort among equals", in_order, expected=lambda d: d.order),),
    hints=(
        "Give each finding one number, then sort. `sorted` takes a key, and a key may be a tuple.",
        "Risk is chance × euros a day × days until noticed. `None` counts as 90 days, and 0 as 0: `or 90` would confuse the two.",
        "`sorted(findings, key=lambda f: (-risk(f), f['effort_days']))`, then the names.",
    ),
    wrong=(
        wrong("by the price tag", _ranked(key="-f['eur_a_day']"), "euros-only"),
        wrong("quick wins first", _ranked(key="(f['effort_days'], -risk(f))"), "cheapest-first"),
        wrong("risk for each day of effort", _ranked(key="-risk(f) / f['effort_days']"), "effort-for-risk"),
        wrong("upside down", _ranked(key="(risk(f), f['effort_days'])"), "upside-down"),
        wrong("the hardest first among equals", _ranked(key="(-risk(f), -f['effort_days'])"), "tie"),
        wrong("what is never noticed does no harm", _ranked(days="f['days_until_noticed'] or 0"), "never"),
        wrong("zero taken for never", _ranked(days="f['days_until_noticed'] or 90"), "zero"),
        wrong(
            "leaves out what has no number",
            _ranked(which="[f for f in findings if f['days_until_noticed'] is not None]"),
            "lost",
        ),
        wrong("forgets the chance", _ranked(risk="f['eur_a_day'] * days"), "order"),
        wrong("returns the findings", "def rank(findings):\n    return findings", "type"),
    ),
    clauses={
        "Its risk is the product of the first three": "forgets the chance",
        "nobody would notice: count the whole quarter, 90 days": "what is never noticed does no harm",
        "Return the names": "returns the findings",
        "the greatest risk first": "upside down",
        "Among equal risks, the smaller effort comes first": "the hardest first among equals",
        "one that is noticed the same day": "zero taken for never",
    },
    right=(
        right(
            "two stable sorts",
            "def rank(findings):\n    rows = sorted(findings, key=lambda f: f['effort_days'])\n    def euros(f):\n        days = f['days_until_noticed']\n        return f['chance_percent'] / 100 * f['eur_a_day'] * (90 if days is None else days)\n    rows.sort(key=lambda f: round(euros(f), 6), reverse=True)\n    return [f['name'] for f in rows]",
        ),
        right(
            "with pandas",
            "def rank(findings):\n    import pandas as pd\n    table = pd.DataFrame(findings)\n    days = table.days_until_noticed.astype(float).fillna(90)\n    table['risk'] = table.chance_percent * table.eur_a_day * days\n    return table.sort_values(['risk', 'effort_days'], ascending=[False, True]).name.tolist()",
        ),
    ),
)
