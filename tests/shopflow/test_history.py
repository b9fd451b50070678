"""ShopFlow's repository: the same commits anywhere, four people, and nothing left uncommitted."""

from __future__ import annotations

import subprocess

import pytest

from shopflow import history


def test_the_same_commits_whatever_git_is_told_elsewhere(tmp_path, monkeypatch):
    first = history.make(tmp_path / "one")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[core]\n\tautocrlf = true\n")
    assert history.make(tmp_path / "two") == first


def test_the_work_tree_is_clean_and_four_people_wrote_it(tmp_path):
    history.make(tmp_path / "repo")
    assert history.git(tmp_path / "repo", "status", "--short") == ""
    assert len(set(history.git(tmp_path / "repo", "log", "--format=%an").split("\n")) - {""}) == 4


def test_a_folder_that_is_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="not empty"):
        history.make(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_command_that_says_why_on_standard_output_is_quoted_too(tmp_path):
    history.make(tmp_path / "repo")
    who = {f"GIT_{role}_{what}": "a@b.example" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    with pytest.raises(RuntimeError, match=r"git commit failed: .*nothing to commit"):
        history.git(tmp_path / "repo", "commit", "--message", "nothing", environment=who)


def test_run_from_a_git_hook_it_leaves_the_hook_s_repository_alone(tmp_path, monkeypatch):
    outer = tmp_path / "outer"
    subprocess.run(["git", "init", "--quiet", str(outer)], check=True)
    expected = history.make(tmp_path / "before")
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git" / "index"))
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    assert history.make(tmp_path / "repo") == expected
    assert (tmp_path / "repo" / ".git").is_dir()
    monkeypatch.undo()
    assert history.git(outer, "rev-list", "--all", "--count").strip() == "0"
