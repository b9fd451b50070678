"""The reference page of all faults, generated: cause, symptom, and what each does to one day of ShopFlow."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import duckdb

from shopflow import faults, sources, truth
from shopflow.faults.base import FAMILIES, CodeFault, DataFault, Fault, PlatformFault

DAY = dt.date(2025, 11, 20)
FAMILY_NAMES = {
    "arrival": "Arrival: the file is late, doubled, short, old or out of order",
    "schema": "Schema: the columns or their meaning have changed",
    "values": "Values: rows that say what cannot be",
    "code": "Code: a change that runs and is wrong",
    "platform": "Platform: what the code cannot help",
}


def page() -> str:
    """The page as Markdown; the same on any machine."""
    parts = [
        "# The faults\n",
        "Generated from `shopflow.faults`; `make sync` writes it. Every fault has a name, a day and a seed, can be taken out again to "
        "the byte, and composes with the others.\n",
        f"The effect is measured on the extract of {DAY:%d %B %Y}, seed 7: rows touched, and by how much that day's revenue would "
        "be off if the rows were taken for good.\n",
    ]
    for family in FAMILIES:
        parts.append(f"## {FAMILY_NAMES[family]}\n")
        parts += [_entry(f) for f in faults.catalogue() if f.family == family]
    return "\n".join(parts)


def _entry(fault: Fault) -> str:
    lines = [f"### {fault.name}\n", f"**{fault.title}.** {fault.cause}\n", f"*How it shows:* {fault.symptom}\n"]
    if isinstance(fault, DataFault):
        lines.append(f"*Touches:* {', '.join(f'`{t}`' for t in fault.tables)}. *Effect:* {_effect(fault)}\n")
    elif isinstance(fault, CodeFault):
        lines.append(f"*Changes:* {', '.join(f'`{path}`' for path, _, _ in fault.patches)}.\n")
    elif isinstance(fault, PlatformFault):
        lines.append(f"*Switch:* `{', '.join(fault.switch(DAY))}` in `platform.json`.\n")
    return "\n".join(lines)


def _effect(fault: DataFault) -> str:
    clean, spoilt = _company(), _company()
    try:
        rows = fault.mutate(spoilt, DAY)
        if fault.whole:
            return "the loader stops."
        off = _revenue(spoilt) - _revenue(clean)
        euros = f"€{abs(off):,.2f} too {'much' if off > 0 else 'little'}" if off else "none in euros on that day"
        return f"{rows:,} rows; {euros}."
    finally:
        clean.close()
        spoilt.close()


def _company() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    sources.load_into(con, first_day=DAY - dt.timedelta(days=8), last_day=DAY)
    return con


def _revenue(con: duckdb.DuckDBPyConnection) -> Decimal:
    """Revenue of DAY by somebody who takes every delivered row for good: the last row of each order, all of its lines."""
    truth._views(con, {t: t for t in sources.TABLES}, DAY)
    return con.execute(
        """
        select coalesce(sum(i.quantity * i.unit_price * r.eur_per_unit), 0)::decimal(18, 2)
        from (select unnest(o) from last_orders) o
        join order_items i using (order_id)
        join exchange_rates r on r.currency = o.currency and r.rate_date = i.extract_date
        where o.status in ('paid', 'shipped') and timezone('Europe/Berlin', timezone('UTC', o.ordered_at))::date = ?
        """,
        [DAY],
    ).fetchone()[0]
