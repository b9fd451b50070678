"""CONTRIBUTING's lesson is built as it stands there: its files in a copy of the course, sync, selftest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dojo.bench import tracked_copy
from dojo.places import COURSE, tools
from dojo.workspace import checkpoints

PAGE = (COURSE / "CONTRIBUTING.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"^````\w+ file=(\S+)\n(.*?)^````$", PAGE, re.M | re.S))
LINES = ("book/glossary.md",)
"""Files to which the lesson adds a line; the others are its own."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Git tracks, and the lesson of CONTRIBUTING added to it."""
    folder = tracked_copy(tmp_path_factory.mktemp("lesson") / "course")
    for name, text in BLOCKS.items():
        assert (folder / name).exists() is (name in LINES), f"{name} is not what the page takes it for"
        (folder / name).write_text((folder / name).read_text("utf-8") + text if name in LINES else text, encoding="utf-8")
    return folder


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of the copy's own course; the company's starting state is the one that is there."""
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "DOJO_HOME": str(copy / "work")}
    environment |= {"DOJO_CHECKPOINTS": str(checkpoints()), "DOJO_TOOLS": str(tools())}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300)


def test_sync_makes_the_lesson_and_writes_nothing_else(copy: Path) -> None:
    done = run(copy, "dojo.cli", "sync")
    assert done.returncode == 0, done.stderr
    made = {line.removeprefix("written ") for line in done.stdout.splitlines()}
    wanted = {"README.md", *(f"{folder}/90-late-file.ipynb" for folder in ("notebooks", "exercises", "solutions"))}
    assert made == wanted, "what else was written had drifted before"
    exercise = json.loads((copy / "exercises" / "90-late-file.ipynb").read_text("utf-8"))
    source = "".join(line for cell in exercise["cells"] for line in cell["source"])
    assert "your turn" in source and "total_seconds" not in source


def test_selftest_refuses_the_stub_and_what_is_wrong_and_accepts_what_is_right(copy: Path) -> None:
    done = run(copy, "dojo.cli", "selftest", "90", "--json")
    (task,) = json.loads(done.stdout)["tasks"]
    assert (done.returncode, task["faults"], task["survivors"]) == (0, [], [])
    assert task["stub_refused"] and task["solution_accepted"]
    assert task["wrong"] == [3, 3] and task["right"] == [2, 2] and task["killed"][1] >= 3


def test_the_readme_row_says_the_minutes_of_both_front_matters(copy: Path) -> None:
    minutes = [int(n) for name in BLOCKS for n in re.findall(r"^minutes_\w+: (\d+)$", BLOCKS[name], re.M)]
    read, do, more, work = minutes
    row = f"| 90 late-file | measure how long finance waited for a file | {read + do} min | {more + work} min |\n"
    assert row in (copy / "README.md").read_text("utf-8")


def test_the_example_is_written_as_the_course_is(copy: Path) -> None:
    code = [name for name in BLOCKS if name.endswith(".py")]
    for command in (("ruff", "check"), ("ruff", "format", "--check")):
        done = run(copy, *command, *code)
        assert done.returncode == 0, done.stdout


def test_the_minutes_of_the_hour_add_up() -> None:
    steps = re.findall(r"^\| (\d+) \| ", PAGE, re.M)
    assert sum(map(int, steps)) == 60
    named = set(re.findall(r"^\| \d+ \| .* \| `(\S+)` \|$", PAGE, re.M))
    assert named == set(BLOCKS)


def test_the_page_names_only_what_exists() -> None:
    outside = re.sub(r"^````.*?^````$", "", PAGE, flags=re.M | re.S)
    named = re.findall(r"`((?:src|tests|solutions|exercises|notebooks|book)/[\w./-]*)`", outside)
    assert [name for name in named if name not in BLOCKS and "90" not in name and not (COURSE / name).exists()] == []
