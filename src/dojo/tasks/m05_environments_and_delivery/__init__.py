"""Module 05: the same code in three environments, delivered so that readers never meet half of it, and undone to the row."""

from __future__ import annotations

from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m05_environments_and_delivery import (
    auditing,
    deferring,
    deliveries,
    measuring,
    promoting,
    publishing,
    targets,
    undoing,
)
from dojo.workspace import SEED
from shopflow import checkpoint


def prepare(root: Path) -> None:
    """ShopFlow with all three environments, its deliveries tagged in the repository."""
    checkpoint.build(root, seed=SEED, envs=("prod", "staging", "dev"))
    deliveries.write_down(root / "repo")


MODULE = Module(
    key="05",
    stem="05-environments-and-delivery",
    title="Environments and delivery: prod is the last to know",
    tasks=(
        targets.TASK_1,
        promoting.TASK_2,
        auditing.TASK_3,
        publishing.TASK_4,
        deferring.TASK_5,
        undoing.TASK_6,
        measuring.TASK_7,
    ),
    prepare=prepare,
)
