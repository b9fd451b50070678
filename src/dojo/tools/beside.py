"""A warehouse file looked at from beside it, so that no macro or view that somebody made in it has a say in what is asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "looked_at"
"""What the file is called in the connection, unless another name is asked for."""


_idle: dict[int, Any] = {}
"""By process, a DuckDB that looks at no file now: to start one takes twenty times as long as to open a file with it."""


@contextlib.contextmanager
def attached(path: Path, name: str = NAME, *, read_only: bool = True) -> Iterator[Any]:
    """A connection of our own with the file in it under that name. duckdb.Error where it cannot be opened.

    Who only reads leaves nothing in it but the file; after an error, or where something was written, it is closed.
    """
    import duckdb

    con = (_idle.pop(os.getpid(), None) if read_only else None) or duckdb.connect()
    try:
        con.execute(f"attach {text(str(path))} as {quoted(name)}{' (read_only)' if read_only else ''}")
        yield con
        if read_only:
            con.execute(f"use memory; detach {quoted(name)}")
    except BaseException:
        con.close()
        raise
    if not read_only or _idle.setdefault(os.getpid(), con) is not con:
        con.close()


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL writes it, whatever stands in it."""
    return "'" + value.replace("'", "''") + "'"
