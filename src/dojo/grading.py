"""Official scores: one uploaded exercise notebook, judged in a separate process that holds no expected value."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dojo import tasks
from dojo.feedback import as_text
from dojo.judge.contract import Task
from dojo.judge.engine import judge
from dojo.judge.sandbox import Sandbox, isolation
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.work import Stopped
from dojo.submission import Answer, NotANotebook, Submission, read


@dataclass(frozen=True)
class Grade:
    """The score of one notebook: a report a task; `isolation` says how well the learner's code was walled in."""

    notebook: str
    module: str
    reports: tuple[TaskReport, ...]
    isolation: str

    @property
    def points(self) -> float:
        """Points earned over all tasks."""
        return round(sum(r.points for r in self.reports), 1)

    @property
    def out_of(self) -> int:
        """Points that could be earned."""
        return sum(r.out_of for r in self.reports)

    def as_json(self) -> dict[str, Any]:
        """The grade as plain values."""
        return {
            "notebook": self.notebook,
            "module": self.module,
            "points": self.points,
            "out_of": self.out_of,
            "isolation": self.isolation,
            "tasks": [r.as_json() for r in self.reports],
        }


def grade_answer(
    task: Task,
    answer: Answer,
    sandbox: Sandbox,
    *,
    seeds: tuple[int, ...] | None = None,
    deciding: frozenset[str] | None = None,
) -> TaskReport:
    """One task's answer judged in the sandbox; whatever the answer does, a report comes back.

    seeds: the data sets of an official run; deciding: of a task's many runs, those that are wanted. None: all.
    """
    try:
        with sandbox.task(answer.cells, {**answer.around, **answer.files}, seconds=task.seconds) as work:
            work.deciding = deciding
            report = judge(task, work, transport="grader", seeds=seeds)
        return replace(report, printed=work.printed)
    except Stopped as stopped:
        verdicts = tuple(Verdict(c.name, Outcome.NOT_YET, str(stopped), cause="stopped") for c in task.checks)
        return TaskReport(task.id, task.title, verdicts, task.points, transport="grader", isolated=sandbox.isolated)


def grade(submission: Submission, name: str, *sandboxes: Sandbox) -> Grade:
    """The grade of a submission, its tasks shared out among the sandboxes. NotANotebook when it is no exercise here."""
    if submission.module not in tasks.module_keys():
        raise NotANotebook(f"{name} is a notebook, but not an exercise of this course: no cell belongs to one of its tasks.")
    wanted = tasks.tasks_of(submission.module)
    free: SimpleQueue[Sandbox] = SimpleQueue()
    for sandbox in sandboxes:
        free.put(sandbox)

    def graded(task: Task) -> TaskReport:
        sandbox = free.get()
        try:
            return grade_answer(task, submission.answer(task), sandbox)
        finally:
            free.put(sandbox)

    with ThreadPoolExecutor(len(sandboxes)) as pool:
        reports = tuple(pool.map(graded, wanted))
    return Grade(name, submission.module, reports, isolation())


@contextlib.contextmanager
def warm_sandboxes(number: int = 2) -> Iterator[tuple[Sandbox, ...]]:
    """So many judging processes, started at once: one a core is of use."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(number) as pool:
        made = tuple(stack.enter_context(Sandbox()) for _ in range(number))
        list(pool.map(Sandbox.start, made))
        yield made


def main(path: str | Path, as_json: bool = False) -> int:
    """`dojo grade`: judges one notebook and prints the grade. Exit status 0 when judged, 2 when it is no exercise."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no sign of a learner's may cost the grade its way out
    try:
        submission = read(Path(path))
        with warm_sandboxes() as sandboxes:
            result = grade(submission, Path(path).name, *sandboxes)
    except NotANotebook as error:
        print(json.dumps({"notebook": Path(path).name, "error": str(error)}) if as_json else error)
        return 2
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
        return 0
    for report in result.reports:
        print(as_text(report))
    print(f"{result.notebook}: {result.points:g} of {result.out_of} points ({result.isolation})")
    return 0
