"""Task 02.6: review a pull request: findings with file, line, kind and reason, and a function for what a machine can see."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m02_version_control import story
from dojo.tasks.m02_version_control.branches import BRANCH, FAULTS, HARMLESS, SEND, Fault, line_of
from dojo.tools import git

FINDINGS = "reviews/partner-export.yml"
KINDS = (
    "secret", "personal-data", "hard-coded-name", "fan-out", "wrong-day", "weakened-test", "swallowed-error",
    "wall-clock", "missing-test", "style",
)  # fmt: skip
FEWEST = 4
"""Faults that must be found before precision counts."""
NEAR = 2
"""Lines by which a finding may be beside its fault."""


@dataclass(frozen=True)
class Diffs:
    """Unseen diffs, each with what a machine should find in it: (file, line, kind)."""

    all: tuple[tuple[str, str, tuple[tuple[str, int, str], ...]], ...]


@cache
def branch_files() -> dict[str, str]:
    """The files that the pull request changes, as it leaves them."""
    told = story.workspace()
    head, main = told.heads[BRANCH].tree, told.begun[BRANCH]
    return {path: text for path, text in head.items() if main.get(path) != text}


# ---------------------------------------------------------------- the findings


def _findings(work: Work) -> list[dict[str, Any]]:
    content = parse_yaml(work.file(FINDINGS), FINDINGS)
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise NotYet("The review is a list of findings.", expected="- file: …\n  line: …\n  kind: …\n  blocks: …\n  why: …", got=str(content)[:200], cause="form")  # fmt: skip
    for one in content:
        where = f"{one.get('file')}, line {one.get('line')}"
        if one.get("file") not in branch_files():
            raise NotYet("A finding points to a file that the pull request does not change.", expected=", ".join(sorted(branch_files())), got=one.get("file"), cause="form")  # fmt: skip
        if not isinstance(one.get("line"), int) or isinstance(one.get("line"), bool):
            raise NotYet("`line` is a line's number in the file as the branch leaves it.", expected="a number", got=one.get("line"), cause="form")  # fmt: skip
        if one.get("kind") not in KINDS:
            raise NotYet(
                f"`kind` at {where} is not on the list.", expected=", ".join(KINDS), got=one.get("kind"), cause="form"
            )
        if not isinstance(one.get("blocks"), bool):
            raise NotYet(f"`blocks` at {where} says whether the branch may be merged with it.", expected="true or false", got=one.get("blocks"), cause="form")  # fmt: skip
        if len(str(one.get("why") or "").split()) < 4:
            raise NotYet(f"{where}: Jonas will ask why. One sentence.", expected="what it would do, and to whom", got=one.get("why") or "nothing", cause="no-reason")  # fmt: skip
    return content


def _off(finding: dict[str, Any], fault: Fault) -> int:
    """Lines between a finding and the nearest place where the fault can be seen; many in another file."""
    text = branch_files()[fault.file]
    places = [line_of(text, part) for part in (fault.text, fault.also) if part]
    return min(abs(finding["line"] - at) for at in places) if finding["file"] == fault.file else len(text)


def _hits(finding: dict[str, Any], fault: Fault) -> bool:
    return _off(finding, fault) <= NEAR


def _left_over(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Findings that are none of the faults; a fault takes the nearest finding of its kind, and only that."""
    left = list(found)
    for fault in FAULTS:
        near = [f for f in left if f["kind"] == fault.kind and _hits(f, fault)]
        if near:
            left.remove(min(near, key=lambda f, fault=fault: _off(f, fault)))
    return left


