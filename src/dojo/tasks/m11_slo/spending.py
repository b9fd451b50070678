"""Task 11.3: what is left of an error budget after each morning."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import (
    diagnosis,
    number,
    wrong_type,
)


@dataclass(frozen=True)
class Spending:
    """Thirty mornings and an objective, with what is left of the budget after each morning, in mornings."""

    cases: tuple[tuple[float, tuple[bool, ...], tuple[float, ...]], ...]


def left_after_each(kept: tuple[bool, ...], objective: float) -> tuple[float, ...]:
    """Budget in mornings, less those lost so far, after each of the mornings."""
    budget, left = (1 - objective) * len(kept), []
    for n in range(len(kept)):
        left.append(round(budget - sum(not k for k in kept[: n + 1]), 9))
    return tuple(left)


def spending(seed: int) -> Spending:
    """A period that overspends far, three with a fraction of a morning in the budget, a short one, and one that allows nothing.

    One of them loses its first morning.
    """
    dice = random.Random(f"spending {seed}")
    made = []
    for objective, length, bad in (
        (0.9, 30, 8 + dice.randrange(5)),
        (0.95, 30, 1),
        (0.97, 30, 2),
        (0.975, 30, 1 + dice.randrange(2)),
        (dice.choice((0.85, 0.9, 0.92)), 17 + dice.randrange(8), 2),
        (1.0, 28 + dice.randrange(4), 1),
    ):
        lost = {0} if objective == 0.95 else set(dice.sample(range(1, length), bad))
        kept = tuple(n not in lost for n in range(length))
        made.append((objective, kept, left_after_each(kept, objective)))
    return Spending(tuple(made))


Budgeting = Callable[[float, tuple[bool, ...]], list[float]]

MISCOUNTS: dict[str, tuple[str, Budgeting]] = {
    "floor": (
        "You stop at zero. An overspent budget is below zero, and how far below is what the policy meeting is about.",
        lambda objective, kept: [max(0.0, w) for w in left_after_each(kept, objective)],
    ),
    "thirty": (
        "You reckon with thirty mornings in every period.",
        lambda objective, kept: [w + (1 - objective) * (30 - len(kept)) for w in left_after_each(kept, objective)],
    ),
    "before": (
        "You give what was left before each morning. After a lost morning its loss is in.",
        lambda objective, kept: [w + (not k) for w, k in zip(left_after_each(kept, objective), kept, strict=True)],
    ),
    "inverted": (
        "You start from the mornings that must be kept. The budget is what may be lost: one minus the objective.",
        lambda objective, kept: [w + (2 * objective - 1) * len(kept) for w in left_after_each(kept, objective)],
    ),
    "whole": (
        "You start from whole mornings. The budget of an odd objective has a fraction, and it is spent like the rest.",
        lambda objective, kept: [
            w + math.floor((1 - objective) * len(kept) + 1e-9) - (1 - objective) * len(kept)
            for w in left_after_each(kept, objective)
        ],
    ),
}
"""How people spend a budget otherwise: by cause the sentence to the learner and what it would give."""


def spends_morning_by_morning(work: Work, data: Spending) -> str:
    answers = []
    for objective, kept, _ in data.cases:
        tried = _tried_spending(objective, kept)
        got = work.call("budget_left", list(kept), objective)
        if not isinstance(got, list | tuple):
            raise wrong_type("What you return", "a list with one number for each morning", got, tried=tried)
        if len(got) != len(kept):
            said = "Return one number for each morning."
            raise NotYet(said, tried=tried, expected=f"{len(kept)} numbers", got=f"{len(got)} numbers", cause="shape")
        answers.append([number(v, "What is left", tried=tried) for v in got])
    if all(_close(got, want) for got, (_, _, want) in zip(answers, data.cases, strict=True)):
        return "Six periods, spent morning by morning."

    def gives(miscount: Budgeting) -> bool:
        return all(_close(got, miscount(o, kept)) for got, (o, kept, _) in zip(answers, data.cases, strict=True))

    said, cause = diagnosis(MISCOUNTS, gives, ("That is not what is left.", "amount"))
    got, (objective, kept, want) = next((g, c) for g, c in zip(answers, data.cases, strict=True) if not _close(g, c[2]))
    at = next(n for n in range(len(want)) if not _close(got[n : n + 1], want[n : n + 1]))
    after = f"after morning {at + 1}, with {kept[: at + 1].count(False)} lost"
    raise NotYet(
        said,
        tried=f"{_tried_spending(objective, kept)}; {after}",
        expected=f"{want[at]:g}",
        got=f"{got[at]:g}",
        cause=cause,
        look=f"{len(kept)} mornings at {objective:.4g}: {(1 - objective) * len(kept):g} may go wrong.",
    )


def _tried_spending(objective: float, kept: tuple[bool, ...]) -> str:
    return f"budget_left for {len(kept)} mornings, {kept.count(False)} lost, objective {objective:.4g}"


def _close(got: Sequence[float], want: Sequence[float]) -> bool:
    return all(abs(g - w) < 1e-6 for g, w in zip(got, want, strict=True))


_LEFT = """
def budget_left(kept, objective):
    left = (1 - objective) * len(kept)
    result = []
    for good in kept:
        if not good:
            left -= 1
        result.append(left)
    return result
