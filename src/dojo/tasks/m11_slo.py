"""Module 11: data as a product with a promise: indicators, objectives, budgets, alerts, policy."""

from __future__ import annotations

import datetime as dt
import math
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from dojo.judge.contract import Check, Module, NotYet, Task, file, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import LearnerError, Work
from dojo.tasks.answers import (
    calendar_day,
    diagnosis,
    mapping,
    number,
    one_of,
    parse_yaml,
    texts,
    truth,
    whole_number,
    wrong_type,
)
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


def on_time(
    log: pa.Table,
    window: list[dt.date],
    *,
    by: Callable[[dt.datetime, dt.date], bool] | None = None,
    check: str = "last",
    publish: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None,
) -> dict[dt.date, bool]:
    """For each morning whether the promise was kept: a publish by 08:00 Berlin time whose last quality check had passed.

    The rest says how a wrong answer reads the log. by(finished_at in UTC, run date): what counts as in time; check: which
    quality check counts (see _passed); publish: which of a morning's publishes are looked at, else those that succeeded.
    """
    by = by or (lambda utc, day: runlog.to_berlin(utc) <= dt.datetime.combine(day, EIGHT))
    of_day: dict[dt.date, list[dict[str, Any]]] = {}
    for row in log.to_pylist():
        of_day.setdefault(row["run_date"], []).append(row)
    kept = {}
    for day in window:
        rows = sorted(of_day.get(day, []), key=lambda r: r["finished_at"])
        looked_at = (publish or _succeeded)([r for r in rows if r["step"] == "publish"])
        kept[day] = any(by(r["finished_at"], day) and _passed(rows, r, check) for r in looked_at)
    return kept


def _succeeded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r for r in rows if r["status"] == "success"]


def _passed(rows: list[dict[str, Any]], published: dict[str, Any], check: str) -> bool:
    """Whether the quality check that counts for a publish had passed: the "last" that ended before it began, or a misreading."""
    checks = [r for r in rows if r["step"] == "quality_check"]
    before = [r["status"] for r in checks if r["finished_at"] <= published["started_at"]]
    begun = [r["status"] for r in checks if r["started_at"] <= published["started_at"]]
    return {
        "last": before[-1:] == ["success"],
        "any": "success" in [r["status"] for r in checks],
        "none": True,
        "earlier": "success" in before,
        "all": set(before) == {"success"},
        "first": before[:1] == ["success"],
        "no-failure": before[-1:] != ["failed"],
        "begun": begun[-1:] == ["success"],
    }[check]


# ---------------------------------------------------------------- 11.1


@dataclass(frozen=True)
class Measured:
    """A run log with awkward mornings, the window asked for, what is true of each morning; `gone` left no row."""

    log: pa.Table
    window: list[dt.date]
    kept: dict[dt.date, bool]
    gone: dt.date

    @property
    def tables(self) -> dict[str, Any]:
        """What the answer's connection holds."""
        return {"ops.run_log": self.log, "ops.run_log_local": _in_berlin(self.log)}


def _in_berlin(log: pa.Table) -> pa.Table:
    """The log as its view shows it: every time on Berlin's wall clock."""
    times = ("scheduled_at", "started_at", "finished_at")
    return pa.Table.from_pylist([{**r, **{c: runlog.to_berlin(r[c]) for c in times}} for r in log.to_pylist()])


def awkward_mornings(seed: int) -> Measured:
    """Four weeks around the end of summer time, with eighteen mornings that catch people out beside four bad ones."""
    window = days(dt.date(2025, 10, 13), dt.date(2025, 11, 9))
    dice = random.Random(f"awkward {seed}")
    kinds = dict.fromkeys(window, "ordinary") | dict(zip(dice.sample(window, 4), runlog.BAD, strict=True))
    free = [day for day in window if kinds[day] == "ordinary"]
    summer, winter = ([d for d in free if (d < dt.date(2025, 10, 26)) == early] for early in (True, False))
    of_winter = dice.sample(winter, 10)
    unchecked = min(of_winter)  # the last check of the day before it had passed
    of_winter.remove(unchecked)
    sharp, gone, forced, winter_late, close, overnight, second_late, broken_publish, soured = of_winter
    retried, summer_late, again, checked_late, repaired, spoilt, overtaken, improper = dice.sample(summer, 8)
    rows = [r for r in runlog.simulate(seed=seed, mornings=kinds).to_pylist() if r["run_date"] != gone]
    rows = [r for r in rows if (r["run_date"], r["step"]) != (unchecked, "quality_check")]
    at = {
        sharp: (sharp, dt.time(8)),
        second_late: (second_late, dt.time(8, 0, 1)),
        close: (close, dt.time(7, 20 + seed % 10)),
        summer_late: (summer_late, dt.time(8, 20 + seed % 10)),
        winter_late: (winter_late, dt.time(8, 30 + seed % 10)),
        overnight: (overnight + dt.timedelta(days=1), dt.time(0, 20 + seed % 10)),
    }
    for row in rows:
        if row["step"] == "publish" and row["run_date"] in at:
            row["finished_at"] = runlog.to_utc(dt.datetime.combine(*at[row["run_date"]]))
        if (row["run_date"], row["step"]) in (
            (broken_publish, "publish"),
            (forced, "quality_check"),
            (checked_late, "quality_check"),
        ):
            row["status"] = "failed"
        if (row["run_date"], row["step"]) == (overtaken, "quality_check"):
            row["finished_at"] += dt.timedelta(minutes=10)  # it was still running when `publish` had ended
    rows += _more_checks(rows, repaired, spoilt, soured, improper)
    rows += _more_attempts(rows, retried, again, checked_late)
    log = pa.Table.from_pylist(rows)
    return Measured(log, window, on_time(log, window), gone)


