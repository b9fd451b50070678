"""Task 05.6: a bad release is taken back, code and rows; what came in since is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tasks.m05_environments_and_delivery.compared import difference, readable
from dojo.tasks.m05_environments_and_delivery.told import commands, euros, no_error, relations
from dojo.tools.git import NoSuchObject, opened
from dojo.tools.releasing_dbt import slice_of_shopflow
from shopflow.tables import BATCH_ROWS

SCRIPT = "repo/pipeline/rollback.py"
PROD, BACKUP = "warehouse/prod.duckdb", "warehouse/backup/prod.duckdb"
FACTS, DAILY = "dbt/models/marts/fact_sales.sql", "dbt/models/marts/daily_revenue.sql"
UNITS = "    sum(quantity)::bigint as units,\n"
BAD = {
    "returns": (
        (
            "case\n        when orders.status in ('paid', 'shipped') then",
            "case\n        when orders.status <> 'placed' then",
        ),
        ("when orders.status in ('paid', 'shipped')", "when orders.status <> 'placed'"),
        "Revenue as the shop reports it",
    ),
    "currency": (
        ("items.quantity * items.unit_price * rates.eur_per_unit else", "items.quantity * items.unit_price else"),
        ("items.quantity * items.unit_price * rates.eur_per_unit else", "items.quantity * items.unit_price else"),
        "No conversion where there is nothing to convert",
    ),
}
"""What the bad release changes: in the model, in the judge's own query, and what its commit says."""


@dataclass(frozen=True)
class Release:
    """A repository whose last release is bad, its warehouses two mornings later, and the rows that must stand there.

    mistaken: tables that a known mistake leaves: as the bad runs left them, all computed by the bad code, as in the backup.
    """

    stream: str
    files: dict[str, dict[str, Any]]
    facts: Any
    daily: Any
    euros: Any
    mistaken: dict[str, Any]


@lru_cache(maxsize=8)
def release(seed: int) -> Release:
    """release-41 was good, release-42 is not, and a colleague's commit came after it; another fault for another seed."""
    model, query, message = BAD["returns" if seed % 4 == 3 else "currency"]
    then, now = warehouses.loaded(seed), warehouses.loaded(seed, 2)
    bad = warehouses.facts(now.raw, query)
    spoiled = _spoiled(then, now, bad)
    kept = {"ops.run_log": _log(3), "finance.closed_days": _log(2)}
    prod = {**now.raw, **kept, "marts.fact_sales": spoiled, "marts.daily_revenue": warehouses.daily(spoiled)}
    backup = {**then.raw, "ops.run_log": _log(1), "finance.closed_days": _log(1), **then.marts()}
    stream = _stream(model, message)
    euros = warehouses.total(warehouses.daily(now.facts), "select sum(revenue_eur) from rows")
    mistaken = {
        "left": spoiled,
        "left daily": prod["marts.daily_revenue"],
        "by the bad code": bad,
        "backup": then.facts,
    }
    return Release(stream, {PROD: prod, BACKUP: backup}, now.facts, warehouses.daily(now.facts), euros, mistaken)


def _spoiled(then: warehouses.Loaded, now: warehouses.Loaded, bad: Any) -> Any:
    """The facts after two incremental runs of the bad model: old orders as they were, changed ones spoiled."""
    con = duckdb.connect()
    try:
        con.register("good", then.facts)
        con.register("bad", bad)
        con.register("orders", then.raw["raw.orders"])
        con.execute("create table changed as from bad where updated_at > (select max(updated_at) from orders)")
        return con.execute(
            "from changed union all (from good anti join changed using (order_id)) order by all"
        ).to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


def _log(rows: int) -> Any:
    import pyarrow as pa

    return pa.table({"run_date": [f"2025-12-0{n + 1}" for n in range(rows)], "status": ["success"] * rows})


