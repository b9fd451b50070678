"""Task 11.1: which mornings kept the promise, from a run log with awkward mornings."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from dojo.judge.contract import Check, NotYet, Task, edited, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import (
    calendar_day,
    diagnosis,
    truth,
    wrong_type,
)
from dojo.tasks.m11_slo.promises import EIGHT, counted, on_time, succeeded
from shopflow import runlog
from shopflow.clock import days


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


CHANGED = dt.date(2025, 10, 26)
"""The Sunday on which Berlin's clocks went back."""
IN_SUMMER = ("retried", "summer_late", "again", "checked_late", "repaired", "spoilt", "overtaken", "improper", "crossed")
IN_WINTER = (
    *("unchecked", "sharp", "gone", "forced", "winter_late", "close", "overnight", "second_late", "broken_publish"),
    *("soured", "tangled", "resoured"),
)
BY_QUALITY = ("unchecked", "forced", "checked_late", "spoilt", "overtaken", "soured", "crossed", "tangled")
"""Mornings that only their quality check breaks."""


def _drawn(seed: int, window: list[dt.date]) -> dict[str, dt.date]:
    """A morning for each kind, bad ones included; those that only quality breaks stand on every day of the week.

    Of the winter ones the first is `unchecked`: the last check of the day before it had passed.
    """
    dice = random.Random(f"awkward {seed}")
    while True:
        summer, winter = ([d for d in window if (d < CHANGED) == early] for early in (True, False))
        bad = [*dice.sample(summer, 2), *dice.sample(winter, 2)]
        dice.shuffle(bad)
        drawn = dict(zip(runlog.BAD, bad, strict=True))
        drawn |= zip(IN_SUMMER, dice.sample([d for d in summer if d not in bad], len(IN_SUMMER)), strict=True)
        of_winter = dice.sample([d for d in winter if d not in bad], len(IN_WINTER))
        first = min(of_winter)
        of_winter.remove(first)
        drawn |= zip(IN_WINTER, [first, *of_winter], strict=True)
        if len({drawn[kind].weekday() for kind in BY_QUALITY}) == 7:
            return drawn


def awkward_mornings(seed: int) -> Measured:
    """Four weeks around the end of summer time, with twenty-one mornings that catch people out beside four bad ones."""
    window = days(dt.date(2025, 10, 13), dt.date(2025, 11, 9))
    of = _drawn(seed, window)
    kinds = dict.fromkeys(window, "ordinary") | {of[kind]: kind for kind in runlog.BAD}
    rows = [r for r in runlog.simulate(seed=seed, mornings=kinds).to_pylist() if r["run_date"] != of["gone"]]
    rows = [r for r in rows if (r["run_date"], r["step"]) != (of["unchecked"], "quality_check")]
    at = {
        of["sharp"]: (of["sharp"], dt.time(8)),
        of["second_late"]: (of["second_late"], dt.time(8, 0, 1)),
        of["close"]: (of["close"], dt.time(7, 20 + seed % 10)),
        of["summer_late"]: (of["summer_late"], dt.time(8, 20 + seed % 10)),
        of["winter_late"]: (of["winter_late"], dt.time(8, 30 + seed % 10)),
        of["overnight"]: (of["overnight"] + dt.timedelta(days=1), dt.time(0, 20 + seed % 10)),
    }
    failed = ((of["broken_publish"], "publish"), (of["forced"], "quality_check"), (of["checked_late"], "quality_check"))
    for row in rows:
        if row["step"] == "publish" and row["run_date"] in at:
            row["finished_at"] = runlog.to_utc(dt.datetime.combine(*at[row["run_date"]]))
        if (row["run_date"], row["step"]) in failed:
            row["status"] = "failed"
        if (row["run_date"], row["step"]) == (of["overtaken"], "quality_check"):
            row["finished_at"] += dt.timedelta(minutes=10)  # it was still running when `publish` had ended
    rows += _more_checks(rows, of)
    rows += _more_attempts(rows, of)
    log = pa.Table.from_pylist(rows)
    return Measured(log, window, on_time(log, window), of["gone"])


