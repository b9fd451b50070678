"""Official scores: one uploaded exercise notebook, judged in separate processes that can be killed.

The learner's code runs in a sandbox that holds no expected value (dojo.judge.sandbox). What comes back is compared, and
what was handed in is read, in a forked process of its own for each task (dojo.judge.apart), since both are a stranger's.
"""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil

from dojo import tasks
from dojo.feedback import as_text
from dojo.judge import refusals
from dojo.judge.apart import QUIET, Ending, apart
from dojo.judge.contract import Task
from dojo.judge.engine import judge
from dojo.judge.frames import PATIENCE
from dojo.judge.sandbox import CannotJudge, Sandbox, isolation
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.visible import visible
from dojo.submission import Answer, NotANotebook, Submission, read

TRIES = 2
"""So often an answer is judged where the machine may be why it was not the first time."""
BASE_SECONDS = 120
"""What judging may take beside the seconds of the tasks: starting, reading, making data."""
JUDGE_SECONDS = 60
"""Processor seconds the judge of one task may use beside the task's own."""
REGRADE = "could not be judged here: regrade"


@dataclass(frozen=True)
class Grade:
    """The score of one notebook: a report a task; `isolation` says how well the learner's code was walled in.

    seed: the secret that the data sets were drawn from; None where they were those of a learner's own check.
    """

    notebook: str
    module: str
    reports: tuple[TaskReport, ...]
    isolation: str
    seed: int | None = None

    @property
    def points(self) -> float:
        """Points earned over all tasks."""
        return round(sum(r.points for r in self.reports), 1)

    @property
    def out_of(self) -> int:
        """Points that could be earned."""
        return sum(r.out_of for r in self.reports)

    @property
    def regrade(self) -> list[str]:
        """The tasks that could not be judged, for a reason of the machine or of the course: not the same as 0 points."""
        return [r.task for r in self.reports if r.regrade]

    def as_json(self) -> dict[str, Any]:
        """The grade as plain values."""
        return {
            "notebook": visible(self.notebook),
            "module": self.module,
            "points": self.points,
            "out_of": self.out_of,
            "isolation": self.isolation,
            "seed": self.seed,
            "regrade": self.regrade,
            "tasks": [r.as_json() for r in self.reports],
        }


def grade_answer(
    task: Task,
    answer: Answer,
    sandbox: Sandbox,
    *,
    seeds: tuple[int, ...] | None = None,
    deciding: frozenset[str] | None = None,
    until: float | None = None,
) -> TaskReport:
    """One task's answer judged; whatever the answer does, a report comes back.

    seeds: the data sets of an official run; deciding: of a task's many runs, those that are wanted (None: all); until:
    when, by time.monotonic(), the whole submission must be judged.
    """
    report, begun = None, psutil.cpu_times()
    for left in reversed(range(TRIES)):
        report, doubtful = _tried(task, answer, sandbox, seeds, deciding, until)
        if not doubtful:
            return report
        if not left or (until is not None and time.monotonic() >= until):
            break
    return _unjudged(task, sandbox, doubtful) if doubtful != "idle" or _busy(begun) else report


def _tried(
    task: Task,
    answer: Answer,
    sandbox: Sandbox,
    seeds: tuple[int, ...] | None,
    deciding: frozenset[str] | None,
    until: float | None,
) -> tuple[TaskReport, str]:
    """A report, and "" where it stands; else why the machine may be at fault for it ("idle": little was done in the time)."""

    def work() -> dict[str, Any]:
        sandbox.borrow()
        opened = sandbox.task(answer.cells, {**answer.around, **answer.files}, seconds=task.seconds)
        opened.deciding = deciding
        with opened:
            report = judge(task, opened, transport="grader", seeds=seeds)
        said = {"report": asdict(replace(report, printed=opened.printed)), "warm": sorted(sandbox.warm_tools)}
        return {**said, "idle": opened.idle, "lost": opened.lost and (sandbox.isolated or not opened.begun)}

    clock = BASE_SECONDS + 2 * PATIENCE * task.seconds
    if until is not None:
        clock = min(clock, until - time.monotonic())
    if clock <= 0:
        return _stopped(task, sandbox, "The submission as a whole took longer than it may: stopped before this task."), ""
    try:
        with QUIET:
            sandbox.start()
            for seed in seeds or task.seeds:
                with contextlib.suppress(Exception):  # the judge says so where it is wanted
                    task.data_set(seed)
    except CannotJudge as error:
        return _stopped(task, sandbox, str(error)), str(error)
    ending = apart(work, processor=JUDGE_SECONDS + task.seconds, clock=clock)
    if ending.answer is None:
        sandbox.stop()  # nobody knows what it was doing
        return _stopped(task, sandbox, ending.said), _doubt(ending)
    if ending.answer["lost"]:
        sandbox.stop()
    else:
        sandbox.warm_tools |= set(ending.answer["warm"])
    report = _report(ending.answer["report"])
    return report, "the process that judges went away" if ending.answer["lost"] else "idle" * ending.answer["idle"]


def _doubt(ending: Ending) -> str:
    if not ending.machine:
        return ""
    return "idle" if "not done after" in ending.said else ending.said


def _report(fields: dict[str, Any]) -> TaskReport:
    """The report as it was before its journey."""
    verdicts = tuple(_settled(Verdict(**{**v, "outcome": Outcome(v["outcome"])})) for v in fields["verdicts"])
    return TaskReport(**{**fields, "verdicts": verdicts})


def _settled(verdict: Verdict) -> Verdict:
    """A check that broke for want of memory or stack broke on what was handed in."""
    if verdict.cause == "course" and any(word in verdict.said for word in ("MemoryError:", "RecursionError:")):
        said = "What was handed in is too large or too deep to be judged: stopped."
        return replace(verdict, outcome=Outcome.NOT_YET, said=said, cause="stopped")
    return verdict


