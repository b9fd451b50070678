"""Tries every task against itself: stub, solution, its wrong and odd right answers, and mutants of the solution."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from dojo import mutants, tasks
from dojo.authoring import exercise_of, read_source, without_markers
from dojo.grading import grade_answer
from dojo.judge.contract import Attempt, Task
from dojo.judge.engine import data_of, judge
from dojo.judge.sandbox import Sandbox
from dojo.judge.verdict import Outcome, TaskReport
from dojo.judge.work import KernelWork
from dojo.places import COURSE, stem
from dojo.submission import Answer, Cell, Submission

KILL_RATE = 0.95


@dataclass
class TaskTest:
    """What selftest found for one task. Counts are (met, of); `faults` says in words what falls short."""

    task: str
    stub_refused: bool = False
    solution_accepted: bool = False
    wrong: tuple[int, int] = (0, 0)
    right: tuple[int, int] = (0, 0)
    killed: tuple[int, int] = (0, 0)
    spared: int = 0
    slowest_ms: float = 0.0
    survivors: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def try_task(task_id: str) -> TaskTest:
    """Everything selftest knows to try on one task."""
    task = tasks.get(task_id)
    result = TaskTest(task_id)
    answer = solved(task.module).answer(task)
    with Sandbox() as sandbox:
        _lint(task, result)
        _stub(task, result, sandbox)
        _solution(task, answer, result, sandbox)
        _opposition(task, answer, result, sandbox)
        _mutants(task, answer, result, sandbox)
    return result


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


def _lint(task: Task, result: TaskTest) -> None:
    """Two data sets at least, answers that differ between them, an opposition, three hints."""
    if len(task.seeds) < 2:
        result.faults.append("has fewer than two data sets")
    for check in task.checks:
        if check.expected is not None:
            answers = {repr(check.expected(data_of(task.id, seed))) for seed in task.seeds}
            if len(answers) < len(task.seeds):
                result.faults.append(f"“{check.name}” expects the same on two data sets: a constant passes")
    if len(task.right) < 2:
        result.faults.append("ships fewer than two right answers unlike the reference")
    if not task.wrong:
        result.faults.append("ships no wrong answer")


def _stub(task: Task, result: TaskTest, sandbox: Sandbox) -> None:
    exercise = exercise_of(read_source(COURSE / "solutions" / f"{stem(task.module)}.md"))
    report = grade_answer(task, _submission(exercise).answer(task), sandbox)
    result.stub_refused = report.outcome is Outcome.NOT_ATTEMPTED and not any(v.passed for v in report.verdicts)
    if not result.stub_refused:
        result.faults.append(f"the untouched stub is not “not attempted” on every check: {report!r}")


def _solution(task: Task, answer: Answer, result: TaskTest, sandbox: Sandbox) -> None:
    graded = grade_answer(task, answer, sandbox)
    here = in_kernel(task, answer)
    here = in_kernel(task, answer)  # the second time data sets are made, as for a learner's second try
    result.slowest_ms = round(here.milliseconds, 1)
    result.solution_accepted = graded.passed and here.passed
    if not result.solution_accepted:
        result.faults.append(f"the solution is refused: {graded!r}\n{here!r}")


def in_kernel(task: Task, answer: Answer) -> TaskReport:
    """The answer judged the way a notebook's `check` does it, in this process."""
    names: dict[str, Any] = {"__name__": "__main__"}
    with tempfile.TemporaryDirectory() as folder:
        for path, text in answer.files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_text(text, encoding="utf-8")
        try:
            for label, source in answer.cells:
                exec(compile(source, f"<answer {label}>", "exec", dont_inherit=True), names)
        except Exception:
            names = {}
        return judge(task, KernelWork(names, Path(folder)))