def _more_attempts(
    rows: list[dict[str, Any]], retried: dt.date, again: dt.date, checked_late: dt.date
) -> list[dict[str, Any]]:
    """A publish that failed before the one that worked, a second publish at 10:19, a check that passed after publishing."""
    found = {(r["run_date"], r["step"]): r for r in rows}
    worked = found[retried, "publish"]
    worked["attempt"] = 2
    begun = worked["started_at"]
    failed = {"attempt": 1, "status": "failed", "started_at": begun - dt.timedelta(seconds=30), "finished_at": begun}
    corrected = runlog.to_utc(dt.datetime.combine(again, dt.time(10, 15)))
    second = {"attempt": 2, "started_at": corrected, "finished_at": corrected + dt.timedelta(minutes=4)}
    after = found[checked_late, "publish"]["finished_at"]
    passed = {"attempt": 2, "status": "success", "started_at": after, "finished_at": after + dt.timedelta(minutes=7)}
    return [
        {**worked, **failed},
        {**found[again, "publish"], **second},
        {**found[checked_late, "quality_check"], **passed},
    ]


def _more_checks(
    rows: list[dict[str, Any]], repaired: dt.date, spoilt: dt.date, soured: dt.date, improper: dt.date
) -> list[dict[str, Any]]:
    """Checks that failed before the one that passed, or after it, there in a second run; a publish before its check."""
    found = {(r["run_date"], r["step"]): r for r in rows}
    made = []
    for day in (repaired, spoilt):
        check = found[day, "quality_check"]
        made.append({**check, "status": "failed", **_ended(found[day, "dbt_run"])})
        check |= {"attempt": 2, "started_at": made[-1]["finished_at"]}
    for day, again in ((spoilt, {"run_id": f"prod-{spoilt}-2", "attempt": 1}), (soured, {"attempt": 2})):
        check, publish = found[day, "quality_check"], found[day, "publish"]
        made.append({**check, **again, "status": "failed", **_ended(check)})
        for moment in ("started_at", "finished_at"):
            publish[moment] += dt.timedelta(minutes=2)
    found[improper, "publish"]["attempt"] = 2
    made.append({**found[improper, "publish"], "attempt": 1, **_ended(found[improper, "dbt_run"])})
    return made


def _ended(row: dict[str, Any]) -> dict[str, dt.datetime]:
    """The times of an attempt of one minute that begins where this row ends."""
    return {"started_at": row["finished_at"], "finished_at": row["finished_at"] + dt.timedelta(minutes=1)}


def _at(hours: int) -> Callable[[dt.datetime, dt.date], bool]:
    """In time by a clock that is so many hours ahead of UTC all year."""
    return lambda utc, day: utc + dt.timedelta(hours=hours) <= dt.datetime.combine(day, EIGHT)


def _time_alone(utc: dt.datetime, day: dt.date) -> bool:
    return runlog.to_berlin(utc).time() <= EIGHT


MISREADINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "utc": (
        "The log is in UTC and you hold it against eight as it stands. Berlin is one or two hours ahead.",
        {"by": _at(0)},
    ),
    "one-hour": ("You add one hour all year; until 26 October Berlin was two hours ahead of UTC.", {"by": _at(1)}),
    "two-hours": ("You add two hours all year; since 26 October Berlin is one hour ahead of UTC.", {"by": _at(2)}),
    "boundary": (
        "A morning published at 08:00:00 is not kept by your count. “By eight” includes eight.",
        {"by": lambda utc, day: runlog.to_berlin(utc) < dt.datetime.combine(day, EIGHT)},
    ),
    "overnight": (
        "A morning that published twenty minutes after midnight, a day late, is kept by your count: you compare the time of "
        "day and not the day.",
        {"by": _time_alone},
    ),
    "quality": ("You do not look at the quality check. The promise has two halves.", {"check": "none"}),
    "order": (
        "A check that passed after publishing counts as well by your count. Readers had data that nobody had checked.",
        {"check": "any"},
    ),
    "again": (
        "You look at the last publish. A correction at 10:19 takes nothing from readers who had their data in time.",
        {"publish": lambda rows: _succeeded(rows)[-1:]},
    ),
    "attempt": (
        "You look at first attempts. Where the second publish worked by eight, readers had their data.",
        {"publish": lambda rows: [r for r in _succeeded(rows) if r["attempt"] == 1]},
    ),
    "first-publish": (
        "You look at the first publish that succeeded. Where a later one had its check and came by eight, the promise was kept.",
        {"publish": lambda rows: _succeeded(rows)[:1]},
    ),
    "failed-publish": (
        "A `publish` that failed counts as well by your count. It gave readers nothing.",
        {"publish": lambda rows: rows},
    ),
    "grace": (
        "A morning published at 08:00:01 is kept by your count. “By eight” ends at 08:00:00.",
        {"by": lambda utc, day: runlog.to_berlin(utc).replace(second=0) <= dt.datetime.combine(day, EIGHT)},
    ),
    "earlier-check": (
        "Any check that passed before publishing is enough by your count. Where it passed and then failed, the last one counts.",
        {"check": "earlier"},
    ),
    "all-checks": (
        "Every check before publishing must have passed by your count. Where one failed and the next passed, the last one counts.",
        {"check": "all"},
    ),
    "first-check": (
        "You look at the first check of the morning. The last one before publishing counts.",
        {"check": "first"},
    ),
    "no-check": (
        "A morning published with no check before it is kept by your count. Where there was none, none had passed.",
        {"check": "no-failure"},
    ),
    "begun-check": (
        "A check that had begun before publishing counts by your count. It had not ended, so nobody knew that it would pass.",
        {"check": "begun"},
    ),
}
"""How people misread the log: by cause the sentence to the learner, and the reading (see on_time)."""


def each_morning_judged(work: Work, data: Measured) -> str:
    tried = f"kept_promises(con, {data.window[0]}, {data.window[-1]})"
    got = _kept_mornings(work, data, data.window[0], data.window[-1], tried)
    if extra := sorted(set(got) - set(data.kept)):
        said = f"{extra[0]} is outside of the window that was asked for."
        raise NotYet(said, tried=tried, expected=f"{len(data.kept)} mornings", got=f"{len(got)} mornings", cause="window")
    if missing := sorted(set(data.kept) - set(got)):
        which = f"{len(missing)} mornings, {missing[0]} the first of them, are"
        if len(missing) == 1:
            which = f"{missing[0]}{', a morning without a single row in the log,' if missing == [data.gone] else ''} is"
        said = f"{which} not in your answer. A morning that is not counted makes the share look better."
        raise NotYet(said, tried=tried, expected=f"{len(data.kept)} mornings", got=f"{len(got)} mornings", cause="vanished")
    wrong_days = [day for day in data.window if got[day] != data.kept[day]]
    if not wrong_days:
        return f"{sum(data.kept.values())} of {len(data.kept)} mornings kept."
    otherwise = (
        f"{_counted(len(wrong_days), 'morning')} judged otherwise than finance would, {wrong_days[0]} first.",
        "mornings",
    )
    said, cause = diagnosis(MISREADINGS, lambda reading: got == on_time(data.log, data.window, **reading), otherwise)
    day = wrong_days[0]
    raise NotYet(
        said, tried=f"{tried}; {day}", expected=data.kept[day], got=got[day], cause=cause, look=_story(data.log, day)
    )