def _more_attempts(rows: list[dict[str, Any]], of: dict[str, dt.date]) -> list[dict[str, Any]]:
    """A publish that failed before the one that worked, second publishes, a check that passed after publishing."""
    found = {(r["run_date"], r["step"]): r for r in rows}
    worked = found[of["retried"], "publish"]
    worked["attempt"] = 2
    begun = worked["started_at"]
    failed = {"attempt": 1, "status": "failed", "started_at": begun - dt.timedelta(seconds=30), "finished_at": begun}
    corrected = runlog.to_utc(dt.datetime.combine(of["again"], dt.time(10, 15)))
    second = {"attempt": 2, "started_at": corrected, "finished_at": corrected + dt.timedelta(minutes=4)}
    after = found[of["checked_late"], "publish"]["finished_at"]
    passed = {"attempt": 2, "status": "success", "started_at": after, "finished_at": after + dt.timedelta(minutes=7)}
    kept = found[of["resoured"], "publish"]  # by eight and checked; then a check fails, and it is published once more
    spoilt = {**found[of["resoured"], "quality_check"], "attempt": 2, "status": "failed", **_ended(kept)}
    return [
        {**worked, **failed},
        {**found[of["again"], "publish"], **second},
        {**found[of["checked_late"], "quality_check"], **passed},
        spoilt,
        {**kept, "attempt": 2, **_ended(spoilt)},
    ]


def _more_checks(rows: list[dict[str, Any]], of: dict[str, dt.date]) -> list[dict[str, Any]]:
    """Checks that failed before the one that passed, or after it, there in a second run; that run beside another or beside
    `publish`; a publish before its check.
    """
    found = {(r["run_date"], r["step"]): r for r in rows}
    made = []
    for day in (of["repaired"], of["spoilt"]):
        check = found[day, "quality_check"]
        made.append({**check, "status": "failed", **_ended(found[day, "dbt_run"])})
        check |= {"attempt": 2, "started_at": made[-1]["finished_at"]}
    again = {of["spoilt"]: {"run_id": f"prod-{of['spoilt']}-2", "attempt": 1}, of["soured"]: {"attempt": 2}}
    for day, which in again.items():
        check = found[day, "quality_check"]
        made.append({**check, **which, "status": "failed", **_ended(check)})
        _move(found[day, "publish"], minutes=2)
    found[of["improper"], "publish"]["attempt"] = 2
    made.append({**found[of["improper"], "publish"], "attempt": 1, **_ended(found[of["improper"], "dbt_run"])})
    crossed, publish = found[of["crossed"], "quality_check"], found[of["crossed"], "publish"]
    publish["finished_at"] += dt.timedelta(minutes=3)
    crossed["finished_at"] = publish["finished_at"] - dt.timedelta(minutes=1)  # it passed while `publish` was writing
    tangled = found[of["tangled"], "quality_check"]  # it ends after the second, which began after it
    begun = tangled["started_at"] + dt.timedelta(seconds=40)
    made.append({**tangled, "attempt": 2, "started_at": begun, "finished_at": begun + dt.timedelta(seconds=40)})
    tangled |= {"status": "failed", "finished_at": tangled["finished_at"] + dt.timedelta(minutes=1)}
    _move(found[of["tangled"], "publish"], minutes=2)
    return made


