"""Task 05.3: write, audit, publish: a day is shown when it has passed, whole, and what did not pass is kept aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import duckdb

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from shopflow.tables import BATCH_ROWS

SCRIPT = "repo/pipeline/deliver_day.py"
LINES = "select order_id, line_number, business_date, store_id, quantity, line_revenue from rows"
QUESTION = """
select
    (select count(*) from serving.fact_sales), (select sum(line_revenue) from serving.fact_sales),
    (select sum(revenue_eur) from serving.daily_revenue), (select max(business_date) from serving.daily_revenue)
"""
HELD = {
    "facts": "from serving.fact_sales order by all",
    "daily": "select business_date, store_id, orders, revenue_eur from serving.daily_revenue order by all",
    "quarantine": "from quarantine.sales order by all",
}
DAILY = """
select business_date, store_id, count(distinct order_id) as orders, sum(line_revenue)::decimal(14, 2) as revenue_eur
from rows group by all
"""
FAULTS = {
    "duplicate": ("three lines arrived twice", "insert into rows from rows limit 3"),
    "negative": ("one line has a negative quantity", "update rows set quantity = -2 where rowid = 4"),
    "no-store": ("one line has no store", "update rows set store_id = null where rowid = 5"),
    "no-revenue": ("one line has no revenue", "update rows set line_revenue = null where rowid = 6"),
    "no-order": ("one line has no order", "update rows set order_id = null where rowid = 2"),
    "too-few": ("two thirds of the lines are missing", "delete from rows where rowid % 3 > 0"),
}


@dataclass(frozen=True)
class Morning:
    """One delivery: its day, what is wrong with it ("" for a good one), its rows, and what must stand where afterwards."""

    day: dt.date
    fault: str
    said: str
    rows: Any
    held: dict[str, Any]
    shown: list[str]


@dataclass(frozen=True)
class Week:
    """What is served at first, and the deliveries that follow."""

    tables: dict[str, Any]
    shown: list[str]
    mornings: tuple[Morning, ...]


@lru_cache(maxsize=8)
def week(seed: int) -> Week:
    """Good days, redeliveries and every fault, in an order of their own for each data set."""
    sold = warehouses.changed(
        warehouses.loaded(seed, 2).facts, "delete from rows where order_status not in ('paid', 'shipped')"
    )
    days = sorted(set(sold["business_date"].to_pylist()))[1:-1]
    con = duckdb.connect()
    try:
        con.register("sold", sold)
        served = con.execute(
            f"{LINES.replace('from rows', 'from sold')} where business_date < date '{days[-3]}'"
        ).to_arrow_table(BATCH_ROWS)
        of_day = {
            d: con.execute(
                f"{LINES.replace('from rows', 'from sold')} where business_date = date '{d}' order by all"
            ).to_arrow_table(BATCH_ROWS)
            for d in days[-3:]
        }
    finally:
        con.close()
    books = _Books(served)
    first = books.held()
    faults = list(FAULTS) if seed % 4 == 3 else list(reversed(FAULTS))
    one, two, three = days[-3:]
    plan = [
        (one, ""),
        (two, faults[0]),
        (two, faults[1]),
        (two, ""),
        (two, "corrected"),
        (one, faults[2]),
        (three, faults[3]),
    ]
    plan += [(three, faults[4]), (three, faults[5]), (three, "")]
    mornings = tuple(books.deliver(day, fault, of_day[day]) for day, fault in plan)
    tables = {
        "serving.fact_sales": first["facts"],
        "serving.daily_revenue": first["daily"],
        "quarantine.sales": first["quarantine"],
    }
    return Week(tables, _figures(first), mornings)


def _figures(held: dict[str, Any]) -> list[str]:
    """What the reader's question gives."""
    facts, daily = held["facts"], held["daily"]
    sums = (
        warehouses.total(facts, "select sum(line_revenue) from rows"),
        warehouses.total(daily, "select sum(revenue_eur) from rows"),
    )
    return [str(v) for v in (facts.num_rows, *sums, warehouses.total(daily, "select max(business_date) from rows"))]


