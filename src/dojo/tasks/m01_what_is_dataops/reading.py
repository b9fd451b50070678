"""Task 01.1: the findings that a learner writes down about the inherited folder, judged on what is missed and what is imagined."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from shopflow import inherited
from shopflow.inherited import CAUSES, CONSEQUENCES, PITFALLS, LookAlike, Planted

FINDINGS = "audit/findings.yml"
FOLDER = 7
"""Seed of the folder in the workspace: a written audit can be about one folder only."""
NEAR = 3
"""Lines by which a finding may be off."""
IMAGINED = 3
"""Findings beside the planted ones that are let pass: the folder is untidy, and one may see more than was meant."""


@dataclass(frozen=True)
class Entry:
    """One finding as written down."""

    path: str
    line: int
    pitfall: str
    consequence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} ({self.pitfall})"


@lru_cache(maxsize=1)
def folder(seed: int) -> inherited.Folder:
    """The folder of the workspace, whatever the seed of the judge."""
    return inherited.contents(FOLDER)


@lru_cache(maxsize=2)
def _parsed(text: str) -> Any:
    """The file's content, parsed once for all checks."""
    return parse_yaml(text, FINDINGS)


def _entries(work: Work, made: inherited.Folder) -> list[Entry]:
    found = _parsed(work.file(FINDINGS))
    rows = found.get("findings") if isinstance(found, dict) else found
    if not isinstance(rows, list) or not rows or not all(isinstance(one, dict) for one in rows):
        raise NotYet(
            "The file must hold `findings:` and under it a list; each entry has `file`, `line`, `pitfall`, `consequence`.",
            got=found, cause="shape",
        )  # fmt: skip
    return [_entry(one, made) for one in rows]


def _entry(one: dict[str, Any], made: inherited.Folder) -> Entry:
    path = str(one.get("file", "")).removeprefix("./").removeprefix("inherited/")
    if path not in made.files:
        raise NotYet("There is no such file in inherited/. Paths begin below it.", got=one.get("file"), cause="unknown-file")
    line = one.get("line")
    if not isinstance(line, int) or isinstance(line, bool) or not 1 <= line <= made.files[path].count("\n") + 1:
        raise NotYet(
            f"`line` of the finding in {path} must be a line of that file, from 1.",
            expected=f"1 to {made.files[path].count(chr(10))}", got=line, cause="no-line",
        )  # fmt: skip
    for key, allowed in (("pitfall", PITFALLS), ("consequence", CONSEQUENCES)):
        if one.get(key) not in allowed:
            raise NotYet(
                f"`{key}` of {path}:{line} is not on the list.", expected=", ".join(allowed), got=one.get(key), cause="not-on-the-list"
            )  # fmt: skip
    return Entry(path, line, one["pitfall"], one["consequence"])


def _at(entry: Entry, made: inherited.Folder) -> list[Planted]:
    """What is planted near the place of a finding, whatever its kind; the same kind first."""
    near = [p for p in made.planted if p.path == entry.path and abs(p.line - entry.line) <= NEAR]
    return sorted(near, key=lambda p: (p.pitfall != entry.pitfall, abs(p.line - entry.line)))


def _alike(entry: Entry, made: inherited.Folder) -> LookAlike | None:
    near = [a for a in made.alike if a.path == entry.path and abs(a.line - entry.line) <= NEAR]
    return min(near, key=lambda a: abs(a.line - entry.line), default=None)


def _hit(entry: Entry, made: inherited.Folder) -> Planted | None:
    at = _at(entry, made)
    return at[0] if at and at[0].pitfall == entry.pitfall else None