def _stopped(task: Task, sandbox: Sandbox, said: str) -> TaskReport:
    """The report on an answer that was stopped before any check had a verdict."""
    first, *others = task.checks
    verdicts = [Verdict(first.name, Outcome.NOT_YET, said, cause="stopped")]
    verdicts += [Verdict(c.name, Outcome.NOT_JUDGED, "The work was stopped before this.") for c in others]
    return TaskReport(task.id, task.title, tuple(verdicts), task.points, transport="grader", isolated=sandbox.isolated)


def _unjudged(task: Task, sandbox: Sandbox, why: str) -> TaskReport:
    """The report on an answer that this machine could not judge: no 0, and no mark either."""
    why = "the machine was too busy" if why == "idle" else why.rstrip(".")
    said = f"{task.id} {REGRADE} ({why})."
    verdicts = tuple(Verdict(c.name, Outcome.NOT_CHECKABLE, said, cause="machine") for c in task.checks)
    return TaskReport(task.id, task.title, verdicts, task.points, transport="grader", isolated=sandbox.isolated)


def _busy(since: Any) -> bool:
    """Whether the processors had little time left since then, as psutil.cpu_times() told. Waiting processes take none of it."""

    def left(times: Any) -> float:
        return times.idle + getattr(times, "iowait", 0.0)

    now = psutil.cpu_times()
    passed = sum(now[:8]) - sum(since[:8])  # what comes after these is counted in them already
    return left(now) - left(since) < passed / 4


def grade(submission: Submission, name: str, *sandboxes: Sandbox, secret: int | None = None, reveal: bool = True) -> Grade:
    """The grade of a submission, its tasks shared out among the sandboxes. NotANotebook when it is no exercise here.

    secret: draws the data sets of an official run, None takes those of a learner's own check; reveal: whether verdicts
    keep what was expected.
    """
    if submission.module not in tasks.module_keys():
        raise NotANotebook(f"{name} is a notebook, but not an exercise of this course: no cell belongs to one of its tasks.")
    wanted = tasks.tasks_of(submission.module)
    until = time.monotonic() + BASE_SECONDS + 2 * PATIENCE * sum(t.seconds for t in wanted)
    free: SimpleQueue[Sandbox] = SimpleQueue()
    for sandbox in sandboxes:
        free.put(sandbox)

    def graded(task: Task) -> TaskReport:
        sandbox = free.get()
        seeds = None if secret is None else task.official_seeds(secret)
        try:
            report = grade_answer(task, submission.answer(task), sandbox, seeds=seeds, until=until)
            return report if reveal else withheld(report)
        finally:
            free.put(sandbox)

    with ThreadPoolExecutor(len(sandboxes)) as pool:
        reports = tuple(pool.map(graded, wanted))
    return Grade(name, submission.module, reports, isolation(), secret)


_OF_THE_WORK = ("stopped", "error", "course", "machine")
"""Causes whose words come from the learner's own work or from the machine: they hold nothing that was expected."""


def withheld(report: TaskReport) -> TaskReport:
    """The report without what was expected: the check's name, what was tried and the learner's own value stay."""

    def bare(verdict: Verdict) -> Verdict:
        if verdict.passed:
            return replace(verdict, said="", expected="", look="")
        if verdict.outcome is not Outcome.NOT_YET or verdict.cause in _OF_THE_WORK:
            return replace(verdict, expected="")
        return replace(verdict, said=f"Not met: {verdict.check}.", expected="", look="")

    return replace(report, verdicts=tuple(bare(v) for v in report.verdicts))


@contextlib.contextmanager
def warm_sandboxes(number: int = 2) -> Iterator[tuple[Sandbox, ...]]:
    """So many judging processes, started at once: one a core is of use."""
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(number) as pool:
        made = tuple(stack.enter_context(Sandbox()) for _ in range(number))
        list(pool.map(Sandbox.start, made))
        yield made


def main(path: str | Path, as_json: bool = False, seed: int | None = None, reveal: bool = False) -> int:
    """`dojo grade`: judges one notebook on data sets drawn from a secret seed, and prints the grade.

    seed: repeats an earlier run, whose report names it; reveal: verdicts say what was expected. Exit status 0 when
    judged, 2 when it is no exercise, 3 when something could not be judged here and wants a regrade.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # no sign of a learner's may cost the grade its way out
    secret = secrets.randbits(48) if seed is None else seed
    name = visible(Path(path).name)
    try:
        submission = read(Path(path))
        with warm_sandboxes() as sandboxes:
            result = grade(submission, name, *sandboxes, secret=secret, reveal=reveal)
    except NotANotebook as error:
        return _unread(name, visible(str(error)), as_json, 2)
    except CannotJudge as error:
        return _unread(name, f"{name} {REGRADE}. {error}", as_json, 3)
    except OSError as error:
        if words := refusals.in_words(error):
            return _unread(name, f"{name} {REGRADE}. {words}", as_json, 3)
        raise
    if as_json:
        print(json.dumps(result.as_json(), indent=2))
        return 3 if result.regrade else 0
    for report in result.reports:
        print(as_text(report))
    print(f"{name}: {result.points:g} of {result.out_of} points ({result.isolation}; seed {secret})")
    if result.regrade:
        print(f"{REGRADE[0].upper()}{REGRADE[1:]}: {', '.join(result.regrade)}")
        return 3
    return 0


def _unread(name: str, said: str, as_json: bool, status: int) -> int:
    print(json.dumps({"notebook": name, "error": said}) if as_json else said)
    return status
