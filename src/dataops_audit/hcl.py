"""HCL with the line of everything: blocks, attributes and the values in them; comments are kept apart from code."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

DEEPEST = 80


class BrokenHcl(ValueError):
    """Not HCL that can be read; `line` is where."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"{what} on line {line}")
        self.line = line


@dataclass
class Attribute:
    """A name and its value: str, float, bool, None, list, Object, Call, or Raw for anything computed."""

    name: str
    value: Any
    line: int


@dataclass(eq=False)
class Object:
    """A `{ key = value }` value."""

    items: list[Attribute] = field(default_factory=list)
    line: int = 1


@dataclass(eq=False)
class Call:
    """A function call such as jsonencode({…})."""

    name: str
    arguments: list[Any]
    line: int = 1


@dataclass(eq=False)
class Raw:
    """An expression that only a run can compute: its text and the values found in it."""

    text: str
    parts: list[Any] = field(default_factory=list)
    line: int = 1


@dataclass
class Block:
    """A block: type, labels, attributes and blocks in it, first and last line, and the comments between them."""

    type: str
    labels: list[str]
    line: int
    attributes: dict[str, Attribute] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)
    last: int = 0

    def value(self, name: str) -> Any:
        """An attribute's value, or None."""
        return self.attributes[name].value if name in self.attributes else None

    def at(self, name: str) -> int:
        """The line of an attribute or of a block in this one, or the block's own."""
        if name in self.attributes:
            return self.attributes[name].line
        return next((one.line for one in self.all(name)), self.line)

    def all(self, kind: str) -> list[Block]:
        """The blocks of a type directly in this one; `dynamic` ones by their content."""
        found = []
        for one in self.blocks:
            if one.type == kind:
                found.append(one)
            elif one.type == "dynamic" and one.labels[:1] == [kind]:
                found += [inner for inner in one.blocks if inner.type == "content"]
        return found


