"""The commands: quick to start, plain about mistakes, with exit statuses a script can use."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dojo import cli, doctor

COMMANDS = ["audit", "bench", "check", "doctor", "grade", "hint", "lab", "progress", "selftest", "sync", "tools"]


def test_all_commands_are_offered() -> None:
    said = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "120", "NO_COLOR": "1"}).output
    assert [name for name in COMMANDS if not re.search(rf"\b{name}\b", said)] == []


def test_the_command_loads_none_of_the_heavy_packages() -> None:
    code = (
        "import sys, dojo.cli; print([m for m in ('dbt', 'pandas', 'duckdb', 'pyarrow', 'jupyterlab') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["tools", "add", "sodaa"], "There is no tool 'sodaa'"),
        (["check", "99.9"], "99.9"),
        (["hint", "99.9"], "99.9"),
        (["progress", "99"], "99"),
    ],
)
def test_a_mistake_is_answered_in_a_line_without_a_traceback(arguments, said, learner: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "dojo.cli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_a_part_that_is_not_there_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(cli.typer.Exit) as left:
        cli._call("no_such_part", "main")
    assert left.value.exit_code == 2


@pytest.mark.parametrize("status", [0, 1])
def test_the_exit_status_is_the_parts_own(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "main", lambda as_json: status)
    assert CliRunner().invoke(cli.app, ["doctor", "--json"]).exit_code == status


def test_each_command_of_the_readme_exists(course: Path) -> None:
    readme = (course / "README.md").read_text("utf-8")
    named = set(re.findall(r"`dojo ([a-z]+)", readme))
    assert named == set(COMMANDS)
    targets = set(re.findall(r"^([a-z]+):", (course / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"`make ([a-z]+)", readme)) <= targets


def ci(course: Path, folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Runs .ci/run on a machine where `make` does what the script says and every package is installed."""
    for name, text in {"make": script, "dpkg": "exit 0", "apt-get": "exit 1"}.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", str(course / ".ci" / "run")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(os.name == "nt", reason="CI runs on Linux")
@pytest.mark.parametrize(
    ("summary", "status"),
    [("==== 12 passed, 1 skipped in 3.21s ====", 0), ("==== 1 failed, 12 passed in 3.21s ====", 2)],
)
def test_ci_ends_with_the_summary_and_keeps_the_exit_status(course, tmp_path, summary, status) -> None:
    noise = "" if status == 0 else "echo 'make: *** [Makefile:20: test] Error 1' >&2;"
    done = ci(course, tmp_path, f"echo \"$@\"; echo '{summary}'; {noise} exit {status}")
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1], done.returncode) == ("test", summary, status)