def _kept_mornings(work: Work, data: Measured, first: dt.date, last: dt.date, tried: str) -> dict[dt.date, bool]:
    """The answer as {date: True or False}."""
    got = work.call("kept_promises", Database(data.tables), first, last)
    wanted = "a dict from run date to True or False"
    if isinstance(got, list):
        said = f"What you return must be {wanted}; it is a list, or a Series or array, which is read as one."
        raise NotYet(said, tried=tried, expected=wanted, got=got, cause="type", look="A Series has `to_dict()`.")
    if not isinstance(got, dict):
        raise wrong_type("What you return", wanted, got, tried=tried)
    return {
        calendar_day(key, "Each key", tried=tried): truth(value, f"The entry of {key}", tried=tried)
        for key, value in got.items()
    }


def _story(log: pa.Table, day: dt.date) -> str:
    """The checks and publishes of one morning, as the log has them, in Berlin time."""
    rows = [r for r in log.to_pylist() if r["run_date"] == day and r["step"] in ("quality_check", "publish")]
    rows.sort(key=lambda r: r["finished_at"])
    said = [f"{r['step']} {r['attempt']} {r['status']} at {runlog.to_berlin(r['finished_at']):%H:%M:%S}" for r in rows]
    return f"The log of {day}, in Berlin time: {'; '.join(said) or 'no check and no publish'}."


def a_narrow_window(work: Work, data: Measured) -> str:
    tried = f"kept_promises(con, {data.gone}, {data.gone})"
    got = _kept_mornings(work, data, data.gone, data.gone, tried)
    if got != {data.gone: False}:
        said = f"Asked for {data.gone} alone, a morning without a single row in the log. One morning, not kept."
        raise NotYet(
            said, tried=tried, expected={str(data.gone): False}, got={str(d): k for d, k in got.items()}, cause="gone"
        )
    return "A morning that left no trace counts as broken."


_KEPT = """
def kept_promises(con, first, last):
    rows = con.execute('''
        with mornings as (select unnest(generate_series(?::date, ?::date, interval 1 day))::date as run_date),
        published as (
            select p.run_date, timezone('Europe/Berlin', timezone('UTC', p.finished_at)) as ready_at, p.attempt,
                (select arg_max(c.status, c.finished_at) from ops.run_log c
                 where c.run_date = p.run_date and c.step = 'quality_check' and c.finished_at <= p.started_at) as last_check
            from ops.run_log p where p.step = 'publish' and p.status = 'success')
        select run_date, coalesce(bool_or(last_check = 'success' and ready_at <= run_date + time '08:00'), false)
        from mornings left join published using (run_date) group by run_date''', [first, last]).fetchall()
    return dict(rows)
"""
_IN_BERLIN = "timezone('Europe/Berlin', timezone('UTC', p.finished_at))"

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
        "For each successful publish: its end in Berlin time, and the status of the last quality check that ended before it began. Left join that to a series of days.",
        "`arg_max(status, finished_at)` over the checks with `finished_at <= started_at` of the publish; `generate_series(first, last, interval 1 day)` left join the publishes; `coalesce(bool_or(…), false)`; in time is `ready_at <= run_date + time '08:00'`.",
    ),
    wrong=(
        wrong("only mornings in the log", _KEPT.replace("left join", "join"), "vanished"),
        wrong(
            "every morning in the log",
            _KEPT.replace(
                "generate_series(?::date, ?::date, interval 1 day)", "generate_series(?::date, ?::date + 1, interval 1 day)"
            ),
            "window",
        ),
        wrong(
            "no morning asked for alone",
            _KEPT.replace("return dict(rows)", "return dict(rows) if first != last else {}"),
            "gone",
        ),
        wrong("UTC against eight", _KEPT.replace(_IN_BERLIN, "p.finished_at"), "utc"),
        wrong("two hours all year", _KEPT.replace(_IN_BERLIN, "p.finished_at + interval 2 hour"), "two-hours"),
        wrong("one hour all year", _KEPT.replace(_IN_BERLIN, "p.finished_at + interval 1 hour"), "one-hour"),
        wrong("before eight", _KEPT.replace("ready_at <=", "ready_at <"), "boundary"),
        wrong(
            "the time of day alone",
            _KEPT.replace("ready_at <= run_date + time '08:00'", "ready_at::time <= time '08:00'"),
            "overnight",
        ),
        wrong("no look at quality", _KEPT.replace("last_check = 'success' and ", ""), "quality"),
        wrong(
            "a check that passed at any time",
            _KEPT.replace(" and c.finished_at <= p.started_at", "").replace(
                "arg_max(c.status, c.finished_at)", "max(c.status)"
            ),
            "order",
        ),
        wrong(
            "the last success",
            _KEPT.replace(
                "bool_or(last_check = 'success' and ready_at <= run_date + time '08:00')",
                "max(ready_at) <= run_date + time '08:00' and max(last_check) = 'success'",
            ).replace("group by run_date", "group by run_date"),
            "again",
            "mornings",
        ),
        wrong(
            "the first attempt", _KEPT.replace("p.status = 'success'", "p.status = 'success' and p.attempt = 1"), "attempt"
        ),
        wrong(
            "the first success",
            _KEPT.replace("bool_or(last_check", "arg_min(coalesce(last_check, 'none')").replace(
                "time '08:00')", "time '08:00', ready_at)"
            ),
            "first-publish",
        ),
        wrong("a publish that failed", _KEPT.replace(" and p.status = 'success'", ""), "failed-publish"),
        wrong("a minute's grace", _KEPT.replace("time '08:00'", "time '08:00:59'"), "grace"),
        wrong("ten minutes' grace", _KEPT.replace("time '08:00'", "time '08:10'"), "grace"),
        wrong("any earlier check", _KEPT.replace("arg_max(c.status, c.finished_at)", "max(c.status)"), "earlier-check"),
        wrong("every earlier check", _KEPT.replace("arg_max(c.status, c.finished_at)", "min(c.status)"), "all-checks"),
        wrong(
            "the first check",
            _KEPT.replace("arg_max(c.status, c.finished_at)", "arg_min(c.status, c.finished_at)"),
            "first-check",
        ),
        wrong(
            "the check with the highest attempt",
            _KEPT.replace("arg_max(c.status, c.finished_at)", "arg_max(c.status, c.attempt)"),
            "mornings",
        ),
        wrong(
            "no check is a passed one",
            _KEPT.replace("last_check = 'success'", "coalesce(last_check, 'success') = 'success'"),
            "no-check",
        ),
        wrong("the check of any day", _KEPT.replace("c.run_date = p.run_date and ", ""), "no-check", "mornings"),
        wrong(
            "a check that had begun",
            _KEPT.replace("c.finished_at <= p.started_at", "c.started_at <= p.started_at"),
            "begun-check",
        ),
        wrong(
            "words for truths",
            _KEPT.replace("return dict(rows)", "return {d: 'kept' if k else 'broken' for d, k in rows}"),
            "type",
        ),
        wrong("a list of mornings", _KEPT.replace("return dict(rows)", "return [d for d, k in rows if k]"), "type"),
    ),
    right=(
        right("in SQL", _KEPT),
        right(
            "from the view in Berlin time",
            _KEPT.replace("ops.run_log c", "ops.run_log_local c")
            .replace("ops.run_log p", "ops.run_log_local p")
            .replace(_IN_BERLIN, "p.finished_at"),
        ),
        right(
            "with pandas",
            """
import pandas as pd
def kept_promises(con, first, last):
    log = con.execute("select * from ops.run_log order by finished_at").df()
    log["local"] = log.finished_at.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
    kept = {}
    for stamp in pd.date_range(first, last):
        of_day = log[log.run_date.astype(str).str[:10] == str(stamp.date())]
        limit = pd.Timestamp(str(stamp.date()) + " 08:00", tz="Europe/Berlin")
        checks = of_day[of_day.step == "quality_check"]
        kept[stamp.date()] = False
        for _, one in of_day[(of_day.step == "publish") & (of_day.status == "success")].iterrows():
            before = checks[checks.finished_at <= one.started_at].status
            if one.local <= limit and len(before) and before.iloc[-1] == "success":
                kept[stamp.date()] = True
    return kept
""",
        ),
    ),
    clauses={
        "one entry for each morning from first to last": "only mornings in the log",
        "by 08:00 Berlin time": "UTC against eight",
        "eight sharp included": "before eight",
        "the last quality check that ended before it began had passed": "any earlier check",
        "that ended before it began": "a check that had begun",
        "Without a check nothing had passed": "no check is a passed one",
        "whose check passed only after publishing": "a check that passed at any time",
        "one a second after eight": "a minute's grace",
        "whose `publish` failed for good": "a publish that failed",
        "published before its check and again after it": "the first success",
        "whose check failed and then passed": "every earlier check",
        "times in UTC": "one hour all year",
        "when the clocks went back": "two hours all year",
        "a morning that left no trace in the log": "no morning asked for alone",
        "published by force after a failed check": "no look at quality",
        "published at the second attempt": "the first attempt",
        "published twice": "the last success",
        "not published until after midnight": "the time of day alone",
        "to `True` or `False`": "words for truths",
    },
)


