"""The sources: the same rows on any number of threads and in any window, a life that hangs together, bounded chunks."""

from __future__ import annotations

import datetime as dt

import duckdb
import pytest

from shopflow import sources
from shopflow.calendar import calendar
from shopflow.clock import FIRST_DAY, LAST_DAY
from shopflow.tables import TABLES


def hashes(folder):
    con = duckdb.connect()
    for name in TABLES:
        con.execute(f"create view {name} as from {sources.read_extracts(folder, name)}")
    return {name: sources.content_hash(con, name) for name in TABLES}


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """The standard window at 6,000 orders, and a connection with one view a table."""
    folder = tmp_path_factory.mktemp("sources")
    sources.generate(folder, orders=6_000, threads=2)
    con = duckdb.connect()
    for name in TABLES:
        con.execute(f"create view {name} as from {sources.read_extracts(folder, name)}")
    return folder, con


def test_threads_and_chunks_do_not_change_a_row(shop, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "CHUNK", 500)
    sources.generate(tmp_path, orders=6_000, threads=1)
    assert hashes(tmp_path) == hashes(shop[0])


def test_a_shorter_window_holds_the_same_first_days(shop, tmp_path):
    last = FIRST_DAY + dt.timedelta(days=9)
    sources.generate(tmp_path, orders=6_000, last_day=last)
    short = duckdb.connect()
    for name in TABLES:
        short.execute(f"create view {name} as from {sources.read_extracts(tmp_path, name)}")
        whole = f"(from {name} where extract_date <= date '{last}')"
        assert sources.content_hash(short, name) == sources.content_hash(shop[1], whole), name


def test_rows_in_memory_are_the_rows_on_disk(shop):
    con = duckdb.connect()
    sources.load_into(con, orders=6_000)
    for name in TABLES:
        assert sources.content_hash(con, name) == sources.content_hash(shop[1], name), name


def test_another_seed_is_another_shop(shop, tmp_path):
    sources.generate(tmp_path, seed=8, orders=6_000)
    assert hashes(tmp_path)["orders"] != hashes(shop[0])["orders"]


def test_writing_again_replaces_and_does_not_add(shop, tmp_path):
    for _ in range(2):
        sources.generate(tmp_path, orders=600, last_day=FIRST_DAY)
    con = duckdb.connect()
    rows, distinct = con.execute(
        f"select count(*), count(distinct order_id) from {sources.read_extracts(tmp_path, 'orders')}"
    ).fetchone()
    assert rows == distinct == calendar(600, LAST_DAY)[FIRST_DAY].orders


NEVER = {
    "an order without a line": "from orders anti join order_items using (order_id)",
    "a line without an order": "from order_items anti join orders using (order_id)",
    "an order of an unknown customer": "from orders anti join customers using (customer_id)",
    "a line of an unknown product": "from order_items anti join products using (product_id)",
    "an order in a store's foreign currency": "from orders join stores using (store_id) where orders.currency <> stores.currency",
    "a customer who changes twice a day": "from (select 1 from customers group by customer_id, extract_date having count(*) > 1)",
    "an order that stands twice in an extract": "from (select 1 from orders group by order_id, extract_date having count(*) > 1)",
    "a late row": "from orders where updated_at::date <> extract_date",
    "an order updated before it was placed": "from orders where updated_at < ordered_at",
    "a capture that is not the order's amount": """from (from payments where status = 'captured') p
        join (select order_id, sum(quantity * unit_price) as due from order_items group by 1) using (order_id) where amount <> due""",
    "a day without a rate": "from orders o anti join exchange_rates r on r.currency = o.currency and r.rate_date = o.extract_date",
    "a price of nothing": "from order_items where unit_price <= 0 or quantity < 1",
}


@pytest.mark.parametrize("what", NEVER)
def test_the_clean_data_never_holds(shop, what):
    assert shop[1].execute(f"select count(*) {NEVER[what]}").fetchone() == (0,), what


def test_the_shop_has_a_life(shop):
    con = shop[1]
    by_day = dict(con.execute("select ordered_at::date, count(distinct order_id) from orders group by 1").fetchall())
    friday, ordinary = by_day[dt.date(2025, 11, 28)], by_day[dt.date(2025, 11, 21)]
    assert 4 <= friday / ordinary <= 5
    assert by_day[dt.date(2025, 10, 12)] > by_day[dt.date(2025, 10, 7)]
    states = {s for (s,) in con.execute("select distinct status from orders").fetchall()}
    assert states == {"placed", "paid", "shipped", "cancelled", "returned"}
    assert con.execute("select count(distinct currency) from orders").fetchone() == (4,)


def test_the_standard_window_holds_about_the_orders_asked_for(shop):
    assert abs(shop[1].execute("select count(distinct order_id) from orders").fetchone()[0] - 6_000) < 40


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"orders": 5}, "at least 60"),
        ({"first_day": dt.date(2024, 1, 1)}, "books begin"),
        ({"last_day": FIRST_DAY - dt.timedelta(1)}, "books begin"),
    ],
)
def test_impossible_wishes_are_refused_in_words(tmp_path, wanted, words):
    with pytest.raises(ValueError, match=words):
        sources.generate(tmp_path, **wanted)
