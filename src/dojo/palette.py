"""The course's colours: those of its pictures and verdicts as CSS variables, each with its twin for the dark; for book and widgets."""

from __future__ import annotations

import re

from dojo.charts import COLOURS
from dojo.feedback import MARKS
from dojo.judge.verdict import Outcome

PAPER = ("#ffffff", "#14181d")
"""What everything stands on, in the light and in the dark."""
DARK = {
    "source": "#c9a3dd",
    "model": "#6cc0dc",
    "check": "#e0bd4a",
    "promise": "#5fc9a0",
    "fault": "#ff9a8f",
    "objective": "#a9b4c2",
    "not-yet": "#f7a35c",
    "not-checkable": "#b9a1e3",
}
"""The twin of each colour of a thing, 4.5:1 on dark paper and told apart by people who do not see red and green."""
GREYS = {
    "paper": PAPER,
    "soft": ("#f6f8fa", "#1d232b"),
    "code": ("#eaeef2", "#2a323c"),
    "ink": ("#1f2328", "#e8ecf1"),
    "faint": ("#57606a", "#b3bcc7"),
    "edge": ("#8c959f", "#6f7985"),
    "grid": ("#e1e4e8", "#333c47"),
}
ALSO = {"#222": "ink", "#444": "faint", "#888": "edge", "#fff": "paper"}
"""Short forms that pictures use."""


def things() -> dict[str, tuple[str, str]]:
    """Each kind of thing with its colour in the light and in the dark."""
    light = {
        **COLOURS,
        "not-yet": MARKS[Outcome.NOT_YET][1],
        "not-checkable": MARKS[Outcome.NOT_CHECKABLE][1],
    }
    return {name: (colour, DARK[name]) for name, colour in light.items()}


def variables() -> dict[str, tuple[str, str]]:
    """All CSS variables: name without its prefix, value in the light, value in the dark."""
    return {**GREYS, **things()}


def css(where: str = "html", dark_where: str = 'html[data-theme="dark"]') -> str:
    """The variables as a style sheet: set on `where`, on `dark_where` for the dark, and on paper always for the light."""
    light, dark = ("".join(f"  --dojo-{name}: {pair[n]};\n" for name, pair in variables().items()) for n in (0, 1))
    return (
        f"{where} {{\n{light}}}\n{dark_where} {{\n{dark}}}\n@media print {{\n  {where}, {dark_where} {{\n{light}  }}\n}}\n"
    )


def follow_theme(markup: str) -> str:
    """HTML or SVG with its fixed colours replaced by the variables, the fixed colour kept for where there are none."""
    names = {pair[0]: name for name, pair in variables().items()} | ALSO
    return re.sub(
        r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b",
        lambda found: f"var(--dojo-{names[found[0].lower()]},{found[0]})" if found[0].lower() in names else found[0],
        markup,
    )


def contrast(first: str, second: str) -> float:
    """The contrast of two colours "#rrggbb" by WCAG 2: from 1 to 21."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
