"""Task 01.2: a checker of three mechanical pitfalls, tried on folders that nobody has read before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import one_of, rows, whole_number, wrong_type
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
    for path, edges in _edges(seed).items():
        files[path] = "\n".join(row for row, _, _ in edges) + "\n"
        for line, (_, kind, why) in enumerate(edges, 1):
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
        (f"API_TOKEN={leaked}zz", "secret", ""),
        (f"token_file = 'tokens-of-december-{digit}'", "other-name", "The name ends in file."),
        (f"db_password: <see-the-vault-{digit}>", "reference", "A reference: the value comes from outside."),
        (f"db_secret = get_v{digit}_from_vault('db')", "reference", "A reference: the value comes from outside."),
        (f'aws_key = "AKIAEXAMPLE{digit}234567"', "placeholder", "A sample, as the word says."),
        ("    run: sqlfluff lint models || exit 0", "masked", ""),
        ("    run: dbt build --exit-zero", "masked", ""),
        ("    // run: dbt build || true", "comment", "A comment masks nothing."),
        ("    -- dbt test || true", "comment", "A comment masks nothing."),
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
    found = set()
    for path, line, kind in rows(got, "What you return", ("path", "line", "kind"), tried=tried):
        if not isinstance(path, str):
            raise wrong_type("`path`", "a text", path, tried=tried)
        found.add(
            (
                path,
                whole_number(line, "`line`", tried=tried),
                one_of(kind, KINDS, "kind", "one of three words", cause="kind"),
            )
        )
    return found


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
        said = f"{len(missed)} of {len(one.places)} places not named, the first in {path}, line {line}: `{row}`."
        shown, cause = f"nothing in {path}, line {line}", f"missed-{kind}"
        if all((p, n - 1, k) in got for p, n, k in missed):
            said, shown, cause = "Your lines begin at 0; editors begin at 1.", f"({path!r}, {line - 1}, {kind!r})", "line"
        elif row.startswith("#") and kind == "secret":
            said = f"A comment hides nothing from whoever reads the file: `{row}` has leaked all the same."
            cause = "secret-in-comment"
        tried = f"suspicious(files), {path}, line {line}"
        raise NotYet(said, tried=tried, expected=f"({path!r}, {line}, {kind!r})", got=shown, cause=cause)
    return f"All places named in each of {len(folders)} folders, {sum(len(one.places) for one in folders)} together."


def leaves_the_rest(work: Work, folders: tuple[Unseen, ...]) -> str:
    for one, got in _tried(work, folders):
        for path, line, kind in sorted(got - one.places, key=lambda place: (place[:2] not in one.harmless, place)):
            rows = one.files.get(path, "").split("\n")
            row = rows[line - 1].strip() if isinstance(line, int) and 0 < line <= len(rows) else "no such line"
            why, cause = one.harmless.get((path, line), ("None of the three rules says so.", "false-alarm"))
            raise NotYet(
                f"{path}, line {line}, is named as {kind}: `{row[:90]}`. {why}",
                tried="suspicious(files)",
                expected="nothing there",
                got=(path, line, kind),
                cause=cause,
            )
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
            alive = not code.startswith(("#", "--", "//"))
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
        'For policies `re.finditer(r\'\\{[^{}]*\\}\', text)` gives each flat statement; if it allows, with Action "*" and Resource "*", its line is the number of newlines before the Action, plus one.',
    ),
    wrong=(
        wrong("every line that says password", _like(secret="True"), "placeholder"),
        wrong("a name is enough of a reference", _like(secret=_RIGHT["secret"].replace("[$<{(]", "[<(]")), "reference"),
        wrong("skips comments for secrets, too", _like(secret="not comment and " + _RIGHT["secret"]), "secret-in-comment"),
        wrong(
            "every mask",
            _like(masked="not comment and re.search(r'\\|\\| true|\\|\\| exit 0|; true|--exit-zero', row)"),
            "harmless-mask",
        ),
        wrong("masks in comments", _like(masked=_RIGHT["masked"].replace("not comment and ", "")), "comment"),
        wrong("knows one mask only", _like(masked="not comment and 'pytest' in row and '|| true' in row"), "missed-masked"),
        wrong(
            "every star",
            _like(
                policy="found += [(path, n, 'full-access') for n, row in enumerate(text.split('\\n'), 1) if '\"Action\": \"*\"' in row]"
            ),
            "not-full",
        ),
        wrong(
            "does not ask whether it allows",
            _like(policy=_RIGHT["policy"].replace(' and \'"Effect": "Allow"\' in one[0]', "")),
            "not-allowed",
        ),
        wrong("forgets roles", _like(role="False"), "missed-full-access"),
        wrong("lines from zero", _like(first="0", policy=_RIGHT["policy"].replace(") + 1,", "),")), "line"),
        wrong("short words, too", _like(secret=_RIGHT["secret"].replace(">= 12", ">= 8")), "short"),
        wrong("the name in small letters only", _like(secret=_RIGHT["secret"] + " and value[1].islower()"), "missed-secret"),
        wrong("any name with the word in it", _like().replace("token|key)[", "token|key)\\w*["), "other-name"),
        wrong("values in quotes only", _like().replace("\\s*[\\\"']?([", "\\s*[\\\"'](["), "missed-secret"),
        wrong("no digit needed", _like(secret=_RIGHT["secret"].replace("re.search(r'\\d', value[2])", "True")), "no-digit"),
        wrong("a sample counts", _like(secret=_RIGHT["secret"].replace("example|", "")), "placeholder"),
        wrong("a call counts", _like(secret=_RIGHT["secret"].replace("[$<{(]", "[$<{]")), "reference"),
        wrong(
            "everything that masks, whatever it masks with",
            _like(masked="not comment and re.search(r'pytest|ruff check|sqlfluff lint|dbt test|dbt build', row)"),
            "unmasked",
        ),
        wrong("pairs without the line", "def suspicious(files):\n    return [(path, 'secret') for path in files]", "grain"),
        wrong("a fourth kind", "def suspicious(files):\n    return [(path, 1, 'leak') for path in files]", "kind"),
    ),
    clauses={
        "lines from 1": "lines from zero",
        "a name that ends in": "any name with the word in it",
        "any case": "the name in small letters only",
        "twelve signs or more": "short words, too",
        "with a digit in it": "no digit needed",
        "in quotes or without": "values in quotes only",
        "A value with $, {": "a name is enough of a reference",
        "or ( is a reference": "a call counts",
        "one with example in it": "a sample counts",
        "A secret in a comment has leaked like any other": "skips comments for secrets, too",
        "a line with one of pytest": "every mask",
        "and one of || true": "everything that masks, whatever it masks with",
        "|| exit 0, ; true, --exit-zero": "knows one mask only",
        "Comments (#, --, //) mask nothing": "masks in comments",
        "that allows it": "does not ask whether it allows",
        'on "Resource": "*"': "every star",
        "that names AdministratorAccess": "forgets roles",
    },
    right=(
        right("with the JSON parser", _JSON),
        right(
            "comprehensions, from the reference's rules, as a set",
            _like().replace("    return found", "    return {tuple(one) for one in reversed(found)}"),
        ),
    ),
)
