"""Task 05.4: publish to readers in other processes, who open the file whenever they like and never meet half a day or an error."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tasks.m05_environments_and_delivery.compared import difference, readable
from dojo.tasks.m05_environments_and_delivery.told import euros

SCRIPT = "repo/pipeline/publish.py"
BUILT, SERVED = "build/warehouse.duckdb", "serving/dashboards.duckdb"
QUESTION = """
select
    (select system.main.count_star() from serving.fact_sales), (select system.main.sum(line_revenue) from serving.fact_sales),
    (select system.main.count_star() from serving.daily_revenue), (select system.main.sum(revenue_eur) from serving.daily_revenue)
"""
"""What the dashboard asks: both tables in one query. The names are whole ones: no macro in the file takes their place."""
TABLES = {"facts": "serving.fact_sales", "daily": "serving.daily_revenue"}


@dataclass(frozen=True)
class Morning:
    """One publish: its name, the built warehouse, rows that still stand in its log, what must be served, and as readers see it.

    killed: how far the function comes before it is killed, as a share of its lines; 0 lets it end.
    """

    name: str
    tables: dict[str, Any]
    in_log: dict[str, Any]
    served: dict[str, Any]
    wanted: list[str]
    killed: float = 0.0


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
    """A build that stopped half-way, an ordinary morning, a publish that is killed, and a build whose writer was killed."""
    days = [warehouses.loaded(seed, n) for n in range(4)]
    marts = [day.marts() for day in days]
    answers, served = [_answer(m) for m in marts], [_serving(m) for m in marts]
    built = [{**day.raw, "marts.dim_customer": _customers(day), **m} for day, m in zip(days, marts, strict=True)]
    half = {name: table for name, table in built[1].items() if name != "marts.daily_revenue"}
    return Mornings(
        served[0],
        answers[0],
        (
            Morning("the build stopped before daily_revenue", half, {}, served[0], answers[0]),
            Morning("an ordinary morning", built[1], {}, served[1], answers[1]),
            Morning("your function is killed on its way", built[2], {}, served[2], answers[2], 0.5 + seed % 40 / 100),
            Morning(LOG, {**built[3], **marts[0]}, marts[3], served[3], answers[3]),
        ),
    )


LOG = "a build whose last rows stand in its write-ahead log"


def _customers(day: warehouses.Loaded) -> Any:
    """marts.dim_customer: names and e-mail addresses, which are nobody's business at the dashboards."""
    return warehouses.changed(
        day.raw["raw.orders"],
        "create or replace table rows as select distinct customer_id, 'Customer ' || customer_id as full_name, "
        "'customer.' || customer_id || '@example.org' as email from rows where customer_id is not null",
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
        "mornings": [{"tables": m.tables, "in_log": m.in_log, "killed": m.killed} for m in data.mornings],
        "queries": {key: [SERVED, f"from {name}"] for key, name in TABLES.items()},
    }
    return work.once(("05.4", id(data)), lambda: work.tool("releasing", request)["mornings"])


def _not_locked_out(done: dict[str, Any], tried: str) -> None:
    """NotYet where the function met a reader at the served file: who comes first is a matter of luck, the fault is the same."""
    if done["met"]:
        raise NotYet(
            "Your function was refused: a reader had the served file open, and DuckDB lets nobody write meanwhile. A moment earlier it would have locked the reader out.",
            tried=tried,
            expected="no error, for you or the reader",
            got=done["met"],
            cause="locked",
            look="A transaction protects readers inside your process. For the others, write another file.",
        )


def _last(done: dict[str, Any]) -> list:
    return done["seen"][-1][1]


def _named(figures: Any) -> str:
    """The four figures that a reader asks for, each with its name."""
    lines, facts, rows, daily = figures
    return f"{lines} lines and {euros(facts)} in fact_sales, {rows} rows and {euros(daily)} in daily_revenue"


