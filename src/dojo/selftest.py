"""Tries every task against itself: stub, constants, solution, its wrong and odd right answers, and mutants of the solution.

Every verdict of every wrong answer is held against what that answer declares; the same answer gets the same verdict from
a notebook's `check` and from `dojo grade`.
"""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dojo import mutants, selftest_cache, tasks
from dojo.authoring import exercise_of, missing_clauses, read_source, without_markers
from dojo.ci import checkouts
from dojo.feedback import as_text
from dojo.grading import grade_answer
from dojo.judge.contract import Attempt, Task
from dojo.judge.engine import judge
from dojo.judge.sandbox import Sandbox
from dojo.judge.verdict import Outcome, TaskReport
from dojo.judge.work import KernelWork
from dojo.places import COURSE, stem
from dojo.submission import Answer, Cell, Submission

KILL_RATE = 0.95
LEAST_MUTANTS = 8
"""So many of a task's mutants are tried at least, where the solution has as many."""
SECRET = 2025
"""The secret of the official run that selftest makes beside a learner's own."""

CONSTANTS = ("None", "True", "False", "0", "1", "float('nan')", "''", "[]", "{}", "__import__('datetime').date(2025, 12, 1)")
"""What a constant answer holds or returns, as Python."""
ODD = ("10**30", "10**400", "None", "float('nan')", "'text'", "{'a': [1]}")
"""What stands in the place of each single value that the solution gives, as Python: no check may break on it. One of them
is tried where a try costs seconds."""
ALMOST_EMPTY = {
    ".yml": "version: 2\nname: shopflow\n",
    ".yaml": "version: 2\nname: shopflow\n",
    ".json": '{"version": 2, "name": "shopflow"}\n',
    ".sql": "select 1 as a, 2 as b\n",
    ".py": "a = 1\nb = 2\n",
    ".md": "# Title\n\nText.\n",
}
"""A file with two keys and nothing in it, by its kind; other kinds get two lines."""


@dataclass
class TaskTest:
    """What selftest found for one task. Counts are (met, of); `faults` says in words what falls short."""

    task: str
    stub_refused: bool = False
    solution_accepted: bool = False
    constants: tuple[int, int] = (0, 0)
    clauses: tuple[int, int] = (0, 0)
    wrong: tuple[int, int] = (0, 0)
    right: tuple[int, int] = (0, 0)
    same: tuple[int, int] = (0, 0)
    killed: tuple[int, int] = (0, 0)
    spared: int = 0
    slowest_ms: float = 0.0
    survivors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def try_task(task_id: str, *, thorough: bool = False) -> TaskTest:
    """Everything selftest knows to try on one task.

    thorough: every mutant is tried; a task that runs real tools is tried in both transports on every answer, and each answer
    on every run: a wrong one not only on the good one and the one that decides, a right one not only on its share.
    """
    task = tasks.get(task_id)
    trial = _Trial(task, solved(task.module).answer(task), TaskTest(task_id), _sandbox(), thorough)
    _lint(trial)
    _stub(trial)
    _constants(trial)
    _solution(trial)
    _wrong(trial)
    _right(trial)
    _mutants(trial)
    return trial.result


@cache
def _sandbox() -> Sandbox:
    """One judging process for all tasks that this process tries; it may read what the tools of CI runs did here before."""
    sandbox = Sandbox(lent=checkouts.remembering())
    atexit.register(sandbox.stop)
    return sandbox


