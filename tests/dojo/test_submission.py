"""One uploaded notebook: what is read from it, and what is said of files that are none."""

from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import nbformat
import pytest

from dojo import grading, submission
from dojo.feedback import as_text
from dojo.judge import cells, notebook_file
from dojo.judge.contract import file
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


# ---------------------------------------------------------------- odd JSON


def changed(*keys, to):
    """A change of the answer cell's JSON: what stands under the keys becomes `to`."""

    def change(made):
        place = made["cells"][1]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = to

    return change


ODD_JSON = {
    "tags null": (changed("metadata", "tags", to=None), True),
    "tags a number": (changed("metadata", "tags", to=5), True),
    "tags a text": (changed("metadata", "tags", to="task-90.1"), True),
    "tags of other kinds": (changed("metadata", "tags", to=[{"a": 1}, None, "task-90.1"]), True),
    "tags of no task": (changed("metadata", "tags", to=["task-", "task-90", "task-90.1.1", "answer"]), True),
    "metadata null": (changed("metadata", to=None), True),
    "metadata missing": (lambda made: made["cells"][1].pop("metadata"), True),
    "source in lines": (changed("source", to=["def double(n):\n", "    return 2 * n"]), True),
    "source of other kinds": (changed("source", to=[{"a": 1}, None, GOOD]), True),
    "source null": (changed("source", to=None), False),
    "source a number": (changed("source", to=5), False),
    "source missing": (lambda made: made["cells"][1].pop("source"), False),
    "a raw cell": (changed("cell_type", to="raw"), False),
    "a markdown cell": (changed("cell_type", to="markdown"), False),
    "outputs null": (changed("outputs", to=None), True),
    "attachments": (changed("attachments", to={"a.png": {"image/png": "x"}}), True),
    "cells that are none": (lambda made: made["cells"].extend([None, 5, "x", [], {}]), True),
    "ids twice": (lambda made: [c.__setitem__("id", "same") for c in made["cells"]], True),
    "no format": (lambda made: made.pop("nbformat"), True),
    "a format to come": (lambda made: made.__setitem__("nbformat", 99), True),
    "metadata of the notebook null": (lambda made: made.__setitem__("metadata", None), True),
    "not a number": (lambda made: made["metadata"].__setitem__("x", float("nan")), True),
}


@pytest.mark.parametrize(("change", "found"), ODD_JSON.values(), ids=ODD_JSON)
def test_odd_json_is_read_as_far_as_it_holds_an_answer(toy, tmp_path, change, found):
    made = json.loads(json.dumps(notebook("check('90.1')", (GOOD, "90.1"))))
    change(made)
    handed_in = submission.read(saved(tmp_path, made))
    assert handed_in.module == "90"
    assert [source for _, source in handed_in.answer(toy).cells if source] == ([GOOD] if found else [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"cells": {"a": 1}}', "no list of cells"),
        (b'{"cells": null, "worksheets": []}', "no list of cells"),
        (b"null", "holds a NoneType"),
        (b"[" * 100_000, "nested too deep"),
        ('{"cells": []}'.encode("utf-16"), "not UTF-8"),
    ],
)
def test_what_is_no_notebook_is_named_with_its_reason(tmp_path, content, words):
    path = tmp_path / "odd.ipynb"
    path.write_bytes(content)
    with pytest.raises(submission.NotANotebook, match=words):
        submission.read(path)


@pytest.mark.parametrize("change", [lambda b: b"\xef\xbb\xbf" + b, lambda b: b.replace(b"\n", b"\r\n")], ids=["BOM", "CRLF"])
def test_a_notebook_saved_by_an_odd_editor_is_read(toy, tmp_path, change):
    path = saved(tmp_path, notebook((GOOD, "90.1")))
    path.write_bytes(change(json.dumps(json.loads(path.read_text()), indent=1).encode()))
    assert submission.read(path).answer(toy).cells == [("cell 1", GOOD)]


# ---------------------------------------------------------------- notebooks that weigh too much


def long(source, cells=1):
    return notebook((GOOD, "90.1"), *[source] * cells)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: long("a = b", notebook_file.MAX_CELLS), "code cells; at most 5,000"),
        (lambda: long("a = 1\n" * 30_000, 8), "more than 1 MB of code"),
        (lambda: long("x = " + "+".join(["1"] * 200_000)), "more than 256 kB in its code cell 2"),
        (lambda: long("!ls\n" * 30_000), "more than 2 s to read"),
    ],
    ids=["cells", "code", "one cell", "time"],
)
def test_a_notebook_bomb_is_refused_with_words(tmp_path, monkeypatch, made, words):
    monkeypatch.setattr(notebook_file, "SECONDS", 2)
    with pytest.raises(submission.NotANotebook, match=words):
        submission.read(saved(tmp_path, made()))


def test_a_notebook_that_takes_too_much_memory_is_refused_with_words(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_file, "MEMORY", 150 << 20)
    made = saved(tmp_path, notebook((GOOD, "90.1")))
    made.write_text(made.read_text().replace('"metadata": {}', f'"metadata": {{"x": [{"[]," * 4_000_000}[]]}}', 1))
    with pytest.raises(submission.NotANotebook, match="of memory to read"):
        submission.read(made)


