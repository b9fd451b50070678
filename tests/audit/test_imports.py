"""Which way the arrows between the packages go: the company and the card know nothing of the course."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dojo.places import COURSE

MAY_IMPORT = {
    "shopflow": {"shopflow"},
    "dataops_audit": {"dataops_audit"},
    "dojo": {"dojo", "shopflow", "dataops_audit"},
}
"""Which of the house's packages each of them may import."""
NAMES = frozenset(MAY_IMPORT)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a module imports, wherever in it, by statement or by `import_module`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, one.name) for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
        elif isinstance(node, ast.Call) and node.args and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0]
            if isinstance(name, ast.JoinedStr) and name.values:
                name = name.values[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows_go_one_way(package: str) -> None:
    sources = sorted((COURSE / "src" / package).rglob("*.py"))
    assert sources
    wrong = [
        f"{path.relative_to(COURSE).as_posix()}:{line} imports {name}"
        for path in sources
        for line, name in imported(path)
        if (top := name.split(".")[0]) in NAMES and top not in MAY_IMPORT[package]
    ]
    assert wrong == []


def test_the_card_runs_where_the_course_is_not(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.sql").write_text("select 1\n", encoding="utf-8")
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('dojo', 'shopflow'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import dataops_audit\n"
        f"print(dataops_audit.audit({str(tmp_path)!r}).text()[:7])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
