"""YAML with the line of everything: maps, lists and scalars that know where they stand, and no surprise of YAML 1.1."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import yaml

DEEPEST = 60
MOST_EVENTS = 400_000
MOST_ALIASES = 2_000


class BrokenYaml(ValueError):
    """Not YAML that can be read; `line` is where, counted from 1."""

    def __init__(self, what: str, line: int = 1) -> None:
        super().__init__(what)
        self.line = line


class Text(str):
    """A scalar as it was written; `line` counts from 1, `plain` is true without quotes, `block` for | and >."""

    line: int = 1
    plain: bool = True
    block: bool = False
    tag: str | None = None

    @property
    def first(self) -> int:
        """The line of the scalar's own first character: the one below the sign for | and >."""
        return self.line + 1 if self.block else self.line


class Map(dict):
    """A mapping; `line` is its first line, `at(key)` the line of a key."""

    line: int = 1
    tag: str | None = None
    _lines: dict[str, int] | None = None

    def at(self, key: str) -> int:
        """The line on which a key stands, or the map's own where it has none."""
        if self._lines is None or len(self._lines) != len(self):
            self._lines = {one: getattr(one, "line", self.line) for one in self}
        return self._lines.get(key, self.line)


class Seq(list):
    """A list; `line` is its first line."""

    line: int = 1
    tag: str | None = None


Node = Map | Seq | Text


@lru_cache(maxsize=2_000)
def load(text: str) -> list[Any]:
    """The documents of a YAML text as Map, Seq and Text. Aliases are shared, never copied, so that a bomb stays small.

    Several readers ask for the same file, so the answer is kept: it must not be changed.
    BrokenYaml where it cannot be read, is nested deeper than DEEPEST, or holds more than MOST_EVENTS parts.
    """
    documents: list[Any] = []
    stack: list[list[Any]] = []
    anchors: dict[str, Any] = {}
    events = aliases = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            events += 1
            line = event.start_mark.line + 1
            if events > MOST_EVENTS:
                raise BrokenYaml("more than this reader takes in one file", line)
            if isinstance(event, yaml.ScalarEvent):
                _put(documents, stack, _keep(anchors, event, _scalar(event, line)))
            elif isinstance(event, yaml.AliasEvent):
                aliases += 1
                if aliases > MOST_ALIASES or event.anchor not in anchors:
                    raise BrokenYaml(f"*{event.anchor} stands for nothing, or for too much", line)
                _put(documents, stack, anchors[event.anchor])
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                node: Any = Map() if isinstance(event, yaml.MappingStartEvent) else Seq()
                node.line, node.tag = line, event.tag
                stack.append([_keep(anchors, event, node), None, False])
                if len(stack) > DEEPEST:
                    raise BrokenYaml(f"nested deeper than {DEEPEST} levels", line)
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                _put(documents, stack, stack.pop()[0])
            elif isinstance(event, yaml.DocumentStartEvent):
                anchors = {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BrokenYaml(getattr(error, "problem", None) or "not YAML", mark.line + 1 if mark else 1) from error
    except (ValueError, RecursionError) as error:
        raise error if isinstance(error, BrokenYaml) else BrokenYaml("not YAML") from error
    return documents


def _keep(anchors: dict[str, Any], event: Any, node: Any) -> Any:
    if event.anchor:
        anchors[event.anchor] = node
    return node


def _scalar(event: yaml.ScalarEvent, line: int) -> Text:
    node = Text(event.value)
    node.line, node.tag = line, event.tag
    node.plain, node.block = not event.style, event.style in ("|", ">")
    return node


def _put(documents: list[Any], stack: list[list[Any]], node: Any) -> None:
    """Gives a finished node to the map or list around it."""
    if not stack:
        documents.append(node)
        return
    around, key, waiting = stack[-1]
    if isinstance(around, list):
        around.append(node)
    elif not waiting:
        stack[-1][1:] = [node if isinstance(node, str) else str(node)[:200], True]
    else:
        _set(around, key, node)
        stack[-1][1:] = [None, False]


def _set(around: Map, key: Any, node: Any) -> None:
    if key == "<<":
        for one in node if isinstance(node, list) else [node]:
            if isinstance(one, dict) and one is not around:
                for name, value in one.items():
                    around.setdefault(name, value)
        return
    around.pop(key, None)
    around[key] = node


def first(text: str) -> Any:
    """The first document that holds anything, or None."""
    return next((one for one in load(text) if one not in ("", None)), None)


def line_of(node: Any, otherwise: int = 1) -> int:
    """The line of a node."""
    return getattr(node, "line", otherwise)


def child(node: Any, *keys: str) -> Any:
    """The value below a chain of keys, or None where any is missing or is not a map."""
    for key in keys:
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def items(node: Any) -> list[Any]:
    """A list as it is, one value as a list of one, nothing as none."""
    if node is None or node == "":
        return []
    return list(node) if isinstance(node, list) else [node]


def words(node: Any) -> list[str]:
    """The texts of a scalar or of a list of scalars."""
    return [one for one in items(node) if isinstance(one, str)]


def is_true(node: Any) -> bool:
    """Whether a scalar means yes, quoted or not."""
    return isinstance(node, str) and node.strip().lower() in ("true", "yes", "on")


def is_false(node: Any) -> bool:
    """Whether a scalar means no."""
    return isinstance(node, str) and node.strip().lower() in ("false", "no", "off")


def walk(node: Any, most: int = 50_000) -> list[tuple[tuple[str, ...], Any]]:
    """Every node with the keys that lead to it (list places as []), each shared node once."""
    found: list[tuple[tuple[str, ...], Any]] = []
    todo: list[tuple[tuple[str, ...], Any]] = [((), node)]
    seen: set[int] = set()
    while todo and len(found) < most:
        path, one = todo.pop()
        found.append((path, one))
        if isinstance(one, dict | list):
            if id(one) in seen:
                continue
            seen.add(id(one))
            below = one.items() if isinstance(one, dict) else (("[]", value) for value in one)
            todo.extend([((*path, str(key)), value) for key, value in below][::-1])
    return found
