"""Loads the shop's API into the warehouse: orders, payments, exchange rates."""

import dlt

from ingest import client

URL = "https://api.shopflow.example/v2"
TOKEN = "@token@"


@dlt.resource(name="orders", write_disposition="append")
def orders():
    yield from client.read("orders", url=URL, token=TOKEN)


@dlt.resource(name="payments", write_disposition="append")
def payments():
    yield from client.read("payments", url=URL, token=TOKEN)


@dlt.resource(name="rates", write_disposition="append")
def rates():
    yield from client.read("rates", url=URL, token=TOKEN)


pipeline = dlt.pipeline("shop_api", destination=dlt.destinations.duckdb("prod.duckdb"), dataset_name="raw")
print(pipeline.run([orders(), payments(), rates()]))
