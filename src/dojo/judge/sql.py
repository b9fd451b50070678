"""Runs a learner's SQL on the judge's tables, in a DuckDB that reaches neither files nor network, for a limited time."""

from __future__ import annotations

import threading
from typing import Any

import duckdb

from dojo.judge.plain import Database
from dojo.judge.work import LearnerError, Stopped

MEMORY = "1GB"


def query(tables: dict[str, Any], text: str, *, setup: list[str] | None = None, seconds: float = 10.0) -> Any:
    """Rows of one query as a pyarrow.Table.

    tables: {"schema.table": pyarrow.Table}; setup: the judge's own statements to run first (views, macros).
    LearnerError carries DuckDB's words when the query fails; Stopped when it runs longer than `seconds`.
    """
    con = Database(tables).connect()
    try:
        for statement in setup or []:
            con.execute(statement)
        con.execute(f"set memory_limit = '{MEMORY}'")
        con.execute("set lock_configuration = true")
        return run(con, text, seconds)
    finally:
        con.close()


def run(con: duckdb.DuckDBPyConnection, text: str, seconds: float = 10.0) -> Any:
    """Rows of a query on a connection that is already locked, as a pyarrow.Table. Raises like `query`."""
    timer = threading.Timer(seconds, con.interrupt)
    timer.start()
    try:
        return con.execute(text).to_arrow_table()
    except duckdb.InterruptException:
        raise Stopped(f"Your query ran longer than {seconds:g} s: stopped.") from None
    except duckdb.OutOfMemoryException:
        raise Stopped(f"Your query asked for more than {MEMORY} of memory: stopped.") from None
    except duckdb.Error as error:
        raise LearnerError("SQL error", str(error).splitlines()[0]) from None
    finally:
        timer.cancel()
