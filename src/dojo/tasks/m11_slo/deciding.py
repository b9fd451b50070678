"""Task 11.6: a policy for the month in which the budget is spent."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import (
    mapping,
    number,
    one_of,
    parse_yaml,
    texts,
    wrong_type,
)
from dojo.tasks.m11_slo.promises import counted
from dojo.tasks.m11_slo.spending import left_after_each

POLICY = "repo/docs/error_budget_policy.yml"


@dataclass(frozen=True)
class Period:
    """Thirty simulated mornings: kept or not, and what the policy must say after each."""

    kept: tuple[bool, ...]
    actions: tuple[str, ...]


def period(seed: int) -> Period:
    """A month under an objective of 80 %, six mornings to lose: it loses seven, with a recovery of nothing in between."""
    dice = random.Random(f"period {seed}")
    lost = sorted(dice.sample(range(2, 30), 7))
    kept = tuple(n not in lost for n in range(30))
    shares = [left / 6 for left in left_after_each(kept, 0.8)]
    return Period(kept, tuple(map(_wanted, shares)))


def _policy(work: Work, *keys: str) -> dict[str, Any]:
    return mapping(parse_yaml(work.file(POLICY), POLICY), f"`{POLICY}`", keys)


ACTIONS = ("ship", "slow-down", "freeze")


def _rules(policy: dict[str, Any]) -> list[tuple[float, str]]:
    """(limit, action) of each rule, the lowest limit first."""
    if not isinstance(policy["rules"], list):
        raise wrong_type("`rules`", "a list", policy["rules"])
    rules = []
    for n, rule in enumerate(policy["rules"], 1):
        rule = mapping(rule, f"Rule {n}", ("left_at_most", "action"))
        limit = number(rule["left_at_most"], f"`left_at_most` of rule {n}")
        if limit > 1:
            said = f"`left_at_most` of rule {n} is a share of the budget, from 0 to 1."
            raise NotYet(said, expected="0.5 for half of the budget", got=f"{limit:g}", cause="percent")
        one_of(rule["action"], ACTIONS, "action", "what the team does from there on", cause="action")
        if other := next((action for at, action in rules if at == limit and action != rule["action"]), ""):
            said = f"Two rules begin at {limit:g} of the budget, and say {other} and {rule['action']}."
            raise NotYet(said, expected="one rule for each limit", got=f"left_at_most: {limit:g} twice", cause="twice")
        rules.append((limit, rule["action"]))
    return sorted(rules)


SHARES = (1.0, 0.75, 0.55, 0.51, 0.5, 0.49, 0.25, 0.1, 0.01, 0.0, -0.01, -0.2, -0.5, -1.0, -3.0)
"""Shares of the budget at which a policy is asked besides the months that were lived through."""


def _wanted(share: float) -> str:
    return "freeze" if share <= 1e-9 else "slow-down" if share <= 0.5 + 1e-9 else "ship"


def decides_every_morning(work: Work, data: Period) -> str:
    policy = _policy(work, "objective", "mornings", "rules")
    objective, mornings = number(policy["objective"], "`objective`"), number(policy["mornings"], "`mornings`")
    if (objective, mornings) != (0.8, 30):
        raise NotYet(
            "This policy is about 80 % of 30 mornings, as agreed with finance.",
            expected="objective: 0.8, mornings: 30",
            got=f"objective: {objective}, mornings: {mornings:g}",
            cause="objective",
        )
    rules = _rules(policy)
    left = left_after_each(data.kept, objective)
    for n, want in enumerate(data.actions):
        share = left[n] / 6
        got = _action(rules, share)
        if got != want:
            lost = data.kept[: n + 1].count(False)
            said = f"After morning {n + 1}, {lost} of 6 mornings are lost: {max(0.0, share):.0%} of the budget is left."
            raise NotYet(said, tried=f"{lost} mornings lost", expected=want, got=got, cause=_cause(want))
    for share in SHARES:
        want, got = _wanted(share), _action(rules, share)
        if got != want:
            said = f"With {share:.0%} of the budget left, the month is {'overspent' if share < 0 else 'not over'}."
            tried = f"the rules, with {share:.0%} of the budget left"
            raise NotYet(said, tried=tried, expected=want, got=got, cause=_cause(want))
    counts = ", ".join(f"{data.actions.count(action)} {action}" for action in ACTIONS)
    return f"Two months of thirty mornings decided; in one of them: {counts}."


def _action(rules: list[tuple[float, str]], share: float) -> str:
    """What the rule with the lowest limit that is reached says."""
    return next((action for limit, action in rules if share <= limit + 1e-9), "ship")


def _cause(want: str) -> str:
    return {"ship": "too-strict", "slow-down": "slow-down"}.get(want, "freeze")


def somebody_decides(work: Work, data: Period) -> str:
    policy = _policy(work, "decides", "exceptions")
    who = policy["decides"]
    if not isinstance(who, str):
        raise wrong_type("`decides`", "one role, as a text", who)
    if refused := _no_role(who):
        said, cause = refused
        raise NotYet(said, expected="a role, for example: data product owner", got=repr(who), cause=cause)
    exceptions = texts(policy["exceptions"], "`exceptions`")
    if everything := [e for e in exceptions if EVERYTHING.search(_plain(e))]:
        said = f"“{everything[0]}” among the exceptions leaves nothing for the freeze to hold back."
        raise NotYet(said, expected="exceptions: [security fixes, …]", got=exceptions, cause="everything")
    if not any(SECURITY.search(_plain(e)) and not DENIAL.search(_plain(e)) for e in exceptions):
        said = "No exception says plainly that security fixes go out. Without them in writing, the first leak is negotiated at night."
        raise NotYet(said, expected="exceptions: [security fixes, …]", got=exceptions, cause="exceptions")
    return f"“{who}” decides; {counted(len(exceptions), 'exception')}."


CROWDS = ("team", "whole team", "data team", "everyone", "everybody", "all", "all of us", "we", "we all", "us")
NOBODY = ("nobody", "no one", "none", "n a", "na", "tbd", "todo", "to be decided", "to be determined", "unknown")
EVERYTHING = re.compile(
    r"^(everything|anything|whatever)( (else|but|except|at all|goes|urgent|(we|you|one|anyone|anybody|the team) \w+).*)?$"
    r"|^(all|any|every|the)( (other|else|rest|changes?|releases?|deployments?|work))*$"
)
SECURITY = re.compile(
    r"^security$|\bsecurity\b.*\b(fix|patch|update|hotfix|incident|hole|leak|issue)|\bvulnerabilit|\bcves?\b"
)
DENIAL = re.compile(r"\b(no|not|never|nothing|none|without|except|exclud\w*|but|unless|forbidden)\b")
BETWEEN_ROLES = re.compile(r"\s(?:and|or|plus)\s|[/&+;,|]")
ROLE = re.compile(
    r"\b(head|lead|leader|owner|manager|director|chief|officer|engineer|analyst|president|vp|architect|steward|controller|"
    r"coordinator|administrator|admin|supervisor|scientist|developer|sponsor|chair|founder|principal|captain|master|on-call|"
    r"c[a-z]{1,2}o)\b"
)
"""What a role is called by: “head of data and analytics” is one role, “head of data and CTO” are two."""


def _plain(text: str) -> str:
    """A text as it is read: in lower case, without the signs around words and those that nobody sees."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return " ".join(re.sub(r"[^\w\s/&+;,|-]|_", " ", seen.lower()).strip(" -,;/").split())