_TOKEN = re.compile(
    r"(?P<space>[ \t\r]+)|(?P<comment>#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<newline>\n)|"
    r"(?P<heredoc><<-?[A-Za-z_][\w-]*[^\n]*\n)|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<quote>\")|(?P<sign>=>|==|!=|<=|>=|&&|\|\||"
    r"\.\.\.|[{}\[\]().,:?=<>!+*/%&|~^-])",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def _tokens(text: str) -> tuple[list[_Token], list[tuple[int, str]]]:
    found, comments, at, line = [], [], 0, 1
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BrokenHcl(f"{text[at]!r} is not HCL", line)
        kind, piece, start = match.lastgroup, match[0], line
        at = match.end()
        line += piece.count("\n")
        if kind == "comment":
            comments += [(start + place, row) for place, row in enumerate(piece.split("\n"))]
        elif kind == "newline":
            found.append(_Token("newline", "\n", start))
        elif kind == "quote":
            at = _string_end(text, at, start)
            found.append(_Token("string", text[match.end() : at - 1], start))
            line += text.count("\n", match.end(), at)
        elif kind == "heredoc":
            name = re.match(r"<<-?([A-Za-z_][\w-]*)", piece)[1]
            end = re.compile(rf"^[ \t]*{re.escape(name)}[ \t]*$", re.MULTILINE).search(text, at)
            if end is None:
                raise BrokenHcl(f"the heredoc {name} never ends", start)
            found.append(_Token("heredoc", text[at : end.start()], start + 1))
            line += text.count("\n", at, end.end())
            at = end.end()
        elif kind != "space":
            found.append(_Token(kind or "sign", piece, start))
    return found, comments


def _string_end(text: str, at: int, line: int) -> int:
    """The place behind the quote that ends a string; quotes inside ${…} belong to the template."""
    depth = 0
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            at += 2
            continue
        if text.startswith(("${", "%{"), at):
            depth += 1
            at += 2
            continue
        if depth and sign == "{":
            depth += 1
        elif depth and sign == "}":
            depth -= 1
        elif sign == '"':
            if not depth:
                return at + 1
            at = _string_end(text, at + 1, line)
            continue
        elif sign == "\n" and not depth:
            break
        at += 1
    raise BrokenHcl("a string never ends", line)


class _Reader:
    def __init__(self, found: list[_Token]) -> None:
        self.found = found
        self.at = 0
        self.depth = 0

    def peek(self) -> _Token:
        return (
            self.found[self.at] if self.at < len(self.found) else _Token("end", "", self.found[-1].line if self.found else 1)
        )

    def take(self) -> _Token:
        token = self.peek()
        self.at += 1
        return token

    def is_sign(self, *texts: str) -> bool:
        return self.peek().kind == "sign" and self.peek().text in texts

    def expect(self, text: str) -> _Token:
        if not self.is_sign(text):
            raise BrokenHcl(f"{text} was expected, {self.peek().text or 'the end'!r} stands there", self.peek().line)
        return self.take()

    def skip_lines(self) -> None:
        while self.peek().kind == "newline":
            self.at += 1

    def body(self, block: Block, closing: bool) -> Block:
        self.depth += 1
        if self.depth > DEEPEST:
            raise BrokenHcl("nested too deep", self.peek().line)
        while True:
            self.skip_lines()
            token = self.take()
            if (token.kind == "end" and not closing) or (closing and token == _Token("sign", "}", token.line)):
                block.last = token.line
                self.depth -= 1
                return block
            if token.kind not in ("name", "string"):
                raise BrokenHcl(f"{token.text or 'the end'!r} where a name was expected", token.line)
            if self.is_sign("="):
                self.take()
                block.attributes[token.text] = Attribute(token.text, self.value(), token.line)
            else:
                labels = []
                while self.peek().kind in ("name", "string"):
                    labels.append(self.take().text)
                self.expect("{")
                block.blocks.append(self.body(Block(token.text, labels, token.line), True))

    def value(self, multiline: bool = False) -> Any:
        """A value up to the end of its line, or, inside brackets, up to a comma or the closing sign."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise BrokenHcl("nested too deep", self.peek().line)
        self.skip_lines()
        start = self.at
        first = self.primary()
        parts = [first]
        while True:
            if multiline:
                place = self.at
                self.skip_lines()
                if not self.is_sign("?", ":", "&&", "||", "==", "!=", "+", "-", "*", "/", ".", "["):
                    self.at = place
            token = self.peek()
            if token.kind in ("newline", "end") or (token.kind == "sign" and token.text in (",", "}", "]", ")", "=", "=>")):
                break
            if multiline and token.text == ":" and len(parts) == 1:
                break
            parts.append(self.primary() if token.kind != "sign" or token.text in "[{(" else self.operator())
        self.depth -= 1
        if len(parts) == 1:
            return first
        text = " ".join(token.text for token in self.found[start : self.at] if token.kind != "newline")
        return Raw(
            re.sub(r"\s*([.\[\]])\s*", r"\1", text), [one for one in parts if one is not None], self.found[start].line
        )

    def operator(self) -> None:
        self.take()
        if self.found[self.at - 1].text in ("?", ":", "&&", "||", "==", "!=", "+", "-", "*", "/", "<", ">", "<=", ">="):
            self.skip_lines()

    def primary(self) -> Any:
        token = self.take()
        if token.kind in ("string", "heredoc"):
            return _Located.make(token.text, token.line)
        if token.kind == "number":
            return float(token.text)
        if token.kind == "sign" and token.text == "[":
            return self.many("]")
        if token.kind == "sign" and token.text == "{":
            return self.object(token.line)
        if token.kind == "sign" and token.text == "(":
            inner = self.many(")")
            return inner[0] if len(inner) == 1 else inner
        if token.kind == "name":
            if token.text in ("true", "false", "null"):
                return (
                    {"true": True, "false": False, "null": None}[token.text]
                    if token.text != "null"
                    else Raw("null", [], token.line)
                )
            if self.is_sign("("):
                self.take()
                return Call(token.text, self.many(")"), token.line)
            text = token.text
            while self.is_sign("."):
                self.take()
                text += "." + self.take().text
            return Raw(text, [], token.line)
        if token.kind == "sign" and token.text == "*" and self.is_sign("]"):
            return Raw("*", [], token.line)
        if token.kind == "sign" and token.text in ("!", "-", "*"):
            inner = self.primary()
            return -inner if token.text == "-" and isinstance(inner, float) else Raw(token.text, [inner], token.line)
        raise BrokenHcl(f"{token.text or 'the end'!r} where a value was expected", token.line)

    def many(self, closing: str) -> list[Any]:
        found = []
        while True:
            self.skip_lines()
            if self.is_sign(closing):
                self.take()
                return found
            if self.is_sign(",", "...", "=>", ":", "="):
                self.take()
                continue
            if self.peek().kind == "end":
                raise BrokenHcl(f"{closing} is missing", self.peek().line)
            found.append(self.value(multiline=True))

    def object(self, line: int) -> Object:
        made = Object(line=line)
        while True:
            self.skip_lines()
            if self.is_sign("}"):
                self.take()
                return made
            if self.is_sign(","):
                self.take()
                continue
            if self.peek().kind == "end":
                raise BrokenHcl("} is missing", self.peek().line)
            key_line = self.peek().line
            key = self.value(multiline=True)
            self.skip_lines()
            if self.is_sign("=", ":", "=>"):
                self.take()
                made.items.append(Attribute(_key(key), self.value(multiline=True), key_line))
            else:
                made.items.append(Attribute("", key, key_line))


class _Located(str):
    """A string that knows its line."""

    line: int = 1

    @classmethod
    def make(cls, text: str, line: int) -> _Located:
        made = cls(text)
        made.line = line
        return made


def _key(value: Any) -> str:
    return value.text if isinstance(value, Raw) else str(value)


def parse(text: str) -> tuple[Block, list[tuple[int, str]]]:
    """The file as one block, and its comments with their lines. BrokenHcl where it cannot be read."""
    found, comments = _tokens(text)
    try:
        return _Reader(found).body(Block("", [], 1), False), comments
    except RecursionError as error:
        raise BrokenHcl("nested too deep", 1) from error


def texts(value: Any, local: dict[str, Any], depth: int = 0) -> list[str]:
    """The texts of a value: lists unpacked, local.x and var.x replaced by their literal, the computed as (computed)."""
    if isinstance(value, str):
        inner = re.fullmatch(r"\$\{\s*((?:local|var)\.[\w-]+)\s*\}", value)
        return texts(Raw(inner[1]), local, depth) if inner and depth < 5 else [str(value)]
    if isinstance(value, list):
        return [text for one in value for text in texts(one, local, depth)]
    if isinstance(value, Raw):
        if value.text in local and depth < 5:
            return texts(local[value.text], local, depth + 1)
        return (
            ["(computed)"]
            if not value.parts or "." in value.text.split(" ")[0]
            else ["(computed)", *[text for one in value.parts for text in texts(one, local, depth) if text == "*"]]
        )
    if isinstance(value, Call):
        if value.name in ("concat", "compact", "distinct", "flatten", "toset", "tolist", "coalescelist"):
            return [text for one in value.arguments for text in texts(one, local, depth)]
        return ["(computed)"]
    return [] if value is None else [str(value)]
