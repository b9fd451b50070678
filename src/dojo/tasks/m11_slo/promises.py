"""What several tasks of module 11 ask of a run log: which mornings kept the promise."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from shopflow import runlog

EIGHT = dt.time(8)


def on_time(
    log: pa.Table,
    window: list[dt.date],
    *,
    by: Callable[[dt.datetime, dt.date], bool] | None = None,
    check: str = "last",
    publish: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None,
    in_time: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] | None = None,
) -> dict[dt.date, bool]:
    """For each morning whether the promise was kept: a publish by 08:00 Berlin time whose last quality check had passed.

    The rest says how a wrong answer reads the log. by(finished_at in UTC, run date): what counts as in time; check: which
    quality check counts (see _passed); publish: which of a morning's publishes are looked at, else those that succeeded;
    in_time: which of those that were in time.
    """
    by = by or (lambda utc, day: runlog.to_berlin(utc) <= dt.datetime.combine(day, EIGHT))
    of_day: dict[dt.date, list[dict[str, Any]]] = {}
    for row in log.to_pylist():
        of_day.setdefault(row["run_date"], []).append(row)
    kept = {}
    for day in window:
        rows = sorted(of_day.get(day, []), key=lambda r: r["finished_at"])
        looked_at = (publish or succeeded)([r for r in rows if r["step"] == "publish"])
        early = [r for r in looked_at if by(r["finished_at"], day)]
        kept[day] = any(_passed(rows, r, check) for r in (in_time(early) if in_time else early))
    return kept


def succeeded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of steps that came to a good end."""
    return [r for r in rows if r["status"] == "success"]


def _passed(rows: list[dict[str, Any]], published: dict[str, Any], check: str) -> bool:
    """Whether the quality check that counts for a publish had passed: the "last" that ended before it began, or a misreading."""
    checks = [r for r in rows if r["step"] == "quality_check"]
    before = [r["status"] for r in checks if r["finished_at"] <= published["started_at"]]
    begun = [r["status"] for r in checks if r["started_at"] <= published["started_at"]]
    by_end = [r["status"] for r in checks if r["finished_at"] <= published["finished_at"]]
    by_begin = [
        r["status"] for r in sorted(checks, key=lambda r: r["started_at"]) if r["finished_at"] <= published["started_at"]
    ]
    return {
        "last": before[-1:] == ["success"],
        "any": "success" in [r["status"] for r in checks],
        "none": True,
        "earlier": "success" in before,
        "all": set(before) == {"success"},
        "first": before[:1] == ["success"],
        "no-failure": before[-1:] != ["failed"],
        "begun": begun[-1:] == ["success"],
        "meanwhile": by_end[-1:] == ["success"],
        "last-begun": by_begin[-1:] == ["success"],
    }[check]


def counted(count: int, what: str) -> str:
    """A number with its noun: “1 morning”, “3 mornings”."""
    return f"{count} {what}{'' if count == 1 else 's'}"
