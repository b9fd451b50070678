"""ShopFlow's source systems: the shop's database and its payment provider, as the extracts they deliver day by day.

Every value follows from hashes of stable keys with the seed, in integer arithmetic: the same (seed, day, orders) gives
the same rows on any machine and any number of threads.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import duckdb

from shopflow.calendar import Day, calendar, first_customers
from shopflow.clock import FIRST_DAY, LAST_DAY, days
from shopflow.tables import TABLES

CHUNK = 1_500_000
"""Orders generated at a time: what bounds the memory."""

SQL = Path(__file__).parent / "sql"
STATEMENTS = ("world", "orders", "extracts")


def load_into(
    con: duckdb.DuckDBPyConnection,
    *,
    seed: int = 7,
    first_day: dt.date = FIRST_DAY,
    last_day: dt.date = LAST_DAY,
    orders: int = 10_000,
) -> None:
    """Creates the source tables in `con`: every row delivered from first_day to last_day, with its `extract_date`.

    A company that opens on first_day: orders placed on these days and what became of them by last_day. `orders` is the
    size of the standard 60-day window. ValueError for days before FIRST_DAY.
    """
    _require(first_day, last_day)
    _chunk(con, seed, orders, first_day, first_day, last_day, last_day)
    for name, table in TABLES.items():
        con.execute(f"create or replace table {name} as select {', '.join(table.names)}, extract_date from feed_{name}")
    _drop(con)


def generate(
    folder: Path,
    *,
    seed: int = 7,
    first_day: dt.date = FIRST_DAY,
    last_day: dt.date = LAST_DAY,
    orders: int = 10_000,
    threads: int | None = None,
    progress: Callable[[dt.date], None] | None = None,
) -> dict[str, int]:
    """Writes the extracts to folder/<table>/date=YYYY-MM-DD/ and returns rows by table.

    Streams chunks of days, so that memory stays bounded at any size. Raises ValueError for impossible days, OSError
    when the disk refuses; a folder that holds extracts already is replaced.
    """
    _require(first_day, last_day)
    folder.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        shutil.rmtree(folder / name, ignore_errors=True)
    written = dict.fromkeys(TABLES, 0)
    con = duckdb.connect()
    try:
        con.execute(f"set threads = {threads or os.cpu_count() or 1}")
        con.execute("set memory_limit = '3GB'; set preserve_insertion_order = false; set enable_progress_bar = false")
        con.execute(f"set temp_directory = '{(folder / '.spill').as_posix()}'")
        con.execute("set partitioned_write_max_open_files = 500")
        for number, (low, high) in enumerate(_chunks(calendar(orders, last_day), first_day, last_day)):
            _chunk(con, seed, orders, first_day, low, high, last_day)
            for name in TABLES:
                written[name] += _write(con, folder, name, number)
            _drop(con)
            if progress:
                progress(high)
    except duckdb.IOException as error:
        raise OSError(f"The extracts could not be written: {error}") from error
    finally:
        con.close()
        shutil.rmtree(folder / ".spill", ignore_errors=True)
    return written


def content_hash(con: duckdb.DuckDBPyConnection, relation: str) -> str:
    """A hash of a relation's rows that does not depend on their order: count and sum of row hashes, as text."""
    row = con.execute(f"select count(*), coalesce(sum(hash(r::varchar)::hugeint), 0) from (from {relation}) r").fetchone()
    return f"{row[0]}-{row[1] % (1 << 64):016x}"


def extract_glob(folder: Path, table: str, day: dt.date | None = None) -> str:
    """The glob of a table's extract files, of one day or of all."""
    date = f"date={day:%Y-%m-%d}" if day else "date=*"
    return (folder / table / date / f"*.{TABLES[table].format}").as_posix()


def read_extracts(folder: Path, table: str) -> str:
    """A SQL table expression over all extracts of a table in their contracted types, with `extract_date`."""
    return read_files([extract_glob(folder, table)], table)


def read_files(paths: list[str], table: str) -> str:
    """The same over chosen extract files or globs; each path must contain its `date=YYYY-MM-DD`."""
    day = "regexp_extract(filename, 'date=([0-9-]+)', 1)::date as extract_date"
    if TABLES[table].format == "parquet":
        return f"(select * exclude (filename), {day} from read_parquet({paths}, filename = true, hive_partitioning = false, union_by_name = true))"
    columns = ", ".join(f"'{c.name}': '{c.type}'" for c in TABLES[table].columns)
    read = f"read_csv({paths}, header = true, columns = {{{columns}}}, filename = true, hive_partitioning = false)"
    return f"(select * exclude (filename), {day} from {read})"


def _require(first_day: dt.date, last_day: dt.date) -> None:
    if first_day < FIRST_DAY or last_day < first_day:
        raise ValueError(f"ShopFlow's books begin on {FIRST_DAY}; from {first_day} to {last_day} is not in them.")


def _chunks(known: dict[dt.date, Day], first: dt.date, last: dt.date) -> Iterable[tuple[dt.date, dt.date]]:
    """Runs of days that hold at most CHUNK orders together, at least one day each."""
    low, count = first, 0
    for day in days(first, last):
        if count and count + known[day].orders > CHUNK:
            yield low, day - dt.timedelta(days=1)
            low, count = day, 0
        count += known[day].orders
    yield low, last


def _chunk(
    con: duckdb.DuckDBPyConnection,
    seed: int,
    orders: int,
    opening: dt.date,
    low: dt.date,
    high: dt.date,
    last: dt.date,
) -> None:
    """Makes feed_<table> for orders placed from low to high, with all that happened to them by `last`."""
    known = calendar(orders, last)
    rows = ", ".join(
        f"(date '{d.day}', {d.orders}, {d.first_order}, {d.newcomers}, {d.first_newcomer}, {d.discount})"
        for d in (known[day] for day in days(low, high))
    )
    con.execute(
        "create or replace temp table calendar(day, orders, first_order, newcomers, first_newcomer, discount) as "
        f"from (values {rows})"
    )
    joined = ", ".join(f"(date '{d.day}', {d.first_newcomer})" for d in known.values())
    con.execute(f"create or replace temp table joined(day, first_newcomer) as from (values {joined})")
    for variable, value in (("seed", seed), ("first_customers", first_customers(orders))):
        con.execute(f"set variable {variable} = {value}")
    for variable, value in (("opening", opening), ("low", low), ("high", high), ("last", last)):
        con.execute(f"set variable {variable} = date '{value}'")
    for statement in STATEMENTS:
        con.execute((SQL / f"{statement}.sql").read_text(encoding="utf-8"))


def _write(con: duckdb.DuckDBPyConnection, folder: Path, name: str, number: int) -> int:
    table = TABLES[name]
    target = (folder / name).as_posix()
    options = "format parquet" if table.format == "parquet" else "format csv, header"
    source = f"select {', '.join(table.names)}, extract_date as date from feed_{name}"
    return con.execute(
        f"copy ({source}) to '{target}' ({options}, partition_by (date), overwrite_or_ignore, filename_pattern 'part-{number:03d}-{{i}}')"
    ).fetchone()[0]


def _drop(con: duckdb.DuckDBPyConnection) -> None:
    for name in (*(f"feed_{t}" for t in TABLES),):
        con.execute(f"drop view if exists {name}")
    for name in ("new_orders", "new_lines", "calendar", "joined", "store", "product", "price", "word"):
        con.execute(f"drop table if exists {name}")
