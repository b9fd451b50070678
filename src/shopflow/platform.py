"""One ShopFlow on disk: where its sources, its repository and its warehouses are, and how to ask them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from shopflow.tables import BATCH_ROWS

ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass(frozen=True)
class Platform:
    """root: the folder of one company; env: dev, staging or prod; seed: of its sources.

    ValueError for an environment that does not exist.
    """

    root: Path
    env: str = "dev"
    seed: int = 7

    def __post_init__(self) -> None:
        if self.env not in ENVIRONMENTS:
            raise ValueError(f"There is no environment {self.env!r}; ShopFlow has {', '.join(ENVIRONMENTS)}.")

    @property
    def sources(self) -> Path:
        """Folder of the extracts."""
        return self.root / "sources"

    @property
    def repo(self) -> Path:
        """ShopFlow's own Git checkout."""
        return self.root / "repo"

    @property
    def project(self) -> Path:
        """The dbt project in the checkout."""
        return self.repo / "dbt"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of this environment."""
        return self.root / "warehouse" / f"{self.env}.duckdb"

    def at(self, env: str) -> Platform:
        """The same company in another environment."""
        return replace(self, env=env)

    @contextlib.contextmanager
    def connect(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A plain connection to the warehouse for the length of the block; never keep one longer."""
        self.warehouse.parent.mkdir(parents=True, exist_ok=True)
        con = duckdb.connect(str(self.warehouse))
        try:
            con.execute("set enable_progress_bar = false")
            yield con
        finally:
            con.close()

    def sql(self, query: str, params: list[Any] | None = None) -> pa.Table:
        """The rows of one query. Raises duckdb.Error as DuckDB words it."""
        with self.connect() as con:
            return con.execute(query, params or []).to_arrow_table(BATCH_ROWS)

    def extract_days(self, table: str = "orders") -> list[dt.date]:
        """The days of which an extract of a table has arrived, in order."""
        return sorted(dt.date.fromisoformat(p.name.removeprefix("date=")) for p in (self.sources / table).glob("date=*"))

    @property
    def switches(self) -> dict[str, Any]:
        """What is wrong with the platform itself at the moment (root/platform.json); empty on a good day."""
        path = self.root / "platform.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
