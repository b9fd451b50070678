"""Task 05.3: write, audit, publish: a day is shown when it has passed, whole, and what did not pass is kept aside."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tasks.m05_environments_and_delivery.compared import difference, number, readable
from dojo.tasks.m05_environments_and_delivery.told import euros

SCRIPT = "repo/pipeline/deliver_day.py"
LINES = "select order_id, line_number, business_date, store_id, quantity, line_revenue from rows"
QUESTION = """
select
    (select system.main.count_star() from serving.fact_sales), (select system.main.sum(line_revenue) from serving.fact_sales),
    (select system.main.sum(revenue_eur) from serving.daily_revenue),
    (select system.main.max(business_date) from serving.daily_revenue)
"""
"""The names are whole ones: a macro `sum` in the learner's database answers nobody else's question."""
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
    "too-few": ("one line is missing to half of what a day has on average", ""),
    "duplicate": ("three lines arrived twice", "insert into rows from rows limit 3"),
    "repeated": (
        "two lines arrived twice, the second time with another quantity",
        "insert into rows select * replace (quantity + 1 as quantity) from rows limit 2",
    ),
    "negative": ("one line has a negative quantity", "update rows set quantity = -2 where rowid = 4"),
    "no-store": ("one line has no store", "update rows set store_id = null where rowid = 5"),
    "no-revenue": ("one line has no revenue", "update rows set line_revenue = null where rowid = 6"),
    "no-order": ("one line has no order", "update rows set order_id = null where rowid = 2"),
}
GOOD = {
    "half": ("exactly half as many lines as a day has on average", ""),
    "whole": ("", ""),
    "nothing-sold": ("one line has quantity 0", "update rows set quantity = 0, line_revenue = 0 where rowid = 3"),
    "corrected": ("one line fewer than before", "delete from rows where rowid = 0"),
}


@dataclass(frozen=True)
class Morning:
    """One delivery: its day, what is wrong with it ("" for a good one), what is odd, its rows, what must stand afterwards."""

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
    sold = warehouses.changed(sold, f"create or replace table rows as {LINES} order by all")
    one, two, three = sorted(set(sold["business_date"].to_pylist()))[1:-1][-3:]
    of_day = {d: _of(sold, d) for d in (one, two, three)}
    served = _halved(sold.filter(pc.less(sold["business_date"], pa.scalar(one))))
    half = served.num_rows // _days(served) // 2
    books = _Books(served)
    first = books.held()
    faults = [f for f in FAULTS if f != "too-few"]
    faults = faults if seed % 4 == 3 else faults[::-1]
    # The first two come before any other day is published: half of the average is a whole number of lines then.
    plan = [(one, "too-few"), (one, "half"), (one, "whole"), (two, faults[0]), (two, faults[1]), (two, "nothing-sold")]
    plan += [(two, "corrected"), (one, faults[2])] + [(three, fault) for fault in faults[3:]] + [(three, "whole")]
    lines = {"too-few": half - 1, "half": half}
    mornings = tuple(
        books.deliver(day, kind, of_day[day].slice(0, lines.get(kind, of_day[day].num_rows))) for day, kind in plan
    )
    tables = {
        "serving.fact_sales": first["facts"],
        "serving.daily_revenue": first["daily"],
        "quarantine.sales": first["quarantine"],
    }
    return Week(tables, _figures(first), mornings)


def _of(table: Any, day: dt.date) -> Any:
    return table.filter(pc.equal(table["business_date"], pa.scalar(day)))


def _without(table: Any, day: dt.date) -> Any:
    return table.filter(pc.not_equal(table["business_date"], pa.scalar(day)))


def _days(table: Any) -> int:
    return len(set(table["business_date"].to_pylist()))


def _halved(served: Any) -> Any:
    """Without some lines of its smallest day: the average is even then, and not the median."""
    counts = sorted(served["business_date"].value_counts().to_pylist(), key=lambda c: c["counts"])
    day, sizes = counts[0]["values"], [c["counts"] for c in counts]
    cut = sum(sizes) % (2 * len(sizes))
    while abs((sum(sizes) - cut) / len(sizes) - median([sizes[0] - cut, *sizes[1:]])) < 4:
        cut += 2 * len(sizes)
    return pa.concat_tables([_without(served, day), _of(served, day).slice(cut)])


def _figures(held: dict[str, Any]) -> list[str]:
    """What the reader's question gives."""
    facts, daily = held["facts"], held["daily"]
    sums = (pc.sum(facts["line_revenue"]), pc.sum(daily["revenue_eur"]), pc.max(daily["business_date"]))
    return [str(v) for v in (facts.num_rows, *(one.as_py() for one in sums))]