def finds_the_seven(work: Work, data: Diffs) -> str:
    found = _findings(work)
    missed = []
    for fault in FAULTS:
        there = [f for f in found if _hits(f, fault)]
        if not any(f["kind"] == fault.kind for f in there):
            missed.append((fault, there))
    if missed:
        fault, there = next(((f, t) for f, t in missed if t), missed[0])
        near = [f for f in there if f["kind"] not in {o.kind for o in FAULTS if _hits(f, o)}]
        hint = f"You found something at line {near[0]['line']} and called it {near[0]['kind']}." if near else ""
        plain = {"fan-out": "Ask of each join how many rows of the other side can match one of this side.", "wrong-day": "Which clock does this column follow, and which one does the agreement?"}  # fmt: skip
        raise NotYet(
            f"{len(FAULTS) - len(missed)} of {len(FAULTS)} found. One that you miss is in `{fault.file}`.",
            expected=f"{len(FAULTS)} faults, each with its kind", got=hint or f"{len(found)} findings", cause=f"missed-{fault.kind}",
            look=plain.get(fault.kind, "Read docs/partner.md beside the diff, and the lines that were changed, not only those that were added."),
        )  # fmt: skip
    return f"{len(FAULTS)} of {len(FAULTS)}, with the two that nobody sees at first."


def cries_no_wolf(work: Work, data: Diffs) -> str:
    found = _findings(work)
    false = _left_over(found)
    if len(found) - len(false) < FEWEST:
        raise NotYet("Silence is no review: what is right of it can be judged when most of the faults are found.", expected=f"at least {FEWEST} of {len(FAULTS)}", got=f"{len(found) - len(false)} of {len(FAULTS)}", cause="too-little")  # fmt: skip
    for one in false:
        for path, text, why in HARMLESS:
            if one["file"] == path and one["line"] == line_of(branch_files()[path], text):
                raise NotYet(f"`{path}`, line {one['line']}: {why}", tried=f"your finding: {one['kind']}", expected="no finding", got=one["why"], cause="look-alike")  # fmt: skip
    if len(false) > 1:
        raise NotYet(f"{len(false)} of your {len(found)} findings are none. Jonas stops reading at the third.", expected="at most one that is debatable", got=", ".join(f"{f['file']}:{f['line']} {f['kind']}" for f in false[:4]), cause="false-alarms")  # fmt: skip
    lenient = [o for o in FAULTS if any(f["kind"] == o.kind and _hits(f, o) and not f["blocks"] for f in found)]
    if lenient:
        raise NotYet(f"You would let this be merged: {lenient[0].effect}", tried=f"{lenient[0].file}: {lenient[0].kind}", expected="blocks: true", got="blocks: false", cause="lets-it-through")  # fmt: skip
    return f"{len(found)} findings, {len(found) - len(false)} of them faults."


# ---------------------------------------------------------------- what a machine can see


def diffs(seed: int) -> Diffs:
    """Three pull requests made of the same kinds of lines, at other places and with other words for each seed."""
    word, value = ("crm", "Sturm-Ebbe-77") if seed % 4 == 3 else ("bank", "wal_9f31Kq")
    lines = [f"setting_{n}: {n}" for n in range(30)]
    before = {
        "config/main.yml": "\n".join([*lines, f"old_password: {value}-old", *lines]) + "\n",
        f"dbt/models/marts/{word}.sql": "select *\nfrom raw.orders\n",
        f"docs/{word}.md": "nothing\n",
        f"ingestion/{word}.py": "def load():\n    return 1\n",
    }
    config = [*lines[:20], f"{word}_token: {value}", *lines[20:], *lines[:5], f"api_key: ${{{word.upper()}_KEY}}", "smtp_password: ''", *lines[5:], "password_file: /run/secrets/x"]  # fmt: skip
    model = "-- was: from raw.orders\nselect a.*, b.n\nfrom {{ ref('stg_orders') }} as a\nleft join prod.marts.dim_store as b\n    on a.store_id = b.store_id\n"
    code = f'def load():\n    import os\n    token = os.environ["TOKEN"]\n    secret = "{value}"\n    try:\n        return read(token)\n    except FileNotFoundError:\n        raise\n    except OSError as error:\n        pass\n'
    first = {
        "config/main.yml": "\n".join(config) + "\n",
        f"dbt/models/marts/{word}.sql": model,
        f"ingestion/{word}.py": code,
    }
    staging = f"with o as (\n    select * from raw.{word}\n),\n\nc as (select * from o)\n\nselect * from c join marts.dim_date using (day)\n"
    second = {
        f"dbt/models/staging/stg_{word}.sql": staging,
        f"docs/{word}.md": f"nothing\nquery it with: select * from marts.{word}\n",
        f"dbt/analyses/{word}.sql": "select * from prod.marts.fact_sales\n",
        "config/new.yml": f"db:\n  password: \"{value}\"\n  secret: {{{{ env_var('S') }}}}\n",
        f"ingestion/{word}.py": "def load():\n    try:\n        return 1\n    except: pass\n",
        f"dbt/models/marts/{word}.sql": "select *\nfrom raw.orders\nwhere true",
    }
    third = {"README.md": f"# {word}\n\nThe password is in the vault.\n", f"ingestion/{word}.py": None, "ingestion/other.py": "def go():\n    try:\n        run()\n    except ValueError:\n        print('no')\n        pass\n"}  # fmt: skip
    kinds = (
        ("secret", f"{word}_token: {value}"), ("secret", f'secret = "{value}"'), ("secret", f'  password: "{value}"'),
        ("hard-coded-name", "left join prod.marts.dim_store"), ("hard-coded-name", f"select * from raw.{word}"),
        ("hard-coded-name", "select * from c join marts.dim_date"), ("swallowed-error", "except OSError as error:"),
        ("swallowed-error", "    except: pass"),
    )  # fmt: skip
    made = []
    for name, changes in (("first", first), ("second", second), ("third", third)):
        expected = sorted(
            (path, number, kind)
            for path, text in changes.items()
            for number, line in enumerate((text or "").splitlines(), 1)
            for kind, part in kinds
            if part in line and not (kind == "hard-coded-name" and not path.startswith("dbt/models"))
        )
        made.append((name, _diff(before, changes), tuple(expected)))
    return Diffs(tuple(made))