@dataclass
class _Trial:
    """One task being tried: its reference answer, what was found so far, where answers are judged."""

    task: Task
    reference: Answer
    result: TaskTest
    sandbox: Sandbox
    thorough: bool

    def fault(self, said: str, report: TaskReport | None = None) -> None:
        """Keeps what falls short, with the report it shows in."""
        self.result.faults.append(said if report is None else f"{said}\n{as_text(report)}")

    def graded(
        self,
        name: str,
        answer: Answer,
        *,
        deciding: Iterable[str] = (),
        both: bool = False,
        official: bool = False,
        enough: Callable[[TaskReport], bool] | None = None,
    ) -> TaskReport:
        """The answer's report from the grader, and whether it is sound and (both) the same as a notebook's own check.

        deciding: the runs that decide, where the task makes many; official: on the data sets of an official run; enough:
        what the report on the first data set must say for the others to be left out, where a try costs seconds.
        """
        only = frozenset(deciding) if deciding and not self.thorough else None
        seeds = self.task.official_seeds(SECRET) if official else None
        here = in_kernel(self.task, answer, deciding=only) if both else None
        report = None
        if enough and self.task.executes and not both and not self.thorough:
            first = self._judged(answer, only, self.task.seeds[:1], both)
            report = first if enough(first) else None
        report = report or self._judged(answer, only, seeds, both)
        for verdict in report.verdicts:
            if verdict.flaw:
                self.fault(f"{name}: “{verdict.check}”: {verdict.flaw}", report)
            if verdict.outcome is Outcome.NOT_CHECKABLE and verdict.cause in ("course", "machine"):
                self.fault(f"{name}: “{verdict.check}” could not be judged", report)
        if here and not any(v.cause == "stopped" for v in report.verdicts):
            met, of = self.result.same
            self.result.same = (met + (_said(here) == _said(report)), of + 1)
            if _said(here) != _said(report):
                self.fault(f"{name}: check and dojo grade disagree: {as_text(here)}", report)
        return report

    def _judged(self, answer: Answer, only: frozenset[str] | None, seeds: tuple[int, ...] | None, both: bool) -> TaskReport:
        if self.task.replays and not both and not self.thorough:
            return in_kernel(self.task, answer, deciding=only, seeds=seeds)
        return grade_answer(self.task, answer, self.sandbox, seeds=seeds, deciding=only)

    def both(self, number: int) -> bool:
        """Whether the answer of that number is judged in both transports: all are, or the first where a try costs seconds."""
        return self.thorough or not self.task.executes or number == 0


def _said(report: TaskReport) -> list[tuple]:
    return [(v.check, v.outcome, v.cause) for v in report.verdicts]


def solved(key: str) -> Submission:
    """The solution notebook of a module, as if a learner had handed it in."""
    return _submission(read_source(COURSE / "solutions" / f"{stem(key)}.md"))


def _submission(notebook: Any) -> Submission:
    cells = [
        Cell(
            n,
            c.source if c.source.startswith("%%") else without_markers(c.source),
            tuple(t[5:] for t in c.metadata.get("tags", []) if t.startswith("task-")),
        )
        for n, c in enumerate((c for c in notebook.cells if c.cell_type == "code"), 1)
    ]
    return Submission(tuple(cells), "")


def _lint(trial: _Trial) -> None:
    """Two data sets at least, answers that differ between them, premises that exist, an opposition, clauses, three hints."""
    task = trial.task
    if len(task.seeds) < 2:
        trial.fault("has fewer than two data sets")
    for seeds in (task.seeds, task.official_seeds(SECRET)):
        try:
            data = [task.data_set(seed) for seed in seeds]
        except Exception as error:
            trial.fault(f"makes no data for the seeds {seeds}: {type(error).__name__}: {error}")
            continue
        for check in task.checks:
            if check.expected is not None and len({repr(check.expected(one)) for one in data}) < len(seeds):
                trial.fault(f"“{check.name}” expects the same on data sets {seeds}: a constant passes")
    names = [c.name for c in task.checks]
    for number, check in enumerate(task.checks):
        for premise in set(task.premises(check)) - set(names[:number]):
            trial.fault(f"“{check.name}” builds on “{premise}”, which is no check before it")
    if len(task.right) < 2:
        trial.fault("ships fewer than two right answers unlike the reference")
    if not task.wrong:
        trial.fault("ships no wrong answer")
    if not task.clauses:
        trial.fault("lists no clause of its text")
    known = {attempt.name for attempt in task.wrong}
    for words in missing_clauses(task):
        trial.fault(f"its text no longer holds the words “{words}”")
    for words, name in task.clauses.items():
        if name not in known:
            trial.fault(f"no wrong answer “{name}” breaks the clause “{words}”")


def _stub(trial: _Trial) -> None:
    exercise = exercise_of(read_source(COURSE / "solutions" / f"{stem(trial.task.module)}.md"))
    report = trial.graded("the stub", _submission(exercise).answer(trial.task), both=True)
    trial.result.stub_refused = report.outcome is Outcome.NOT_ATTEMPTED and not any(v.passed for v in report.verdicts)
    if not trial.result.stub_refused:
        trial.fault("the untouched stub is not “not attempted” on every check", report)


def _constant_answers(task: Task) -> Iterator[tuple[str, Answer]]:
    """Every deliverable a constant, an empty file, or one with nothing in it."""
    kinds = {d.name: d.kind for d in task.deliver}
    for constant in CONSTANTS if task.names else ():
        cell = "\n".join(
            f"{name} = {constant}" if kinds[name] == "value" else f"def {name}(*given, **named):\n    return {constant}"
            for name in task.names
        )
        yield constant, Answer([("constant", cell)], dict.fromkeys(task.files, ""))
    if task.files:
        texts = {path: ALMOST_EMPTY.get(Path(path).suffix, "a\nb\n") for path in task.files}
        yield "empty files", Answer([], dict.fromkeys(task.files, ""))
        yield "almost empty files", Answer([], texts)