# ---------------------------------------------------------------- 11.2


@dataclass(frozen=True)
class History:
    """A history of mornings (kept or not), the objectives to choose from, and the one it supports."""

    name: str
    kept: tuple[bool, ...]
    candidates: tuple[float, ...]
    best: float | None


CANDIDATES = (0.8, 0.9, 0.95, 0.98, 1.0)
UNSORTED = (0.9, 0.6, 1.0, 0.8, 0.7)


def strictest(candidates: tuple[float, ...], counts: list[int], mornings: int = 30) -> float | None:
    """The strictest candidate that the smallest count of kept mornings meets, or None."""
    return max((c for c in candidates if min(counts) >= round(c * mornings, 9)), default=None)


def sliding(kept: tuple[bool, ...], step: int = 1) -> list[int]:
    """Kept mornings in every thirty in a row; in months of thirty with step 30."""
    return [sum(kept[n : n + 30]) for n in range(0, len(kept) - 29, step)]


def histories(seed: int) -> tuple[History, ...]:
    """A simulated quarter, a good average with a bad fortnight, a month's end, an exact hit, short, perfect and hopeless ones."""
    real = tuple(on_time(runlog.simulate(seed=seed), days(LAST_DAY - dt.timedelta(days=89), LAST_DAY)).values())
    dice = random.Random(f"histories {seed}")

    def without(*lost: int, of: int = 90) -> tuple[bool, ...]:
        return tuple(n not in lost for n in range(of))

    start = 8 + dice.randrange(10)
    shift = seed % 2
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
        return f"Twelve histories; the simulated quarter supports {data[0].best}."
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
    """A period that overspends, two with a fraction of a morning in the budget, one of 20 mornings, and one with an objective that allows nothing."""
    dice = random.Random(f"spending {seed}")
    made = []
    for objective, length, bad in ((0.9, 30, 7), (0.95, 30, 1), (0.97, 30, 2), (0.9, 20, 2), (1.0, 30, 1)):
        lost = set(dice.sample(range(1, length), bad))
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
        return "Five periods, spent morning by morning."

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
        look=f"{len(kept)} mornings at {objective:.0%}: {(1 - objective) * len(kept):g} may go wrong.",
    )


def _tried_spending(objective: float, kept: tuple[bool, ...]) -> str:
    return f"budget_left for {len(kept)} mornings, {kept.count(False)} lost, objective {objective:.0%}"


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