def _diff(before: dict[str, str], changes: dict[str, str | None]) -> str:
    told = story.Story()
    told.commit(0, "Mara", "Before", dict(before))
    told.commit(1, "Jonas", "After", dict(changes), branch="change")
    with tempfile.TemporaryDirectory(prefix="dojo-diff-") as folder:
        git.make(Path(folder) / "repo", told.stream())
        return git.git(Path(folder) / "repo", "diff", "--no-renames", "main", "change")


_WHY = {
    "secret": "a value that only the environment should know, written down",
    "hard-coded-name": "a model that names a table instead of using ref() or source()",
    "swallowed-error": "an error that is caught and answered with pass",
}


def machine_sees(work: Work, data: Diffs) -> str:
    given = work.calls("review", [(diff,) for _, diff, _ in data.all])
    total = 0
    for (_, diff, expected), got in zip(data.all, given, strict=True):
        try:
            found = {(str(f[0]), int(f[1]), str(f[2])) for f in got}
        except (TypeError, ValueError, IndexError, KeyError):
            raise NotYet("`review` returns a list of (file, line, kind).", tried="review(diff)", expected="[('config/new.yml', 3, 'secret')]", got=got, cause="form") from None  # fmt: skip
        total += len(expected)
        for path, line, kind in expected:
            if (path, line, kind) not in found:
                beside = [
                    f
                    for f in found
                    if f[0] == path and f[2] == kind and f[1] not in {e[1] for e in expected if e[0] == path}
                ]
                cause = "wrong-line" if beside else f"unseen-{kind}"
                look = "Count in the new file: the hunk's header says where it begins (+start), context and added lines count, removed ones do not." if beside else ""  # fmt: skip
                raise NotYet(f"`{path}` has {_WHY[kind]}.", tried=_excerpt(diff, path), expected=(path, line, kind), got=beside[0] if beside else "nothing there", cause=cause, look=look)  # fmt: skip
        for one in sorted(found - set(expected)):
            raise NotYet("That is nothing a machine should stop anybody for.", tried=_excerpt(diff, one[0]), expected="no finding", got=one, cause=_alarm(diff, one), look="Only added lines count; a reference, a path, an empty value and a comment are harmless; outside dbt/models a table may be named.")  # fmt: skip
    return f"{total} found in {len(data.all)} unseen diffs, and nothing else."


