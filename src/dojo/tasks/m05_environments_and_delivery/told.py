"""What a delivery did, in the sentences that several tasks need."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from dojo.judge.contract import NotYet


def no_error(done: dict[str, Any], tried: str) -> None:
    """NotYet where the learner's function raised."""
    if done["raised"]:
        where = f" in line {done['line']}" if done["line"] else ""
        raise NotYet(f"Your function stopped{where}.", tried=tried, expected="no error", got=done["raised"], cause="raised")


def commands(done: dict[str, Any]) -> list[str]:
    """The dbt commands of a delivery as a person would write them."""
    return [f"dbt {' '.join(c['arguments'])} --target {c['target']} ({c['warehouse']})" for c in done["calls"]]


def command(call: dict[str, Any]) -> str:
    """The dbt command of a call: build, run, test …"""
    return next(word for word in call["arguments"] if not word.startswith("-"))


def relations(state: str) -> dict[str, str]:
    """{relation: what it held} of a file's contents."""
    return {line.split()[0]: line for line in state.splitlines() if "." in line.split()[0]}


def differing(before: str, after: str) -> list[str]:
    """Relations that are not the same any more, by name."""
    old, new = relations(before), relations(after)
    if not old or not new:
        return [] if before == after else [after.splitlines()[0] if after else "the file is empty"]
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def euros(amount: Any) -> str:
    """An amount, or the text of one, as €125,854.82; as it is where it is none."""
    try:
        return f"€{Decimal(str(amount)):,.2f}"
    except InvalidOperation:
        return str(amount)
