"""Readers with bounds: a few lines of a stranger's text must not become gigabytes, hours, or a structure without end."""

from __future__ import annotations

from typing import Any

import yaml

MAX_TEXT = 256 << 10
MAX_NODES = 20_000
MAX_DEPTH = 60
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TooMuch(ValueError):
    """The text is beyond a bound; the message says which."""


class Twice(yaml.constructor.ConstructorError):
    """A key stands twice in one mapping; YAML forbids it, and PyYAML would keep the last without a word."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: dict[Any, Any] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                before = seen.setdefault((key.tag, key.value), key)
                if before is not key:
                    said = f"the key `{key.value[:100]}` stands in line {before.start_mark.line + 1} already"
                    raise Twice(None, None, said, key.start_mark)
        return super().construct_mapping(node, deep=deep)


def load_yaml(text: str) -> Any:
    """The content of a YAML text. TooMuch beyond a bound, yaml.YAMLError and ValueError where it is none.

    Twice, which is a YAMLError, where a mapping has a key twice.
    """
    if len(text) > MAX_TEXT:
        raise TooMuch(f"it has {len(text):,} signs; at most {MAX_TEXT:,} are read")
    _measure(text)
    return yaml.load(text, Loader=_Loader)


def _measure(text: str) -> None:
    """TooMuch where the values, counted as often as they are repeated, are too many, too deep, or contain themselves."""
    anchors: dict[str, int] = {}
    open_ones: list[tuple[str | None, int]] = []  # (anchor, values before it) of each list and mapping that is open
    nodes = 0
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.AliasEvent):
                if any(anchor == event.anchor for anchor, _ in open_ones):
                    raise TooMuch(f"`*{event.anchor}` stands inside of `&{event.anchor}`: that has no end")
                nodes += anchors.get(event.anchor, 1)
            elif isinstance(event, yaml.ScalarEvent):
                nodes += 1
                if event.anchor:
                    anchors[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                open_ones.append((event.anchor, nodes))
                nodes += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, before = open_ones.pop()
                if anchor:
                    anchors[anchor] = nodes - before
            if nodes > MAX_NODES:
                raise TooMuch(f"it holds more than {MAX_NODES:,} values, those that `*` repeats counted")
            if len(open_ones) > MAX_DEPTH:
                raise TooMuch(f"it is nested deeper than {MAX_DEPTH} levels")
    except yaml.YAMLError:
        return  # the reader that follows says so in words that name the place
