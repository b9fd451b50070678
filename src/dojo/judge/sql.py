"""Runs a learner's SQL on the judge's tables, in a DuckDB that reaches neither files nor network, for a limited time."""

from __future__ import annotations

import threading
import time
from typing import Any

import duckdb

from dojo.judge import apart
from dojo.judge.frames import PATIENCE
from dojo.judge.plain import Database
from dojo.judge.work import LearnerError, Stopped
from shopflow.tables import BATCH_ROWS

MEMORY = "1GB"
GRACE = 10.0
"""Seconds an interrupt may take to be obeyed; there are functions that do not look for one."""


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
    """Rows of a query on a connection that is already locked, as a pyarrow.Table. Raises like `query`.

    `seconds` are processor seconds of this process; a busy machine has PATIENCE times as long by the clock.
    """
    over = threading.Event()
    watch = threading.Thread(target=_interrupt, args=(con, over, seconds), daemon=True)
    watch.start()
    try:
        with apart.last_resort(PATIENCE * seconds + GRACE, f"A query ran longer than {seconds:g} s: stopped."):
            return con.execute(text).to_arrow_table(BATCH_ROWS)
    except duckdb.InterruptException:
        raise Stopped(f"Your query ran longer than {seconds:g} s: stopped.") from None
    except (duckdb.OutOfMemoryException, MemoryError):
        raise Stopped(f"Your query asked for more than {MEMORY} of memory: stopped.") from None
    except duckdb.Error as error:
        raise LearnerError("SQL error", str(error).splitlines()[0]) from None
    finally:
        over.set()
        watch.join()


def _interrupt(con: duckdb.DuckDBPyConnection, over: threading.Event, seconds: float) -> None:
    """Stops the query when it has used its processor seconds, or has long been waiting for them."""
    begun = time.process_time()
    for _ in range(PATIENCE):
        if over.wait(seconds):
            return
        if time.process_time() - begun >= 0.9 * seconds:
            break
    while not over.is_set():  # an interrupt that comes between two operators may be lost
        con.interrupt()
        over.wait(0.5)
