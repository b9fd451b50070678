"""Days to try a test on: clean ones, and the same days with one named fault each."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import duckdb

from shopflow import faults, sources
from shopflow.faults.base import DataFault
from shopflow.tables import BATCH_ROWS, TABLES

STOP, WARN, QUIET = "stop", "warn", "quiet"
"""What a morning's tests may do: stop it, warn and let it pass, say nothing."""


@dataclass(frozen=True)
class State:
    """One day's data: what is wrong with it ("" on a clean day), what its tests should do, the tables that differ."""

    name: str
    wrong: str
    wanted: str
    changed: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Days:
    """The tables of a clean company up to `day` (raw.* by name), made under a seed, and states of its last day."""

    tables: dict[str, Any]
    seed: int
    day: dt.date
    states: tuple[State, ...]


@dataclass(frozen=True)
class Damage:
    """A way to spoil the last day: a fault of ShopFlow's catalogue by its name, or statements of its own."""

    name: str
    wrong: str
    wanted: str = STOP
    tables: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()

    def fault(self) -> DataFault:
        """The fault to inject."""
        if not self.statements:
            return faults.get(self.name)
        return DataFault(self.name, "values", self.wrong, "", "", self.tables, self.statements)


def days_of(seed: int, damages: Iterable[Damage], *, days: int = 14, orders: int = 3_000) -> Days:
    """Two weeks of a company the learner has not seen, its last day spoiled in each of the ways.

    The last day is the first one on which there is something to spoil in all of them; LookupError where none of five is.
    """
    damages = tuple(damages)
    con = duckdb.connect(config={"threads": 1})
    try:
        for back in range(5):
            day = dt.date(2025, 11, 27) - dt.timedelta(days=(seed + back) % 5)
            with contextlib.suppress(faults.NothingToSpoil):
                first = day - dt.timedelta(days=days - 1)
                sources.load_into(con, seed=seed, first_day=first, last_day=day, orders=orders)
                states = tuple(_state(con, damage, day, seed) for damage in damages)
                return Days({f"raw.{name}": _held(con, name) for name in TABLES}, seed, day, states)
        raise LookupError(f"Under seed {seed} no day has something to spoil in every way.")
    finally:
        con.close()


def _state(con: duckdb.DuckDBPyConnection, damage: Damage, day: dt.date, seed: int) -> State:
    if damage.wanted == QUIET and not damage.statements:
        return State(damage.name, "", QUIET)
    fault = damage.fault()
    con.execute("begin")
    try:
        rows = fault.mutate(con, day, seed)
        changed = {f"raw.{name}": _held(con, name) for name in fault.tables}
    finally:
        con.execute("rollback")
    said = damage.wrong.format(rows=f"{rows:,}", day=f"{day:%A} {day.day} {day:%B}")
    return State(damage.name, said, damage.wanted, changed)


def _held(con: duckdb.DuckDBPyConnection, name: str) -> Any:
    """The table as the loader leaves it: of each key the rows of its latest extract, twice where that held them twice."""
    key = ", ".join(TABLES[name].key)
    columns = ", ".join(TABLES[name].names)
    query = (
        f"select {columns} from {name} qualify rank() over (partition by {key} order by extract_date desc) = 1 order by all"
    )
    return con.execute(query).to_arrow_table(BATCH_ROWS)