def _stream(model: tuple[str, str], message: str) -> str:
    """The repository: release-41, a branch merged as release-42, and one commit on top of it."""
    good = {f"dbt/{path}": text for path, text in slice_of_shopflow().items()}
    units = good[DAILY]
    good[DAILY] = units.replace(UNITS, "")
    bad = good[FACTS].replace(*model)
    if bad == good[FACTS] or good[DAILY] == units:
        raise ValueError("the release changes nothing")
    commits = [
        (1, "main", "Petra", "Revenue by day and store", (), good),
        (2, "revenue", "Jonas", message, (1,), {FACTS: bad}),
        (3, "revenue", "Jonas", "Say so", (2,), {"docs/releases.md": f"42: {message}.\n"}),
        (
            4,
            "main",
            "Mara",
            f"Merge branch 'revenue': {message}",
            (1, 3),
            {FACTS: bad, "docs/releases.md": f"42: {message}.\n"},
        ),
        (5, "main", "Petra", "Units for merchandising", (4,), {DAILY: units}),
    ]
    lines: list[str] = []
    for mark, branch, who, said, parents, files in commits:
        stamp = f"{who} <{who.lower()}@shopflow.example> {1764500000 + 3600 * mark} +0100"
        lines += [f"commit refs/heads/{branch}", f"mark :{mark}", f"author {stamp}", f"committer {stamp}", _data(said)]
        lines += [f"from :{parents[0]}"] if parents else []
        lines += [f"merge :{p}" for p in parents[1:]]
        for path, text in files.items():
            lines += [f"M 100644 inline {path}", _data(text)]
    for tag, mark in (("release-41", 1), ("release-42", 4)):
        lines += [f"reset refs/tags/{tag}", f"from :{mark}", ""]
    return "\n".join(lines) + "\n"


def _data(text: str) -> str:
    return f"data {len(text.encode())}\n{text}"


# ---------------------------------------------------------------- the checks


def _done(work: Work, data: Release) -> dict[str, Any]:
    text = work.file(SCRIPT)
    request = {
        "op": "session",
        "text": text,
        "entry": "rollback",
        "arguments": ["dbt", "repo", "folder", "release-42"],
        "stream": data.stream,
        "warehouses": data.files,
        "guarded": PROD,
        "statements": {PROD: list(warehouses.VIEWS)},
        "queries": {
            "facts": [PROD, "from marts.fact_sales order by all"],
            "daily": [PROD, "from marts.daily_revenue order by all"],
        },
    }
    return work.once(("05.6", id(data)), lambda: work.tool("releasing", request))


TRIED = 'rollback(dbt, repo, folder, "release-42")'


def code_is_back(work: Work, data: Release) -> str:
    done = _done(work, data)
    no_error(done, TRIED)
    dirty = [path for path in done["dirty"] if path in (FACTS, DAILY)]
    if done["doing"] or done["branch"] != "main" or dirty:
        got = f"a {done['doing']} in progress" if done["doing"] else f"uncommitted: {', '.join(dirty)}"
        raise NotYet(
            "The repository is not left on main with everything committed.",
            tried=TRIED,
            expected="main, clean",
            got=got if done["doing"] or done["branch"] == "main" else f"on {done['branch'] or 'no branch'}",
            cause="not-committed",
        )
    try:
        with opened(done["bundle"]) as repo:
            _code(repo, done["refs"])
    except (NoSuchObject, RuntimeError) as error:
        raise NotYet(
            "main cannot be read afterwards.", tried=TRIED, expected="main", got=str(error)[:200], cause="not-committed"
        ) from None
    return "The release is undone by a commit of its own, and what came after it stands."


def _code(repo: Any, refs: dict[str, str]) -> None:
    """NotYet where main is not what it must be. `refs` are the branches and tags as they were before."""
    good = slice_of_shopflow()
    facts = repo.text("main", FACTS)
    if facts is not None and any(facts == good[FACTS.removeprefix("dbt/")].replace(*model) for model, _, _ in BAD.values()):
        raise NotYet(
            "`fact_sales` on main is still the one of release-42: tomorrow's run brings the fault back.",
            tried=TRIED,
            expected="as in release-41",
            got="as in release-42",
            cause="code-not-back",
        )
    gone = [name for name in ("release-42", "main") if not repo.reaches("main", refs[name])]
    if gone:
        raise NotYet(
            "A published commit is not in main's history any more.",
            tried=TRIED,
            expected="every commit that was there, and more",
            got="; ".join(
                f"{'the release' if n == 'release-42' else 'the last commit of main'}, {refs[n][:7]}, is gone" for n in gone
            ),
            cause="rewritten",
            look="Four people have pulled it. On a published branch undoing is one more commit: `git revert`.",
        )
    if repo.text("main", DAILY) == good[DAILY.removeprefix("dbt/")].replace(UNITS, ""):
        raise NotYet(
            "Petra's commit after the release is undone with it: `daily_revenue` has no `units` any more, and merchandising reads them.",
            tried=TRIED,
            expected="later work stays",
            got="daily_revenue as in release-41",
            cause="later-work-lost",
        )
    for path, text in good.items():
        if repo.text("main", f"dbt/{path}") != text:
            raise NotYet(
                f"`dbt/{path}` on main is not what it must be: as before the release, with Petra's commit on top.",
                tried=TRIED,
                expected=_first_other(text, repo.text("main", f"dbt/{path}")),
                got=_first_other(repo.text("main", f"dbt/{path}"), text),
                cause="code-not-back",
            )


