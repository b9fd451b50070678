"""Module 01: what DataOps is, seen in a folder that has none of it; the maturity card, the risk of a gap, the flow of changes."""

from __future__ import annotations

from pathlib import Path

from dojo.judge.contract import Module
from dojo.tasks.m01_what_is_dataops import checker, flow, reading, scoring
from dojo.workspace import SEED
from shopflow import checkpoint, inherited


def prepare(root: Path) -> None:
    """ShopFlow on 2 December, and beside it the folder that came from the laptop in the drawer."""
    checkpoint.build(root, seed=SEED)
    inherited.build(root / "inherited", seed=reading.FOLDER)


MODULE = Module(
    key="01",
    stem="01-what-is-dataops",
    title="What is DataOps: one day, five pitfalls, one card",
    tasks=(reading.TASK_1, checker.TASK_2, scoring.TASK_3, scoring.TASK_4, flow.TASK_5),
    prepare=prepare,
)
