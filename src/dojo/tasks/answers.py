"""Reads what learners hand in: types, keys and elements first, in words of their own; forgiving in form, strict in substance."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import yaml

from dojo.judge.bounded import TooMuch, Twice, load_yaml
from dojo.judge.contract import NotYet

Mistake = TypeVar("Mistake")

_KINDS = {
    "NoneType": "None",
    "bool": "a truth value",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "Decimal": "a number",
    "list": "a list",
    "tuple": "a tuple",
    "set": "a set",
    "dict": "a mapping",
    "date": "a date",
    "datetime": "a date with a time",
    "time": "a time of day",
    "timedelta": "a span of time",
    "bytes": "bytes",
    "DataFrame": "a table",
    "Table": "a table",
}


def kind_of(value: Any) -> str:
    """What a value is, in a learner's words: "a text", "a list"."""
    return _KINDS.get(type(value).__name__, f"a {type(value).__name__}")


def wrong_type(what: str, wanted: str, value: Any, *, tried: str = "") -> NotYet:
    """The refusal of a value of another kind than was asked for; it quotes the value and says what it is."""
    said = f"{what} must be {wanted}; it is {kind_of(value)}."
    return NotYet(said, tried=tried, expected=wanted, got="None" if value is None else value, cause="type")


def as_euros(value: Any, what: str = "The amount", *, tried: str = "") -> Decimal | None:
    """An amount to the cent, from a number or a text that is one; None stays None. NotYet for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise wrong_type(what, "an amount in euros, as a number", value, tried=tried)
    try:
        amount = Decimal(str(value).strip())
        if not amount.is_finite() or abs(amount) > Decimal("1e15"):
            raise InvalidOperation
        return amount.quantize(Decimal("0.01"))
    except InvalidOperation:
        raise NotYet(
            f"{what} must be an amount in euros, as a number.", tried=tried, expected="a number", got=value, cause="type"
        ) from None


def number(value: Any, what: str, *, tried: str = "") -> float:
    """A finite number. NotYet names what was expected."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise wrong_type(what, "a number", value, tried=tried)
    if not math.isfinite(value):
        raise NotYet(f"{what} must be a number; it is {value}.", tried=tried, expected="a number", got=value, cause="type")
    return float(value)


def whole_number(value: Any, what: str, *, tried: str = "") -> int:
    """A whole number; 3.0 counts as one. NotYet names what was expected."""
    found = number(value, what, tried=tried)
    if found != int(found):
        raise NotYet(f"{what} must be a whole number.", tried=tried, expected="a whole number", got=value, cause="type")
    return int(found)


