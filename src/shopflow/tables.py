"""The source tables: columns with types and meaning, keys, grain, how they are loaded and how they arrive."""

from __future__ import annotations

from dataclasses import dataclass

BATCH_ROWS = 20_000
"""Rows a batch when DuckDB hands a result over to Arrow. It reserves a whole batch in every column, by default of a million
rows: with a few results kept, a process reserves more than the machine has and can no longer be forked.
"""


@dataclass(frozen=True)
class Column:
    """One column: its name, its DuckDB type, what it means."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True)
class Table:
    """One source table. mode: "upsert" (change feed), "full" (whole table each day) or "insert" (arrives once)."""

    name: str
    grain: str
    key: tuple[str, ...]
    mode: str
    format: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [c.name for c in self.columns]


def _table(name: str, grain: str, key: str, mode: str, format: str, *columns: tuple[str, str, str]) -> Table:
    return Table(name, grain, tuple(key.split()), mode, format, tuple(Column(*c) for c in columns))


TABLES: dict[str, Table] = {
    t.name: t
    for t in (
        _table(
            "customers",
            "one customer, as changed",
            "customer_id",
            "upsert",
            "parquet",
            ("customer_id", "bigint", "Number of the customer."),
            ("email", "varchar", "Address the shop writes to; personal data."),
            ("full_name", "varchar", "Name; personal data."),
            ("country", "varchar", "Two letters, ISO 3166."),
            ("city", "varchar", "City of the delivery address."),
            ("segment", "varchar", "consumer or business."),
            ("marketing_opt_in", "boolean", "Whether the customer wants the newsletter."),
            ("created_at", "timestamp", "When the account was made, UTC."),
            ("updated_at", "timestamp", "When the row last changed, UTC."),
        ),
        _table(
            "products",
            "one product",
            "product_id",
            "full",
            "parquet",
            ("product_id", "bigint", "Number of the product."),
            ("sku", "varchar", "Stock keeping unit."),
            ("name", "varchar", "Name in the shop."),
            ("category", "varchar", "One of eight categories."),
            ("list_price_eur", "decimal(10,2)", "List price in euros."),
            ("cost_eur", "decimal(10,2)", "What the product costs ShopFlow, in euros."),
            ("active", "boolean", "Whether it can be ordered."),
            ("updated_at", "timestamp", "When the row last changed, UTC."),
        ),
        _table(
            "stores",
            "one store",
            "store_id",
            "full",
            "parquet",
            ("store_id", "bigint", "Number of the store."),
            ("code", "varchar", "Short name, for example DE."),
            ("name", "varchar", "Name."),
            ("country", "varchar", "Two letters, ISO 3166."),
            ("currency", "varchar", "Currency the store sells in, ISO 4217."),
            ("timezone", "varchar", "Time zone of the store."),
            ("opened_on", "date", "Day the store opened."),
        ),
        _table(
            "orders",
            "one order, as changed (its last state of the day)",
            "order_id",
            "upsert",
            "parquet",
            ("order_id", "bigint", "Number of the order."),
            ("customer_id", "bigint", "Who ordered."),
            ("store_id", "bigint", "In which store."),
            ("status", "varchar", "placed, paid, shipped, cancelled or returned."),
            ("currency", "varchar", "Currency of the order."),
            ("ordered_at", "timestamp", "When it was placed, UTC: the event time."),
            ("updated_at", "timestamp", "When its state last changed, UTC."),
        ),
        _table(
            "order_items",
            "one line of an order",
            "order_id line_number",
            "insert",
            "parquet",
            ("order_id", "bigint", "The order."),
            ("line_number", "integer", "Line in the order, from 1."),
            ("product_id", "bigint", "What was ordered."),
            ("quantity", "integer", "How many pieces."),
            ("unit_price", "decimal(12,2)", "Price a piece in the order's currency."),
        ),
        _table(
            "payments",
            "one payment, as changed",
            "payment_id",
            "upsert",
            "csv",
            ("payment_id", "bigint", "Number the provider gave."),
            ("order_id", "bigint", "The order it pays."),
            ("provider", "varchar", "Payment provider."),
            ("method", "varchar", "card, wallet or transfer."),
            ("amount", "decimal(12,2)", "Amount in its currency."),
            ("currency", "varchar", "ISO 4217."),
            ("status", "varchar", "captured, refunded or failed."),
            ("paid_at", "timestamp", "When the money was taken or refused, UTC."),
            ("updated_at", "timestamp", "When the row last changed, UTC."),
        ),
        _table(
            "exchange_rates",
            "one currency and day",
            "rate_date currency",
            "upsert",
            "csv",
            ("rate_date", "date", "The day."),
            ("currency", "varchar", "ISO 4217."),
            ("eur_per_unit", "decimal(12,6)", "Euros for one unit of the currency on that day."),
        ),
    )
}
"""All source tables by name."""
