"""Runs a task's checks over one piece of work and words what happened."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.work import LearnerError, NotAttempted, NotCheckable, Stopped, Timer, Work


def judge(task: Task, work: Work, *, transport: str = "kernel") -> TaskReport:
    """All checks of a task over `work`, each on every data set of the judge. Never raises for what the learner did."""
    timer, verdicts = Timer(), []
    over: Verdict | None = None
    for check in task.checks:
        if over is None:
            verdict = _try(task, check, work)
            ended = verdict.outcome is Outcome.NOT_ATTEMPTED or verdict.cause == "stopped"
            over = verdict if ended else None
        else:
            verdict = Verdict(check.name, over.outcome, "Not tried: see the first check.", cause=over.cause)
        verdicts.append(verdict)
    return TaskReport(
        task.id, task.title, tuple(verdicts), task.points,
        transport=transport, isolated=work.isolated, milliseconds=timer.milliseconds,
    )  # fmt: skip


@lru_cache(maxsize=64)
def data_of(task_id: str, seed: int) -> Any:
    """What the judge tries a task against, made once a process."""
    from dojo import tasks

    return tasks.get(task_id).data(seed)


def _try(task: Task, check: Check, work: Work) -> Verdict:
    said = ""
    for seed in task.seeds:
        verdict = _try_once(task, check, work, seed)
        if not verdict.passed:
            return verdict
        said = said or verdict.said
    return Verdict(check.name, Outcome.PASSED, said)


def _try_once(task: Task, check: Check, work: Work, seed: int) -> Verdict:
    try:
        data = data_of(task.id, seed)
        return Verdict(check.name, Outcome.PASSED, check.judge(work, data) or "")
    except NotYet as no:
        return Verdict(
            check.name,
            Outcome.NOT_YET,
            no.said,
            no.tried,
            show(no.expected),
            show(no.got),
            no.cause or "other",
            no.look,
        )
    except NotAttempted as no:
        return Verdict(check.name, Outcome.NOT_ATTEMPTED, str(no))
    except Stopped as no:
        return Verdict(check.name, Outcome.NOT_YET, str(no), cause="stopped")
    except NotCheckable as no:
        return Verdict(check.name, Outcome.NOT_CHECKABLE, str(no))
    except LearnerError as error:
        return Verdict(check.name, Outcome.NOT_YET, _words(error), cause="error", look=_look(error))
    except Exception as error:
        said = f"The check itself broke ({type(error).__name__}: {str(error)[:200]}). That is the course's fault, not yours."
        return Verdict(check.name, Outcome.NOT_CHECKABLE, said, cause="course")


def _words(error: LearnerError) -> str:
    where = f" in line {error.line} of your answer" if error.line else ""
    if error.kind == "SyntaxError":
        return f"Python cannot read your answer: {error.text}"
    return (
        f"Your work stopped{where} with {error.kind}: {error.text}"
        if error.text
        else f"Your work stopped{where} with {error.kind}."
    )


def _look(error: LearnerError) -> str:
    if error.kind == "NameError":
        return (
            "An answer stands alone: import and define what it needs in its own cell, and take the rest from its arguments."
        )
    return f"The line reads: {error.where}" if error.where else ""


def show(value: Any, limit: int = 400) -> str:
    """A value as a learner reads it: short, one line where possible."""
    if isinstance(value, str | Decimal):
        text = str(value)
    elif type(value).__name__ == "DataFrame":
        text = f"a table of {len(value)} rows\n{value.head(5).to_string(index=False)}"
    elif isinstance(value, list | tuple | set | frozenset) and len(value) > 8:
        items: Iterable[Any] = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        text = f"{len(value)} items: " + ", ".join(repr(v) for v in list(items)[:6]) + ", …"
    else:
        text = "" if value is None else repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
