"""Task 11.5: a page on mornings that will break the promise, in time for a rerun, once, and on no other."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import LearnerError, Work
from dojo.tasks.answers import (
    truth,
)
from shopflow import runlog
from shopflow.clock import days

NEEDED = {
    "never-started": dt.time(6, 40),
    "late-source": dt.time(6, 40),
    "hung-step": dt.time(6, 50),
    "failed-quality": dt.time(6, 50),
    "hung-check": dt.time(7, 35),
    "hung-publish": dt.time(7, 45),
    "failed-publish": dt.time(7, 45),
    "failed-build": dt.time(6, 50),
    "failed-since": dt.time(6, 50),
}
"""The last call at which a page leaves ten minutes to get to the keyboard and the minutes of what must be run again."""
RERUNS = {
    "never-started": "a whole run (up to 70 minutes)",
    "late-source": "a whole run (up to 70 minutes)",
    "hung-step": "a run from `dbt_run` on (up to 56 minutes)",
    "failed-quality": "a run from `dbt_run` on (up to 56 minutes)",
    "hung-check": "a run from `quality_check` on (up to 14 minutes)",
    "hung-publish": "`publish` (up to 5 minutes)",
    "failed-publish": "`publish` (up to 5 minutes)",
    "failed-build": "a run from `dbt_run` on (up to 56 minutes)",
    "failed-since": "a run from `dbt_run` on (up to 56 minutes)",
}
"""What must be run again, by the kind of a bad morning."""
HANGS = {"hung-check": "quality_check", "hung-publish": "publish"}
"""Mornings on which a late step starts and does not end before eight."""
FAILS = {"failed-publish": "publish", "failed-build": "dbt_run"}
"""Mornings on which a step fails, and from then on nothing runs."""

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
    """Thirty-six mornings on both sides of the end of summer time: each kind on each side, a bad Monday, ordinary ones between."""
    dice = random.Random(f"replays {seed}")
    bad = tuple(NEEDED)
    made = []
    for first in (dt.date(2025, 9, 15), dt.date(2025, 10, 27)):
        window = days(first, first + dt.timedelta(days=27))
        mondays = [d for d in window if d.weekday() == 0 and _in_time(seed, d, "slow-monday")]
        bad_monday = next(d for d in window if d.weekday() == 0 and d not in mondays[:2])
        others = dice.sample([d for d in window if d.weekday()], len(window) - 4)
        slow = [d for d in others if _in_time(seed, d, "slow")][:2]
        others = [d for d in others if d not in slow]
        kinds = dict.fromkeys(mondays[:2], "slow-monday") | dict.fromkeys(slow, "slow") | {bad_monday: dice.choice(bad)}
        kinds |= dict(zip(others, ("ordinary", "ordinary", "source-hiccup", "repaired", *bad), strict=False))
        made += [_replay(seed, day, kind) for day, kind in sorted(kinds.items())]
    return tuple(made)


def _rows_of(seed: int, day: dt.date, kind: str) -> list[dict[str, Any]]:
    """The log of one morning; one on which a step hangs or fails is an ordinary morning up to there."""
    if kind == "repaired":
        return _repaired(seed, day)
    if kind == "failed-since":
        return _failed_since(seed, day)
    stops = {**HANGS, **FAILS}
    rows = runlog.simulate(seed=seed, mornings={day: "ordinary" if kind in stops else kind}).to_pylist()
    if kind in stops:
        steps = [r["step"] for r in rows]
        rows = rows[: steps.index(stops[kind]) + 1]
    if kind in HANGS:
        rows[-1]["finished_at"] = runlog.to_utc(dt.datetime.combine(day, dt.time(9)))
    if kind in FAILS:
        rows[-1]["status"] = "failed"
    return rows


def _failed_since(seed: int, day: dt.date) -> list[dict[str, Any]]:
    """A run begun by hand in the night, whose check passes; the morning's own run builds anew, and its check fails."""
    rows = runlog.simulate(seed=seed, mornings={day: "ordinary"}).to_pylist()[:3]
    earlier = dt.timedelta(hours=3)
    night = [{**r, "started_at": r["started_at"] - earlier, "finished_at": r["finished_at"] - earlier} for r in rows]
    rows = [{**r, "attempt": 2} for r in rows]
    rows[-1]["status"] = "failed"
    return [*night, *rows]


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
    "failed-publish": "`publish` failed, and nothing ran after it",
    "failed-build": "`dbt_run` failed, and nothing ran after it",
    "failed-since": "the check of the night had passed, and that of the morning's own run failed",
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
        look=FAILS_AGAIN if replay.kind in ("failed-quality", "failed-since") else "",
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
        key = ("clock", hours, id(data))  # in no other zone of the process either: asked once
        if work.once(key, lambda hours=hours: _right_by(work, tuple(_by_clock(r, hours) for r in data))):
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
    first = {replay.day: at for replay, at in zip(data, _first_pages(work, data), strict=True)}
    rang = [replay for replay in data if first[replay.day] is not None and replay.kind in NEEDED]
    told = {replay.day: replay.calls[first[replay.day]][1] for replay in rang}
    later = [
        tuple(
            (log, now, told[replay.day] if n > first[replay.day] else None) for n, (log, now, _) in enumerate(replay.calls)
        )
        for replay in rang
    ]
    for replay, answers in zip(rang, _answers(work, later), strict=True):
        at = first[replay.day]
        again = sum(answers[at + 1 :])
        if again:
            said = f"On {replay.day} you paged at {replay.times[at]:%H:%M} and {again} more times until eight."
            tried = f"should_page(log, now, paged_at={told[replay.day]:%H:%M} UTC)"
            raise NotYet(said, tried=tried, expected="no second page", got=f"{again + 1} pages", cause="again")
    return "One page a morning."


