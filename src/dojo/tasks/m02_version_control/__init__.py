"""Module 02: a repository with a history, and what can only be done because there is one."""

from __future__ import annotations

import shutil
from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m02_version_control import finding, hooks, owners, rescue, review, story, undoing
from dojo.tools import git
from dojo.workspace import SEED
from shopflow import checkpoint, transform

LEDGER = """
create schema if not exists finance;
create or replace table finance.closed_days as
select business_date, sum(revenue_eur)::decimal(14, 2) as revenue_eur
from serving.daily_revenue
where business_date <= date '2025-11-27'
group by business_date
order by business_date
"""
"""What finance booked, day by day, for the days it has closed."""


def prepare(root: Path) -> None:
    """ShopFlow with its whole history: revenue has been wrong for two weeks, and one view was typed into the warehouse."""
    platform = checkpoint.build(root, seed=SEED)
    shutil.rmtree(root / "repo")
    git.make(root / "repo", story.workspace().stream())
    for env in ("prod", "dev"):
        here = platform.at(env)
        with here.connect() as con:
            con.execute(LEDGER)
        done = transform.dbt(
            here.project, ["run", "--select", "daily_revenue"], warehouse=here.warehouse, target=env, artifacts=False
        )
        if not done.success:
            raise checkpoint.BuildFailed(f"daily_revenue in {env}: {done}")
        with here.connect() as con:
            con.execute("create or replace table serving.daily_revenue as from marts.daily_revenue")
    rescue.create_by_hand(platform.at("prod").warehouse)
    shutil.rmtree(root / "repo" / "dbt" / "target", ignore_errors=True)
    shutil.rmtree(root / "repo" / "dbt" / "logs", ignore_errors=True)


MODULE = Module(
    key="02",
    stem="02-version-control",
    title="Version control: a platform that can be undone",
    tasks=(finding.TASK_1, finding.TASK_2, undoing.TASK_3, rescue.TASK_4, hooks.TASK_5, review.TASK_6, owners.TASK_7),
    prepare=prepare,
    uses=("dbt", "hooks"),
)