# ---------------------------------------------------------------- 11.4

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
    """Eleven mornings of dashboard reads; the last is a plain outage."""
    dice = random.Random(f"streams {seed}")

    def reads() -> int:
        return 180 + dice.randrange(60)

    def made(name: str, bad: dict[int, float], few: dict[int, int] | None = None) -> Stream:
        counts = [(few or {}).get(n, reads()) for n in range(36)]
        return Stream(name, tuple((r, round(r * bad.get(n, 0))) for n, r in enumerate(counts)))

    at = 14 + seed % 5
    outage = dict.fromkeys(range(at, at + 8), 0.9)
    exact = tuple((1000, 900) if 4 <= n < 26 else (1000, 0) for n in range(36))
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
        Stream("14.41 times", above),
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
        return f"Eleven mornings; the outage pages from bin {outage[0]} to {outage[-1]}."
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
        "the share of stale reads": "averages the bins' rates",
    },
    spared={"line 6: 0 → 1": "a burn rate of 1 pages no more than 0"},
)


# ---------------------------------------------------------------- 11.5

NEEDED = {
    "never-started": dt.time(6, 40),
    "late-source": dt.time(6, 40),
    "hung-step": dt.time(6, 50),
    "failed-quality": dt.time(6, 50),
    "hung-check": dt.time(7, 35),
    "hung-publish": dt.time(7, 45),
}
"""The last call at which a page leaves ten minutes to get to the keyboard and the minutes of what must be run again."""
RERUNS = {
    "never-started": "a whole run (up to 70 minutes)",
    "late-source": "a whole run (up to 70 minutes)",
    "hung-step": "a run from `dbt_run` on (up to 56 minutes)",
    "failed-quality": "a run from `dbt_run` on (up to 56 minutes)",
    "hung-check": "a run from `quality_check` on (up to 14 minutes)",
    "hung-publish": "`publish` (up to 5 minutes)",
}
"""What must be run again, by the kind of a bad morning."""
HANGS = {"hung-check": "quality_check", "hung-publish": "publish"}
"""Mornings on which a late step starts and does not end before eight."""

MORNING = ("step", "attempt", "status", "started_at", "finished_at")
GOOD_BY = dt.time(6, 50)
"""When `dbt_run` is through on every good morning that is replayed."""


@dataclass(frozen=True)
class Replay:
    """One morning called every five minutes: its kind, the arguments of each call, and the Berlin times of the calls."""

    day: dt.date
    kind: str
    calls: tuple[tuple[list[dict[str, Any]], dt.datetime, None], ...]
    times: tuple[dt.time, ...]


def replays(seed: int) -> tuple[Replay, ...]:
    """Thirty mornings on both sides of the end of summer time: each kind on each side, a bad Monday, ordinary ones between."""
    dice = random.Random(f"replays {seed}")
    bad = (*runlog.BAD, *HANGS)
    made = []
    for first in (dt.date(2025, 9, 15), dt.date(2025, 10, 27)):
        window = days(first, first + dt.timedelta(days=27))
        mondays = [d for d in window if d.weekday() == 0 and _in_time(seed, d, "slow-monday")]
        bad_monday = next(d for d in window if d.weekday() == 0 and d not in mondays[:2])
        others = dice.sample([d for d in window if d.weekday()], len(window) - 4)
        slow = [d for d in others if _in_time(seed, d, "slow")][:2]
        others = [d for d in others if d not in slow]
        kinds = dict.fromkeys(mondays[:2], "slow-monday") | dict.fromkeys(slow, "slow") | {bad_monday: "hung-step"}
        kinds |= dict(zip(others, ("ordinary", "ordinary", "source-hiccup", "repaired", *bad), strict=False))
        made += [_replay(seed, day, kind) for day, kind in sorted(kinds.items())]
    return tuple(made)


def _rows_of(seed: int, day: dt.date, kind: str) -> list[dict[str, Any]]:
    """The log of one morning; a late step that hangs is an ordinary morning up to there."""
    if kind == "repaired":
        return _repaired(seed, day)
    rows = runlog.simulate(seed=seed, mornings={day: "ordinary" if kind in HANGS else kind}).to_pylist()
    if kind in HANGS:
        steps = [r["step"] for r in rows]
        rows = rows[: steps.index(HANGS[kind]) + 1]
        rows[-1]["finished_at"] = runlog.to_utc(dt.datetime.combine(day, dt.time(9)))
    return rows


def _repaired(seed: int, day: dt.date) -> list[dict[str, Any]]:
    """A run begun by hand in the night: its check fails, and before the first call passes on tables built anew."""
    ingest, built, checked, published = runlog.simulate(seed=seed, mornings={day: "ordinary"}).to_pylist()
    night = [ingest, built, checked, {**built, "attempt": 2}, {**checked, "attempt": 2}, published]
    ends = [r["finished_at"] - r["started_at"] for r in night]
    begun = runlog.to_utc(dt.datetime.combine(day, dt.time(4, 58))) - sum(ends[:-1], dt.timedelta())
    rows = []
    for row, lasts in zip(night, ends, strict=True):
        rows.append({**row, "started_at": begun, "finished_at": begun + lasts})
        begun += lasts
    rows[2]["status"] = "failed"
    return rows


def _in_time(seed: int, day: dt.date, kind: str) -> bool:
    """Whether this slow morning has built its tables by GOOD_BY."""
    built = next(r["finished_at"] for r in _rows_of(seed, day, kind) if r["step"] == "dbt_run")
    return runlog.to_berlin(built).time() <= GOOD_BY


def _replay(seed: int, day: dt.date, kind: str) -> Replay:
    rows = _rows_of(seed, day, kind)
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


BROKEN = {
    "never-started": "nothing ran at all: there was no step to be slow and none to fail",
    "late-source": "the source did not deliver, and `ingest_orders` failed again and again",
    "hung-step": "`dbt_run` was still running, without an error",
    "failed-quality": "the quality check failed, and from then on nothing ran",
    "hung-check": "`quality_check` was still running, without an error",
    "hung-publish": "`publish` was still running, without an error",
}
FINE = {
    "ordinary": "an ordinary morning like any other",
    "slow-monday": "a Monday: Mondays carry the weekend's orders and take about twenty minutes longer",
    "slow": "slower than usual, and published before half past seven all the same",
    "source-hiccup": "a first attempt that failed, and another that worked minutes later: retries exist for that",
    "repaired": "a morning whose check had failed in the night and had passed since, on tables built anew",
}
"""What a morning was, in words, by its kind."""


