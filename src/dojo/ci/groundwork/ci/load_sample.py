"""Loads ci/sample/*.csv with the platform's own loader into the warehouse named by $SHOPFLOW_WAREHOUSE."""

from __future__ import annotations

import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

import duckdb

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "ingestion"))

import load  # noqa: E402


def unpack(folder: Path) -> list[dt.date]:
    """Writes the sample in the layout of the real extracts and returns its days."""
    con = duckdb.connect()
    days: set[dt.date] = set()
    for table, columns in load.COLUMNS.items():
        types = ", ".join(f"'{c.split()[0]}': '{c.split()[1]}'" for c in columns.split(", "))
        con.execute(
            f"create table {table} as from read_csv('{HERE / 'sample' / table}.csv', header = true, "
            f"columns = {{{types}, 'extract_date': 'date'}})"
        )
        for (day,) in con.execute(f"select distinct extract_date from {table}").fetchall():
            days.add(day)
            target = folder / table / f"date={day}"
            target.mkdir(parents=True)
            kind = "csv" if table in load.CSV else "parquet"
            rows = f"select * exclude extract_date from {table} where extract_date = date '{day}'"
            con.execute(f"copy ({rows}) to '{target / 'sample'}.{kind}' (format {kind})")
    return sorted(days)


def main() -> None:
    warehouse = Path(os.environ["SHOPFLOW_WAREHOUSE"])
    warehouse.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        days = unpack(Path(folder))
        con = duckdb.connect(str(warehouse))
        landed = load.load(con, Path(folder), days, dt.datetime(2025, 11, 27, 4, 30))
        con.close()
    print(f"{sum(landed.values()):,} rows of {len(days)} days in {warehouse.name}")


if __name__ == "__main__":
    main()
