"""Plain values on the wire: JSON with tags, tables as Arrow. Nothing is ever unpickled; sizes are capped."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
from decimal import Decimal
from typing import Any

MAX_BYTES = 16 * 1024 * 1024
"""The largest value that is carried, in bytes of JSON."""


class NotPlain(TypeError):
    """The value is of a kind that a check cannot compare; the message names it and what is accepted."""


class Database:
    """Tables for a function that wants a DuckDB connection: arrives there as an in-memory connection holding them.

    tables: {"schema.table" or "table": pyarrow.Table}.
    """

    def __init__(self, tables: dict[str, Any]):
        self.tables = tables

    def connect(self):
        """A new in-memory DuckDB connection with the tables in it; files and network are out of its reach."""
        import duckdb

        con = duckdb.connect(config={"threads": 1})
        con.execute("begin")  # one transaction: each of its own would cost ten milliseconds a table
        for name, table in self.tables.items():
            if "." in name:
                con.execute(f"create schema if not exists {name.split('.')[0]}")
            con.register("incoming_rows", table)
            con.execute(f"create table {name} as select * from incoming_rows")
            con.unregister("incoming_rows")
        con.execute("commit")
        con.execute("set enable_external_access = false")
        return con


def dumps(value: Any) -> bytes:
    """A plain value as bytes. NotPlain when it holds something else or is larger than MAX_BYTES."""
    text = json.dumps(_pack(value, 0), allow_nan=True).encode()
    if len(text) > MAX_BYTES:
        raise NotPlain(f"The value takes {len(text) / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be compared.")
    return text


def loads(data: bytes) -> Any:
    """The value again. ValueError when the bytes are not such a value."""
    return _unpack(json.loads(data))


def copy(value: Any) -> Any:
    """The value as it looks after a journey: what a check sees is the same in the kernel and in the grader."""
    return loads(dumps(value))


def _table_bytes(table) -> str:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def _table_from(text: str):
    import pyarrow as pa

    return pa.ipc.open_stream(base64.b64decode(text)).read_all()


def _pack(value: Any, depth: int) -> Any:
    if depth > 40:
        raise NotPlain("The value is nested deeper than 40 levels, or contains itself.")
    if value is None or isinstance(value, bool | str):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int | float) and type(value) in (int, float):
        return value
    if isinstance(value, dict):
        return {"$": "dict", "v": [[_pack(k, depth + 1), _pack(v, depth + 1)] for k, v in value.items()]}
    if isinstance(value, list):
        return [_pack(v, depth + 1) for v in value]
    if isinstance(value, tuple):
        return {"$": "tuple", "v": [_pack(v, depth + 1) for v in value]}
    if isinstance(value, set | frozenset):
        return {"$": "set", "v": sorted((_pack(v, depth + 1) for v in value), key=repr)}
    return _pack_other(value, depth)


def _pack_other(value: Any, depth: int) -> Any:
    if type(value).__module__.split(".")[0] == "pandas" and str(value) in ("NaT", "<NA>"):
        return None
    if isinstance(value, dt.datetime):
        return {"$": "datetime", "v": dt.datetime.isoformat(value)}
    if isinstance(value, dt.date):
        return {"$": "date", "v": value.isoformat()}
    if isinstance(value, dt.time):
        return {"$": "time", "v": value.isoformat()}
    if isinstance(value, dt.timedelta):
        return {"$": "seconds", "v": value.total_seconds()}
    if isinstance(value, Decimal):
        return {"$": "decimal", "v": str(value)}
    if isinstance(value, bytes):
        return {"$": "bytes", "v": base64.b64encode(value).decode()}
    if isinstance(value, Database):
        return {"$": "database", "v": {k: _table_bytes(t) for k, t in value.tables.items()}}
    return _pack_columnar(value, depth)


def _pack_columnar(value: Any, depth: int) -> Any:
    root = type(value).__module__.split(".")[0]
    kind = type(value).__name__
    if root == "numpy" and kind == "ndarray":
        return _pack(value.tolist(), depth + 1)
    if root == "numpy" and hasattr(value, "item"):
        return _pack(value.item(), depth + 1)
    if root == "pyarrow" and kind == "Table":
        return {"$": "table", "v": _table_bytes(value)}
    if root == "pandas" and kind == "DataFrame":
        return {"$": "frame", "v": _table_bytes(_arrow_of_frame(value))}
    if root == "pandas" and kind in ("Series", "Index", "DatetimeIndex", "RangeIndex"):
        return _pack(value.tolist(), depth + 1)
    if root in ("duckdb", "_duckdb") and kind == "DuckDBPyRelation":
        return {"$": "frame", "v": _table_bytes(value.to_arrow_table())}
    raise NotPlain(
        f"A {kind} of {root} cannot be compared. Return a number, a text, a date, a list, a dict or a table "
        "(pandas DataFrame, pyarrow Table, DuckDB relation)."
    )


def _arrow_of_frame(frame):
    import pyarrow as pa

    flat = frame if frame.index.nlevels == 1 and frame.index.name is None else frame.reset_index()
    try:
        return pa.Table.from_pandas(flat.rename(columns=str), preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise NotPlain(f"The DataFrame has a column of mixed types: {error}") from None


def _unpack(value: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(v) for v in value]
    if not isinstance(value, dict):
        return value
    tag, inner = value.get("$"), value.get("v")
    plain = {
        "dict": lambda: {_hashable(_unpack(k)): _unpack(v) for k, v in inner},
        "tuple": lambda: tuple(_unpack(v) for v in inner),
        "set": lambda: {_hashable(_unpack(v)) for v in inner},
        "datetime": lambda: dt.datetime.fromisoformat(inner),
        "date": lambda: dt.date.fromisoformat(inner),
        "time": lambda: dt.time.fromisoformat(inner),
        "seconds": lambda: dt.timedelta(seconds=inner),
        "decimal": lambda: Decimal(inner),
        "bytes": lambda: base64.b64decode(inner),
        "table": lambda: _table_from(inner),
        "frame": lambda: _table_from(inner).to_pandas(),
        "database": lambda: Database({k: _table_from(t) for k, t in inner.items()}),
    }
    if tag not in plain:
        raise ValueError(f"not a plain value: tag {tag!r}")
    return plain[tag]()


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
