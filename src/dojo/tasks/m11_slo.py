"""Module 11: data as a product with a promise: indicators, objectives, budgets, alerts, policy."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pyarrow as pa

from dojo.judge.contract import Check, Module, NotYet, Task, file, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import number, parse_yaml
from shopflow import runlog
from shopflow.clock import LAST_DAY, days

EIGHT = dt.time(8)


def prepare(root: Path) -> None:
    """The company, with the run log of the ninety mornings up to yesterday in prod."""
    from dojo.workspace import build_company
    from shopflow.platform import Platform

    build_company(root)
    with Platform(root, "prod").connect() as con:
        con.register("mornings", runlog.simulate(seed=7))
        con.execute("delete from ops.run_log; insert into ops.run_log from mornings")


def on_time(log: pa.Table, window: list[dt.date]) -> dict[dt.date, bool]:
    """For each morning whether the promise was kept: published by 08:00 Berlin time after a quality check that passed."""
    rows = log.to_pylist()
    kept = {}
    for day in window:
        ready = [
            r
            for r in rows
            if r["run_date"] == day
            and r["step"] == "publish"
            and r["status"] == "success"
            and runlog.to_berlin(r["finished_at"]).time() <= EIGHT
        ]
        checks = sorted(
            (r for r in rows if r["run_date"] == day and r["step"] == "quality_check"), key=lambda r: r["finished_at"]
        )
        before = [c for c in checks if ready and c["finished_at"] <= min(r["started_at"] for r in ready)]
        kept[day] = bool(ready) and bool(before) and before[-1]["status"] == "success"
    return kept


# ---------------------------------------------------------------- 11.1


@dataclass(frozen=True)
class Measured:
    """A run log with awkward mornings, the window asked for, and what is true of each morning."""

    tables: dict[str, Any]
    first: dt.date
    last: dt.date
    kept: dict[dt.date, bool]
    sharp: dt.date
    summer_late: dt.date
    winter_late: dt.date
    gone: dt.date
    forced: dt.date
    retried: dt.date
    close: dt.date
    again: dt.date


def awkward_mornings(seed: int) -> Measured:
    """Four weeks around the end of summer time, with eight mornings that catch people out."""
    first, last = dt.date(2025, 10, 13), dt.date(2025, 11, 9)
    dice = random.Random(f"awkward {seed}")
    kinds = dict.fromkeys(days(first, last), "ordinary")
    for day, kind in zip(
        dice.sample(days(first, last), 4), ("late-source", "hung-step", "never-started", "failed-quality"), strict=True
    ):
        kinds[day] = kind
    free = [d for d in kinds if kinds[d] == "ordinary"]
    summer = [d for d in free if d < dt.date(2025, 10, 26)]
    winter = [d for d in free if d > dt.date(2025, 10, 26)]
    sharp, gone, forced, winter_late, close = dice.sample(winter, 5)
    retried, summer_late, again = dice.sample(summer, 3)
    rows = [r for r in runlog.simulate(seed=seed, mornings=kinds).to_pylist() if r["run_date"] != gone]
    for row in rows:
        moved = {
            sharp: (8, 0),
            close: (7, 20 + seed % 10),
            summer_late: (8, 20 + seed % 10),
            winter_late: (8, 30 + seed % 10),
        }.get(row["run_date"])
        if moved and row["step"] == "publish":
            row["finished_at"] = runlog.to_utc(dt.datetime.combine(row["run_date"], dt.time(*moved)))
        if row["run_date"] == forced and row["step"] == "quality_check":
            row["status"] = "failed"
        if row["run_date"] == retried and row["step"] == "publish":
            row.update(attempt=2)
            early = {**row, "attempt": 1, "status": "failed", "finished_at": row["started_at"] + dt.timedelta(seconds=30)}
            row["started_at"] = early["finished_at"]
    failed = next(r for r in rows if r["run_date"] == retried and r["step"] == "publish")
    rows.append(
        {
            **failed,
            "attempt": 1,
            "status": "failed",
            "finished_at": failed["started_at"],
            "started_at": failed["started_at"] - dt.timedelta(seconds=30),
        }
    )
    published = next(r for r in rows if r["run_date"] == again and r["step"] == "publish")
    corrected = runlog.to_utc(dt.datetime.combine(again, dt.time(10, 15)))
    rows.append({**published, "attempt": 2, "started_at": corrected, "finished_at": corrected + dt.timedelta(minutes=4)})
    log = pa.Table.from_pylist(rows)
    return Measured(
        {"ops.run_log": log},
        first,
        last,
        on_time(log, days(first, last)),
        sharp,
        summer_late,
        winter_late,
        gone,
        forced,
        retried,
        close,
        again,
    )


def each_morning_judged(work: Work, data: Measured) -> str:
    tried = f"kept_promises(con, {data.first}, {data.last})"
    got = work.call("kept_promises", Database(data.tables), data.first, data.last)
    if not isinstance(got, dict):
        raise NotYet("Return a dict: run date → True or False.", tried=tried, got=got, cause="type")
    got = {(k.date() if isinstance(k, dt.datetime) else k): bool(v) for k, v in got.items()}
    if len(got) < len(data.kept):
        missing = sorted(set(data.kept) - set(got))
        raise NotYet(
            f"{len(missing)} mornings are not in your answer, {missing[0]} among them. Nothing was published then, so it is the worst kind of morning, and it has vanished from your statistics.",
            tried=tried, expected=f"{len(data.kept)} mornings", got=f"{len(got)} mornings", cause="vanished",
        )  # fmt: skip
    named = {
        data.close: (
            f"Published at {_utc(data, data.close)} UTC, which in winter is one hour later in Berlin and well before eight.",
            "utc",
        ),
        data.again: (
            "Published in time, and once more at 10:19 with a correction. Readers had their data when they needed it: the first success counts.",
            "again",
        ),
        data.sharp: ("Published at 08:00:00: “by eight” includes eight.", "boundary"),
        data.summer_late: (
            f"Published after eight in Berlin, when the log, in UTC, said {_utc(data, data.summer_late)}.",
            "utc",
        ),
        data.winter_late: (
            f"Published after eight in Berlin, when the log, in UTC, said {_utc(data, data.winter_late)}. Winter: one hour, not two.",
            "utc",
        ),
        data.forced: ("Published in time, after a quality check that had failed. The promise has two halves.", "quality"),
        data.retried: ("The first attempt to publish failed, the second was in time: readers had their data.", "attempt"),
    }
    for day, (said, cause) in named.items():
        if got.get(day) != data.kept[day]:
            raise NotYet(f"{day}: {said}", tried=tried, expected=data.kept[day], got=got.get(day), cause=cause)
    wrong_days = sorted(d for d in data.kept if got.get(d) != data.kept[d])
    if wrong_days:
        raise NotYet(
            f"{len(wrong_days)} mornings judged otherwise than finance would, {wrong_days[0]} first.",
            tried=tried,
            expected=data.kept[wrong_days[0]],
            got=got.get(wrong_days[0]),
            cause="mornings",
        )
    if extra := set(got) - set(data.kept):
        raise NotYet(f"{min(extra)} is outside of the window that was asked for.", tried=tried, cause="window")
    return f"{sum(data.kept.values())} of {len(data.kept)} mornings kept."


def a_narrow_window(work: Work, data: Measured) -> str:
    day = data.gone
    got = work.call("kept_promises", Database(data.tables), day, day)
    if not isinstance(got, dict) or [bool(v) for v in got.values()] != [False]:
        raise NotYet(
            f"Asked for {day} alone, a morning without a single row in the log. One morning, not kept.",
            tried=f"kept_promises(con, {day}, {day})",
            expected={day: False},
            got=got,
            cause="vanished",
        )
    return "A morning that left no trace counts as broken."


def _utc(data: Measured, day: dt.date) -> str:
    return next(
        f"{r['finished_at']:%H:%M}"
        for r in data.tables["ops.run_log"].to_pylist()
        if r["run_date"] == day and r["step"] == "publish"
    )


_KEPT = """
def kept_promises(con, first, last):
    import datetime as dt
    rows = con.execute('''
        with mornings as (select unnest(generate_series(?::date, ?::date, interval 1 day))::date as run_date),
        ready as (
            select run_date, min(finished_at) filter (step = 'publish' and status = 'success') as published,
                bool_or(step = 'quality_check' and status = 'success') as checked
            from ops.run_log group by run_date)
        select run_date, published is not null and checked
            and timezone('Europe/Berlin', timezone('UTC', published))::time <= time '08:00'
        from mornings left join ready using (run_date)''', [first, last]).fetchall()
    return {day: bool(kept) for day, kept in rows}
