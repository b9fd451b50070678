"""Every task against itself: stub refused, solution and odd right answers accepted, wrong ones refused for their cause."""

from __future__ import annotations

import pytest

from dojo import selftest, tasks

IDS = [t.id for key in tasks.module_keys() for t in tasks.tasks_of(key)]


@pytest.mark.parametrize("task_id", IDS)
def test_a_task_stands_its_own_opposition(task_id):
    result = selftest.try_task(task_id)
    assert result.faults == []
    killed, of = result.killed
    assert killed >= selftest.KILL_RATE * of - 1, result.survivors
