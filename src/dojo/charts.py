"""Pictures in the course's one visual language, as SVG text that comes out the same on every machine."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

COLOURS = {
    "source": "#7a5195",
    "model": "#1f6f8b",
    "check": "#8a6d00",
    "promise": "#0b6e4f",
    "fault": "#b3261e",
    "objective": "#5a6472",
}
"""One colour for one kind of thing, everywhere; told apart by people who do not see red and green, 4.5:1 on white."""

STEP_COLOURS = {"ingest_orders": "source", "dbt_run": "model", "quality_check": "check", "publish": "promise"}


@dataclass(frozen=True)
class Picture:
    """An SVG picture with its alternative text; shows in a notebook, reads as its text in a terminal."""

    svg: str
    alt: str

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"

    def _repr_html_(self) -> str:
        return self.svg


def _open(width: int, height: int, alt: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="100%" style="max-width:{width}px;'
        f'background:#ffffff;font-family:sans-serif;font-size:13px" role="img" aria-label="{escape(alt)}"><title>{escape(alt)}</title>'
    )


def morning(rows: Sequence[dict], alt: str, lines: dict[str, str] | None = None, ends: str = "09:00") -> Picture:
    """One morning as a timeline: a bar an attempt, against objective and promise.

    rows: step, attempt, status, started_at, finished_at in Berlin wall time; lines: {"07:00": "SLO", …}; ends: right edge.
    """
    lines = lines or {"07:00": "objective 07:00", "08:00": "promise 08:00"}
    left, top, bar, width = 120, 26, 26, 720
    first = 5 * 60 + 15
    last = int(ends[:2]) * 60 + int(ends[3:])

    def x(minutes: float) -> float:
        return round(left + (width - left - 20) * (minutes - first) / (last - first), 1)

    steps = list(dict.fromkeys(r["step"] for r in rows))
    height = top + bar * max(1, len(steps)) + 34
    parts = [_open(width, height, alt)]
    for hour in range(6, last // 60 + 1):
        parts.append(f'<text x="{x(hour * 60)}" y="{height - 8}" text-anchor="middle" fill="#444">{hour:02d}:00</text>')
        parts.append(f'<line x1="{x(hour * 60)}" x2="{x(hour * 60)}" y1="{top - 4}" y2="{height - 24}" stroke="#e1e4e8"/>')
    for row in rows:
        y = top + bar * steps.index(row["step"])
        begun, over = _minutes(row["started_at"]), _minutes(row["finished_at"])
        failed = row["status"] == "failed"
        colour = COLOURS["fault" if failed else STEP_COLOURS.get(row["step"], "model")]
        wide = max(2.0, round(x(min(over, last)) - x(begun), 1))
        style = f'fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="4 3"' if failed else f'fill="{colour}"'
        parts.append(f'<rect x="{x(begun)}" y="{y + 4}" width="{wide}" height="{bar - 9}" rx="3" {style}/>')
    for number, step in enumerate(steps):
        y = top + bar * number + 18
        parts.append(f'<text x="{left - 8}" y="{y}" text-anchor="end" fill="#222">{escape(step)}</text>')
    for clock, label in lines.items():
        at = x(int(clock[:2]) * 60 + int(clock[3:]))
        colour = COLOURS["promise" if "08:00" in clock else "objective"]
        parts.append(f'<line x1="{at}" x2="{at}" y1="{top - 8}" y2="{height - 24}" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{at}" y="{top - 12}" text-anchor="middle" fill="{colour}">{escape(label)}</text>')
    return Picture("".join(parts) + "</svg>", alt)


def _minutes(moment: dt.datetime) -> float:
    return moment.hour * 60 + moment.minute + moment.second / 60


def _round_up(most: float) -> float:
    """The next number that reads well on an axis and has a half that does too."""
    power = 10.0 ** len(str(int(most))) / 10
    return next(step * power for step in (1, 2, 3, 4, 6, 8, 10, 20) if step * power >= most)


def bars(
    values: Sequence[tuple[str, float]], alt: str, *, unit: str = "", mark: str | None = None, line: float | None = None
) -> Picture:
    """Vertical bars with labels; the bar named `mark` and those above `line` in the colour of a fault."""
    left, top, width, height = 64, 16, 720, 240
    most = _round_up(max([v for _, v in values] + ([line] if line else [])) or 1)
    step = (width - left - 10) / max(1, len(values))
    floor = height - 40
    parts = [_open(width, height, alt)]
    for share in (0, 0.5, 1):
        y = round(floor - (floor - top) * share, 1)
        parts.append(f'<line x1="{left}" x2="{width - 10}" y1="{y}" y2="{y}" stroke="#e1e4e8"/>')
        parts.append(
            f'<text x="{left - 6}" y="{y + 4}" text-anchor="end" fill="#444">{most * share:,.0f}{escape(unit)}</text>'
        )
    every = max(1, -(-len(values) // 12))
    for number, (label, value) in enumerate(values):
        tall = round((floor - top) * value / most, 1)
        colour = COLOURS["fault" if label == mark or (line is not None and value > line) else "model"]
        at = round(left + step * number, 1)
        parts.append(
            f'<rect x="{at}" y="{round(floor - tall, 1)}" width="{round(step * 0.8, 1)}" height="{tall}" fill="{colour}"><title>{escape(label)}: {value:,.0f}{escape(unit)}</title></rect>'
        )
        if number % every == 0 or label == mark:
            parts.append(
                f'<text x="{round(at + step * 0.4, 1)}" y="{floor + 16}" text-anchor="middle" fill="#222" font-size="11">{escape(label)}</text>'
            )
    if line is not None:
        y = round(floor - (floor - top) * line / most, 1)
        parts.append(
            f'<line x1="{left}" x2="{width - 10}" y1="{y}" y2="{y}" stroke="{COLOURS["promise"]}" stroke-width="2" stroke-dasharray="6 4"/>'
        )
    return Picture("".join(parts) + "</svg>", alt)
