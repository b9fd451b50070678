"""The run log: the table every service-level indicator is computed from, and a simulator of many mornings.

All timestamps are naive UTC. The promise is made in Berlin time: fresh by 08:00 (SLA), done by 07:00 (SLO).
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from shopflow.clock import HQ, LAST_DAY, days
from shopflow.tables import BATCH_ROWS

STEPS = ("ingest_orders", "dbt_run", "quality_check", "publish")
BERLIN = ZoneInfo(HQ)
SCHEDULE = dt.time(5, 30)
"""When the morning run is due, Berlin time."""

COLUMNS = (
    "run_id varchar, run_date date, env varchar, step varchar, attempt integer, status varchar, scheduled_at timestamp, "
    "started_at timestamp, finished_at timestamp, rows_in bigint, rows_out bigint, message varchar"
)
CREATE = f"""
create schema if not exists ops;
create table if not exists ops.run_log ({COLUMNS});
create or replace view ops.run_log_local as
select
    * exclude (scheduled_at, started_at, finished_at),
    timezone('{HQ}', timezone('UTC', scheduled_at)) as scheduled_at,
    timezone('{HQ}', timezone('UTC', started_at)) as started_at,
    timezone('{HQ}', timezone('UTC', finished_at)) as finished_at
from ops.run_log;
"""
"""Makes the run log and its view in Berlin wall time."""

KINDS = ("ordinary", "slow-monday", "slow", "source-hiccup", "hung-step", "late-source", "failed-quality", "never-started")
BAD = ("hung-step", "late-source", "failed-quality", "never-started")
"""Kinds of mornings; on a bad one the data is not there at eight unless somebody is woken."""

MINUTES = {"ingest_orders": (9, 14), "dbt_run": (33, 42), "quality_check": (6, 9), "publish": (3, 5)}
"""How long a step takes on an ordinary morning, from and to, in minutes."""


@dataclass
class _Run:
    """One morning while it is being simulated."""

    day: dt.date
    env: str
    dice: random.Random
    now: dt.datetime
    rows: list[dict]

    def step(self, name: str, minutes: float, status: str = "success", message: str = "", attempt: int = 1) -> None:
        """One attempt of one step that takes so many minutes."""
        begun, self.now = self.now, self.now + dt.timedelta(seconds=round(minutes * 60))
        count = 250 + self.dice.randrange(120)
        self.rows.append(
            {
                "run_id": f"{self.env}-{self.day}",
                "run_date": self.day,
                "env": self.env,
                "step": name,
                "attempt": attempt,
                "status": status,
                "scheduled_at": scheduled_at(self.day),
                "started_at": begun,
                "finished_at": self.now,
                "rows_in": count,
                "rows_out": count if status == "success" else 0,
                "message": message,
            }
        )

    def usual(self, name: str, extra: float = 0, attempt: int = 1) -> None:
        """A step that does what it always does, `extra` minutes longer."""
        low, high = MINUTES[name]
        self.step(name, low + (high - low) * self.dice.random() + extra, attempt=attempt)

    def wait_until(self, hour: int, minute: int) -> None:
        """Nothing happens until this time of the day, Berlin."""
        self.now = max(self.now, to_utc(dt.datetime.combine(self.day, dt.time(hour, minute))))


def to_utc(local: dt.datetime) -> dt.datetime:
    """A Berlin wall time as naive UTC."""
    return local.replace(tzinfo=BERLIN).astimezone(dt.UTC).replace(tzinfo=None)


def to_berlin(utc: dt.datetime) -> dt.datetime:
    """A naive UTC time as Berlin wall time, naive."""
    return utc.replace(tzinfo=dt.UTC).astimezone(BERLIN).replace(tzinfo=None)


def scheduled_at(day: dt.date) -> dt.datetime:
    """When the run of a morning is due, naive UTC."""
    return to_utc(dt.datetime.combine(day, SCHEDULE))


def kinds(*, seed: int = 7, last_day: dt.date = LAST_DAY, days_back: int = 90) -> dict[dt.date, str]:
    """What kind of morning each day is: about one in eight bad, one in twelve slow or with a hiccup, Mondays slow as ever."""
    window = days(last_day - dt.timedelta(days=days_back - 1), last_day)
    dice = random.Random(f"kinds {seed} {last_day}")
    found = {day: "slow-monday" if day.weekday() == 0 else "ordinary" for day in window}
    bad = max(4, round(days_back * 0.122))
    chosen = dice.sample(window, bad + days_back // 12)
    for number, day in enumerate(chosen[:bad]):
        found[day] = BAD[number % len(BAD)]
    for number, day in enumerate(chosen[bad:]):
        if found[day] == "ordinary":
            found[day] = ("slow", "source-hiccup")[number % 2]
    return found


def simulate(
    *,
    seed: int = 7,
    last_day: dt.date = LAST_DAY,
    days_back: int = 90,
    mornings: dict[dt.date, str] | None = None,
    env: str = "prod",
) -> pa.Table:
    """The run log of many mornings, in the shape of ops.run_log.

    mornings: the kind of each day (see KINDS), default kinds(). ValueError for a kind that does not exist.
    """
    rows: list[dict] = []
    for day, kind in (mornings or kinds(seed=seed, last_day=last_day, days_back=days_back)).items():
        if kind not in KINDS:
            raise ValueError(f"There is no kind of morning {kind!r}; there are {', '.join(KINDS)}.")
        run = _Run(day, env, random.Random(f"{seed} {day} {kind}"), scheduled_at(day), rows)
        _MORNINGS[kind](run)
    con = duckdb.connect()
    con.execute(f"create table log ({COLUMNS})")
    con.register("rows_in_python", pa.Table.from_pylist(rows))
    names = ", ".join(c.split()[0] for c in COLUMNS.split(", "))
    return con.execute(f"insert into log select {names} from rows_in_python; from log").to_arrow_table(BATCH_ROWS)


def _ordinary(run: _Run, extra: float = 0) -> None:
    for step in STEPS:
        run.usual(step, extra if step == "dbt_run" else 0)


def _slow_monday(run: _Run) -> None:
    _ordinary(run, 17 + 8 * run.dice.random())


def _slow(run: _Run) -> None:
    _ordinary(run, 18 + 12 * run.dice.random())


def _source_hiccup(run: _Run) -> None:
    for attempt in range(1, 2 + run.dice.randrange(2)):
        run.step("ingest_orders", 1, "failed", "could not connect to the shop's database: connection refused", attempt)
        run.now += dt.timedelta(minutes=4)
    run.usual("ingest_orders", attempt=attempt + 1)
    for step in STEPS[1:]:
        run.usual(step)


def _hung_step(run: _Run) -> None:
    run.usual("ingest_orders")
    run.step("dbt_run", 125 + run.dice.randrange(40), "failed", "no progress for two hours: stopped by hand")
    run.usual("dbt_run", attempt=2)
    run.usual("quality_check")
    run.usual("publish")


def _late_source(run: _Run) -> None:
    arrives = 100 + run.dice.randrange(45)
    waited, attempt = 0, 1
    while waited < arrives:
        run.step("ingest_orders", 1, "failed", "the extract of orders has not arrived", attempt)
        waited, attempt = waited + 15, attempt + 1
        run.now += dt.timedelta(minutes=14)
    run.usual("ingest_orders", attempt=attempt)
    for step in STEPS[1:]:
        run.usual(step)


def _failed_quality(run: _Run) -> None:
    run.usual("ingest_orders")
    run.usual("dbt_run")
    run.step("quality_check", 6, "failed", "assert_one_row_per_order_line: 37 rows")
    run.wait_until(8, 5 + run.dice.randrange(40))
    run.usual("dbt_run", attempt=2)
    run.usual("quality_check", attempt=2)
    run.usual("publish")


def _never_started(run: _Run) -> None:
    run.wait_until(8, 20 + run.dice.randrange(40))
    _ordinary(run)


_MORNINGS = {
    "ordinary": _ordinary,
    "slow-monday": _slow_monday,
    "slow": _slow,
    "source-hiccup": _source_hiccup,
    "hung-step": _hung_step,
    "late-source": _late_source,
    "failed-quality": _failed_quality,
    "never-started": _never_started,
}


def visible(log: pa.Table, now: dt.datetime) -> pa.Table:
    """What the run log shows at a moment (naive UTC): steps not begun are not there, steps under way are "running"."""
    con = duckdb.connect()
    con.register("log", log)
    return con.execute(
        """select * replace (
            case when finished_at > $now then 'running' else status end as status,
            case when finished_at > $now then null else finished_at end as finished_at,
            case when finished_at > $now then null else rows_out end as rows_out,
            case when finished_at > $now then '' else message end as message)
        from log where started_at <= $now order by started_at""",
        {"now": now},
    ).to_arrow_table(BATCH_ROWS)
