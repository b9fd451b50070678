"""The debriefing of a scenario: closed before an attempt, open after it, words for a module that has none."""

from __future__ import annotations

import pytest

from dojo import tasks
from dojo.debriefing import NoDebriefing, debriefing
from dojo.feedback import Note
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.record import Progress

SCENARIOS = [key for key in tasks.module_keys() if key.startswith("i")]


def report(task, outcome):
    return TaskReport(task.id, task.title, (Verdict("c", outcome),), task.points)


@pytest.mark.parametrize("key", SCENARIOS)
def test_it_opens_when_a_task_has_been_tried(key, tmp_path):
    progress, task = Progress(tmp_path / "progress.sqlite"), tasks.tasks_of(key)[0]
    progress.record(report(task, Outcome.NOT_ATTEMPTED))
    closed = debriefing(key, progress)
    assert isinstance(closed, Note) and "opens when" in closed.text
    progress.record(report(task, Outcome.NOT_YET))
    text = debriefing(key, progress)._repr_markdown_()
    assert all(part in text for part in ("Questions", "rubric", "ladder", "Red flags"))


@pytest.mark.parametrize("key", SCENARIOS)
def test_the_brief_and_the_exercise_hold_nothing_of_it(key):
    from dojo.authoring import exercise_of, read_source
    from dojo.debriefing import TAG
    from dojo.places import COURSE, stem

    source = read_source(COURSE / "solutions" / f"{stem(key)}.md")
    debrief = [c.source for c in source.cells if TAG in c.metadata.get("tags", [])]
    brief = read_source(COURSE / "notebooks" / f"{stem(key)}.md")
    shown = {c.source for book in (brief, exercise_of(source)) for c in book.cells}
    assert debrief and not shown & set(debrief)


def test_a_lesson_has_none(tmp_path):
    with pytest.raises(NoDebriefing, match="i01"):
        debriefing("03", Progress(tmp_path / "progress.sqlite"))
