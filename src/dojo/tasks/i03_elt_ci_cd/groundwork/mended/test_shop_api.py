"""The load on two orders: what is new lands, what changed replaces, what did not change is not asked for."""

import duckdb
import pytest

from ingest import shop_api

MONDAY, TUESDAY = "2025-11-24T08:00:00Z", "2025-11-25T08:00:00Z"


def order(number, status, moment):
    return {"order_id": number, "store_id": 1, "status": status, "updated_at": moment}


class Api:
    """An API with these orders and nothing else; remembers what it was asked."""

    def __init__(self, *orders):
        self.orders, self.asked = orders, []

    def __call__(self, table, since):
        if table != "orders":
            return []
        self.asked.append(since)
        return [row for row in self.orders if since is None or row["updated_at"] >= since]


@pytest.fixture(scope="module")
def second_morning(tmp_path_factory):
    warehouse = str(tmp_path_factory.mktemp("warehouse") / "test.duckdb")
    shop_api.run(Api(order(1, "placed", MONDAY)), warehouse)
    api = Api(order(1, "paid", TUESDAY), order(2, "placed", TUESDAY))
    shop_api.run(api, warehouse)
    with duckdb.connect(warehouse) as con:
        return api, con.execute("select order_id, status from raw.orders order by order_id").fetchall()


def test_a_changed_order_replaces_its_old_state(second_morning):
    assert second_morning[1] == [(1, "paid"), (2, "placed")]


def test_only_changes_are_asked_for(second_morning):
    assert second_morning[0].asked == [MONDAY]
