"""Task 11.4: an alert that rings where a long and a short window both burn."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import (
    diagnosis,
    whole_number,
    wrong_type,
)

LONG, SHORT, FAST = 12, 1, 14.4
"""Windows in five-minute bins (one hour, five minutes) and the burn rate that spends 2 % of a 30-day budget in an hour."""


@dataclass(frozen=True)
class Stream:
    """Reads of the dashboard in five-minute bins: (reads, stale reads), and the objective."""

    name: str
    bins: tuple[tuple[int, int], ...]
    objective: float = 0.99


def burn(bins: Sequence[tuple[int, int]], objective: float) -> float:
    """Burn rate: share of bad reads over the share that may be bad; 0 without reads."""
    reads = sum(b[0] for b in bins)
    return (sum(b[1] for b in bins) / reads) / (1 - objective) if reads else 0.0


def ringing(stream: Stream, *, long: int = LONG, short: int = SHORT, fast: float = FAST, above: bool = False) -> list[int]:
    """Bins at whose end every window burns at `fast` or more (or above it); a window of 0 bins is not looked at."""
    found = []
    for n in range(len(stream.bins)):
        windows = [stream.bins[max(0, n - size + 1) : n + 1] for size in (long, short) if size]
        rates = [burn(window, stream.objective) for window in windows]
        if all(rate > fast if above else rate >= fast - 1e-9 for rate in rates):
            found.append(n)
    return found


def _mean_of_rates(stream: Stream) -> list[int]:
    """Bins that ring where the hour is the mean of its bins' rates, whatever was read in each."""
    rates = [burn([b], stream.objective) for b in stream.bins]
    hour = [rates[max(0, n - LONG + 1) : n + 1] for n in range(len(rates))]
    return [n for n, r in enumerate(rates) if r >= FAST - 1e-9 and sum(hour[n]) / len(hour[n]) >= FAST - 1e-9]


def _any_in_short(stream: Stream) -> list[int]:
    return [n for n in ringing(stream, short=0) if stream.bins[n][1]]


def _full_hours(stream: Stream) -> list[int]:
    return [n for n in ringing(stream) if n >= LONG - 1]


def streams(seed: int) -> tuple[Stream, ...]:
    """Thirteen mornings of dashboard reads; the last is a plain outage."""
    dice = random.Random(f"streams {seed}")

    def reads() -> int:
        return 180 + dice.randrange(60)

    def made(name: str, bad: dict[int, float], few: dict[int, int] | None = None) -> Stream:
        counts = [(few or {}).get(n, reads()) for n in range(36)]
        return Stream(name, tuple((r, round(r * bad.get(n, 0))) for n, r in enumerate(counts)))

    at = 14 + seed % 5
    outage = dict.fromkeys(range(at, at + 8), 0.9)
    exact = tuple((1000, 900) if 4 <= n < 26 else (1000, 0) for n in range(36))
    below = tuple((10_000, 1_439) if at <= n < at + 16 else (10_000, 0) for n in range(36))
    nearly = tuple((1000, 888) if 4 <= n < 26 else (1000, 0) for n in range(36))
    above = tuple((10_000, 1_441) if at <= n < at + 16 else (10_000, 0) for n in range(36))
    return (
        made("a blip of five minutes", {at: 0.6}),
        made("a slow burn", dict.fromkeys(range(6, 36), 0.08)),
        made("half an hour, then mended", dict.fromkeys(range(at, at + 6), 0.8)),
        made("an outage that ends bit by bit", outage | {at + 8: 0.14, at + 9: 0.05, at + 10: 0.01}),
        made("an hour without a single read", dict.fromkeys(range(26, 36), 0.9), dict.fromkeys(range(8, 24), 0)),
        made("a bin with three reads", {at: 1.0, at + 1: 0.16, at + 2: 0.16}, {at: 3}),
        made("a few reads in the middle of an outage", outage | {at + 4: 1.0, at + 6: 1.0}, {at + 4: 3, at + 6: 1}),
        made("a bad start", {0: 0.6, 5: 0.6}),
        Stream("exactly 14.4 times", exact, 0.9375),
        Stream("14.2 times", nearly, 0.9375),
        Stream("14.41 times", above),
        Stream("14.39 times", below),
        made("an outage of forty minutes", outage),
    )


