"""Task 05.4: publish to readers in other processes, who open the file whenever they like and never meet half a day or an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses

SCRIPT = "repo/pipeline/publish.py"
BUILT, SERVED = "build/warehouse.duckdb", "serving/dashboards.duckdb"
QUESTION = """
select
    (select count(*) from serving.fact_sales), (select sum(line_revenue) from serving.fact_sales),
    (select count(*) from serving.daily_revenue), (select sum(revenue_eur) from serving.daily_revenue)
"""
"""What the dashboard asks: both tables in one query."""
HELD = "select schema_name || '.' || table_name as name from duckdb_tables() where database_name = current_database() order by all"


@dataclass(frozen=True)
class Morning:
    """One publish: its name, the built warehouse, rows of it that still stand in the log, what readers must see at the end."""

    name: str
    tables: dict[str, Any]
    in_log: dict[str, Any]
    wanted: list[str]


@dataclass(frozen=True)
class Mornings:
    """What is served to begin with, and the mornings that follow."""

    served: dict[str, Any]
    shown: list[str]
    mornings: tuple[Morning, ...]


def _serving(marts: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("marts.", "serving."): table for name, table in marts.items()}


def _answer(marts: dict[str, Any]) -> list[str]:
    """What the question gives on these marts, as texts."""
    facts, daily = marts["marts.fact_sales"], marts["marts.daily_revenue"]
    sums = (
        warehouses.total(facts, "select sum(line_revenue) from rows"),
        warehouses.total(daily, "select sum(revenue_eur) from rows"),
    )
    return [str(v) for v in (facts.num_rows, sums[0], daily.num_rows, sums[1])]


@lru_cache(maxsize=8)
def mornings(seed: int) -> Mornings:
    """A morning whose build stopped half-way, the repaired one, and one whose writer was killed after its last commit."""
    days = [warehouses.loaded(seed, n) for n in range(3)]
    marts = [day.marts() for day in days]
    answers = [_answer(m) for m in marts]
    half = {**days[1].raw, "marts.fact_sales": marts[1]["marts.fact_sales"]}
    return Mornings(
        _serving(marts[0]),
        answers[0],
        (
            Morning("the build stopped before daily_revenue", half, {}, answers[0]),
            Morning("an ordinary morning", {**days[1].raw, **marts[1]}, {}, answers[1]),
            Morning(
                "a build whose last rows stand in its write-ahead log", {**days[2].raw, **marts[1]}, marts[2], answers[2]
            ),
        ),
    )


def _done(work: Work, data: Mornings) -> list[dict[str, Any]]:
    text = work.file(SCRIPT)
    request = {
        "op": "watched",
        "text": text,
        "entry": "publish",
        "arguments": [BUILT, SERVED],
        "served": SERVED,
        "query": QUESTION,
        "warehouses": {SERVED: data.served},
        "mornings": [{"tables": m.tables, "in_log": m.in_log} for m in data.mornings],
        "queries": {"held": [SERVED, HELD]},
    }
    return work.once(("05.4", id(data)), lambda: work.tool("releasing", request)["mornings"])


def _not_locked_out(done: dict[str, Any], tried: str) -> None:
    """NotYet where the function met a reader at the served file: who comes first is a matter of luck, the fault is the same."""
    if "lock" in done["raised"].lower():
        raise NotYet(
            "Your function was refused: a reader had the served file open, and DuckDB lets nobody write meanwhile. A moment earlier it would have locked the reader out.",
            tried=tried,
            expected="no error, for you or the reader",
            got=done["raised"],
            cause="locked",
            look="A transaction protects readers inside your process. For the others, write another file.",
        )


def _last(done: dict[str, Any]) -> list:
    return done["seen"][-1][1]


def the_new_day_arrives(work: Work, data: Mornings) -> str:
    for done, morning in list(zip(_done(work, data), data.mornings, strict=True))[1:]:
        tried = f"publish(built, served): {morning.name}"
        _not_locked_out(done, tried)
        if done["raised"]:
            where = f" in line {done['line']}" if done["line"] else ""
            raise NotYet(
                f"Your function stopped{where}, and readers still see yesterday.",
                tried=tried,
                expected="no error",
                got=done["raised"],
                cause="raised",
                look="The publish before this one could not finish. What it left behind is still there."
                if morning.name.startswith("an ord")
                else "",
            )
        kind, rows = _last(done)
        if kind == "rows" and rows[0] != morning.wanted:
            log = bool(morning.in_log)
            raise NotYet(
                "Readers see yesterday: the newest rows stand in the log beside the built file, and a copy of the file alone does not have them."
                if log
                else "Readers still see yesterday.",
                tried=tried,
                expected=", ".join(morning.wanted),
                got=", ".join(rows[0]),
                cause="log-forgotten" if log else "not-published",
                look="Read the built warehouse through DuckDB, which reads the log too." if log else "",
            )
        if kind == "error":
            raise NotYet(
                "After your publish readers get an error.",
                tried=tried,
                expected=", ".join(morning.wanted),
                got=rows,
                cause="unreadable",
            )
        held = done["rows"]["held"].to_pylist() if not isinstance(done["rows"]["held"], str) else []
        extra = [r["name"] for r in held if r["name"] not in ("serving.fact_sales", "serving.daily_revenue")]
        if extra:
            raise NotYet(
                "More was published than readers may see.",
                tried=f"the tables of {SERVED}",
                expected="serving.daily_revenue, serving.fact_sales",
                got=", ".join(extra),
                cause="too-much",
                look="A copy of the whole file carries raw.* with it.",
            )
    return f"Both tables arrive: {data.mornings[-1].wanted[0]} lines, €{data.mornings[-1].wanted[1]}."


def nobody_meets_half(work: Work, data: Mornings) -> str:
    looked, before = 0, data.shown
    for done, morning in zip(_done(work, data), data.mornings, strict=True):
        _not_locked_out(done, f"publish(built, served): {morning.name}")
        allowed = (before, morning.wanted)
        for line, (kind, found) in done["seen"]:
            looked += 1
            tried = f"a reader in another process; your function had come to: {line or 'its end'}"
            if kind == "error":
                raise _refused(found, tried)
            if found[0] not in allowed:
                raise NotYet(
                    "A reader saw half a publish: the facts of one day beside the revenue of another.",
                    tried=tried,
                    expected="yesterday's four figures or today's: " + ", ".join(morning.wanted),
                    got=", ".join(found[0]),
                    cause="half",
                    look="Two tables that belong together change in one step.",
                )
        if done["gone"] or done["written"]:
            raise _unseen(done, morning)
        before = morning.wanted
    _something_published(work, data)
    return "Readers of another process saw yesterday, then today, and no error."


def _something_published(work: Work, data: Mornings) -> None:
    if [_last(done) for done in _done(work, data)][-1] == ["rows", [data.shown]]:
        raise NotYet(
            "Readers met no error, since nothing was published.",
            expected="today, at the end",
            got="yesterday, three mornings long",
            cause="not-published",
        )


def _unseen(done: dict[str, Any], morning: Morning) -> NotYet:
    """What the operating system saw between two looks of the reader."""
    said = "There was a moment without a served file" if done["gone"] else "The served file was written to under its readers"
    return NotYet(
        f"{said}. No reader happened to look then.",
        tried=f"publish(built, served): {morning.name}; what the operating system saw happen to {SERVED}",
        expected="another file in its place, in one step",
        got="it was deleted or moved away" if done["gone"] else "it was written to in place",
        cause="gone" if done["gone"] else "torn",
        look="os.replace puts a file in another's place in one step; deleting and renaming are two.",
    )


def _refused(words: str, tried: str) -> NotYet:
    if "lock" in words.lower():
        return NotYet(
            "A reader was refused: your function held the served file open for writing, and DuckDB lets no other process in meanwhile.",
            tried=tried,
            expected="rows",
            got=words,
            cause="locked",
            look="A transaction protects readers inside your process. For the others, write another file.",
        )
    if "does not exist" in words and "Table" not in words and "Catalog" not in words:
        return NotYet(
            "A reader found no file at all.",
            tried=tried,
            expected="rows",
            got=words,
            cause="gone",
            look="os.replace puts a file in another's place in one step; deleting and renaming are two.",
        )
    if "Catalog Error" in words:
        return NotYet(
            "A reader opened a file that lacks a table it asks for.",
            tried=tried,
            expected="rows",
            got=words,
            cause="table-missing",
        )
    return NotYet(
        "A reader opened a file that was not a whole one.",
        tried=tried,
        expected="rows",
        got=words,
        cause="torn",
        look="Copying over a file empties it first. Copy beside it, then put the copy in its place.",
    )


def half_a_build_is_not_published(work: Work, data: Mornings) -> str:
    done, morning = _done(work, data)[0], data.mornings[0]
    kind, found = _last(done)
    if kind == "error" or found[0] != morning.wanted:
        raise NotYet(
            "The build had no daily_revenue, and it was put in front of readers nevertheless.",
            tried=f"publish(built, served): {morning.name}",
            expected="yesterday's file, untouched: " + ", ".join(morning.wanted),
            got=found if kind == "error" else ", ".join(found[0]),
            cause="half-built",
            look="An error on the way must keep the last step from happening.",
        )
    _something_published(work, data)
    return "A build that stopped half-way leaves yesterday's file in place."


_REFERENCE = """\
import os