def the_new_day_arrives(work: Work, data: Mornings) -> str:
    before = ["rows", [data.shown]]
    for done, morning in zip(_done(work, data), data.mornings, strict=True):
        if morning.wanted != data.shown and not morning.killed:
            _arrives(done, morning, before)
        before = _last(done)
    shown = data.mornings[-1].wanted
    return f"Both tables arrive: {int(shown[0]):,} lines, {euros(shown[1])}."


def _arrives(done: dict[str, Any], morning: Morning, before: list) -> None:
    tried = f"publish(built, served): {morning.name}"
    last = _last(done)
    if done["raised"]:
        where = f" in line {done['line']}" if done["line"] else ""
        left = "already exists" in done["raised"]
        raise NotYet(
            f"Your function stopped{where}" + (", and readers still see yesterday." if last == before else "."),
            tried=tried,
            expected="no error",
            got=done["raised"],
            cause="raised",
            look="A publish before this one did not come to its end. What it left behind is still there." if left else "",
        )
    if last[0] == "error":
        said = "After your publish readers get an error."
        raise NotYet(said, tried=tried, expected=_named(morning.wanted), got=last[1], cause="unreadable")
    if last[1][0] != morning.wanted:
        _older(last, before, morning, tried)
    for key, name in TABLES.items():
        _as_built(name, done["rows"][key], morning.served[name], tried)
    _nothing_else(done["holds"], tried)


def _older(last: list, before: list, morning: Morning, tried: str) -> None:
    """NotYet where readers see what was there before, or what stands in the built file without its log."""
    expected, got = _named(morning.wanted), _named(last[1][0])
    if last == before:
        raise NotYet("Readers still see yesterday.", tried=tried, expected=expected, got=got, cause="not-published")
    if morning.in_log and last[1][0] == _answer(morning.tables):
        raise NotYet(
            "Readers see an older day: the newest rows stand in the log beside the built file, and a copy of the file alone does not have them.",
            tried=tried,
            expected=expected,
            got=got,
            cause="log-forgotten",
            look="Read the built warehouse through DuckDB, which reads the log too.",
        )


def _as_built(name: str, got: Any, wanted: Any, tried: str) -> None:
    """NotYet where a served table is not, row by row, the one that was built."""
    readable(name, got, wanted, tried)
    differs = difference(got, wanted)
    if differs:
        same = got.num_rows == wanted.num_rows
        raise NotYet(
            f"`{name}` does not hold what was built" + (": some of its rows differ." if same else ", row by row."),
            tried=tried,
            expected=differs.one_missing if same else f"{wanted.num_rows:,} rows",
            got=differs.one_extra if same else f"{got.num_rows:,} rows",
            cause="content",
        )


def _nothing_else(holds: list[str] | str, tried: str) -> None:
    """NotYet where the served file holds more than the two tables."""
    if isinstance(holds, str):
        said = f"What {SERVED} holds cannot be read."
        raise NotYet(said, tried=tried, expected=", ".join(TABLES.values()), got=holds, cause="unreadable")
    extra = [name for name in holds if name.removesuffix(" (view)") not in TABLES.values()]
    if extra:
        raise NotYet(
            "More was published than readers may see.",
            tried=f"{tried}; what {SERVED} holds",
            expected=", ".join(TABLES.values()),
            got=", ".join(extra),
            cause="too-much",
            look="Customers' names and addresses stand in marts.dim_customer." if "dim_customer" in str(extra) else "",
        )


def nobody_meets_half(work: Work, data: Mornings) -> str:
    before = data.shown
    for done, morning in zip(_done(work, data), data.mornings, strict=True):
        _not_locked_out(done, f"publish(built, served): {morning.name}")
        for line, (kind, found) in done["seen"]:
            tried = f"a reader in another process; {morning.name}; your function had come to: {line or 'its end'}"
            if kind == "error":
                raise _refused(found, tried)
            if found[0] not in (before, morning.wanted):
                _met(found[0], before, morning, tried)
        if done["gone"] or done["written"]:
            raise _unseen(done, morning)
        before = _last(done)[1][0] if morning.killed else morning.wanted
    _something_published(work, data)
    killed = any(
        m.killed and "ended its process" in d["raised"] for d, m in zip(_done(work, data), data.mornings, strict=True)
    )
    said = "Readers of another process saw yesterday, then today, and no error"
    return f"{said}, even when your function was killed." if killed else f"{said}."


