"""What is committed works on any machine: no index address, no path of this one, no warehouse."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

COURSE = Path(__file__).resolve().parents[2]
INDEX = re.compile(
    r"(--(extra-)?index-url|--find-links|--trusted-host)[ =]\S"
    r"|^\s*(extra-)?index-url\s*="
    r"|https?://\S+/simple\b"
    r"|https?://(\S+:\S+@)?files\.pythonhosted\.org",
    re.M,
)


def tracked() -> list[Path]:
    """All files under version control, as they are now."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=COURSE, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this copy of the course is not a Git checkout")
    return [COURSE / name for name in listed.decode().split("\0") if name and (COURSE / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    """The tracked files that are text, but for this one, which holds the patterns."""
    read = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:8192] and path != Path(__file__).resolve():
            read.append((path.relative_to(COURSE), content.decode("utf-8", "replace")))
    return read


def places_of_this_machine() -> list[str]:
    """Folders whose names mean something on this machine only."""
    places = {str(COURSE), str(Path.home()), sys.prefix}
    if not sys.base_prefix.startswith(("/usr", "/opt/conda", "/Library", "/opt/homebrew")):
        places.add(sys.base_prefix)
    return sorted(f"{place.rstrip('/')}/" for place in places if len(Path(place).parts) > 1)


def test_no_file_names_a_package_index() -> None:
    assert [str(path) for path, text in texts() if INDEX.search(text)] == []


@pytest.mark.parametrize("line", ["pip install --index-url https://x/", "https://x.test/pypi/simple/", "index-url = y"])
def test_an_index_address_would_be_found(line: str) -> None:
    assert INDEX.search(line)


def test_no_file_names_a_place_of_this_machine() -> None:
    places = places_of_this_machine()
    assert [(str(path), place) for path, text in texts() for place in places if place in text] == []


def test_no_warehouse_is_committed() -> None:
    assert [path.name for path in tracked() if path.suffix == ".duckdb" or path.name.endswith(".duckdb.wal")] == []


def test_what_a_learner_makes_is_ignored() -> None:
    made = ["work/a", ".venv/a", "x.duckdb", "notebooks/.ipynb_checkpoints/a", "target/a", "logs/a"]
    done = subprocess.run(["git", "check-ignore", *made], cwd=COURSE, capture_output=True, text=True, check=False)
    if done.returncode == 128:
        pytest.skip("this copy of the course is not a Git checkout")
    assert done.stdout.split() == made


def test_python_is_lint_free() -> None:
    ruff = Path(sys.executable).with_name("ruff")
    found = subprocess.run([ruff, "check", "."], cwd=COURSE, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout
