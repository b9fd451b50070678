"""Repositories as the judge makes, runs and reads them."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from dojo.ci import checkouts
from dojo.judge import work
from dojo.judge.work import NotCheckable
from dojo.tasks.m02_version_control import branches, owners, story
from dojo.tools import git, hooks


@pytest.fixture(scope="module")
def told():
    return story.workspace()


@pytest.fixture()
def repo(tmp_path, told):
    git.make(tmp_path / "repo", told.stream())
    return tmp_path / "repo"


def test_the_story_has_the_same_ids_on_every_machine(told):
    assert story.known(told).ids["bad"] == "25a5d79" + story.known(told).ids["bad"][7:]


def test_a_checkout_holds_what_the_story_says(repo, told):
    held = {p: (repo / p).read_text(encoding="utf-8") for p in git.git(repo, "ls-files").splitlines()}
    assert held == told.tree


@pytest.mark.parametrize("place", story.PLACES)
@pytest.mark.parametrize("kind", story.KINDS)
def test_every_kind_of_fault_is_in_the_model_from_its_commit_to_the_end(kind, place):
    told = story.tell(kind, place)
    sound = story.Daily(comment=True, cte=True, weekday=True, average=True, returns=True)
    assert told.tree[story.DAILY] != sound.sql()
    assert told.at("bad")[story.DAILY] != told.at(next(c.parents[0] for c in told.commits if c.label == "bad"))[story.DAILY]


def test_a_bundle_is_read_by_its_objects(repo, told):
    git.git(repo, "branch", "stray")
    state = git.state(repo)
    assert (state["branch"], state["doing"], state["dirty"]) == ("main", "", [])
    with git.opened(state["bundle"]) as held:
        assert held.reaches("main", story.TAG)
        assert not held.reaches(story.TAG, "main")
        assert held.text("main", story.DAILY) == told.tree[story.DAILY]
        assert held.text("main", "no/such/file") is None
        with pytest.raises(git.NoSuchObject):
            held.commit("no-such-branch")


def test_what_is_no_bundle_is_named():
    with pytest.raises(git.NoSuchObject), git.opened(b"not a bundle"):
        pass


@pytest.mark.parametrize(
    ("script", "doing", "branch"),
    [
        ("git bisect start main books-opened", "bisect", ""),
        ("git revert --no-edit $1", "revert", "main"),
        ("git switch --quiet -c other", "", "other"),
        ("sleep 60", "", "main"),
    ],
)
def test_what_a_script_leaves_is_told(repo, told, script, doing, branch):
    status, said = git.script(repo, script, [story.known(told).ids["bad"]], seconds=3)
    state = git.state(repo)
    assert (state["doing"], state["branch"]) == (doing, branch)
    assert ("stopped" in said) == (status == 124) == script.startswith("sleep")


@pytest.mark.parametrize("fault", branches.FAULTS, ids=lambda f: f.kind)
def test_each_planted_fault_is_on_the_branch_and_not_on_main(told, fault):
    assert branches.line_of(told.heads[branches.BRANCH].tree[fault.file], fault.text) > 0
    assert fault.text not in told.tree.get(fault.file, "")


@pytest.mark.parametrize(
    ("pattern", "path", "covered"),
    [
        ("*", "a/b.py", True),
        ("*.md", "docs/a/b.md", True),
        ("/dbt/", "dbt/models/a.sql", True),
        ("/dbt/", "tools/dbt/a.py", False),
        ("dbt/", "tools/dbt/a.py", True),
        ("/docs/*", "docs/a.md", True),
        ("/docs/*", "docs/a/b.md", False),
        ("/docs", "docs/a/b.md", True),
        ("docs/**", "docs/a/b.md", True),
        ("**/logs", "a/b/logs/c.txt", True),
        ("/marts/finance_*", "marts/finance_a.sql", True),
        ("/marts/finance_*", "marts/x/finance_a.sql", False),
        ("a.sql", "deep/a.sql", True),
    ],
)
def test_patterns_are_read_as_github_reads_them(pattern, path, covered):
    assert owners.matches(pattern, path) is covered


@pytest.mark.parametrize("missing", ["git", "bash"])
def test_a_missing_program_is_the_machines_fault(monkeypatch, told, missing):
    monkeypatch.setattr(git.shutil, "which", lambda name: None if name == missing else name)
    with pytest.raises(NotCheckable, match=missing):
        git.session({"op": "run", "stream": told.stream(), "script": "true", "arguments": []})


def test_a_checkout_stands_on_the_branch_that_is_asked_for(told):
    path = git.session({"op": "make", "stream": told.stream(), "branch": "petra/weekday"})["path"]
    assert git.session({"op": "state", "path": path})["branch"] == "petra/weekday"


def test_commits_that_hooks_look_at_are_told_one_by_one(told, monkeypatch):
    said = []
    monkeypatch.setattr(hooks.waiting, "tell", lambda done, of, doing: said.append((done, of)))
    config = "repos:\n- repo: local\n  hooks:\n  - {id: ok, name: ok, language: pygrep, entry: never}\n"
    commits = [{"name": f"{n}", "changes": {f"{n}.txt": "x"}} for n in range(2)]
    hooks.session({"stream": told.stream(), "files": {".pre-commit-config.yaml": config}, "commits": commits})
    assert said == [(0, 2), (1, 2), (2, 2)]


def test_hooks_are_installed_and_stop_a_commit(told):
    config = "repos:\n- repo: local\n  hooks:\n  - {id: stop, name: stop, language: fail, entry: not here, files: ^secret}\n"
    made = hooks.session(
        {
            "stream": told.stream(),
            "files": {".pre-commit-config.yaml": config},
            "commits": [{"name": "bad", "changes": {"secret.txt": "x"}}, {"name": "good", "changes": {"open.txt": "x"}}],
        }
    )
    assert made["problem"] == ""
    assert [(one["name"], one["made"]) for one in made["commits"]] == [("bad", False), ("good", True)]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for Git is a shell script")
def test_a_checkout_of_another_user_is_read_like_one_s_own(repo, tmp_path, monkeypatch):
    real = shutil.which("git")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    alone = subprocess.run(["git", "status"], cwd=repo, env=bare, capture_output=True, text=True)
    assert "dubious ownership" in alone.stderr, "Git does not refuse here what it is to be told"
    (repo / "new.txt").write_text("x")
    assert "new.txt" in git.git(repo, "status", "--porcelain")
    assert "new.txt" in checkouts.git(repo, "status", "--porcelain")
    assert {"new.txt", "README.md"} <= set(work._committable(repo))
    state = git.session({"op": "state", "path": str(repo)})
    assert state["branch"] == "main" and "new.txt" in str(state["dirty"])