SPOIL = """
def _spoilt(value):
    import pandas
    if isinstance(value, dict):
        return {{key: _spoilt(one) for key, one in value.items()}}
    if isinstance(value, (list, tuple, set)):
        return [_spoilt(one) for one in value]
    if isinstance(value, pandas.DataFrame):
        return pandas.DataFrame({{name: [{odd}] * len(value) for name in value}}, dtype=object)
    return {odd}
"""


def _spoilt_answers(task: Task, reference: Answer) -> Iterator[tuple[str, Answer]]:
    """The solution, with something odd in the place of each single value that it gives."""
    kinds = {d.name: d.kind for d in task.deliver}
    for odd in (ODD[:1] if task.executes else ODD) if task.names else ():
        cell = SPOIL.format(odd=odd) + "".join(
            f"{name} = _spoilt({name})\n"
            if kinds[name] == "value"
            else f"def {name}(*given, _solution={name}, **named):\n    return _spoilt(_solution(*given, **named))\n"
            for name in task.names
        )
        yield odd, Answer([*reference.cells, ("spoilt", cell)], reference.files)


def _constants(trial: _Trial) -> None:
    met = of = 0
    for odd, answer in _spoilt_answers(trial.task, trial.reference):
        trial.graded(f"the solution's values made {odd}", answer)
    for name, answer in _constant_answers(trial.task):
        report = trial.graded(f"constant {name}", answer)
        met, of = met + (report.points == 0), of + 1
        if report.points:
            trial.fault(f"constant {name} earns {report.points:g} of {report.out_of} points", report)
    trial.result.constants = (met, of)


def _solution(trial: _Trial) -> None:
    task, answer = trial.task, trial.reference
    reports = [trial.graded("the solution", answer, both=True)]
    if not task.executes:  # a try that costs seconds was timed by the first one
        here = in_kernel(task, answer)
        reports.append(here)
        trial.result.slowest_ms = round(here.milliseconds, 1)
    reports.append(trial.graded("the solution on official data sets", answer, official=True))
    refused = [report for report in reports if not report.passed]
    trial.result.solution_accepted = not refused
    for report in refused:
        trial.fault("the solution is refused", report)


def in_kernel(
    task: Task, answer: Answer, *, deciding: frozenset[str] | None = None, seeds: tuple[int, ...] | None = None
) -> TaskReport:
    """The answer judged the way a notebook's `check` does it, in this process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**answer.around, **answer.files}.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, encoding="utf-8")
        try:
            for label, source in answer.cells:
                exec(compile(source, f"<answer {label}>", "exec", dont_inherit=True), names)
        except Exception:
            names = {}
        work = KernelWork(names, Path(folder))
        work.deciding = deciding
        return judge(task, work, seeds=seeds)


def prepared(task: Task, attempt: Attempt, reference: Answer) -> Answer:
    """An attempt as an answer; files it does not speak of are the reference's."""
    if isinstance(attempt.answer, str):
        return Answer([("attempt", attempt.answer)], reference.files if task.files else {})
    files = {p: t for p, t in attempt.answer.items() if p != "cell"}
    cells = [("attempt", attempt.answer["cell"])] if "cell" in attempt.answer else reference.cells
    return Answer(cells, {**reference.files, **files})


def _wrong(trial: _Trial) -> None:
    """Each wrong answer is refused, for its cause, and no verdict names a cause that it does not declare."""
    task, met, refused = trial.task, 0, set()
    for number, attempt in enumerate(task.wrong):
        name, answer = f"wrong answer “{attempt.name}”", prepared(task, attempt, trial.reference)
        report = trial.graded(
            name,
            answer,
            deciding=[attempt.decided_by] if attempt.decided_by else [],
            both=trial.both(number),
            enough=partial(_as_declared, attempt),
        )
        causes = _causes(report)
        if _as_declared(attempt, report):
            met += 1
            refused.add(attempt.name)
        else:
            trial.fault(
                f"{name} should be refused for {(attempt.cause, *attempt.also)}, got {causes or 'no refusal'}", report
            )
        if not task.executes:
            official = trial.graded(name, answer, official=True)
            if official.passed:
                trial.fault(f"{name} is accepted on official data sets", official)
    trial.result.wrong = (met, len(task.wrong))
    trial.result.clauses = (sum(name in refused for name in task.clauses.values()), len(task.clauses))


def _causes(report: TaskReport) -> set[str]:
    return {v.cause for v in report.verdicts if v.outcome is Outcome.NOT_YET}


