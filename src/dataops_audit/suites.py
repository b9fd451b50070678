"""Tests outside dbt: pytest and unittest by their syntax tree, expectations, Soda checks; and those that check nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection

from dataops_audit import pythonruns, yamllines
from dataops_audit.findings import Seen
from dataops_audit.pythonruns import constant, dotted
from dataops_audit.tree import Tree
from dataops_audit.yamllines import items, line_of

_ASSERTING = re.compile(
    r"^(assert|expect|raises|warns|fail|check|verify|validate|should|approx|snapshot|match)", re.IGNORECASE
)
_SCHEMA_LIBRARIES = ("pandera", "great_expectations", "soda", "pydeequ", "dataframely", "patito", "cuallee")


def read(tree: Tree, seen: Seen) -> None:
    """Every test file and every file of expectations."""
    sources = tree.ending(".py")
    tests = [path for path in sources if re.match(r"(test_.*|.*_test|tests)\.py$", path.rsplit("/", 1)[-1])]
    for path in tree.within_budget(tests, "tests"):
        if text := tree.text(path):
            _tests(seen, path, text)
    for path in sorted({*sources} - {*tests}):
        text = tree.text(path) or ""
        if any(library in text for library in _SCHEMA_LIBRARIES):
            _schemas(seen, path, text)
    if other := tree.ending(".test.ts", ".test.js", ".spec.ts", ".bats", "_test.go", "test.java", "spec.scala", "test.r"):
        seen.add("tests.code", other[0], 1, f"{len(other)} files of tests", "likely")
    for path in tree.ending(".json"):
        if "expectation" in path:
            _expectations(tree, seen, path)
    for path in tree.ending(".yml", ".yaml"):
        if re.search(r"^checks for |^\s*type:\s*(scan|contract)", tree.text(path) or "", re.MULTILINE):
            _soda(tree, seen, path)


def _tests(seen: Seen, path: str, text: str) -> None:
    tree = pythonruns.parsed(text)
    if tree is None:
        return
    bodies = [*tree.body, *(inner for node in tree.body if isinstance(node, ast.ClassDef) for inner in node.body)]
    functions = [
        node for node in bodies if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    ]
    if not functions:
        commented = [line for line, row in enumerate(text.split("\n"), 1) if re.match(r"\s*#\s*(async )?def test", row)]
        if commented:
            seen.add(
                "tests.commented-out",
                path,
                commented[0],
                f"{len(commented)} tests are commented out, and no other is in the file",
            )
        return
    whole = _module_skip(tree)
    if whole:
        seen.add("tests.skipped", path, whole, f"All {len(functions)} tests of the file are always skipped")
        return
    others = [f for f in bodies if isinstance(f, ast.FunctionDef) and f not in functions]
    asserting = {other.name for other in others if _asserts(list(ast.walk(other)))}
    live = []
    all_skipped = all(any(_skips(one) for one in function.decorator_list) for function in functions)
    for function in functions:
        skip = next((one for one in function.decorator_list if _skips(one)), None)
        if skip is not None:
            seen.add(
                "tests.skipped",
                path,
                skip.lineno,
                f"{function.name} is always skipped",
                "certain" if all_skipped else "possible",
            )
        elif not _asserts(inside := list(ast.walk(function)), asserting):
            seen.add("tests.no-assertion", path, function.lineno, f"{function.name} asserts nothing", "likely")
        elif _only_true(inside):
            seen.add("tests.no-assertion", path, function.lineno, f"{function.name} asserts nothing but True", "likely")
        elif why := _hollow(inside):
            seen.add("tests.toothless", path, function.lineno, f"{function.name} can never fail: {why}")
        else:
            live.append(function)
    if live:
        seen.add("tests.code", path, live[0].lineno, f"{len(live)} tests of the code")
        if re.search(r"\bDagBag\b|import_errors|dag\.test\(|validate_definitions|materialize\(", text):
            seen.add("run.tests", path, live[0].lineno, "The workflow itself is tested", "likely")


def _skips(decorator: ast.expr) -> bool:
    name = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return name in ("pytest.mark.skip", "unittest.skip", "mark.skip", "skip") or (
        name == "pytest.mark.skipif"
        and isinstance(decorator, ast.Call)
        and bool(decorator.args)
        and constant(decorator.args[0]) is True
    )


def _module_skip(tree: ast.Module) -> int:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(dotted(target) == "pytestmark" for target in node.targets):
            marks = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            if any(_skips(mark) for mark in marks):
                return node.lineno
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and dotted(node.value.func) in ("pytest.skip", "skip")
        ):
            return node.lineno
    return 0


def _asserts(inside: list[ast.AST], asserting: Collection[str] = ()) -> bool:
    """Whether something in there can fail a test: an assertion, or a call of one of the file's own asserting functions."""
    for node in inside:
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            last = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
            if last in asserting or _ASSERTING.match(last.lstrip("_")) or "assert" in last.lower():
                return True
    return False


