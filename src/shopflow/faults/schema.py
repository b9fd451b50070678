"""Faults of schema: columns renamed, dropped or retyped, values that mean something else than yesterday."""

from __future__ import annotations

from shopflow.faults.base import DataFault

FAULTS = (
    DataFault(
        "renamed-column",
        "schema",
        "orders.status is called order_status",
        "The shop's team cleans up names in a release on a Friday and forgets who reads the export.",
        "The loader stops with a missing column; or, where it selects by position, it does not.",
        ("orders",),
        ("alter table {orders} rename column status to order_status",),
        whole=True,
    ),
    DataFault(
        "dropped-column",
        "schema",
        "order_items.unit_price is gone",
        "Prices move to a service of their own; the export keeps its other columns.",
        "The loader stops; a loader that fills missing columns with null reports a day without revenue.",
        ("order_items",),
        ("alter table {order_items} drop column unit_price",),
        whole=True,
    ),
    DataFault(
        "retyped-column",
        "schema",
        "orders.order_id is a text such as ORD-1000001",
        "The shop prefixes its numbers before it opens a second shop.",
        "The cast fails loudly; or joins find no partner and every order has lost its lines.",
        ("orders",),
        ("alter table {orders} alter column order_id set data type varchar using 'ORD-' || order_id",),
        whole=True,
    ),
    DataFault(
        "new-status-value",
        "schema",
        "Some paid orders are now called settled",
        "A new payment method brings a new state that nobody announced.",
        "Orders in the new state earn nothing, because revenue counts paid and shipped.",
        ("orders",),
        (
            "update {orders} set status = 'settled' where extract_date = {day} and status = 'paid' and hash({seed}, order_id) % 10 < 4",
        ),
    ),
    DataFault(
        "cents-for-euros",
        "schema",
        "unit_price is in cents",
        "The shop switches to integers for money, as its new library wants it.",
        "Everything of that day costs a hundred times as much.",
        ("order_items",),
        ("update {order_items} set unit_price = unit_price * 100 where extract_date = {day}",),
    ),
    DataFault(
        "local-time-for-utc",
        "schema",
        "Times of orders are in Berlin time",
        "A server is reinstalled and its clock set to local time.",
        "Orders of the late evening move into the next business day; changes seem to come from the future.",
        ("orders",),
        (
            "update {orders} set ordered_at = ordered_at + to_hours({offset}), updated_at = updated_at + to_hours({offset}) "
            "where extract_date = {day}",
        ),
    ),
    DataFault(
        "broken-encoding",
        "schema",
        "Umlauts and accents are two odd characters",
        "UTF-8 is read as Latin-1 somewhere on the way.",
        "Kölns customers live in KÃ¶ln: groups split in two, mails come back.",
        ("customers",),
        (
            "update {customers} set city = replace(replace(replace(replace(replace(city, 'ö', 'Ã¶'), 'ü', 'Ã¼'), 'é', 'Ã©'), 'ń', 'Å„'), 'ó', 'Ã³') "
            "where extract_date = {day} and (city like '%ö%' or city like '%ü%' or city like '%é%' or city like '%ń%' or city like '%ó%')",
        ),
    ),
)
"""Faults of schema."""
