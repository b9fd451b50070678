"""One code cell as a kernel reads it: the Python that IPython makes of it, and the names that binds and needs."""

from __future__ import annotations

import ast
import dis
import re
import symtable
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
RUN_THEIR_CELL = ("time", "capture", "prun")
"""Cell magics that run the cell's Python in the notebook's own names."""
WRITE_A_FILE = ("writefile", "file")
"""Cell magics that write the cell beside the notebook, where `import` finds it; the file's name counts as bound."""
UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What Python raises for a text that it cannot take for a program."""


@dataclass(frozen=True)
class Reading:
    """What a cell does with names, as far as that shows without running it.

    bound: {name: "function", "value" or "stub"}, as the cell leaves them; needed: names it takes from other cells;
    changed: names of other cells whose content it changes; star: whether it imports names that nobody can know;
    workfile: (path, text) of a %%workfile cell; checks: tasks it checks; broken: it is no Python.
    """

    bound: dict[str, str]
    needed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    star: bool = False
    workfile: tuple[str, str] | None = None
    checks: tuple[str, ...] = ()
    broken: bool = False

    def as_json(self) -> dict[str, Any]:
        """The reading as plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> Reading:
        """The reading that `as_json` made plain."""
        lists = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**lists)


def python_of(source: str) -> str:
    """The Python that a kernel runs for a cell: IPython's own transformation. Plain Python comes back as it is."""
    if not re.match(r"\s*In \[\d+\]:", source):  # a pasted prompt can be read as an annotation
        try:
            tree(source)
            return source
        except UNREADABLE:
            pass
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return TransformerManager().transform_cell(source)
    except Exception:  # a cell that its transformer gives up on is run, and refused, as it stands
        return source


def tree(source: str) -> ast.Module:
    """The syntax tree of a cell's Python, which may await at top level. Raises one of UNREADABLE."""
    return compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST | AWAIT, dont_inherit=True)


def read(source: str) -> Reading:
    """What a cell does, read once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _read(python_of(source), depth=0)
        except UNREADABLE:
            return _of_broken(source)


def workfile_path(line: str) -> str:
    """The path a %%workfile line names, written the one way tasks write it."""
    path = line.strip()
    if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"":
        path = path[1:-1]
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts) if not path.startswith("/") else path


def _read(python: str, depth: int) -> Reading:
    module = tree(python)
    magics = list(_magics(module))
    for kind, name, line, body in magics:
        if kind == "run_cell_magic":
            return _of_cell_magic(name, line, body, depth)
    bound, needed, star = _names(python, module)
    statements = [line for kind, name, line, _ in magics if kind == "run_line_magic" and name == "time"]
    for inner in (_inner(line, depth) for line in statements):
        bound |= {n: k for n, k in inner.bound.items() if n not in bound}
        needed |= set(inner.needed)
    changed = _changed(module)
    return Reading(
        bound,
        tuple(sorted(needed | changed)),
        tuple(sorted(changed)),
        star,
        checks=tuple(sorted(_checks(module))),
    )


def _of_cell_magic(name: str, line: str, body: str, depth: int) -> Reading:
    if name == "workfile":
        return Reading({}, workfile=(workfile_path(line), body))
    if name in WRITE_A_FILE:
        return Reading({line.split()[-1]: "value"} if line.split() else {})
    if name not in RUN_THEIR_CELL:
        return Reading({})
    inner = _inner(body, depth)
    words = line.split()
    if name == "capture" and words and words[-1].isidentifier():
        return Reading.of_json({**inner.as_json(), "bound": {**inner.bound, words[-1]: "value"}})
    return inner


def _inner(source: str, depth: int) -> Reading:
    """The reading of the Python in a magic, which may hold a magic in turn."""
    if depth > 3:
        return Reading({})
    try:
        return _read(python_of(source), depth + 1)
    except UNREADABLE:
        return _of_broken(source)


def _of_broken(source: str) -> Reading:
    """A cell that does not parse: what its `def`, `class` and `=` lines name."""
    found = re.findall(r"^(?:async +)?(?:def|class)\s+(\w+)|^(\w+)\s*=(?!=)", source, re.M)
    return Reading({d or v: "function" if d else "value" for d, v in found}, broken=True)


def _magics(module: ast.Module) -> Iterator[tuple[str, str, str, str]]:
    """(kind, name, line, cell) of each call that IPython put in the place of a magic."""
    for node in ast.walk(module):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr.startswith("run_")):
            continue
        owner = node.func.value
        if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "get_ipython":
            given = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if len(given) == len(node.args) and given:
                name, line, body = (*given, "", "")[:3]
                yield node.func.attr, name, line, body


# ---------------------------------------------------------------- names


def _names(python: str, module: ast.Module) -> tuple[dict[str, str], set[str], bool]:
    """(names bound and how, names needed, whether a star import binds more)."""
    bound, needed = _of_symbols(python)
    bound -= _only_deleted(module) | _only_annotated(module)
    needed = (needed - bound) | _read_before_bound(python, bound) | set(_imported_files(module))
    kinds = dict.fromkeys(sorted(bound), "value")
    for node in _at_top(module):
        kinds |= {n: k for n, k in _kinds(node) if n in bound}
    star = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" and n.module != "dojo" for n in module.body)
    return kinds, needed, star


def _imported_files(module: ast.Module) -> Iterator[str]:
    """Names of the files that imports would find beside the notebook."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (f"{alias.name.split('.')[0]}.py" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield f"{node.module.split('.')[0]}.py"


