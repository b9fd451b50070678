"""Lands the extracts in raw.*: orders, customers and payments by high watermark and upsert, the rest in full.

Idempotent: loading a day twice leaves the same rows. All SQL is here, in plain text.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb

COLUMNS = {
    "customers": "customer_id bigint, email varchar, full_name varchar, country varchar, city varchar, segment varchar, "
    "marketing_opt_in boolean, created_at timestamp, updated_at timestamp",
    "products": "product_id bigint, sku varchar, name varchar, category varchar, list_price_eur decimal(10,2), "
    "cost_eur decimal(10,2), active boolean, updated_at timestamp",
    "stores": "store_id bigint, code varchar, name varchar, country varchar, currency varchar, timezone varchar, opened_on date",
    "orders": "order_id bigint, customer_id bigint, store_id bigint, status varchar, currency varchar, ordered_at timestamp, "
    "updated_at timestamp",
    "order_items": "order_id bigint, line_number integer, product_id bigint, quantity integer, unit_price decimal(12,2)",
    "payments": "payment_id bigint, order_id bigint, provider varchar, method varchar, amount decimal(12,2), currency varchar, "
    "status varchar, paid_at timestamp, updated_at timestamp",
    "exchange_rates": "rate_date date, currency varchar, eur_per_unit decimal(12,6)",
}
KEYS = {
    "customers": "customer_id",
    "orders": "order_id",
    "order_items": "order_id, line_number",
    "payments": "payment_id",
    "exchange_rates": "rate_date, currency",
}
FULL = ("products", "stores")
CSV = ("payments", "exchange_rates")
LANDED = "_extract_date date, _loaded_at timestamp"


class SourceMissing(FileNotFoundError):
    """An extract that should be there is not."""


def names(table: str) -> list[str]:
    """Column names of a source table."""
    return [column.split()[0] for column in COLUMNS[table].split(", ")]


def create(con: duckdb.DuckDBPyConnection) -> None:
    """Makes the landing tables where they are missing."""
    con.execute("create schema if not exists raw")
    for table, columns in COLUMNS.items():
        con.execute(f"create table if not exists raw.{table} ({columns}, {LANDED})")
    con.execute(f"create table if not exists raw.customers_changes ({COLUMNS['customers']}, {LANDED})")


def files(sources: Path, table: str, days: list[dt.date]) -> list[str]:
    """The extract files of a table for these days. SourceMissing names the first day without one."""
    found = []
    for day in days:
        of_day = sorted(p.as_posix() for p in (sources / table / f"date={day}").glob("*.*") if not p.name.startswith("."))
        if not of_day:
            raise SourceMissing(f"The extract of {table} for {day} has not arrived.")
        found += of_day
    return found


def extract(sources: Path, table: str, days: list[dt.date]) -> str:
    """A SQL expression that reads the extracts of these days."""
    reader = "read_csv" if table in CSV else "read_parquet"
    options = "filename = true, hive_partitioning = false" + (
        ", header = true" if table in CSV else ", union_by_name = true"
    )
    if table in CSV:
        columns = ", ".join(f"'{c.split()[0]}': '{c.split()[1]}'" for c in COLUMNS[table].split(", "))
        options += f", columns = {{{columns}}}"
    return (
        f"(select {', '.join(names(table))}, regexp_extract(filename, 'date=([0-9-]+)', 1)::date as _extract_date "
        f"from {reader}({files(sources, table, days)}, {options}))"
    )


def load(con: duckdb.DuckDBPyConnection, sources: Path, days: list[dt.date], loaded_at: dt.datetime) -> dict[str, int]:
    """Loads the extracts of some days and returns the rows landed by table. One transaction: all tables or none."""
    create(con)
    con.execute("begin")
    try:
        landed = {table: load_table(con, sources, table, days, loaded_at) for table in COLUMNS}
        con.execute("commit")
        return landed
    except BaseException:
        con.execute("rollback")
        raise


def load_table(
    con: duckdb.DuckDBPyConnection, sources: Path, table: str, days: list[dt.date], loaded_at: dt.datetime
) -> int:
    """Loads one table; see the module's first line for how."""
    if table in FULL:
        days = days[-1:]
        if con.execute(f"select max(_extract_date) > date '{days[-1]}' from raw.{table}").fetchone()[0]:
            return 0  # A newer dump is there already; an older one would take it back.
    con.execute(
        f"create or replace temp table incoming as select *, timestamp '{loaded_at}' as _loaded_at "
        f"from {extract(sources, table, days)}"
    )
    if table == "customers":
        con.execute(
            "insert into raw.customers_changes from incoming anti join raw.customers_changes using (customer_id, updated_at)"
        )
    if table in FULL:
        con.execute(f"delete from raw.{table}")
    else:
        keep_what_is_new(con, table)
    con.execute(f"insert into raw.{table} from incoming")
    return con.execute("select count(*) from incoming").fetchone()[0]


def keep_what_is_new(con: duckdb.DuckDBPyConnection, table: str) -> None:
    """Leaves in `incoming` the newest row of each key that is newer than what is held, and makes room for it."""
    key = KEYS[table]
    same = " and ".join(f"held.{k} = new.{k}" for k in key.split(", "))
    newest = "updated_at desc, _extract_date desc" if "updated_at" in names(table) else "_extract_date desc"
    con.execute(
        f"create or replace temp table incoming as from incoming "
        f"qualify row_number() over (partition by {key} order by {newest}) = 1"
    )
    if table == "orders":
        # The high watermark: only what changed after the newest change we hold.
        con.execute("delete from incoming where updated_at <= (select max(updated_at) from raw.orders)")
    elif "updated_at" in names(table):
        con.execute(
            f"delete from incoming as new using raw.{table} as held where {same} and held.updated_at >= new.updated_at"
        )
    con.execute(f"delete from raw.{table} as held using incoming as new where {same}")