@pytest.mark.parametrize(
    "source",
    [
        "x = " + "-" * 200_000 + "1",
        "x = " + "(" * 100_000 + ")" * 100_000,
        "x" + ".a" * 100_000,
        "\0",
        "'\ud800'",
        "?" * 1000,
    ],
    ids=["minus", "brackets", "dots", "null byte", "half a character", "question marks"],
)
def test_a_cell_that_python_chokes_on_costs_only_itself(toy, sandbox, tmp_path, source):
    assert graded(toy, sandbox, saved(tmp_path, notebook(source, (GOOD, "90.1")))).passed


def test_each_cell_is_read_once(toy, monkeypatch):
    """Whatever hangs on whatever: with twice the cells there is twice the work."""
    looked_at = []
    real = cells.read
    monkeypatch.setattr(cells, "read", lambda source: looked_at.append(source) or real(source))
    names = [f"v{n}" for n in range(300)]
    sources = [f"{name} = {before} + 1" for name, before in zip(names[1:], names, strict=False)] + ["v0 = 1"]
    made = [submission.Cell(n, source, ()) for n, source in enumerate(sources, 1)]
    answer = submission.Cell(len(made) + 1, f"def double(n):\n    return 2 * n if {' + '.join(names)} else 0", ("90.1",))
    handed_in = submission.Submission((*made, answer), "90")
    assert len(handed_in.answer(toy).cells) == len(made) + 1
    handed_in.answer(toy)
    assert len(looked_at) == len(made) + 1


# ---------------------------------------------------------------- which cells are the answer

WRONG = "def double(n):\n    return n"
STUB = 'def double(n):\n    """Twice."""\n    raise NotImplementedError("your turn")'


@pytest.mark.parametrize(
    ("given", "last"),
    [
        ([(STUB, "90.1"), GOOD], GOOD),
        ([GOOD, (STUB, "90.1")], GOOD),
        ([(WRONG, "90.1"), GOOD, "check('90.1')"], GOOD),
        ([(WRONG, "90.1"), "check('90.1')", GOOD], GOOD),
        ([(GOOD, "90.1"), "check('90.1')", "double = double(2)"], GOOD),
        ([(STUB, "90.1"), "check('90.1')", "double = lambda n: 2 * n"], "double = lambda n: 2 * n"),
        ([(GOOD, "90.1"), "def double(n:\n    pass"], GOOD),
        ([(GOOD, "90.1"), "del double"], GOOD),
        ([(GOOD, "90.1"), "double: object"], GOOD),
        ([(STUB, "90.1"), (STUB, "90.1")], STUB),
    ],
)
def test_the_last_definition_that_is_no_stub_counts(toy, given, last):
    made = [submission.Cell(n, *(c if isinstance(c, tuple) else (c, ()))) for n, c in enumerate(given, 1)]
    made = [submission.Cell(c.number, c.source, (c.tasks,) if isinstance(c.tasks, str) else c.tasks) for c in made]
    assert submission.Submission(tuple(made), "90").answer(toy).cells[-1][1] == last


@pytest.mark.parametrize(
    ("source", "bound", "needed"),
    [
        ("import a.b, c as d\nfrom e import f as g", "a d g", ""),
        ("for i in y: pass\nelse: z = 1", "i z", "y"),
        ("with a(p) as h, q as (k, l): pass", "h k l", "a p q"),
        ("try: pass\nexcept E as e: pass", "e", "E"),
        ("match v:\n    case {'k': p, **r}: pass\n    case [s, *t]: pass", "p r s t", "v"),
        ("if (w := n): pass\n[x for x in y if (u := x)]", "w u", "n y"),
        ("t += 1", "t", "t"),
        ("t = 1\nt += 1", "t", ""),
        ("f = c(f)", "f", "c f"),
        ("del x", "", ""),
        ("x = 1\ndel x", "x", ""),
        ("x: T", "", "T"),
        ("x: T = 1", "x", "T"),
        ("def f(a=b):\n    global G\n    G = d\n    def g(): return e\n    return g", "f G", "b d e"),
        ("@k\nclass A(B):\n    x: T = m\n    def n(self): return o, x", "A", "k B T m o x"),
        ("lambda p: p + q", "", "q"),
        ("x = await y\nasync with z as v: pass", "x v", "y z"),
        ("x = [await y() async for a in b()]", "x", "y b"),
        ("c['a'] = 1\nd.append(2)\ne.f.g = 3", "", "c d e"),
        ("%time x = y", "x", "y"),
        ("%%time\nx = y", "x", "y"),
        ("%%capture o\nx = y", "x o", "y"),
        ("%%bash\nx=y", "", ""),
        ("def f():\n    %time z = y", "f z", "y"),
        ("größe = maß", "größe", "maß"),
    ],
)
def test_the_names_a_cell_binds_and_needs(source, bound, needed):
    reading = cells.read(source)
    assert set(reading.bound) == set(bound.split())
    assert {name for name in reading.needed if name != "get_ipython" and not name.endswith(".py")} == set(needed.split())


