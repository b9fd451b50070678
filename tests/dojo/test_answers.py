"""Answers are read by type first, each refusal with the learner's own value in it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

from dojo.judge.contract import NotYet
from dojo.tasks import answers

GOOD = [
    (answers.as_euros, ("12.5",), Decimal("12.50")),
    (answers.as_euros, (None,), None),
    (answers.number, (Decimal("1.5"), "It"), 1.5),
    (answers.whole_number, (3.0, "It"), 3),
    (answers.truth, (False, "It"), False),
    (answers.calendar_day, ("2025-12-01", "It"), dt.date(2025, 12, 1)),
    (answers.calendar_day, (dt.datetime(2025, 12, 1), "It"), dt.date(2025, 12, 1)),
    (answers.moment, (dt.datetime(2025, 12, 1, 7, tzinfo=dt.UTC), "It", "Europe/Berlin"), dt.datetime(2025, 12, 1, 8)),
    (answers.clock_time, ("8:00", "It"), dt.time(8)),
    (answers.clock_time, (480, "It"), dt.time(8)),
    (answers.texts, (("a", "b"), "It"), ["a", "b"]),
    (answers.rows, ([[1, 2]], "It", ("a", "b")), [(1, 2)]),
    (answers.rows, (pd.DataFrame({"b": [2], "a": [1]}), "It", ("a", "b")), [(1, 2)]),
]
BAD = [
    (answers.as_euros, (True,), "truth value"),
    (answers.as_euros, ("1,234.50",), "number"),
    (answers.as_euros, (float("nan"),), "number"),
    (answers.number, ("3", "It"), "it is a text"),
    (answers.number, (float("inf"), "It"), "inf"),
    (answers.whole_number, (2.5, "It"), "whole number"),
    (answers.truth, ("true", "It"), "without quotes"),
    (answers.truth, (1, "It"), "it is a whole number"),
    (answers.calendar_day, ("8 November 2025", "It"), "2025-12-01"),
    (answers.calendar_day, (dt.datetime(2025, 12, 1, 7), "It"), "without a time"),
    (answers.moment, ("07:00", "It", "Europe/Berlin"), "it is a text"),
    (answers.clock_time, (8, "It"), "time of day"),
    (answers.clock_time, ("08:00+01:00", "It"), "wall-clock"),
    (answers.texts, ("a, b", "It"), "one text"),
    (answers.texts, ([1], "It"), "a whole number where a text"),
    (answers.rows, ([1], "It", ("a", "b")), "1 where a"),
    (answers.rows, (None, "It", ("a", "b")), "it is None"),
    (answers.mapping, ({"a": 1}, "It", ("a", "b")), "no `b`"),
    (answers.mapping, ("a: 1", "It", ("a",)), "mapping with `a`"),
]


@pytest.mark.parametrize(("read", "arguments", "wanted"), GOOD)
def test_what_is_meant_is_taken(read, arguments, wanted):
    assert read(*arguments) == wanted


@pytest.mark.parametrize(("read", "arguments", "words"), BAD)
def test_what_is_of_another_kind_is_said(read, arguments, words):
    with pytest.raises(NotYet) as refused:
        read(*arguments)
    assert words in refused.value.said and refused.value.cause


YAML = [
    ("a: [1, 2\nb: 3\n", "line 2: b: 3", "bracket"),
    ("a:\n  - x\n - y\n", "line 3:  - y", "indent"),
    ("a: 1\n\tb: 2\n", "line 2: \tb: 2", "tab"),
    ("a: *nowhere\n", "line 1: a: *nowhere", ""),
]


@pytest.mark.parametrize(("text", "line", "advice"), YAML)
def test_a_broken_yaml_file_shows_its_line_and_no_cause_that_is_not_known(text, line, advice):
    with pytest.raises(NotYet) as refused:
        answers.parse_yaml(text, "a.yml")
    assert refused.value.got == line and (advice in refused.value.look if advice else refused.value.look == "")


def test_a_mistake_is_named_when_it_explains_the_whole_answer():
    known = {"half": ("You halve it.", 0.5), "twice": ("You double it.", 2)}
    otherwise = ("Another number.", "amount")
    assert answers.diagnosis(known, lambda factor: 4 * factor == 8, otherwise) == ("You double it.", "twice")
    assert answers.diagnosis(known, lambda factor: 4 * factor == 9, otherwise) == otherwise
