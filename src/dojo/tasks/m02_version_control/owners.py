"""Task 02.7: who is asked about which change, as CODEOWNERS that GitHub would read the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work

PATH = "repo/.github/CODEOWNERS"
PLATFORM, ANALYTICS, FINANCE, PRIVACY = (f"@shopflow/{t}" for t in ("platform", "analytics", "finance", "privacy"))


@dataclass(frozen=True)
class Changed:
    """A changed file, who is asked for a review, and what it means when somebody else is."""

    path: str
    owners: frozenset[str]
    cause: str
    said: str


def _of(path: str, *owners: str, cause: str, said: str) -> Changed:
    return Changed(path, frozenset(owners), cause, said)


def changes(seed: int) -> tuple[Changed, ...]:
    """Files of pull requests to come; other names for each seed."""
    odd = seed % 2 == 1
    word = f"{('cash', 'margin', 'returns')[seed % 3]}_{seed % 100}"
    deep = "late-run" if odd else "outages/2025"
    return (
        _of(
            f"ingestion/{word}/loader.py",
            PLATFORM,
            cause="default",
            said="Whatever no other rule names belongs to platform.",
        ),
        _of(
            f"pipeline/shopflow_{word}.py",
            PLATFORM,
            cause="default",
            said="Whatever no other rule names belongs to platform.",
        ),
        _of(
            f"dbt/models/marts/dim_{word}.sql",
            ANALYTICS,
            cause="analytics",
            said="Everything in dbt/ is analytics', at any depth.",
        ),
        _of(f"dbt/macros/{word}.sql", ANALYTICS, cause="analytics", said="Everything in dbt/ is analytics', at any depth."),
        _of(
            f"dbt/models/staging/finance_{word}.sql",
            ANALYTICS,
            cause="too-wide",
            said="Finance reads marts. A staging model is none of its business.",
        ),
        _of(
            f"tools/dbt/{word}.py",
            PLATFORM,
            cause="unanchored",
            said="That folder is called dbt too, but it is not the project's: a pattern without a leading slash matches at any depth.",
        ),
        _of(
            f"dbt/models/marts/finance_{word}.sql",
            ANALYTICS,
            FINANCE,
            cause="finance",
            said="Finance is asked about what it reads.",
        ),
        _of(
            "dbt/models/marts/daily_revenue.sql",
            ANALYTICS,
            FINANCE,
            cause="finance",
            said="Finance is asked about what it reads.",
        ),
        _of(
            f"dbt/models/marts/daily_revenue_{word}.yml",
            ANALYTICS,
            cause="too-wide",
            said="Only the model itself is finance's, not what begins with its name.",
        ),
        _of(
            "dbt/models/marts/dim_customer.sql",
            ANALYTICS,
            PRIVACY,
            cause="privacy",
            said="Names and addresses are in there.",
        ),
        _of(
            "dbt/models/staging/stg_customers.sql",
            ANALYTICS,
            PRIVACY,
            cause="privacy",
            said="Names and addresses are in there.",
        ),
        _of(
            f"dbt/snapshots/{'old/' if odd else ''}customers_{word}.yml",
            ANALYTICS,
            PRIVACY,
            cause="privacy",
            said="The snapshot keeps every address a customer ever had.",
        ),
        _of("dbt/models/marts/dim_customer_segments.sql", ANALYTICS, cause="too-wide", said="That is another model."),
        _of(f"docs/{deep}/notes.md", cause="docs", said="Text may be mended by anybody: no owner is asked for *.md."),
        _of("dbt/README.md", cause="docs", said="Text may be mended by anybody: no owner is asked for *.md."),
        _of("docs/closing.md", FINANCE, cause="closing", said="That page is finance's own rule, although it is text."),
        _of(
            f"docs/{word}.png",
            PLATFORM,
            cause="default",
            said="Only *.md is free; whatever no other rule names belongs to platform.",
        ),
        _of(
            f".github/workflows/{word}.yml",
            PLATFORM,
            "@mara",
            cause="the-rules",
            said="Who may change the rules can change everything else.",
        ),
        _of(
            ".github/CODEOWNERS",
            PLATFORM,
            "@mara",
            cause="the-rules",
            said="Who may change the rules can change everything else.",
        ),
    )


class Unreadable(ValueError):
    """A line GitHub would leave out; the message says why."""


def rules(text: str) -> list[tuple[str, frozenset[str]]]:
    """Patterns and their owners, in order. Unreadable names a line GitHub ignores."""
    found = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].strip()
        if not line:
            continue
        pattern, *owners = line.split()
        if pattern.startswith("!") or "[" in pattern:
            raise Unreadable(f"line {number}: `{pattern}`: CODEOWNERS knows no `!` and no `[…]`; GitHub leaves the line out")
        if bad := [o for o in owners if not re.fullmatch(r"@[\w.-]+(/[\w.-]+)?|[\w.+-]+@[\w.-]+", o)]:
            raise Unreadable(
                f"line {number}: `{bad[0]}` is no @user, @organisation/team or address; GitHub leaves the line out"
            )
        found.append((pattern, frozenset(owners)))
    return found


def matches(pattern: str, path: str) -> bool:
    """Whether a CODEOWNERS pattern covers a file, as GitHub reads it: `docs/*` is one level, `docs/` all of them."""
    body = pattern.strip("/") if pattern.strip("/") else "**"
    anchored = pattern.startswith("/") or "/" in pattern.rstrip("/")
    parts = [p for p in re.split(r"(\*\*/|/\*\*|\*\*|\*|\?)", body) if p]
    if pattern.endswith("/"):
        parts += ["/", "**"]
    elif not body.endswith("*"):
        parts += ["(below)"]
    elif not anchored and body == "*":
        parts = ["**"]
    return _covers(parts if anchored else ["**/", *parts], path)


def _covers(parts: list[str], path: str) -> bool:
    """Whether the parts of a pattern cover the whole path; all readings go side by side, so that none takes long.

    at: the numbers of signs of the path that the parts so far may have covered.
    """
    at = {0}
    ends = range(len(path) + 1)
    for part in parts:
        if not at:
            return False
        first = min(at)
        if part == "**/":  # any folders, or none
            at |= {n for n in ends if n > first and path[n - 1] == "/"}
        elif part in ("**", "/**"):
            begun = first if part == "**" else min((n + 1 for n in at if path[n : n + 1] == "/"), default=len(path) + 1)
            at = {n for n in ends if n >= begun}
        elif part == "*":  # as far as the next slash
            reached, slash = set(), True
            for n in ends:
                slash = n not in at and (slash or path[n - 1] == "/")
                reached |= set() if slash else {n}
            at = reached
        elif part == "?":
            at = {n + 1 for n in at if n < len(path) and path[n] != "/"}
        elif part == "(below)":  # the path itself, or a folder with what is in it
            at = {len(path)} if any(n == len(path) or path[n] == "/" for n in at) else set()
        else:
            at = {n + len(part) for n in at if path.startswith(part, n)}
    return len(path) in at


def owners_of(found: list[tuple[str, frozenset[str]]], path: str) -> tuple[frozenset[str], str]:
    """Who is asked about a file, and the pattern that says so: the last one that matches."""
    for pattern, owners in reversed(found):
        if matches(pattern, path):
            return owners, pattern
    return frozenset(), ""


def asks_the_right_people(work: Work, data: tuple[Changed, ...]) -> str:
    text = work.file(PATH)
    try:
        found = rules(text)
    except Unreadable as error:
        raise NotYet(
            "GitHub would leave out a line.", expected="pattern @owner @owner", got=str(error), cause="left-out"
        ) from None
    for changed in data:
        owners, pattern = owners_of(found, changed.path)
        if owners != changed.owners:
            earlier = [p for p, o in found if matches(p, changed.path) and o == changed.owners]
            known = changed.cause in ("unanchored", "too-wide")
            cause = "order" if earlier and pattern not in earlier and not known else changed.cause
            look = (
                f"The rule `{earlier[-1]}` says it rightly, and `{pattern}`, further down, says otherwise: the last match wins."
                if cause == "order"
                else ""
            )
            raise NotYet(
                f"A pull request changes `{changed.path}`. {changed.said}",
                tried=f"`{pattern}` is the last rule that matches" if pattern else "no rule matches",
                expected=" and ".join(sorted(changed.owners)) or "nobody in particular",
                got=" and ".join(sorted(owners)) or "nobody in particular",
                cause=cause,
                look=look,
            )
    return f"{len(data)} changed files, the right people asked for each."


_OWNERS = f"""\
*                                       {PLATFORM}
/dbt/                                   {ANALYTICS}
/dbt/models/marts/finance_*             {ANALYTICS} {FINANCE}
/dbt/models/marts/daily_revenue.sql     {ANALYTICS} {FINANCE}
/dbt/models/marts/dim_customer.sql      {ANALYTICS} {PRIVACY}
/dbt/models/staging/stg_customers.sql   {ANALYTICS} {PRIVACY}
/dbt/snapshots/                         {ANALYTICS} {PRIVACY}
*.md
/docs/closing.md                        {FINANCE}
/.github/                               {PLATFORM} @mara
"""


def _owners(old: str, new: str) -> dict[str, str]:
    return {PATH: edited(_OWNERS, (old, new))}


TASK_7 = Task(
    id="02.7",
    title="Who is asked to look",
    minutes=8,
    points=2,
    deliver=(file(PATH),),
    data=changes,
    checks=(
        Check("For each changed file, the right people are asked", asks_the_right_people, lambda d: [c.path for c in d]),
    ),
    hints=(
        "Write the general rule first and the exceptions below it: of all patterns that match, the last one decides, alone.",
        "A leading slash ties a pattern to the top of the repository. A trailing slash takes a folder with all that is in it; `/*` takes one level. A pattern without an owner says: nobody.",
        "*, /dbt/, the two of finance, the three of privacy, *.md without an owner, /docs/closing.md, /.github/: in this order, with both teams on a line where both are asked.",
    ),
    wrong=(
        wrong("general rules last", {PATH: "\n".join(reversed(_OWNERS.splitlines())) + "\n"}, "order"),
        wrong("one level of the folder only", _owners("/dbt/ ", "/dbt/*"), "analytics"),
        wrong("a folder of that name anywhere", _owners("/dbt/ ", "dbt/ "), "unanchored"),
        wrong("finance alone on its lines", {PATH: _OWNERS.replace(f"{ANALYTICS} {FINANCE}", FINANCE)}, "finance"),
        wrong("every file of finance, wherever it is", _owners("/dbt/models/marts/finance_*", "finance_*"), "too-wide"),
        wrong(
            "forgets who guards the rules",
            _owners(f"/.github/                               {PLATFORM} @mara\n", ""),
            "the-rules",
        ),
        wrong("text is platform's as well", _owners("*.md\n", ""), "docs"),
        wrong("an exception with an exclamation mark", _owners("*.md\n", "!*.md\n"), "left-out"),
        wrong("nobody but the folders", {PATH: "\n".join(_OWNERS.splitlines()[1:]) + "\n"}, "default"),
        wrong(
            "the dashboard's model is forgotten",
            _owners(f"/dbt/models/marts/daily_revenue.sql     {ANALYTICS} {FINANCE}\n", ""),
            "finance",
        ),
        wrong(
            "the customers' mart is forgotten",
            _owners(f"/dbt/models/marts/dim_customer.sql      {ANALYTICS} {PRIVACY}\n", ""),
            "privacy",
        ),
        wrong(
            "the customers' staging is forgotten",
            _owners(f"/dbt/models/staging/stg_customers.sql   {ANALYTICS} {PRIVACY}\n", ""),
            "privacy",
        ),
        wrong("text at the top only", _owners("*.md\n", "/*.md\n"), "docs"),
        wrong(
            "finance's page is free as well", _owners(f"/docs/closing.md                        {FINANCE}\n", ""), "closing"
        ),
        wrong(
            "the snapshot is forgotten",
            _owners(f"/dbt/snapshots/                         {ANALYTICS} {PRIVACY}\n", ""),
            "privacy",
        ),
    ),
    right=(
        right(
            "with ** and comments, in another order",
            {
                PATH: f"# Who is asked to look\n** {PLATFORM}\n/dbt/** {ANALYTICS} # models\n**/*.md\ndocs/closing.md {FINANCE}\n.github/ @mara {PLATFORM}\n/dbt/snapshots {PRIVACY} {ANALYTICS}\ndbt/models/**/stg_customers.sql {PRIVACY} {ANALYTICS}\ndim_customer.sql {PRIVACY} {ANALYTICS}\n/dbt/models/marts/finance_* {FINANCE} {ANALYTICS}\n/dbt/**/daily_revenue.sql {FINANCE} {ANALYTICS}\n"
            },
        ),
        right(
            "the rules file says it for itself and for workflows",
            _owners(
                f"/.github/                               {PLATFORM} @mara\n",
                f"/.github/CODEOWNERS @mara {PLATFORM}\n/.github/workflows/* @mara {PLATFORM}\n",
            ),
        ),
    ),
    clauses={
        "anything that no other row names": "nobody but the folders",
        "everything in dbt/": "one level of the folder only",
        "daily_revenue.sql in the marts": "the dashboard's model is forgotten",
        "each file in the marts whose name begins with finance_": "every file of finance, wherever it is",
        "@shopflow/analytics and @shopflow/finance": "finance alone on its lines",
        "dim_customer.sql in the marts": "the customers' mart is forgotten",
        "stg_customers.sql in staging": "the customers' staging is forgotten",
        "everything in dbt/snapshots/": "the snapshot is forgotten",
        "any *.md, wherever it is": "text at the top only",
        "nobody in particular": "text is platform's as well",
        "docs/closing.md": "finance's page is free as well",
        "everything in .github/, this file too": "forgets who guards the rules",
    },
)