class _Books:
    """What must be served and kept aside, delivery by delivery."""

    def __init__(self, served: Any):
        self.facts, self.quarantine = served, served.slice(0, 0)

    def held(self) -> dict[str, Any]:
        """The three tables as they must be now."""
        daily = warehouses.changed(self.facts, "create or replace table rows as " + DAILY)
        return {
            k: warehouses.changed(t, "create or replace table rows as from rows order by all")
            for k, t in (("facts", self.facts), ("daily", daily), ("quarantine", self.quarantine))
        }

    def deliver(self, day: dt.date, fault: str, good: Any) -> Morning:
        """The delivery, and what it must leave."""
        import pyarrow as pa

        said, statement = FAULTS.get(fault, ("", "delete from rows where rowid = 0" if fault else ""))
        rows = warehouses.changed(good, statement) if statement else good
        self.quarantine = warehouses.changed(self.quarantine, f"delete from rows where business_date = date '{day}'")
        if said:
            self.quarantine = pa.concat_tables([self.quarantine, rows.cast(self.quarantine.schema)])
        else:
            rest = warehouses.changed(self.facts, f"delete from rows where business_date = date '{day}'")
            self.facts = pa.concat_tables([rest, rows.cast(rest.schema)])
        held = self.held()
        return Morning(day, fault if said else "", said, rows, held, _figures(held))


def _done(work: Work, data: Week) -> list[dict[str, Any]]:
    text = work.file(SCRIPT)
    request = {
        "op": "inside",
        "text": text,
        "entry": "deliver_day",
        "tables": data.tables,
        "query": QUESTION,
        "queries": HELD,
        "mornings": [{"tables": {"incoming.sales": m.rows}, "arguments": [m.day]} for m in data.mornings],
    }
    return work.once(("05.3", id(data)), lambda: work.tool("releasing", request)["mornings"])


def _pairs(work: Work, data: Week, which: Callable[[Morning], bool]) -> list[tuple[int, dict[str, Any], Morning]]:
    return [(n, d, m) for n, (d, m) in enumerate(zip(_done(work, data), data.mornings, strict=True)) if which(m)]


def _tried(number: int, morning: Morning) -> str:
    return f"delivery {number + 1}, of {morning.day:%A %d %B}: {morning.said or 'a good one'}"


def _running(number: int, done: dict[str, Any], morning: Morning) -> None:
    if done["raised"]:
        where = f" in line {done['line']}" if done["line"] else ""
        raise NotYet(
            f"Your function stopped{where}.",
            tried=_tried(number, morning),
            expected="True or False",
            got=done["raised"],
            cause="raised",
        )


def good_days_are_published(work: Work, data: Week) -> str:
    before = {"facts": data.tables["serving.fact_sales"], "daily": data.tables["serving.daily_revenue"]}
    for number, (done, morning) in enumerate(zip(_done(work, data), data.mornings, strict=True)):
        if not morning.fault:
            tried = _tried(number, morning)
            _running(number, done, morning)
            for key, name in (("facts", "serving.fact_sales"), ("daily", "serving.daily_revenue")):
                _the_day_stands(name, done["rows"][key], morning.held[key], before[key], morning.day, tried)
            if done["returned"] is not True:
                said = "The day was published, and your function does not say so."
                raise NotYet(said, tried=tried, expected="True", got=str(done["returned"]), cause="returned")
        before = done["rows"]
    return f"Good days arrive once and whole, corrected ones too: €{data.mornings[-1].shown[1]} at the end."


