"""One uploaded notebook: what is read from it, and what is said of files that are none."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from dojo import grading, submission
from dojo.feedback import as_text
from dojo.judge.sandbox import Sandbox
from dojo.judge.verdict import Outcome

GOOD = "def double(n):\n    return 2 * n"


def notebook(*cells, tags=True, version=(4, 5)):
    """A notebook of code cells; a cell is a source, or (source, task)."""
    made = nbformat.v4.new_notebook()
    for cell in cells:
        source, task = cell if isinstance(cell, tuple) else (cell, None)
        made.cells.append(
            nbformat.v4.new_code_cell(source, metadata={"tags": ["answer", f"task-{task}"]} if task and tags else {})
        )
    made.nbformat_minor = version[1]
    if version[1] < 5:
        for cell in made.cells:
            cell.pop("id", None)
    return made


def saved(tmp_path, made, name="90-toy.ipynb"):
    path = tmp_path / name
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def graded(toy, sandbox, path):
    return grading.grade(submission.read(path), path.name, sandbox).reports[0]


@pytest.mark.parametrize("version", [(4, 5), (4, 4), (4, 0)])
def test_a_notebook_of_another_jupyter_version_is_read(toy, sandbox, tmp_path, version):
    path = saved(tmp_path, notebook(("check('90.1')", None), (GOOD, "90.1"), version=version))
    assert graded(toy, sandbox, path).passed


def test_a_notebook_of_format_3_is_read(toy, sandbox, tmp_path):
    old = nbformat.convert(notebook((GOOD, "90.1"), ("check('90.1')", None)), 3)
    assert graded(toy, sandbox, saved(tmp_path, old)).passed


def test_a_cell_that_lost_its_tag_is_found_by_the_name_it_defines(toy, sandbox, tmp_path):
    path = saved(tmp_path, notebook((GOOD, "90.1"), ("check('90.1')", None), tags=False))
    assert graded(toy, sandbox, path).passed


def test_a_deleted_answer_cell_is_not_attempted(toy, sandbox, tmp_path):
    report = graded(toy, sandbox, saved(tmp_path, notebook("check('90.1')")))
    assert report.outcome is Outcome.NOT_ATTEMPTED and report.points == 0


def test_a_renamed_function_is_not_attempted_and_the_wanted_name_is_said(toy, sandbox, tmp_path):
    report = graded(toy, sandbox, saved(tmp_path, notebook((GOOD.replace("double", "twice"), "90.1"), "check('90.1')")))
    assert report.outcome is Outcome.NOT_ATTEMPTED and "`double`" in report.verdicts[0].said


def test_an_answer_may_use_what_another_cell_defines(toy, sandbox, tmp_path):
    cells = ["import math", "factor = math.gcd(4, 6)", ("def double(n):\n    return factor * n", "90.1"), "check('90.1')"]
    assert graded(toy, sandbox, saved(tmp_path, notebook(*cells))).passed


def test_an_endless_cell_elsewhere_costs_nothing(toy, sandbox, tmp_path):
    assert graded(toy, sandbox, saved(tmp_path, notebook("while True: pass", (GOOD, "90.1"), "1 / 0"))).passed


def test_a_syntax_error_is_told_with_its_line(toy, sandbox, tmp_path):
    report = graded(toy, sandbox, saved(tmp_path, notebook(("def double(n)\n    return 2 * n", "90.1"))))
    assert report.outcome is Outcome.NOT_YET and "line 1" in report.verdicts[0].said


def test_an_answer_of_the_wrong_type_is_told_so(toy, sandbox, tmp_path):
    report = graded(toy, sandbox, saved(tmp_path, notebook(("double = 4", "90.1"))))
    assert "must be a function" in report.verdicts[0].said


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.ipynb", b"", "is empty"),
        ("photo.ipynb", b"\x89PNG\r\n\x1a\n\x00\x00", "not a notebook"),
        ("half.ipynb", b'{"cells": [', "not a notebook"),
        ("list.ipynb", b"[]", "not a notebook"),
        ("other.ipynb", b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', "not an exercise"),
    ],
)
def test_what_is_no_exercise_is_named(toy, tmp_path, capsys, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    assert grading.main(path) == 2
    assert words in capsys.readouterr().out


def test_a_missing_file_is_named(tmp_path, capsys):
    assert grading.main(tmp_path / "none.ipynb", as_json=True) == 2
    assert "no file" in json.loads(capsys.readouterr().out)["error"]


def test_without_walls_the_grade_says_so(toy, tmp_path, monkeypatch):
    from dojo.judge import sandbox as module

    monkeypatch.setattr(module, "isolation", lambda: "not isolated: for the test")
    with Sandbox() as open_air:
        report = graded(toy, open_air, saved(tmp_path, notebook((GOOD, "90.1"))))
    assert report.passed and report.isolated is False and "not isolated" in as_text(report)


def test_without_walls_two_sandboxes_leave_each_other_s_files_alone(toy, tmp_path, monkeypatch):
    from dojo.judge import sandbox as module

    monkeypatch.setattr(module, "isolation", lambda: "not isolated: for the test")
    keeps = "import time\ndef double(n):\n    open('note', 'w').write(str(n))\n    time.sleep(0.02)\n    return 2 * int(open('note').read())"
    path = saved(tmp_path, notebook((keeps, "90.1")))
    with Sandbox() as one, Sandbox() as two, ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            assert all(pool.map(lambda box: graded(toy, box, path).passed, (one, two)))
