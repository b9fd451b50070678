"""The sample in data/: three days of small extracts as CSV, and a dictionary of every column."""

from __future__ import annotations

import datetime as dt

import duckdb

from shopflow import sources
from shopflow.tables import TABLES, Table

FIRST, LAST = dt.date(2025, 11, 24), dt.date(2025, 11, 26)
ORDERS = 1_200
"""Size of the sample's company: orders in the standard window of 60 days."""


def files() -> dict[str, str]:
    """Name → text of every file in data/; the same on any machine."""
    con = duckdb.connect()
    try:
        sources.load_into(con, first_day=FIRST, last_day=LAST, orders=ORDERS)
        made = {f"{name}.csv": _csv(con, table) for name, table in TABLES.items()}
    finally:
        con.close()
    return {**made, "README.md": _dictionary(made)}


def _csv(con: duckdb.DuckDBPyConnection, table: Table) -> str:
    """All rows delivered in the three days, in order; `extract_date` last."""
    names = [*table.names, "extract_date"]
    rows = con.execute(
        f"select {', '.join(names)} from {table.name} order by extract_date, {', '.join(table.key)}"
    ).fetchall()
    lines = [",".join(names)]
    lines += [",".join("" if v is None else str(v).lower() if isinstance(v, bool) else str(v) for v in row) for row in rows]
    return "\n".join(lines) + "\n"


def _dictionary(made: dict[str, str]) -> str:
    parts = [
        "# ShopFlow's sample extracts\n",
        f"What the sources delivered from {FIRST} to {LAST}, for a small ShopFlow ({ORDERS:,} orders in 60 days). Generated; `make sync` "
        "writes it, nobody edits it. The course itself makes larger data of the same kind on your machine (`shopflow generate`).\n",
        "All times are UTC. `extract_date` is the day a row was delivered; it is the folder's name in the real extracts.\n",
    ]
    for name, table in TABLES.items():
        rows = made[f"{name}.csv"].count("\n") - 1
        parts.append(
            f"## {name}.csv\n\n{rows:,} rows; one row: {table.grain}. Key: {', '.join(f'`{k}`' for k in table.key)}. Load: {table.mode}.\n"
        )
        parts.append("| column | type | meaning |\n|---|---|---|")
        parts.append("\n".join(f"| `{c.name}` | {c.type} | {c.meaning} |" for c in table.columns) + "\n")
    return "\n".join(parts)