"""

TASK_1 = Task(
    id="11.1",
    title="Measure the promise",
    minutes=15,
    points=3,
    deliver=(function("kept_promises"),),
    data=awkward_mornings,
    checks=(
        Check("judges every morning as its readers would", each_morning_judged, expected=lambda d: d.kept),
        Check("counts a morning that left no trace", a_narrow_window),
    ),
    hints=(
        "Which mornings are not in the log at all, and what would finance say about them? Start from the calendar, not from the log.",
        "Per run date: the successful publish, in Berlin time, not after 08:00; and a quality check that passed. Left join that to a series of days.",
        "`generate_series(first, last, interval 1 day)` left join an aggregate of `ops.run_log` by `run_date`, with `min(finished_at) filter (step = 'publish' and status = 'success')` and `bool_or(step = 'quality_check' and status = 'success')`.",
    ),
    wrong=(
        wrong("only mornings in the log", _KEPT.replace("from mornings left join ready using (run_date)", "from ready where run_date between ? and ?").replace("[first, last]", "[first, last, first, last]"), "vanished"),
        wrong("UTC against eight", _KEPT.replace("timezone('Europe/Berlin', timezone('UTC', published))", "published"), "utc"),
        wrong("two hours all year", _KEPT.replace("timezone('Europe/Berlin', timezone('UTC', published))", "(published + interval 2 hour)"), "utc"),
        wrong("one hour all year", _KEPT.replace("timezone('Europe/Berlin', timezone('UTC', published))", "(published + interval 1 hour)"), "utc"),
        wrong("before eight", _KEPT.replace("<= time '08:00'", "< time '08:00'"), "boundary"),
        wrong("no look at quality", _KEPT.replace("published is not null and checked", "published is not null"), "quality"),
        wrong("the last success", _KEPT.replace("min(finished_at)", "max(finished_at)"), "again"),
        wrong("the first attempt", _KEPT.replace("step = 'publish' and status = 'success'", "step = 'publish' and attempt = 1 and status = 'success'"), "attempt"),
    ),
    right=(
        right("in SQL", _KEPT),
        right("with pandas", """
import pandas as pd
def kept_promises(con, first, last):
    log = con.execute("select * from ops.run_log").df()
    log["local"] = log.finished_at.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    kept = {}
    for stamp in pd.date_range(first, last):
        of_day = log[log.run_date.astype(str).str[:10] == str(stamp.date())]
        done = of_day[of_day.status == "success"]
        ready = done[done.step == "publish"].local
        limit = pd.Timestamp(str(stamp.date()) + " 08:00", tz="Europe/Berlin")
        kept[stamp.date()] = bool(len(ready) and ready.min() <= limit and (done.step == "quality_check").any())
    return kept
