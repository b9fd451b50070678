"""What an author reads when a notebook or a starting state cannot be made: where, what, and what to do."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.sign import NotebookNotary

from dojo import authoring, prepare, tasks, workspace
from dojo.authoring import AuthoringError
from dojo.places import COURSE
from dojo.workspace import WorkspaceError

SOURCE = """---
title: Broken
---

# Broken

```{code-cell}
import os
```

```{code-cell}
:tags: [answer]
# what breaks
%s
```
"""


@pytest.fixture
def broken(tmp_path):
    """Writes a source whose second cell is what is given, and runs it."""

    def run(cell: str):
        source = tmp_path / "solutions" / "90-broken.md"
        source.parent.mkdir(exist_ok=True)
        source.write_text(SOURCE % cell, encoding="utf-8")
        return authoring.execute(authoring.read_source(source), source)

    return run


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("int('twelve')", "ValueError: invalid literal for int() with base 10: 'twelve'"),
        ("raise RuntimeError('first line\\nlast line')", "RuntimeError: last line"),
        ("import sys; print('no', file=sys.stderr)", "writes to stderr"),
        ("os._exit(3)", "the kernel ended while it ran"),
    ],
    ids=["raises", "many lines", "stderr", "dies"],
)
def test_a_notebook_that_does_not_run_is_told_in_two_lines(broken, cell, words):
    with pytest.raises(AuthoringError) as told:
        broken(cell)
    first, last = str(told.value).splitlines()
    assert first.startswith("solutions/90-broken.md:13, code cell 2 (`# what breaks`): ") and words in first
    assert "make sync" in last


def test_a_cell_that_does_not_end_is_told(broken, monkeypatch):
    monkeypatch.setattr(authoring, "CELL_SECONDS", 1)
    with pytest.raises(AuthoringError, match=r"code cell 2 .*ran longer than 1 s"):
        broken("while True: pass")


def test_a_derived_file_that_is_no_notebook_is_drift_and_not_a_traceback(tmp_path):
    (tmp_path / "x.ipynb").write_text("<<<<<<< HEAD\n{}\n", encoding="utf-8")
    assert authoring._stripped(tmp_path / "x.ipynb") == ""


def test_a_state_that_cannot_be_built_is_a_line_and_the_others_are_built(learner, monkeypatch, capsys):
    def checkpoint_of(key):
        if key == "00":
            raise WorkspaceError("ShopFlow could not be set up: no space. It needs about 200 MB of free disk.")
        if key == "11":
            raise KeyError("raw.orders")
        return learner / key / "state"

    monkeypatch.setattr(prepare, "checkpoint_of", checkpoint_of)
    monkeypatch.setattr(tasks, "module_keys", lambda: ["00", "11", "i01"])
    assert prepare.main() == 1
    out, err = capsys.readouterr()
    assert "starting state of i01-silent-failure: ready" in out
    assert "Traceback" not in err and len(err.splitlines()) == 2
    assert "00-start-here: not built. ShopFlow could not be set up: no space." in err
    assert "11-slo: not built. KeyError: 'raw.orders'" in err and "prepare.log" in err
    assert "Traceback" in (learner / "prepare.log").read_text(encoding="utf-8")


def test_a_full_disk_while_preparing_is_told_by_its_cause(learner, monkeypatch, capsys):
    def full(root):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspace, "builder_of", lambda key: full)
    monkeypatch.setattr(
        workspace.inspect if hasattr(workspace, "inspect") else __import__("inspect"), "getsource", lambda _: ""
    )
    monkeypatch.setattr(tasks, "module_keys", lambda: ["00"])
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(learner / "states"))
    assert prepare.main() == 1
    assert "free disk" in capsys.readouterr().err


def test_starting_states_of_earlier_versions_go_and_nothing_else_does(learner, monkeypatch):
    states = learner / "states"
    for name in ("company-now", "company-before", "somebody-elses"):
        (states / name / "state").mkdir(parents=True)
    for name in ("company-now", "company-before"):
        (states / name / "ready").touch()
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(states))
    monkeypatch.setattr(prepare, "checkpoint_of", lambda key: states / "company-now" / "state")
    prepare.clear_old()
    assert sorted(folder.name for folder in states.iterdir()) == ["company-now", "somebody-elses"]


def test_jupyter_trusts_the_lessons_so_their_pictures_show_before_anything_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    path = next((COURSE / "notebooks").glob("00-*.ipynb"))
    notebook = nbformat.read(path, as_version=4)
    assert not NotebookNotary().check_signature(notebook)
    prepare.trust()
    assert NotebookNotary().check_signature(notebook)
