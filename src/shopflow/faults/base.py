"""What a fault is: named, seeded, dated, reversible; on the rows of an extract, on the code, or on the platform itself."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from shopflow.clock import HQ
from shopflow.platform import Platform

FAMILIES = ("arrival", "schema", "values", "code", "platform")


class NothingToSpoil(ValueError):
    """There is nothing on that day for this fault to touch."""


class PatchGone(ValueError):
    """A code fault does not find the text it changes: the file was edited since."""


@dataclass(frozen=True)
class Fault:
    """What all faults have. cause: what happens in real life; symptom: how it shows, if it does; family: see FAMILIES."""

    name: str
    family: str
    title: str
    cause: str
    symptom: str


@dataclass(frozen=True)
class DataFault(Fault):
    """A fault in the rows of one day's extract.

    tables: source tables it changes; statements: SQL on them, in which {orders} and so on stand for the tables, {day},
    {seed} and {offset} (Berlin's hours ahead of UTC on that day) for values; earlier: days of extracts it looks back on;
    whole: it changes the table's columns, and so all rows it is given.
    """

    tables: tuple[str, ...]
    statements: tuple[str, ...]
    earlier: int = 0
    whole: bool = False

    def mutate(
        self, con: duckdb.DuckDBPyConnection, day: dt.date, seed: int = 7, tables: Mapping[str, str] | None = None
    ) -> int:
        """Spoils the rows with extract_date = day of the tables in `con`; returns the rows touched (0 for a schema change).

        tables: names of the source tables in this connection where they differ. NothingToSpoil when no row is touched.
        """
        names = {t: t for t in ("customers", "products", "stores", "orders", "order_items", "payments", "exchange_rates")}
        values = {"day": f"date '{day}'", "seed": seed, "offset": _hours_ahead(con, day)}
        touched = 0
        for statement in self.statements:
            answer = con.execute(statement.format(**{**names, **(tables or {})}, **values)).fetchone()
            touched += answer[0] if answer and isinstance(answer[0], int) else 0
        if not touched and not self.whole:
            raise NothingToSpoil(f"{self.name} finds nothing to spoil on {day}.")
        return touched


@dataclass(frozen=True)
class CodeFault(Fault):
    """A fault in the repository's code. patches: (file in the repository, text, what somebody made of it)."""

    patches: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class PlatformFault(Fault):
    """Trouble of the platform itself. switch(day): what is written to root/platform.json for that morning."""

    switch: Callable[[dt.date], dict[str, Any]]


@dataclass(frozen=True)
class Injection:
    """A fault that was put in: which, for which day, with which seed, and how many rows it touched."""

    fault: str
    day: dt.date
    seed: int
    rows: int


def _hours_ahead(con: duckdb.DuckDBPyConnection, day: dt.date) -> int:
    query = f"select (epoch(t::timestamptz at time zone '{HQ}') - epoch(t)) / 3600 from (select timezone('UTC', timestamp '{day} 12:00') as t)"
    return int(con.execute(query).fetchone()[0])


def merge(held: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    """Switches with more of them: lists are joined, dicts are merged, the rest is replaced."""
    merged = dict(held)
    for key, value in more.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = {**old, **value}
        elif isinstance(value, list) and isinstance(old, list) and key != "killed-after":
            merged[key] = sorted({*old, *value})
        else:
            merged[key] = value
    return merged


def journal(platform: Platform) -> list[dict[str, Any]]:
    """What was put in and not taken out again, in order."""
    path = platform.root / "faults.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def write_json(path: Path, value: Any) -> None:
    """Writes a small file in one step."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