def tells_bad_from_good(work: Work, data: tuple[Replay, ...]) -> str:
    """Bad mornings page before eight, good ones never: both in one check, since each half alone can be had for nothing."""
    pages = _first_pages(work, data)
    missed = [r for r, at in zip(data, pages, strict=True) if r.kind in NEEDED and at is None]
    alarms = [(r, at) for r, at in zip(data, pages, strict=True) if r.kind not in NEEDED and at is not None]
    right = len(data) - len(missed) - len(alarms)
    if all(at is None for at in pages):
        said = f"{len(data)} mornings, 37 calls each, and never a page; {len(missed)} of them broke the promise."
        raise NotYet(
            said, tried="every call from 05:00 to 08:00", expected=f"{len(missed)} pages", got="none", cause="never"
        )
    if missed:
        replay = min(missed, key=lambda r: list(BROKEN).index(r.kind))
        said, cause = f"On {replay.day} {BROKEN[replay.kind]}, and you paged nobody.", replay.kind
        if missed == [r for r in data if r.kind in NEEDED and r.day.weekday() == 0]:
            said, cause = f"{said} It was a Monday, and you paged on no Monday that broke the promise.", "mondays"
        said, cause = _clock(work, data) or (f"{right} of {len(data)} mornings right. {said}", cause)
        tried = f"{replay.day}, 37 calls from 05:00 to 08:00 Berlin time"
        raise NotYet(said, tried=tried, expected=f"a page by {NEEDED[replay.kind]:%H:%M}", got="no page", cause=cause)
    if alarms:
        replay, at = min(alarms, key=lambda pair: list(FINE).index(pair[0].kind))
        said = f"{right} of {len(data)} mornings right. {replay.day} paged, and it was {FINE[replay.kind]}."
        said, cause = _clock(work, data) or (said, replay.kind)
        got = f"a page at {replay.times[at]:%H:%M}"
        raise NotYet(said, tried=f"{replay.day}, a good morning", expected="no page", got=got, cause=cause)
    return f"{sum(r.kind in NEEDED for r in data)} bad mornings paged, silent on {sum(r.kind not in NEEDED for r in data)} good."


def pages_in_time(work: Work, data: tuple[Replay, ...]) -> str:
    pages = _first_pages(work, data)
    bad = [(r, r.times[at]) for r, at in zip(data, pages, strict=True) if r.kind in NEEDED and at is not None]
    late = [(r, at) for r, at in bad if at > NEEDED[r.kind]]
    if not late:
        return "Every page leaves ten minutes to wake up and the minutes of the rerun."
    replay, at = late[0]
    said = (
        f"On {replay.day} {BROKEN[replay.kind]}. After your page at {at:%H:%M}, ten minutes and {RERUNS[replay.kind]} "
        "do not fit before eight any more."
    )
    said, cause = _clock(work, data) or (said, "too-late")
    raise NotYet(
        said,
        tried=f"{replay.day}, 37 calls from 05:00 to 08:00 Berlin time",
        expected=f"a page by {NEEDED[replay.kind]:%H:%M}",
        got=f"a page at {at:%H:%M}",
        cause=cause,
        look=FAILS_AGAIN if replay.kind == "failed-quality" else "",
    )


FAILS_AGAIN = "A check that failed fails again on the same tables: its rerun begins at `dbt_run`."

CLOCKS = {
    "utc": (
        "Your rules are right, and your clock is not: you hold UTC against Berlin's hours as it stands. Berlin is one or two "
        "hours ahead.",
        0,
    ),
    "one-hour": (
        "Your rules are right, and your clock is not: it is one hour ahead of UTC all year. Until 26 October Berlin was two "
        "hours ahead.",
        1,
    ),
    "two-hours": (
        "Your rules are right, and your clock is not: it is two hours ahead of UTC all year. Since 26 October Berlin is one "
        "hour ahead.",
        2,
    ),
}
"""Clocks that do not know summer time: by cause the sentence to the learner, and how many hours ahead of UTC it is."""


def _clock(work: Work, data: tuple[Replay, ...]) -> tuple[str, str] | None:
    """(sentence, cause) where the answer is right on every morning by a clock that is the same all year."""
    pages = _first_pages(work, data)
    if len({at for r, at in zip(data, pages, strict=True) if r.kind == "never-started"}) == 1:
        return None  # such a clock pages at another hour after 26 October than before
    for cause, (said, hours) in CLOCKS.items():
        if _right_by(work, tuple(_by_clock(r, hours) for r in data)):
            return said, cause
    return None


def _by_clock(replay: Replay, hours: int) -> Replay:
    """The morning as it would look if Berlin were so many hours ahead of UTC."""
    first = replay.calls[0][1]
    moved = dt.datetime.combine(replay.day, replay.times[0]) - dt.timedelta(hours=hours) - first

    def at(moment: dt.datetime | None) -> dt.datetime | None:
        return moment and moment + moved

    calls = []
    for log, now, paged_at in replay.calls:
        rows = [{**r, "started_at": at(r["started_at"]), "finished_at": at(r["finished_at"])} for r in log]
        calls.append((rows, now + moved, paged_at))
    return replace(replay, calls=tuple(calls))


def _right_by(work: Work, data: tuple[Replay, ...]) -> bool:
    """Whether the answer pages in time on every bad one of these mornings and on no good one."""
    try:
        pages = _asked(work, data)
    except (LearnerError, NotYet):
        return False
    return all(
        (r.kind not in NEEDED) if at is None else r.times[at] <= NEEDED.get(r.kind, dt.time.min)
        for r, at in zip(data, pages, strict=True)
    )


def pages_once(work: Work, data: tuple[Replay, ...]) -> str:
    for replay, at in zip(data, _first_pages(work, data), strict=True):
        if at is None or replay.kind not in NEEDED:
            continue
        later = [(log, now, replay.calls[at][1]) for log, now, _ in replay.calls[at + 1 :]]
        again = sum(_rings(answer) for answer in work.calls("should_page", later))
        if again:
            said = f"On {replay.day} you paged at {replay.times[at]:%H:%M} and {again} more times until eight."
            tried = f"should_page(log, now, paged_at={replay.calls[at][1]:%H:%M} UTC)"
            raise NotYet(said, tried=tried, expected="no second page", got=f"{again + 1} pages", cause="again")
    return "One page a morning."