"""),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- 11.2


@dataclass(frozen=True)
class Histories:
    """Histories of mornings (kept or not), with the objective each supports."""

    cases: tuple[tuple[str, tuple[bool, ...], float | None], ...]


CANDIDATES = [0.8, 0.9, 0.95, 0.98, 1.0]


def supported(kept: tuple[bool, ...]) -> float | None:
    """The strictest candidate that every 30 mornings in a row would have met."""
    worst = min(sum(kept[i : i + 30]) for i in range(len(kept) - 29))
    return max((c for c in CANDIDATES if worst >= round(c * 30, 9)), default=None)


def histories(seed: int) -> Histories:
    """Ninety real mornings, a good average with one bad fortnight, an exact hit, a perfect and a hopeless quarter."""
    real = tuple(on_time(runlog.simulate(seed=seed), days(LAST_DAY - dt.timedelta(days=89), LAST_DAY)).values())
    dice = random.Random(f"histories {seed}")
    start = 8 + dice.randrange(10)
    clump = [True] * 90
    for n in range(5 + seed % 2):
        clump[start + 2 * n] = False
    across = [True] * 90
    for n in (26, 28, 31, 33):
        across[n + seed % 2] = False
    exact = [True] * 90
    for n in (10, 25, 39):
        exact[n + dice.randrange(1)] = False
    end = [n not in (60, 70, 75, 89) for n in range(90)]
    hopeless = [bool(n % 3) for n in range(90)]
    named = (
        ("the ninety mornings", real),
        ("a bad fortnight in a good quarter", tuple(clump)),
        ("bad mornings on both sides of the end of a month", tuple(across)),
        ("exactly nine in ten in the worst thirty", tuple(exact)),
        ("a bad last month", tuple(end)),
        ("a perfect quarter", (True,) * 90),
        ("every third morning late", tuple(hopeless)),
    )
    return Histories(tuple((name, kept, supported(kept)) for name, kept in named))


def supported_by_history(work: Work, data: Histories) -> str:
    for name, kept, want in data.cases:
        got = work.call("choose_objective", list(kept), CANDIDATES)
        tried = f"choose_objective for {name}: {sum(kept)} of {len(kept)} kept"
        if got is not None:
            got = number(got, "The objective")
        if got == want:
            continue
        worst = min(sum(kept[i : i + 30]) for i in range(len(kept) - 29))
        if got is not None and got not in CANDIDATES:
            raise NotYet("Choose one of the candidates.", tried=tried, expected=CANDIDATES, got=got, cause="candidate")
        if want is None or (got is not None and got > want):
            average = max((c for c in CANDIDATES if sum(kept) / len(kept) >= c), default=None)
            months = min(sum(kept[i : i + 30]) for i in (0, 30, 60))
            if got == average:
                said, cause = (
                    f"The average over the quarter hides its worst stretch: there were 30 mornings in a row with only {worst} kept.",
                    "average",
                )
            elif got == max((c for c in CANDIDATES if months >= round(c * 30, 9)), default=None):
                said, cause = (
                    f"You cut the quarter in three. The worst 30 mornings in a row, {worst} kept, lie across a cut.",
                    "months",
                )
            else:
                said, cause = (
                    f"The worst 30 mornings in a row kept {worst}; that is {worst / 30:.0%}. You would promise what you have not done.",
                    "wish",
                )
        else:
            said, cause = (
                f"Too modest: even the worst 30 mornings in a row kept {worst} of 30, which is {worst / 30:.0%}. Reaching an objective exactly is reaching it.",
                "modest",
            )
        raise NotYet(said, tried=tried, expected=want, got=got, cause=cause)
    return f"Seven histories; the real one supports {data.cases[0][2]}."


_CHOOSE = """
def choose_objective(kept, candidates):
    worst = min(sum(kept[i:i + 30]) for i in range(len(kept) - 29))
    met = [c for c in candidates if worst >= c * 30 - 1e-9]
    return max(met) if met else None