def nothing_harmless(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    for one in entries:
        if _at(one, made):
            continue
        if alike := _alike(one, made):
            raise NotYet(
                f"{one} only looks like a pitfall. {alike.why}",
                tried="each finding, held against the folder", got=str(one), cause="look-alike",
                look="An audit that cries wolf is read once. Take it out.",
            )  # fmt: skip
    return "Nothing harmless is accused."


def places_and_kinds(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    hits = [_hit(one, made) for one in entries]
    for one in entries:
        at = _at(one, made)
        if at and not _hit(one, made):
            raise NotYet(
                f"At {one.path}:{one.line} there is a pitfall, of another kind. {at[0].why} Which of the five is that?",
                got=one.pitfall, cause="other-kind",
            )  # fmt: skip
        if not at and any(p.path == one.path and p.pitfall == one.pitfall and p not in hits for p in made.planted):
            raise NotYet(
                f"{one.path} is the right file, and line {one.line} is not where it stands. Evidence is a line that somebody can open.",
                expected=f"within {NEAR} lines", got=one.line, cause="line",
            )  # fmt: skip
    spare = len(entries) - len({hit for hit in hits if hit})
    if spare > IMAGINED:
        some = [str(one) for one, hit in zip(entries, hits, strict=True) if not hit]
        raise NotYet(
            f"{spare} of {len(entries)} findings are no pitfall, or say one twice: at most {IMAGINED} are let pass.",
            got=some[:4] or "the same place more than once", cause="imagined",
            look="For each, ask: what would go wrong, on which morning, for whom?",
        )  # fmt: skip
    return f"{len(entries) - spare} of {len(entries)} findings are pitfalls, each with its kind and its line."


def nothing_missed(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    found = {_hit(one, made) for one in entries}
    missed = [p for p in made.planted if p not in found]
    if missed:
        counts = {kind: sum(p.pitfall == kind for p in missed) for kind in PITFALLS}
        told = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
        raise NotYet(
            f"{len(missed)} of {len(made.planted)} pitfalls are not in your list: {told}.",
            expected=len(made.planted), got=len(made.planted) - len(missed), cause="missed-" + missed[0].pitfall,
            look=f"For one of them ({missed[0].pitfall}): {missed[0].look}.",
        )  # fmt: skip
    return f"All {len(made.planted)} pitfalls found."


def why_it_hurts(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    for one in entries:
        hit = _hit(one, made)
        if hit and one.consequence not in CAUSES[hit.pitfall]:
            raise NotYet(
                f"{one}: {hit.why} You say “{one.consequence}”: {CONSEQUENCES[one.consequence]}. Is that what this costs?",
                got=one.consequence, cause="consequence",
            )  # fmt: skip
    return "Each finding says what it costs."


def written(
    planted: list[Planted] | tuple[Planted, ...], extra: tuple[tuple[str, int, str, str], ...] = (), **change: Any
) -> str:
    """A findings file as a learner would write it; `change` replaces fields in every entry."""
    rows = [
        {"file": p.path, "line": p.line, "pitfall": p.pitfall, "consequence": CAUSES[p.pitfall][0], **change} for p in planted
    ]  # fmt: skip
    rows += [dict(zip(("file", "line", "pitfall", "consequence"), one, strict=True)) for one in extra]
    return "findings:\n" + "".join(
        "  - {" + ", ".join(f"{key}: {value}" for key, value in one.items()) + "}\n" for one in rows
    )


_ALL = folder(FOLDER).planted
_FIRST_ALIKE = folder(FOLDER).alike[0]


def _answer(text: str) -> dict[str, str]:
    return {FINDINGS: text}


def _grouped() -> str:
    """The same findings, sorted by kind, as JSON, with paths from the workspace and lines that are off by two."""
    import json

    rows = [
        {"file": "inherited/" + p.path, "line": max(1, p.line - 2), "pitfall": p.pitfall, "consequence": CAUSES[p.pitfall][-1], "note": p.why}
        for p in sorted(_ALL, key=lambda p: p.pitfall)
    ]  # fmt: skip
    return json.dumps({"auditor": "me", "findings": rows})


TASK_1 = Task(
    id="01.1",
    title="Read the folder",
    minutes=25,
    points=4,
    deliver=(file(FINDINGS),),
    data=folder,
    checks=(
        Check("accuses nothing harmless", nothing_harmless),
        Check("names place and kind of each", places_and_kinds),
        Check("misses none", nothing_missed),
        Check("says what each one costs", why_it_hurts),
    ),
    hints=(
        "Go by kind, not by file: five walks through the folder, each with one question. “Could I build this again?” is the one for logic and for infrastructure.",
        "A program sees some of them: `dojo audit` on the folder gives files and lines. What it cannot read is prose: notes/, mail/, docs/, and exports of other tools.",
        "Each kind stands there three or four times. Look at what the notebook creates, at both workflows, at every file in docs/ and mail/, at `except`, at where the schedule's output goes, and at who gets the alerts.",
    ),
    wrong=(
        wrong("only what a scanner finds", _answer(written([p for p in _ALL if p.pitfall == "exposed"])), "missed-prod-by-hand"),
        wrong("only what a program can see", _answer(written([p for p in _ALL if p.by == "parser"])), "missed-outside-git"),
        wrong("everything that looks suspicious", _answer(written(_ALL, ((_FIRST_ALIKE.path, _FIRST_ALIKE.line, _FIRST_ALIKE.like, "stolen"),))), "look-alike"),
        wrong("one consequence for all", _answer(written(_ALL, consequence="unnoticed")), "consequence"),
        wrong("one kind for all", _answer(written(_ALL, pitfall="prod-by-hand", consequence="unreviewed")), "other-kind"),
        wrong("files without looking up the line", _answer(written([p for p in _ALL if p.line > 5], line=1)), "line"),
        wrong("four opinions on good code", _answer(written(_ALL, tuple(("ingestion/load.py", n, "outside-git", "lost") for n in (5, 25, 45, 65)))), "imagined"),
        wrong("a path from memory", _answer(written(_ALL).replace("scripts/", "script/")), "unknown-file"),
        wrong("a kind of one's own", _answer(written(_ALL).replace("pitfall: exposed", "pitfall: insecure")), "not-on-the-list"),
        wrong("a line as text", _answer(written(_ALL, line="somewhere")), "no-line"),
        wrong("a paragraph", _answer("The folder is a mess and should be rebuilt.\n"), "shape"),
        wrong("half a file", _answer("findings:\n  - {file: README.md, line: 3"), "yaml"),
    ),
    right=(
        right("sorted by kind, as JSON, two lines off", _answer(_grouped())),
        right("with two findings more", _answer(written(_ALL, (("dags/shopflow_daily.py", 18, "unwatched", "unnoticed"), ("requirements.txt", 1, "prod-by-hand", "unreviewed"))))),
    ),
    spared={" → ": "a finding may be three lines off: the next line is still the place"},
)  # fmt: skip
