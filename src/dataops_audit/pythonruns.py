"""Python scripts that run other programs: what they run, and whether a failure of it fails the script."""

from __future__ import annotations

import ast
import shlex
import warnings
from functools import cached_property

from dataops_audit import shell

_CHECKED = frozenset(("check_call", "check_output"))
_UNCHECKED = frozenset(("run", "call", "Popen", "system", "getoutput", "getstatusoutput"))


def parsed(text: str) -> ast.Module | None:
    """The syntax tree of a Python text, or None where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def dotted(node: ast.AST) -> str:
    """`a.b.c` for an attribute chain or a name, else an empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((one.value for one in call.keywords if one.arg == name), None)


def constant(node: ast.AST | None) -> object:
    """A constant's value, else None."""
    return node.value if isinstance(node, ast.Constant) else None


class _Script:
    """The syntax tree of a script with what is asked of it for each of its commands, found once."""

    def __init__(self, tree: ast.Module) -> None:
        self.nodes = list(ast.walk(tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def assigned(self) -> dict[str, list[ast.expr]]:
        """The values that each name is given."""
        found: dict[str, list[ast.expr]] = {}
        for one in self.nodes:
            for target in one.targets if isinstance(one, ast.Assign) else ():
                found.setdefault(dotted(target), []).append(one.value)
        return found

    @cached_property
    def imports_dbt(self) -> bool:
        """Whether `invoke` may be that of dbt's runner."""
        return any(isinstance(one, ast.ImportFrom) and "dbt" in (one.module or "") for one in self.nodes)

    @cached_property
    def deciding(self) -> set[str]:
        """Names that are used in an exit, an assertion, a return, or a condition that leaves."""
        return {
            one.id
            for node in self.nodes
            if (tested := _tested(node)) is not None
            for one in ast.walk(tested)
            if isinstance(one, ast.Name)
        }


def runs(text: str) -> list[shell.Run]:
    """The commands of a script (subprocess, os.system, pytest.main, dbtRunner), each with its mask."""
    tree = parsed(text)
    if tree is None:
        return []
    script = _Script(tree)
    found: list[shell.Run] = []
    for node in script.nodes:
        if not isinstance(node, ast.Call):
            continue
        name = dotted(node.func)
        last = name.rsplit(".", 1)[-1] or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        words, checked = _command(node, name, last, script)
        if not words:
            continue
        mask = None if checked else _unasked(node, script, last)
        mask = mask or _swallowed(node, script.parents)
        found.append(shell.Run(words, node.lineno, mask, "likely" if mask else "certain"))
    return sorted(found, key=lambda run: run.line)


def _command(node: ast.Call, name: str, last: str, script: _Script) -> tuple[list[str], bool]:
    if name == "pytest.main":
        return ["pytest", *_words(node.args[0] if node.args else None, script)], False
    if last == "invoke" and node.args:
        words = _words(node.args[0], script)
        return (["dbt", *words], False) if words and script.imports_dbt else ([], False)
    if last in _CHECKED or (last in _UNCHECKED and name.split(".")[0] in ("subprocess", "os", "sp", last)):
        words = _words(node.args[0] if node.args else keyword(node, "args"), script)
        return words, last in _CHECKED or constant(keyword(node, "check")) is True
    return [], False


def _words(node: ast.AST | None, script: _Script) -> list[str]:
    if isinstance(node, ast.Name):
        assigned = script.assigned.get(node.id, [])
        node = assigned[0] if len(assigned) == 1 else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
        node = node.func.value
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return shlex.split(node.value)
        except ValueError:
            return node.value.split()
    if isinstance(node, ast.List | ast.Tuple):
        return [
            str(one.value) if isinstance(one, ast.Constant) else "python" if dotted(one) == "sys.executable" else "$_"
            for one in node.elts
        ]
    return []


def _unasked(node: ast.Call, script: _Script, last: str) -> str | None:
    """Why the status of a call is never asked, or None where it is."""
    reason = f"{last}() returns the status and nothing asks for it"
    above = script.parents.get(node)
    while isinstance(
        above, ast.Attribute | ast.Call | ast.Compare | ast.UnaryOp | ast.BoolOp | ast.BinOp | ast.NamedExpr | ast.IfExp
    ):
        if isinstance(above, ast.Call) and dotted(above.func) in (
            "sys.exit",
            "exit",
            "SystemExit",
            "quit",
            "raise_for_status",
        ):
            return None
        if isinstance(above, ast.Attribute) and above.attr == "check_returncode":
            return None
        above = script.parents.get(above)
    if isinstance(above, ast.Return | ast.Assert | ast.Raise | ast.Yield):
        return None
    if isinstance(above, ast.If):
        return None if _leaves(above) else reason
    if isinstance(above, ast.Assign | ast.AnnAssign):
        targets = above.targets if isinstance(above, ast.Assign) else [above.target]
        names = {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
        return None if names & script.deciding else reason
    if isinstance(above, ast.AugAssign):
        return None if dotted(above.target) in script.deciding else reason
    return reason


def _leaves(node: ast.AST) -> bool:
    for one in ast.walk(node):
        if isinstance(one, ast.Raise | ast.Return | ast.Assert):
            return True
        if isinstance(one, ast.Call) and dotted(one.func) in ("sys.exit", "exit", "quit", "os._exit", "SystemExit"):
            return not (one.args and constant(one.args[0]) == 0)
    return False


def _tested(node: ast.AST) -> ast.AST | None:
    """What a node asks before it ends the script or fails it."""
    if isinstance(node, ast.If):
        return node.test if _leaves(node) else None
    if isinstance(node, ast.Assert):
        return node.test
    if isinstance(node, ast.Return | ast.Raise):
        return node
    if isinstance(node, ast.Call) and (
        dotted(node.func) in ("sys.exit", "exit", "SystemExit")
        or (isinstance(node.func, ast.Attribute) and node.func.attr == "check_returncode")
    ):
        return node
    return None


def _swallowed(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> str | None:
    """Whether an `except` around the call ends well."""
    below, above = node, parents.get(node)
    while above is not None:
        if isinstance(above, ast.Try) and below in above.body:
            for handler in above.handlers:
                broad = handler.type is None or dotted(handler.type).rsplit(".", 1)[-1] in (
                    "Exception",
                    "BaseException",
                    "CalledProcessError",
                    "SystemExit",
                )
                if broad and not _leaves(handler):
                    return f"the `except` of line {handler.lineno} swallows its failure"
        if isinstance(above, ast.With) and any(
            isinstance(item.context_expr, ast.Call) and dotted(item.context_expr.func).endswith("suppress")
            for item in above.items
        ):
            return "suppress() swallows its failure"
        below, above = above, parents.get(above)
    return None


def can_fail(text: str) -> bool:
    """Whether a script ever ends with an error of its own: an assertion, a raise, or an exit with something else than 0."""
    tree = parsed(text)
    return tree is not None and any(
        isinstance(node, ast.Assert | ast.Raise)
        or (
            isinstance(node, ast.Call)
            and dotted(node.func) in ("sys.exit", "exit", "os._exit")
            and bool(node.args)
            and constant(node.args[0]) != 0
        )
        for node in ast.walk(tree)
    )