def _no_role(who: str) -> tuple[str, str] | None:
    """(sentence, cause) where a text is surely not one role."""
    name = _plain(who).removeprefix("the ")
    if not any(letter.isalpha() for letter in name):
        return "`decides` names no role: there is no word in it.", "nobody"
    if re.sub(r"[-/]", " ", name) in NOBODY:
        return "`decides` names nobody. In the bad month somebody must be able to say stop.", "nobody"
    if len(name) == 1:
        return "`decides` is a single letter. Write the role out.", "letter"
    if name in CROWDS:
        return "`decides` names one role that may say stop. What everybody decides, nobody does.", "owner"
    roles = [part.strip() for part in BETWEEN_ROLES.split(name) if ROLE.search(part)]
    if len(roles) > 1:
        said = (
            f"`decides` names {counted(len(roles), 'role')}: {'; '.join(roles)}. The policy needs the one that may say stop."
        )
        return said, "two-roles"
    if not roles:
        return "`decides` holds no word that a role is called by, such as owner, head, lead, manager or officer.", "no-role"
    return None


_POLICY = "objective: 0.8\nmornings: 30\nrules:\n  - left_at_most: 0.5\n    action: slow-down\n  - left_at_most: 0\n    action: freeze\ndecides: data product owner\nexceptions:\n  - security fixes\n"

