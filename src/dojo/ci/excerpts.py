"""What a step said, short enough for a verdict: the line that tells of a failure always stays whole."""

from __future__ import annotations

import re

from dojo.judge.engine import shortened


def within(text: str, limit: int) -> str:
    """The text as it is where it is short enough, else its first and last whole lines."""
    return text if len(text) <= limit else shortened(text, limit)


TELLS = re.compile(r"\b(error|fail(ed|ure)?|not found|no such|cannot|denied|refused|raise|exception|would reformat)\b", re.I)


def excerpt(words: str, limit: int = 600) -> str:
    """What a step said, short enough to read: the lines that tell of a failure stay whole, with what stands around them."""
    lines = [line.rstrip() for line in words.split("\n") if line.strip()]
    text = "\n".join(lines)
    if len(text) <= limit:
        return text
    telling = {n for n, line in enumerate(lines) if TELLS.search(line)}
    near = sorted({m for n in telling for m in (n, n + 1, n + 2) if m < len(lines)} | {len(lines) - 1})
    return within("\n".join(lines[n] for n in near), limit)
