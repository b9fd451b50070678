"""Two tables side by side: what differs is told, whatever types a learner's table has."""

from __future__ import annotations

import duckdb
import pytest

from dojo.judge.contract import NotYet
from dojo.tasks.m05_environments_and_delivery import compared


def table(query):
    con = duckdb.connect()
    try:
        return con.execute(query).to_arrow_table(1000)
    finally:
        con.close()


WANTED = table("select 1 as id, 12.50::decimal(14, 2) as amount, date '2025-11-28' as day, 'a' as name")


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("select 'a' as name, date '2025-11-28' as day, 12.5::decimal(38, 3) as amount, 1::hugeint as id", True),
        ("select 1 as id, 13::decimal(38, 0) as amount, date '2025-11-28' as day, 'a' as name", False),
        ("select 1 as id, 0::decimal(38, 37) as amount, date '2025-11-28' as day, 'a' as name", False),
        ("select 1 as id, 12.5::decimal(14, 2) as amount, date 'infinity' as day, 'a' as name", False),
        ("select 1 as id, 12.5::decimal(14, 2) as amount, null::date as day, 'a'::enum('a') as name", False),
    ],
)
def test_values_decide_and_not_the_width_of_a_type(query, same):
    got = table(query)
    compared.readable("t", got, WANTED, "tried")
    found = compared.difference(got, WANTED)
    assert bool(found) is not same
    assert same or found.one_extra != found.one_missing


@pytest.mark.parametrize(
    ("query", "got"),
    [
        ("select 1 as a", "no id, no amount, no day, no name, a (number)"),
        ("select * replace ({'a': 1} as day) from wanted", "day (struct<a: int32>)"),
        ("select * replace (amount::double as amount) from wanted", "amount (double)"),
        ("select * replace (id::text as id) from wanted", "id (text)"),
    ],
)
def test_other_columns_and_types_are_named(query, got):
    con = duckdb.connect()
    con.register("wanted", WANTED)
    with pytest.raises(NotYet) as no:
        compared.readable("t", con.execute(query).to_arrow_table(1000), WANTED, "tried")
    con.close()
    assert (no.value.cause, no.value.got) == ("columns", got)
