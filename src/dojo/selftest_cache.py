"""Which tasks stood their selftest, and whether what they are made of has changed since: a record in work/."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dojo import tasks
from dojo.places import COURSE, home

SOURCE = COURSE / "src"
EVERY_TASK = ("dojo.selftest", "dojo.mutants", "dojo.grading", "dojo.submission", "dojo.judge.runner", "dojo.judge.toolbox")
"""Modules by which every task is judged, whatever it imports itself."""


def _record() -> Path:
    return home() / "selftest.json"


def stands(task_id: str) -> bool:
    """Whether a task stood its last selftest and nothing that it is made of has changed since."""
    return _kept().get(task_id) == _print_of(task_id)


def keep(task_ids: Iterable[str]) -> None:
    """Remembers that these tasks stand as they are now."""
    kept = {**_kept(), **{task_id: _print_of(task_id) for task_id in task_ids}}
    _record().parent.mkdir(parents=True, exist_ok=True)
    _record().write_text(json.dumps(kept, indent=1), encoding="utf-8")


def _kept() -> dict[str, str]:
    try:
        return json.loads(_record().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _print_of(task_id: str) -> str:
    """A hash over all files a task is made of: modules by import, what lies beside them, its notebook, the tools' versions."""
    task = tasks.get(task_id)
    return _print_of_files(task.data.__module__, tasks.module(task.module).stem)


@cache
def _print_of_files(module: str, stem: str) -> str:
    files = {path for name in (module, *EVERY_TASK) for path in _made_of(name)}
    files |= {COURSE / "solutions" / f"{stem}.md", COURSE / "requirements.lock"}
    digest = hashlib.sha256(version("dbt-core").encode())
    for path in sorted(files):
        digest.update(path.relative_to(COURSE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


@cache
def _made_of(module: str) -> frozenset[Path]:
    """The file of a module of ours and of all it imports; for one in a folder, also what lies there that is no Python."""
    found: set[Path] = set()
    todo = [module]
    seen = set()
    while todo:
        name = todo.pop()
        path = _file_of(name)
        if name in seen or path is None:
            continue
        seen.add(name)
        found |= {path, *_beside(path)}
        todo += _imports(path)
    return frozenset(found)


@cache
def _beside(path: Path) -> frozenset[Path]:
    """What a module may read that is no module: files in its folder, and below it where the folder is a module's own."""
    folder = path.parent
    shared = folder in (SOURCE / "dojo", SOURCE / "dojo" / "tasks")
    found = folder.glob("*") if shared else folder.rglob("*")
    return frozenset(p for p in found if p.is_file() and p.suffix != ".pyc" and (p.suffix != ".py" or "template" in p.parts))


def _file_of(module: str) -> Path | None:
    base = SOURCE / Path(*module.split("."))
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Names of our modules that a file imports anywhere in it, or names in a text (as the toolbox names its tools)."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(("dojo.", "shopflow."))
        ):
            names.append(node.value)
    return tuple(name for name in names if name.split(".")[0] in ("dojo", "shopflow", "dataops_audit"))