def _met(found: list[str], before: list[str], morning: Morning, tried: str) -> None:
    """NotYet for figures that belong to no day; a half is what has one table's figures of each day."""
    halves = (before[:2] + morning.wanted[2:], morning.wanted[:2] + before[2:])
    raise NotYet(
        "A reader saw half a publish: the facts of one day beside the revenue of another."
        if found in halves
        else "A reader saw figures that are neither yesterday's nor today's.",
        tried=tried,
        expected=f"{_named(before)}; or {_named(morning.wanted)}",
        got=_named(found),
        cause="half" if found in halves else "other-figures",
        look="Two tables that belong together change in one step." if found in halves else "",
    )


def _something_published(work: Work, data: Mornings) -> None:
    if all(_last(done) == ["rows", [data.shown]] for done in _done(work, data)):
        raise NotYet(
            "Readers met no error, since nothing was published.",
            expected="today, at the end",
            got=f"yesterday, {len(data.mornings)} mornings long",
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
    tried = f"publish(built, served): {morning.name}"
    if kind == "error" or found[0] != morning.wanted:
        raise NotYet(
            "The build had no daily_revenue, and readers do not see yesterday any more.",
            tried=tried,
            expected="yesterday's file, untouched: " + _named(morning.wanted),
            got=found if kind == "error" else _named(found[0]),
            cause="half-built",
        )
    for key, name in TABLES.items():
        _as_built(name, done["rows"][key], morning.served[name], tried)
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
    return {SCRIPT: edited(_REFERENCE, (old, new))}


def _more(statements: str) -> dict[str, str]:
    """The reference with more done to its new file; `served` is known there."""
    return _but(_LAST, f'{_LAST}        con.execute(f"""{statements}""")\n')


_LAST = '            con.execute(f"create table serving.{table} as from built.marts.{table}")\n'
_RAW = "create schema raw; create table raw.orders as from built.raw.orders"
_EVERY_MART = ('("fact_sales", "daily_revenue")', '("fact_sales", "daily_revenue", "dim_customer")')

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
        wrong("publishes every mart", _but(*_EVERY_MART), "too-much"),
        wrong(
            "hides raw.* behind a macro",
            _more(f"{_RAW}; create macro duckdb_tables() as table select null as schema_name"),
            "too-much",
        ),
        wrong(
            "shows orders through a view over a file",
            _more(
                "copy built.raw.orders to '{served.parent}/orders.parquet'; create view orders as from '{served.parent}/orders.parquet'"
            ),
            "too-much",
        ),
        wrong(
            "one column of the facts",
            _but(
                '"create table serving.{table} as from built.marts.{table}"',
                '"create table serving.{table} as " + ("select line_revenue from built.marts.fact_sales" if table == "fact_sales" else "from built.marts.daily_revenue")',
            ),
            "columns",
        ),
        wrong("quantities are gone", _more("update serving.fact_sales set quantity = 0"), "content"),
        wrong("a day fewer", _more("delete from serving.daily_revenue where rowid >= 5"), "content", "other-figures"),
        wrong(
            "columns of a type that cannot be compared",
            _more(
                "create or replace table serving.fact_sales as select * replace ({{'a': 1}} as business_date) from serving.fact_sales"
            ),
            "columns",
        ),
        wrong("days without end", _more("update serving.fact_sales set business_date = 'infinity'"), "content"),
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
        "and nothing else": "publishes every mart",
        "row by row": "quantities are gone",
        "readers keep yesterday's file": "publishes in spite of an error",
        "four mornings in a row in one folder": "trips over what an earlier morning left",
        "its newest rows stand in the file's write-ahead log": "copies the built file and forgets its log",
        "as often as it can and after each of your lines": "deletes, then renames",
    },
    spared={"line 8: True → False": "its own file is there or not"},
)
