"""Task 02.6: review a pull request: findings with file, line, kind and reason, and a function for what a machine can see."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, one_of, parse_yaml, rows, whole_number, wrong_type
from dojo.tasks.m02_version_control import story
from dojo.tasks.m02_version_control.branches import BRANCH, FAULTS, HARMLESS, SEND, Fault, line_of
from dojo.tools import git

FINDINGS = "reviews/partner-export.yml"
KINDS = (
    "secret",
    "personal-data",
    "hard-coded-name",
    "fan-out",
    "wrong-day",
    "weakened-test",
    "swallowed-error",
    "wall-clock",
    "missing-test",
    "style",
)
NEAR = 2
"""Lines by which a finding may be beside its fault."""


Place = tuple[str, int, str]


@dataclass(frozen=True)
class Diffs:
    """Unseen diffs, each with what a machine should find in it: (file, line, kind)."""

    all: tuple[tuple[str, str, tuple[Place, ...]], ...]


@cache
def branch_files() -> dict[str, str]:
    """The files that the pull request changes, as it leaves them."""
    told = story.workspace()
    head, main = told.heads[BRANCH].tree, told.begun[BRANCH]
    return {path: text for path, text in head.items() if main.get(path) != text}


# ---------------------------------------------------------------- the findings


def _findings(work: Work) -> list[dict[str, Any]]:
    content = parse_yaml(work.file(FINDINGS), FINDINGS)
    if not isinstance(content, list):
        raise wrong_type("The review", "a list of findings, each with file, line, kind and why", content)
    return [_finding(one, number) for number, one in enumerate(content, 1)]


def _finding(one: Any, number: int) -> dict[str, Any]:
    found = dict(mapping(one, f"Finding {number}", ("file", "line", "kind", "why")))
    found["file"] = str(found["file"]).removeprefix("./").removeprefix("repo/")
    if found["file"] not in branch_files():
        said = f"Finding {number} points to a file that the pull request does not change."
        raise NotYet(said, expected=", ".join(sorted(branch_files())), got=found["file"], cause="form")
    found["line"] = whole_number(found["line"], f"`line` of finding {number}")
    length = len(branch_files()[found["file"]].splitlines())
    if not 1 <= found["line"] <= length:
        said = f"`line` of finding {number} is a line of {found['file']} as the branch leaves it."
        raise NotYet(said, expected=f"1 to {length}", got=found["line"], cause="form")
    one_of(found["kind"], KINDS, "kind", "one of the ten words", cause="form")
    if len(str(found["why"] or "").split()) < 4:
        said = f"{found['file']}, line {found['line']}: Jonas will ask why. One sentence."
        raise NotYet(said, expected="what it would do, and to whom", got=found["why"] or "nothing", cause="no-reason")
    return found


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
        _missed(missed, found)
    return f"{len(FAULTS)} of {len(FAULTS)}, with the two that are hard to see."


LOOK = {
    "fan-out": "Ask of each join how many rows of the other side can match one of this side.",
    "wrong-day": "Which clock does this column follow, and which one does the agreement?",
}


def _missed(missed: list[tuple[Fault, list[dict[str, Any]]]], found: list[dict[str, Any]]) -> None:
    """Names one fault that is missing; where a finding stands there under another name, that one."""
    fault, there = next(((f, t) for f, t in missed if t), missed[0])
    near = [f for f in there if f["kind"] not in {o.kind for o in FAULTS if _hits(f, o)}]
    here = (
        f"at line {near[0]['line']} you have {near[0]['kind']}" if near else f"{len(FAULTS) - len(missed)} of {len(FAULTS)}"
    )
    raise NotYet(
        f"{len(FAULTS) - len(missed)} of {len(FAULTS)} found. One that you miss is in `{fault.file}`.",
        tried=f"{len(found)} findings, each held against the branch",
        expected=f"{len(FAULTS)} faults, each with its kind",
        got=here,
        cause=f"missed-{fault.kind}",
        look=LOOK.get(
            fault.kind,
            "Read docs/partner.md beside the diff, and the lines that were changed, not only those that were added.",
        ),
    )


def cries_no_wolf(work: Work, data: Diffs) -> str:
    found = _findings(work)
    false = _left_over(found)
    for one in false:
        for path, text, why in HARMLESS:
            if one["file"] == path and one["line"] == line_of(branch_files()[path], text):
                line = branch_files()[path].splitlines()[one["line"] - 1].strip()
                raise NotYet(
                    f"`{path}`, line {one['line']}, is harmless. {why}",
                    tried=f"the line reads: {line}",
                    expected="no finding",
                    got=f"{one['kind']}: {one['why']}",
                    cause="look-alike",
                )
    if len(false) > 1:
        raise NotYet(
            f"{len(false)} of your {len(found)} findings are none, and one debatable finding is allowed.",
            tried=f"{len(found)} findings, each held against the branch",
            expected="at most one that is debatable",
            got=", ".join(f"{f['file']}:{f['line']} {f['kind']}" for f in false[:4]),
            cause="false-alarms",
        )
    return f"{len(found)} findings, {len(found) - len(false)} of them faults."


# ---------------------------------------------------------------- what a machine can see


SPOTS = (
    ("secret", "_token: {value}"),
    ("secret", 'secret = "{value}"'),
    ("secret", '  password: "{value}"'),
    ("hard-coded-name", "left join prod.marts.dim_store"),
    ("hard-coded-name", "select * from raw.{word}"),
    ("hard-coded-name", "select * from c join marts.dim_date"),
    ("swallowed-error", "except OSError as error:"),
    ("swallowed-error", "    except: pass"),
)
"""What a machine should find in the diffs: kind, and a text in its line."""
CALM = (
    ("# The password", "harmless-secret", "That is a sentence, and no name is given a value."),
    ("The password is", "harmless-secret", "That is a sentence, and no name is given a value."),
    ("password_file:", "harmless-secret", "The name ends in file: the value is the path of one."),
    ("api_key: ${", "reference", "The value begins with $: it comes from outside."),
    ("smtp_password: ''", "empty", "An empty value gives nothing away."),
    ("secret: {{", "reference", "The value begins with {: it comes from outside."),
    ('os.environ["', "fetched", "The value is fetched from the environment."),
    ("vault.read(", "fetched", "The value is fetched by a call."),
    ("-- was: from", "comment", "A comment reads nothing."),
    ("query it with", "elsewhere", "That file is no model: outside dbt/models a table may be named."),
    ("select * from prod.marts.fact_sales", "elsewhere", "That file is no model: outside dbt/models a table may be named."),
    ("# select 1 from", "elsewhere", "That file is no SQL file."),
    ("except FileNotFoundError:", "answered", "The error is raised again."),
    ("except ValueError:", "answered", "The error is printed first: pass is not the whole answer."),
)
"""What stands beside it and is harmless: a text in its line, the cause of an answer that reports it, and why it is harmless."""


def diffs(seed: int) -> Diffs:
    """Three pull requests made of the same kinds of lines, at other places and with other words for each seed."""
    word, value = (
        f"{('crm', 'bank', 'fleet')[seed % 3]}{seed % 100}",
        ("Sturm-Ebbe-77", "wal_9f31Kq", "Nebel4711kai")[seed % 3],
    )
    lines = [f"setting_{n}: {n}" for n in range(20 + seed % 12)]
    before = {
        "config/main.yml": "\n".join([*lines, f"old_password: {value}-old", *lines]) + "\n",
        f"dbt/models/marts/{word}.sql": "select *\nfrom raw.orders\n",
        f"docs/{word}.md": "nothing\n",
        f"ingestion/{word}.py": "def load():\n    return 1\n",
    }
    calm = [f"api_key: ${{{word.upper()}_KEY}}", "smtp_password: ''"]
    config = [
        *lines[:9],
        f"{word}_token: {value}",
        *lines[9:],
        *lines[:5],
        *calm,
        *lines[5:],
        "password_file: /run/secrets/x",
    ]
    model = (
        "-- was: from raw.orders\nselect a.*, b.n\nfrom {{ ref('stg_orders') }} as a\n"
        "left join prod.marts.dim_store as b\n    on a.store_id = b.store_id\n"
    )
    code = (
        'def load():\n    import os\n    token = os.environ["TOKEN"]\n    api_token = vault.read("crm")\n'
        f'    secret = "{value}"\n    try:\n        return read(token)\n    except FileNotFoundError:\n        raise\n'
        "    except OSError as error:\n        pass\n"
    )
    staging = (
        f"with o as (\n    select * from raw.{word}\n),\n\nc as (select * from o)\n\n"
        "select * from c join marts.dim_date using (day)\n"
    )
    first = {
        "config/main.yml": "\n".join(config) + "\n",
        f"dbt/models/marts/{word}.sql": model,
        f"ingestion/{word}.py": code,
    }
    second = {
        f"dbt/models/staging/stg_{word}.sql": staging,
        f"dbt/models/staging/_{word}.yml": "# select 1 from raw.orders\nmodels: []\n",
        f"docs/{word}.md": f"nothing\nquery it with: select * from marts.{word}\n",
        f"dbt/analyses/{word}.sql": "select * from prod.marts.fact_sales\n",
        "config/new.yml": f"db:\n  password: \"{value}\"\n  secret: {{{{ env_var('S') }}}}\n",
        f"ingestion/{word}.py": "def load():\n    try:\n        return 1\n    except: pass\n",
        f"dbt/models/marts/{word}.sql": "select *\nfrom raw.orders\nwhere true",
    }
    printed = "def go():\n    try:\n        run()\n    except ValueError:\n        print('no')\n        pass\n"
    third = {
        "README.md": f"# {word}\n\nThe password is in the vault.\n",
        f"ingestion/{word}.py": None,
        "ingestion/other.py": printed,
    }
    kinds = [(kind, part.format(word=word, value=value)) for kind, part in SPOTS]
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
    for (name, diff, expected), got in zip(data.all, given, strict=True):
        tried = f"review(diff), the {name} diff"
        found = {_place(row, tried) for row in rows(got, "What `review` returns", ("file", "line", "kind"), tried=tried)}
        if missed := sorted(set(expected) - found):
            _unseen(diff, missed[0], found - set(expected))
        if false := sorted(found - set(expected)):
            _false_alarm(diff, false[0])
    return f"{sum(len(e) for _, _, e in data.all)} found in {len(data.all)} unseen diffs, and nothing else."


def _place(row: tuple, tried: str) -> Place:
    path, line, kind = row
    if not isinstance(path, str):
        raise wrong_type("`file`", "a path, as text", path, tried=tried)
    one_of(kind, tuple(_WHY), "kind", "one of three words", cause="form")
    return path, whole_number(line, "`line`", tried=tried), kind


def _unseen(diff: str, place: Place, others: set[Place]) -> None:
    """Says what was not found, and shows its line; a finding of the same kind and file beside it is a wrong line."""
    path, line, kind = place
    beside = sorted((other for other in others if other[0] == path and other[2] == kind), key=lambda o: abs(o[1] - line))
    look = (
        "Count in the new file: the hunk's header says where it begins (+start), context and added lines count, removed ones "
        "do not."
    )
    raise NotYet(
        f"`{path}` has {_WHY[kind]}.",
        tried=f"a diff with this:\n{_around(diff, path, line)}",
        expected=place,
        got=beside[0] if beside else "nothing there",
        cause="wrong-line" if beside else f"unseen-{kind}",
        look=look if beside else "",
    )


def _false_alarm(diff: str, place: Place) -> None:
    """Says why a line that was reported is harmless, and shows it."""
    path, line, kind = place
    text = dict(_new_lines(diff, path)).get(line, "")
    cause, why = next(((c, w) for part, c, w in CALM if part in text), (f"harmless-{kind}", "No rule of the three says so."))
    if not text:
        cause, why = "no-such-line", "The diff shows no such line of the new file; a removed line has no number there."
    raise NotYet(
        f"That is nothing a machine should stop anybody for. {why}",
        tried=f"a diff with this:\n{_around(diff, path, line) or path}",
        expected="no finding",
        got=place,
        cause=cause,
    )


def _new_lines(diff: str, path: str) -> list[tuple[int, str]]:
    """Lines of the new file that the diff shows: number, and the line with its sign."""
    shown, here, number = [], False, 0
    for row in diff.split("\n"):
        if row.startswith("+++ "):
            here = row[6:] == path
        elif row.startswith("@@"):
            number = int(row.split("+")[1].split(",")[0].split(" ")[0])
        elif here and row[:1] in ("+", " "):
            shown.append((number, row))
            number += 1
        elif row.startswith("diff --git"):
            here = False
    return shown


def _around(diff: str, path: str, line: int) -> str:
    """The line in question and two on either side, as the diff shows them, each with its number in the new file."""
    near = [f"{number:4} {row}" for number, row in _new_lines(diff, path) if abs(number - line) <= 2]
    return "\n".join([path, *near]) if near else ""


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
    f'- file: {f.file}\n  line: {line_of(branch_files()[f.file], f.text)}\n  kind: {f.kind}\n  why: "{f.effect}"\n'
    for f in FAULTS
)


def _line(old: str, new: str) -> dict[str, str]:
    return {"cell": edited(_REVIEW, (old, new))}


def _without(kind: str, more: str = "") -> dict[str, str]:
    parts = ["- file:" + part for part in _SEVEN.split("- file:")[1:]]
    return {FINDINGS: "".join(p for p in parts if f"kind: {kind}\n" not in p) + more}


def _also(path: str, text: str, kind: str) -> dict[str, str]:
    line = line_of(branch_files()[path], text)
    return {FINDINGS: _SEVEN + f"- {{file: {path}, line: {line}, kind: {kind}, why: it looks like the others}}\n"}


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
                literal = value.strip("\\"'") and not re.match(r"[${]|[\\w.]+[\\[(]", value.strip("\\"'"))
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
        Check("Nothing harmless is reported", cries_no_wolf),
        Check(
            "The function sees the three mechanical kinds in unseen diffs",
            machine_sees,
            lambda d: [e for _, _, e in d.all],
            after=(),
        ),
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
        wrong(
            "takes the rate's day for a fault",
            _also("dbt/models/marts/partner_export.sql", "= rates.rate_date", "wrong-day"),
            "look-alike",
        ),
        wrong(
            "complains about style everywhere",
            {
                FINDINGS: _SEVEN
                + "".join(f"- {{file: {SEND}, line: {n}, kind: style, why: I would write it otherwise}}\n" for n in (1, 7))
            },
            "false-alarms",
        ),
        wrong(
            "calls the email a matter of style",
            {FINDINGS: _SEVEN.replace("kind: personal-data", "kind: style")},
            "missed-personal-data",
        ),
        wrong("a kind of one's own", {FINDINGS: _SEVEN.replace("kind: personal-data", "kind: privacy")}, "form"),
        wrong("lines of the diff", {FINDINGS: _SEVEN.replace("line: 2", "line: 1")}, "missed-wrong-day"),
        wrong(
            "finds only the password",
            {FINDINGS: "- {file: config/partner.yml, line: 3, kind: secret, why: a password stays in Git}\n"},
            "missed-wrong-day",
        ),
        wrong(
            "gives no reasons",
            {FINDINGS: "\n".join('  why: ""' if "why:" in line else line for line in _SEVEN.splitlines())},
            "no-reason",
        ),
        wrong(
            "reads removed lines too", _line('elif line.startswith("+"):', 'elif line.startswith(("+", "-")):'), "wrong-line"
        ),
        wrong(
            "reads context lines too",
            _line('elif line.startswith("+"):', 'elif line.startswith(("+", " ")):'),
            "harmless-hard-coded-name",
        ),
        wrong(
            "names the line of the pass",
            _line('found.append((path, caught, "swallowed-error"))', 'found.append((path, number, "swallowed-error"))'),
            "wrong-line",
        ),
        wrong("an empty value counts", _line("'[^'${]+'", "'[^'${]*'"), "empty"),
        wrong("a value of the environment counts", _line("""[^\\s"'${\\[(]+$""", """[^\\s"'${][^\\s]+$"""), "fetched"),
        wrong("a reference counts", _line("""[^\\s"'${\\[(]+$""", """[^\\s"'\\[(]+$"""), "reference"),
        wrong("any name with the word in it", _line("api_key)[", "api_key)\\w*["), "harmless-secret"),
        wrong(
            "every SQL file",
            _line('path.startswith("dbt/models/") and path.endswith(".sql")', 'path.endswith(".sql")'),
            "elsewhere",
        ),
        wrong(
            "every file of the models",
            _line('path.startswith("dbt/models/") and path.endswith(".sql")', 'path.startswith("dbt/models/")'),
            "elsewhere",
        ),
        wrong("from only", _line("(from|join)", "(from)"), "unseen-hard-coded-name"),
        wrong(
            "pass on the next line only",
            _line(
                """            elif re.match(r"except\\b.*:\\s*pass$", text):
                found.append((path, number, "swallowed-error"))
""",
                "",
            ),
            "unseen-swallowed-error",
        ),
        wrong(
            "counts lines of the diff",
            _line('        elif line.startswith(" "):\n            number, caught = number + 1, None\n', ""),
            "wrong-line",
        ),
        wrong(
            "every line with the word password",
            _line("secret.search(text)", 're.search("password|token|secret|api_key", text)'),
            "reference",
        ),
        wrong("does not know comments", _line('text.split("--")[0]', "text"), "comment"),
        wrong("any except is one", _line('if text == "pass" and caught', "if caught"), "answered"),
    ),
    right=(
        right("a function by blocks and look-ahead", {"cell": _OTHER_WAY}),
        right(
            "lines beside, another order, one debatable finding",
            {
                FINDINGS: "\n".join(
                    f"- {{file: {f.file}, line: {line_of(branch_files()[f.file], f.also or f.text) + (1 if n % 2 else -1)}, kind: {f.kind}, why: this must not be merged as it is}}"
                    for n, f in enumerate(reversed(FAULTS))
                )
                + "\n- {file: dbt/models/marts/_exports.yml, line: 5, kind: missing-test, why: order_id could also be unique}\n"
            },
        ),
    ),
    clauses={
        "It has seven faults": "overlooks the join",
        "line, the number of the line in the file as the branch leaves it": "lines of the diff",
        "kind: one of secret": "a kind of one's own",
        "a sentence for Jonas": "gives no reasons",
        "One debatable finding is allowed": "complains about style everywhere",
        "none of the look-alikes": "takes the reference for a secret",
        "an added line gives": "reads context lines too",
        "a name that ends in password, token, secret or api_key": "any name with the word in it",
        "a literal value": "every line with the word password",
        "not an empty one": "an empty value counts",
        "begins with $ or {": "a reference counts",
        "fetched by a call or from os.environ": "a value of the environment counts",
        "in an .sql file": "every file of the models",
        "under dbt/models/": "every SQL file",
        "reads from or join a table": "from only",
        "comments do not count": "does not know comments",
        "whose whole answer": "any except is one",
        "on the same or the next line": "pass on the next line only",
        "the line is that of the except": "names the line of the pass",
    },
    spared={
        **{
            f"{n} → {n + 1}": "a line beside is near enough"
            for n in (line_of(branch_files()[f.file], f.text) for f in FAULTS)
        },
        "line 6: 0 → 1": "a hunk's header sets the number before any line of it",
    },
)
