"""The map of the course: each module's state, what is next, and a page that reads without colours."""

from __future__ import annotations

import re

import pytest

from dojo import course_map, notebook, tasks
from dojo.course_map import Room
from dojo.record import Progress
from dojo.verdict import Outcome, TaskReport, Verdict


def room(*states: str) -> Room:
    return Room("00", "00-start-here", "Start: here", tuple((f"00.{n}", "t", s) for n, s in enumerate(states, 1)), 1, 2, 30)


@pytest.mark.parametrize(
    ("states", "state", "next_task"),
    [
        (("open", "open"), "open", "00.1"),
        (("solved", "open"), "under way", "00.2"),
        (("shown", "tried"), "under way", "00.2"),
        (("solved", "shown"), "done", None),
    ],
)
def test_a_room_says_how_far_it_is_and_what_is_next(states, state, next_task):
    assert room(*states).state == state
    assert (room(*states).next_task or (None,))[0] == next_task


def test_the_map_begins_at_the_first_open_task_and_moves_on(learner):
    kept = Progress(learner / "progress.sqlite")
    first, second = tasks.tasks_of("00")[:2]
    assert f">{first.id} " in course_map.as_html(course_map.rooms(kept)).split("Next: ")[1][:120]
    passed = Verdict(first.checks[0].name, Outcome.PASSED, "")
    kept.record(TaskReport(first.id, first.title, (passed,), first.points, first.points, 1.0))
    rooms = course_map.rooms(kept)
    assert rooms[0].points == first.points
    assert f">{second.id} " in course_map.as_html(rooms).split("Next: ")[1][:120]


def test_every_module_has_a_room_with_its_minutes(learner):
    rooms = course_map.rooms(Progress(learner / "progress.sqlite"))
    assert [r.key for r in rooms] == tasks.module_keys()
    assert all(r.minutes_left == sum(t.minutes for t in tasks.tasks_of(r.key)) for r in rooms)


def test_states_are_words_as_well_as_signs_and_links_lead_to_files(learner):
    shown = notebook.progress()._repr_html_()
    from dojo.places import COURSE

    assert "00.1 open" in shown
    links = re.findall(r'href="\.\./([^"]+)"', shown)
    assert len(links) == len(tasks.module_keys()) + 1
    assert [link for link in links if not (COURSE / link).exists()] == []
