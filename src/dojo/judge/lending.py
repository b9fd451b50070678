"""Databases lent to answers: one DuckDB instance a process, a fresh in-memory database a call, nothing carried over.

Opening an instance takes seven milliseconds, attaching an empty database to one takes a tenth: so the instance stays,
and each call gets a database of its own under the name a new connection would show. What a call could leave in the
instance itself is looked for afterwards (a setting for all, another database), and an instance that shows any of it is
thrown away. An answer that registers functions of its own cannot be looked through that way: it gets an instance alone.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from dojo.judge import settings

NAME = "memory"
"""What an answer reads as `current_database()`: the same as on a connection it opens itself."""

CONFIG = {"threads": 1, "enable_external_access": "false"}
"""One thread (no others run, so that the process may fork); files and network out of reach."""

_OWN = "base"
_SPOKEN_OF = "create_function"
_STATE = (
    "select list(database_name), (select list(value) from duckdb_settings() where scope = 'GLOBAL') from duckdb_databases()"
)


def fill(con: Any, tables: Mapping[str, Any]) -> None:
    """Creates the tables, {"schema.table" or "table": pyarrow.Table}, in the connection's database."""
    con.execute("begin")  # one transaction: each of its own would cost a millisecond a table
    for schema in dict.fromkeys(name.split(".")[0] for name in tables if "." in name):
        con.execute(f"create schema if not exists {schema}")
    for name, table in tables.items():
        con.from_arrow(table).create(name)
    con.execute("commit")


class Instance:
    """One DuckDB instance that lends databases, one at a time."""

    def __init__(self) -> None:
        import duckdb

        settings.in_a_folder()
        self._root = duckdb.connect(config=CONFIG)
        self._root.execute(f"attach ':memory:' as {_OWN}; use {_OWN}; detach {NAME}")
        self._untouched = self._state()
        self.clean = True

    @contextlib.contextmanager
    def database(self, tables: Mapping[str, Any]) -> Iterator[Any]:
        """A connection to a fresh database holding the tables; closed and forgotten at the end of the block.

        `clean` says afterwards whether the instance is as it was, and may lend again.
        """
        self.clean = False
        con = self._root.cursor()
        try:
            con.execute(f"attach ':memory:' as {NAME}; use {NAME}")
            fill(con, tables)
            yield con
        finally:
            con.close()
            with contextlib.suppress(Exception):  # whatever was done to the instance: it is not lent again
                self._root.execute(f"detach {NAME}")
                self.clean = self._state() == self._untouched

    def _state(self) -> tuple:
        return self._root.execute(_STATE).fetchone()

    def close(self) -> None:
        """Ends the instance."""
        self._root.close()


_lock = threading.Lock()
_shared: list[Instance] = []


@contextlib.contextmanager
def lent(tables: Mapping[str, Any], *, alone: bool = False) -> Iterator[Any]:
    """A DuckDB connection to a database with the tables, for one call of an answer; `alone`: on an instance of its own."""
    shared = not alone and _lock.acquire(blocking=False)  # a second database in one call is on an instance of its own too
    try:
        instance = _take() if shared else Instance()
        try:
            with instance.database(tables) as con:
                yield con
        finally:
            if not shared or not instance.clean:
                instance.close()
                _shared[:] = [one for one in _shared if one is not instance]
    finally:
        if shared:
            _lock.release()


def _take() -> Instance:
    if not _shared:
        _shared.append(Instance())
    return _shared[0]


def registers_functions(answer: Callable[..., Any]) -> bool:
    """Whether an answer may register functions in the instance: its code, or the code it reaches by name, speaks of it."""
    if not isinstance(answer, FunctionType):
        return True
    seen: set[CodeType] = set()
    todo = [(answer.__code__, answer.__globals__)]
    while todo:
        code, known = todo.pop()
        if code in seen:
            continue
        seen.add(code)
        if _SPOKEN_OF in code.co_names or _SPOKEN_OF in code.co_consts:
            return True
        todo += [(const, known) for const in code.co_consts if isinstance(const, CodeType)]
        reached = (known.get(name) for name in code.co_names)
        todo += [(f.__code__, f.__globals__) for f in reached if isinstance(f, FunctionType)]
    return False
