"""Small warehouses of ShopFlow for the judge: what was loaded up to a day, and what each release made of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb

from shopflow import sources
from shopflow.tables import BATCH_ROWS, TABLES

LANDED = ("orders", "order_items", "exchange_rates")
DAYS = 8

_FACTS = """
select
    orders.order_id, items.line_number, orders.store_id,
    timezone('Europe/Berlin', timezone('UTC', orders.ordered_at))::date as business_date, orders.status as order_status,
    items.quantity,
    case when orders.status in ('paid', 'shipped') then items.quantity * items.unit_price * rates.eur_per_unit else 0
    end::decimal(14, 2) as line_revenue,
    orders.updated_at
from {orders} as orders
join {order_items} as items using (order_id)
join {exchange_rates} as rates on orders.currency = rates.currency and orders.ordered_at::date = rates.rate_date
"""
DAILY = """
select business_date, store_id, count(distinct order_id) as orders, {more}sum(line_revenue)::decimal(14, 2) as revenue_eur
from {facts} where order_status in ('paid', 'shipped') group by all order by all
"""
UNITS = "sum(quantity)::bigint as units, "


@dataclass(frozen=True)
class Loaded:
    """raw.* as the loader leaves it after the extract of `day`, and the facts that follow from it."""

    day: dt.date
    raw: dict[str, Any]
    facts: Any

    def marts(self, *, units: bool = False) -> dict[str, Any]:
        """marts.fact_sales and marts.daily_revenue; the second with the column `units` or without."""
        return {"marts.fact_sales": self.facts, "marts.daily_revenue": daily(self.facts, units=units)}


@lru_cache(maxsize=16)
def loaded(seed: int, after: int = 0, orders: int = 2_000) -> Loaded:
    """A company of eight days up to a day around Black Friday, or `after` days later; another seed, another company."""
    first = dt.date(2025, 11, 20) + dt.timedelta(days=seed % 3)
    last = first + dt.timedelta(days=DAYS - 1 + after)
    con = duckdb.connect(config={"threads": 1})
    try:
        sources.load_into(con, seed=seed, first_day=first, last_day=last, orders=orders)
        raw = {f"raw.{name}": _current(con, name) for name in LANDED}
        return Loaded(last, raw, facts(raw))
    finally:
        con.close()


def facts(raw: dict[str, Any], *changes: tuple[str, str]) -> Any:
    """marts.fact_sales of these tables; `changes` (old, new) make another query of it, as a bad release does."""
    query = _FACTS
    for old, new in changes:
        if old not in query:
            raise ValueError(f"{old!r} is not in the query")
        query = query.replace(old, new)
    con = duckdb.connect(config={"threads": 1})
    try:
        for name in LANDED:
            con.register(f"the_{name}", raw[f"raw.{name}"])
        return con.execute(query.format(**{n: f"the_{n}" for n in LANDED}) + "order by all").to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


def added(old: Any, new: Any) -> Any:
    """What an incremental run leaves of marts.fact_sales: orders that changed since `old` from `new`, all others as they were."""
    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("old", old)
        con.register("new", new)
        recent = "select * from new where updated_at > (select max(updated_at) from old)"
        kept = f"select * from old where order_id not in (select order_id from ({recent}))"
        return con.execute(f"{kept} union all {recent} order by all").to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


def daily(facts: Any, *, units: bool = True) -> Any:
    """marts.daily_revenue of these facts."""
    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("the_facts", facts)
        return con.execute(DAILY.format(facts="the_facts", more=UNITS if units else "")).to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


def _current(con: duckdb.DuckDBPyConnection, name: str) -> Any:
    key, columns = ", ".join(TABLES[name].key), ", ".join(TABLES[name].names)
    return con.execute(
        f"select {columns} from {name} qualify row_number() over (partition by {key} order by extract_date desc) = 1 order by {key}"
    ).to_arrow_table(BATCH_ROWS)


def changed(table: Any, statement: str) -> Any:
    """The table after one statement on it; it is called `rows` there."""
    con = duckdb.connect()
    try:
        con.register("given", table)
        con.execute("create table rows as from given")
        con.execute(statement)
        return con.execute("from rows").to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


def total(table: Any, query: str) -> Any:
    """The first value of a query on one table, called `rows`."""
    con = duckdb.connect()
    try:
        con.register("rows", table)
        return con.execute(query).fetchone()[0]
    finally:
        con.close()


VIEWS = (
    "create schema if not exists staging",
    "create view staging.stg_orders as select order_id, customer_id, store_id, status, currency, ordered_at, "
    "timezone('Europe/Berlin', timezone('UTC', ordered_at))::date as business_date, updated_at from prod.raw.orders",
    "create view staging.stg_order_items as select order_id, line_number, product_id, quantity, unit_price from prod.raw.order_items",
)
"""The staging views as dbt leaves them in prod."""
