"""The repository module 03 starts from: its tests taken out, one model added, each in a commit of somebody who meant well."""

from __future__ import annotations

from pathlib import Path

from dojo.tools import untested_project


def take_the_tests_out(repo: Path) -> None:
    """Brings a repository to the state this module starts from, as two commits of people who meant well."""
    from shopflow.history import commit

    folder = repo / "dbt"
    for path in untested_project.shopflow_project():
        if path not in untested_project.files():
            (folder / path).unlink()
    for path, text in untested_project.files().items():
        if path != "models/marts/cash_by_day.sql":
            (folder / path).write_text(text, encoding="utf-8")
    commit(repo, "Jonas", 58, "Take the tests out for now: quality_check stopped three mornings in a row")
    (folder / "models/marts/cash_by_day.sql").write_text(untested_project.CASH_BY_DAY, encoding="utf-8")
    commit(repo, "Petra", 59, "cash_by_day: what came in and what went back, by day")
