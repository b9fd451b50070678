"""One notebook, one verdict: what `check` says in a kernel and what `dojo grade` says of the saved file."""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell

from dojo import grading, notebook, submission, tasks
from tests.dojo.odd_notebooks import ODD, Odd


class Kernel(InteractiveShell):
    """IPython's shell without a terminal, which answers as a kernel under JupyterLab does."""

    def ask_exit(self):
        """A kernel that is asked to leave finishes its cell first."""


@pytest.fixture(scope="module")
def learner(tmp_path_factory):
    """A learner's folder for all notebooks; what one hands in as a file is gone before the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOJO_HOME", str(tmp_path_factory.mktemp("learner")))
        yield patch


@pytest.fixture
def kernel(learner, monkeypatch, tmp_path):
    """A fresh kernel in which nothing of the course is open."""
    for kept in (notebook._shops, notebook._current, notebook._failed):
        kept.clear()
    Kernel.clear_instance()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module = type(sys)("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    monkeypatch.setattr(builtins, "input", lambda prompt="": "")
    shell = Kernel.instance(user_module=module, user_ns=vars(module))
    yield shell
    shell.history_manager.end_session()
    Kernel.clear_instance()
    for shop in notebook._shops.values():
        for path in ("docs/promise.yml", "docs/promises.yml"):
            (shop.path / path).unlink(missing_ok=True)


def in_kernel(shell: Kernel, odd: Odd):
    """{task: report} after Run All, each asked for at the end."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for cell in odd.cells:
            shell.run_cell(cell[0] if isinstance(cell, tuple) else cell, store_history=True)
        return {task: shell.run_cell(f"check({task!r})").result for task in odd.says}


def told(report):
    """Outcome and points of a report, and of each check its outcome and cause."""
    return str(report.outcome), report.points, [(v.check, str(v.outcome), v.cause) for v in report.verdicts]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_a_notebook_gets_the_same_verdict_from_both(odd, kernel, sandbox, tmp_path):
    path = tmp_path / "odd.ipynb"
    path.write_text(json.dumps(odd.notebook()), encoding="utf-8")
    handed_in = submission.read(path)
    here = in_kernel(kernel, odd)
    for task, outcome in odd.says.items():
        graded = grading.grade_answer(tasks.get(task), handed_in.answer(tasks.get(task)), sandbox)
        assert told(graded) == told(here[task]), f"{graded!r}\n{here[task]!r}"
        assert str(graded.outcome) == outcome, repr(graded)


def test_there_are_notebooks_enough():
    assert len(ODD) >= 40 and len({odd.name for odd in ODD}) == len(ODD)
