"""Tools in environments of their own: made once from their lock, used by name, removed without a trace."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from dojo import install
from dojo.tools import environments


@pytest.fixture
def made(learner: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The environments that were made, each an empty one with a program that prints its settings."""
    folders: list[Path] = []

    def make(folder: Path, lock: Path) -> None:
        folders.append(folder)
        programs = install.programs(folder)
        programs.mkdir(parents=True)
        program = programs / "soda"
        program.write_text("#!/bin/sh\necho $SODA_CORE_TELEMETRY_ENABLED $DO_NOT_TRACK $*\n", encoding="utf-8")
        program.chmod(0o755)

    monkeypatch.setattr(install, "make_tool_environment", make)
    return folders


@pytest.mark.parametrize("tool", environments.TOOLS.values(), ids=lambda tool: tool.name)
def test_each_tool_has_a_lock_and_says_why_it_stands_apart(tool: environments.Tool) -> None:
    assert tool.lock.exists()
    assert tool.purpose and tool.apart and tool.megabytes > 0


def test_an_unknown_tool_is_answered_with_the_known_ones(learner: Path) -> None:
    with pytest.raises(environments.UnknownTool, match="soda, gitlab-ci-local, nbgrader"):
        environments.add("sodaa")


def test_a_node_tool_without_npm_is_answered_with_what_to_install(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install.shutil, "which", lambda *_, **__: None)
    with pytest.raises(environments.CannotAdd, match="npm is not on the PATH"):
        environments.add("gitlab-ci-local")
    assert not environments.is_added("gitlab-ci-local")


def test_a_tool_not_added_is_answered_with_the_command(learner: Path) -> None:
    with pytest.raises(environments.NotAdded, match="dojo tools add soda"):
        environments.run("soda", ["soda", "--help"])


def test_adding_twice_makes_it_once(made: list[Path], learner: Path) -> None:
    assert environments.add("soda") == environments.add("soda") == learner / ".tools" / "soda"
    assert len(made) == 1


def test_a_notebook_and_a_terminal_that_want_it_at_once_make_it_once(
    made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = install.make_tool_environment

    def slowly(folder: Path, lock: Path) -> None:
        time.sleep(0.2)
        make(folder, lock)

    monkeypatch.setattr(install, "make_tool_environment", slowly)
    both = [threading.Thread(target=environments.add, args=("soda",)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(made) == 1 and environments.is_added("soda")


def test_a_new_lock_makes_it_again(made: list[Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environments.add("soda")
    (tmp_path / "soda.lock").write_text("soda-core==9\n", encoding="utf-8")
    monkeypatch.setattr(environments, "LOCKS", tmp_path)
    assert not environments.is_added("soda")
    environments.add("soda")
    assert len(made) == 2


@pytest.mark.skipif(install.os.name == "nt", reason="the fake program is a shell script")
def test_a_tool_runs_with_telemetry_off(made: list[Path]) -> None:
    environments.add("soda")
    assert environments.run("soda", ["soda", "scan"]).stdout.split() == ["false", "1", "scan"]


def test_a_program_the_tool_does_not_have_is_named(made: list[Path]) -> None:
    environments.add("soda")
    with pytest.raises(FileNotFoundError, match="'scan'"):
        environments.run("soda", ["scan"])


def test_removing_leaves_nothing(made: list[Path], learner: Path) -> None:
    environments.add("soda")
    environments.remove("soda")
    assert not (learner / ".tools" / "soda").exists()
    assert not environments.is_added("soda")


def test_a_failed_install_leaves_nothing(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path, lock: Path) -> None:
        folder.mkdir(parents=True)
        raise install.CannotInstall("No network.")

    monkeypatch.setattr(install, "make_tool_environment", fails)
    with pytest.raises(environments.CannotAdd, match=r"soda was not added\. No network\."):
        environments.add("soda")
    assert not (learner / ".tools" / "soda").exists()
