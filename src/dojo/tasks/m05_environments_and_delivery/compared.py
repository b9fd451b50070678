"""Two tables side by side, the learner's and the judge's: whether they are alike, and in words what differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from dojo.judge.contract import NotYet
from dojo.tools import beside


@dataclass(frozen=True)
class Difference:
    """How many rows are missing and how many should not be there, and one of each in words ("" where there is none)."""

    missing: int
    extra: int
    one_missing: str
    one_extra: str

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra)


def readable(name: str, got: Any, wanted: Any, tried: str) -> None:
    """NotYet where a table could not be read, or has other columns than it must, or columns of another kind."""
    if isinstance(got, str):
        expected = f"{wanted.num_rows:,} rows"
        raise NotYet(f"`{name}` cannot be read afterwards.", tried=tried, expected=expected, got=got, cause="unreadable")
    has, must = _kinds(got), _kinds(wanted)
    if has == must:
        return
    odd = [c for c in must if has.get(c) != must[c]] + [c for c in has if c not in must]
    raise NotYet(
        f"`{name}` has other columns afterwards, or columns of another type.",
        tried=tried,
        expected=", ".join(f"{c} ({must[c]})" if c in must else f"no {c}" for c in odd),
        got=", ".join(f"{c} ({has[c]})" if c in has else f"no {c}" for c in odd),
        cause="columns",
    )


def difference(got: Any, wanted: Any, where: str = "true") -> Difference:
    """What differs between two tables with the same columns, in the rows for which a condition holds."""
    if _equal(got, wanted):
        return Difference(0, 0, "", "")
    missing, one_missing = _but_not(wanted, got, where)
    extra, one_extra = _but_not(got, wanted, where)
    return Difference(missing, extra, one_missing, one_extra)


def _equal(got: Any, wanted: Any) -> bool:
    """Whether two tables hold the same rows, whatever their order."""
    order = [(name, "ascending") for name in wanted.column_names]
    try:
        return got.select(wanted.column_names).cast(wanted.schema).sort_by(order).equals(wanted.sort_by(order))
    except (pa.ArrowException, KeyError):
        return False


def number(table: Any, where: str = "true") -> int:
    """Rows for which a condition holds."""
    return _asked(f"select count(*) from one where {where}", one=table)[0]


def _but_not(one: Any, other: Any, where: str) -> tuple[int, str]:
    values = ", ".join(f"{_value(beside.quoted(name), kind)} as {beside.quoted(name)}" for name, kind in _kinds(one).items())
    words = ", ".join(
        f"{beside.text(f'{name} ')} || coalesce({beside.quoted(name)}::text, 'null')" for name in one.column_names
    )
    query = f"select {values} from {{}} where {where}"
    left = f"{query.format('one')} except all {query.format('other')}"
    count, first = _asked(f"select count(*), min(concat_ws(', ', {words})) from ({left})", one=one, other=other)
    return count, first or ""


def _value(column: str, kind: str) -> str:
    """A column to compare; numbers as texts, since a common type of two decimals may round one of them."""
    if kind != "number":
        return column
    text = f"{column}::text"
    return f"case when contains({text}, '.') then rtrim(rtrim({text}, '0'), '.') else {text} end"


def _asked(query: str, **tables: Any) -> tuple[Any, ...]:
    con = duckdb.connect()
    try:
        for name, table in tables.items():
            con.register(name, table)
        return con.execute(query).fetchone()
    finally:
        con.close()


def _kinds(table: Any) -> dict[str, str]:
    return {field.name: _kind(field.type) for field in table.schema}


def _kind(of: Any) -> str:
    """A column type in a word: two of the same word can be compared value by value."""
    if pa.types.is_dictionary(of):
        return _kind(of.value_type)
    if pa.types.is_integer(of) or pa.types.is_decimal(of):
        return "number"
    if pa.types.is_string(of) or pa.types.is_large_string(of):
        return "text"
    return "date" if pa.types.is_date(of) else str(of)
