"""Every exercise runs to its end untouched, each check saying “not attempted”."""

from __future__ import annotations

import nbformat
import pytest

from dojo import authoring, tasks
from dojo.places import COURSE, stem


@pytest.mark.parametrize("key", tasks.module_keys())
def test_an_untouched_exercise_runs_and_nothing_is_attempted(key):
    path = COURSE / "exercises" / f"{stem(key)}.ipynb"
    run = authoring.execute(nbformat.read(path, as_version=4), path.parent)
    checks = {
        c.source: "".join(o["data"]["text/plain"] for o in c.outputs)
        for c in run.cells
        if c.cell_type == "code" and c.source.startswith("check(")
    }
    assert len(checks) == len(tasks.tasks_of(key))
    for source, said in checks.items():
        assert "Not attempted" in said.splitlines()[0], f"{source}: {said}"
        assert "[Passed]" not in said
