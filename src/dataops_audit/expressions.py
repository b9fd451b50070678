"""GitHub's `if:` expressions, as far as they can be known before a run: true, false, or unknown."""

from __future__ import annotations

import re
from typing import Any

_TOKEN = re.compile(r"\s*(&&|\|\||==|!=|<=|>=|[()!,<>\[\]]|'(?:[^']|'')*'|[A-Za-z_][\w.*-]*|-?\d+(?:\.\d+)?)")
UNKNOWN = object()


def truth(text: str, known: dict[str, Any] | None = None) -> bool | None:
    """Whether an expression is true, with the values of `known` put in for contexts; None where only a run can tell."""
    body = text.strip()
    whole = re.fullmatch(r"\$\{\{(.*)\}\}", body, re.DOTALL)
    if whole and "${{" not in whole[1]:
        body = whole[1]
    elif "${{" in body:
        return None
    try:
        value = _Reader(body, known or {}).read()
    except (ValueError, IndexError, RecursionError):
        return None
    return None if value is UNKNOWN else _is_true(value)


def _is_true(value: Any) -> bool:
    return value not in (False, None, 0, "")


class _Reader:
    def __init__(self, text: str, known: dict[str, Any]) -> None:
        self.tokens = []
        at, text = 0, text.strip()
        while at < len(text):
            found = _TOKEN.match(text, at)
            if not found:
                raise ValueError(text[at:])
            self.tokens.append(found[1])
            at = found.end()
        self.known = known
        self.at = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def read(self) -> Any:
        value = self.either()
        if self.peek():
            raise ValueError(self.peek())
        return value

    def either(self) -> Any:
        value = self.both()
        while self.peek() == "||":
            self.take()
            other = self.both()
            if value is UNKNOWN:
                value = other if other is not UNKNOWN and _is_true(other) else UNKNOWN
            elif not _is_true(value):
                value = other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.peek() == "&&":
            self.take()
            other = self.compared()
            if value is UNKNOWN:
                value = other if other is not UNKNOWN and not _is_true(other) else UNKNOWN
            elif _is_true(value):
                value = other
        return value

    def compared(self) -> Any:
        value = self.single()
        while self.peek() in ("==", "!=", "<", ">", "<=", ">="):
            sign, other = self.take(), self.single()
            if value is UNKNOWN or other is UNKNOWN or sign not in ("==", "!="):
                value = UNKNOWN
            else:
                same = (
                    str(value).lower() == str(other).lower()
                    if type(value) is type(other) or isinstance(value, str)
                    else value == other
                )
                value = same if sign == "==" else not same
        return value

    def single(self) -> Any:
        one = self.take()
        if one == "!":
            value = self.single()
            return UNKNOWN if value is UNKNOWN else not _is_true(value)
        if one == "(":
            value = self.either()
            self.take()
            return value
        if one[0] == "'":
            return one[1:-1].replace("''", "'")
        if re.fullmatch(r"-?\d+(\.\d+)?", one):
            return float(one)
        if self.peek() == "(":
            return self.call(one.lower())
        while self.peek() == "[":
            while self.take() != "]":
                pass
            one = ""
        return {"true": True, "false": False, "null": None}.get(one, self.known.get(one, UNKNOWN))

    def call(self, name: str) -> Any:
        self.take()
        given = []
        while self.peek() != ")":
            given.append(self.either())
            if self.peek() == ",":
                self.take()
        self.take()
        if name in ("always", "success"):
            return True
        if name in ("failure", "cancelled"):
            return False
        if UNKNOWN in given or len(given) != 2:
            return UNKNOWN
        if name == "startswith":
            return str(given[0]).lower().startswith(str(given[1]).lower())
        return str(given[1]).lower() in str(given[0]).lower() if name == "contains" else UNKNOWN
