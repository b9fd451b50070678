"""Module 03: tests of data, of models, of contracts and of outputs; in dbt and in three other tools."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m03_data_tests import frames, models, outputs, project, rules, volume
from dojo.workspace import SEED
from shopflow import checkpoint
from shopflow.clock import LAST_DAY, TODAY


def prepare(root: Path) -> None:
    """ShopFlow early on 2 December: the night's files are there, nothing has run yet, and the tests were taken out on Sunday."""
    checkpoint.build(root, seed=SEED, morning=TODAY - dt.timedelta(days=1), delivered=LAST_DAY)
    project.take_the_tests_out(root / "repo")


MODULE = Module(
    key="03",
    stem="03-data-tests",
    title="Data tests: what green should have meant",
    tasks=(
        rules.TASK_1,
        rules.TASK_2,
        volume.TASK_3,
        models.TASK_4,
        models.TASK_5,
        frames.TASK_6,
        frames.TASK_7,
        outputs.TASK_8,
    ),
    prepare=prepare,
    uses=("dbt",),
)