import duckdb


def publish(built, served):
    aside = served.with_name("next.duckdb")
    aside.unlink(missing_ok=True)
    con = duckdb.connect(str(aside))
    try:
        con.execute(f"attach '{built}' as built (read_only)")
        con.execute("create schema serving")
        for table in ("fact_sales", "daily_revenue"):
            con.execute(f"create table serving.{table} as from built.marts.{table}")
    finally:
        con.close()
    os.replace(aside, served)
"""


def _but(old: str, new: str) -> dict[str, str]:
    if old not in _REFERENCE:
        raise ValueError(f"{old!r} is not in the reference")
    return {SCRIPT: _REFERENCE.replace(old, new)}


_TRANSACTION = """\
import duckdb


def publish(built, served):
    con = duckdb.connect(str(served))
    con.execute(f"attach '{built}' as built (read_only)")
    con.execute("begin")
    for table in ("fact_sales", "daily_revenue"):
        con.execute(f"create or replace table serving.{table} as from built.marts.{table}")
    con.execute("commit")
    con.close()
"""
_BY_TABLE = """\
import os
import shutil

import duckdb


def publish(built, served):
    with duckdb.connect(str(built)) as con:
        con.execute("select 1 from marts.fact_sales, marts.daily_revenue limit 1")
    for table in ("fact_sales", "daily_revenue"):
        aside = served.with_name("next.duckdb")
        shutil.copyfile(served, aside)
        with duckdb.connect(str(aside)) as con:
            con.execute(f"attach '{built}' as built (read_only)")
            con.execute(f"create or replace table serving.{table} as from built.marts.{table}")
        os.replace(aside, served)