TASK_6 = Task(
    id="11.6",
    title="A policy for the bad month",
    minutes=10,
    points=2,
    deliver=(file(POLICY),),
    data=period,
    checks=(
        Check("decides each of thirty mornings", decides_every_morning, expected=lambda d: d.actions),
        Check("says who decides and what is exempt", somebody_decides, after=()),
    ),
    hints=(
        "How much of the budget is left when three of six mornings are lost, and what should change then? And when all six are lost?",
        "Two rules: `left_at_most: 0.5` → slow-down, `left_at_most: 0` → freeze. The lowest limit that is reached counts.",
        "Besides the rules: `objective: 0.8`, `mornings: 30`, `decides:` one role, `exceptions:` a list that has security fixes.",
    ),
    wrong=(
        wrong("only freezes", {POLICY: _POLICY.replace("  - left_at_most: 0.5\n    action: slow-down\n", "")}, "slow-down"),
        wrong("never freezes", {POLICY: _POLICY.replace("  - left_at_most: 0\n    action: freeze\n", "")}, "freeze"),
        wrong("freezes below zero", {POLICY: _POLICY.replace("left_at_most: 0\n", "left_at_most: -0.1\n")}, "freeze"),
        wrong("panics early", {POLICY: _POLICY.replace("0.5", "0.9")}, "too-strict"),
        wrong("less than half", {POLICY: _POLICY.replace("0.5", "0.49")}, "slow-down"),
        wrong("percent for shares", {POLICY: _POLICY.replace("0.5", "50")}, "percent"),
        wrong("another promise", {POLICY: _POLICY.replace("0.8", "0.95")}, "objective"),
        wrong("a text for a number", {POLICY: _POLICY.replace("0.8", "'80 %'")}, "type"),
        wrong("an action of one's own", {POLICY: _POLICY.replace("slow-down", "be careful")}, "action"),
        wrong("the team decides", {POLICY: _POLICY.replace("data product owner", "the team")}, "owner"),
        wrong("nobody decides", {POLICY: _POLICY.replace("data product owner", "nobody")}, "nobody"),
        wrong("nobody is named", {POLICY: _POLICY.replace("data product owner", "''")}, "nobody"),
        wrong("question marks decide", {POLICY: _POLICY.replace("data product owner", "'???'")}, "nobody"),
        wrong("a letter decides", {POLICY: _POLICY.replace("data product owner", "x")}, "letter"),
        wrong("two roles decide", {POLICY: _POLICY.replace("data product owner", "head of data and the CTO")}, "two-roles"),
        wrong("either role decides", {POLICY: _POLICY.replace("data product owner", "CTO / head of data")}, "two-roles"),
        wrong("two roles and a comma", {POLICY: _POLICY.replace("data product owner", "head of data, CTO")}, "two-roles"),
        wrong("nobody decides, with a full stop", {POLICY: _POLICY.replace("data product owner", "nobody.")}, "nobody"),
        wrong("not available", {POLICY: _POLICY.replace("data product owner", "n.a.")}, "nobody"),
        wrong(
            "a team that is not seen to be one",
            {POLICY: _POLICY.replace("data product owner", '"the\\u200b team"')},
            "owner",
        ),
        wrong("whoever is awake", {POLICY: _POLICY.replace("data product owner", "whoever is awake")}, "no-role"),
        wrong("two names", {POLICY: _POLICY.replace("data product owner", "Sami and Petra")}, "no-role"),
        wrong("all of a kind", {POLICY: _POLICY.replace("data product owner", "all engineers")}, "no-role"),
        wrong(
            "two rules at one limit",
            {POLICY: _POLICY.replace("decides:", "  - {left_at_most: 0, action: ship}\ndecides:")},
            "twice",
        ),
        wrong(
            "ships again when much is lost",
            {POLICY: _POLICY.replace("rules:\n", "rules:\n  - {left_at_most: -0.2, action: ship}\n")},
            "freeze",
        ),
        wrong("two thirds", {POLICY: _POLICY.replace("0.5", "0.66")}, "too-strict"),
        wrong("who decides stands twice", {POLICY: "decides: nobody\n" + _POLICY}, "yaml"),
        wrong("insecure hacks", {POLICY: _POLICY.replace("security fixes", "insecure hacks")}, "exceptions"),
        wrong("job security", {POLICY: _POLICY.replace("security fixes", "job security")}, "exceptions"),
        wrong(
            "security fixes excluded", {POLICY: _POLICY.replace("security fixes", "security fixes excluded")}, "exceptions"
        ),
        wrong("anything but them", {POLICY: _POLICY.replace("security fixes", "anything but security fixes")}, "everything"),
        wrong("every change", {POLICY: _POLICY + "  - every change.\n"}, "everything"),
        wrong("whatever one wants", {POLICY: _POLICY + "  - whatever the team wants\n"}, "everything"),
        wrong("who decides is forgotten", {POLICY: _POLICY.replace("decides: data product owner\n", "")}, "keys"),
        wrong("two people decide", {POLICY: _POLICY.replace("data product owner", "[Sami, Petra]")}, "type"),
        wrong(
            "no exceptions", {POLICY: _POLICY.replace("exceptions:\n  - security fixes\n", "exceptions: []\n")}, "exceptions"
        ),
        wrong("other exceptions alone", {POLICY: _POLICY.replace("security fixes", "legal deadlines")}, "exceptions"),
        wrong("security fixes denied", {POLICY: _POLICY.replace("security fixes", "not security fixes")}, "exceptions"),
        wrong("everything exempt", {POLICY: _POLICY + "  - everything else\n"}, "everything"),
        wrong("exceptions forgotten", {POLICY: _POLICY.replace("exceptions:\n  - security fixes\n", "")}, "keys"),
        wrong("half a file", {POLICY: "objective: 0.8\nrules: [{left_at_most: 0.5, action"}, "yaml"),
    ),
    right=(
        right(
            "rules the other way round",
            {
                POLICY: "decides: Head of data\nexceptions: [Security fixes, legal deadlines]\nobjective: 0.80\nmornings: 30\nrules:\n  - {action: freeze, left_at_most: 0.0}\n  - {action: slow-down, left_at_most: 0.5}\n"
            },
        ),
        right(
            "shipping said as well", {POLICY: _POLICY.replace("rules:\n", "rules:\n  - {left_at_most: 1, action: ship}\n")}
        ),
        right(
            "all of them",
            {
                POLICY: _POLICY.replace("security fixes", "all security fixes and patches").replace(
                    "data product", "Data Product"
                )
            },
        ),
        right("what the law asks for", {POLICY: _POLICY + "  - anything legal demands\n"}),
        right("a chief", {POLICY: _POLICY.replace("data product owner", "CDO (chief data officer)")}),
        right("one role for two fields", {POLICY: _POLICY.replace("data product owner", "the head of data and analytics")}),
        right(
            "with reasons beside", {POLICY: _POLICY + "why: finance plans its mornings around it\nreviewed: 2025-12-02\n"}
        ),
    ),
    clauses={
        "80 % of thirty mornings": "another promise",
        "With more than half of the budget left, the team ships": "panics early",
        "At half or less it slows down": "less than half",
        "With nothing left it freezes": "never freezes",
        "a share of the budget": "percent for shares",
        "the one role that may say stop": "the team decides",
        "what goes out even in a freeze": "no exceptions",
        "With nothing left": "ships again when much is lost",
        "security fixes at least": "other exceptions alone",
    },
    spared={".exceptions[1]": "one exception is enough"},
)
