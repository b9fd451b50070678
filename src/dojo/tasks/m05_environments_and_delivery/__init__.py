"""Module 05: the same code in three environments, delivered so that readers never meet half of it, and undone to the row."""

from __future__ import annotations

from dojo.tasks.m05_environments_and_delivery import auditing, measuring, promoting, publishing, targets, undoing

STEM = "05-environments-and-delivery"
TITLE = "Environments and delivery: prod is the last to know"
USES = ("dbt",)
TASKS = (targets.TASK_1, promoting.TASK_2, auditing.TASK_3, publishing.TASK_4, undoing.TASK_6, measuring.TASK_7)