def _alarm(diff: str, finding: tuple[str, int, str]) -> str:
    """What kind of false alarm a finding is."""
    removed = [line[1:] for line in diff.splitlines() if line.startswith("-") and not line.startswith("---")]
    if finding[2] == "secret":
        return (
            "reads-removed-lines"
            if any("old_password" in line for line in removed) and "old" in str(finding)
            else "harmless-secret"
        )
    return f"harmless-{finding[2]}"


def _excerpt(diff: str, path: str) -> str:
    at = diff.find(f"+++ b/{path}")
    return diff[at : at + 300] if at >= 0 else diff[:200]


_REVIEW = '''\
def review(diff):
    import re
    secret = re.compile(r"""(?i)(password|token|secret|api_key)["']?\\s*[:=]\\s*("[^"${]+"|'[^'${]+'|[^\\s"'${\\[(]+$)""")
    found, path, number, caught = [], "", 0, None
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path = line[6:]
        elif line.startswith("@@"):
            number, caught = int(re.search(r"\\+(\\d+)", line)[1]), None
        elif line.startswith("+"):
            text = line[1:].strip()
            if secret.search(text):
                found.append((path, number, "secret"))
            if path.startswith("dbt/models/") and path.endswith(".sql"):
                if re.search(r"(?i)\\b(from|join)\\s+\\w+\\.\\w+", text.split("--")[0]):
                    found.append((path, number, "hard-coded-name"))
            if text == "pass" and caught:
                found.append((path, caught, "swallowed-error"))
            elif re.match(r"except\\b.*:\\s*pass$", text):
                found.append((path, number, "swallowed-error"))
            caught = number if re.match(r"except\\b.*:$", text) else None
            number += 1
        elif line.startswith(" "):
            number, caught = number + 1, None
    return found
'''
_SEVEN = "".join(
    f"- file: {f.file}\n  line: {line_of(branch_files()[f.file], f.text)}\n  kind: {f.kind}\n  blocks: true\n  why: \"{f.effect}\"\n"
    for f in FAULTS
)  # fmt: skip


def _line(old: str, new: str) -> dict[str, str]:
    if old not in _REVIEW:
        raise ValueError(f"{old!r} is not in the reference")
    return {"cell": _REVIEW.replace(old, new)}


def _without(kind: str, more: str = "") -> dict[str, str]:
    parts = ["- file:" + part for part in _SEVEN.split("- file:")[1:]]
    return {FINDINGS: "".join(p for p in parts if f"kind: {kind}\n" not in p) + more}


def _also(path: str, text: str, kind: str) -> dict[str, str]:
    line = line_of(branch_files()[path], text)
    return {
        FINDINGS: _SEVEN + f"- {{file: {path}, line: {line}, kind: {kind}, blocks: true, why: it looks like the others}}\n"
    }


_OTHER_WAY = """\
def review(diff):
    import re

    def blocks():
        for part in re.split(r"(?m)^diff --git .*$", diff)[1:]:
            name = re.search(r"(?m)^\\+\\+\\+ b/(.*)$", part)
            for start, body in re.findall(r"(?ms)^@@ -\\S+ \\+(\\d+)\\S* @@[^\\n]*\\n(.*?)(?=^@@|\\Z)", part):
                kept = [row for row in body.split("\\n") if row[:1] in ("+", " ")]
                yield name and name.group(1), [(int(start) + n, row[0] == "+", row[1:]) for n, row in enumerate(kept)]

    result = set()
    for name, rows in blocks():
        for n, (number, added, text) in enumerate(rows):
            if not added:
                continue
            pair = re.match(r"\\s*[\\"']?(\\w+)[\\"']?\\s*[:=]\\s*(.*?)\\s*$", text)
            if pair and re.search(r"(?i)(password|token|secret|api_key)$", pair.group(1)):
                value = pair.group(2)
                literal = value.strip("\\"'") and not re.match(r"[${]|os\\.", value.strip("\\"'"))
                if literal:
                    result.add((name, number, "secret"))
            if name and re.match(r"dbt/models/.*\\.sql$", name) and re.search(r"(?i)(?:from|join)\\s+[a-z_]+\\.[a-z_]", re.sub("--.*", "", text)):
                result.add((name, number, "hard-coded-name"))
            after = rows[n + 1][2] if n + 1 < len(rows) else ""
            if re.match(r"\\s*except\\b", text) and (text.rstrip().endswith(": pass") or after.strip() == "pass"):
                result.add((name, number, "swallowed-error"))
    return sorted(result)
"""