def prepared(task: Task, attempt: Attempt, reference: Answer) -> Answer:
    """An attempt as an answer; files it does not speak of are the reference's."""
    if isinstance(attempt.answer, str):
        return Answer([("attempt", attempt.answer)], reference.files if task.files else {})
    files = {p: t for p, t in attempt.answer.items() if p != "cell"}
    cells = [("attempt", attempt.answer["cell"])] if "cell" in attempt.answer else reference.cells
    return Answer(cells, {**reference.files, **files})


def _opposition(task: Task, reference: Answer, result: TaskTest, sandbox: Sandbox) -> None:
    met = 0
    for attempt in task.wrong:
        report = grade_answer(task, prepared(task, attempt, reference), sandbox)
        causes = {v.cause for v in report.verdicts if v.outcome is Outcome.NOT_YET}
        if attempt.cause in causes:
            met += 1
        else:
            result.faults.append(
                f"wrong answer “{attempt.name}” should be refused for {attempt.cause!r}, got {causes or 'accepted'}: {report!r}"
            )
    result.wrong = (met, len(task.wrong))
    met = 0
    for attempt in task.right:
        report = grade_answer(task, prepared(task, attempt, reference), sandbox)
        met += report.passed
        if not report.passed:
            result.faults.append(f"right answer “{attempt.name}” is refused: {report!r}")
    result.right = (met, len(task.right))


def _mutants(task: Task, reference: Answer, result: TaskTest, sandbox: Sandbox) -> None:
    tried = [
        (m, Answer(_replaced(reference.cells, n, m.text), reference.files))
        for n, (_, s) in enumerate(reference.cells)
        for m in mutants.of_python(s)
    ]
    tried += [
        (m, Answer(reference.cells, {**reference.files, p: m.text}))
        for p, s in reference.files.items()
        for m in mutants.of_file(p, s)
    ]
    step = max(1, -(-len(tried) // task.mutants))
    killed = of = 0
    for mutant, answer in tried[::step]:
        if grade_answer(task, answer, sandbox).passed:
            if any(fragment in mutant.what for fragment in task.spared):
                result.spared += 1
                continue
            result.survivors.append(mutant.what)
        else:
            killed += 1
        of += 1
    result.killed = (killed, of)


def _replaced(cells: list[tuple[str, str]], at: int, text: str) -> list[tuple[str, str]]:
    return [(label, text if n == at else source) for n, (label, source) in enumerate(cells)]


def run(keys: Iterable[str]) -> list[TaskTest]:
    """Tests all tasks of the modules, two at a time."""
    ids = [t.id for key in keys for t in tasks.tasks_of(key)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        return list(pool.map(try_task, ids))


def main(module: str | None = None, as_json: bool = False) -> int:
    """`dojo selftest`: prints a row a task; exit status 1 if anything falls short."""
    keys = [module] if module else tasks.module_keys()
    for key in keys:
        tasks.module(key)
    results = run(keys)
    killed, of = (sum(r.killed[i] for r in results) for i in (0, 1))
    short = any(r.faults for r in results) or (of and killed / of < KILL_RATE)
    if as_json:
        print(json.dumps({"tasks": [vars(r) for r in results], "mutants": [killed, of], "ok": not short}, indent=2))
        return int(short)
    print(f"{'task':6} {'stub':8} {'solution':9} {'wrong':7} {'right':7} {'mutants':12} {'check ms':>8}")
    for r in results:
        words = ("refused" if r.stub_refused else "PASSES", "accepted" if r.solution_accepted else "REFUSED")
        print(
            f"{r.task:6} {words[0]:8} {words[1]:9} {_of(r.wrong):7} {_of(r.right):7} "
            f"{_of(r.killed) + (f' +{r.spared} eq' if r.spared else ''):12} {r.slowest_ms:8.1f}"
        )
    for r in results:
        for text in [*r.faults, *(f"mutant survives: {s}" for s in r.survivors)]:
            print(f"{r.task}: {text}")
    print(f"mutants killed: {killed} of {of}" + (f" ({100 * killed / of:.1f} %)" if of else ""))
    return int(short)


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]}/{pair[1]}"
