"""What all tests share: the checkout, and a learner's folder of their own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def course() -> Path:
    """The checkout under test."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture
def learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty learner's folder, in place of work/."""
    folder = tmp_path / "learner"
    folder.mkdir()
    monkeypatch.setenv("DOJO_HOME", str(folder))
    monkeypatch.delenv("DOJO_TOOLS", raising=False)
    return folder