def _hollow(inside: list[ast.AST]) -> str | None:
    asserts = [node for node in inside if isinstance(node, ast.Assert)]
    if not asserts:
        return None
    suspicious = all(_always_true(node.test) for node in asserts)
    if suspicious and not any(
        isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _fails_itself(node)) for node in inside
    ):
        return "every assertion is always true"
    for node in inside:
        if not isinstance(node, ast.Try):
            continue
        guarded = {id(one) for body in node.body for one in ast.walk(body)}
        if not all(id(one) in guarded for one in asserts):
            continue
        for handler in node.handlers:
            broad = handler.type is None or dotted(handler.type) in ("Exception", "AssertionError", "BaseException")
            if broad and not any(
                isinstance(one, ast.Raise | ast.Assert) or (isinstance(one, ast.Call) and dotted(one.func).endswith("fail"))
                for one in ast.walk(handler)
            ):
                return "its except swallows the assertion"
    return None


def _only_true(inside: list[ast.AST]) -> bool:
    """Work is done, and then `assert True`: it fails when the work crashes, like a test without an assertion."""
    asserts = [node.test for node in inside if isinstance(node, ast.Assert)]
    works = any(isinstance(node, ast.Call) for node in inside)
    return (
        works
        and bool(asserts)
        and all(isinstance(test, ast.Constant) and test.value is True for test in asserts)
        and not any(isinstance(node, ast.Raise) for node in inside)
    )


def _fails_itself(node: ast.Call) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)
    return "assert" in name.lower() or name.startswith(("raises", "fail", "check", "verify"))


def _always_true(test: ast.expr) -> bool:
    if isinstance(test, ast.Constant):
        return bool(test.value)
    if isinstance(test, ast.Tuple):
        return bool(test.elts)
    return isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) and any(_always_true(one) for one in test.values)


def _schemas(seen: Seen, path: str, text: str) -> None:
    tree = pythonruns.parsed(text)
    for node in ast.walk(tree) if tree else ():
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        library = next((one for name in names for one in _SCHEMA_LIBRARIES if name.split(".")[0] == one), None)
        if library:
            seen.add("tests.framework", path, node.lineno, f"Data is checked with {library}", "likely")
            return


def _expectations(tree: Tree, seen: Seen, path: str) -> None:
    try:
        suite = json.loads(tree.text(path) or "")
        found = suite.get("expectations") if isinstance(suite, dict) else None
    except (ValueError, RecursionError):
        return
    if not isinstance(found, list) or not found:
        return
    line = next((number for number, row in enumerate(tree.lines(path), 1) if '"mostly"' in row), 1)
    zero = [
        one
        for one in found
        if isinstance(one, dict) and isinstance(one.get("kwargs"), dict) and one["kwargs"].get("mostly") == 0
    ]
    if zero:
        seen.add("tests.toothless", path, line, f"{len(zero)} expectations hold for any data: mostly is 0")
    if len(zero) < len(found):
        seen.add("tests.framework", path, 1, f"{len(found)} expectations")


def _soda(tree: Tree, seen: Seen, path: str) -> None:
    try:
        root = yamllines.first(tree.text(path) or "")
    except yamllines.BrokenYaml:
        return
    for key, node in root.items() if isinstance(root, dict) else []:
        if str(key).startswith("checks for ") and items(node):
            seen.add("tests.framework", path, line_of(node), f"{len(items(node))} {key}")