"""
_FILE = """\
import os
import shutil

import duckdb


def publish(built, served):
    aside = served.with_name("next.duckdb")
    shutil.copyfile(built, aside)
    con = duckdb.connect(str(aside))
    con.execute("create schema serving")
    for table in ("fact_sales", "daily_revenue"):
        con.execute(f"create table serving.{table} as from marts.{table}")
    con.execute("drop schema raw cascade")
    con.execute("drop schema marts cascade")
    con.close()
    os.replace(aside, served)
"""
_LINK = """\
import os
import tempfile
from pathlib import Path

import duckdb


def publish(built, served):
    handle, name = tempfile.mkstemp(dir=served.parent, suffix=".duckdb")
    os.close(handle)
    version = Path(name)
    version.unlink()
    source = duckdb.connect(str(built))
    tables = {t: source.execute(f"from marts.{t}").arrow().read_all() for t in ("fact_sales", "daily_revenue")}
    source.close()
    con = duckdb.connect(str(version))
    con.execute("create schema serving")
    for table, rows in tables.items():
        con.register("incoming", rows)
        con.execute(f"create table serving.{table} as from incoming")
        con.unregister("incoming")
    con.close()
    link = version.with_suffix(".link")
    link.symlink_to(version.name)
    link.replace(served)
"""
_WITH = """\
import shutil
import uuid

import duckdb


