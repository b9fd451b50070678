"""The engine: five outcomes kept apart, one set of checks over two transports, plain values and nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pandas as pd
import pyarrow as pa
import pytest

from dojo import mutants, tasks
from dojo.feedback import as_html, as_text
from dojo.judge import plain, sql
from dojo.judge.contract import Check, NotYet, function
from dojo.judge.engine import judge, show
from dojo.judge.verdict import Outcome
from dojo.judge.work import KernelWork, LearnerError, NotCheckable, Stopped

PLAIN = [
    None,
    True,
    3,
    2.5,
    "text",
    b"bytes",
    [1, [2]],
    (1, 2),
    {"a": {1: 2}},
    {1, 2},
    Decimal("1.10"),
    dt.date(2025, 12, 1),
    dt.datetime(2025, 12, 1, 7, 41),
    dt.time(8),
    dt.timedelta(minutes=5),
    dt.datetime(2025, 12, 1, 7, 41, tzinfo=dt.UTC),
]


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


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        (lambda: 1, "function"),
        (open, "builtin_function_or_method"),
        (type, "type"),
        (Fraction(1, 3), "fractions.Fraction"),
    ],
)
def test_what_is_not_plain_is_named(value, name):
    with pytest.raises(plain.NotPlain, match=f"the type `{name}` cannot be compared"):
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


def never_called(work, data):
    raise AssertionError("a check was called though what it builds on had not passed")


@pytest.mark.parametrize(
    ("after", "outcome"), [(None, Outcome.NOT_JUDGED), (("doubles a number",), Outcome.NOT_JUDGED), ((), Outcome.PASSED)]
)
def test_a_check_is_judged_when_what_it_builds_on_has_passed(toy, after, outcome):
    second = Check("second", (lambda w, d: None) if outcome is Outcome.PASSED else never_called, after=after)
    report = judge(replace(toy, checks=(toy.checks[0], second)), KernelWork({"double": lambda n: 0}, None))
    assert report.verdicts[1].outcome is outcome
    assert outcome is Outcome.PASSED or report.verdicts[1].said == "First: doubles a number."
    assert report.points == (1 if outcome is Outcome.PASSED else 0)


def test_the_first_premise_that_fell_is_named_through_a_chain(toy):
    checks = (toy.checks[0], Check("second", never_called), Check("third", never_called, after=("second",)))
    report = judge(replace(toy, checks=checks), KernelWork({"double": lambda n: 0}, None))
    assert [v.said for v in report.verdicts[1:]] == ["First: doubles a number."] * 2


def test_what_reads_the_same_is_told_apart_or_not_shown(toy):
    def refused(expected, got):
        def look(work, data):
            raise NotYet("No.", expected=expected, got=got)

        return judge(replace(toy, checks=(Check("c", look),)), KernelWork({}, None)).verdicts[0]

    apart = refused(1, "1")
    assert (apart.expected, apart.got, apart.flaw) == ("1 (a whole number)", "1 (a text)", "")
    same = refused("1", "1")
    assert (same.expected, same.got) == ("", "") and "read the same" in same.flaw


def test_the_machine_s_time_zone_decides_nothing_and_is_named(toy):
    def at_noon(work, data):
        got = work.call("local_hour", dt.datetime(2025, 12, 1, 11, tzinfo=dt.UTC))
        if got != 12:
            raise NotYet("Not noon.", expected=12, got=got, cause="hour")

    task = replace(toy, deliver=(function("local_hour"),), checks=(Check("c", at_noon),))
    by_machine = judge(task, KernelWork({"local_hour": lambda t: t.astimezone().hour}, None)).verdicts[0]
    assert by_machine.cause == "machine-zone" and "Europe/Berlin" in by_machine.said
    assert judge(task, KernelWork({"local_hour": lambda t: 12}, None)).passed
    assert judge(task, KernelWork({"local_hour": lambda t: t.hour}, None)).verdicts[0].cause == "hour"


def test_work_is_asked_once_for_a_key_also_where_it_fails():
    work, asked = KernelWork({}, None), []

    def fails():
        asked.append(1)
        raise NotYet("no")

    for _ in range(2):
        with pytest.raises(NotYet):
            work.once("key", fails)
    assert asked == [1] and work.once("other", lambda: 3) == 3


def test_official_seeds_repeat_with_their_secret_and_keep_their_place(toy):
    drawn = [toy.official_seeds(secret) for secret in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert all(100 <= seed <= 99_999 for seeds in drawn for seed in seeds)
    assert [[seed % 12 for seed in seeds] for seeds in drawn] == [[seed % 12 for seed in toy.seeds]] * 3


def test_a_long_text_keeps_its_ends_and_whole_lines():
    text = "\n".join(f"line {n} " + "x" * 60 for n in range(40))
    shown = show(text)
    assert shown.startswith("line 0 ") and shown.splitlines()[-1].startswith("line 39 ")
    assert all(line in text or line.startswith("… ") for line in shown.splitlines())
