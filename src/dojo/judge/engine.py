"""Runs a task's checks over one piece of work and words what happened."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from dojo.judge import refusals, settings
from dojo.judge.contract import Check, NotYet, Task
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.work import ZONES, LearnerError, NotAttempted, NotCheckable, Stopped, Timer, Work


def judge(task: Task, work: Work, *, transport: str = "kernel", seeds: tuple[int, ...] | None = None) -> TaskReport:
    """All checks of a task over `work`, each on every data set of the judge. Never raises for what the learner did.

    seeds: the data sets of an official run (see Task.official_seeds); None for those of a learner's own check. A check
    whose premises have not passed is not judged; after a stop nothing else is tried.
    """
    timer, verdicts = Timer(), {}
    stopped = False
    for check in task.checks:
        first = next((name for name in task.premises(check) if not verdicts[name].passed), None)
        if first is not None:
            verdict = _not_judged(check, verdicts[first])
        elif stopped:
            verdict = Verdict(check.name, Outcome.NOT_JUDGED, "The work was stopped before this.")
        else:
            verdict = _try(task, check, work, seeds or task.seeds)
            if transport == "kernel" and (words := refusals.of_the_disk(f"{verdict.said}\n{verdict.got}")):
                verdict = Verdict(check.name, Outcome.NOT_CHECKABLE, words, cause="machine")
        stopped = stopped or verdict.cause == "stopped"
        verdicts[check.name] = verdict
    return TaskReport(
        task.id,
        task.title,
        tuple(verdicts.values()),
        task.points,
        transport=transport,
        isolated=work.isolated,
        milliseconds=timer.milliseconds,
    )


def _not_judged(check: Check, premise: Verdict) -> Verdict:
    """Nothing is said of a check whose premise has not passed: not of the learner, and not of the work."""
    if premise.outcome is Outcome.NOT_ATTEMPTED:
        return Verdict(check.name, Outcome.NOT_ATTEMPTED, "Not tried: see the first check.")
    name = premise.said.removeprefix("First: ").rstrip(".") if premise.outcome is Outcome.NOT_JUDGED else premise.check
    return Verdict(check.name, Outcome.NOT_JUDGED, f"First: {name}.")


def _try(task: Task, check: Check, work: Work, seeds: tuple[int, ...]) -> Verdict:
    said = ""
    for number, seed in enumerate(seeds):
        work.zone = ZONES[number % len(ZONES)]
        verdict = _try_once(task, check, work, seed)
        if verdict.outcome is Outcome.NOT_YET and task.names and not task.executes:
            verdict = _under_other_zones(task, check, work, seed, verdict)
        if not verdict.passed:
            return verdict
        said = said or verdict.said
    return Verdict(check.name, Outcome.PASSED, said)


def _under_other_zones(task: Task, check: Check, work: Work, seed: int, verdict: Verdict) -> Verdict:
    """Work that is right in one time zone of the process and wrong in another reads the machine's clock: that is said."""
    if verdict.cause == "stopped":
        return verdict
    here = work.zone
    try:
        for zone in dict.fromkeys((*ZONES, "Europe/Berlin")):
            work.zone = zone
            if zone != here and _try_once(task, check, work, seed).passed:
                said = f"Right on a machine whose time zone is {zone}, wrong on one in {here}. Name the zone that you mean."
                return replace(verdict, said=said, cause="machine-zone", look="")
    finally:
        work.zone = here
    return verdict


def _try_once(task: Task, check: Check, work: Work, seed: int) -> Verdict:
    verdict = _tried(task, check, work, seed)
    settings.stop_if_asked()
    return verdict


def _tried(task: Task, check: Check, work: Work, seed: int) -> Verdict:
    try:
        return Verdict(check.name, Outcome.PASSED, check.judge(work, task.data_set(seed)) or "")
    except NotYet as no:
        return _refused(check, no)
    except NotAttempted as no:
        return Verdict(check.name, Outcome.NOT_ATTEMPTED, str(no))
    except Stopped as no:
        return Verdict(check.name, Outcome.NOT_YET, str(no), cause="stopped")
    except NotCheckable as no:
        return Verdict(check.name, Outcome.NOT_CHECKABLE, str(no))
    except LearnerError as error:
        return Verdict(check.name, Outcome.NOT_YET, _words(error), cause="error", look=_look(error))
    except Exception as error:
        # Where the judge has limits, as a grader's has, a giant of the learner's can use up memory and more: not the disk.
        if words := refusals.in_words(error) if work.isolated is None else refusals.of_the_disk(str(error)):
            return Verdict(check.name, Outcome.NOT_CHECKABLE, words, cause="machine")
        said = f"The check itself broke ({type(error).__name__}: {str(error)[:200]}). That is the course's fault, not yours."
        return Verdict(check.name, Outcome.NOT_CHECKABLE, said, cause="course")


def _refused(check: Check, no: NotYet) -> Verdict:
    """A verdict that can be read: where expected and got would read the same, their kinds are said; else neither is shown."""
    expected, got, flaw = show(no.expected), show(no.got), ""
    if expected and expected == got:
        expected, got = f"{expected} ({_kind(no.expected)})", f"{got} ({_kind(no.got)})"
    if expected and expected == got:
        expected = got = ""
        flaw = f"expected and got read the same: {show(no.got)}"
    said, tried, look = (_bounded(text) for text in (no.said, no.tried, no.look))
    return Verdict(check.name, Outcome.NOT_YET, said, tried, expected, got, no.cause or "other", look, flaw)


MOST_WORDS = 12_000
"""So many signs a sentence of a verdict may have: enough for every output that a check quotes, too few for a learner's novel."""


def _bounded(text: str) -> str:
    return text if len(text) <= MOST_WORDS else shortened(text, MOST_WORDS)


_KINDS = {"str": "a text", "int": "a whole number", "float": "a float", "bool": "a truth value", "NoneType": "None"}


def _kind(value: Any) -> str:
    """What a value is, in words."""
    name = type(value).__name__
    return _KINDS.get(name, f"a {name}")


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


def show(value: Any, limit: int = 600) -> str:
    """A value as a learner reads it: short, one line where possible; a long text loses whole lines from its middle."""
    if isinstance(value, str | Decimal):
        text = str(value)
    elif type(value).__name__ == "DataFrame":
        text = f"a table of {len(value)} rows\n{value.head(5).to_string(index=False)}"
    elif isinstance(value, set | frozenset) and value and len(value) <= 8:
        text = "{" + ", ".join(sorted(map(repr, value))) + "}"
    elif isinstance(value, list | tuple | set | frozenset) and len(value) > 8:
        items: Iterable[Any] = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        text = f"{len(value)} items: " + ", ".join(repr(v) for v in list(items)[:6]) + ", …"
    else:
        text = "" if value is None else repr(value)
    return text if len(text) <= limit else shortened(text, limit)


def shortened(text: str, limit: int) -> str:
    """A text of at most about `limit` signs: its first and last whole lines, and how many were left out between them.

    Errors name what is wrong at their end and where at their beginning, so that both ends stay.
    """
    lines = text.split("\n")
    if len(lines) < 3:
        return textwrap.shorten(text, limit, placeholder=" …") if " " in text[:limit] else text[: limit - 1] + "…"
    head, tail, room = [], [], limit
    while lines and room > 0:
        source, kept = (head, lines.pop(0)) if len(head) <= len(tail) else (tail, lines.pop())
        source.append(kept if len(kept) <= limit else kept[: limit - 1] + "…")
        room -= len(kept)
    left_out = [f"… {len(lines)} more lines …"] if lines else []
    return "\n".join([*head, *left_out, *reversed(tail)])
