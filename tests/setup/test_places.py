"""Folders from variables: the same one from everywhere, however they were written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dojo import places, workspace

VARIABLES = {"DOJO_HOME": places.home, "DOJO_TOOLS": places.tools, "DOJO_CHECKPOINTS": workspace.checkpoints}


@pytest.fixture(params=VARIABLES)
def folder_of(request, monkeypatch, tmp_path):
    """What one of the variables means, by its text."""
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "me"))

    def folder(text: str) -> Path:
        monkeypatch.setenv(request.param, text)
        return VARIABLES[request.param]()

    return folder


@pytest.mark.parametrize(("text", "rest"), [("~/x", "x"), ("~", "."), ("~/a b/../x", "x"), (" ~/x ", "x")])
def test_a_tilde_that_no_shell_has_seen_is_one_s_own_folder(folder_of, tmp_path, text, rest):
    assert folder_of(text) == (tmp_path / "me" / rest).resolve()


@pytest.mark.parametrize("text", ["x", "./x", "a/../x"])
def test_a_relative_folder_is_one_and_the_same_from_everywhere(folder_of, tmp_path, monkeypatch, text):
    monkeypatch.chdir(tmp_path)
    assert folder_of(text) == places.COURSE / "x"


def test_an_absolute_folder_is_that_folder(folder_of, tmp_path):
    assert folder_of(str(tmp_path / "x")) == (tmp_path / "x").resolve()


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_variable_is_none(folder_of, text):
    assert folder_of(text).is_relative_to(places.home())


def test_the_folder_of_nobody_is_said_to_be_that(folder_of):
    with pytest.raises(OSError, match="there is no such user here"):
        folder_of("~nobody-of-that-name/x")


def test_a_command_makes_no_folder_named_tilde(tmp_path):
    environment = {**os.environ, "DOJO_HOME": "~/x", "HOME": str(tmp_path / "me"), "USERPROFILE": str(tmp_path / "me")}
    (tmp_path / "here").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "dojo.cli", "hint", "00.1"],
        cwd=tmp_path / "here",
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "me" / "x" / "progress.sqlite").exists() and not list((tmp_path / "here").iterdir())