"""

TASK_2 = Task(
    id="11.2",
    title="Choose an objective you can keep",
    minutes=10,
    points=2,
    deliver=(function("choose_objective"),),
    data=histories,
    checks=(Check("chooses what every thirty mornings in a row support", supported_by_history, expected=lambda d: [c[1] for c in d.cases]),),
    hints=(
        "An objective of 95 % in 30 mornings must hold in *any* 30 mornings, also in the worst.",
        "Slide a window of 30 over the history (61 windows in 90 mornings) and take the one with the fewest kept.",
        "`worst = min(sum(kept[i:i+30]) for i in range(len(kept) - 29))`; then the largest candidate with `worst >= c * 30`, or None.",
    ),
    wrong=(
        wrong("the average", "def choose_objective(kept, candidates):\n    met = [c for c in candidates if sum(kept) / len(kept) >= c]\n    return max(met) if met else None", "average"),
        wrong("three months", "def choose_objective(kept, candidates):\n    worst = min(sum(kept[i:i + 30]) for i in (0, 30, 60))\n    met = [c for c in candidates if worst >= c * 30 - 1e-9]\n    return max(met) if met else None", "months"),
        wrong("what the board would like", "def choose_objective(kept, candidates):\n    return max(candidates)", "wish"),
        wrong("strictly better", _CHOOSE.replace(">= c * 30 - 1e-9", "> c * 30 + 1e-9"), "modest"),
        wrong("the easiest", _CHOOSE.replace("max(met)", "min(met)"), "modest"),
        wrong("the rate itself", "def choose_objective(kept, candidates):\n    return min(sum(kept[i:i + 30]) for i in range(len(kept) - 29)) / 30", "candidate"),
    ),
    right=(
        right("with pandas", "import pandas as pd\ndef choose_objective(kept, candidates):\n    worst = pd.Series(kept, dtype=float).rolling(30).sum().min()\n    met = [c for c in candidates if round(worst - 30 * c, 6) >= 0]\n    return max(met, default=None)"),
        right("counting failures", "def choose_objective(kept, candidates):\n    most = max(sum(not k for k in kept[i:i + 30]) for i in range(len(kept) - 29))\n    for c in sorted(candidates, reverse=True):\n        if most <= 30 * (1 - c) + 1e-9:\n            return c"),
    ),
    spared={"line 4: 6 → 7": "rounding to six or seven digits is the same here"},
)  # fmt: skip


# ---------------------------------------------------------------- 11.3


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
    """A period that overspends, a thrifty one, one of 20 mornings, and one with an objective that allows nothing."""
    dice = random.Random(f"spending {seed}")
    made = []
    for objective, length, bad in ((0.9, 30, 5), (0.95, 30, 1), (0.9, 20, 2), (1.0, 30, 1)):
        lost = set(dice.sample(range(1, length), bad))
        kept = tuple(n not in lost for n in range(length))
        made.append((objective, kept, left_after_each(kept, objective)))
    return Spending(tuple(made))


def spends_morning_by_morning(work: Work, data: Spending) -> str:
    for objective, kept, want in data.cases:
        tried = f"budget_left for {len(kept)} mornings, {kept.count(False)} lost, objective {objective:.0%}"
        got = work.call("budget_left", list(kept), objective)
        if not isinstance(got, list | tuple) or len(got) != len(kept):
            raise NotYet(
                "Return a list with one number for each morning.",
                tried=tried,
                expected=f"{len(kept)} numbers",
                got=got,
                cause="shape",
            )
        values = [number(v, "What is left") for v in got]
        if all(abs(v - w) < 1e-6 for v, w in zip(values, want, strict=True)):
            continue
        budget = (1 - objective) * len(kept)
        if all(abs(v - max(0.0, w)) < 1e-6 for v, w in zip(values, want, strict=True)):
            said, cause = (
                "You stop at zero. An overspent budget is below zero, and how far below is what the policy meeting is about.",
                "floor",
            )
        elif len(kept) != 30 and abs(values[0] - ((1 - objective) * 30 - (not kept[0]))) < 1e-6:
            said, cause = (
                f"This period has {len(kept)} mornings, so {1 - objective:.0%} of them are {budget:g}; you reckon with 30.",
                "thirty",
            )
        elif all(abs(v - (w + (not k))) < 1e-6 for v, w, k in zip(values, want, kept, strict=True)):
            said, cause = "You give what was left before each morning. After a lost morning its loss is in.", "before"
        elif abs(values[0] - objective * len(kept)) < 1.1:
            said, cause = (
                f"The budget is what may be lost: {1 - objective:.0%} of {len(kept)} mornings, {budget:g}. You started from what must be kept.",
                "inverted",
            )
        elif budget and all(abs(v * budget - w) < 1e-6 for v, w in zip(values, want, strict=True)):
            said, cause = "You give shares of the budget; the on-call plan counts in mornings.", "share"
        else:
            said, cause = f"After the last morning {want[-1]:g} mornings are left.", "amount"
        raise NotYet(said, tried=tried, expected=[round(w, 2) for w in want], got=[round(v, 2) for v in values], cause=cause)
    return "Four periods, spent morning by morning."


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
        wrong("before the morning", _LEFT.replace("        if not good:\n            left -= 1\n        result.append(left)", "        result.append(left)\n        if not good:\n            left -= 1"), "before"),
        wrong("what must be kept", _LEFT.replace("(1 - objective)", "objective"), "inverted"),
        wrong("shares", "def budget_left(kept, objective):\n    budget = (1 - objective) * len(kept)\n    return [1 - sum(not k for k in kept[:n + 1]) / budget for n in range(len(kept))]", "share"),
        wrong("counts the kept", _LEFT.replace("if not good", "if good"), "amount"),
        wrong("one number", _LEFT.replace("return result", "return left"), "shape"),
    ),
    right=(
        right("accumulate", "from itertools import accumulate\ndef budget_left(kept, objective):\n    budget = (1 - objective) * len(kept)\n    return [budget - lost for lost in accumulate(0 if k else 1 for k in kept)]"),
        right("numpy", "import numpy as np\ndef budget_left(kept, objective):\n    return (len(kept) * (1 - objective) - np.cumsum(~np.array(kept, dtype=bool))).tolist()"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- 11.4

LONG, SHORT, FAST = 12, 1, 14.4
"""Windows in five-minute bins (one hour, five minutes) and the burn rate that spends 2 % of a 30-day budget in an hour."""


@dataclass(frozen=True)
class Stream:
    """Reads of the dashboard in five-minute bins: (reads, stale reads), and at which bins a page is right."""

    name: str
    bins: tuple[tuple[int, int], ...]
    pages: tuple[int, ...]
    cause: str
    said: str


def burn(bins: list[tuple[int, int]], objective: float) -> float:
    """Burn rate: share of bad reads over the share that may be bad; 0 without reads."""
    reads = sum(b[0] for b in bins)
    return (sum(b[1] for b in bins) / reads) / (1 - objective) if reads else 0.0


def right_pages(bins: tuple[tuple[int, int], ...], objective: float) -> tuple[int, ...]:
    """Bins at whose end both windows burn at FAST or more."""
    found = []
    for n in range(len(bins)):
        windows = (list(bins[max(0, n - LONG + 1) : n + 1]), list(bins[n : n + 1]))
        if all(burn(w, objective) >= FAST - 1e-9 for w in windows):
            found.append(n)
    return tuple(found)


OBJECTIVE = 0.99


def streams(seed: int) -> tuple[Stream, ...]:
    """Seven mornings of dashboard reads: a blip, a slow burn, a recovery, a quiet hour, a bad start, an exact hit, an outage."""
    dice = random.Random(f"streams {seed}")

    def reads() -> int:
        return 180 + dice.randrange(60)

    def made(name: str, bad: dict[int, float], cause: str, said: str, quiet: tuple[int, ...] = ()) -> Stream:
        bins = tuple((0, 0) if n in quiet else ((r := reads()), round(r * bad.get(n, 0))) for n in range(36))
        return Stream(name, bins, right_pages(bins, OBJECTIVE), cause, said)

    at = 14 + seed % 5
    exact = tuple((1000, 144) if 10 <= n < 26 else (1000, 0) for n in range(36))
    return (
        made("a blip of five minutes", {at: 0.6}, "blip", "One bad bin: 60 % of five minutes is 5 % of the hour. The long window is there to sleep through it."),
        made("a slow burn", dict.fromkeys(range(6, 36), 0.08), "slow-burn", "Burning at eight times the rate is a ticket for the morning, not a page."),
        made("half an hour, then mended", dict.fromkeys(range(at, at + 6), 0.8), "recovered", "The hour still looks bad long after it was mended; the short window knows that it is over."),
        made("an hour without a single read", dict.fromkeys(range(26, 36), 0.9), "no-reads", "No reads, no burn: nothing can be divided by nothing.", tuple(range(8, 24))),
        made("a bad start", {0: 0.6, 5: 0.6}, "first-bins", "Before there is an hour to look back on, the long window is what there is, from bin 0."),
        Stream("exactly 14.4 times", exact, right_pages(exact, OBJECTIVE), "boundary", "“14.4 or more” includes 14.4."),
        made("an outage of forty minutes", dict.fromkeys(range(at, at + 8), 0.9), "outage", "Nine reads in ten were stale, and both windows say so."),
    )  # fmt: skip


def pages_when_both_windows_burn(work: Work, data: tuple[Stream, ...]) -> str:
    for stream in data:
        got = work.call("pages", [list(b) for b in stream.bins], OBJECTIVE)
        tried = f"pages(bins, {OBJECTIVE}) for {stream.name}"
        if not isinstance(got, list | tuple | set):
            raise NotYet("Return a list of bin numbers, from 0.", tried=tried, got=got, cause="type")
        if sorted(got) == list(stream.pages):
            continue
        raise NotYet(
            f"On {stream.name}: {stream.said}",
            tried=tried, expected=f"{len(stream.pages)} bins: {list(stream.pages)}", got=f"{len(got)} bins: {sorted(got)}", cause=stream.cause,
        )  # fmt: skip
    return f"Seven mornings; the outage pages from bin {data[-1].pages[0]} to {data[-1].pages[-1]}."


_PAGES = """
def pages(bins, objective):
    def burn(part):
        reads = sum(r for r, bad in part)
        return sum(bad for r, bad in part) / reads / (1 - objective) if reads else 0
    return [n for n in range(len(bins)) if burn(bins[max(0, n - 11):n + 1]) >= 14.4 - 1e-9 and burn(bins[n:n + 1]) >= 14.4 - 1e-9]
