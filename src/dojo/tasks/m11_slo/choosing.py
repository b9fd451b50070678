"""Task 11.2: the strictest objective that every thirty mornings in a row support."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import (
    diagnosis,
    number,
)
from dojo.tasks.m11_slo.promises import on_time
from shopflow import runlog
from shopflow.clock import LAST_DAY, days


@dataclass(frozen=True)
class History:
    """A history of mornings (kept or not), the objectives to choose from, and the one it supports."""

    name: str
    kept: tuple[bool, ...]
    candidates: tuple[float, ...]
    best: float | None


CANDIDATES = (0.8, 0.9, 0.95, 0.98, 1.0)
UNSORTED = (0.9, 0.6, 1.0, 0.8, 0.7)
BETWEEN = (0.97, 0.8, 0.87, 0.9)
"""Of thirty mornings 97 % are 29.1 and 87 % are 26.1: 29 and 26 are not enough."""


def strictest(candidates: tuple[float, ...], counts: list[int], mornings: int = 30) -> float | None:
    """The strictest candidate that the smallest count of kept mornings meets, or None."""
    return max((c for c in candidates if min(counts) >= round(c * mornings, 9)), default=None)


def sliding(kept: tuple[bool, ...], step: int = 1) -> list[int]:
    """Kept mornings in every thirty in a row; in months of thirty with step 30."""
    return [sum(kept[n : n + 30]) for n in range(0, len(kept) - 29, step)]


def histories(seed: int) -> tuple[History, ...]:
    """A simulated quarter, a good average with a bad fortnight, a month's end, an exact hit, short, perfect and hopeless ones.

    Some have as many late mornings as another, and other thirties: how many there are must not decide. In two only one thirty
    in a row is the worst, and it begins on a prime: no step but one finds both.
    """
    real = tuple(on_time(runlog.simulate(seed=seed), days(LAST_DAY - dt.timedelta(days=89), LAST_DAY)).values())
    dice = random.Random(f"histories {seed}")

    def without(*lost: int, of: int = 90) -> tuple[bool, ...]:
        return tuple(n not in lost for n in range(of))

    start = 8 + dice.randrange(10)
    shift = seed % 2
    lone, other_lone = dice.sample((11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59), 2)
    named = (
        ("a simulated quarter", real, CANDIDATES),
        ("a bad fortnight in a good quarter", without(*(start + 2 * n for n in range(5 + shift))), CANDIDATES),
        ("bad mornings on both sides of a month's end", without(*(n + shift for n in (26, 28, 31, 33))), CANDIDATES),
        ("exactly nine in ten in the worst thirty", without(10, 25, 39), CANDIDATES),
        ("a bad last month", without(60, 70, 75, 89), CANDIDATES),
        ("forty mornings", without(2, 33, 35 + shift, 38, 39, of=40), UNSORTED),
        ("thirty mornings", without(5, 7 + shift, 11, 13, 17, 19, of=30), UNSORTED),
        ("a bad first month", without(0, 1, 12 + shift, 24), CANDIDATES),
        ("one late morning", without(start), CANDIDATES),
        ("one late morning, other candidates", without(start + 30), BETWEEN),
        ("four late mornings in a month, other candidates", without(*(start + n for n in (0, 3, 5, 9))), BETWEEN),
        ("two late mornings, far apart", without(start, start + 50), CANDIDATES),
        ("three late mornings, far apart", without(3 + shift, 41, 80), CANDIDATES),
        ("four late mornings, far apart", without(4 + shift, 27, 50, 73), CANDIDATES),
        ("five late mornings, far apart", without(2 + shift, 21, 42, 63, 83), CANDIDATES),
        ("one bad stretch", without(*(lone + n for n in (0, 10, 20, 29))), CANDIDATES),
        ("another bad stretch", without(*(other_lone + n for n in (0, 11, 18, 29))), CANDIDATES),
        ("two late mornings in one month", without(start, start + 9), CANDIDATES),
        ("a perfect quarter", without(), CANDIDATES),
        ("every third morning late", tuple(bool(n % 3) for n in range(90)), CANDIDATES),
    )
    return tuple(History(name, kept, offered, strictest(offered, sliding(kept))) for name, kept, offered in named)


def _average(history: History) -> float | None:
    share = sum(history.kept) / len(history.kept)
    return max((c for c in history.candidates if share >= c), default=None)


SHORTCUTS: dict[str, tuple[str, Callable[[History], float | None]]] = {
    "average": ("You go by the average of all mornings, and it hides the worst stretch.", _average),
    "months": (
        "You cut the history into months of thirty. The worst thirty mornings in a row may lie across a cut.",
        lambda h: strictest(h.candidates, sliding(h.kept, 30)),
    ),
    "first-thirty": ("You look at the first thirty mornings alone.", lambda h: strictest(h.candidates, sliding(h.kept)[:1])),
    "last-thirty": ("You look at the last thirty mornings alone.", lambda h: strictest(h.candidates, sliding(h.kept)[-1:])),
    "whole-mornings": (
        "You round down how many mornings an objective needs. 98 % of thirty are 29.4: 29 are not enough.",
        lambda h: max((c for c in h.candidates if min(sliding(h.kept)) >= math.floor(c * 30 + 1e-9)), default=None),
    ),
    "skips-first": (
        "You leave out the first thirty mornings in a row.",
        lambda h: strictest(h.candidates, sliding(h.kept)[1:] or sliding(h.kept)),
    ),
    "strictly": (
        "You ask for more than the objective. Meeting it exactly is meeting it.",
        lambda h: max((c for c in h.candidates if min(sliding(h.kept)) > round(c * 30, 9)), default=None),
    ),
    "easiest": (
        "You return the easiest objective that was met; the strictest is asked for.",
        lambda h: min((c for c in h.candidates if min(sliding(h.kept)) >= round(c * 30, 9)), default=None),
    ),
    "wish": ("You return the strictest candidate, whatever the history says.", lambda h: max(h.candidates)),
}
"""How people choose an objective otherwise: by cause the sentence to the learner and what it would choose."""


def supported_by_history(work: Work, data: tuple[History, ...]) -> str:
    answers = [work.call("choose_objective", list(h.kept), list(h.candidates)) for h in data]
    chosen = []
    for history, got in zip(data, answers, strict=True):
        tried = _tried(history)
        chosen.append(None if got is None else number(got, "The objective", tried=tried))
        if chosen[-1] is not None and chosen[-1] not in history.candidates:
            said = "Return one of the candidates, or None."
            raise NotYet(said, tried=tried, expected=list(history.candidates), got=got, cause="candidate")
    if chosen == [h.best for h in data]:
        return f"Twenty histories; the simulated quarter supports {data[0].best}."
    history, got = next((h, c) for h, c in zip(data, chosen, strict=True) if c != h.best)
    worst = min(sliding(history.kept))
    otherwise = "That is not the strictest candidate that every thirty mornings in a row met.", "choice"
    said, cause = diagnosis(SHORTCUTS, lambda shortcut: chosen == [shortcut(h) for h in data], otherwise)
    facts = f"The worst thirty in a row of {history.name} kept {worst}, which is {worst / 30:.1%}."
    want = "None" if history.best is None else history.best
    raise NotYet(said, tried=_tried(history), expected=want, got="None" if got is None else got, cause=cause, look=facts)


def _tried(history: History) -> str:
    offered = ", ".join(map(str, history.candidates))
    return f"choose_objective for {history.name}: {sum(history.kept)} of {len(history.kept)} kept; candidates {offered}"


_CHOOSE = """
def choose_objective(kept, candidates):
    worst = min(sum(kept[i:i + 30]) for i in range(len(kept) - 29))
    met = [c for c in candidates if worst >= c * 30 - 1e-9]
    return max(met) if met else None
