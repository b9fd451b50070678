"""The API reference, from docstrings: read from the source files, so that nothing heavy is imported."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

from dojo.places import COURSE
from dojo.site.course import Module

SRC = COURSE / "src"
FACES = ("dojo.notebook", "dojo.workspace", "dojo.judge.contract", "dojo.judge.work", "dojo.judge.verdict")
"""What learners call, what their workspace offers, and what an author of tasks writes against; whatever lessons import is added."""


@dataclass(frozen=True)
class Face:
    """One module of the reference: its name, what its first docstring says, and its public definitions."""

    name: str
    said: str
    parts: tuple[ast.AST, ...]


def faces(modules: list[Module]) -> list[Face]:
    """The modules of the reference: ShopFlow's own, then the course's public faces and what the lessons import."""
    company = [_name(path) for path in sorted((SRC / "shopflow").glob("*.py")) if path.stem != "cli"]
    company += ["shopflow.faults"]
    used = sorted({name for m in modules for name in re.findall(r"^from (dojo\.[\w.]+) import", m.code, re.M)})
    names = dict.fromkeys([*FACES, *used, *company])
    found = [_face(name) for name in names]
    return [face for face in found if face.parts]


def _name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _face(name: str) -> Face:
    path = SRC.joinpath(*name.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = (n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_") and ast.get_docstring(n))
    return Face(name, _text(ast.get_docstring(tree) or ""), tuple(public))


def _text(docstring: str) -> str:
    """A docstring as Markdown: its backticks stay code, everything else stays as it was written."""
    parts = inspect.cleandoc(docstring).split("`")
    safe = [re.sub(r"([*_<>\[\]{}#|])", r"\\\1", p) if n % 2 == 0 else p for n, p in enumerate(parts)]
    return "`".join(safe)


def page(faces: list[Face], package: str) -> str:
    """The reference of one package as Markdown with directives of Sphinx's Python domain."""
    what = "the company" if package == "shopflow" else "the course"
    parts = [f"# API: {package}", f"The public functions and classes of {what}, from their docstrings."]
    for face in (f for f in faces if f.name.split(".")[0] == package):
        parts.append(f"## {face.name}\n\n{face.said}")
        parts.append(f"```{{py:module}} {face.name}\n```")
        parts += [_entry(part, face.name) for part in face.parts]
    return "\n\n".join(parts) + "\n"


def _entry(part: ast.AST, inside: str, fence: str = "`````") -> str:
    if isinstance(part, ast.ClassDef):
        members = [
            n for n in part.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_") and ast.get_docstring(n)
        ]
        inner = "\n\n".join(_entry(n, inside, "````") for n in members)
        head = f"{fence}{{py:class}} {part.name}"
        return f"{head}\n\n{_text(ast.get_docstring(part) or '')}\n\n{inner}\n{fence}"
    assert isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
    wraps = {ast.unparse(d).split(".")[-1] for d in part.decorator_list}
    kind = "py:property" if wraps & {"property", "cached_property"} else "py:method" if fence == "````" else "py:function"
    signature = "" if kind == "py:property" else f"({_arguments(part)}){_answer(part)}"
    return f"{fence}{{{kind}}} {part.name}{signature}\n\n{_text(ast.get_docstring(part) or '')}\n{fence}"


def _arguments(part: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    text = ast.unparse(part.args)
    return re.sub(r"^(self|cls)(, )?", "", text)


def _answer(part: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return f" -> {ast.unparse(part.returns)}" if part.returns else ""
