"""What all tests share: the checkout, and a learner's folder of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dojo.site.building import Built, build
from dojo.tools import environments

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def course() -> Path:
    """The checkout under test."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def book() -> Built:
    """The built book of this checkout, made once for all tests: again only when something it is made from has changed."""
    if not environments.is_added("book"):
        pytest.skip("the book's tools are not here (dojo tools add book; make test adds them)")
    return build(again=False)


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty learner's folder, in place of work/."""
    folder = tmp_path / "learner"
    folder.mkdir()
    monkeypatch.setenv("DOJO_HOME", str(folder))
    monkeypatch.delenv("DOJO_TOOLS", raising=False)
    return folder