"""

_BY_COUNT = """
def choose_objective(kept, candidates):
    lost = kept.count(False)
    if lost >= len(kept) / 4:
        return None
    want = {0: 1.0, 1: 0.95}.get(lost, 0.9 if lost <= 3 else 0.8)
    return max((c for c in candidates if c <= want), default=None)
"""

TASK_2 = Task(
    id="11.2",
    title="Choose an objective you can keep",
    minutes=10,
    points=2,
    deliver=(function("choose_objective"),),
    data=histories,
    checks=(
        Check(
            "chooses what every thirty mornings in a row support",
            supported_by_history,
            expected=lambda d: [h.kept for h in d],
        ),
    ),
    hints=(
        "An objective of 95 % in 30 mornings must hold in *any* 30 mornings, also in the worst.",
        "Slide a window of 30 over the history (61 windows in 90 mornings) and take the one with the fewest kept.",
        "`worst = min(sum(kept[i:i+30]) for i in range(len(kept) - 29))`; then the largest candidate with `worst >= c * 30`, or None.",
    ),
    wrong=(
        wrong(
            "the average",
            "def choose_objective(kept, candidates):\n    met = [c for c in candidates if sum(kept) / len(kept) >= c]\n    return max(met) if met else None",
            "average",
        ),
        wrong("three months", _CHOOSE.replace("range(len(kept) - 29)", "range(0, len(kept) - 29, 30)"), "months"),
        wrong("the last thirty", _CHOOSE.replace("range(len(kept) - 29)", "[len(kept) - 30]"), "last-thirty"),
        wrong("the first thirty", _CHOOSE.replace("range(len(kept) - 29)", "[0]"), "first-thirty"),
        wrong("whole mornings", _CHOOSE.replace("c * 30 - 1e-9", "int(c * 30 + 1e-9)"), "whole-mornings"),
        wrong("mornings rounded", _CHOOSE.replace("c * 30 - 1e-9", "round(c * 30)"), "whole-mornings"),
        wrong(
            "losses rounded up",
            "import math\n" + _CHOOSE.replace("worst >= c * 30 - 1e-9", "30 - worst <= math.ceil(30 * (1 - c) - 1e-9)"),
            "whole-mornings",
        ),
        wrong(
            "without the first thirty",
            _CHOOSE.replace("range(len(kept) - 29)", "range(1 if len(kept) > 30 else 0, len(kept) - 29)"),
            "skips-first",
        ),
        wrong("always ninety mornings", _CHOOSE.replace("range(len(kept) - 29)", "range(61)"), "choice"),
        wrong("what the board would like", "def choose_objective(kept, candidates):\n    return max(candidates)", "wish"),
        wrong("strictly better", _CHOOSE.replace(">= c * 30 - 1e-9", "> c * 30 + 1e-9"), "strictly"),
        wrong("the easiest", _CHOOSE.replace("max(met)", "min(met)"), "easiest"),
        wrong(
            "a share rounded to whole percent",
            _CHOOSE.replace("worst >= c * 30 - 1e-9", "round(worst / 30, 2) >= c"),
            "choice",
            "whole-mornings",
        ),
        wrong("nearly enough", _CHOOSE.replace("1e-9", "0.39"), "choice", "whole-mornings"),
        wrong("every second thirty", _CHOOSE.replace("range(len(kept) - 29)", "range(0, len(kept) - 29, 2)"), "choice"),
        wrong(
            "every fifth thirty", _CHOOSE.replace("range(len(kept) - 29)", "range(0, len(kept) - 29, 5)"), "choice", "months"
        ),
        wrong("how many were lost", _BY_COUNT, "choice", "candidate"),
        wrong("the last of those that were met", _CHOOSE.replace("max(met)", "met[-1]"), "choice"),
        wrong("never nothing", _CHOOSE.replace("if met else None", "if met else min(candidates)"), "choice"),
        wrong(
            "the rate itself",
            "def choose_objective(kept, candidates):\n    return min(sum(kept[i:i + 30]) for i in range(len(kept) - 29)) / 30",
            "candidate",
        ),
    ),
    right=(
        right(
            "with pandas",
            "import pandas as pd\ndef choose_objective(kept, candidates):\n    worst = pd.Series(kept, dtype=float).rolling(30).sum().min()\n    met = [c for c in candidates if round(worst - 30 * c, 6) >= 0]\n    return max(met, default=None)",
        ),
        right(
            "counting failures",
            "def choose_objective(kept, candidates):\n    most = max(sum(not k for k in kept[i:i + 30]) for i in range(len(kept) - 29))\n    for c in sorted(candidates, reverse=True):\n        if most <= 30 * (1 - c) + 1e-9:\n            return c",
        ),
    ),
    clauses={
        "the strictest candidate": "the easiest",
        "every thirty mornings in a row": "three months",
        "at least thirty of them": "always ninety mornings",
        "in any order": "the last of those that were met",
        "or `None` when there is none": "never nothing",
        "Meeting an objective exactly is meeting it": "strictly better",
        "whose average is fine": "the average",
        "98 % of thirty are 29.4": "whole mornings",
        "a bad first month": "without the first thirty",
    },
    spared={"line 4: 6 → 7": "rounding to six or seven digits is the same here"},
)