"""

TASK_3 = Task(
    id="11.3",
    title="Spend the error budget",
    minutes=10,
    points=2,
    deliver=(function("budget_left"),),
    data=spending,
    checks=(Check("says what is left after each morning", spends_morning_by_morning, expected=lambda d: d.cases),),
    hints=(
        "If 90 % must be kept, what share may be lost? Of how many mornings?",
        "Start with (1 − objective) × number of mornings, and take one away for each morning that was lost.",
        "Walk through `kept`, `left -= 1` where it is False, append `left` after each; it may go below zero.",
    ),
    wrong=(
        wrong("stops at zero", _LEFT.replace("result.append(left)", "result.append(max(0.0, left))"), "floor"),
        wrong("always thirty", _LEFT.replace("len(kept)", "30"), "thirty"),
        wrong(
            "before the morning",
            _LEFT.replace(
                "        if not good:\n            left -= 1\n        result.append(left)",
                "        result.append(left)\n        if not good:\n            left -= 1",
            ),
            "before",
        ),
        wrong("what must be kept", _LEFT.replace("(1 - objective)", "objective"), "inverted"),
        wrong(
            "shares",
            "def budget_left(kept, objective):\n    budget = (1 - objective) * len(kept) or 1\n    return [1 - sum(not k for k in kept[:n + 1]) / budget for n in range(len(kept))]",
            "amount",
        ),
        wrong(
            "whole mornings",
            "import math\n" + _LEFT.replace("(1 - objective) * len(kept)", "math.floor((1 - objective) * len(kept) + 1e-9)"),
            "whole",
        ),
        wrong(
            "without the first morning",
            _LEFT.replace("    result = []\n    for good in kept:", "    result = [left]\n    for good in kept[1:]:"),
            "amount",
        ),
        wrong("one decimal", _LEFT.replace("result.append(left)", "result.append(round(left, 1))"), "amount"),
        wrong(
            "a table of budgets",
            _LEFT.replace(
                "(1 - objective) * len(kept)",
                "{(0.9, 30): 3, (0.95, 30): 1.5, (0.97, 30): 0.9, (0.9, 20): 2}.get((objective, len(kept)), 0)",
            ),
            "amount",
        ),
        wrong("stops at minus four", _LEFT.replace("result.append(left)", "result.append(max(-4, left))"), "amount"),
        wrong("stops at minus two", _LEFT.replace("result.append(left)", "result.append(max(-2, left))"), "amount"),
        wrong(
            "half mornings",
            _LEFT.replace("(1 - objective) * len(kept)", "round(2 * (1 - objective) * len(kept)) / 2"),
            "amount",
        ),
        wrong("counts the kept", _LEFT.replace("if not good", "if good"), "amount"),
        wrong(
            "lost mornings only",
            _LEFT.replace(
                "            left -= 1\n        result.append(left)",
                "            left -= 1\n            result.append(left)",
            ),
            "shape",
        ),
        wrong("one number", _LEFT.replace("return result", "return left"), "type"),
    ),
    right=(
        right(
            "accumulate",
            "from itertools import accumulate\ndef budget_left(kept, objective):\n    budget = (1 - objective) * len(kept)\n    return [budget - lost for lost in accumulate(0 if k else 1 for k in kept)]",
        ),
        right(
            "numpy",
            "import numpy as np\ndef budget_left(kept, objective):\n    return (len(kept) * (1 - objective) - np.cumsum(~np.array(kept, dtype=bool))).tolist()",
        ),
    ),
    clauses={
        "allows three to go wrong": "what must be kept",
        "for the mornings of one period": "always thirty",
        "what is left after each": "before the morning",
        "in mornings": "shares",
        "fractions of one included": "whole mornings",
        "Below zero is a number too": "stops at zero",
        "it says how far the promise is broken": "stops at minus two",
        "97 % of thirty one of nine tenths": "half mornings",
    },
)
