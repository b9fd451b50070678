"""A prediction before a cell runs, and what was measured after it, side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from html import escape
from typing import Any

from dojo.charts import COLOURS
from dojo.feedback import Note
from dojo.widgets.live import State, live

NUMBER = re.compile(r"[€~ ]*(?:about )?(-?\d[\d,]*(?:\.\d+)?)(?![\d:./-])")
BAR, LEFT, WIDE = 22, 84, 420


def prediction(question: str, guess: str, keep: Callable[[State], None] | None = None) -> Any:
    """A field for a guess; what is typed into it is what `keep` is told."""
    return live(
        "prediction", _asked, keep=keep, key=question, alone={"guess": ""}, question=question, guess=guess, measured=""
    )


def comparison(question: str, guess: str, measured: str) -> Any:
    """A guess ("" for none) beside what was measured, in words and, where both are numbers, as two bars."""
    return live(
        "prediction", _compared, key=question, alone={"guess": ""}, question=question, guess=guess, measured=measured
    )


def far(guess: str, measured: str) -> str:
    """How far off a guess is, in words; "" where the two cannot be compared as numbers. The JavaScript says the same."""
    said, real = number(guess), number(measured)
    if said is None or real is None:
        return ""
    if said == real:
        return "Exactly."
    if said == 0 or real == 0 or (said < 0) != (real < 0):
        return ""
    ratio = said / real
    way = "high" if ratio > 1 else "low"
    factor = math.floor(max(ratio, 1 / ratio) * 10 + 0.5) / 10
    if factor >= 2:
        return f"Too {way} by a factor of {factor:g}."
    percent = math.floor(abs(ratio - 1) * 100 + 0.5)
    return f"Too {way} by {percent} %." if percent else "Less than 1 % off."


def number(text: str) -> float | None:
    """The number a text begins with; None where it begins with none, or with a date or a time of day."""
    found = NUMBER.match(text)
    return float(found[1].replace(",", "")) if found else None


def _asked(state: State) -> Note:
    return Note(f"Your prediction, {state['question']}: {state['guess']}. Now run on.")


def _compared(state: State) -> Note:
    question, guess, measured = state["question"], state["guess"], state["measured"]
    if not guess:
        return Note(f"{question}: you made no prediction; measured: {measured}.")
    text = f"{question}: you said {guess}; measured: {measured}. {far(guess, measured)}".strip()
    return Note(text, f"<p>{escape(text)}</p>{_bars(guess, measured)}")


def _bars(guess: str, measured: str) -> str:
    said, real = number(guess), number(measured)
    if said is None or real is None or said < 0 or real < 0:
        return ""
    most = max(said, real) or 1
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDE + 8} {2 * BAR + 4}" width="100%" aria-hidden="true" style="max-width:36em;font-family:sans-serif;font-size:13px">'
    ]
    for row, (label, value, kind) in enumerate((("you said", said, "objective"), ("measured", real, "model"))):
        wide = round(max(2.0, value / most * WIDE), 1)
        parts.append(f'<text x="{LEFT - 8}" y="{row * BAR + 15}" text-anchor="end" fill="#57606a">{label}</text>')
        parts.append(f'<rect x="{LEFT}" y="{row * BAR + 4}" width="{wide}" height="{BAR - 8}" fill="{COLOURS[kind]}"/>')
    return "".join(parts) + "</svg>"