class _Books:
    """What must be served and kept aside, delivery by delivery."""

    def __init__(self, served: Any):
        self.facts, self.quarantine = served, served.slice(0, 0)

    def held(self) -> dict[str, Any]:
        """The three tables as they must be now."""
        daily = warehouses.changed(self.facts, "create or replace table rows as " + DAILY)
        return {"facts": self.facts, "daily": daily, "quarantine": self.quarantine}

    def deliver(self, day: dt.date, kind: str, good: Any) -> Morning:
        """The delivery, and what it must leave."""
        bad = kind in FAULTS
        said, statement = FAULTS[kind] if bad else GOOD[kind]
        rows = warehouses.changed(good, statement) if statement else good
        self.quarantine = _without(self.quarantine, day)
        if bad:
            self.quarantine = pa.concat_tables([self.quarantine, rows.cast(self.quarantine.schema)])
        else:
            rest = _without(self.facts, day)
            self.facts = pa.concat_tables([rest, rows.cast(rest.schema)])
        held = self.held()
        return Morning(day, kind if bad else "", said, rows, held, _figures(held))


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
    said = morning.said if morning.fault else f"a good one; {morning.said}" if morning.said else "a good one"
    return f"delivery {number + 1}, of {morning.day:%A %d %B}: {said}"


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


SERVED = {"facts": "serving.fact_sales", "daily": "serving.daily_revenue"}


def good_days_are_published(work: Work, data: Week) -> str:
    before = {"facts": data.tables["serving.fact_sales"], "daily": data.tables["serving.daily_revenue"]}
    for place, (done, morning) in enumerate(zip(_done(work, data), data.mornings, strict=True)):
        if not morning.fault:
            tried = _tried(place, morning)
            _running(place, done, morning)
            if done["returned"] is False:
                raise NotYet(
                    "The delivery is good and must be published, and your function returned False.",
                    tried=tried,
                    expected="True",
                    got="False",
                    cause="not-published",
                )
            for key, name in SERVED.items():
                _the_day_stands(name, done["rows"][key], morning.held[key], before[key], morning.day, tried)
            if done["returned"] is not True:
                said = "The day was published, and your function does not say so."
                raise NotYet(said, tried=tried, expected="True", got=str(done["returned"]), cause="returned")
        before = done["rows"]
    return f"Good days arrive once and whole, corrected ones too: {euros(data.mornings[-1].shown[1])} at the end."


def _the_day_stands(name: str, got: Any, wanted: Any, before: Any, day: dt.date, tried: str) -> None:
    """NotYet where the day is not in the table as it must be, or the delivery touched another day."""
    readable(name, got, wanted, tried)
    if not difference(got, wanted):
        return
    mine, others = f"business_date = '{day}'", f"business_date is distinct from '{day}'"
    has, due = number(got, mine), number(wanted, mine)
    differs = difference(got, wanted, mine)
    comparable = not isinstance(before, str) and before.schema == got.schema
    old = number(before, mine) if comparable else 0
    expected = f"{due} rows of {day}"
    if differs and not has:
        said = f"The day is good and is not in `{name}`."
        raise NotYet(said, tried=tried, expected=expected, got="none", cause="not-published")
    if differs and old and not difference(got, before, mine):
        raise NotYet(
            f"`{name}` holds the day as it was delivered before. The new delivery must take its place.",
            tried=tried,
            expected=f"{expected}, as delivered now",
            got=f"{has} rows, as delivered before",
            cause="not-replaced",
        )
    if differs and not differs.missing and old and has == due + old:
        look = "A day that comes again takes the place of itself: delete it first, in the same transaction."
        said = f"`{name}` has the day twice: what was delivered before, and what was delivered now."
        raise NotYet(said, tried=tried, expected=expected, got=f"{has} rows", cause="doubled", look=look)
    if differs and has != due:
        said = f"The day is good, and `{name}` holds " + ("fewer" if has < due else "more") + " rows of it than it must."
        raise NotYet(said, tried=tried, expected=expected, got=f"{has} rows", cause="rows")
    if differs:
        said = f"The day has as many rows in `{name}` as it must, and {differs.extra} of them differ."
        raise NotYet(said, tried=tried, expected=differs.one_missing, got=differs.one_extra, cause="rows")
    if comparable and difference(got, before, others):
        _other_days_changed(name, got, before, others, day, tried)