"""

TASK_4 = Task(
    id="11.4",
    title="Two windows",
    minutes=15,
    points=2,
    deliver=(function("pages"),),
    data=streams,
    checks=(Check("pages when the hour and the last five minutes both burn", pages_when_both_windows_burn, expected=lambda d: [s.bins for s in d]),),
    hints=(
        "Write the burn rate as a small function of a list of bins first, and try it on a list without reads.",
        "For bin n: the long window is bins n−11 to n, the short one is bin n. Page where both burn at 14.4 or more.",
        "`burn = bad / reads / (1 - objective)`, 0 when there are no reads; `[n for n in range(len(bins)) if burn(bins[max(0, n-11):n+1]) >= 14.4 and burn(bins[n:n+1]) >= 14.4]`. Mind rounding: compare with 14.4 − 1e-9.",
    ),
    wrong=(
        wrong("the short window alone", _PAGES.replace("burn(bins[max(0, n - 11):n + 1]) >= 14.4 - 1e-9 and ", ""), "blip"),
        wrong("the long window alone", _PAGES.replace(" and burn(bins[n:n + 1]) >= 14.4 - 1e-9", ""), "recovered"),
        wrong("a lower threshold", _PAGES.replace("14.4", "6.0"), "slow-burn"),
        wrong("divides by nothing", _PAGES.replace(" if reads else 0", ""), "error"),
        wrong("more than", _PAGES.replace(">= 14.4 - 1e-9", "> 14.4 + 1e-9"), "boundary"),
        wrong("averages the bins' rates", "def pages(bins, objective):\n    rate = [bad / reads / (1 - objective) if reads else 0 for reads, bad in bins]\n    return [n for n in range(len(bins)) if sum(rate[max(0, n - 11):n + 1]) / 12 >= 14.4 - 1e-9 and rate[n] >= 14.4 - 1e-9]", "no-reads"),
        wrong("any stale read", "def pages(bins, objective):\n    return [n for n, (reads, bad) in enumerate(bins) if bad]", "blip"),
    ),
    right=(
        right("cumulative sums", "from itertools import accumulate\ndef pages(bins, objective):\n    reads = [0, *accumulate(b[0] for b in bins)]\n    bad = [0, *accumulate(b[1] for b in bins)]\n    limit = 14.4 * (1 - objective)\n    def hot(a, b):\n        return reads[b] > reads[a] and (bad[b] - bad[a]) >= limit * (reads[b] - reads[a]) - 1e-6\n    return [n for n in range(len(bins)) if hot(max(0, n - 11), n + 1) and hot(n, n + 1)]"),
        right("pandas", "import pandas as pd\ndef pages(bins, objective):\n    f = pd.DataFrame(bins, columns=['reads', 'bad'])\n    long = f.rolling(12, min_periods=1).sum()\n    hot = (long.bad / long.reads.where(long.reads > 0) / (1 - objective) >= 14.4 - 1e-6) & (f.bad / f.reads.where(f.reads > 0) / (1 - objective) >= 14.4 - 1e-6)\n    return [int(n) for n in f.index[hot]]"),
    ),
    spared={"line 6: 0 → 1": "a burn rate of 1 pages no more than 0", "line 11: GtE → Gt": "the limit has a tolerance for rounding"},
)  # fmt: skip


# ---------------------------------------------------------------- 11.5

NEEDED = {
    "never-started": dt.time(6, 50),
    "late-source": dt.time(6, 50),
    "hung-step": dt.time(7, 0),
    "failed-quality": dt.time(7, 0),
}
"""The last call at which a page leaves room: a whole run takes up to 70 minutes, one from dbt_run on up to 56."""

MORNING = ("step", "attempt", "status", "started_at", "finished_at")


@dataclass(frozen=True)
class Replay:
    """One morning called every five minutes: its kind, the arguments of each call, and the Berlin times of the calls."""

    day: dt.date
    kind: str
    calls: tuple[tuple[list[dict[str, Any]], dt.datetime, None], ...]
    times: tuple[dt.time, ...]


def replays(seed: int) -> tuple[Replay, ...]:
    """Twenty-two mornings on both sides of the end of summer time: each kind on each side, ordinary ones between."""
    dice = random.Random(f"replays {seed}")
    made = []
    for first in (dt.date(2025, 9, 15), dt.date(2025, 10, 27)):
        window = days(first, first + dt.timedelta(days=27))
        mondays = [d for d in window if d.weekday() == 0]
        others = dice.sample([d for d in window if d.weekday()], 9)
        kinds = dict.fromkeys(mondays[:2], "slow-monday")
        kinds |= dict(zip(others, ("ordinary", "ordinary", "slow", "slow", "source-hiccup", *runlog.BAD), strict=True))
        log = runlog.simulate(seed=seed, mornings=dict(sorted(kinds.items())))
        made += [_replay(log, day, kind) for day, kind in sorted(kinds.items())]
    return tuple(made)


def _replay(log: pa.Table, day: dt.date, kind: str) -> Replay:
    rows = [r for r in log.to_pylist() if r["run_date"] == day]
    times = [dt.datetime.combine(day, dt.time(5)) + dt.timedelta(minutes=5 * n) for n in range(37)]
    calls = []
    for local in times:
        now = runlog.to_utc(local)
        seen = []
        for row in rows:
            if row["started_at"] <= now:
                running = row["finished_at"] > now
                seen.append({k: row[k] for k in MORNING} | ({"status": "running", "finished_at": None} if running else {}))
        calls.append((seen, now, None))
    return Replay(day, kind, tuple(calls), tuple(t.time() for t in times))


def pages_in_time(work: Work, data: tuple[Replay, ...]) -> str:
    first = _first_pages(work, data)
    wrong_days = []
    for replay, at in zip(data, first, strict=True):
        needed = NEEDED.get(replay.kind)
        if needed and (at is None or replay.times[at] > needed):
            wrong_days.append((replay, at))
    if not wrong_days:
        slack = min(
            (dt.datetime.combine(r.day, EIGHT) - dt.datetime.combine(r.day, r.times[a])).seconds // 60
            for r, a in zip(data, first, strict=True)
            if a is not None and r.kind in NEEDED
        )
        return (
            f"All {sum(r.kind in NEEDED for r in data)} bad mornings paged; the tightest leaves {slack} minutes until eight."
        )
    if all(at is None for at in first):
        raise NotYet(
            f"{len(data)} mornings, 37 calls each, and never a page, while {len(wrong_days)} of them broke the promise.",
            tried="every call from 05:00 to 08:00", expected=f"a page on {len(wrong_days)} mornings", got="none", cause="never",
        )  # fmt: skip
    order = ("never-started", "hung-step", "late-source", "failed-quality")
    replay, at = min(wrong_days, key=lambda pair: (pair[1] is not None, order.index(pair[0].kind)))
    said = {
        "never-started": "nothing ran at all: no step to be slow, none to fail. What else could tell you that something is missing?",
        "late-source": "the source did not deliver, and `ingest_orders` failed again and again. At which point does a whole run not fit any more?",
        "hung-step": "`dbt_run` was still running, without an error. How long may it run so that a second try still fits?",
        "failed-quality": "the quality check failed, and from then on nothing ran. A finished step can be bad news too.",
    }[replay.kind]
    when = "you paged nobody" if at is None else f"you paged at {replay.times[at]:%H:%M}"
    cause = _clock_cause(data, first) or (replay.kind if at is None else "too-late")
    extra = (
        " Before and after 26 October you page at different times of the Berlin morning: the log is in UTC, the promise is not."
        if cause == "clock"
        else ""
    )
    raise NotYet(
        f"On {replay.day} {said}{extra}",
        tried=f"{replay.day}, 37 calls from 05:00 to 08:00 Berlin time", expected=f"a page by {NEEDED[replay.kind]:%H:%M}", got=when, cause=cause,
    )  # fmt: skip


def silent_when_good(work: Work, data: tuple[Replay, ...]) -> str:
    first = _first_pages(work, data)
    alarms = [(r, a) for r, a in zip(data, first, strict=True) if r.kind not in NEEDED and a is not None]
    if not alarms:
        return f"Silent on all {sum(r.kind not in NEEDED for r in data)} good mornings."
    order = ("ordinary", "slow-monday", "slow", "source-hiccup")
    replay, at = min(alarms, key=lambda pair: order.index(pair[0].kind))
    said = {
        "ordinary": "an ordinary morning like any other",
        "slow-monday": "a Monday: Mondays carry the weekend's orders and take about twenty minutes longer",
        "slow": "slower than usual, and ready before half past seven all the same",
        "source-hiccup": "a first attempt that failed, and a second that worked five minutes later: retries exist for that",
    }[replay.kind]
    cause = _clock_cause(data, first) or {"slow-monday": "mondays", "source-hiccup": "hiccup"}.get(replay.kind, replay.kind)
    raise NotYet(
        f"{len(alarms)} of the good mornings paged, {replay.day} at {replay.times[at]:%H:%M} among them: {said}. The third time it was nothing, nobody gets up.",
        tried=f"{replay.day}, a good morning", expected="no page", got=f"a page at {replay.times[at]:%H:%M}", cause=cause,
    )  # fmt: skip


def pages_once(work: Work, data: tuple[Replay, ...]) -> str:
    for replay, at in zip(data, _first_pages(work, data), strict=True):
        if at is None or replay.kind not in NEEDED:
            continue
        later = [(log, now, replay.calls[at][1]) for log, now, _ in replay.calls[at + 1 :]]
        again = sum(map(bool, work.calls("should_page", later)))
        if again:
            raise NotYet(
                f"On {replay.day} you paged at {replay.times[at]:%H:%M} and {again} more times until eight. She is up; let her work.",
                tried=f"should_page(log, now, paged_at={replay.calls[at][1]:%H:%M} UTC)", expected="no second page", got=f"{again + 1} pages", cause="again",
            )  # fmt: skip
    return "One page a morning."


_paged: WeakKeyDictionary[Work, dict[int, list[int | None]]] = WeakKeyDictionary()


def _first_pages(work: Work, data: tuple[Replay, ...]) -> list[int | None]:
    """For each morning the number of the first call that paged, or None; asked once for all three checks."""
    held = _paged.setdefault(work, {})
    if id(data) not in held:
        answers = iter(work.calls("should_page", [c for r in data for c in r.calls]))
        paged = [[n for n, _ in enumerate(r.calls) if next(answers)] for r in data]
        held[id(data)] = [numbers[0] if numbers else None for numbers in paged]
    return held[id(data)]


def _clock_cause(data: tuple[Replay, ...], first: list[int | None]) -> str:
    """ "clock" when mornings that never start are paged at another Berlin time before 26 October than after it."""
    at = {(r.day < dt.date(2025, 10, 26)): n for r, n in zip(data, first, strict=True) if r.kind == "never-started"}
    return "clock" if at[True] != at[False] else ""


_SHOULD = """
import datetime as dt
from zoneinfo import ZoneInfo

