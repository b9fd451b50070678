"""Loads that are tried in i03.2: the mended one and its damaged relatives, and two right ones unlike it."""

from __future__ import annotations

from dojo.judge.contract import edited
from dojo.tasks.i03_elt_ci_cd import company


def starting() -> str:
    """The load as the candidate finds it."""
    return company.starting()["ingest/shop_api.py"]


def mended() -> str:
    """The load as it should be."""
    return company.main_branch()["ingest/shop_api.py"]


def changed(*pairs: tuple[str, str]) -> str:
    """The mended load with some of its text replaced. ValueError where it no longer holds that text."""
    return edited(mended(), *pairs)


def append(load: str) -> str:
    """A load that appends what comes again."""
    return edited(load, ('write_disposition="merge"', 'write_disposition="append"'))


def everything(load: str) -> str:
    """A load that asks for all rows each time."""
    return edited(load, ("read(table, updated_at.last_value)", "read(table, None)"))


def evolving() -> str:
    """A load that takes whatever columns come."""
    return changed(
        ('        schema_contract={"columns": "freeze", "data_type": "freeze"},\n', ""),
        ('        columns={column: {"nullable": False} for column in REQUIRED[table]},\n', ""),
    )


def swallowing() -> str:
    """A program that prints its errors and ends with 0."""
    return changed(
        ("    main()\n", "    try:\n        main()\n    except Exception as error:\n        print('load failed', error)\n")
    )


def replacing() -> str:
    """A load that asks the warehouse what is new, and replaces the table by it."""
    return edited(BY_SQL, ('write_disposition="merge"', 'write_disposition="replace"'))


def without_since() -> str:
    """Tests that look at the table and never at what was asked for."""
    text = company.main_branch()["tests/test_shop_api.py"]
    return text[: text.index("def test_only_changes_are_asked_for")]


THREE_FUNCTIONS = '''"""The shop's API as a dlt source."""

import os

import dlt

from ingest.client import read as ask

NEEDED = {"nullable": False}


@dlt.source(name="shop", schema_contract={"columns": "freeze"})
def shop(read):
    @dlt.resource(primary_key="order_id", write_disposition="merge", columns={"status": NEEDED, "store_id": NEEDED})
    def orders(cursor=dlt.sources.incremental("updated_at")):
        yield read("orders", cursor.last_value)

    @dlt.resource(primary_key="payment_id", write_disposition="merge", columns={"amount": {**NEEDED, "data_type": "decimal"}})
    def payments(cursor=dlt.sources.incremental("updated_at")):
        yield read("payments", cursor.last_value)

    @dlt.resource(primary_key=("rate_date", "currency"), write_disposition="merge")
    def rates(cursor=dlt.sources.incremental("updated_at")):
        yield read("rates", cursor.last_value)

    return orders, payments, rates


def run(read, warehouse):
    destination = dlt.destinations.duckdb(warehouse)
    return dlt.pipeline("shop", destination=destination, dataset_name="raw").run(shop(read))


if __name__ == "__main__":
    where = {"url": os.environ["SHOP_API_URL"], "token": os.environ.get("SHOP_API_TOKEN", "")}
    run(lambda table, since=None: ask(table, since, **where), os.environ["SHOPFLOW_WAREHOUSE"])
'''

BY_SQL = '''"""Loads three tables; what is there already is asked from the warehouse."""

import os
import sys

import dlt
import duckdb

from ingest import client

KEYS = {"orders": "order_id", "payments": "payment_id", "rates": ["rate_date", "currency"]}
COLUMNS = {
    "orders": {"order_id", "customer_id", "store_id", "status", "currency", "ordered_at", "updated_at"},
    "payments": {"payment_id", "order_id", "amount", "currency", "status", "paid_at", "updated_at"},
    "rates": {"rate_date", "currency", "eur_per_unit", "updated_at"},
}


def newest(warehouse, table):
    with duckdb.connect(str(warehouse)) as con:
        con.execute("set timezone = 'UTC'")
        if not con.execute("select 1 from information_schema.tables where table_schema = 'raw' and table_name = ?", [table]).fetchone():
            return None
        return con.execute(f"select strftime(max(updated_at), '%Y-%m-%dT%H:%M:%SZ') from raw.{table}").fetchone()[0]


def checked(table, rows):
    for row in rows:
        extra = set(row) - COLUMNS[table]
        if extra or (table == "payments" and "amount" not in row):
            raise ValueError(f"{table} has changed: {sorted(extra)}")
        yield row


def run(read, warehouse):
    pipeline = dlt.pipeline("shop_by_sql", destination=dlt.destinations.duckdb(str(warehouse)), dataset_name="raw")
    for table, key in KEYS.items():
        rows = list(checked(table, read(table, newest(warehouse, table))))
        if rows:
            pipeline.run(rows, table_name=table, primary_key=key, write_disposition="merge")


def main():
    url, token = os.environ["SHOP_API_URL"], os.getenv("SHOP_API_TOKEN") or ""
    run(lambda table, since: client.read(table, since, url=url, token=token), os.environ["SHOPFLOW_WAREHOUSE"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
'''