def _first_other(text: str | None, other: str | None) -> str:
    """The first line of a text that is not the other's, with its number."""
    if text is None:
        return "no such file"
    lines, others = text.split("\n"), (other or "").split("\n")
    for number, line in enumerate(lines):
        if other is None or number >= len(others) or line != others[number]:
            return f"line {number + 1}: {line.strip() or '(empty)'}"
    return f"{len(lines)} lines"


def rows_are_back(work: Work, data: Release) -> str:
    done = _done(work, data)
    no_error(done, TRIED)
    tried = "; ".join(commands(done)) or "no dbt command"
    for call in done["calls"]:
        if not call["success"]:
            raise NotYet(
                "A dbt command of yours failed, and your function went on.",
                tried=tried,
                expected="success",
                got=call["said"],
                cause="dbt-failed",
            )
    for key, wanted, name in (("facts", data.facts, "marts.fact_sales"), ("daily", data.daily, "marts.daily_revenue")):
        got = done["rows"][key]
        readable(name, got, wanted, tried)
        differs = difference(got, wanted)
        if not differs:
            continue
        said, cause, look = _mistake(key, got, data, done)
        same = got.num_rows == wanted.num_rows
        raise NotYet(
            said or f"`{name}` is not what release-41 makes of everything that has come in: {differs.extra:,} rows differ.",
            tried=tried,
            expected=differs.one_missing if same else f"{wanted.num_rows:,} rows",
            got=differs.one_extra if same else f"{got.num_rows:,} rows",
            cause=cause,
            look=look,
        )
    return f"{data.facts.num_rows:,} lines and {euros(data.euros)}, row by row what release-41 makes of everything that has come in."


def _mistake(key: str, got: Any, data: Release, done: dict[str, Any]) -> tuple[str, str, str]:
    """(what went wrong, its cause, where to look) for rows that are a known mistake's; else words that fit any."""
    if key == "daily":
        if not _alike(got, data.mistaken["left daily"]):
            return "", "dashboard", ""
        said = "The facts are right again, and the dashboard still shows the bad release's revenue."
        return said, "dashboard", "What was computed from bad rows is bad. A plus sign after a selector takes it along."
    prod = [c for c in done["calls"] if c["warehouse"] == PROD]
    if _alike(got, data.mistaken["by the bad code"]):
        return "Every line was computed again, and by the bad release: its code still stood on main then.", "too-early", ""
    if _alike(got, data.mistaken["backup"]):
        said = "`marts.fact_sales` is the backup's: what came in since the release is not in it."
        return said, "days-lost", ""
    if not _alike(got, data.mistaken["left"]):
        return "", "other-rows", ""
    said = "`marts.fact_sales` is as the bad release left it."
    if not prod:
        return (
            said,
            "data-not-back",
            "The code of tomorrow does not repair the rows of yesterday. Prod has to be computed again.",
        )
    whole = any({"--full-refresh", "-f"} & {*c["arguments"]} for c in prod)
    look = "fact_sales is incremental: a run writes orders that changed since the last one, and leaves the rest as it is."
    return said, "rows-stay", "" if whole else look


def _alike(got: Any, known: Any) -> bool:
    return set(got.column_names) == set(known.column_names) and not difference(got, known)


def nothing_else_is_lost(work: Work, data: Release) -> str:
    done = _done(work, data)
    no_error(done, TRIED)
    before, after = (relations(done[when]) for when in ("before", "after"))
    others = sorted(name for name in before.keys() | after.keys() if name not in ("marts.fact_sales", "marts.daily_revenue"))
    changed = [name for name in others if _rows(before.get(name, "")) != _rows(after.get(name, ""))]
    if changed:
        raise NotYet(
            "Whatever else is in the file must be as it was.",
            tried=TRIED,
            expected=f"{len(before)} relations, all but fact_sales and daily_revenue untouched",
            got=", ".join(
                f"{n} is {'new' if n not in before else 'gone' if n not in after else 'changed'}" for n in changed
            ),
            cause="lost",
            look="The backup is two mornings old. Only what the release computed has to go back."
            if [name for name in changed if name in before and name in after]
            else "",
        )
    if done["before"] == done["after"]:
        raise NotYet(
            "Nothing is lost, since nothing was done in prod.",
            tried=TRIED,
            expected="marts as release-41 makes them",
            got="prod as it was",
            cause="data-not-back",
        )
    return "Two mornings of extracts, run log and closed books are as they were."


