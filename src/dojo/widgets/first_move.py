"""A bad morning to try: the run is green, the number is wrong; four first moves, each played to 08:00."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dojo.charts import Picture, morning
from dojo.widgets.live import State, live
from dojo.widgets.timeline import moment

FILE = Path(__file__).with_suffix(".json")
"""What ShopFlow's own pipeline made of a file that ended too early; dojo.site.bad_morning measures it."""


def first_move() -> Any:
    """Four first moves to choose from; each is played on the clock and told in rows and euros."""
    figures = json.loads(FILE.read_text("utf-8"))
    return live("first_move", _still, key="first move", figures=figures, tried=[])


def _still(state: State) -> Picture:
    from shopflow.clock import TODAY

    figures = state["figures"]
    honest, spoilt = figures["honest"], figures["spoilt"]
    rows = [
        {
            "step": step["step"],
            "attempt": 1,
            "status": "success",
            "started_at": moment(TODAY, step["begins"]),
            "finished_at": moment(TODAY, step["ends"]),
        }
        for step in figures["steps"]
    ]
    return morning(
        rows,
        f"The morning of 2 December: all green, {figures['tests']} tests passed, and {honest['lines'] - spoilt['lines']} of {honest['lines']} "
        f"order lines never arrived: the dashboard shows €{spoilt['euros']:,.2f} for Monday instead of €{honest['euros']:,.2f}",
    )
