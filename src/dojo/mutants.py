"""Small automatic faults in a right answer: a check that lets one through has been seen to be blind there."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import yaml

_COMPARE = {
    ast.Lt: ast.GtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_BINARY = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.BitOr: ast.BitAnd}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "sum": "len"}
_SQL = [
    (r"<=", "<"),
    (r">=", ">"),
    (r"<(?![=>])", ">="),
    (r"(?<![<=-])>(?!=)", "<="),
    (r"(?<![<>!=])=(?![=>])", "<>"),
    (r"<>|!=", "="),
    (r"\band\b", "or"),
    (r"\bor\b", "and"),
    (r"\bleft join\b", "join"),
    (r"\banti join\b", "semi join"),
    (r"\bexcept\b(?= *select|\s*\()", "intersect"),
    (r"(?<=using \()(\w+), ?", ""),
    (r"\bdistinct\b", ""),
    (r"\bdesc\b", "asc"),
    (r"\bsum\(", "max("),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"\bcount\(", "sum("),
    (r"\bnot\b", ""),
    (r"\bunion all\b", "union"),
    (r" \* ", " + "),
    (r" - ", " + "),
    (r"\bwhere\b", "where not"),
    (r"\bhaving\b", "having not"),
    (r"(?<=[=(,] )'[a-z]\w+'", "'other'"),
]


@dataclass(frozen=True)
class Mutant:
    """One changed answer: what was changed (with its line) and the text after it."""

    what: str
    text: str


def of_python(source: str) -> list[Mutant]:
    """Mutants of a Python cell: comparisons, arithmetic, constants, conditions, returns, statements and SQL, one at a time."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return []
    made, seen = [], {ast.unparse(tree)}
    prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in prose:
            continue
        for what, change in _changes(node):
            copy = deepcopy(tree)
            change(next(n for i, n in enumerate(ast.walk(copy)) if i == number))
            text = ast.unparse(ast.fix_missing_locations(copy))
            if text not in seen:
                seen.add(text)
                made.append(Mutant(f"line {getattr(node, 'lineno', 0)}: {what}", text))
    return made


def _changes(node: ast.AST) -> Iterator[tuple]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        new = _COMPARE[type(node.ops[0])]
        yield f"{type(node.ops[0]).__name__} → {new.__name__}", lambda n: n.ops.__setitem__(0, new())
        for at, side in enumerate(node.comparators):
            if isinstance(side, ast.Constant) and isinstance(side.value, str):
                yield f"{side.value!r} → 'other'", lambda n, at=at: setattr(n.comparators[at], "value", "other")
    elif isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        new = _BINARY[type(node.op)]
        yield f"{type(node.op).__name__} → {new.__name__}", lambda n: setattr(n, "op", new())
    elif isinstance(node, ast.BoolOp):
        new = ast.Or if isinstance(node.op, ast.And) else ast.And
        yield f"{type(node.op).__name__} → {new.__name__}", lambda n: setattr(n, "op", new())
        for at in range(len(node.values)):
            yield f"condition {at + 1} dropped", lambda n, at=at: n.values.pop(at)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not dropped", lambda n: setattr(n, "op", ast.UAdd()) or setattr(n, "operand", _truth(n.operand))
    elif isinstance(node, ast.Name) and node.id in _NAMES and isinstance(node.ctx, ast.Load):
        yield f"{node.id} → {_NAMES[node.id]}", lambda n: setattr(n, "id", _NAMES[n.id])
    elif isinstance(node, ast.Set | ast.List) and len(node.elts) > 1:
        yield "first element dropped", lambda n: n.elts.pop(0)
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield f"{node.value} → {node.value + 1}", lambda n: setattr(n, "value", n.value + 1)
    elif (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.search(r"\b(select|from)\b.+", node.value, re.I | re.S)
    ):
        for mutant in _of_sql(node.value):
            yield f"SQL {mutant.what}", lambda n, text=mutant.text: setattr(n, "value", text)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} → {not node.value}", lambda n: setattr(n, "value", not n.value)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield "returns None", lambda n: setattr(n, "value", ast.Constant(None))
    elif isinstance(node, ast.If | ast.IfExp):
        yield "condition negated", lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))
    elif isinstance(node, ast.Continue | ast.Break):
        yield "dropped", _to_pass
    elif isinstance(node, ast.AugAssign):
        yield "update dropped", _to_pass
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call dropped", _to_pass


def _truth(node: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("bool", ast.Load()), [node], [])


def _to_pass(node: ast.AST) -> None:
    node.__class__ = ast.Pass
    node.__dict__ = {k: v for k, v in node.__dict__.items() if k.startswith(("lineno", "col", "end"))}


def of_file(path: str, text: str) -> list[Mutant]:
    """Mutants of a handed-in file by its kind: SQL operators and numbers; YAML keys, items and numbers; other lines."""
    if path.endswith(".sql"):
        return _of_sql(text)
    if path.endswith((".yml", ".yaml")):
        return _of_yaml(text)
    if path.endswith(".json"):
        return [Mutant(m.what, json.dumps(yaml.safe_load(m.text))) for m in _of_yaml(text)]
    if path.endswith(".py"):
        return of_python(text)
    return []


def _of_sql(text: str) -> list[Mutant]:
    made, seen = [], {text}
    for pattern, new in [*_SQL, (r"(?<![\w.'-])\d+(?![\w.'-])", None)]:
        for match in re.finditer(pattern, text, re.I):
            line_start = text.rfind("\n", 0, match.start()) + 1
            if "--" in text[line_start : match.start()] or _inside_jinja(text, match.start()):
                continue
            put = str(int(match[0]) + 1) if new is None else new
            changed = text[: match.start()] + put + text[match.end() :]
            if changed not in seen:
                seen.add(changed)
                made.append(
                    Mutant(
                        f"line {text.count(chr(10), 0, match.start()) + 1}: {match[0].strip()} → {put or 'nothing'}",
                        changed,
                    )
                )
    return made


def _inside_jinja(text: str, at: int) -> bool:
    return max(text.rfind("{{", 0, at), text.rfind("{%", 0, at)) > max(text.rfind("}}", 0, at), text.rfind("%}", 0, at))


def _of_yaml(text: str) -> list[Mutant]:
    made = []
    content = yaml.safe_load(text)
    if isinstance(content, dict) and True in content:  # YAML 1.1 reads a workflow's `on` as a truth
        content = {"on" if key is True else key: value for key, value in content.items()}
    for where, changed in _without_one(content, ""):
        if not where.endswith((".description", ".version", ".name")):
            made.append(Mutant(f"{where}: dropped", yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)))
    for match in re.finditer(r"(?<![\w.'-])\d+(\.\d+)?(?![\w.'-])", text):
        if "version" in text[text.rfind("\n", 0, match.start()) + 1 : match.start()]:
            continue
        put = str(float(match[0]) * 2 + 1 if match[1] else int(match[0]) + 1)
        line = text.count("\n", 0, match.start()) + 1
        made.append(Mutant(f"line {line}: {match[0]} → {put}", text[: match.start()] + put + text[match.end() :]))
    return made


def _without_one(value, where: str) -> Iterator[tuple]:
    """(path, the structure without that one element) for every element of a nested YAML value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"{where}.{key}", {k: v for k, v in value.items() if k != key}
            for path, changed in _without_one(inner, f"{where}.{key}"):
                yield path, {**value, key: changed}
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield f"{where}[{number}]", value[:number] + value[number + 1 :]
            for path, changed in _without_one(inner, f"{where}[{number}]"):
                yield path, [*value[:number], changed, *value[number + 1 :]]
