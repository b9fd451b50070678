"""How busy ShopFlow's days are: growth, weekdays, promotions and Black Friday, in whole orders a day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

from shopflow.clock import FIRST_DAY, LAST_DAY, days

WEEKDAYS = (104, 92, 90, 94, 108, 112, 120)
"""Relative weight of Monday to Sunday."""

PROMOTIONS = (
    ("Autumn outdoor week", dt.date(2025, 10, 13), dt.date(2025, 10, 19), 130, 10),
    ("Singles' Day", dt.date(2025, 11, 11), dt.date(2025, 11, 11), 170, 15),
    ("Black Week", dt.date(2025, 11, 24), dt.date(2025, 11, 27), 150, 10),
    ("Black Friday", dt.date(2025, 11, 28), dt.date(2025, 11, 28), 450, 25),
    ("Cyber Weekend", dt.date(2025, 11, 29), dt.date(2025, 12, 1), 170, 15),
)
"""Name, first day, last day, demand in percent of an ordinary day, discount in percent."""

NEW_CUSTOMERS_PERCENT = 35
"""How many of a day's orders come from customers who are new that day, at the most."""


@dataclass(frozen=True)
class Day:
    """One day: how many orders, from which id on; how many new customers, from which id on; the discount in percent."""

    day: dt.date
    orders: int
    first_order: int
    newcomers: int
    first_newcomer: int
    discount: int


def _weight(day: dt.date) -> int:
    demand = next((p[3] for p in PROMOTIONS if p[1] <= day <= p[2]), 100)
    growth = 1000 + 4 * (day - FIRST_DAY).days
    return growth * WEEKDAYS[day.weekday()] * demand


@lru_cache(maxsize=16)
def calendar(orders: int, last: dt.date) -> dict[dt.date, Day]:
    """Every day from FIRST_DAY to `last`, when the standard window of 60 days holds `orders` orders.

    ValueError for fewer than 60 orders or a day before the company's first.
    """
    if orders < 60:
        raise ValueError(f"ShopFlow needs at least 60 orders in 60 days, one a day; {orders} were asked for.")
    if last < FIRST_DAY:
        raise ValueError(f"ShopFlow's books begin on {FIRST_DAY}; {last} is before that.")
    whole = sum(_weight(d) for d in days(FIRST_DAY, LAST_DAY))
    made, next_order, next_customer = {}, 1_000_001, first_customers(orders) + 1
    for day in days(FIRST_DAY, last):
        count = max(1, (orders * _weight(day) + whole // 2) // whole)
        newcomers = count * NEW_CUSTOMERS_PERCENT // 100
        discount = next((p[4] for p in PROMOTIONS if p[1] <= day <= p[2]), 0)
        made[day] = Day(day, count, next_order, newcomers, next_customer, discount)
        next_order += count
        next_customer += newcomers
    return made


def first_customers(orders: int) -> int:
    """How many customers ShopFlow has before its first day in these books."""
    return max(20, orders * 2 // 5)