def _rings(answer: Any) -> bool:
    """Whether an answer rings; None is no."""
    return answer is not None and truth(answer, "What you return")


def _first_pages(work: Work, data: tuple[Replay, ...]) -> list[int | None]:
    """For each morning the number of the first call that paged, or None; asked once for all checks."""
    return work.once(("first pages", data[0].day, data[0].calls[-1][1], id(data)), lambda: _asked(work, data))


def _asked(work: Work, data: tuple[Replay, ...]) -> list[int | None]:
    answers = iter(work.calls("should_page", [c for r in data for c in r.calls]))
    paged = [[n for n, _ in enumerate(r.calls) if _rings(next(answers))] for r in data]
    return [numbers[0] if numbers else None for numbers in paged]


_SHOULD = """
import datetime as dt
from zoneinfo import ZoneInfo

LAST = {'ingest_orders': dt.time(6, 40), 'dbt_run': dt.time(6, 50), 'quality_check': dt.time(7, 35), 'publish': dt.time(7, 45)}

def should_page(log, now, paged_at):
    if paged_at:
        return False
    local = now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()
    done = {r['step'] for r in log if r['status'] == 'success'}
    checks = [r['status'] for r in log if r['step'] == 'quality_check']
    if checks[-1:] == ['failed']:
        return True
    return any(step not in done and local >= last for step, last in LAST.items())
"""
_BERLIN_NOW = "now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()"

TASK_5 = Task(
    id="11.5",
    title="Page on the right mornings",
    minutes=20,
    points=3,
    deliver=(function("should_page"),),
    data=replays,
    checks=(
        Check("tells bad mornings from good ones", tells_bad_from_good, expected=lambda d: [(r.day, r.kind) for r in d]),
        Check("pages while a rerun still fits", pages_in_time),
        Check("pages once a morning", pages_once),
    ),
    hints=(
        "Count backwards from eight: the minutes of what must be run again, and ten to wake up. By when must each of the four steps have succeeded?",
        "One rule for each step that has not succeeded by its last call (06:40, 06:50, 07:35, 07:45 Berlin time), and one for a quality check whose last attempt failed: it fails again on the same tables, so `dbt_run` must run again. None of them needs a step that is running.",
        "`status = {r['step']: r['status'] for r in log}` keeps the last attempt of each step; `clock = now.replace(tzinfo=timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).time()`; `last = {'ingest_orders': time(6, 40), 'dbt_run': time(6, 50), 'quality_check': time(7, 35), 'publish': time(7, 45)}`; `return paged_at is None and (status.get('quality_check') == 'failed' or any(clock >= at and status.get(step) != 'success' for step, at in last.items()))`.",
    ),
    wrong=(
        wrong(
            "only looks at running steps",
            "import datetime as dt\ndef should_page(log, now, paged_at):\n    return not paged_at and any(r['status'] == 'running' and now - r['started_at'] > dt.timedelta(minutes=70) for r in log)",
            "never-started",
        ),
        wrong(
            "slower than the mean",
            _SHOULD.replace(
                "LAST.items())",
                "LAST.items()) or any(r['step'] == 'dbt_run' and (r['finished_at'] or now) - r['started_at'] > dt.timedelta(minutes=46) for r in log)",
            ),
            "slow-monday",
        ),
        wrong(
            "any failed attempt",
            _SHOULD.replace("checks[-1:] == ['failed']", "any(r['status'] == 'failed' for r in log)"),
            "source-hiccup",
        ),
        wrong(
            "a check that failed and has passed since",
            _SHOULD.replace("checks[-1:] == ['failed']", "'failed' in checks"),
            "repaired",
        ),
        wrong("sleeps on Mondays", _SHOULD.replace("    if paged_at:", "    if paged_at or now.weekday() == 0:"), "mondays"),
        wrong("at each call", _SHOULD.replace("    if paged_at:\n        return False\n", ""), "again"),
        wrong("UTC for Berlin", _SHOULD.replace(_BERLIN_NOW, "now.time()"), "utc"),
        wrong("two hours all year", _SHOULD.replace(_BERLIN_NOW, "(now + dt.timedelta(hours=2)).time()"), "two-hours"),
        wrong("one hour all year", _SHOULD.replace(_BERLIN_NOW, "(now + dt.timedelta(hours=1)).time()"), "one-hour"),
        wrong(
            "waits until eight",
            _SHOULD.replace("dt.time(6, 40)", "dt.time(8, 0)").replace("dt.time(6, 50)", "dt.time(8, 0)"),
            "too-late",
        ),
        wrong(
            "no time to wake up",
            _SHOULD.replace("dt.time(6, 40)", "dt.time(6, 50)").replace("dt.time(6, 50), 'q", "dt.time(7, 0), 'q"),
            "too-late",
        ),
        wrong("never", "def should_page(log, now, paged_at):\n    return False", "never"),
        wrong("always", "def should_page(log, now, paged_at):\n    return not paged_at", "ordinary"),
        wrong(
            "no look at quality",
            _SHOULD.replace(
                "    if checks[-1:] == ['failed']:\n        return True\n",
                "",
            ),
            "too-late",
        ),
        wrong("ignores the source", _SHOULD.replace("'ingest_orders': dt.time(6, 40), ", ""), "too-late"),
        wrong(
            "ignores the last steps",
            _SHOULD.replace(", 'quality_check': dt.time(7, 35), 'publish': dt.time(7, 45)", ""),
            "hung-check",
        ),
        wrong("impatient with slow runs", _SHOULD.replace("dt.time(6, 50)", "dt.time(6, 25)"), "slow-monday"),
        wrong(
            "words",
            _SHOULD.replace("return any(", "return 'page' if any(").replace("LAST.items())", "LAST.items()) else ''"),
            "type",
        ),
    ),
    right=(
        right(
            "minutes left, a call ahead",
            """
import datetime as dt
from zoneinfo import ZoneInfo
RERUN = {'ingest_orders': 70, 'dbt_run': 56, 'quality_check': 14, 'publish': 5}
def should_page(log, now, paged_at):
    berlin = now.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin'))
    eight = berlin.replace(hour=8, minute=0, second=0)
    left = (eight - berlin).total_seconds() / 60
    done = {r['step'] for r in log if r['status'] == 'success'}
    failed = {r['step']: r['status'] for r in log}.get('quality_check') == 'failed'
    late = any(left - 5 < minutes + 10 for step, minutes in RERUN.items() if step not in done)
    return paged_at is None and (failed or late)
""",
        ),
        right(
            "in SQL",
            """
import duckdb
con = duckdb.connect(config={'threads': 1})
def should_page(log, now, paged_at):
    if paged_at is not None:
        return False
    rows = [(r['step'], r['status'], r['started_at']) for r in log]
    con.execute("create or replace table log (step text, status text, started_at timestamp)")
    if rows:
        con.executemany("insert into log values (?, ?, ?)", rows)
    con.execute("set variable t = timezone('Europe/Berlin', timezone('UTC', ?::timestamp))::time", [now])
    return con.execute('''select coalesce(arg_max(status, started_at) filter (step = 'quality_check') = 'failed', false) or exists (
        from (values ('ingest_orders', time '06:40'), ('dbt_run', time '06:50'), ('quality_check', time '07:35'), ('publish', time '07:45')) d(step, last)
        where getvariable('t') >= d.last and d.step not in (select step from log where status = 'success')) from log''').fetchone()[0]
""",
        ),
    ),
    clauses={
        "All times, `now` too, are UTC": "UTC for Berlin",
        "the promise is in Berlin time": "one hour all year",
        "ten minutes to be at the keyboard": "no time to wake up",
        "a rerun still fits before eight": "waits until eight",
        "a whole run takes up to 70 minutes": "ignores the source",
        "from `quality_check` on up to 14": "ignores the last steps",
        "at most once": "at each call",
        "Mondays take twenty minutes longer": "impatient with slow runs",
        "some runs are slow": "slower than the mean",
        "may fail and the second succeed": "any failed attempt",
        "A check that failed fails again on the same tables": "no look at quality",
        "a failed quality check": "no look at quality",
        "may have passed since": "a check that failed and has passed since",
        "one of them on a Monday": "sleeps on Mondays",
        "a run that never starts": "only looks at running steps",
        "Return `True` or `False`": "words",
    },
    seconds=60,
    spared={"returns None": "None is as false as False"},
)


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
        rules.append((limit, rule["action"]))
    return sorted(rules)


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
        got = next((action for limit, action in rules if share <= limit + 1e-9), "ship")
        if got != want:
            lost = data.kept[: n + 1].count(False)
            said = f"After morning {n + 1}, {lost} of 6 mornings are lost: {max(0.0, share):.0%} of the budget is left."
            cause = {"ship": "too-strict", "slow-down": "slow-down"}.get(want, "freeze")
            raise NotYet(said, tried=f"{lost} mornings lost", expected=want, got=got, cause=cause)
    counts = ", ".join(f"{data.actions.count(action)} {action}" for action in ACTIONS)
    return f"Two months of thirty mornings decided; in one of them: {counts}."


