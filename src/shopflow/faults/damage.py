"""What a fault did, in rows and in euros: the marts held against the truth."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from shopflow import truth
from shopflow.platform import Platform


@dataclass(frozen=True)
class Damage:
    """How far marts.fact_sales and marts.daily_revenue are off. euros: sum over days and stores of what each is off by."""

    rows: truth.Difference
    days: tuple[dt.date, ...]
    euros: Decimal

    @property
    def none(self) -> bool:
        """Whether there is none."""
        return self.rows.none and not self.days

    def __str__(self) -> str:
        if self.none:
            return "no damage: the marts equal the truth"
        return f"fact_sales, {self.rows}; daily_revenue off by €{self.euros:,.2f} on {len(self.days)} days"


def damage(platform: Platform, as_of: dt.date) -> Damage:
    """Compares the marts with what they should hold after the load of `as_of`, from the clean extracts."""
    rows = truth.compare(
        platform.sql("from marts.fact_sales"), truth.mart(platform, "fact_sales", as_of), truth.MARTS["fact_sales"]
    )
    con = duckdb.connect()
    try:
        con.register("actual", platform.sql("from marts.daily_revenue"))
        con.register("expected", truth.mart(platform, "daily_revenue", as_of))
        off = con.execute(
            "select business_date, sum(abs(coalesce(a.revenue_eur, 0) - coalesce(e.revenue_eur, 0))) as euros from expected e "
            "full join actual a using (business_date, store_key) group by all having euros <> 0 order by all"
        ).fetchall()
    finally:
        con.close()
    return Damage(rows, tuple(day for day, _ in off), sum((euros for _, euros in off), Decimal(0)))