def _split(table: Any, day: dt.date) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(rows of the day, rows of the others); none of a table that could not be read."""
    rows = [] if isinstance(table, str) else table.to_pylist()
    return [r for r in rows if r["business_date"] == day], [r for r in rows if r["business_date"] != day]


def _the_day_stands(name: str, got: Any, wanted: Any, before: Any, day: dt.date, tried: str) -> None:
    """NotYet where the day is not in the table as it must be, or the delivery touched another day."""
    if isinstance(got, str):
        raise NotYet(
            f"`{name}` cannot be read afterwards.",
            tried=tried,
            expected=f"{wanted.num_rows:,} rows",
            got=got,
            cause="unreadable",
        )
    (mine, others), (due, _), (_, others_before) = _split(got, day), _split(wanted, day), _split(before, day)
    expected = f"{len(due)} rows of {day}"
    if len(mine) > len(due):
        look = "A day that comes again takes the place of itself: delete it first, in the same transaction."
        said = f"`{name}` has the day more than once: it had been delivered before."
        raise NotYet(said, tried=tried, expected=expected, got=f"{len(mine)} rows", cause="doubled", look=look)
    if not mine:
        raise NotYet(
            f"The day is good and is not in `{name}`.", tried=tried, expected=expected, got="none", cause="not-published"
        )
    if len(mine) < len(due):
        said = f"The day is good, and rows of it are missing in `{name}`."
        raise NotYet(said, tried=tried, expected=expected, got=f"{len(mine)} rows", cause="rows")
    for row, right_row in zip(mine, due, strict=True):
        if row != right_row:
            said = f"The day has as many rows in `{name}` as it must, and one of them is another."
            raise NotYet(said, tried=tried, expected=_line(right_row), got=_line(row), cause="rows")
    if others != others_before:
        said = f"The delivery of {day} changed other days in `{name}`."
        raise NotYet(
            said,
            tried=tried,
            expected=f"{len(others_before):,} rows of other days, as they were",
            got=f"{len(others):,} rows" + (", not the same" if len(others) == len(others_before) else ""),
            cause="other-rows",
        )


def _line(row: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in row.items())


def bad_days_are_not(work: Work, data: Week) -> str:
    for number, done, morning in _pairs(work, data, lambda m: bool(m.fault)):
        _running(number, done, morning)
        got = done["rows"]["facts"]
        if isinstance(got, str) or got.to_pylist() != morning.held["facts"].to_pylist():
            shown = (
                "nothing readable"
                if isinstance(got, str)
                else f"{sum(r['business_date'] == morning.day for r in got.to_pylist())} rows of {morning.day}"
            )
            before = sum(r["business_date"] == morning.day for r in morning.held["facts"].to_pylist())
            raise NotYet(
                f"The delivery must not be shown: {morning.said}. Readers have another table than before.",
                tried=_tried(number, morning),
                expected=f"{before} rows of {morning.day}, as before" if before else f"no row of {morning.day}",
                got=shown,
                cause=morning.fault,
                look="Leaving the bad lines out makes a smaller day, and nobody can see that it is smaller."
                if morning.fault not in ("too-few",)
                else "Compare with what a day usually has.",
            )
        if done["returned"] is not False:
            raise NotYet(
                "The delivery was refused, and your function does not say so.",
                tried=_tried(number, morning),
                expected="False",
                got=str(done["returned"]),
                cause="returned",
            )
    if not any(
        m.fault == "" and d["rows"]["facts"].num_rows > data.tables["serving.fact_sales"].num_rows
        for _, d, m in _pairs(work, data, lambda m: not m.fault)
        if not isinstance(d["rows"]["facts"], str)
    ):
        raise NotYet(
            "No bad day is shown, since none is.",
            expected="good days published",
            got="nothing published",
            cause="not-published",
        )
    return f"{sum(bool(m.fault) for m in data.mornings)} bad deliveries, and readers kept what they had."


def refused_rows_are_kept(work: Work, data: Week) -> str:
    for number, done, morning in _pairs(work, data, lambda m: True):
        _running(number, done, morning)
        got, wanted = done["rows"]["quarantine"], morning.held["quarantine"]
        if isinstance(got, str) or got.to_pylist() != wanted.to_pylist():
            fewer = not isinstance(got, str) and got.num_rows < wanted.num_rows
            raise NotYet(
                "A refused delivery is not in quarantine.sales: nobody can look at what was wrong."
                if fewer
                else "quarantine.sales holds more than what waits for somebody.",
                tried=_tried(number, morning),
                expected=f"{wanted.num_rows} rows",
                got=got if isinstance(got, str) else f"{got.num_rows} rows",
                cause="lost" if fewer else "piled-up",
                look="" if fewer else "A day that comes again, good or bad, takes the place of what was kept of it.",
            )
    return "What was refused is kept as it came, until the day comes again."


def readers_see_whole_days(work: Work, data: Week) -> str:
    before = data.shown
    for number, (done, morning) in enumerate(zip(_done(work, data), data.mornings, strict=True)):
        for line, (kind, found) in done["seen"]:
            if kind == "error" or found[0] not in (before, morning.shown):
                raise NotYet(
                    "Another session read an error in between."
                    if kind == "error"
                    else "Another session read a state between two days: lines, euros in the facts, euros on the dashboard, newest day.",
                    tried=f"{_tried(number, morning)}; your function had come to: {line or 'its end'}",
                    expected=" or ".join(", ".join(s) for s in dict.fromkeys(map(tuple, (before, morning.shown)))),
                    got=found if kind == "error" else ", ".join(found[0]),
                    cause="half",
                    look="Between `begin` and `commit` other sessions see what was there before. What belongs together goes between the same two.",
                )
        before = morning.shown
    last = _done(work, data)[-1]["seen"][-1][1]
    if last != ["rows", [data.mornings[-1].shown]]:
        raise NotYet(
            "What readers see at the end is not the last day.",
            expected=", ".join(data.mornings[-1].shown),
            got=last[1] if last[0] == "error" else ", ".join(last[1][0]),
            cause="not-published",
        )
    return "Another session, reading after each of your statements, saw whole days only."


_REFERENCE = '''\
def problems(con, day):
    return con.execute(
        """
        select
            count(*) filter (where order_id is null or store_id is null or line_revenue is null)
            + count(*) filter (where quantity < 0)
            + count(*) - count(distinct (order_id, line_number))
            + (count(*) < (select avg(n) / 2 from (select count(*) as n from serving.fact_sales where business_date <> $day group by business_date)))::int
        from incoming.sales
        """,
        {"day": day},
    ).fetchone()[0]


def deliver_day(con, day):
    con.execute("begin")
    con.execute("delete from quarantine.sales where business_date = ?", [day])
    bad = problems(con, day)
    if bad:
        con.execute("insert into quarantine.sales from incoming.sales")
    else:
        con.execute("delete from serving.fact_sales where business_date = ?", [day])
        con.execute("insert into serving.fact_sales from incoming.sales")
        con.execute("delete from serving.daily_revenue where business_date = ?", [day])
        con.execute(
            "insert into serving.daily_revenue select business_date, store_id, count(distinct order_id), sum(line_revenue) "
            "from incoming.sales group by all"
        )
    con.execute("commit")
    return not bad
'''


def _but(*changes: tuple[str, str]) -> dict[str, str]:
    text = _REFERENCE
    for old, new in changes:
        if old not in text:
            raise ValueError(f"{old!r} is not in the reference")
        text = text.replace(old, new)
    return {SCRIPT: text}


_NO_BEGIN = (('    con.execute("begin")\n', ""), ('    con.execute("commit")\n', ""))
_FACTS_FIRST = """\
    else:
        con.execute("delete from serving.fact_sales where business_date = ?", [day])
        con.execute("insert into serving.fact_sales from incoming.sales")
        con.execute("commit")
        con.execute("begin")
