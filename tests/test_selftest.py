"""Every task against itself: stub refused, solution and odd right answers accepted, wrong ones refused for their cause."""

from __future__ import annotations

from dojo import selftest, tasks


class Opposition:
    """All tasks of one module: a class a module, so that modules are shared out between workers."""

    key = ""

    def test_each_task_stands_its_own_opposition(self, task_id):
        result = selftest.try_task(task_id)
        assert result.faults == []
        killed, of = result.killed
        assert killed >= selftest.KILL_RATE * of - 1, result.survivors


def pytest_generate_tests(metafunc):
    metafunc.parametrize("task_id", [t.id for t in tasks.tasks_of(metafunc.cls.key)])


for _key in tasks.module_keys():
    globals()[f"TestModule_{_key}"] = type(f"TestModule_{_key}", (Opposition,), {"key": _key})
