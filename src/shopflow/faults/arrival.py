"""Faults of arrival: files that come late, twice, in part, from another day, or in the wrong order."""

from __future__ import annotations

from shopflow.faults.base import DataFault

FAULTS = (
    DataFault(
        "late-file",
        "arrival",
        "The order lines of a day arrive a day later",
        "The export of one table waits for a lock and misses the nightly transfer; the others are on time.",
        "Orders of that day have no lines: nothing fails, the day's revenue is 0 until the file comes, and its load may not look back.",
        ("order_items",),
        ("delete from {order_items} where extract_date = {day}",),
    ),
    DataFault(
        "missing-day",
        "arrival",
        "All files of a day are empty",
        "A full disk at the source: the export writes headers and no rows, and reports success.",
        "The run is green. A business day has almost no orders, and their later changes refer to orders nobody has seen.",
        ("orders", "order_items", "payments"),
        (
            "delete from {orders} where extract_date = {day}",
            "delete from {order_items} where extract_date = {day}",
            "delete from {payments} where extract_date = {day}",
        ),
    ),
    DataFault(
        "duplicated-batch",
        "arrival",
        "A file holds every order line twice",
        "The transfer is retried after a time-out that was none, and appends to the file it had already written.",
        "A loader that appends doubles the day's revenue; one that upserts does not notice.",
        ("order_items",),
        ("insert into {order_items} select * from {order_items} where extract_date = {day}",),
    ),
    DataFault(
        "truncated-load",
        "arrival",
        "A file ends after six tenths of its rows",
        "The connection breaks during the transfer and the half file is taken for a whole one.",
        "The latest orders of the day have no lines; totals are plausible, a third too low.",
        ("order_items",),
        (
            "delete from {order_items} where extract_date = {day} and order_id > (select quantile_disc(order_id, 0.6) "
            "from {order_items} where extract_date = {day})",
        ),
    ),
    DataFault(
        "replayed-old-file",
        "arrival",
        "The file of last week arrives again under today's name",
        "Somebody restores a folder from backup, and the newest file in it is a week old.",
        "The day's orders are those of the week before: states go back in time, the day's own orders are missing.",
        ("orders",),
        (
            "delete from {orders} where extract_date = {day}",
            "insert into {orders} select * replace ({day} as extract_date) from {orders} where extract_date = {day} - 7",
        ),
        earlier=7,
    ),
    DataFault(
        "out-of-order-updates",
        "arrival",
        "One change in seven carries a time stamp of two days ago",
        "A worker of the shop buffers changes while its queue is down and sends them with the time of buffering.",
        "A loader with a high watermark skips them for good: those orders keep their old state.",
        ("orders",),
        (
            "update {orders} set updated_at = updated_at - interval 2 day "
            "where extract_date = {day} and hash({seed}, order_id) % 7 = 0",
        ),
    ),
)
"""Faults of arrival."""
