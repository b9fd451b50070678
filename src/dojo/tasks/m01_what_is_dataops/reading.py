"""Task 01.1: the findings that a learner writes down about the inherited folder, judged on what is missed and what is imagined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, one_of, parse_yaml, whole_number, wrong_type
from shopflow import inherited
from shopflow.inherited import PITFALLS, LookAlike, Planted

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

    def __str__(self) -> str:
        return f"{self.path}:{self.line} ({self.pitfall})"


def folder(seed: int) -> inherited.Folder:
    """The folder of the workspace, whatever the seed of the judge."""
    return _FOLDER


_FOLDER = inherited.contents(FOLDER)


def _entries(work: Work, made: inherited.Folder) -> list[Entry]:
    text = work.file(FINDINGS)
    return work.once(("01.1", text), lambda: _read(text, made))


def _read(text: str, made: inherited.Folder) -> list[Entry]:
    found = parse_yaml(text, FINDINGS)
    listed = found if isinstance(found, list) else mapping(found, FINDINGS, ("findings",))["findings"]
    if not isinstance(listed, list):
        raise wrong_type("`findings`", "a list", listed)
    return [_entry(one, number, made) for number, one in enumerate(listed, 1)]


def _entry(one: Any, number: int, made: inherited.Folder) -> Entry:
    held = mapping(one, f"Finding {number}", ("file", "line", "pitfall"))
    path = str(held["file"]).removeprefix("./").removeprefix("inherited/")
    if path not in made.files:
        said = f"Finding {number}: there is no such file in inherited/. Paths begin below it."
        raise NotYet(said, tried="`file`", expected="a file of the folder", got=held["file"], cause="unknown-file")
    what = f"`line` of finding {number} ({path})"
    line, length = whole_number(held["line"], what), made.files[path].rstrip("\n").count("\n") + 1
    if not 1 <= line <= length:
        raise NotYet(f"{what} must be a line of that file, from 1.", expected=f"1 to {length}", got=line, cause="no-line")
    return Entry(
        path, line, one_of(held["pitfall"], tuple(PITFALLS), "pitfall", "one of five words", cause="not-on-the-list")
    )


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


def places_and_kinds(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    hits = [_hit(one, made) for one in entries]
    for one in entries:
        at = _at(one, made)
        if at and not _hit(one, made):
            raise NotYet(
                f"At {one.path}:{one.line} there is a pitfall, of another kind. {at[0].why} Which of the five is that?",
                tried=_row(made, one),
                expected="another of the five",
                got=one.pitfall,
                cause="other-kind",
            )
        if not at and any(p.path == one.path and p.pitfall == one.pitfall and p not in hits for p in made.planted):
            said = f"{one.path} is the right file, and line {one.line} is not where it stands."
            look = "Evidence is a line that somebody can open."
            expected = f"a line within {NEAR} of it"
            raise NotYet(said, tried=_row(made, one), expected=expected, got=f"line {one.line}", cause="line", look=look)
    _all_found(made, {hit for hit in hits if hit})
    return f"All {len(made.planted)} pitfalls found, each with its kind and its line."


def _row(made: inherited.Folder, one: Entry) -> str:
    """The line that a finding points to."""
    return f"line {one.line} reads: {made.files[one.path].split(chr(10))[one.line - 1].strip() or '(nothing)'}"


def _all_found(made: inherited.Folder, found: set[Planted]) -> None:
    missed = [p for p in made.planted if p not in found]
    if not missed:
        return
    counts = {kind: sum(p.pitfall == kind for p in missed) for kind in PITFALLS}
    told = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    raise NotYet(
        f"{len(missed)} of {len(made.planted)} pitfalls are not in your list: {told}.",
        tried="each pitfall, looked for in your list",
        expected=f"{len(made.planted)} found",
        got=f"{len(found)} found",
        cause="missed-" + missed[0].pitfall,
        look=f"For one of them ({missed[0].pitfall}): {missed[0].look}.",
    )


def nothing_harmless(work: Work, made: inherited.Folder) -> str:
    for one in _entries(work, made):
        if _at(one, made):
            continue
        if alike := _alike(one, made):
            raise NotYet(
                f"{one} only looks like a pitfall. {alike.why}",
                tried=_row(made, one),
                expected="no finding there",
                got=str(one),
                cause="look-alike",
            )
    return "Nothing harmless is accused."


def nothing_imagined(work: Work, made: inherited.Folder) -> str:
    entries = _entries(work, made)
    hits = [_hit(one, made) for one in entries]
    spare = len(entries) - len({hit for hit in hits if hit})
    if spare > IMAGINED:
        some = [str(one) for one, hit in zip(entries, hits, strict=True) if not hit]
        raise NotYet(
            f"{spare} of {len(entries)} findings are no pitfall, or say one twice: at most {IMAGINED} are let pass.",
            tried="each finding, held against the folder",
            expected=f"at most {IMAGINED}",
            got=", ".join(some[:4]) or "the same place more than once",
            cause="imagined",
            look="For each, ask: what would go wrong, on which morning, for whom?",
        )
    return f"{spare} of {len(entries)} findings are your own." if spare else "Each finding is a pitfall."


def written(
    planted: list[Planted] | tuple[Planted, ...], extra: tuple[tuple[str, int, str], ...] = (), **change: Any
) -> str:
    """A findings file as a learner would write it; `change` replaces fields in every entry."""
    found = [{"file": p.path, "line": p.line, "pitfall": p.pitfall, **change} for p in planted]
    found += [dict(zip(("file", "line", "pitfall"), one, strict=True)) for one in extra]
    return "findings:\n" + "".join(
        "  - {" + ", ".join(f"{key}: {value}" for key, value in one.items()) + "}\n" for one in found
    )


_ALL = folder(FOLDER).planted
_FIRST_ALIKE = folder(FOLDER).alike[0]


def _answer(text: str) -> dict[str, str]:
    return {FINDINGS: text}


def _grouped() -> str:
    """The same findings, sorted by kind, as JSON, with paths from the workspace and lines that are off by two."""
    import json

    rows = [
        {"file": "inherited/" + p.path, "line": max(1, p.line - 2), "pitfall": p.pitfall, "note": p.why}
        for p in sorted(_ALL, key=lambda p: p.pitfall)
    ]
    return json.dumps({"auditor": "me", "findings": rows})


TASK_1 = Task(
    id="01.1",
    title="Read the folder",
    minutes=25,
    points=4,
    deliver=(file(FINDINGS),),
    data=folder,
    checks=(
        Check("names each pitfall with its kind and its line", places_and_kinds),
        Check("accuses nothing harmless", nothing_harmless),
        Check("imagines no others", nothing_imagined),
    ),
    hints=(
        "Go by kind, not by file: five walks through the folder, each with one question. “Could I build this again?” is the one for logic and for infrastructure.",
        "A program sees some of them: `dojo audit` on the folder gives files and lines. What it cannot read is prose: notes/, mail/, docs/, and exports of other tools.",
        "Each kind stands there three or four times. Look at what the notebook creates, at both workflows, at every file in docs/ and mail/, at `except`, at where the schedule's output goes, and at who gets the alerts.",
    ),
    wrong=(
        wrong(
            "only what a scanner finds", _answer(written([p for p in _ALL if p.pitfall == "exposed"])), "missed-prod-by-hand"
        ),
        wrong("only what a program can see", _answer(written([p for p in _ALL if p.by == "parser"])), "missed-outside-git"),
        wrong(
            "everything that looks suspicious",
            _answer(written(_ALL, ((_FIRST_ALIKE.path, _FIRST_ALIKE.line, _FIRST_ALIKE.like),))),
            "look-alike",
        ),
        wrong("one kind for all", _answer(written(_ALL, pitfall="prod-by-hand")), "other-kind"),
        wrong("files without looking up the line", _answer(written([p for p in _ALL if p.line > 5], line=1)), "line"),
        wrong(
            "four opinions on good code",
            _answer(written(_ALL, tuple(("ingestion/load.py", n, "outside-git") for n in (5, 25, 45, 65)))),
            "imagined",
        ),
        wrong("a path from memory", _answer(written(_ALL).replace("scripts/", "script/")), "unknown-file"),
        wrong(
            "a kind of one's own", _answer(written(_ALL).replace("pitfall: exposed", "pitfall: insecure")), "not-on-the-list"
        ),
        wrong("a line as text", _answer(written(_ALL, line="somewhere")), "type"),
        wrong("lines from zero", _answer(written(_ALL, line=0)), "no-line"),
        wrong("a paragraph", _answer("The folder is a mess and should be rebuilt.\n"), "shape"),
        wrong("no kind", _answer(written(_ALL).replace(", pitfall:", ", kind:")), "keys"),
        wrong("half a file", _answer("findings:\n  - {file: README.md, line: 3"), "yaml"),
    ),
    right=(
        right("sorted by kind, as JSON, two lines off", _answer(_grouped())),
        right(
            "with two findings more",
            _answer(written(_ALL, (("dags/shopflow_daily.py", 18, "unwatched"), ("requirements.txt", 1, "prod-by-hand")))),
        ),
    ),
    clauses={
        "the path below inherited/": "a path from memory",
        "where it stands, from 1": "lines from zero",
        "three lines off is near enough": "files without looking up the line",
        "prod-by-hand (no check that stops a change": "one kind for all",
        "Each pitfall stands there at least three times": "only what a program can see",
        "accusing those counts against you": "everything that looks suspicious",
        "Up to three findings of your own are let pass": "four opinions on good code",
    },
    spared={" → ": "a finding may be three lines off: the next line is still the place"},
)
