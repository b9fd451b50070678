"""Small companies for the judge: a few days of ShopFlow under a seed the learner has not seen, as tables in memory."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa

from shopflow import sources, truth
from shopflow.tables import BATCH_ROWS, TABLES


@dataclass(frozen=True)
class Company:
    """Tables by qualified name (raw.* as loaded, marts.* as they should be) of the days first..last."""

    tables: dict[str, Any]
    first: dt.date
    last: dt.date

    def only(self, *names: str) -> dict[str, Any]:
        """Some of the tables: what a task gives to an answer, so that opening a connection stays cheap."""
        return {name: self.tables[name] for name in names}


@lru_cache(maxsize=8)
def company(seed: int, days: int = 12, orders: int = 3_000, last: dt.date | None = None) -> Company:
    """A company over `days` days that end around Black Friday, or on `last`; another seed, other rows and another last day."""
    last = last or dt.date(2025, 11, 30) - dt.timedelta(days=seed % 3)
    first = last - dt.timedelta(days=days - 1)
    con = duckdb.connect()
    sources.load_into(con, seed=seed, first_day=first, last_day=last, orders=orders)
    tables = {f"raw.{name}": _current(con, name) for name in TABLES}
    tables |= {f"marts.{name}": truth.mart(con, name, last) for name in truth.MARTS}
    con.close()
    return Company(tables, first, last)


def _current(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    """The table as the loader leaves it: the latest row of each key."""
    key = ", ".join(TABLES[name].key)
    columns = ", ".join(TABLES[name].names)
    return con.execute(
        f"select {columns} from {name} qualify row_number() over (partition by {key} order by extract_date desc) = 1 order by {key}"
    ).to_arrow_table(BATCH_ROWS)
