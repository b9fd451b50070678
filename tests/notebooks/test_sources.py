"""The notebooks and their sources: nothing has drifted, everything was run, cards say what the tasks say."""

from __future__ import annotations

import re

import nbformat
import pytest

from dojo import authoring, quizzes, tasks
from dojo.places import COURSE, stem

KEYS = tasks.module_keys()
EXECUTED = sorted(p for folder in ("notebooks", "solutions") for p in (COURSE / folder).glob("*.ipynb"))
FRONT = {"title", "question", "objectives", "needs", "minutes_read", "minutes_do"}


def named(path):
    return f"{path.parent.name}/{path.name}"


def test_every_derived_file_is_what_its_source_gives():
    assert [str(d) for d in authoring.drift()] == []


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_every_code_cell_was_run_in_order_without_error_or_stderr(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in cells] == list(range(1, len(cells) + 1))
    outputs = [o for c in cells for o in c.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]


@pytest.mark.parametrize("path", EXECUTED, ids=named)
def test_outputs_hold_nothing_of_this_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|Users)/|0x[0-9a-f]{8,}|dojo-sync-", text)


@pytest.mark.parametrize("key", KEYS)
def test_the_cards_of_the_exercise_say_what_the_tasks_say(key):
    cards = authoring.task_headings(COURSE / "solutions" / f"{stem(key)}.md")
    assert cards == [{"id": t.id, "title": t.title, "minutes": t.minutes, "points": t.points} for t in tasks.tasks_of(key)]


@pytest.mark.parametrize("path", [COURSE / f / f"{stem(k)}.md" for k in KEYS for f in ("notebooks", "solutions")], ids=named)
def test_front_matter_is_whole_and_minutes_are_not_zero(path):
    front = authoring.read_source(path).metadata["dojo"]
    assert set(front) >= FRONT and front["minutes_read"] > 0 and front["minutes_do"] > 0
    assert front["objectives"] and front["question"].endswith("?")
    assert path.parent.name != "notebooks" or front["summary"]


@pytest.mark.parametrize("key", KEYS)
def test_a_quiz_has_three_questions_and_every_option_is_explained(key):
    questions = quizzes.load(key)
    assert len(questions) >= 3
    for question in questions:
        assert sum(o.right for o in question.options) == 1 and len(question.options) >= 3
        assert all(len(o.why) > 30 for o in question.options)


@pytest.mark.parametrize("key", [k for k in KEYS if not k.startswith("i")])
def test_an_exercise_is_between_45_and_90_minutes(key):
    minutes = sum(t.minutes for t in tasks.tasks_of(key))
    assert 5 <= len(tasks.tasks_of(key)) <= 8 and 45 <= minutes <= 90
