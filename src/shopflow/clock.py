"""The company's clock: frozen, a parameter everywhere; nothing in this package reads the machine's clock."""

from __future__ import annotations

import datetime as dt

FIRST_DAY = dt.date(2025, 10, 3)
"""The first day of the standard window of 60 days."""

TODAY = dt.date(2025, 12, 2)
"""The company's today, a Tuesday; its morning run loads the extract of the day before."""

LAST_DAY = TODAY - dt.timedelta(days=1)
"""The last day of the standard window."""

HQ = "Europe/Berlin"
"""The time zone in which ShopFlow keeps its books and its promises."""


def days(first: dt.date, last: dt.date) -> list[dt.date]:
    """All days from first to last, both included; empty when last is before first."""
    return [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
