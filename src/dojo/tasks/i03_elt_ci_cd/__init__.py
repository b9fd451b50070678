"""Scenario i03: dlt and dbt in one repository; the checks, the release and its undoing, all executed."""

from __future__ import annotations

from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.i03_elt_ci_cd import gating, loading, moving, releases


def prepare(root: Path) -> None:
    """The candidate's repository: a load that starts when it is imported, tests commented out, a decorative workflow."""
    from dojo.tasks.i03_elt_ci_cd import company
    from shopflow import history

    repo = root / "repo"
    for name, text in company.starting().items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    who = {
        f"GIT_{role}_{part}": text
        for role in ("AUTHOR", "COMMITTER")
        for part, text in (
            ("NAME", "Jonas Okafor"),
            ("EMAIL", "jonas@shopflow.example"),
            ("DATE", "2025-11-28T16:52:00+0100"),
        )
    }
    history.git(repo, "init", "--quiet", "--initial-branch=main", "--object-format=sha1")
    history.git(repo, "add", "--all")
    history.git(repo, "commit", "--quiet", "--message", "Load the shop's API; build the takings", environment=who)


MODULE = Module(
    key="i03",
    stem="i03-elt-ci-cd",
    title="CI/CD for dlt and dbt: what blocks, what is released, how it is undone",
    tasks=(moving.TASK, loading.TASK, gating.TASK, releases.RELEASE, releases.REVERT),
    prepare=prepare,
    uses=("act",),
)