# ---------------------------------------------------------------- files

SIGNS = "a: 1\x0cb\x1cc\x85d\u2028e\re\r\nf\n\n"


def test_a_file_keeps_its_bytes(toy):
    task = replace(toy, deliver=(file("docs/a.yml"),))
    for line in ("docs/a.yml", " ./docs//a.yml ", "'docs/a.yml'"):
        made = submission.Cell(1, f"%%workfile {line}\n{SIGNS}", ("90.1",))
        assert submission.Submission((made,), "90").answer(task).files == {"docs/a.yml": SIGNS}


@pytest.mark.parametrize(
    ("path", "text", "untouched"),
    [
        ("a.yml", "# your turn\n", True),
        ("a.yml", "# a\u2028b: 1\n", True),
        ("a.yml", "a: 1\n", False),
        ("a.py", f"import os\n\n\n{STUB}\n", True),
        ("a.py", f"{STUB}\n\n\n{GOOD}\n", False),
        ("a.py", f"LIMIT = 3\n{STUB}\n", False),
        ("a.py", "def f(:\n", False),
        ("a.yml", STUB, False),
    ],
)
def test_a_stub_is_told_from_work(path, text, untouched):
    assert cells.is_untouched(path, text) is untouched


def test_the_last_file_that_is_no_stub_counts(toy):
    task = replace(toy, deliver=(file("a.yml"),))
    texts = ("# your turn\n", "a: 1\n", "# your turn\n")
    made = [submission.Cell(n, f"%%workfile a.yml\n{t}", ("90.1",) if n == 1 else ()) for n, t in enumerate(texts)]
    assert submission.Submission(tuple(made), "90").answer(task).files == {"a.yml": "a: 1\n"}


def test_a_file_of_two_tasks_is_each_task_s_own(toy):
    one, two = (replace(toy, id=f"90.{n}", deliver=(file("a.yml"),)) for n in (1, 2))
    made = [submission.Cell(n, f"%%workfile a.yml\na: {n}\n", (f"90.{n}",)) for n in (1, 2)]
    handed_in = submission.Submission(tuple(made), "90")
    assert [handed_in.answer(t).files["a.yml"] for t in (one, two)] == ["a: 1\n", "a: 2\n"]


# ---------------------------------------------------------------- what a grade says


def test_what_a_terminal_cannot_show_costs_no_grade(toy, tmp_path, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="cp437", errors="strict"))
    source = "def double(n):\n    raise ValueError('5 \u20ac \\ud800')"
    assert grading.main(saved(tmp_path, notebook((source, "90.1")))) == 0
    sys.stdout.flush()
    assert "5 \\u20ac \\ud800" in shown.getvalue().decode("cp437")


def test_an_answer_that_hands_back_a_stand_in_is_told_so(toy, sandbox, tmp_path):
    source = "shop = start('90')\ndef double(n):\n    return shop.sql('select 1').value * n"
    report = graded(toy, sandbox, saved(tmp_path, notebook((source, "90.1"))))
    assert report.outcome is Outcome.NOT_YET and "NotInGrading" in report.verdicts[0].said


def test_a_stand_in_is_no_number(toy, sandbox, tmp_path):
    source = "shop = start('90')\ndef double(n):\n    return int(shop.sql('select 1').value) * n"
    report = graded(toy, sandbox, saved(tmp_path, notebook((source, "90.1"))))
    assert report.outcome is Outcome.NOT_YET and "works on its arguments" in report.verdicts[0].said


def test_a_statement_over_a_stand_in_is_passed_over_and_one_s_own_mistake_is_not(toy, sandbox, tmp_path):
    over = "rows = shop.sql('x').rows\nfirst, *rest = rows[0]\nfor day in rows:\n    pass\nassert first + int(day) == 3\n"
    assert graded(toy, sandbox, saved(tmp_path, notebook((over + GOOD, "90.1")))).passed
    report = graded(toy, sandbox, saved(tmp_path, notebook((over + "assert 1 == 2\n" + GOOD, "90.1"))))
    assert report.outcome is Outcome.NOT_YET and report.verdicts[0].look == "The line reads: assert 1 == 2"


def test_where_a_reader_cannot_be_forked_one_is_started(toy, tmp_path, monkeypatch):
    path = saved(tmp_path, notebook((GOOD, "90.1"), "%%workfile a.yml\na: 1"))
    assert notebook_file._started(path) == notebook_file._forked(path)
    monkeypatch.setattr(notebook_file, "WAIT", 0)
    for read in (notebook_file._started, notebook_file._forked):
        with pytest.raises(TimeoutError):
            read(path)


def test_a_busy_machine_is_said_to_be_one(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook_file, "WAIT", 0)
    with pytest.raises(submission.NotANotebook, match="because this machine is busy"):
        submission.read(saved(tmp_path, notebook((GOOD, "90.1"))))
