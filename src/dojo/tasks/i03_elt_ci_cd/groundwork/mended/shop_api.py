"""Loads the shop's API into the warehouse: orders, payments, exchange rates. Importing it loads nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable

import dlt

from ingest import client

KEYS = {"orders": ["order_id"], "payments": ["payment_id"], "rates": ["rate_date", "currency"]}
REQUIRED = {
    "orders": ["order_id", "store_id", "status", "updated_at"],
    "payments": ["payment_id", "order_id", "amount", "currency", "status", "paid_at", "updated_at"],
    "rates": ["rate_date", "currency", "eur_per_unit", "updated_at"],
}
Read = Callable[[str, str | None], Iterable[dict]]


def resource(table: str, read: Read):
    """One table of the API: new and changed rows replace those of the same key."""

    @dlt.resource(
        name=table,
        primary_key=KEYS[table],
        write_disposition="merge",
        columns={column: {"nullable": False} for column in REQUIRED[table]},
        schema_contract={"columns": "freeze", "data_type": "freeze"},
    )
    def rows(updated_at=dlt.sources.incremental("updated_at")):
        yield from read(table, updated_at.last_value)

    return rows


def run(read: Read, warehouse: str):
    """Loads what changed since the last run into `raw` of a DuckDB file; the state is kept in the file as well."""
    pipeline = dlt.pipeline(
        "shop_api",
        destination=dlt.destinations.duckdb(warehouse),
        dataset_name="raw",
        pipelines_dir=tempfile.mkdtemp(),
    )
    return pipeline.run([resource(table, read) for table in KEYS])


def main() -> None:
    """Loads from $SHOP_API_URL with $SHOP_API_TOKEN into $SHOPFLOW_WAREHOUSE."""
    url, token = os.environ["SHOP_API_URL"], os.environ.get("SHOP_API_TOKEN", "")
    run(lambda table, since: client.read(table, since, url=url, token=token), os.environ["SHOPFLOW_WAREHOUSE"])


if __name__ == "__main__":
    main()