def _rings(answer: Any) -> bool:
    """Whether an answer rings; None is no."""
    return answer is not None and truth(answer, "What you return")


def _first_pages(work: Work, data: tuple[Replay, ...]) -> list[int | None]:
    """For each morning the number of the first call that paged, or None; asked once for all checks."""
    return work.once(("first pages", work.zone, id(data)), lambda: _asked(work, data))


def _asked(work: Work, data: tuple[Replay, ...]) -> list[int | None]:
    return [next((n for n, rings in enumerate(a) if rings), None) for a in _answers(work, [r.calls for r in data])]


def _answers(work: Work, mornings: Sequence[Sequence[tuple]]) -> list[list[bool]]:
    """By morning and call whether it rings. All mornings are asked at 05:00, then all at 05:05: none knows its own eight o'clock."""
    found: list[list[bool]] = [[] for _ in mornings]
    for calls in zip(*mornings, strict=True):
        for answers, answer in zip(found, work.calls("should_page", list(calls)), strict=True):
            answers.append(_rings(answer))
    return found


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

_FUTURE = """
import sys
def should_page(log, now, paged_at):
    frame = sys._getframe()
    while frame and not isinstance(frame.f_locals.get('arguments'), list):
        frame = frame.f_back
    last = [a for a in frame.f_locals['arguments'] if a[1].date() == now.date()][-1][0]
    return paged_at is None and not any(r['step'] == 'publish' and r['status'] == 'success' for r in last)
"""

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
        wrong(
            "a publish that failed is one",
            _SHOULD.replace(
                "if r['status'] == 'success'}",
                "if r['status'] == 'success' or (r['step'], r['status']) == ('publish', 'failed')}",
            ),
            "failed-publish",
        ),
        wrong(
            "a build that failed is one",
            _SHOULD.replace(
                "if r['status'] == 'success'}",
                "if r['status'] == 'success' or (r['step'], r['status']) == ('dbt_run', 'failed')}",
            ),
            "too-late",
        ),
        wrong(
            "a check that has ever passed",
            _SHOULD.replace("checks[-1:] == ['failed']", "'failed' in checks and 'success' not in checks"),
            "too-late",
            "failed-since",
        ),
        wrong("reads the future", _FUTURE, "ordinary"),
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
        "a `publish` that fails": "a publish that failed is one",
        "a `dbt_run` that fails": "a build that failed is one",
        "a check that passed in the night and failed in the morning": "a check that has ever passed",
        "may have passed since": "a check that failed and has passed since",
        "one of them on a Monday": "sleeps on Mondays",
        "a run that never starts": "only looks at running steps",
        "Return `True` or `False`": "words",
    },
    seconds=60,
    spared={"returns None": "None is as false as False"},
)
