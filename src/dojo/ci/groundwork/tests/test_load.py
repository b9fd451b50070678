"""The loader on three orders: what is new lands, what is old stays out, a day may come twice."""

from __future__ import annotations

import datetime as dt

import duckdb
import load
import pytest

DAY = dt.date(2025, 11, 24)
LOADED = dt.datetime(2025, 11, 27, 4, 30)


@pytest.fixture
def con():
    with duckdb.connect() as con:
        load.create(con)
        yield con


def deliver(folder, day, rows):
    target = folder / "orders" / f"date={day}"
    target.mkdir(parents=True, exist_ok=True)
    values = ", ".join(
        f"({number}::bigint, 1::bigint, 1::bigint, '{status}', 'EUR', timestamp '{moment}', timestamp '{moment}')"
        for number, status, moment in rows
    )
    columns = ", ".join(load.names("orders"))
    duckdb.connect().execute(
        f"copy (select * from (values {values}) t({columns})) to '{target / 'orders.parquet'}' (format parquet)"
    )


def test_orders_land(con, tmp_path):
    deliver(tmp_path, DAY, [(1, "paid", "2025-11-24 08:00"), (2, "placed", "2025-11-24 09:00")])
    assert load.load_table(con, tmp_path, "orders", [DAY], LOADED) == 2


def test_a_day_may_come_twice(con, tmp_path):
    deliver(tmp_path, DAY, [(1, "paid", "2025-11-24 08:00")])
    for _ in range(2):
        load.load_table(con, tmp_path, "orders", [DAY], LOADED)
    assert con.execute("select count(*) from raw.orders").fetchone()[0] == 1


def test_the_newest_state_of_a_key_is_kept(con, tmp_path):
    next_day = DAY + dt.timedelta(days=1)
    deliver(tmp_path, DAY, [(1, "placed", "2025-11-24 08:00")])
    deliver(tmp_path, next_day, [(1, "paid", "2025-11-25 08:00")])
    load.load_table(con, tmp_path, "orders", [DAY, next_day], LOADED)
    assert con.execute("select status from raw.orders").fetchall() == [("paid",)]


def test_an_extract_that_did_not_come_is_said(tmp_path):
    with pytest.raises(load.SourceMissing, match=str(DAY)):
        load.files(tmp_path, "orders", [DAY])