def _move(row: dict[str, Any], minutes: int) -> None:
    for moment in ("started_at", "finished_at"):
        row[moment] += dt.timedelta(minutes=minutes)


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
        {"publish": lambda rows: succeeded(rows)[-1:]},
    ),
    "attempt": (
        "You look at first attempts. Where the second publish worked by eight, readers had their data.",
        {"publish": lambda rows: [r for r in succeeded(rows) if r["attempt"] == 1]},
    ),
    "first-publish": (
        "You look at the first publish that succeeded. Where a later one had its check and came by eight, the promise was kept.",
        {"publish": lambda rows: succeeded(rows)[:1]},
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
    "meanwhile": (
        "A check that passed while `publish` was writing counts by your count. It had to end before `publish` began.",
        {"check": "meanwhile"},
    ),
    "last-begun": (
        "Of two checks that ran side by side you look at the one that began last. The one that ended last counts.",
        {"check": "last-begun"},
    ),
    "last-in-time": (
        "Of several publishes by eight you look at the last. Where an earlier one had its check, readers had their data.",
        {"in_time": lambda rows: rows[-1:]},
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
        f"{counted(len(wrong_days), 'morning')} judged otherwise than finance would, {wrong_days[0]} first.",
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


def other_windows(work: Work, data: Measured) -> str:
    """The morning without a row asked for alone, a kept one alone, and a window that reaches beyond the log on both sides."""
    tried = f"kept_promises(con, {data.gone}, {data.gone})"
    got = _kept_mornings(work, data, data.gone, data.gone, tried)
    if got != {data.gone: False}:
        said = f"Asked for {data.gone} alone, a morning without a single row in the log. One morning, not kept."
        raise NotYet(said, tried=tried, expected={str(data.gone): False}, got=_as_texts(got), cause="gone")
    day = next(day for day in data.window if data.kept[day])
    tried = f"kept_promises(con, {day}, {day})"
    got = _kept_mornings(work, data, day, day, tried)
    if got != {day: True}:
        said = f"Asked for {day} alone, a morning that was kept."
        raise NotYet(said, tried=tried, expected={str(day): True}, got=_as_texts(got), cause="alone")
    first, last = data.window[0] - dt.timedelta(days=2), data.window[-1] + dt.timedelta(days=1)
    tried = f"kept_promises(con, {first}, {last}), of which the log has {data.window[0]} to {data.window[-1]}"
    got = _kept_mornings(work, data, first, last, tried)
    beyond = dict.fromkeys((*days(first, data.window[0])[:-1], last), False)
    if {day: got.get(day) for day in beyond} != beyond:
        said = "Mornings before the first row of the log, or after its last, left no trace either. They are not kept."
        shown = {str(day): got.get(day, "not there") for day in beyond}
        raise NotYet(said, tried=tried, expected=_as_texts(beyond), got=shown, cause="beyond")
    return "A morning that left no trace counts as broken."


def _as_texts(mornings: dict[dt.date, bool]) -> dict[str, bool]:
    return {str(day): kept for day, kept in mornings.items()}


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
_OF_THE_LOG = edited(
    _KEPT,
    (
        "generate_series(?::date, ?::date, interval 1 day))::date as run_date",
        "generate_series(min(run_date), max(run_date), interval 1 day))::date as run_date from ops.run_log",
    ),
    ("group by run_date", "group by run_date having run_date between ? and ?"),
)
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
        Check("counts a morning that left no trace", other_windows),
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
                "arg_max(last_check, ready_at) = 'success' and max(ready_at) <= run_date + time '08:00'",
            ),
            "again",
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
            "a check that passed meanwhile",
            _KEPT.replace("c.finished_at <= p.started_at", "c.finished_at <= p.finished_at"),
            "meanwhile",
        ),
        wrong(
            "the check that began last",
            _KEPT.replace("arg_max(c.status, c.finished_at)", "arg_max(c.status, c.started_at)"),
            "last-begun",
        ),
        wrong(
            "the last publish by eight",
            _KEPT.replace(
                "bool_or(last_check = 'success' and ready_at <= run_date + time '08:00')",
                "arg_max(coalesce(last_check, 'none'), ready_at) filter (ready_at <= run_date + time '08:00') = 'success'",
            ),
            "last-in-time",
        ),
        wrong("the log's own calendar", _OF_THE_LOG, "beyond"),
        wrong(
            "no kept morning alone",
            _KEPT.replace("    rows =", "    if first == last:\n        return {first: False}\n    rows ="),
            "alone",
        ),
        wrong(
            "Mondays without a check",
            _KEPT.replace("(last_check = 'success' and", "((last_check = 'success' or isodow(run_date) = 1) and"),
            "mornings",
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
        "whose check passed while it was being published": "a check that passed meanwhile",
        "one with two checks side by side": "the check that began last",
        "published again by eight after a check that failed": "the last publish by eight",
        "Without a check nothing had passed": "no check is a passed one",
        "whose check passed only after publishing": "a check that passed at any time",
        "one a second after eight": "a minute's grace",
        "whose `publish` failed for good": "a publish that failed",
        "published before its check and again after it": "the first success",
        "whose check failed and then passed": "every earlier check",
        "times in UTC": "one hour all year",
        "when the clocks went back": "two hours all year",
        "a morning that left no trace in the log": "no morning asked for alone",
        "from `first` to `last`": "the log's own calendar",
        "published by force after a failed check": "no look at quality",
        "published at the second attempt": "the first attempt",
        "published twice": "the last success",
        "not published until after midnight": "the time of day alone",
        "to `True` or `False`": "words for truths",
    },
)
