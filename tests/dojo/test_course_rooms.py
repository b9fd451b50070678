"""The map of the course: each module's state, what is next, and a page that reads without colours."""

from __future__ import annotations

import re

import pytest

from dojo import course_rooms, notebook, tasks
from dojo.course_rooms import Card, Room
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.record import Progress


def room(*states: str) -> Room:
    cards = (Card(f"00.{n}", "t", state, 15, 2, 1.0, ("says so",), 3, 0) for n, state in enumerate(states, 1))
    return Room("00", "00-start-here", "Start: here", tuple(cards))


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
    assert getattr(room(*states).next_task, "id", None) == next_task


def test_the_map_begins_at_the_first_open_task_and_moves_on(learner):
    kept = Progress(learner / "progress.sqlite")
    first, second = tasks.tasks_of("00")[:2]
    assert f">{first.id} " in course_rooms.as_html(course_rooms.rooms(kept)).split("Next: ")[1][:120]
    passed = Verdict(first.checks[0].name, Outcome.PASSED, "")
    kept.record(TaskReport(first.id, first.title, (passed,), first.points, first.points, 1.0))
    rooms = course_rooms.rooms(kept)
    assert rooms[0].points == first.points
    assert f">{second.id} " in course_rooms.as_html(rooms).split("Next: ")[1][:120]


def test_every_module_has_a_room_with_its_minutes(learner):
    rooms = course_rooms.rooms(Progress(learner / "progress.sqlite"))
    assert [r.key for r in rooms] == tasks.module_keys()
    assert all(r.minutes_left == sum(t.minutes for t in tasks.tasks_of(r.key)) for r in rooms)


def test_states_are_words_as_well_as_signs_and_links_lead_to_files(learner):
    shown = notebook.progress()._repr_mimebundle_()["text/html"]
    from dojo.places import COURSE

    assert "00.1 open" in shown
    links = re.findall(r'href="\.\./([^"]+)"', shown)
    assert len(links) == len(tasks.module_keys()) + 1
    assert [link for link in links if not (COURSE / link).exists()] == []


def test_a_module_alone_shows_its_cards_and_every_state_in_words(learner):
    notebook.hint("03.2")
    shown = notebook.progress("03")
    assert repr(shown).startswith("03-data-tests: 0 of ") and "  03.2 Every order is paid as it was sold: open" in repr(
        shown
    )
    assert shown._repr_mimebundle_()["text/html"].count("</span> open</span>") == len(tasks.tasks_of("03"))
    assert shown.chosen == "03"
    card = shown.rooms[0]["tasks"][1]
    wanted = tasks.get("03.2")
    assert card["checks"] == tuple(check.name for check in wanted.checks)
    assert (card["minutes"], card["points"], card["hints"], card["taken"]) == (wanted.minutes, wanted.points, 3, 1)


def test_a_hint_asked_for_on_the_map_counts_as_one(learner):
    shown = notebook.progress()
    for _ in range(4):
        shown._handle_custom_msg({"hint": "03.2"}, [])
    wanted = tasks.get("03.2").hints
    assert shown.hints == [["03.2", n, wanted[n - 1]] for n in (1, 2, 3, 3)]
    assert Progress(learner / "progress.sqlite").standing("03.2").hints == 3
