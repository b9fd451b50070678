"""Module 11: data as a product with a promise: indicators, objectives, budgets, alerts, policy."""

from __future__ import annotations

from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m11_slo import burning, choosing, deciding, measuring, paging, spending
from shopflow import runlog


def prepare(root: Path) -> None:
    """The company, with the run log of the ninety mornings up to yesterday in prod."""
    from dojo.workspace import build_company
    from shopflow.platform import Platform

    build_company(root)
    with Platform(root, "prod").connect() as con:
        con.register("mornings", runlog.simulate(seed=7))
        con.execute("delete from ops.run_log; insert into ops.run_log from mornings")


MODULE = Module(
    key="11",
    stem="11-slo",
    title="SLO: a promise with numbers in it",
    tasks=(
        measuring.TASK_1,
        choosing.TASK_2,
        spending.TASK_3,
        burning.TASK_4,
        paging.TASK_5,
        deciding.TASK_6,
    ),
    prepare=prepare,
)