def should_page(log, now, paged_at):
    if paged_at:
        return False
    local = now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()
    done = {r['step'] for r in log if r['status'] == 'success'}
    if any(r['step'] == 'quality_check' and r['status'] == 'failed' for r in log):
        return True
    if 'ingest_orders' not in done and local >= dt.time(6, 50):
        return True
    return 'dbt_run' not in done and local >= dt.time(7, 0)
"""

TASK_5 = Task(
    id="11.5",
    title="Page on the right mornings",
    minutes=20,
    points=3,
    deliver=(function("should_page"),),
    data=replays,
    checks=(
        Check("pages on every bad morning while a rerun still fits", pages_in_time, expected=lambda d: [(r.day, r.kind) for r in d]),
        Check("lets people sleep on the good ones", silent_when_good),
        Check("pages once a morning", pages_once),
    ),
    hints=(
        "Count backwards from eight. By when must `ingest_orders` have succeeded, by when `dbt_run`, so that what is left still fits, once more?",
        "Three rules are enough: a failed quality check; `ingest_orders` not successful by 06:50 Berlin time; `dbt_run` not successful by 07:00. None of them needs a step that is running.",
        "`done = {r['step'] for r in log if r['status'] == 'success'}`; convert `now` from UTC with `zoneinfo`; return False first of all when `paged_at` is set.",
    ),
    wrong=(
        wrong("only looks at running steps", "import datetime as dt\ndef should_page(log, now, paged_at):\n    return not paged_at and any(r['status'] == 'running' and now - r['started_at'] > dt.timedelta(minutes=76) for r in log)", "never-started"),
        wrong("slower than the mean", "import datetime as dt\ndef should_page(log, now, paged_at):\n    return not paged_at and any(r['step'] == 'dbt_run' and (r['finished_at'] or now) - r['started_at'] > dt.timedelta(minutes=44) for r in log)", "mondays"),
        wrong("any failed attempt", _SHOULD.replace("r['step'] == 'quality_check' and r['status']", "r['status']"), "hiccup"),
        wrong("at each call", _SHOULD.replace("    if paged_at:\n        return False\n", ""), "again"),
        wrong("UTC for Berlin", _SHOULD.replace("now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()", "now.time()"), "clock"),
        wrong("two hours all year", _SHOULD.replace("now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()", "(now + dt.timedelta(hours=2)).time()"), "clock"),
        wrong("waits until eight", _SHOULD.replace("dt.time(6, 50)", "dt.time(8, 0)").replace("dt.time(7, 0)", "dt.time(8, 0)"), "too-late"),
        wrong("never", "def should_page(log, now, paged_at):\n    return False", "never"),
        wrong("always", "def should_page(log, now, paged_at):\n    return not paged_at", "ordinary"),
        wrong("no look at quality", _SHOULD.replace("    if any(r['step'] == 'quality_check' and r['status'] == 'failed' for r in log):\n        return True\n", ""), "failed-quality"),
        wrong("ignores the source", _SHOULD.replace("    if 'ingest_orders' not in done and local >= dt.time(6, 50):\n        return True\n", ""), "too-late"),
        wrong("impatient with slow runs", _SHOULD.replace("dt.time(7, 0)", "dt.time(6, 30)"), "mondays"),
    ),
    right=(
        right("deadlines per step, backwards from eight", """
