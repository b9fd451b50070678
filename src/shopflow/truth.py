"""The truth: what every mart should contain, computed from the clean extracts by other SQL than the dbt project's."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from shopflow import sources
from shopflow.tables import BATCH_ROWS, TABLES

SQL = Path(__file__).parent / "sql" / "truth"
MARTS = {
    "dim_customer": ("customer_id", "valid_from"),
    "dim_product": ("product_id",),
    "dim_store": ("store_id",),
    "fact_sales": ("order_id", "line_number"),
    "daily_revenue": ("business_date", "store_key"),
}
"""Every mart that has a truth, with the key its rows are matched by."""


def mart(company: Any, name: str, as_of: dt.date) -> pa.Table:
    """What marts.<name> should hold once the extract of day `as_of` is loaded.

    company: a Platform (its clean extracts are read, pristine ones where a fault replaced them), or a DuckDB connection
    that holds the source tables with `extract_date`. KeyError for a mart without a truth.
    """
    if name not in MARTS:
        raise KeyError(f"There is no truth for {name!r}; there is one for {', '.join(MARTS)}.")
    if isinstance(company, duckdb.DuckDBPyConnection):
        con = company.cursor()
        _views(con, {t: t for t in TABLES}, as_of)
        return _rows(con, name)
    con = duckdb.connect()
    try:
        _views(con, {t: _clean(Path(company.root), t) for t in TABLES}, as_of)
        return _rows(con, name)
    finally:
        con.close()


def _clean(root: Path, table: str) -> str:
    """All extracts of a table as the sources really delivered them: the kept original where a fault replaced one."""
    kept = root / "sources" / ".pristine"
    if not any((kept / table).glob("date=*/*")):
        return sources.read_extracts(root / "sources", table)
    spoilt = ", ".join(f"date '{p.name.removeprefix('date=')}'" for p in sorted((kept / table).glob("date=*")))
    columns = ", ".join(TABLES[table].names)
    parts = [f"select {columns}, extract_date from {sources.read_extracts(kept, table)}"]
    sound = [p for p in (root / "sources" / table).glob("date=*") if not (kept / table / p.name).exists()]
    if sound:
        files = [f.as_posix() for p in sound for f in p.glob("*") if f.is_file()]
        parts.append(
            f"select {columns}, extract_date from {sources.read_files(files, table)} where extract_date not in ({spoilt})"
        )
    return f"({' union all by name '.join(parts)})"


def _views(con: duckdb.DuckDBPyConnection, tables: dict[str, str], as_of: dt.date) -> None:
    for name, relation in tables.items():
        con.execute(
            f"create or replace temp view clean_{name} as select * from {relation} where extract_date <= date '{as_of}'"
        )
    for statement in ("versions", "lines"):
        con.execute((SQL / f"{statement}.sql").read_text(encoding="utf-8"))


def _rows(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    return con.execute((SQL / f"{name}.sql").read_text(encoding="utf-8")).to_arrow_table(BATCH_ROWS)


@dataclass(frozen=True)
class Difference:
    """How a table differs from the truth: keys missing, keys too many, keys whose row differs in a compared column."""

    missing: list[tuple]
    extra: list[tuple]
    changed: list[tuple]
    doubled: list[tuple]

    @property
    def none(self) -> bool:
        """Whether the table equals the truth."""
        return not (self.missing or self.extra or self.changed or self.doubled)

    def __str__(self) -> str:
        if self.none:
            return "equal to the truth, row by row"
        parts = [f"{len(rows):,} {word}" for word, rows in self._named() if rows]
        return "rows: " + ", ".join(parts)

    def _named(self) -> list[tuple[str, list[tuple]]]:
        return [
            ("missing", self.missing),
            ("too many", self.extra),
            ("changed", self.changed),
            ("doubled", self.doubled),
        ]


def compare(
    actual: pa.Table, expected: pa.Table, key: tuple[str, ...], columns: tuple[str, ...] | None = None
) -> Difference:
    """Compares two tables row by row on `key`, over `columns` (default: all that expected has).

    ValueError names the columns that `actual` lacks.
    """
    columns = columns or tuple(c for c in expected.column_names if c not in key)
    lacking = [c for c in (*key, *columns) if c not in actual.column_names]
    if lacking:
        raise ValueError(f"The table lacks {', '.join(lacking)}; it has {', '.join(actual.column_names)}.")
    con = duckdb.connect()
    con.register("actual_rows", actual)
    con.register("expected_rows", expected)
    keys, joined = ", ".join(key), " and ".join(f"a.{k} is not distinct from e.{k}" for k in key)
    differs = " or ".join(f"a.{c} is distinct from e.{c}" for c in columns) or "false"

    def rows(query: str) -> list[tuple]:
        return con.execute(query).fetchall()

    try:
        return Difference(
            missing=rows(f"select {keys} from expected_rows e anti join actual_rows a on {joined} order by all"),
            extra=rows(f"select distinct {keys} from actual_rows a anti join expected_rows e on {joined} order by all"),
            changed=rows(
                f"select distinct {', '.join('e.' + k for k in key)} from expected_rows e join actual_rows a on {joined} where {differs} order by all"
            ),
            doubled=rows(f"select {keys} from actual_rows group by all having count(*) > 1 order by all"),
        )
    finally:
        con.close()
