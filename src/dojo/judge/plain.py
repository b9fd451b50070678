"""Plain values on the wire: JSON with tags, tables behind it as Arrow. Nothing is ever unpickled; sizes are capped."""

from __future__ import annotations

import base64
import datetime as dt
import io
import json
import struct
from decimal import Decimal
from typing import Any

from dojo.judge import lending, settings
from shopflow.tables import BATCH_ROWS

MAX_BYTES = 16 * 1024 * 1024
"""The largest value that is carried, in bytes."""
MAX_CELLS = 10_000_000
"""The most rows times columns a table may have: some take no byte on the wire."""
MAX_UNPACKED = 256 << 20
"""The most bytes the columns of one table may take when they are unpacked."""
MAX_DIGITS = 300
"""The most digits of a whole number: a float, which a check may make of it, goes to 10**308."""
ALIGNED = 64
"""Arrow reads its columns in place where they begin at such a multiple."""


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

        settings.in_a_folder()
        con = duckdb.connect(config=lending.CONFIG)
        lending.fill(con, self.tables)
        return con


class Sent:
    """The tables of databases that one side has already sent (or got): on later journeys a number stands for each."""

    def __init__(self) -> None:
        self.tables: list[Any] = []


def dumps(value: Any, sent: Sent | None = None) -> bytes:
    """A plain value as bytes. NotPlain when it holds something else or is larger than MAX_BYTES.

    Layout: length of the JSON (4 bytes), the JSON, then the tables as Arrow streams; each part begins at a multiple of 64.
    """
    packer = _Packer(Sent() if sent is None else sent)
    packed = packer.packed(value)
    head = json.dumps([packed, [len(t) for t in packer.streams]], allow_nan=True).encode()
    packer.sent.tables += packer.new
    parts = [struct.pack(">I", len(head)), head, bytes(-(4 + len(head)) % ALIGNED)]
    for stream in packer.streams:
        parts += [stream, bytes(-len(stream) % ALIGNED)]
    return b"".join(parts)


def loads(data: bytes, sent: Sent | None = None) -> Any:
    """The value again. ValueError when the bytes are not such a value. Only where `sent` is given may it hold databases."""
    size = struct.unpack_from(">I", data)[0]
    packed, lengths = json.loads(data[4 : 4 + size])
    at, streams, view = 4 + size, [], memoryview(data)
    for length in lengths:
        at += -at % ALIGNED
        streams.append(view[at : at + length])
        at += length
    return _Unpacker(streams, sent).unpack(packed)


def copy(value: Any) -> Any:
    """The value as it looks after a journey: what a check sees is the same in the kernel and in the grader."""
    packer = _Packer(Sent())
    return _Unpacker(packer.streams, Sent()).unpack(packer.packed(value))


def _stream(table) -> Any:
    import pyarrow as pa

    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getbuffer()


def _table(stream: Any):
    import pyarrow as pa

    reader = pa.ipc.open_stream(pa.py_buffer(stream))
    for field in reader.schema:
        _check_type(field.type)
    batches, cells, size = [], 0, 0
    for batch in reader:
        cells += batch.num_rows * max(1, batch.num_columns)
        size += batch.get_total_buffer_size()
        if cells > MAX_CELLS or size > MAX_UNPACKED:
            raise ValueError("the table is larger than it looked")
        batches.append(batch)
    table = pa.Table.from_batches(batches, reader.schema)
    table.validate(full=True)  # it may come from a process that is not to be believed
    return table


def _check_type(kind: Any) -> None:
    """ValueError for a column type whose few bytes may stand for very many values, or for code of somebody's."""
    import pyarrow as pa

    if pa.types.is_run_end_encoded(kind) or pa.types.is_union(kind) or isinstance(kind, pa.BaseExtensionType):
        raise ValueError(f"columns of type {kind} are not carried")
    for number in range(kind.num_fields):
        _check_type(kind.field(number).type)


