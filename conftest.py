"""Every notebook that nbval runs gets a learner's folder of its own; the starting states are shared."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from dojo.authoring import settle_environment

HERE = Path(__file__).parent
_homes: dict[str, tempfile.TemporaryDirectory] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a notebook's kernel starts: its own $DOJO_HOME."""
    os.environ.setdefault("DOJO_CHECKPOINTS", str(HERE / "work" / ".checkpoints"))
    os.environ.setdefault("DOJO_TOOLS", str(HERE / "work" / ".tools"))
    if item.path.suffix == ".ipynb":
        settle_environment()
        home = _homes.setdefault(str(item.path), tempfile.TemporaryDirectory(prefix="dojo-nbval-"))
        os.environ["DOJO_HOME"] = home.name


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After a notebook's last cell: the folder is gone again."""
    if item.path.suffix == ".ipynb" and (nextitem is None or nextitem.path != item.path):
        for name in ("DOJO_HOME", "DOJO_PROGRESS"):
            os.environ.pop(name, None)
        _homes.pop(str(item.path)).cleanup()
