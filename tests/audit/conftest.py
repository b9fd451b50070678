"""Folders to audit, written from a table of path and text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from dataops_audit import Report
from dataops_audit.findings import Seen
from dataops_audit.tree import Tree, plant


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """Writes files into a folder of their own and returns it."""

    def write(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "project"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(text, bytes):
                path.write_bytes(text)
            else:
                path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return root

    return write


@pytest.fixture
def seen(folder: Callable[[dict[str, str]], Path]) -> Callable[..., Seen]:
    """What one reader sees in a folder."""

    def read(reader: Callable[[Tree, Seen], None], files: dict[str, str | bytes]) -> Seen:
        found = Seen()
        reader(plant(folder(files)), found)
        return found

    return read


def rules(report: Report) -> dict[str, list[str]]:
    """The rules a report found, each with its places."""
    found: dict[str, list[str]] = {}
    for one in report.findings:
        found.setdefault(one.rule, []).append(f"{one.file}:{one.line}")
    return found