def truth(value: Any, what: str, *, tried: str = "") -> bool:
    """True or False. A text that says so is told apart: in YAML and JSON the quotes make the difference."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false", "yes", "no", "on", "off"):
        said = f"{what} is the text {value!r}. Write {value.strip().lower()} without quotes."
        raise NotYet(said, tried=tried, expected="true or false", got=repr(value), cause="type")
    if not isinstance(value, bool):
        raise wrong_type(what, "true or false", value, tried=tried)
    return value


def calendar_day(value: Any, what: str, *, tried: str = "") -> dt.date:
    """A calendar day, from a date, a datetime at midnight or a text in ISO form (2025-12-01). NotYet for anything else."""
    if isinstance(value, dt.datetime):
        if value.time() != dt.time(0):
            raise NotYet(f"{what} must be a day, without a time.", tried=tried, expected="a date", got=value, cause="type")
        return value.date()
    if isinstance(value, dt.date):
        return value
    if not isinstance(value, str):
        raise wrong_type(what, "a date", value, tried=tried)
    try:
        return dt.date.fromisoformat(value.strip())
    except ValueError:
        said = f"{what} must be a date; write it as 2025-12-01."
        raise NotYet(said, tried=tried, expected="a date", got=value, cause="type") from None


def moment(value: Any, what: str, zone: str, *, tried: str = "") -> dt.datetime:
    """A moment as naive wall time in a zone; one that names its own zone is converted. NotYet for anything else."""
    if not isinstance(value, dt.datetime):
        raise wrong_type(what, "a date with a time (datetime)", value, tried=tried)
    return value.astimezone(ZoneInfo(zone)).replace(tzinfo=None) if value.tzinfo else value


def clock_time(value: Any, what: str) -> dt.time:
    """A time of day, from "08:00", "8:00" or what YAML makes of 8:00 without quotes. NotYet for anything else."""
    if isinstance(value, dt.time):
        found = value
    else:
        if isinstance(value, int) and not isinstance(value, bool) and value >= 60:
            # YAML 1.1 reads 8:00 as 8 × 60, and 8:00:00 as seconds.
            minutes = value if value < 24 * 60 else value // 60
            value = f"{minutes // 60:02d}:{minutes % 60:02d}" if minutes < 24 * 60 else value
        try:
            text = str(value).strip()
            found = dt.time.fromisoformat(f"0{text}" if text[1:2] == ":" else text if ":" in text else "no time")
        except ValueError:
            said = f"{what} must be a time of day such as 08:00."
            raise NotYet(said, expected="a time of day", got="nothing" if value is None else value, cause="time") from None
    if found.tzinfo:
        raise NotYet(
            f"{what} is a wall-clock time; the zone has a key of its own.", expected="08:00", got=value, cause="time"
        )
    return found


def texts(value: Any, what: str, *, tried: str = "") -> list[str]:
    """A list, set or tuple of texts. One text with commas in it is told apart from a list."""
    if isinstance(value, str):
        said = f"{what} must be a list; {value!r} is one text."
        raise NotYet(said, tried=tried, expected="a list of texts", got=repr(value), cause="type")
    if not isinstance(value, list | tuple | set | frozenset):
        raise wrong_type(what, "a list of texts", value, tried=tried)
    for element in value:
        if not isinstance(element, str):
            said = f"{what} holds {kind_of(element)} where a text is due."
            raise NotYet(said, tried=tried, expected="texts", got=repr(element), cause="type")
    return list(value)


def rows(value: Any, what: str, columns: Sequence[str], *, tried: str = "") -> list[tuple]:
    """Rows as tuples, from a list or set of tuples or lists, or a table with those columns. NotYet when one has another shape."""
    named = f"({', '.join(columns)})"
    if type(value).__name__ in ("DataFrame", "Table"):
        frame = value.to_pandas() if type(value).__name__ == "Table" else value
        if missing := [c for c in columns if c not in frame.columns]:
            said = f"{what} has no column {', '.join(missing)}."
            raise NotYet(said, tried=tried, expected=list(columns), got=list(frame.columns), cause="grain")
        return [tuple(r) for r in frame[list(columns)].itertuples(index=False)]
    if not isinstance(value, list | set | frozenset | tuple):
        raise wrong_type(what, f"a list of {named}", value, tried=tried)
    found = [tuple(row) if isinstance(row, list | tuple) else (row,) for row in value]
    for row in found:
        if len(row) != len(columns):
            said = f"{what} holds {row[0]!r} where a {named} is due." if len(row) == 1 else f"Each entry is a {named}."
            raise NotYet(said, tried=tried, expected=f"entries {named}", got=row, cause="grain")
    return found


def diagnosis(
    known: Mapping[str, tuple[str, Mistake]], gives: Callable[[Mistake], bool], otherwise: tuple[str, str]
) -> tuple[str, str]:
    """(sentence, cause) of the known mistake that gives exactly what the answer gave, else of `otherwise`.

    known: by cause the sentence to the learner and the mistake; gives: whether that mistake explains the whole answer.
    """
    return next(((said, cause) for cause, (said, mistake) in known.items() if gives(mistake)), otherwise)


def repeated(values: Sequence[Any]) -> list[Any]:
    """Values that stand more than once, in order of their first appearance."""
    return [value for value, times in Counter(values).items() if times > 1]


def mapping(value: Any, what: str, keys: Sequence[str]) -> dict[str, Any]:
    """A mapping that has those keys. NotYet names what is missing; what it holds besides is nobody's business."""
    if not isinstance(value, dict):
        said = f"{what} must be a mapping with {_listed(keys)}; it is {kind_of(value)}."
        raise NotYet(said, expected=f"keys {_listed(keys)}", got="nothing" if value is None else value, cause="shape")
    if missing := [key for key in keys if key not in value]:
        said = f"{what} has no {_listed(missing)}."
        raise NotYet(said, expected=list(keys), got=[str(key) for key in value], cause="keys")
    return value


def _listed(keys: Sequence[str]) -> str:
    marked = [f"`{key}`" for key in keys]
    return marked[0] if len(marked) == 1 else f"{', '.join(marked[:-1])} and {marked[-1]}"


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
    """The content of a YAML file. NotYet shows the line where the parser gave up, with its own words."""
    try:
        return load_yaml(text)
    except TooMuch as error:
        raise NotYet(f"`{path}` is not read: {error}.", cause="yaml") from None
    except ValueError as error:  # a date that does not exist, for one
        raise NotYet(f"`{path}` holds a value that YAML cannot read: {error}.", cause="yaml") from None
    except Twice as error:
        said = f"`{path}` says one thing twice: in line {error.problem_mark.line + 1} {error.problem}."
        raise NotYet(said, cause="yaml", look="Of two such entries a reader keeps one, and no word tells which.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = str(getattr(error, "problem", None) or error)
        if mark is None:
            raise NotYet(f"`{path}` is not YAML: {problem}.", cause="yaml") from None
        lines = text.split("\n")
        line = lines[mark.line] if mark.line < len(lines) else "(the end of the file)"
        raise NotYet(
            f"`{path}` is not complete YAML: the parser gave up at line {mark.line + 1}, column {mark.column + 1} ({problem}).",
            got=f"line {mark.line + 1}: {line.rstrip() or '(the end of the file)'}",
            cause="yaml",
            look=_yaml_advice(problem, str(getattr(error, "context", None) or "")),
        ) from None


def _yaml_advice(problem: str, context: str) -> str:
    """What this message of the parser usually means; nothing where it may mean several things."""
    if "flow" in context or "quoted scalar" in context:
        return "A bracket or quote is open there and is not closed."
    if "'\\t'" in problem:
        return "YAML is indented with spaces; that line holds a tab."
    if "mapping values are not allowed" in problem:
        return "A colon with a space makes a key; a value that holds one needs quotes. Or the line is indented too far."
    if "block" in context and "expected" in problem:
        return "The indent of that line fits no line above it."
    return ""
