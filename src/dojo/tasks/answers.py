"""Reads what learners hand in, forgiving in form and strict in substance: euros, numbers, choices, YAML."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from dojo.judge.contract import NotYet


def as_euros(value: Any) -> Decimal | None:
    """An amount to the cent, from a Decimal, a float, an int or a text; None stays None. NotYet for anything else."""
    if value is None:
        return None
    try:
        return Decimal(str(value)).quantize(Decimal("0.01"))
    except InvalidOperation:
        raise NotYet("Return an amount in euros, as a number.", got=value, expected="a number", cause="type") from None


def number(value: Any, what: str) -> float:
    """A finite number. NotYet names what was expected."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value != value:
        raise NotYet(f"{what} must be a number.", expected="a number", got=value, cause="type")
    return float(value)


def one_of(value: Any, allowed: Sequence[str], key: str, meaning: str, *, cause: str) -> str:
    """A text that is one of those allowed. NotYet says what the key means."""
    if value not in allowed:
        raise NotYet(
            f"`{key}` is {meaning}.",
            expected=" or ".join(allowed),
            got=value if value is not None else "nothing",
            cause=cause,
        )
    return value


def parse_yaml(text: str, path: str) -> Any:
    """The content of a YAML file. NotYet names the line where the parser gave up."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise NotYet(
            f"`{path}` is not complete YAML: the parser gave up at {where} ({getattr(error, 'problem', error)}).",
            cause="yaml",
            look="A bracket or quote that was never closed is the usual reason.",
        ) from None