def publish(built, served):
    folder = served.parent / f"part-{uuid.uuid4().hex}"
    folder.mkdir()
    try:
        with duckdb.connect(str(built)) as con:
            con.execute(f"attach '{folder / 'part.duckdb'}' as target")
            con.execute("begin; create schema target.serving")
            con.execute("create table target.serving.daily_revenue as from marts.daily_revenue")
            con.execute("create table target.serving.fact_sales as from marts.fact_sales")
            con.execute("commit")
            con.execute("detach target")
        (folder / "part.duckdb").replace(served)
    finally:
        shutil.rmtree(folder)
"""

TASK_4 = Task(
    id="05.4",
    title="Publish while somebody reads",
    minutes=15,
    points=3,
    deliver=(file(SCRIPT),),
    data=mornings,
    seconds=60.0,
    executes=True,
    mutants=14,
    checks=(
        Check("the new day arrives, and nothing else", the_new_day_arrives, expected=lambda d: d.mornings[-1].wanted),
        Check(
            "a build that stopped is not published", half_a_build_is_not_published, expected=lambda d: d.mornings[0].wanted
        ),
        Check("no reader meets half a day or an error", nobody_meets_half, expected=lambda d: d.shown),
    ),
    hints=(
        "Readers open the file by its name. At which moment does that name stand for another file?",
        "Write a new file beside the served one, through DuckDB, close it, and put it in place with one `os.replace`.",
        '`aside = served.with_name("next.duckdb")`, remove what an earlier morning left of it, connect to it, `attach` the built warehouse read-only, create the two tables, close, `os.replace(aside, served)`.',
    ),
    wrong=(
        wrong("a transaction in the served file", {SCRIPT: _TRANSACTION}, "locked"),
        wrong(
            "copies over the served file",
            {SCRIPT: "import shutil\n" + _REFERENCE.replace("os.replace(aside, served)", "shutil.copyfile(aside, served)")},
            "torn",
        ),
        wrong(
            "deletes, then renames",
            _but("    os.replace(aside, served)", "    served.unlink()\n    aside.rename(served)"),
            "gone",
        ),
        wrong("table by table", {SCRIPT: _BY_TABLE}, "half"),
        wrong("copies the built file and forgets its log", {SCRIPT: _FILE}, "log-forgotten"),
        wrong(
            "publishes the whole warehouse",
            _but(
                '        con.execute("create schema serving")\n',
                '        con.execute("create schema serving; create schema raw; create table raw.orders as from built.raw.orders")\n',
            ),
            "too-much",
        ),
        wrong(
            "replaces before closing",
            {
                SCRIPT: _REFERENCE.replace(
                    "    finally:\n        con.close()\n    os.replace(aside, served)",
                    "        os.replace(aside, served)\n    except duckdb.Error:\n        con.close()\n        raise",
                )
            },
            "locked",
        ),
        wrong(
            "publishes in spite of an error",
            _but(
                "    finally:\n        con.close()\n",
                "    except duckdb.Error as error:\n        print(error)\n    con.close()\n",
            ),
            "half-built",
        ),
        wrong(
            "publishes in the finally",
            _but("        con.close()\n    os.replace", "        con.close()\n        os.replace"),
            "half-built",
        ),
        wrong("trips over what an earlier morning left", _but("    aside.unlink(missing_ok=True)\n", ""), "raised"),
        wrong("never puts it in place", _but("    os.replace(aside, served)\n", ""), "not-published"),
        wrong("only the facts", _but('("fact_sales", "daily_revenue")', '("fact_sales",)'), "unreadable"),
    ),
    right=(
        right("a link that points to a new version", {SCRIPT: _LINK}),
        right("written from the built warehouse, one transaction", {SCRIPT: _WITH}),
    ),
    clauses={
        "at any moment they like": "a transaction in the served file",
        "ask both tables in one query": "table by table",
        "as `serving.fact_sales` and `serving.daily_revenue`": "only the facts",
        "and nothing else": "publishes the whole warehouse",
        "readers keep yesterday's file": "publishes in spite of an error",
        "three mornings in a row in one folder": "trips over what an earlier morning left",
        "its newest rows stand in the file's write-ahead log": "copies the built file and forgets its log",
        "as often as it can and after each of your lines": "deletes, then renames",
    },
    spared={"line 8: True → False": "its own file is there or not"},
)
