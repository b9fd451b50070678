"""The mornings of `shopflow_daily` one by one: each attempt of each step against the objective of 07:00 and the promise of 08:00."""

from __future__ import annotations

import datetime as dt
from typing import Any

from dojo.charts import Picture, morning
from dojo.widgets.live import live

MIDNIGHT = dt.time()


def run_timeline(day: str = "2025-11-24", mornings: int = 90) -> Any:
    """A slider through the mornings up to and including 1 December 2025, in prod, as the run log has them.

    day: the morning to begin with, ISO; mornings: how many, 1 to 90. ValueError for a morning that is not among them.
    """
    found = _mornings(mornings)
    days = [m["day"] for m in found]
    if day not in days:
        raise ValueError(f"{day} is not among the {len(days)} mornings from {days[0]} to {days[-1]}.")
    return live("timeline", _still, mornings=found, at=days.index(day))


def _mornings(number: int) -> list[dict[str, Any]]:
    """Each morning: day, what it came to in words, and its attempts with start and end in minutes after midnight in Berlin."""
    from shopflow import runlog
    from shopflow.clock import LAST_DAY

    log = runlog.simulate().to_pylist()
    found = []
    for days_back in range(number - 1, -1, -1):
        day = LAST_DAY - dt.timedelta(days=days_back)
        attempts = []
        for row in (r for r in log if r["run_date"] == day):
            started, ended = (_minutes(row[k], day) if row[k] else None for k in ("started_at", "finished_at"))
            attempts.append([row["step"], row["attempt"], row["status"], started, ended])
        found.append({"day": day.isoformat(), "weekday": f"{day:%A}", "attempts": attempts, "told": _told(attempts)})
    return found


def _minutes(utc: dt.datetime, day: dt.date) -> float:
    from shopflow import runlog

    return round((runlog.to_berlin(utc) - dt.datetime.combine(day, MIDNIGHT)).total_seconds() / 60, 1)


def _told(attempts: list[list]) -> str:
    published = [a for a in attempts if a[0] == "publish" and a[2] == "success"]
    again = sum(1 for a in attempts if a[1] > 1)
    retries = f" after {again} retr{'y' if again == 1 else 'ies'}" if again else ""
    if not attempts:
        return "The run never started. Nobody was told, because nothing failed."
    if not published:
        bad = next((a for a in reversed(attempts) if a[2] == "failed"), attempts[-1])
        return f"Never published: {bad[0]} {'failed' if bad[2] == 'failed' else 'did not end'}{retries}. Finance reads yesterday."
    end = published[-1][4]
    at = f"{int(end) // 60:02}:{int(end) % 60:02}"
    if end <= 7 * 60:
        return f"Published at {at}{retries}: objective and promise kept."
    if end <= 8 * 60:
        return f"Published at {at}{retries}: the objective is missed, the promise kept."
    return f"Published at {at}{retries}: the promise is broken, finance has read yesterday's numbers at 08:00."


def _still(state: dict[str, Any]) -> Picture:
    at = state["mornings"][state["at"]]
    day = dt.date.fromisoformat(at["day"])
    rows = [
        {
            "step": step,
            "attempt": attempt,
            "status": status,
            "started_at": moment(day, start),
            "finished_at": moment(day, end),
        }
        for step, attempt, status, start, end in at["attempts"]
    ]
    return morning(rows, f"{at['weekday']} {day.day} {day:%B %Y}. {at['told']}", ends="10:00")


def moment(day: dt.date, minutes: float | None) -> dt.datetime | None:
    """A minute of a day, from midnight on, as a moment; None for none."""
    return None if minutes is None else dt.datetime.combine(day, MIDNIGHT) + dt.timedelta(minutes=minutes)