MISRINGS: dict[str, tuple[str, Callable[[Stream], list[int]]]] = {
    "short-alone": ("You look at the last five minutes alone.", lambda s: ringing(s, long=0)),
    "long-alone": ("You look at the last hour alone.", lambda s: ringing(s, short=0)),
    "boundary": ("You ring above 14.4, not at 14.4.", lambda s: ringing(s, above=True)),
    "any-in-short": (
        "Your last five minutes ring at any stale read. They must burn at 14.4 or more, as the hour must.",
        _any_in_short,
    ),
    "eleven": ("Your hour has eleven bins. The bin and the eleven before it are twelve.", lambda s: ringing(s, long=11)),
    "thirteen": ("Your hour has thirteen bins. The bin and the eleven before it are twelve.", lambda s: ringing(s, long=13)),
    "full-hours": ("You begin when there is a whole hour to look back on.", _full_hours),
    "mean-of-rates": ("You average the rates of the bins, whatever was read in each.", _mean_of_rates),
    "any-stale": ("You ring at any stale read.", lambda s: [n for n, (_, stale) in enumerate(s.bins) if stale]),
    "objective": (
        "You reckon with an objective of 99 %, whatever is handed over.",
        lambda s: ringing(replace(s, objective=0.99)),
    ),
}
"""How people ring otherwise: by cause the sentence to the learner and the bins it would ring at."""


def pages_when_both_windows_burn(work: Work, data: tuple[Stream, ...]) -> str:
    answers = []
    for stream in data:
        tried = f"pages(bins, {stream.objective}) for {stream.name}"
        got = work.call("pages", [list(b) for b in stream.bins], stream.objective)
        if not isinstance(got, list | tuple | set):
            raise wrong_type("What you return", "a list of bin numbers, from 0", got, tried=tried)
        answers.append(sorted(whole_number(n, "A bin number", tried=tried) for n in got))
    if all(got == ringing(stream) for got, stream in zip(answers, data, strict=True)):
        outage = ringing(data[-1])
        return f"Thirteen mornings; the outage pages from bin {outage[0]} to {outage[-1]}."
    stream, got = next((s, g) for s, g in zip(data, answers, strict=True) if g != ringing(s))
    otherwise = f"Wrong bins on {stream.name}.", "bins"
    said, cause = diagnosis(MISRINGS, lambda misring: answers == [misring(one) for one in data], otherwise)
    raise NotYet(
        said,
        tried=f"pages(bins, {stream.objective}) for {stream.name}",
        expected=f"bins {ringing(stream)}",
        got=f"bins {got}",
        cause=cause,
        look=_first_difference(stream, got),
    )


def _first_difference(stream: Stream, got: list[int]) -> str:
    """How both windows burn at the first bin where the answer differs, and what that means for this bin."""
    differ = set(got) ^ set(ringing(stream))
    if not differ:
        return "A bin stands in your answer more than once."
    at = min(differ)
    if not 0 <= at < len(stream.bins):
        return f"There is no bin {at}: the bins are numbered from 0 to {len(stream.bins) - 1}."
    hour = burn(stream.bins[max(0, at - LONG + 1) : at + 1], stream.objective)
    five = burn(stream.bins[at : at + 1], stream.objective)
    burns = tuple(rate >= FAST - 1e-9 for rate in (hour, five))
    said = f"At bin {at} the hour burns at {hour:.4g} and the five minutes at {five:.4g}"
    return f"{said}: {RINGS[burns] if at in got else 'both at 14.4 or more, and you do not ring'}."


RINGS = {
    (True, False): "the short window is not at 14.4, and you ring",
    (False, True): "the long window is not at 14.4, and you ring",
    (False, False): "neither is at 14.4, and you ring",
}
"""What is wrong with ringing at a bin, by which of the hour and the five minutes burns."""


_PAGES = """
def pages(bins, objective):
    def burn(part):
        reads = sum(r for r, bad in part)
        return sum(bad for r, bad in part) / reads / (1 - objective) if reads else 0
    return [n for n in range(len(bins)) if burn(bins[max(0, n - 11):n + 1]) >= 14.4 and burn(bins[n:n + 1]) >= 14.4]
"""

