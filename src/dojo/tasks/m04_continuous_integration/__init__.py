"""Module 04: checks on a pull request that really stop a bad change, tried by executing them."""

from __future__ import annotations

from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m04_continuous_integration import elsewhere, hardening, reading, slim, writing


def prepare(root: Path) -> None:
    """ShopFlow's repository with what CI needs, a decorative workflow and a careless one; no warehouse: CI makes its own."""
    from dojo.tasks.m04_continuous_integration.pull_requests import exhibits, main_branch
    from shopflow import history

    history.make(root / "repo")
    for name, text in (main_branch() | exhibits()).items():
        path = root / "repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    who = {
        f"GIT_{role}_{part}": text
        for role in ("AUTHOR", "COMMITTER")
        for part, text in (
            ("NAME", "Sami Virtanen"),
            ("EMAIL", "sami@shopflow.example"),
            ("DATE", "2025-12-01T17:40:00+0100"),
        )
    }
    history.git(root / "repo", "add", "--all")
    history.git(
        root / "repo", "commit", "--quiet", "--message", "Sample, linters and a first attempt at CI", environment=who
    )


MODULE = Module(
    key="04",
    stem="04-continuous-integration",
    title="Continuous integration: red pull requests instead of wrong dashboards",
    tasks=(
        reading.TASK,
        writing.WRITE,
        writing.REPAIR,
        slim.TASK,
        hardening.TASK,
        elsewhere.AT_GITLAB,
        elsewhere.AT_JENKINS,
    ),
    prepare=prepare,
    uses=("act",),
)