def _as_declared(attempt: Attempt, report: TaskReport) -> bool:
    return attempt.cause in _causes(report) and _causes(report) <= {attempt.cause, *attempt.also}


def _right(trial: _Trial) -> None:
    """Each right answer passes. Where a task makes many runs they are shared out: every run is tried with one of the answers."""
    met, runs = 0, sorted({a.decided_by for a in trial.task.wrong} - {""})
    for number, attempt in enumerate(trial.task.right):
        name, answer = f"right answer “{attempt.name}”", prepared(trial.task, attempt, trial.reference)
        report = trial.graded(name, answer, deciding=runs[number :: len(trial.task.right)], both=trial.both(number + 1))
        met += report.passed
        if not report.passed:
            trial.fault(f"{name} is refused", report)
    trial.result.right = (met, len(trial.task.right))


def _mutants(trial: _Trial) -> None:
    task, reference = trial.task, trial.reference
    made = [
        (m, Answer(_replaced(reference.cells, n, m.text), reference.files))
        for n, (_, s) in enumerate(reference.cells)
        for m in mutants.of_python(s)
    ]
    made += [
        (m, Answer(reference.cells, {**reference.files, p: m.text}))
        for p, s in reference.files.items()
        for m in mutants.of_file(p, s)
    ]
    spread = [m for m in made if not any(fragment in m[0].what for fragment in task.spared)]
    trial.result.spared = len(made) - len(spread)
    most = max(LEAST_MUTANTS, task.mutants)
    tried = spread if trial.thorough else _thinned(spread[:: max(1, len(spread) // most)], most)
    for mutant, answer in tried:
        if trial.graded(f"mutant {mutant.what}", answer, enough=_refused).passed:
            trial.result.survivors.append(mutant.what)
    killed = len(tried) - len(trial.result.survivors)
    trial.result.killed = (killed, len(tried))
    if tried and killed < KILL_RATE * len(tried):
        trial.fault(f"{killed} of {len(tried)} mutants are refused; alive: {'; '.join(trial.result.survivors)}")


def _thinned(found: list[Any], most: int) -> list[Any]:
    """At most so many of them, spread evenly."""
    return [found[n * len(found) // most] for n in range(most)] if len(found) > most else found


def _refused(report: TaskReport) -> bool:
    return any(v.outcome is Outcome.NOT_YET for v in report.verdicts)


def _replaced(cells: list[tuple[str, str]], at: int, text: str) -> list[tuple[str, str]]:
    return [(label, text if n == at else source) for n, (label, source) in enumerate(cells)]


def run(ids: Iterable[str], thorough: bool = False) -> list[TaskTest]:
    """Tests tasks, two at a time."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(partial(try_task, thorough=thorough), ids))


def main(module: str | None = None, as_json: bool = False, thorough: bool = False, changed: bool = False) -> int:
    """`dojo selftest`: prints a row a task; exit status 1 if anything falls short.

    changed: leave out tasks whose files are what they were when they last stood.
    """
    ids = [t.id for key in ([module] if module else tasks.module_keys()) for t in tasks.tasks_of(key)]
    wanted = [task for task in ids if not (changed and selftest_cache.stands(task))]
    results = run(wanted, thorough)
    selftest_cache.keep(r.task for r in results if not r.faults)
    killed, of = (sum(r.killed[i] for r in results) for i in (0, 1))
    short = any(r.faults for r in results)
    if as_json:
        print(json.dumps({"tasks": [vars(r) for r in results], "mutants": [killed, of], "ok": not short}, indent=2))
        return int(short)
    print("task   stub     solution  constants clauses wrong   right   same    mutants      check ms")
    for r in results:
        words = ("refused" if r.stub_refused else "PASSES", "accepted" if r.solution_accepted else "REFUSED")
        print(
            f"{r.task:6} {words[0]:8} {words[1]:9} {_of(r.constants):9} {_of(r.clauses):7} {_of(r.wrong):7} {_of(r.right):7} "
            f"{_of(r.same):7} {_of(r.killed) + (f' +{r.spared} eq' if r.spared else ''):12} {r.slowest_ms:8.1f}"
        )
    for r in results:
        for text in [*r.faults, *(f"mutant survives: {s}" for s in r.survivors)]:
            print(f"{r.task}: {text}")
    if len(wanted) < len(ids):
        print(f"{len(ids) - len(wanted)} tasks are as they were when they last stood")
    print(f"mutants killed: {killed} of {of}" + (f" ({100 * killed / of:.1f} %)" if of else ""))
    return int(short)


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]}/{pair[1]}"