TASK_4 = Task(
    id="11.4",
    title="Two windows",
    minutes=15,
    points=2,
    deliver=(function("pages"),),
    data=streams,
    checks=(
        Check(
            "pages when the hour and the last five minutes both burn",
            pages_when_both_windows_burn,
            expected=lambda d: [s.bins for s in d],
        ),
    ),
    hints=(
        "Write the burn rate as a small function of a list of bins first, and try it on a list without reads.",
        "For bin n: the long window is bins n−11 to n, the short one is bin n. Page where both burn at 14.4 or more.",
        "`burn = bad / reads / (1 - objective)`, 0 when there are no reads; `[n for n in range(len(bins)) if burn(bins[max(0, n-11):n+1]) >= 14.4 and burn(bins[n:n+1]) >= 14.4]`.",
    ),
    wrong=(
        wrong("the short window alone", _PAGES.replace("burn(bins[max(0, n - 11):n + 1]) >= 14.4 and ", ""), "short-alone"),
        wrong("the long window alone", _PAGES.replace(" and burn(bins[n:n + 1]) >= 14.4", ""), "long-alone"),
        wrong("a lower threshold", _PAGES.replace("14.4", "6.0"), "bins"),
        wrong("a threshold of 14.35", _PAGES.replace("14.4", "14.35"), "bins"),
        wrong(
            "a rate of one decimal",
            _PAGES.replace("/ reads / (1 - objective) if", "/ reads / (1 - objective) // 0.05 * 0.05 + 0.051 if"),
            "bins",
        ),
        wrong("whole percents", _PAGES.replace("(1 - objective)", "round(1 - objective, 2)"), "bins"),
        wrong("a threshold of 15", _PAGES.replace("14.4", "15"), "bins"),
        wrong(
            "any stale read in the short window",
            _PAGES.replace("burn(bins[n:n + 1]) >= 14.4", "bins[n][1] > 0"),
            "any-in-short",
        ),
        wrong(
            "a short window at one",
            _PAGES.replace("burn(bins[n:n + 1]) >= 14.4", "burn(bins[n:n + 1]) >= 1"),
            "bins",
            "any-in-short",
        ),
        wrong("a short window at ten", _PAGES.replace("burn(bins[n:n + 1]) >= 14.4", "burn(bins[n:n + 1]) >= 10"), "bins"),
        wrong(
            "without bins of few reads",
            _PAGES.replace("for n in range(len(bins)) if", "for n in range(len(bins)) if bins[n][0] >= 10 and"),
            "bins",
        ),
        wrong(
            "without bins of one stale read",
            _PAGES.replace("for n in range(len(bins)) if", "for n in range(len(bins)) if bins[n][1] > 1 and"),
            "bins",
        ),
        wrong("a bin twice", _PAGES.replace("    return [n for", "    return 2 * [n for"), "bins"),
        wrong("divides by nothing", _PAGES.replace(" if reads else 0", ""), "error"),
        wrong("more than", _PAGES.replace(">= 14.4", "> 14.4"), "boundary"),
        wrong("eleven bins", _PAGES.replace("n - 11", "n - 10"), "eleven"),
        wrong("thirteen bins", _PAGES.replace("n - 11", "n - 12"), "thirteen"),
        wrong("only after a whole hour", _PAGES.replace("range(len(bins))", "range(11, len(bins))"), "full-hours"),
        wrong("always 99 %", _PAGES.replace("(1 - objective)", "(1 - 0.99)"), "objective"),
        wrong(
            "averages the bins' rates",
            "def pages(bins, objective):\n    rate = [bad / reads / (1 - objective) if reads else 0 for reads, bad in bins]\n    def mean(part):\n        return sum(part) / len(part)\n    return [n for n in range(len(bins)) if mean(rate[max(0, n - 11):n + 1]) >= 14.4 and rate[n] >= 14.4]",
            "mean-of-rates",
        ),
        wrong(
            "any stale read",
            "def pages(bins, objective):\n    return [n for n, (reads, bad) in enumerate(bins) if bad]",
            "any-stale",
        ),
        wrong("from 1", _PAGES.replace("return [n for", "return [n + 1 for"), "bins"),
    ),
    right=(
        right(
            "cumulative sums",
            "from itertools import accumulate\ndef pages(bins, objective):\n    reads = [0, *accumulate(b[0] for b in bins)]\n    bad = [0, *accumulate(b[1] for b in bins)]\n    limit = 14.4 * (1 - objective)\n    def hot(a, b):\n        return reads[b] > reads[a] and (bad[b] - bad[a]) >= limit * (reads[b] - reads[a]) - 1e-6\n    return [n for n in range(len(bins)) if hot(max(0, n - 11), n + 1) and hot(n, n + 1)]",
        ),
        right(
            "pandas",
            "import pandas as pd\ndef pages(bins, objective):\n    f = pd.DataFrame(bins, columns=['reads', 'bad'])\n    long = f.rolling(12, min_periods=1).sum()\n    hot = (long.bad / long.reads.where(long.reads > 0) / (1 - objective) >= 14.4 - 1e-6) & (f.bad / f.reads.where(f.reads > 0) / (1 - objective) >= 14.4 - 1e-6)\n    return [int(n) for n in f.index[hot]]",
        ),
    ),
    clauses={
        "over the share that the objective allows": "always 99 %",
        "the numbers of the bins, from 0": "from 1",
        "the last hour (the bin and the eleven before it": "eleven bins",
        "fewer at the start": "only after a whole hour",
        "both the last hour": "the short window alone",
        "and the last five minutes": "the long window alone",
        "at 14.4 or more": "more than",
        "Without reads nothing burns": "divides by nothing",
        "an outage that ends bit by bit": "any stale read in the short window",
        "a few reads in the middle of an outage": "without bins of few reads",
        "14.41": "a threshold of 15",
        "14.39": "a threshold of 14.35",
        "14.2 and exactly 14.4 under another objective": "whole percents",
        "the share of stale reads": "averages the bins' rates",
    },
    spared={"line 6: 0 → 1": "a burn rate of 1 pages no more than 0"},
)