TASK_6 = Task(
    id="02.6",
    title="Review Jonas's pull request",
    minutes=15,
    points=3,
    deliver=(file(FINDINGS), function("review")),
    data=diffs,
    checks=(
        Check("All seven faults are found, each by its name", finds_the_seven),
        Check("Nothing harmless is reported, and what must block blocks", cries_no_wolf),
        Check("The function sees the three mechanical kinds in unseen diffs", machine_sees, lambda d: [e for _, _, e in d.all]),
    ),
    hints=(
        "`git diff main...jonas/partner-export` shows what the branch adds. Read docs/partner.md first: it says what was agreed. Read the changed lines of old files as slowly as the new ones.",
        "The two that nobody sees: what is `ordered_at` in, UTC or Berlin? And how many rows has a customer in dim_customer who moved?",
        "partner_export.sql has four (the day, the email, the join to customers, the table of prod), partner.yml one, send_export.py one, _marts.yml one. For the function: walk through the diff, begin to count at +start of each @@, count added and context lines, look only at added ones.",
    ),
    wrong=(
        wrong("overlooks the join", _without("fan-out"), "missed-fan-out"),
        wrong("overlooks the clock", _without("wrong-day"), "missed-wrong-day"),
        wrong("reads new files only", _without("weakened-test"), "missed-weakened-test"),
        wrong("takes the reference for a secret", _also("config/partner.yml", "api_token", "secret"), "look-alike"),
        wrong("takes the rate's day for a fault", _also("dbt/models/marts/partner_export.sql", "= rates.rate_date", "wrong-day"), "look-alike"),
        wrong("complains about style everywhere", {FINDINGS: _SEVEN + "".join(f"- {{file: {SEND}, line: {n}, kind: style, blocks: false, why: I would write it otherwise}}\n" for n in (1, 7))}, "false-alarms"),
        wrong("lets the email pass", {FINDINGS: _SEVEN.replace("kind: personal-data\n  blocks: true", "kind: personal-data\n  blocks: false")}, "lets-it-through"),
        wrong("finds only the password", {FINDINGS: "- {file: config/partner.yml, line: 3, kind: secret, blocks: true, why: a password stays in Git}\n"}, "too-little"),
        wrong("gives no reasons", {FINDINGS: "\n".join('  why: ""' if "why:" in line else line for line in _SEVEN.splitlines())}, "no-reason"),
        wrong("reads removed lines too", _line('elif line.startswith("+"):', 'elif line.startswith(("+", "-")):'), "wrong-line"),
        wrong("counts lines of the diff", _line("        elif line.startswith(\" \"):\n            number, caught = number + 1, None\n", ""), "wrong-line"),
        wrong("every line with the word password", _line("secret.search(text)", 're.search("password|token|secret|api_key", text)'), "harmless-secret"),
        wrong("does not know comments", _line('text.split("--")[0]', "text"), "harmless-hard-coded-name"),
        wrong("any except is one", _line('if text == "pass" and caught', 'if caught'), "harmless-swallowed-error"),
    ),
    right=(
        right("a function by blocks and look-ahead", {"cell": _OTHER_WAY}),
        right("lines beside, another order, one debatable finding", {FINDINGS: "\n".join(f"- {{file: {f.file}, line: {line_of(branch_files()[f.file], f.also or f.text) + (1 if n % 2 else -1)}, kind: {f.kind}, blocks: true, why: this must not be merged as it is}}" for n, f in enumerate(reversed(FAULTS))) + "\n- {file: dbt/models/marts/_exports.yml, line: 5, kind: missing-test, blocks: false, why: order_id could also be unique}\n"}),
    ),
    spared={
        **{f"{n} → {n + 1}": "a line beside is near enough" for n in (line_of(branch_files()[f.file], f.text) for f in FAULTS)},
        "line 6: 0 → 1": "a hunk's header sets the number before any line of it",
    },
)  # fmt: skip