def somebody_decides(work: Work, data: Period) -> str:
    policy = _policy(work, "decides", "exceptions")
    who = policy["decides"]
    if not isinstance(who, str):
        raise wrong_type("`decides`", "one role, as a text", who)
    if refused := _no_role(who):
        said, cause = refused
        raise NotYet(said, expected="a role, for example: data product owner", got=repr(who), cause=cause)
    exceptions = texts(policy["exceptions"], "`exceptions`")
    if everything := [e for e in exceptions if e.strip().lower() in EVERYTHING]:
        said = f"“{everything[0]}” among the exceptions leaves nothing for the freeze to hold back."
        raise NotYet(said, expected="exceptions: [security fixes, …]", got=exceptions, cause="everything")
    if not any("secur" in e.lower() and not DENIAL.match(e) for e in exceptions):
        said = "Security fixes are not among the exceptions. Without them in writing, the first leak is negotiated at night."
        raise NotYet(said, expected="exceptions: [security fixes, …]", got=exceptions, cause="exceptions")
    return f"“{who}” decides; {_counted(len(exceptions), 'exception')}."


CROWDS = ("team", "whole team", "data team", "everyone", "everybody", "all", "all of us", "we", "we all", "us")
NOBODY = ("nobody", "no one", "no-one", "none", "n/a", "tbd", "todo", "to be decided", "to be determined", "unknown")
EVERYTHING = ("everything", "everything else", "anything", "anything else", "all", "all changes", "the rest")
DENIAL = re.compile(r"\s*(no|not|never|all but|everything but|everything except)\s", re.IGNORECASE)
BETWEEN_ROLES = re.compile(r"\s(?:and|or|plus)\s|[/&+;]")
ROLE = re.compile(r"\b(?:head|lead|owner|manager|director|chief|officer|engineer|analyst|c[a-z]o)\b")
"""What a role is called by: “head of data and analytics” is one role, “head of data and CTO” are two."""


def _no_role(who: str) -> tuple[str, str] | None:
    """(sentence, cause) where a text is surely not one role."""
    name = who.strip().lower().removeprefix("the ")
    if not any(letter.isalpha() for letter in name):
        return "`decides` names no role: there is no word in it.", "nobody"
    if name in NOBODY:
        return "`decides` names nobody. In the bad month somebody must be able to say stop.", "nobody"
    if len(name) == 1:
        return "`decides` is a single letter. Write the role out.", "letter"
    if name in CROWDS:
        return "`decides` names one role that may say stop. What everybody decides, nobody does.", "owner"
    roles = [part.strip() for part in BETWEEN_ROLES.split(name) if ROLE.search(part)]
    if len(roles) > 1:
        said = f"`decides` names {_counted(len(roles), 'role')}: {'; '.join(roles)}. The policy needs the one that may say stop."
        return said, "two-roles"
    return None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


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
        "security fixes at least": "other exceptions alone",
    },
    spared={".exceptions[1]": "one exception is enough"},
)


MODULE = Module(
    key="11",
    stem="11-slo",
    title="SLO: a promise with numbers in it",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5, TASK_6),
    prepare=prepare,
)