def _of_symbols(python: str) -> tuple[set[str], set[str]]:
    try:
        tables, outer = [symtable.symtable(python, "<cell>", "exec")], "module"
    except SyntaxError:  # an await that symtable knows in functions only
        within = "async def _():\n " + python.replace("\n", "\n ") + "\n pass"
        tables, outer = symtable.symtable(within, "<cell>", "exec").get_children(), "function"
    top, bound, needed = tables[0], set(), set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            here = table is top and not (outer == "function" and symbol.is_global())
            if (symbol.is_assigned() or symbol.is_imported()) and (here or symbol.is_global()):
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (here or symbol.is_global()):
                needed.add(symbol.get_name())
    return bound, needed


def _read_before_bound(python: str, bound: set[str]) -> set[str]:
    """Names whose earlier value the cell uses before it binds them anew (`total += 1`, `f = cached(f)`)."""
    try:
        code = compile(python, "<cell>", "exec", AWAIT, dont_inherit=True)
    except UNREADABLE:
        return set()
    early: set[str] = set()
    late: set[str] = set()
    for step in dis.get_instructions(code):
        if step.argval in bound and step.argval not in late:
            if step.opname == "LOAD_NAME":
                early.add(step.argval)
            elif step.opname in ("STORE_NAME", "STORE_GLOBAL"):
                late.add(step.argval)
    return early


def _at_top(module: ast.Module) -> Iterator[ast.AST]:
    """The nodes outside of functions and classes, in the order of the source."""
    todo: list[ast.AST] = list(reversed(module.body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += reversed(list(ast.iter_child_nodes(node)))


def _kinds(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name, "stub" if is_stub(node) else "function"
    elif isinstance(node, ast.ClassDef):
        yield node.name, "function"
    elif isinstance(node, ast.Assign):
        kind = "function" if isinstance(node.value, ast.Lambda) else "stub" if _is_ellipsis(node.value) else "value"
        for name in (n for target in node.targets for n in ast.walk(target)):
            if isinstance(name, ast.Name):
                yield name.id, kind


def is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is as the exercise gave it: it does nothing but raise NotImplementedError, or holds only `...`."""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    raises = [s for s in body if isinstance(s, ast.Raise) and s.exc and "NotImplementedError" in ast.dump(s.exc)]
    ellipses = any(isinstance(s, ast.Expr) and _is_ellipsis(s.value) for s in function.body)
    return len(raises) == len(body) > 0 or (not body and ellipses)


def _is_ellipsis(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _only_deleted(module: ast.Module) -> set[str]:
    """Names that the cell deletes and binds nowhere: `del x` alone binds nothing."""
    names = [n for n in ast.walk(module) if isinstance(n, ast.Name)]
    gone = {n.id for n in names if isinstance(n.ctx, ast.Del)}
    if not gone:
        return gone
    made = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    made |= {
        a.asname or a.name.split(".")[0] for n in ast.walk(module) for a in getattr(n, "names", ()) if hasattr(a, "asname")
    }
    return gone - made - {n.name for n in _at_top(module) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def _only_annotated(module: ast.Module) -> set[str]:
    """Names that are given a type and no value (`double: Callable`)."""
    bare = [
        n for n in _at_top(module) if isinstance(n, ast.AnnAssign) and n.value is None and isinstance(n.target, ast.Name)
    ]
    if not bare:
        return set()
    targets = {id(n.target) for n in bare}
    made = {
        n.id for n in ast.walk(module) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and id(n) not in targets
    }
    made |= {n.name for n in _at_top(module) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)}
    return {n.target.id for n in bare} - made


def _changed(module: ast.Module) -> set[str]:
    """Names whose object the cell changes: by an item, an attribute, or a method called for its effect."""
    found: set[str] = set()
    for node in _at_top(module):
        places: list[ast.AST] = []
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            places = [node.value]
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
            places = [node.value.func.value]
        for place in places:
            while isinstance(place, ast.Subscript | ast.Attribute):
                place = place.value
            if isinstance(place, ast.Name):
                found.add(place.id)
    return found


def _checks(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "check" and isinstance(node.args[0].value, str):
                yield node.args[0].value


def is_untouched(path: str, text: str) -> bool:
    """Whether a file is as the exercise gave it: comments alone, or in Python functions that only say "your turn"."""
    return is_stub_file(text) or (path.endswith(".py") and _is_stub_python(text))


def is_stub_file(text: str) -> bool:
    """Whether a file holds nothing but blank lines, comments and headings that came with the exercise."""
    lines = [line.strip() for line in text.split("\n")]
    return all(not line or line.startswith(("#", "--", "//")) for line in lines)


def _is_stub_python(text: str) -> bool:
    """Whether a Python file is as the exercise gave it: every function of it is a stub."""
    try:
        body = tree(text).body
    except UNREADABLE:
        return False
    functions = [n for n in body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    given = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom, ast.Expr)
    return bool(functions) and all(map(is_stub, functions)) and all(isinstance(n, given) for n in body)