import datetime as dt
from zoneinfo import ZoneInfo
LATEST = {'ingest_orders': 74, 'dbt_run': 60, 'quality_check': 20, 'publish': 5}
def should_page(log, now, paged_at):
    berlin = now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin'))
    eight = berlin.replace(hour=8, minute=0, second=0)
    left = (eight - berlin).total_seconds() / 60
    done = {r['step'] for r in log if r['status'] == 'success'}
    failed = any(r['step'] == 'quality_check' and r['status'] == 'failed' for r in log)
    return paged_at is None and (failed or any(left <= minutes for step, minutes in LATEST.items() if step not in done))
"""),
        right("in SQL", """
import duckdb
con = duckdb.connect(config={'threads': 1})
def should_page(log, now, paged_at):
    if paged_at is not None:
        return False
    rows = [(r['step'], r['status']) for r in log]
    con.execute("create or replace table log (step text, status text)")
    if rows:
        con.executemany("insert into log values (?, ?)", rows)
    con.execute("set variable t = timezone('Europe/Berlin', timezone('UTC', ?::timestamp))::time", [now])
    return con.execute('''select count(*) filter (step = 'quality_check' and status = 'failed') > 0
        or (count(*) filter (step = 'ingest_orders' and status = 'success') = 0 and getvariable('t') >= time '06:50')
        or (count(*) filter (step = 'dbt_run' and status = 'success') = 0 and getvariable('t') >= time '07:00') from log''').fetchone()[0]
