"""Faults of code: a change to the repository that runs, passes a glance at the diff, and is wrong."""

from __future__ import annotations

from shopflow.faults.base import CodeFault

FACTS = "dbt/models/marts/fact_sales.sql"
ITEMS = "    inner join {{ ref('stg_order_items') }} as items on orders.order_id = items.order_id\n"

FAULTS = (
    CodeFault(
        "join-fan-out",
        "code",
        "fact_sales joins payments",
        "Somebody needs the payment method in the facts and adds a join; an order can have two payments.",
        "Lines of orders with a declined first payment stand twice.",
        (
            (
                FACTS,
                ITEMS,
                ITEMS + "    left join {{ ref('stg_payments') }} as payments on orders.order_id = payments.order_id\n",
            ),
        ),
    ),
    CodeFault(
        "lost-filter",
        "code",
        "Every order earns, whatever became of it",
        "A clean-up removes a case that “only guards against old data”.",
        "Cancelled, returned and unpaid orders count as revenue in the facts.",
        ((FACTS, "case when lines.order_status in ('paid', 'shipped') then lines.amount else 0 end", "lines.amount"),),
    ),
    CodeFault(
        "watermark-skips",
        "code",
        "The loader skips changes of the night",
        "To be safe against late rows somebody moves the watermark six hours, in the wrong direction.",
        "Changes within six hours of the last load never arrive.",
        (
            (
                "ingestion/load.py",
                "updated_at <= (select max(updated_at) from raw.orders)",
                "updated_at <= (select max(updated_at) + interval 6 hour from raw.orders)",
            ),
        ),
    ),
    CodeFault(
        "insert-not-idempotent",
        "code",
        "The loader inserts without making room",
        "A delete is slow, and on a good day there is nothing to delete.",
        "Every change of an order is a second row, and a second run of a morning doubles its lines.",
        (
            (
                "ingestion/load.py",
                '    con.execute(f"delete from raw.{table} as held using incoming as new where {same}")\n',
                "    # No delete: it is slow, and the keys are new.\n",
            ),
        ),
    ),
    CodeFault(
        "swallowed-cast",
        "code",
        "Prices that do not fit become 0",
        "A cast fails on one odd row; somebody makes it try_cast with a default, and the type is too narrow.",
        "Everything that costs 100.00 or more is free.",
        (
            (
                "dbt/models/staging/stg_order_items.sql",
                "    unit_price\n",
                "    coalesce(try_cast(unit_price as decimal(4, 2)), 0)::decimal(12, 2) as unit_price\n",
            ),
        ),
    ),
    CodeFault(
        "stale-dimension",
        "code",
        "The morning run leaves the snapshot out",
        "The snapshot was slow one morning and was taken out of the run, until Monday.",
        "Customers who moved keep their old address in new orders; new customers have no key.",
        (
            (
                "pipeline/shopflow_daily.py",
                '["build", "--exclude-resource-type", "test",',
                '["build", "--exclude-resource-type", "snapshot", "--exclude-resource-type", "test",',
            ),
        ),
    ),
)
"""Faults of code."""