class _Packer:
    """Turns one value into JSON-able parts; `streams` are the tables, `new` those sent for the first time."""

    def __init__(self, sent: Sent):
        self.streams: list[Any] = []
        self.sent, self.new = sent, []
        self.size = 0

    def packed(self, value: Any) -> Any:
        """The whole value. NotPlain when it is too large: counted are texts, tables, and eight bytes for anything else."""
        made = self.pack(value, 0)
        size = self.size + sum(len(t) for t in self.streams)
        if size > MAX_BYTES:
            raise NotPlain(f"The value takes {size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB can be compared.")
        return made

    def pack(self, value: Any, depth: int) -> Any:
        if depth > 40:
            raise NotPlain("The value is nested deeper than 40 levels, or contains itself.")
        kind = type(value)
        self.size += 8
        if kind is str or isinstance(value, str):
            text = value if kind is str else str.__str__(value)
            self.size += len(text)
            return text
        if kind is int and value.bit_length() > MAX_DIGITS * 3.32:
            raise NotPlain(f"A whole number of more than {MAX_DIGITS:,} digits cannot be compared.")
        if value is None or kind in _NUMBERS:
            return value
        if isinstance(value, dict):
            return {"$": "dict", "v": [[self.pack(k, depth + 1), self.pack(v, depth + 1)] for k, v in value.items()]}
        if isinstance(value, list):
            return [self.pack(v, depth + 1) for v in value]
        if isinstance(value, tuple):
            return {"$": "tuple", "v": [self.pack(v, depth + 1) for v in value]}
        if isinstance(value, set | frozenset):
            return {"$": "set", "v": sorted((self.pack(v, depth + 1) for v in value), key=repr)}
        scalar = _scalar(value)
        if scalar is not None:
            self.size += len(scalar["v"])
            return scalar
        return self._columnar(value, depth)

    def _columnar(self, value: Any, depth: int) -> Any:
        root, kind = type(value).__module__.split(".")[0], type(value).__name__
        if isinstance(value, Database):
            return {"$": "database", "v": {name: self._given(table) for name, table in value.tables.items()}}
        if root == "pandas" and str(value) in ("NaT", "<NA>"):
            return None
        if root == "numpy" and kind == "ndarray":
            return self.pack(value.tolist(), depth + 1)
        if root == "numpy" and hasattr(value, "item"):
            return self.pack(value.item(), depth + 1)
        if root == "pyarrow" and kind == "Table":
            return self._tabled("table", value)
        if root == "pandas" and kind == "DataFrame":
            return self._tabled("frame", _arrow_of_frame(value))
        if root == "pandas" and kind in ("Series", "Index", "DatetimeIndex", "RangeIndex"):
            return self.pack(value.tolist(), depth + 1)
        if root in ("duckdb", "_duckdb") and kind == "DuckDBPyRelation":
            return self._tabled("frame", value.to_arrow_table(BATCH_ROWS))
        name = kind if root == "builtins" else f"{root}.{kind}"
        raise NotPlain(
            f"A value of the type `{name}` cannot be compared. Return a number, a text, a date, a list, a dict or a table "
            "(pandas DataFrame, pyarrow Table, DuckDB relation)."
        )

    def _tabled(self, tag: str, table: Any) -> dict[str, Any]:
        if table.num_rows * max(1, table.num_columns) > MAX_CELLS:
            raise NotPlain(f"The table has {table.num_rows:,} rows; at most {MAX_CELLS:,} cells can be compared.")
        self.streams.append(_stream(table))
        return {"$": tag, "v": len(self.streams) - 1}

    def _given(self, table: Any) -> dict[str, Any]:
        """A database's table: the number it was sent under, or its rows when it goes for the first time."""
        for number, one in enumerate([*self.sent.tables, *self.new]):
            if one is table:
                return {"$": "again", "v": number}
        self.new.append(table)
        return self._tabled("table", table)


def _scalar(value: Any) -> dict[str, Any] | None:
    """A date, time, amount or bytes with its tag; None for anything else."""
    if isinstance(value, dt.datetime):
        not_a_time = type(value) is not dt.datetime and str(value) == "NaT"  # pandas' own
        return None if not_a_time else {"$": "datetime", "v": dt.datetime.isoformat(value)}
    if isinstance(value, dt.date):
        return {"$": "date", "v": dt.date.isoformat(value)}
    if isinstance(value, dt.time):
        return {"$": "time", "v": dt.time.isoformat(value)}
    if isinstance(value, dt.timedelta):
        return None if str(value) == "NaT" else {"$": "span", "v": [value.days, value.seconds, value.microseconds]}
    if isinstance(value, Decimal):
        if value.is_snan():
            raise NotPlain("A signalling NaN cannot be compared.")
        return {"$": "decimal", "v": Decimal.__str__(value)}
    if isinstance(value, bytes):
        return {"$": "bytes", "v": base64.b64encode(value).decode()}
    return None


def _arrow_of_frame(frame):
    import pyarrow as pa

    flat = frame if frame.index.nlevels == 1 and frame.index.name is None else frame.reset_index()
    try:
        return pa.Table.from_pandas(flat.rename(columns=str), preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise NotPlain(f"The DataFrame has a column of mixed types: {error}") from None


_NUMBERS = (bool, int, float)
_SCALARS = {
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "span": lambda parts: dt.timedelta(*parts),
    "decimal": lambda text: _no_signal(Decimal(text)),
    "bytes": base64.b64decode,
}


def _no_signal(value: Decimal) -> Decimal:
    if value.is_snan():
        raise ValueError("not a plain value: a signalling NaN")
    return value


class _Unpacker:
    """Turns the parts of one value into the value."""

    def __init__(self, streams: list[Any], sent: Sent | None):
        self.streams, self.sent = streams, sent

    def unpack(self, value: Any) -> Any:
        kind = type(value)
        if kind is list:
            return [self.unpack(v) for v in value]
        if kind is not dict:
            return value
        tag, inner = value.get("$"), value.get("v")
        if tag in _SCALARS:
            return _SCALARS[tag](inner)
        if tag == "dict":
            return {_hashable(self.unpack(k)): self.unpack(v) for k, v in inner}
        if tag == "tuple":
            return tuple(self.unpack(v) for v in inner)
        if tag == "set":
            return {_hashable(self.unpack(v)) for v in inner}
        if tag in ("table", "frame"):
            table = _table(self.streams[inner])
            return table if tag == "table" else table.to_pandas()
        if tag == "database" and self.sent is not None:
            return Database({name: self._given(part) for name, part in inner.items()})
        raise ValueError(f"not a plain value: tag {tag!r}")

    def _given(self, part: dict[str, Any]) -> Any:
        if part["$"] == "again":
            return self.sent.tables[part["v"]]
        self.sent.tables.append(self.unpack(part))
        return self.sent.tables[-1]


def _hashable(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(_hashable(v) for v in value)
    return frozenset(value) if isinstance(value, set) else value
