"""Faults of values: every row has its columns, and some of them say what cannot be."""

from __future__ import annotations

from shopflow.faults.base import DataFault

FAULTS = (
    DataFault(
        "null-values",
        "values",
        "One order in twelve has no customer",
        "Guest checkout goes live without a word to anybody downstream.",
        "Orders without customer vanish from every inner join with customers.",
        ("orders",),
        ("update {orders} set customer_id = null where extract_date = {day} and hash({seed}, order_id) % 12 = 0",),
    ),
    DataFault(
        "negative-quantity",
        "values",
        "One line in twenty has a negative quantity",
        "Returns are booked as negative lines by a cash desk that was connected last night.",
        "Revenue is too low by twice those lines, or negative for a product.",
        ("order_items",),
        (
            "update {order_items} set quantity = -quantity where extract_date = {day} and hash({seed}, order_id, line_number) % 20 = 0",
        ),
    ),
    DataFault(
        "swapped-currency",
        "values",
        "Orders in pounds say EUR",
        "A default in a form: where the currency is not chosen, it is EUR.",
        "A sixth of the orders are counted at a rate of 1: revenue is a few per cent too low, every day.",
        ("orders",),
        ("update {orders} set currency = 'EUR' where extract_date = {day} and currency = 'GBP'",),
    ),
    DataFault(
        "epoch-dates",
        "values",
        "Some orders were placed on 1 January 1970",
        "A time that was never set is 0, and 0 is a date.",
        "Those orders fall out of every report of this year, and a minimum somewhere is fifty-five years old.",
        ("orders",),
        (
            "update {orders} set ordered_at = timestamp '1970-01-01' where extract_date = {day} and hash({seed}, order_id) % 15 = 0",
        ),
    ),
    DataFault(
        "outlier-price",
        "values",
        "One line costs a thousand times its price",
        "A merchant types 12900.00 where 12.90 was meant, and somebody orders it before it is seen.",
        "One product leads the ranking; the day's revenue jumps by one line.",
        ("order_items",),
        (
            "update {order_items} set unit_price = unit_price * 1000 where extract_date = {day} and (order_id, line_number) = ("
            "select (order_id, line_number) from {order_items} where extract_date = {day} order by hash({seed}, order_id, line_number) limit 1)",
        ),
    ),
    DataFault(
        "slow-drift",
        "values",
        "Prices are one per cent lower each day, for a month",
        "A rounding in the shop's price service compounds; nobody changed a price.",
        "No day looks odd beside the one before. After three weeks a fifth of the revenue is missing.",
        ("order_items",),
        (
            "update {order_items} set unit_price = (unit_price * (1 - 0.01 * (1 + ({day} - date '2025-10-01') % 30)))::decimal(12, 2) "
            "where extract_date = {day}",
        ),
    ),
    DataFault(
        "duplicate-keys",
        "values",
        "Some orders stand twice, the later row with an older state",
        "Two application servers write the same order; the slower one has the last word.",
        "Whoever keeps the newest row keeps the wrong one: paid orders are placed again, and earn nothing.",
        ("orders",),
        (
            "insert into {orders} select * replace ('placed' as status, updated_at + interval 1 second as updated_at) from {orders} "
            "where extract_date = {day} and status in ('paid', 'shipped') and hash({seed}, order_id) % 9 = 0",
        ),
    ),
    DataFault(
        "orphan-rows",
        "values",
        "Some lines belong to orders that do not exist",
        "A test system writes into the production export.",
        "Lines without an order: dropped by an inner join, counted by whoever sums the lines alone.",
        ("order_items",),
        (
            "update {order_items} set order_id = order_id + 900000000 where extract_date = {day} and hash({seed}, order_id) % 14 = 0",
        ),
    ),
)
"""Faults of values."""
