"""The burn-rate explorer: an objective, a share of stale reads, and how long a budget of 30 days lasts."""

from __future__ import annotations

from typing import Any

from dojo.charts import COLOURS, Picture
from dojo.widgets.live import live


def burn_rate_explorer(objective: float = 99.0, stale: float = 5.0) -> Any:
    """Sliders for an objective and a share of stale reads, in percent; shows the burn rate and how long a budget lasts."""
    return live("burn_rate", _still, objective=float(objective), stale=float(stale))


def _still(state: dict[str, Any]) -> Picture:
    """What is left of a 30-day budget, hour by hour, at this burn rate."""
    objective, stale = state["objective"], state["stale"]
    rate = stale / (100 - objective)
    hours = 30 * 24 / rate if rate else float("inf")
    alt = f"At an objective of {objective:g} % and {stale:g} % stale reads the burn rate is {rate:.1f} and the budget of 30 days lasts {hours:,.0f} hours"
    end = round(60 + 620 * min(1.0, hours / 720), 1)
    y = 130 if hours <= 720 else round(130 - 100 * (1 - 720 / hours), 1)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 180" width="100%" style="max-width:720px;background:#fff;'
        f'font-family:sans-serif;font-size:13px" role="img" aria-label="{alt}"><title>{alt}</title>'
        f'<line x1="60" x2="680" y1="130" y2="130" stroke="#888"/><line x1="60" x2="60" y1="30" y2="130" stroke="#888"/>'
        f'<text x="52" y="36" text-anchor="end">100 %</text><text x="52" y="134" text-anchor="end">0 %</text>'
        f'<line x1="60" y1="30" x2="{end}" y2="{y}" stroke="{COLOURS["fault"]}" stroke-width="3"/>'
        f'<text x="60" y="150">day 0</text><text x="680" y="150" text-anchor="end">day 30</text>'
        f'<text x="60" y="172">objective {objective:g} %, stale {stale:g} %: burn rate {rate:.1f}, budget lasts {hours:,.0f} hours</text></svg>'
    )
    return Picture(svg, alt)