def _other_days_changed(name: str, got: Any, before: Any, others: str, day: dt.date, tried: str) -> None:
    has, due = number(got, others), number(before, others)
    differs = difference(got, before, others)
    raise NotYet(
        f"The delivery of {day} changed other days in `{name}`.",
        tried=tried,
        expected=f"{due:,} rows of other days" if has != due else differs.one_missing,
        got=f"{has:,} rows of other days" if has != due else differs.one_extra,
        cause="other-rows",
    )


def bad_days_are_not(work: Work, data: Week) -> str:
    for place, done, morning in _pairs(work, data, lambda m: bool(m.fault)):
        tried = _tried(place, morning)
        _running(place, done, morning)
        for key, name in SERVED.items():
            _nothing_is_shown(name, done["rows"][key], morning.held[key], morning, tried)
        if done["returned"] is not False:
            raise NotYet(
                "The delivery was refused, and your function does not say so.",
                tried=tried,
                expected="False",
                got=str(done["returned"]),
                cause="returned",
            )
    if not any(
        d["rows"]["facts"].num_rows > data.tables["serving.fact_sales"].num_rows
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


def _nothing_is_shown(name: str, got: Any, wanted: Any, morning: Morning, tried: str) -> None:
    """NotYet where a refused delivery has changed a served table."""
    readable(name, got, wanted, tried)
    if not difference(got, wanted):
        return
    mine = f"business_date = '{morning.day}'"
    before, has = number(wanted, mine), number(got, mine)
    if not difference(got, wanted, mine):
        _other_days_changed(name, got, wanted, f"business_date is distinct from '{morning.day}'", morning.day, tried)
    delivered = difference(got, morning.rows, mine) if got.column_names == morning.rows.column_names else None
    look = ""
    if not has:
        said = f"The delivery is refused ({morning.said}), and what `{name}` showed of the day is gone."
    elif delivered is not None and not delivered.extra and has < morning.rows.num_rows and before != has:
        said = f"The delivery must not be shown: {morning.said}. `{name}` shows a part of it."
        look = "Leaving the bad lines out makes a smaller day, and nobody can see that it is smaller."
    else:
        said = f"The delivery must not be shown: {morning.said}. `{name}` is not what it was before."
    differs = difference(got, wanted, mine)
    raise NotYet(
        said,
        tried=tried,
        expected=(f"{before} rows of {morning.day}, as before" if before else f"no row of {morning.day}")
        if before != has
        else differs.one_missing,
        got=f"{has} rows of {morning.day}" if before != has else differs.one_extra,
        cause=morning.fault,
        look=look,
    )


def refused_rows_are_kept(work: Work, data: Week) -> str:
    before: Any = data.tables["quarantine.sales"]
    for place, done, morning in _pairs(work, data, lambda m: True):
        _running(place, done, morning)
        got, wanted = done["rows"]["quarantine"], morning.held["quarantine"]
        readable("quarantine.sales", got, wanted, _tried(place, morning))
        if difference(got, wanted):
            raise _quarantine_differs(got, wanted, before, morning, _tried(place, morning))
        before = got
    return "What was refused is kept as it came, until the day comes again."


def _quarantine_differs(got: Any, wanted: Any, before: Any, morning: Morning, tried: str) -> NotYet:
    mine = f"business_date = '{morning.day}'"
    has, due = number(got, mine), number(wanted, mine)
    differs = difference(got, wanted, mine)
    expected, found = f"{due} rows of {morning.day}", f"{has} rows of {morning.day}"
    if not differs:
        others = f"business_date is distinct from '{morning.day}'"
        return NotYet(
            f"The delivery of {morning.day} changed what quarantine.sales keeps of other days.",
            tried=tried,
            expected=f"{number(wanted, others)} rows of other days",
            got=f"{number(got, others)} rows of other days",
            cause="other-refused",
        )
    if has < due:
        said = "A refused delivery is not in quarantine.sales" + (", or not all of it." if has else ".")
        return NotYet(said, tried=tried, expected=expected, got=found, cause="lost")
    if has == due:
        said = "quarantine.sales has as many rows of the day as were refused, and some of them differ."
        return NotYet(said, tried=tried, expected=differs.one_missing, got=differs.one_extra, cause="altered")
    return NotYet(
        "quarantine.sales holds more than what waits for somebody.",
        tried=tried,
        expected=expected,
        got=found,
        cause="piled-up",
        look="A day that comes again, good or bad, takes the place of what was kept of it." if number(before, mine) else "",
    )


def readers_see_whole_days(work: Work, data: Week) -> str:
    before = data.shown
    for place, (done, morning) in enumerate(zip(_done(work, data), data.mornings, strict=True)):
        for line, (kind, found) in done["seen"]:
            if kind == "error" or found[0] not in (before, morning.shown):
                raise NotYet(
                    "Another session read an error in between."
                    if kind == "error"
                    else "Another session read a state between two days.",
                    tried=f"{_tried(place, morning)}; your function had come to: {line or 'its end'}",
                    expected=" or ".join(_named(s) for s in dict.fromkeys(map(tuple, (before, morning.shown)))),
                    got=found if kind == "error" else _named(found[0]),
                    cause="half",
                    look="Between `begin` and `commit` other sessions see what was there before. What belongs together goes between the same two.",
                )
        before = morning.shown
    last = _done(work, data)[-1]["seen"][-1][1]
    if last != ["rows", [data.mornings[-1].shown]]:
        raise NotYet(
            "What readers see at the end is not the last day.",
            expected=_named(data.mornings[-1].shown),
            got=last[1] if last[0] == "error" else _named(last[1][0]),
            cause="not-published",
        )
    return "Another session, reading after each of your statements, saw whole days only."


def _named(figures: Any) -> str:
    """The four figures that a reader asks for, each with its name."""
    lines, facts, daily, newest = figures
    return f"{lines} lines and {euros(facts)} in fact_sales, {euros(daily)} in daily_revenue, newest day {newest}"


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
    return {SCRIPT: edited(_REFERENCE, *changes)}


def _instead(statement: str) -> dict[str, str]:
    return {SCRIPT: f'def deliver_day(con, day):\n    con.execute("{statement}")\n    return True\n'}


_SOUND = "quantity >= 0 and store_id is not null and line_revenue is not null and order_id is not null"
_PUBLISH = _REFERENCE.split("    else:\n")[1].split('    con.execute("commit")')[0]
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
    usual = con.execute("select avg(n) from (select count(*) n from serving.fact_sales where business_date <> ? group by business_date)", [day]).fetchone()[0]
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
            "too-few",
        ),
        wrong(
            "does not look for doubles",
            _but(("            + count(*) - count(distinct (order_id, line_number))\n", "")),
            "duplicate",
        ),
        wrong(
            "looks for whole rows that came twice",
            _but(
                (
                    "count(*) - count(distinct (order_id, line_number))",
                    "(select count(*) from (from incoming.sales group by all having count(*) > 1))",
                )
            ),
            "repeated",
        ),
        wrong("takes 0 for negative", _but(("quantity < 0", "quantity <= 0")), "not-published"),
        wrong("asks for six tenths of a day", _but(("avg(n) / 2", "avg(n) * 0.6")), "not-published"),
        wrong("asks for nearly the whole day", _but(("avg(n) / 2", "avg(n) * 0.99")), "not-published"),
        wrong("asks for more than half", _but(("(count(*) < (select", "(count(*) <= (select")), "not-published"),
        wrong("half of the median", _but(("avg(n) / 2", "median(n) / 2")), "not-published", "too-few"),
        wrong("does not look at quantities", _but(("            + count(*) filter (where quantity < 0)\n", "")), "negative"),
        wrong("only looks for orders and revenue", _but((" or store_id is null", "")), "no-store"),
        wrong("takes any count for a day", _but(("avg(n) / 2", "avg(n) / 1000")), "too-few"),
        wrong(
            "leaves the bad lines out and publishes the rest",
            _but(
                (
                    "    else:\n",
                    f'    if not bad or con.execute("select count(*) from incoming.sales where not ({_SOUND})").fetchone()[0]:\n',
                ),
                (
                    "into serving.fact_sales from incoming.sales",
                    f"into serving.fact_sales from incoming.sales where {_SOUND}",
                ),
                ("from incoming.sales group by all", f"from incoming.sales where {_SOUND} group by all"),
            ),
            "negative",
            "no-order",
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
        wrong(
            "no transaction, several statements in one text",
            _but(
                *_NO_BEGIN,
                (
                    _PUBLISH,
                    """        con.execute(f'''
            delete from serving.fact_sales where business_date = '{day}'; insert into serving.fact_sales from incoming.sales;
            delete from serving.daily_revenue where business_date = '{day}';
            insert into serving.daily_revenue select business_date, store_id, count(distinct order_id), sum(line_revenue)
            from incoming.sales group by all
        ''')
""",
                ),
            ),
            "half",
        ),
        wrong(
            "leaves a day as it was delivered first",
            _but(
                (
                    "    else:\n",
                    '    elif con.execute("select count(*) from serving.fact_sales where business_date = ?", [day]).fetchone()[0] == 0:\n',
                )
            ),
            "not-replaced",
        ),
        wrong(
            "empties the whole quarantine",
            _but(('delete from quarantine.sales where business_date = ?", [day]', 'delete from quarantine.sales"')),
            "other-refused",
        ),
        wrong(
            "another table in its place",
            _instead("create or replace table serving.fact_sales as select 1 as a"),
            "columns",
            "half",
        ),
        wrong(
            "days of a kind that cannot be compared",
            _instead(
                "create or replace table serving.fact_sales as select * replace (union_value(day := business_date) as business_date) from serving.fact_sales"
            ),
            "unreadable",
            "half",
        ),
        wrong(
            "days without end",
            _instead("update serving.fact_sales set business_date = 'infinity'"),
            "not-published",
            "too-few",
            "half",
        ),
        wrong(
            "a table of texts",
            _instead("create or replace table serving.fact_sales as select columns(*)::text from serving.fact_sales"),
            "columns",
            "half",
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
            "negative",
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
        "the same line (`order_id`, `line_number`)": "looks for whole rows that came twice",
        "a quantity is below zero": "does not look at quantities",
        "below zero": "takes 0 for negative",
        "fewer than half as many lines as a published day has on average": "takes any count for a day",
        "fewer than half": "asks for more than half",
        "on average": "half of the median",
        "what quarantine kept of it": "empties the whole quarantine",
        "reads after each statement": "no transaction, several statements in one text",
        "the new delivery takes its place": "adds to a day that was there",
        "Return `True`": "says nothing",
        "Of a bad one nothing is shown": "leaves the bad lines out and publishes the rest",
        "whatever was shown before stays": "empties the day of a bad delivery",
        "all its rows go to `quarantine.sales`": "throws the refused rows away",
        "what quarantine kept of it goes": "keeps every refused delivery for ever",
        "whole days in both tables, always": "one transaction a table",
    },
)