"""
_FRAMES = """\
import pandas as pd


def deliver_day(con, day):
    new = con.execute("from incoming.sales").df()
    usual = con.execute("select median(n) from (select count(*) n from serving.fact_sales where business_date <> ? group by business_date)", [day]).fetchone()[0]
    good = (
        new[["order_id", "store_id", "line_revenue"]].notna().all().all()
        and not new.duplicated(["order_id", "line_number"]).any()
        and (new.quantity >= 0).all()
        and len(new) >= 0.5 * usual
    )
    with con.cursor() as session:
        session.begin()
        session.execute("delete from quarantine.sales where business_date = ?", [day])
        if good:
            for table, rows in (
                ("fact_sales", "incoming.sales"),
                ("daily_revenue", "(select business_date, store_id, count(distinct order_id) as orders, sum(line_revenue) as revenue_eur from incoming.sales group by all)"),
            ):
                session.execute(f"delete from serving.{table} where business_date = ?", [day])
                session.execute(f"insert into serving.{table} by name from {rows}")
        else:
            session.execute("insert into quarantine.sales from incoming.sales")
        session.commit()
    return bool(good)
"""
_REBUILT = '''\
AUDIT = {
    "a line without order, store or revenue": "select 1 from incoming.sales where order_id is null or store_id is null or line_revenue is null",
    "a line twice": "select 1 from incoming.sales group by order_id, line_number having count(*) > 1",
    "a negative quantity": "select 1 from incoming.sales where quantity < 0",
    "half a day": """
        select 1 from (select count(*) as today from incoming.sales), (select count(*) / count(distinct business_date) as usual from serving.fact_sales)
        where today < usual / 2
    """,
}


def deliver_day(con, day):
    found = [name for name, query in AUDIT.items() if con.execute(query).fetchone()]
    con.execute("begin transaction")
    con.execute("create or replace table quarantine.sales as from quarantine.sales where business_date <> ?", [day])
    if found:
        con.execute("insert into quarantine.sales from incoming.sales")
        con.execute("commit")
        return False
    con.execute("create or replace table serving.fact_sales as (from serving.fact_sales where business_date <> ?) union all from incoming.sales", [day])
    con.execute("""
        create or replace table serving.daily_revenue as
        select business_date, store_id, count(distinct order_id) as orders, sum(line_revenue)::decimal(14, 2) as revenue_eur
        from serving.fact_sales group by all
    """)
    con.execute("commit")
    return True
'''
_DROPS = """\
    else:
        con.execute("create table serving.next_facts as (from serving.fact_sales where business_date <> ?) union all from incoming.sales", [day])
        con.execute("drop table serving.fact_sales")
        con.execute("alter table serving.next_facts rename to fact_sales")