def _rows(line: str) -> str:
    """What a relation holds; of a view without its text, which dbt may write anew."""
    name, kind, *rest = line.split(" ") if line else ("", "")
    return " ".join([name, kind, *(rest[1:] if kind == "view" else rest)])


_REFERENCE = """\
from shopflow.history import git


def rollback(dbt, repo, folder, bad):
    git(repo, "revert", "--no-edit", "-m", "1", bad)
    dbt("build", "--full-refresh", "--select", "fact_sales+", target="prod")
"""


def _but(old: str, new: str) -> dict[str, str]:
    return {SCRIPT: edited(_REFERENCE, (old, new))}


_FROM_BACKUP = """\
import subprocess

import duckdb


def rollback(dbt, repo, folder, bad):
    subprocess.run(["git", "revert", "--mainline", "1", "--no-edit", bad], cwd=repo, check=True, capture_output=True)
    con = duckdb.connect(str(folder / "prod.duckdb"))
    con.execute(f"attach '{folder / 'backup' / 'prod.duckdb'}' as before (read_only)")
    con.execute("create or replace table marts.fact_sales as from before.marts.fact_sales")
    con.close()
    dbt("run", target="prod")
"""
_ONE_FILE = """\
import duckdb
from shopflow.history import git


def rollback(dbt, repo, folder, bad):
    for path in git(repo, "diff", "--name-only", f"{bad}^1", bad).split():
        try:
            git(repo, "checkout", f"{bad}^1", "--", path)
        except RuntimeError:
            git(repo, "rm", path)
    git(repo, "commit", "--message", f"Take {bad} back")
    con = duckdb.connect(str(folder / "prod.duckdb"))
    con.execute("drop table marts.fact_sales")
    con.close()
    dbt("build", target="prod")
"""
_RESTORE = """\
import shutil

from shopflow.history import git


def rollback(dbt, repo, folder, bad):
    git(repo, "revert", "--no-edit", "-m", "1", bad)
    shutil.copyfile(folder / "backup" / "prod.duckdb", folder / "prod.duckdb")
"""

_CLOSED_DAYS = """\
    import duckdb

    con = duckdb.connect(str(folder / "prod.duckdb"))
    con.execute(f"attach '{folder / 'backup' / 'prod.duckdb'}' as before (read_only)")
    con.execute("create or replace table finance.closed_days as from before.finance.closed_days")
    con.close()
"""


def _in_prod(statements: str) -> str:
    """More lines of a rollback: statements in prod's file."""
    return f'''\
    import duckdb

    with duckdb.connect(str(folder / "prod.duckdb")) as con:
        con.execute("""{statements}""")
'''


_MOVED_TAG = """\
from shopflow.history import git


def rollback(dbt, repo, folder, bad):
    facts, daily = "dbt/models/marts/fact_sales.sql", "dbt/models/marts/daily_revenue.sql"
    units = git(repo, "show", f"main:{daily}")
    git(repo, "reset", "--hard", "release-41")
    good = (repo / facts).read_text()
    (repo / facts).write_text("-- nothing\\n")
    git(repo, "commit", "-am", "Nothing")
    git(repo, "tag", "-f", bad)
    (repo / facts).write_text(good)
    (repo / daily).write_text(units)
    git(repo, "commit", "-am", "Everything")
    dbt("build", "--full-refresh", "--select", "fact_sales+", target="prod")
"""

