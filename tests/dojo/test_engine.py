"""The engine: five outcomes kept apart, one set of checks over two transports, plain values and nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from dojo import mutants, tasks
from dojo.feedback import as_html, as_text
from dojo.judge import plain, sql
from dojo.judge.contract import Check
from dojo.judge.engine import judge
from dojo.judge.verdict import Outcome
from dojo.judge.work import KernelWork, LearnerError, NotCheckable, Stopped

PLAIN = [
    None, True, 3, 2.5, "text", b"bytes", [1, [2]], (1, 2), {"a": {1: 2}}, {1, 2}, Decimal("1.10"),
    dt.date(2025, 12, 1), dt.datetime(2025, 12, 1, 7, 41), dt.time(8), dt.timedelta(minutes=5),
    dt.datetime(2025, 12, 1, 7, 41, tzinfo=dt.UTC),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_plain_value_survives_the_journey(value):
    assert plain.copy(value) == value and type(plain.copy(value)) is type(value)


def test_tables_and_numpy_values_survive_the_journey():
    frame = pd.DataFrame({"a": [1, 2], "t": ["x", None]})
    pd.testing.assert_frame_equal(plain.copy(frame), frame)
    assert plain.copy(pa.table({"a": [1]})).equals(pa.table({"a": [1]}))
    assert plain.copy(frame["a"].sum()) == 3 and type(plain.copy(frame["a"].sum())) is int
    assert plain.copy(pd.Series([1, 2])) == [1, 2]
    assert plain.copy([pd.NaT, pd.NA]) == [None, None]


@pytest.mark.parametrize("value", [object(), lambda: 1, open, type], ids=["object", "function", "builtin", "class"])
def test_what_is_not_plain_is_named(value):
    with pytest.raises(plain.NotPlain, match="cannot be compared"):
        plain.dumps(value)


def test_a_list_that_contains_itself_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(plain.NotPlain, match="nested"):
        plain.dumps(endless)


@pytest.mark.parametrize(
    ("names", "outcome"),
    [
        ({}, Outcome.NOT_ATTEMPTED),
        ({"double": ...}, Outcome.NOT_ATTEMPTED),
        ({"double": lambda n: n + 1}, Outcome.NOT_YET),
        ({"double": lambda n: 2 * n}, Outcome.PASSED),
    ],
    ids=["nothing", "ellipsis", "wrong", "right"],
)
def test_four_outcomes_are_kept_apart(toy, names, outcome):
    report = judge(toy, KernelWork(names, None))
    assert report.outcome is outcome
    assert (report.points == toy.points) == (outcome is Outcome.PASSED)


def test_what_this_machine_cannot_check_is_said_and_is_no_failure(toy):
    def needs_a_tool(work, data):
        raise NotCheckable("Needs a container engine: apt-get install podman.")

    report = judge(replace(toy, checks=(Check("builds", needs_a_tool),)), KernelWork({}, None))
    assert report.outcome is Outcome.NOT_CHECKABLE and "podman" in as_text(report)


def test_a_check_that_breaks_is_the_course_s_fault(toy):
    report = judge(replace(toy, checks=(Check("breaks", lambda w, d: 1 / 0),)), KernelWork({}, None))
    assert report.outcome is Outcome.NOT_CHECKABLE and "not yours" in as_text(report)


def test_a_constant_passes_one_data_set_and_fails_the_other(toy):
    assert judge(toy, KernelWork({"double": lambda n: 22}, None)).outcome is Outcome.NOT_YET


def test_a_function_cannot_spoil_the_judge_s_arguments(toy):
    seen = []

    def two_calls(work, data):
        rows = [1, 2]
        seen.append((work.call("double", rows), rows))

    judge(replace(toy, checks=(Check("c", two_calls),)), KernelWork({"double": lambda rows: rows.append(3)}, None))
    assert seen[0] == (None, [1, 2])


def test_the_report_is_html_without_the_learner_s_markup(toy):
    html = as_html(judge(toy, KernelWork({"double": lambda n: "<script>alert(1)</script>"}, None)))
    assert "<script>" not in html and 'aria-label="Verdict on task 90.1"' in html


def test_unknown_tasks_name_the_nearest(toy):
    with pytest.raises(tasks.UnknownTask, match=r"90\.1"):
        tasks.get("90.7")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("select nothing from t", LearnerError, "nothing"),
        ("select * from read_text('/etc/passwd')", LearnerError, "disabled"),
        ("copy t to '/tmp/out.csv'", LearnerError, "disabled"),
        ("set enable_external_access = true", LearnerError, "locked"),
        ("select count(*) from range(100000000) a, range(100000000) b where a.range + b.range = -1", Stopped, "longer than"),
    ],
)
def test_a_learner_s_query_stays_in_its_tables(text, error, words):
    with pytest.raises(error, match=words):
        sql.query({"t": pa.table({"a": [1]})}, text, seconds=0.5)


def test_mutants_of_python_sql_and_yaml_differ_from_the_original():
    made = mutants.of_python("def late(n):\n    return n > 8 and n < 20")
    assert len({m.text for m in made}) == len(made) >= 5
    assert any("where not" in m.text for m in mutants.of_file("a.sql", "select 1 from t where a > 2"))
    assert any("dropped" in m.what for m in mutants.of_file("a.yml", "tests: [unique, not_null]"))
    assert not any(m.text == "select 1 -- a > 2" for m in mutants.of_file("a.sql", "select 1 -- a > 2"))