"""

TASK_3 = Task(
    id="05.3",
    title="Write, audit, publish",
    minutes=15,
    points=3,
    deliver=(file(SCRIPT),),
    data=week,
    seconds=60.0,
    executes=True,
    mutants=24,
    checks=(
        Check("good days are published, once and whole", good_days_are_published, expected=lambda d: d.mornings[-1].shown),
        Check("bad days are not", bad_days_are_not, expected=lambda d: [m.fault for m in d.mornings]),
        Check("what was refused is kept", refused_rows_are_kept),
        Check("other sessions see whole days only", readers_see_whole_days, expected=lambda d: d.shown),
    ),
    hints=(
        "Ask all questions of incoming.sales before you touch serving. What do readers see between your first statement there and your last?",
        "One `begin`, one `commit`. Between them either quarantine.sales gets the rows, or both served tables lose the day and get it again.",
        "Bad when a key or revenue is null, when `count(*) <> count(distinct (order_id, line_number))`, when a quantity is below 0, or when `count(*)` is under half of the average number of lines a published day has.",
    ),
    wrong=(
        wrong("no transaction", _but(*_NO_BEGIN), "half"),
        wrong(
            "drops and renames, no transaction",
            _but(
                *_NO_BEGIN,
                (
                    '    else:\n        con.execute("delete from serving.fact_sales where business_date = ?", [day])\n        con.execute("insert into serving.fact_sales from incoming.sales")\n',
                    _DROPS,
                ),
            ),
            "half",
        ),
        wrong(
            "one transaction a table",
            _but(
                (
                    '    else:\n        con.execute("delete from serving.fact_sales where business_date = ?", [day])\n        con.execute("insert into serving.fact_sales from incoming.sales")\n',
                    _FACTS_FIRST,
                )
            ),
            "half",
        ),
        wrong(
            "publishes first, audits then",
            _but(
                (
                    '    con.execute("begin")\n',
                    '    con.execute("insert into serving.fact_sales from incoming.sales")\n    con.execute("begin")\n',
                )
            ),
            "duplicate",
        ),
        wrong(
            "does not look for doubles",
            _but(("            + count(*) - count(distinct (order_id, line_number))\n", "")),
            "duplicate",
        ),
        wrong("does not look at quantities", _but(("            + count(*) filter (where quantity < 0)\n", "")), "negative"),
        wrong("only looks for orders and revenue", _but((" or store_id is null", "")), "no-store"),
        wrong("takes any count for a day", _but(("avg(n) / 2", "avg(n) / 1000")), "too-few"),
        wrong(
            "leaves the bad lines out and publishes the rest",
            _but(
                (
                    "from incoming.sales group by all",
                    "from serving.fact_sales where business_date = (select any_value(business_date) from incoming.sales) group by all",
                ),
                (
                    '        con.execute("insert into quarantine.sales from incoming.sales")\n    else:\n',
                    '        con.execute("insert into quarantine.sales from incoming.sales")\n    if True:\n',
                ),
                (
                    "insert into serving.fact_sales from incoming.sales",
                    "insert into serving.fact_sales select distinct * from incoming.sales where quantity >= 0 and store_id is not null and line_revenue is not null and order_id is not null",
                ),
            ),
            "duplicate",
        ),
        wrong(
            "adds to a day that was there",
            _but(('        con.execute("delete from serving.fact_sales where business_date = ?", [day])\n', "")),
            "doubled",
        ),
        wrong(
            "throws the refused rows away",
            _but(('        con.execute("insert into quarantine.sales from incoming.sales")\n', "        pass\n")),
            "lost",
        ),
        wrong(
            "keeps every refused delivery for ever",
            _but(('    con.execute("delete from quarantine.sales where business_date = ?", [day])\n', "")),
            "piled-up",
        ),
        wrong("forgets to commit", _but(('    con.execute("commit")\n', "")), "not-published"),
        wrong("says nothing", _but(("    return not bad\n", "")), "returned"),
        wrong(
            "empties the day of a bad delivery",
            _but(
                (
                    '        con.execute("insert into quarantine.sales from incoming.sales")\n',
                    '        con.execute("insert into quarantine.sales from incoming.sales")\n        con.execute("delete from serving.fact_sales where business_date = ?", [day])\n',
                )
            ),
            "no-store",
        ),
        wrong("refuses everything", {SCRIPT: "def deliver_day(con, day):\n    return False\n"}, "not-published"),
    ),
    right=(
        right("audited in pandas, published from a session of its own", {SCRIPT: _FRAMES}),
        right("named questions, tables made anew", {SCRIPT: _REBUILT}),
    ),
    clauses={
        "a line lacks its order, its store or its revenue": "only looks for orders and revenue",
        "is there twice": "does not look for doubles",
        "a quantity is below zero": "does not look at quantities",
        "fewer than half as many lines as a published day has on average": "takes any count for a day",
        "the new delivery takes its place": "adds to a day that was there",
        "Return `True`": "says nothing",
        "Of a bad one nothing is shown": "leaves the bad lines out and publishes the rest",
        "whatever was shown before stays": "empties the day of a bad delivery",
        "all its rows go to `quarantine.sales`": "throws the refused rows away",
        "what quarantine kept of it goes": "keeps every refused delivery for ever",
        "whole days in both tables, always": "one transaction a table",
    },
    spared={"/ 2": "no delivery lies between", "2 → 3": "no delivery lies between a half and a third"},
)