TASK_6 = Task(
    id="05.6",
    title="Take a release back, to the row",
    minutes=12,
    points=3,
    deliver=(file(SCRIPT),),
    data=release,
    seconds=60.0,
    executes=True,
    replays=True,
    mutants=10,
    checks=(
        Check("the code is back, by one more commit", code_is_back),
        Check("the rows are back, each of them", rows_are_back, expected=lambda d: d.euros),
        Check("nothing else is lost", nothing_else_is_lost),
    ),
    hints=(
        "Three things stand on main and in prod: what was before the release, the release, and what came after it. Only the middle one goes.",
        "`git revert` of a merge wants to know which parent is the mainline. And an incremental model never looks again at rows it has written.",
        '`git(repo, "revert", "--no-edit", "-m", "1", bad)`, then `dbt("build", "--full-refresh", "--select", "fact_sales+", target="prod")`: raw.* holds everything it needs.',
    ),
    wrong=(
        wrong(
            "only the code",
            _but('    dbt("build", "--full-refresh", "--select", "fact_sales+", target="prod")\n', ""),
            "data-not-back",
        ),
        wrong("an ordinary run", _but('"--full-refresh", "--select", "fact_sales+", ', ""), "rows-stay"),
        wrong(
            "moves main back", _but('"revert", "--no-edit", "-m", "1", bad', '"reset", "--hard", f"{bad}^1"'), "rewritten"
        ),
        wrong(
            "checks the old tag out over everything",
            _but(
                '    git(repo, "revert", "--no-edit", "-m", "1", bad)\n',
                '    git(repo, "checkout", f"{bad}^1", "--", ".")\n    git(repo, "commit", "--message", "Back to release-41")\n',
            ),
            "later-work-lost",
        ),
        wrong("restores the backup", {SCRIPT: _RESTORE}, "days-lost", "lost"),
        wrong("puts finance's days back as well", {SCRIPT: _REFERENCE + _CLOSED_DAYS}, "lost"),
        wrong(
            "restores the backup and builds", {SCRIPT: _RESTORE + '    dbt("build", target="prod")\n'}, "days-lost", "lost"
        ),
        wrong(
            "drops a view and leaves a copy",
            {
                SCRIPT: _REFERENCE
                + _in_prod("drop view staging.stg_orders; create table marts.left_over as from marts.fact_sales")
            },
            "lost",
        ),
        wrong("leaves a macro", {SCRIPT: _REFERENCE + _in_prod("create macro ops.euros(x) as x")}, "lost"),
        wrong(
            "renames a column of the run log",
            {SCRIPT: _REFERENCE + _in_prod("alter table ops.run_log rename status to state")},
            "lost",
        ),
        wrong(
            "days of a kind that cannot be compared",
            {
                SCRIPT: _REFERENCE
                + _in_prod(
                    "create or replace table marts.fact_sales as select * replace ({'a': 1} as business_date) from marts.fact_sales"
                )
            },
            "columns",
        ),
        wrong(
            "amounts that no decimal of ours holds",
            {
                SCRIPT: _REFERENCE
                + _in_prod(
                    "create or replace table marts.fact_sales as select * replace (0::decimal(38, 37) as line_revenue) from marts.fact_sales"
                )
            },
            "other-rows",
        ),
        wrong(
            "another kind of status",
            {
                SCRIPT: _REFERENCE
                + _in_prod(
                    "create or replace table marts.fact_sales as select * replace ([1] as order_status) from marts.fact_sales"
                )
            },
            "columns",
        ),
        wrong("rewrites the history and moves the tag", {SCRIPT: _MOVED_TAG}, "rewritten"),
        wrong("takes the other side of the merge", _but('"-m", "1"', '"-m", "2"'), "raised"),
        wrong("forgets that it is a merge", _but('"-m", "1", ', ""), "raised"),
        wrong("reverts and does not commit", _but('"--no-edit"', '"--no-commit"'), "not-committed"),
        wrong(
            "computes again before the code is back",
            {
                SCRIPT: 'from shopflow.history import git\n\n\ndef rollback(dbt, repo, folder, bad):\n    dbt("build", "--full-refresh", target="prod")\n    git(repo, "revert", "--no-edit", "-m", "1", bad)\n'
            },
            "too-early",
        ),
        wrong("computes again in dev", _but(', target="prod"', ""), "dbt-failed"),
        wrong("only the facts", _but('"fact_sales+"', '"fact_sales"'), "dashboard"),
        wrong(
            "only the rows",
            _but(
                '    git(repo, "revert", "--no-edit", "-m", "1", bad)\n',
                '    git(repo, "checkout", f"{bad}^1", "--", "dbt/models/marts/fact_sales.sql")\n',
            ),
            "not-committed",
        ),
    ),
    clauses={
        "main computes what it computed before the release": "only the rows",
        "Petra's commit still stands": "checks the old tag out over everything",
        "no published commit is gone from the history": "moves main back",
        "row by row": "an ordinary run",
        "`fact_sales` and `daily_revenue`": "only the facts",
        "what the released code makes of": "computes again before the code is back",
        "everything that has come in": "restores the backup and builds",
        "whatever else is in the file is as it was": "puts finance's days back as well",
        "In prod": "computes again in dev",
    },
    right=(
        right("the facts from the backup, the rest by an incremental run", {SCRIPT: _FROM_BACKUP}),
        right("file by file, then a table made anew", {SCRIPT: _ONE_FILE}),
        right(
            "all models, and the tag is gone",
            _but('"--select", "fact_sales+", target="prod")\n', 'target="prod")\n    git(repo, "tag", "--delete", bad)\n'),
        ),
    ),
)