"""),
    ),
    seconds=60,
    spared={"line 7: returns None": "None is as false as False"},
)  # fmt: skip


# ---------------------------------------------------------------- 11.6

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
    return Period(kept, tuple("freeze" if s <= 1e-9 else "slow-down" if s <= 0.5 + 1e-9 else "ship" for s in shares))


def _policy(work: Work) -> dict[str, Any]:
    found = parse_yaml(work.file(POLICY), POLICY)
    if not isinstance(found, dict) or not isinstance(found.get("rules"), list):
        raise NotYet(
            "The file must be a mapping with `objective`, `mornings`, `rules` (a list), `decides` and `exceptions`.",
            cause="shape",
            got=found,
        )
    return found


def decides_every_morning(work: Work, data: Period) -> str:
    policy = _policy(work)
    objective, mornings = number(policy.get("objective"), "`objective`"), number(policy.get("mornings"), "`mornings`")
    if (objective, mornings) != (0.8, 30):
        raise NotYet(
            "This policy is about 80 % of 30 mornings, as agreed with finance.",
            expected="objective: 0.8, mornings: 30",
            got=f"objective: {objective}, mornings: {mornings:g}",
            cause="objective",
        )
    rules = []
    for rule in policy["rules"]:
        if not isinstance(rule, dict) or rule.get("action") not in ("slow-down", "freeze"):
            raise NotYet(
                "Each rule has `left_at_most` (a share of the budget) and `action`: slow-down or freeze.",
                got=rule,
                cause="rule",
            )
        rules.append((number(rule.get("left_at_most"), "`left_at_most`"), rule["action"]))
    left = left_after_each(data.kept, objective)
    for n, want in enumerate(data.actions):
        share = left[n] / 6
        hit = [action for limit, action in sorted(rules) if share <= limit + 1e-9]
        got = hit[0] if hit else "ship"
        if got != want:
            lost = data.kept[: n + 1].count(False)
            cause = {"ship": "too-strict", "slow-down": "slow-down"}.get(want, "freeze")
            raise NotYet(
                f"After morning {n + 1}, with {lost} of 6 mornings lost, {max(0.0, share):.0%} of the budget is left.",
                tried=f"{lost} mornings lost", expected=want, got=got, cause=cause,
            )  # fmt: skip
    return f"Thirty mornings decided: {data.actions.count('ship')} ship, {data.actions.count('slow-down')} slow down, {data.actions.count('freeze')} freeze."


def somebody_decides(work: Work, data: Period) -> str:
    policy = _policy(work)
    who = policy.get("decides")
    if (
        not isinstance(who, str)
        or len(who.strip()) < 4
        or who.strip().lower() in ("team", "everyone", "everybody", "all", "we all")
    ):
        raise NotYet(
            "`decides` names one role that may say stop. What everybody decides, nobody does.",
            expected="a role, for example: data product owner",
            got=who,
            cause="owner",
        )
    exceptions = policy.get("exceptions")
    if not isinstance(exceptions, list) or not any("secur" in str(e).lower() for e in exceptions):
        raise NotYet(
            "A freeze needs its exceptions in writing, security fixes first: otherwise the first leak is negotiated at night.",
            expected="exceptions: [security fixes, …]",
            got=exceptions,
            cause="exceptions",
        )
    return f"“{who}” decides; {len(exceptions)} exceptions."


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
        Check("says who decides and what is exempt", somebody_decides),
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
        wrong("percent for shares", {POLICY: _POLICY.replace("0.5", "50")}, "too-strict"),
        wrong("another promise", {POLICY: _POLICY.replace("0.8", "0.95")}, "objective"),
        wrong("the team decides", {POLICY: _POLICY.replace("data product owner", "team")}, "owner"),
        wrong("no exceptions", {POLICY: _POLICY.replace("exceptions:\n  - security fixes\n", "")}, "exceptions"),
        wrong("half a file", {POLICY: "objective: 0.8\nrules: [{left_at_most: 0.5, action"}, "yaml"),
    ),
    right=(
        right("rules the other way round", {POLICY: "decides: Head of data\nexceptions: [Security fixes, legal deadlines]\nobjective: 0.80\nmornings: 30\nrules:\n  - {action: freeze, left_at_most: 0.0}\n  - {action: slow-down, left_at_most: 0.5}\n"}),
        right("with reasons beside", {POLICY: _POLICY + "why: finance plans its mornings around it\nreviewed: 2025-12-02\n"}),
    ),
    spared={".exceptions[1]": "one exception is enough"},
)  # fmt: skip


MODULE = Module(
    key="11",
    stem="11-slo",
    title="SLO: a promise with numbers in it",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5, TASK_6),
    prepare=prepare,
)
