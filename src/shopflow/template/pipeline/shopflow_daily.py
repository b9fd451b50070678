"""The DAG shopflow_daily: ingest_orders → dbt_run → quality_check → publish, every morning at 05:30 Berlin time.

A failed step is tried again with back-off; a failed quality check stops before anything is published.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import duckdb

RETRIES = {"ingest_orders": 3, "dbt_run": 1, "quality_check": 0, "publish": 2}
BACK_OFF_MINUTES = 5
PUBLISHED = ("fact_sales", "daily_revenue", "dim_customer", "dim_product", "dim_store", "dim_date")


@dataclass(frozen=True)
class Done:
    """What a step did: rows in and out, and a word for the log."""

    rows_in: int
    rows_out: int
    message: str = ""


class StepFailed(Exception):
    """A step could not do its work; the message goes to the log. `final` means trying again is no use."""

    def __init__(self, message: str, *, final: bool = False):
        super().__init__(message)
        self.final = final


def steps(run) -> list[tuple[str, Callable[[], Done]]]:
    """The steps of one run in order; each must be safe to run again."""
    return [
        ("ingest_orders", lambda: ingest_orders(run)),
        ("dbt_run", lambda: dbt_run(run)),
        ("quality_check", lambda: quality_check(run)),
        ("publish", lambda: publish(run)),
    ]


def ingest_orders(run) -> Done:
    """Lands every extract up to the day before the run that is not landed yet."""
    with run.connect() as con:
        run.load.create(con)
        newest = con.execute("select max(_extract_date) from raw.orders").fetchone()[0]
        first = newest + dt.timedelta(days=1) if newest else run.first_day
        days = [first + dt.timedelta(days=n) for n in range((run.day - dt.timedelta(days=1) - first).days + 1)]
        if not days:
            days = [run.day - dt.timedelta(days=1)]
        try:
            landed = run.load.load(con, run.sources, days, run.clock.now)
        except run.load.SourceMissing as missing:
            raise StepFailed(str(missing)) from None
        except duckdb.Error as error:
            raise StepFailed(str(error).splitlines()[0], final=True) from None
    return Done(
        landed["orders"], landed["orders"], f"{len(days)} day{'s' if len(days) != 1 else ''}, {sum(landed.values()):,} rows"
    )


def dbt_run(run) -> Done:
    """Snapshot and models."""
    with run.connect() as con:
        known = con.execute(
            "select count(*) from information_schema.tables where table_name = 'customers_snapshot'"
        ).fetchone()[0]
    if not known:
        first = run.dbt(["run", "--select", "stg_customers"])
        first = run.dbt(["run-operation", "import_customer_history"]) if first.success else first
        if not first.success:
            raise StepFailed(str(first))
    built = run.dbt(["build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"])
    if not built.success:
        raise StepFailed("; ".join(f"{r.name}: {r.message}" for r in built.failed())[:300] or str(built))
    with run.connect() as con:
        rows = con.execute(
            "select (select count(*) from raw.order_items), (select count(*) from marts.fact_sales)"
        ).fetchone()
    return Done(*rows, str(built))


def quality_check(run) -> Done:
    """All data tests; one failure stops the run."""
    tested = run.dbt(["test", "--exclude-resource-type", "unit_test"])
    if not tested.success:
        raise StepFailed("; ".join(f"{r.name}: {r.failures} rows" for r in tested.failed())[:300] or str(tested), final=True)
    return Done(len(tested.results), len(tested.results), str(tested))


def publish(run) -> Done:
    """Shows the new marts to readers: all tables in one transaction, so that nobody sees half a morning."""
    with run.connect() as con:
        con.execute("create schema if not exists serving")
        con.execute("begin")
        for table in PUBLISHED:
            con.execute(f"create or replace table serving.{table} as from marts.{table}")
        con.execute("commit")
        rows = con.execute("select count(*) from serving.fact_sales").fetchone()[0]
    return Done(rows, rows, f"{len(PUBLISHED)} tables")
