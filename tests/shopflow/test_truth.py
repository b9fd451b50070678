"""The truth: hangs together with the sources it is computed from, and tells differences row by row."""

from __future__ import annotations

import datetime as dt

import duckdb
import pyarrow as pa
import pytest

from shopflow import sources, truth

FIRST, LAST = dt.date(2025, 11, 20), dt.date(2025, 12, 1)


@pytest.fixture(scope="module")
def con():
    made = duckdb.connect()
    sources.load_into(made, first_day=FIRST, last_day=LAST, orders=3_000)
    for name in truth.MARTS:
        made.register(f"truth_{name}", truth.mart(made, name, LAST))
    return made


@pytest.mark.parametrize("name", truth.MARTS)
def test_every_mart_has_its_key_once(con, name):
    key = ", ".join(truth.MARTS[name])
    assert con.execute(f"select count(*), count(distinct ({key})) from truth_{name}").fetchone()[0] > 0
    assert con.execute(
        f"select count(*) from (select 1 from truth_{name} group by {key} having count(*) > 1)"
    ).fetchone() == (0,)


def test_the_facts_hold_every_line_and_earn_only_what_is_paid(con):
    assert con.execute(
        "from order_items anti join truth_fact_sales using (order_id, line_number) select count(*)"
    ).fetchone() == (0,)
    earned = dict(con.execute("select order_status, sum(line_revenue) > 0 from truth_fact_sales group by 1").fetchall())
    assert earned == {"paid": True, "shipped": True, "placed": False, "cancelled": False, "returned": False}


def test_the_dashboard_adds_up_to_the_facts(con):
    assert con.execute(
        "select (select sum(revenue_eur) from truth_daily_revenue) = (select sum(line_revenue) from truth_fact_sales)"
    ).fetchone() == (True,)


def test_every_key_of_the_facts_finds_its_dimension(con):
    for dimension in ("customer", "product", "store"):
        lost = con.execute(
            f"from truth_fact_sales anti join truth_dim_{dimension} using ({dimension}_key) select count(*)"
        ).fetchone()
        assert lost == (0,), dimension


def test_an_earlier_morning_knows_less(con):
    early = truth.mart(con, "fact_sales", LAST - dt.timedelta(days=3))
    difference = truth.compare(early, truth.mart(con, "fact_sales", LAST), truth.MARTS["fact_sales"])
    assert difference.missing and difference.changed and not difference.extra and "missing" in str(difference)


def test_differences_are_told_by_kind():
    expected = pa.table({"id": [1, 2, 3], "n": [1, 2, None]})
    actual = pa.table({"id": [2, 3, 3, 4], "n": [5, None, None, 1]})
    found = truth.compare(actual, expected, ("id",))
    assert (found.missing, found.extra, found.changed, found.doubled) == ([(1,)], [(4,)], [(2,)], [(3,)])
    assert truth.compare(expected, expected, ("id",)).none
    with pytest.raises(ValueError, match="lacks n"):
        truth.compare(pa.table({"id": [1]}), expected, ("id",))
