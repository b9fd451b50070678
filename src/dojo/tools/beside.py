"""A warehouse file looked at from beside it, so that no macro or view that somebody made in it has a say in what is asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAME = "looked_at"
"""What the file is called in the connection, unless another name is asked for."""


@contextlib.contextmanager
def attached(path: Path, name: str = NAME, *, read_only: bool = True) -> Iterator[Any]:
    """A connection of our own with the file in it under that name. duckdb.Error where it cannot be opened."""
    import duckdb

    with duckdb.connect() as con:
        con.execute(f"attach {text(str(path))} as {quoted(name)}{' (read_only)' if read_only else ''}")
        yield con


def quoted(name: str) -> str:
    """A name as SQL writes it, whatever stands in it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text as SQL writes it, whatever stands in it."""
    return "'" + value.replace("'", "''") + "'"
