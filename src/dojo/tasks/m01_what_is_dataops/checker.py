"""Task 01.2: a checker of three mechanical pitfalls, tried on folders that nobody has read before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from shopflow import inherited

KINDS = ("secret", "masked", "full-access")
Place = tuple[str, int, str]


@dataclass(frozen=True)
class Unseen:
    """A folder with all places a checker must name, and a reason for lines that it must leave alone."""

    files: dict[str, str]
    places: frozenset[Place]
    harmless: dict[tuple[str, int], tuple[str, str]]


def unseen(seed: int) -> tuple[Unseen, ...]:
    """Two folders of other seeds, each with one more file that stands on the edges of the rules."""
    return tuple(_folder(seed * 10 + n) for n in (1, 2))


def _folder(seed: int) -> Unseen:
    made = inherited.contents(seed)
    places = {(p.path, p.line, p.kind) for p in made.planted if p.kind}
    harmless = {(a.path, a.line): (a.why, _cause(made.files[a.path].split("\n")[a.line - 1])) for a in made.alike}
    files = dict(made.files)
    for path, rows in _edges(seed).items():
        files[path] = "\n".join(row for row, _, _ in rows) + "\n"
        for line, (_, kind, why) in enumerate(rows, 1):
            if kind in KINDS:
                places.add((path, line, kind))
            elif why:
                harmless[path, line] = (why, kind)
    return Unseen(files, frozenset(places), harmless)


def _cause(row: str) -> str:
    for sign, cause in (
        ("#", "comment"),
        ("||", "harmless-mask"),
        ("environ", "reference"),
        ("EXAMPLE", "placeholder"),
        ("*", "not-allowed"),
    ):
        if sign in row:
            return cause
    return "placeholder"


def _edges(seed: int) -> dict[str, list[tuple[str, str, str]]]:
    """Files on the edges: rows with what they are and, where they are harmless, why."""
    digit = seed % 10
    leaked = f"oldbutgold{digit}99"
    bare = [("x = 1", "", "")] * (seed % 4)
    secrets = [
        *bare,
        (f'old_token = "abcdefghijk{digit}"', "secret", ""),
        (f'pin_token = "abcdefghij{digit}"', "short", "Eleven signs: the rule begins at twelve."),
        (f'# warehouse_password = "{leaked}"', "secret", ""),
        ('sort_key = "business_date_desc"', "no-digit", "The name of a column; no digit in it."),
        (
            f"refresh_token = \"{{{{ env_var('TOKEN_NUMBER_{digit}') }}}}\"",
            "reference",
            "A reference: the value comes from outside.",
        ),
        (f'CLIENT_SECRET: "${{CLIENT_SECRET_{digit}}}"', "reference", "A reference: the value comes from outside."),
        (f"    run: pytest tests/test_{digit}.py", "unmasked", "A check without a mask."),
        ("    run: ruff check . || true", "masked", ""),
        ("    # run: ruff check . || true", "comment", "A comment masks nothing."),
        ("    run: dbt test --project-dir dbt ; true", "masked", ""),
        ("    run: kill 41 || exit 0", "harmless-mask", "Nothing is checked here, so nothing is masked."),
    ]
    policy = [
        ('{"Statement": [', "", ""),
        *[(" ", "", "")] * (seed % 3),
        ('  {"Effect": "Allow",', "", ""),
        ('   "Action": "*",', "not-full", "Every action, on one bucket only: broad, and not full access."),
        (f'   "Resource": "arn:aws:s3:::shopflow-{digit}"', "", ""),
        ("  },", "", ""),
        ('  {"Effect": "Allow",', "", ""),
        ('   "Resource": "*",', "", ""),
        ('   "Action": "*"', "full-access", ""),
        ("  },", "", ""),
        ('  {"Effect": "Deny",', "", ""),
        ('   "Action": "*",', "not-allowed", "This denies; nothing is allowed here."),
        ('   "Resource": "*"', "", ""),
        ("  },", "", ""),
        ('  {"Effect": "Allow",', "", ""),
        ('   "Action": "s3:ListAllMyBuckets",', "not-full", "One harmless action on everything."),
        ('   "Resource": "*"', "", ""),
        ("  }", "", ""),
        ("]}", "", ""),
    ]
    roles = [
        *bare,
        ('policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"', "full-access", ""),
        ('# policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"', "comment", "A comment grants nothing."),
    ]
    return {f"edge/settings_{digit}.txt": secrets, f"edge/policy_{digit}.json": policy, f"edge/role_{digit}.tf": roles}


def _places(got: Any, tried: str) -> set[Place]:
    rows = list(got) if isinstance(got, list | set | tuple) else None
    if rows is None or any(not isinstance(one, list | tuple) or len(one) != 3 for one in rows):
        raise NotYet("Return a list of (path, line, kind).", tried=tried, got=got, cause="type")
    places = {tuple(one) for one in rows}
    if odd := [one for one in places if one[2] not in KINDS]:
        raise NotYet("A kind is one of three words.", tried=tried, expected=", ".join(KINDS), got=odd[0][2], cause="kind")
    return places


def _tried(work: Work, folders: tuple[Unseen, ...]) -> list[tuple[Unseen, set[Place]]]:
    results = work.calls("suspicious", [(one.files,) for one in folders])
    return [
        (one, _places(got, "suspicious(files) on a folder you have not seen"))
        for one, got in zip(folders, results, strict=True)
    ]


def finds_all(work: Work, folders: tuple[Unseen, ...]) -> str:
    for one, got in _tried(work, folders):
        missed = sorted(one.places - got)
        if not missed:
            continue
        path, line, kind = missed[0]
        row = one.files[path].split("\n")[line - 1].strip()
        if all((p, n - 1, k) in got for p, n, k in missed):
            raise NotYet(
                "Your lines begin at 0; editors begin at 1.", tried=f"{path}", expected=line, got=line - 1, cause="line"
            )
        if "#" in row[:2]:
            said, cause = (
                f"A comment hides nothing from whoever reads the file: `{row}` has leaked all the same.",
                "secret-in-comment",
            )
        else:
            said, cause = (
                f"{len(missed)} of {len(one.places)} places not named, the first in {path}: `{row}`.",
                f"missed-{kind}",
            )
        raise NotYet(
            said,
            tried="suspicious(files)",
            expected=f"({path!r}, {line}, {kind!r})",
            got=f"{len(got & one.places)} places",
            cause=cause,
        )
    return f"All {sum(len(one.places) for one in folders)} places in {len(folders)} folders named."


def leaves_the_rest(work: Work, folders: tuple[Unseen, ...]) -> str:
    for one, got in _tried(work, folders):
        for path, line, kind in sorted(got - one.places):
            rows = one.files.get(path, "").split("\n")
            row = rows[line - 1].strip() if isinstance(line, int) and 0 < line <= len(rows) else "no such line"
            why, cause = one.harmless.get((path, line), ("None of the three rules says so.", "false-alarm"))
            raise NotYet(
                f"{path}, line {line}, is named as {kind}: `{row[:90]}`. {why}",
                tried="suspicious(files)", expected="nothing there", got=kind, cause=cause,
            )  # fmt: skip
    return f"{sum(len(one.harmless) for one in folders)} look-alikes left alone."


_PARTS = """
def suspicious(files):
    import re
    found = []
    for path, text in files.items():
        for number, row in enumerate(text.split("\\n"), {first}):
            comment = row.strip().startswith(("#", "--", "//"))
            value = re.search(r"(?i)(password|secret|token|key)[\\"']?\\s*[:=]\\s*[\\"']?([^\\s\\"']+)", row)
            if value and {secret}:
                found.append((path, number, "secret"))
            if {masked}:
                found.append((path, number, "masked"))
            if {role}:
                found.append((path, number, "full-access"))
        {policy}
    return found
"""
_RIGHT = {
    "first": "1",
    "secret": "len(value[2]) >= 12 and re.search(r'\\d', value[2]) and not re.search(r'(?i)example|[$<{(]', value[2])",
    "masked": "not comment and re.search(r'pytest|ruff check|sqlfluff lint|dbt test|dbt build', row) and re.search(r'\\|\\| true|\\|\\| exit 0|; true|--exit-zero', row)",
    "role": "not comment and 'AdministratorAccess' in row",
    "policy": """for one in re.finditer(r'\\{[^{}]*\\}', text):
            action = re.search(r'"Action": "\\*"', one[0])
            if action and '"Resource": "*"' in one[0] and '"Effect": "Allow"' in one[0]:
                found.append((path, text.count("\\n", 0, one.start() + action.start()) + 1, "full-access"))""",
}


def _like(**parts: str) -> str:
    text = _PARTS
    for key, value in {**_RIGHT, **parts}.items():
        text = text.replace("{" + key + "}", value)
    return text


_JSON = """
def suspicious(files):
    import json, re
    found = set()
    words = ("password", "secret", "token", "key")
    for path, text in files.items():
        lines = text.splitlines()
        for at, row in enumerate(lines):
            code = row.strip()
            alive = not (code.startswith("#") or code.startswith("--"))
            for name, _, value in (re.split(r"\\s*([:=])\\s*", row, maxsplit=1) + ["", ""])[:3],:
                name, value = name.strip(" \\"'-#").lower(), value.strip().strip("\\"',")
                good = value.isascii() and " " not in value and not set(value) & set("$<{(") and "example" not in value.lower()
                if name.endswith(words) and good and len(value) > 11 and any(c.isdigit() for c in value):
                    found.add((path, at + 1, "secret"))
            if alive and any(tool in row for tool in ("pytest", "ruff check", "sqlfluff lint", "dbt test", "dbt build")):
                if any(mask in row for mask in ("|| true", "|| exit 0", "; true", "--exit-zero")):
                    found.add((path, at + 1, "masked"))
            if alive and row.rstrip().endswith('/AdministratorAccess"'):
                found.add((path, at + 1, "full-access"))
        if path.endswith(".json") and '"Statement"' in text:
            stars = [n for n, row in enumerate(lines, 1) if '"Action":' in row]
            for n, one in zip(stars, json.loads(text)["Statement"]):
                if (one["Effect"], one["Action"], one["Resource"]) == ("Allow", "*", "*"):
                    found.add((path, n, "full-access"))
    return sorted(found)
"""

TASK_2 = Task(
    id="01.2",
    title="Three rules for a machine",
    minutes=20,
    points=3,
    deliver=(function("suspicious"),),
    data=unseen,
    checks=(
        Check("finds every secret, mask and full access", finds_all, expected=lambda d: [sorted(one.places) for one in d]),
        Check("leaves alone what only looks like it", leaves_the_rest),
    ),
    hints=(
        "One loop over files, one over lines with their number, and a question for each rule. Policies are the exception: their statement spans lines.",
        "A secret: `re.search` for the name, `:` or `=`, and the value; then look at the value alone. A mask counts only on a line that also has one of the checks and is no comment.",
        "For policies `re.finditer(r'\\{[^{}]*\\}', text)` gives each flat statement; if it allows, with Action \"*\" and Resource \"*\", its line is the number of newlines before the Action, plus one.",
    ),
    wrong=(
        wrong("every line that says password", _like(secret="True"), "placeholder"),
        wrong("a name is enough of a reference", _like(secret=_RIGHT["secret"].replace("[$<{(]", "[<(]")), "reference"),
        wrong("skips comments for secrets, too", _like(secret="not comment and " + _RIGHT["secret"]), "secret-in-comment"),
        wrong("every mask", _like(masked="not comment and re.search(r'\\|\\| true|\\|\\| exit 0|; true|--exit-zero', row)"), "harmless-mask"),
        wrong("masks in comments", _like(masked=_RIGHT["masked"].replace("not comment and ", "")), "comment"),
        wrong("knows one mask only", _like(masked="not comment and 'pytest' in row and '|| true' in row"), "missed-masked"),
        wrong("every star", _like(policy="found += [(path, n, 'full-access') for n, row in enumerate(text.split('\\n'), 1) if '\"Action\": \"*\"' in row]"), "not-full"),
        wrong("does not ask whether it allows", _like(policy=_RIGHT["policy"].replace(" and '\"Effect\": \"Allow\"' in one[0]", "")), "not-allowed"),
        wrong("forgets roles", _like(role="False"), "missed-full-access"),
        wrong("lines from zero", _like(first="0", policy=_RIGHT["policy"].replace(") + 1,", "),")), "line"),
        wrong("short words, too", _like(secret=_RIGHT["secret"].replace(">= 12", ">= 8")), "short"),
        wrong("pairs without the line", "def suspicious(files):\n    return [(path, 'secret') for path in files]", "type"),
        wrong("a fourth kind", "def suspicious(files):\n    return [(path, 1, 'leak') for path in files]", "kind"),
    ),
    right=(
        right("with the JSON parser", _JSON),
        right("comprehensions, from the reference's rules, as a set", _like().replace("    return found", "    return {tuple(one) for one in reversed(found)}")),
    ),
)  # fmt: skip
