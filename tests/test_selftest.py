"""Every task against itself; see dojo.selftest. A class a task, so that tasks are shared out between workers."""

from __future__ import annotations

import os

from dojo import grading, selftest, tasks

THOROUGH = os.environ.get("DOJO_SELFTEST") == "thorough"
"""What the weekly workflow asks for: tasks that run real tools are tried on every run in both transports."""


class Opposition:
    """One task: stub and constants refused, solution and odd right answers accepted, wrong ones refused for their cause."""

    task_id = ""

    def test_the_task_stands_its_own_opposition(self, monkeypatch):
        monkeypatch.setattr(grading, "_busy", lambda since: False)  # other tests' load earns no regrade here
        assert selftest.try_task(self.task_id, thorough=THOROUGH).faults == []


for _key in tasks.module_keys():
    for _task in tasks.tasks_of(_key):
        _name = f"TestTask_{_task.id.replace('.', '_')}"
        globals()[_name] = type(_name, (Opposition,), {"task_id": _task.id})
