"""Scenario i01: weeks of green runs and wrong revenue. When, what, how much, and the check that would have said so."""

from __future__ import annotations

import contextlib
import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb

from dojo.judge.contract import Check, Module, NotYet, Task, file, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import (
    as_euros,
    calendar_day,
    diagnosis,
    mapping,
    number,
    parse_yaml,
    repeated,
    rows,
    texts,
    truth,
    whole_number,
)
from shopflow import faults, sources
from shopflow.clock import FIRST_DAY, TODAY, days
from shopflow.tables import BATCH_ROWS, TABLES

BEGAN = dt.date(2025, 11, 8)
"""The first extract with the fault, in the learner's workspace."""


def prepare(root: Path) -> None:
    """A company whose shop labels pounds as euros from BEGAN on; every morning green."""
    from shopflow import checkpoint, history
    from shopflow.daily import run_day
    from shopflow.platform import Platform

    platform = Platform(root, "prod")
    sources.generate(platform.sources)
    history.make(platform.repo)
    for day in days(BEGAN, TODAY - dt.timedelta(days=1)):
        faults.inject(platform, "swapped-currency", day)
    checkpoint.earlier_mornings(platform, TODAY)
    run = run_day(platform, TODAY)
    if not run.published:
        raise RuntimeError(run.results[-1].message)
    (root / "faults.json").unlink()
    (root / "warehouse" / "dev.duckdb").write_bytes(platform.warehouse.read_bytes())


@dataclass(frozen=True)
class Swapped:
    """A company in which the fault began on a day the learner does not know; what is true of it."""

    tables: dict[str, Any]
    clean: dict[str, Any]
    began: dt.date
    orders: frozenset[int]
    euros: Decimal
    earliest_order: dt.date


RAW = ("orders", "order_items", "payments", "stores", "exchange_rates")


@lru_cache(maxsize=4)
def swapped(seed: int) -> Swapped:
    """Four weeks, the fault in the last ten days or so, as landed in raw.*."""
    first = dt.date(2025, 10, 10) + dt.timedelta(days=seed % 4)
    last = first + dt.timedelta(days=27)
    began = first + dt.timedelta(days=17 + seed % 5)
    con, clean = duckdb.connect(), duckdb.connect()
    for each in (con, clean):
        sources.load_into(each, seed=seed, first_day=first, last_day=last, orders=6_000)
    fault = faults.get("swapped-currency")
    for day in days(began, last):
        fault.mutate(con, day, seed)
    landed, sound = _landed(con), _landed(clean)
    con.register("raw_orders", landed["raw.orders"])
    wrong_orders = con.execute(
        "select order_id, ordered_at::date from raw_orders join stores using (store_id) where raw_orders.currency <> stores.currency group by all"
    ).fetchall()
    euros = con.execute(
        """
        select sum(i.quantity * i.unit_price * (g.eur_per_unit - 1))
        from raw_orders o
        join (select distinct store_id, currency from stores) s using (store_id)
        join order_items i using (order_id)
        join exchange_rates g on g.currency = 'GBP' and g.rate_date = o.ordered_at::date
        where o.currency <> s.currency and o.status in ('paid', 'shipped')
        """
    ).fetchone()[0]
    earliest = min(day for _, day in wrong_orders)
    return Swapped(
        landed, sound, began, frozenset(o for o, _ in wrong_orders), Decimal(euros).quantize(Decimal("0.01")), earliest
    )


def _landed(con: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The tables as the loader leaves them: newest row of each key, with the date of the extract it came in."""
    made = {}
    for name in RAW:
        key, columns = ", ".join(TABLES[name].key), ", ".join(TABLES[name].names)
        made[f"raw.{name}"] = con.execute(
            f"select {columns}, extract_date as _extract_date from {name} "
            f"qualify row_number() over (partition by {key} order by extract_date desc) = 1 order by {key}"
        ).to_arrow_table(BATCH_ROWS)
    return made


# ---------------------------------------------------------------- i01.1


def names_the_day(work: Work, data: Swapped) -> str:
    tried = "first_wrong_day(con)"
    answer = work.call("first_wrong_day", Database(data.tables))
    if answer is None:
        said = "A delivery is wrong here, and you returned None."
        raise NotYet(said, tried=tried, expected=str(data.began), got="None", cause="nothing")
    got = calendar_day(answer, "What you return", tried=tried)
    if got == data.began:
        return f"It began with the extract of {data.began}."
    delivered = data.tables["raw.orders"]["_extract_date"].to_pylist()
    if got == max(delivered):
        said, cause = "That is the latest delivery. The board asks since when.", "last-day"
    elif got == data.earliest_order:
        said = (
            f"On {got} the oldest of the wrong orders was *placed*. Its row was right then; a later change brought it in again, "
            "wrong. Ask on which day it was delivered."
        )
        cause = "order-date"
    else:
        said, cause = f"Off by {abs((got - data.began).days)} days.", "day"
    raise NotYet(said, tried=tried, expected=str(data.began), got=str(got), cause=cause)


def nothing_wrong_is_none(work: Work, data: Swapped) -> str:
    got = work.call("first_wrong_day", Database(data.clean))
    if got is not None:
        said = "On sound data there is no first wrong day: return None."
        raise NotYet(said, tried="first_wrong_day(con) on sound data", expected="None", got=str(got), cause="false-alarm")
    return "Says None where nothing is wrong."


_FIRST = "def first_wrong_day(con):\n    return con.execute('''select min({what}) from raw.orders o join raw.payments p using (order_id) where {where} ''').fetchone()[0]"

TASK_1 = Task(
    id="i01.1",
    title="Since when?",
    minutes=15,
    points=3,
    deliver=(function("first_wrong_day"),),
    data=swapped,
    checks=(
        Check("names the first delivery that was wrong", names_the_day, expected=lambda d: d.began),
        Check("says None when nothing is wrong", nothing_wrong_is_none),
    ),
    hints=(
        "Two sources know the currency of an order. Do they agree?",
        "Compare `raw.orders.currency` with `raw.payments.currency`, or with the store's. Then ask for the earliest `_extract_date`, not the earliest order.",
        "`select min(o._extract_date) from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency`",
    ),
    wrong=(
        wrong("date of the order", _FIRST.format(what="o.ordered_at::date", where="o.currency <> p.currency"), "order-date"),
        wrong("first day of all", _FIRST.format(what="o._extract_date", where="o.currency = 'EUR'"), "day"),
        wrong(
            "latest",
            _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace("min(", "max("),
            "last-day",
        ),
        wrong(
            "by the order's day, once delivered",
            _FIRST.format(
                what="o.ordered_at::date", where="o.currency <> p.currency and o.ordered_at::date >= o._extract_date - 3"
            ),
            "day",
            "order-date",
        ),
        wrong(
            "a day learnt by heart",
            "import datetime\ndef first_wrong_day(con):\n    return datetime.date(2025, 11, 8)",
            "day",
        ),
        wrong(
            "no wrong, first day all the same",
            _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace(
                ".fetchone()[0]", ".fetchone()[0] or con.execute('select min(_extract_date) from raw.orders').fetchone()[0]"
            ),
            "false-alarm",
        ),
    ),
    right=(
        right(
            "by the provider",
            _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace(
                "o._extract_date", "greatest(o._extract_date)"
            ),
        ),
        right(
            "with pandas",
            "def first_wrong_day(con):\n    o = con.execute('select order_id, store_id, currency, _extract_date from raw.orders').df()\n    s = con.execute('select store_id, currency as local from raw.stores').df()\n    bad = o.merge(s, on='store_id').query('currency != local')\n    return None if bad.empty else bad._extract_date.min().date()",
        ),
    ),
    clauses={
        "the first delivery": "latest",
        "that was wrong": "first day of all",
        "the date of the first delivery": "date of the order",
        "or `None` when none is": "no wrong, first day all the same",
        "began on another day": "a day learnt by heart",
    },
)


# ---------------------------------------------------------------- i01.2


def names_the_orders(work: Work, data: Swapped) -> str:
    tried = "wrong_orders(con)"
    entries = rows(work.call("wrong_orders", Database(data.tables)), "What you return", ("order_id",), tried=tried)
    answer = [whole_number(order, "An order id", tried=tried) for (order,) in entries]
    got, twice = set(answer), repeated(answer)
    if got == data.orders and not twice:
        return f"All {len(got)} orders, and none besides."
    if got == data.orders:
        said = f"{len(twice)} orders stand more than once, {twice[0]} {answer.count(twice[0])} times."
        if answer.count(twice[0]) == sum(r["order_id"] == twice[0] for r in data.tables["raw.payments"].to_pylist()):
            said += " That order has as many payments: a declined one and a good one."
        expected, quoted, cause = f"{len(got)} orders", f"{len(answer)} entries", "fan-out"
    else:
        said, cause = _other_orders(data, got)
        expected, quoted = f"{len(data.orders)} orders", f"{len(got)} orders"
    raise NotYet(said, tried=tried, expected=expected, got=quoted, cause=cause)


def _other_orders(data: Swapped, got: set[int]) -> tuple[str, str]:
    """What a wrong set of orders leaves out or adds, with one of them: (sentence, cause)."""
    missing, extra = sorted(data.orders - got), sorted(got - data.orders)
    orders = {r["order_id"]: r for r in data.tables["raw.orders"].to_pylist()}
    paid = {r["order_id"] for r in data.tables["raw.payments"].to_pylist() if r["status"] != "failed"}
    if missing and not extra and all(orders[o]["ordered_at"].date() < data.began for o in missing):
        said = f"{len(missing)} orders are missing, {missing[0]} among them: placed before {data.began} and delivered again after it."
        return said, "later-changes"
    if missing and not extra and not paid & set(missing):
        said = f"{len(missing)} orders that nobody has paid are missing, {missing[0]} among them. Their rows are as wrong as the others."
        return said, "unpaid"
    if extra and not missing and all(o in orders and orders[o]["store_id"] == 4 for o in extra):
        said = f"{len(extra)} orders too many, {extra[0]} among them: orders of the British store whose currency is right."
        return said, "all-british"
    return f"{len(missing)} orders missing, {len(extra)} too many; {(missing or extra)[0]} is one of them.", "orders"


_ORDERS = "def wrong_orders(con):\n    return [o for o, in con.execute('''{} ''').fetchall()]"

TASK_2 = Task(
    id="i01.2",
    title="Which orders?",
    minutes=10,
    points=2,
    deliver=(function("wrong_orders"),),
    data=swapped,
    checks=(Check("names the wrong orders and no others", names_the_orders, expected=lambda d: d.orders),),
    hints=(
        "Which table knows the currency an order *must* have, also when nobody has paid yet?",
        "Every store sells in one currency. Join `raw.orders` to `raw.stores`.",
        "`select order_id from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency`",
    ),
    wrong=(
        wrong(
            "orders placed since",
            _ORDERS.format(
                "select order_id from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency and o.ordered_at::date >= (select min(o._extract_date) from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency)"
            ),
            "later-changes",
        ),
        wrong(
            "only those with a payment",
            _ORDERS.format(
                "select distinct order_id from raw.orders o join raw.payments p using (order_id) where o.currency <> p.currency and p.status <> 'failed'"
            ),
            "unpaid",
        ),
        wrong(
            "with declined payments twice",
            _ORDERS.format(
                "select o.order_id from raw.orders o join raw.stores s using (store_id) left join raw.payments p using (order_id) where o.currency <> s.currency"
            ),
            "fan-out",
        ),
        wrong(
            "all of the British store", _ORDERS.format("select order_id from raw.orders where store_id = 4"), "all-british"
        ),
        wrong("everything in euros", _ORDERS.format("select order_id from raw.orders where currency = 'EUR'"), "orders"),
    ),
    right=(
        right(
            "by set difference",
            _ORDERS.format(
                "select order_id from raw.orders except select order_id from raw.orders o join raw.stores s on s.store_id = o.store_id and s.currency = o.currency"
            ),
        ),
        right(
            "in Python",
            "def wrong_orders(con):\n    local = dict(con.execute('select store_id, currency from raw.stores').fetchall())\n    rows = con.execute('select order_id, store_id, currency from raw.orders').fetchall()\n    return {order for order, store, currency in rows if currency != local[store]}",
        ),
    ),
    clauses={
        "that are wrong today": "everything in euros",
        "each once": "with declined payments twice",
        "exactly these": "all of the British store",
        "delivered again after it": "orders placed since",
        "nobody has paid yet": "only those with a payment",
    },
)


# ---------------------------------------------------------------- i01.3


PRICED = """
select coalesce(sum({what}), 0)
from raw_orders as o
join raw_stores as s using (store_id)
join raw_order_items as i using (order_id)
join raw_exchange_rates as should on should.currency = s.currency and should.rate_date = {day}
join raw_exchange_rates as was on was.currency = o.currency and was.rate_date = {day}
{more}
where o.currency <> s.currency {states}
"""
"""The damage in SQL, with room for the ways in which it is misjudged."""
_RIGHT = {
    "what": "i.quantity * i.unit_price * (should.eur_per_unit - was.eur_per_unit)",
    "day": "o.ordered_at::date",
    "more": "",
    "states": "and o.status in ('paid', 'shipped')",
}
MISJUDGED: dict[str, tuple[str, dict[str, str]]] = {
    "sign": (
        "Right amount, wrong direction: a pound is worth more than a euro, so the reported revenue is too *low*. Return by how "
        "much, as a positive number.",
        {"what": "-i.quantity * i.unit_price * (should.eur_per_unit - was.eur_per_unit)"},
    ),
    "status": ("You count orders that are cancelled, returned or not paid: they earn nothing at any rate.", {"states": ""}),
    "whole": (
        "That is what those orders are worth. The report has most of it: it is off by the difference between the two rates.",
        {"what": "i.quantity * i.unit_price * should.eur_per_unit"},
    ),
    "pieces": (
        "You count one piece of each line; `unit_price` is the price of one, and `quantity` says how many.",
        {"what": "i.unit_price * (should.eur_per_unit - was.eur_per_unit)"},
    ),
    "fan-out": (
        "An order with a declined payment and a good one counts twice: the join with the payments doubles its lines.",
        {"more": "join raw_payments as p using (order_id)"},
    ),
    "fan-out-captured": (
        "The join with the payments counts a line once for each payment that was not declined.",
        {"more": "join raw_payments as p on p.order_id = o.order_id and p.status <> 'failed'"},
    ),
    "berlin-day": (
        "You take the rate of the Berlin day. Revenue is counted at the rate of the UTC day the order was placed on.",
        {"day": "timezone('Europe/Berlin', timezone('UTC', o.ordered_at))::date"},
    ),
    "delivery-day": (
        "You take the rate of the day of delivery. Revenue is counted at the rate of the day the order was placed on.",
        {"day": "o._extract_date"},
    ),
    "one-rate": (
        "That is one average rate for all days; the rate of a pound moves from day to day.",
        {
            "what": "i.quantity * i.unit_price * "
            "((select avg(eur_per_unit) from raw_exchange_rates where currency = 'GBP') - 1)"
        },
    ),
}
"""How people misjudge the damage: by cause the sentence to the learner and what differs from the right query."""


def euros_to_the_board(work: Work, data: Swapped) -> str:
    tried = "euros_off(con)"
    got = as_euros(work.call("euros_off", Database(data.tables)), "What you return", tried=tried)
    if got is None:
        said = "Revenue is too low here, and you returned None."
        raise NotYet(said, tried=tried, expected=f"€{data.euros:,.2f}", got="None", cause="nothing")
    if abs(got - data.euros) <= 1:
        return f"€{data.euros:,.2f} too little, to the euro."
    with duckdb.connect() as con:
        for name, table in data.tables.items():
            con.register(name.replace(".", "_"), table)

        def gives(changed: dict[str, str]) -> bool:
            (amount,) = con.execute(PRICED.format(**_RIGHT | changed)).fetchone()
            return abs(got - as_euros(amount)) <= 1

        said, cause = diagnosis(MISJUDGED, gives, (f"Off by €{abs(got - data.euros):,.2f}.", "amount"))
    raise NotYet(said, tried=tried, expected=f"€{data.euros:,.2f}", got=f"€{got:,.2f}", cause=cause)


def no_damage_is_zero(work: Work, data: Swapped) -> str:
    tried = "euros_off(con) on sound data"
    got = work.call("euros_off", Database(data.clean))
    if got is None:
        said = "On sound data nothing is off: 0. A sum over no rows is NULL, which is None here."
        raise NotYet(said, tried=tried, expected=0, got="None", cause="null-for-zero")
    if as_euros(got, "What you return", tried=tried) != 0:
        raise NotYet("On sound data nothing is off: 0.", tried=tried, expected=0, got=got, cause="not-zero")
    return "0 where nothing is wrong."


_EUROS = "def euros_off(con):\n    return con.execute('''select coalesce(sum({what}), 0) from raw.orders o join raw.stores s using (store_id) join raw.order_items i using (order_id) join raw.exchange_rates r on r.currency = s.currency and r.rate_date = o.ordered_at::date join raw.exchange_rates was on was.currency = o.currency and was.rate_date = o.ordered_at::date where o.currency <> s.currency {also}''').fetchone()[0]"
_PAID = "and o.status in ('paid', 'shipped')"

TASK_3 = Task(
    id="i01.3",
    title="How many euros?",
    minutes=15,
    points=3,
    deliver=(function("euros_off"),),
    data=swapped,
    checks=(
        Check("tells the board the amount, to the euro", euros_to_the_board, expected=lambda d: d.euros),
        Check("says 0 when nothing is wrong", no_damage_is_zero),
    ),
    hints=(
        "At which rate were those lines counted, and at which should they have been?",
        "For each line of a wrong order that is paid or shipped: quantity × price × (rate of the store's currency − rate of the currency it was given), at the rate of the day it was ordered.",
        "Join `raw.exchange_rates` twice, once on the store's currency, once on the order's, both on `rate_date = ordered_at::date`; wrap the sum in `coalesce(…, 0)`.",
    ),
    wrong=(
        wrong(
            "whatever the state",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=""),
            "status",
        ),
        wrong("all they are worth", _EUROS.format(what="i.quantity * i.unit_price * r.eur_per_unit", also=_PAID), "whole"),
        wrong(
            "the other way round",
            _EUROS.format(what="i.quantity * i.unit_price * (was.eur_per_unit - r.eur_per_unit)", also=_PAID),
            "sign",
        ),
        wrong(
            "one piece a line",
            _EUROS.format(what="i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID),
            "pieces",
        ),
        wrong(
            "joined with the payments",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID).replace(
                "where o.currency", "join raw.payments p using (order_id) where o.currency"
            ),
            "fan-out",
        ),
        wrong(
            "the rate of the Berlin day",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID).replace(
                "o.ordered_at::date", "timezone('Europe/Berlin', timezone('UTC', o.ordered_at))::date"
            ),
            "berlin-day",
        ),
        wrong(
            "one rate for all days",
            _EUROS.format(
                what="i.quantity * i.unit_price * ((select avg(eur_per_unit) from raw.exchange_rates where currency = 'GBP') - 1)",
                also=_PAID,
            ),
            "one-rate",
        ),
        wrong(
            "to the next hundred",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID)
            .replace("coalesce(sum(", "round(coalesce(sum(")
            .replace("), 0)", "), 0), -2)"),
            "amount",
        ),
        wrong(
            "pounds for nothing",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID).replace(
                "), 0)", "), 1000)"
            ),
            "not-zero",
        ),
        wrong(
            "NULL for nothing",
            _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID)
            .replace("coalesce(sum(", "(sum(")
            .replace("), 0)", "))"),
            "null-for-zero",
        ),
    ),
    right=(
        right(
            "one rate, as the other is 1", _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - 1)", also=_PAID)
        ),
        right(
            "with pandas",
            "def euros_off(con):\n    lines = con.execute('''select o.ordered_at::date as day, i.quantity * i.unit_price as amount from raw.orders o join raw.stores s using (store_id)\n        join raw.order_items i using (order_id) where o.currency <> s.currency and o.status in ('paid', 'shipped')''').fetchall()\n    rate = {day: float(r) for day, r in con.execute(\"select rate_date, eur_per_unit from raw.exchange_rates where currency = 'GBP'\").fetchall()}\n    return round(sum(float(a) * (rate[d] - 1) for d, a in lines), 2)",
        ),
    ),
    clauses={
        "by how many euros reported revenue is too low": "all they are worth",
        "as a positive number": "the other way round",
        "0 when nothing is wrong": "NULL for nothing",
        "counts lines of orders": "joined with the payments",
        "that are paid or shipped": "whatever the state",
        "at the rate of the UTC day": "the rate of the Berlin day",
        "the order was placed on": "one rate for all days",
        "to the euro": "to the next hundred",
    },
)


# ---------------------------------------------------------------- i01.4


@dataclass(frozen=True)
class Delivery:
    """One day's delivery with a fortnight before it: which day, which fault ("" for none), what was wrong the day before."""

    day: dt.date
    fault: str
    before: tuple[str, ...]
    tables: dict[str, Any]


CAUGHT = ("swapped-currency", "cents-for-euros", "missing-day", "truncated-load", "new-status-value", "orphan-rows")
CLEAN = (dt.date(2025, 11, 5), dt.date(2025, 11, 10), dt.date(2025, 11, 23), dt.date(2025, 11, 28), dt.date(2025, 11, 29))
"""Days on which nothing is wrong, a Monday, two Sundays' neighbours, Black Friday and the day after among them."""


YESTERDAY = ("truncated-load", "orphan-rows", "swapped-currency", "new-status-value")
"""What was wrong the day before on the sound days after a bad one."""


@lru_cache(maxsize=4)
def deliveries(seed: int) -> tuple[Delivery, ...]:
    """Five clean days, six faulty ones, and two sound ones after a faulty one, each with the fourteen days before."""
    spoilt = [dt.date(2025, 11, 4) + dt.timedelta(days=(seed * 3 + 4 * n) % 22) for n in range(len(CAUGHT))]
    recovered = dt.date(2025, 11, 12) + dt.timedelta(days=seed % 7)
    cases = [(day, "", ()) for day in CLEAN]
    cases += [(day, name, ()) for day, name in zip(spoilt, CAUGHT, strict=True)]
    cases += [(recovered, "", YESTERDAY), (recovered + dt.timedelta(days=5), "", YESTERDAY)]
    first, last = _fortnight(min(day for day, *_ in cases)), max(day for day, *_ in cases) + dt.timedelta(days=3)
    with duckdb.connect() as con:
        sources.load_into(con, seed=seed, first_day=first, last_day=last, orders=3_500)
        return tuple(_spoilt(con, seed, *case) for case in cases)


def _spoilt(con: duckdb.DuckDBPyConnection, seed: int, day: dt.date, name: str, before: tuple[str, ...]) -> Delivery:
    """The delivery of the day, or of the next one on which the faults find something to spoil."""
    for later in range(3):
        with contextlib.suppress(faults.NothingToSpoil):
            return _delivery(con, seed, day + dt.timedelta(days=later), name, before)
    return _delivery(con, seed, day + dt.timedelta(days=3), name, before)


def _fortnight(day: dt.date) -> dt.date:
    return max(FIRST_DAY, day - dt.timedelta(days=14))


def _delivery(con: duckdb.DuckDBPyConnection, seed: int, day: dt.date, name: str, before: tuple[str, ...]) -> Delivery:
    """The days up to `day`, cut out of the longer time in `con` and spoilt: a company that opened a fortnight before."""
    window = f"extract_date between date '{_fortnight(day)}' and date '{day}'"
    con.execute(
        f"create or replace temp table some_orders as from orders where {window} and ordered_at::date >= date '{_fortnight(day)}'"
    )
    for table in ("order_items", "payments"):
        con.execute(f"create or replace temp table some_{table} as from {table} where {window}")
    names = {table: f"some_{table}" for table in ("orders", "order_items", "payments")}
    if name:
        faults.get(name).mutate(con, day, seed, names)
    for earlier in before:
        faults.get(earlier).mutate(con, day - dt.timedelta(days=1), seed, names)
    columns = {
        "orders": "order_id, store_id, status, currency, ordered_at, extract_date as _extract_date",
        "order_items": "order_id, quantity, unit_price, extract_date as _extract_date",
        "stores": "store_id, currency",
    }
    tables = {
        f"raw.{t}": con.execute(f"select distinct {c} from {names.get(t, t)}").to_arrow_table(BATCH_ROWS)
        for t, c in columns.items()
    }
    return Delivery(day, name, before, tables)


def _answers(work: Work, data: tuple[Delivery, ...]) -> list[bool]:
    """What the detector says of each delivery; asked once for both checks."""

    def asked() -> list[bool]:
        return [truth(work.call("suspicious", Database(d.tables), d.day), "What you return") for d in data]

    return work.once(("deliveries", data[0].day, data[-1].day, id(data)), asked)


def believed_on_good_days(work: Work, data: tuple[Delivery, ...]) -> str:
    """Silent on good days; and not for lack of a voice, so that silence alone is worth nothing."""
    answers = _answers(work, data)
    if not any(answers):
        said = f"{len(data)} deliveries, {len(CAUGHT)} of them faulty, and you believe them all."
        raise NotYet(said, tried="all deliveries", expected="True on the faulty ones", got="False each time", cause="never")
    alarms = [d for d, said in zip(data, answers, strict=True) if not d.fault and said]
    if not alarms:
        return f"Silent on {len(CLEAN) + 2} good days, Black Friday and two days after a bad one included."
    day = alarms[0].day
    said = f"{len(alarms)} of {len(CLEAN) + 2} good deliveries accused, that of {day} first."
    cause = "cries-wolf"
    if all(d.before for d in alarms):
        said += " It is sound; the one of the day before was not. Look at the rows of this day."
        cause = "yesterday"
    elif all(d.day == dt.date(2025, 11, 28) for d in alarms):
        said += " That is Black Friday: four times the volume, and every order has its lines, its price and its currency."
        cause = "black-friday"
    raise NotYet(said, tried=f"suspicious(con, {day})", expected="False", got="True", cause=cause)


def speaks_on_day_one(work: Work, data: tuple[Delivery, ...]) -> str:
    missed = [d for d, said in zip(data, _answers(work, data), strict=True) if d.fault and not said]
    if missed:
        one = missed[0]
        said = f"{len(missed)} of {len(CAUGHT)} faulty deliveries passed without a word. One of them: {faults.get(one.fault).symptom}"
        raise NotYet(said, tried=f"suspicious(con, {one.day})", expected="True", got="False", cause=one.fault)
    return f"All {len(CAUGHT)} faults told on the day they came."


_DETECTOR = """
def suspicious(con, day):
    rules = {
        'currency': '''select count(*) from raw.orders o join raw.stores s using (store_id) where o._extract_date = $day and o.currency <> s.currency''',
        'status': '''select count(*) from raw.orders where _extract_date = $day and status not in ('placed', 'paid', 'shipped', 'cancelled', 'returned')''',
        'orphans': '''select count(*) from raw.order_items i anti join raw.orders o using (order_id) where i._extract_date = $day''',
        'no lines': '''select count(*) from raw.orders o anti join raw.order_items i using (order_id) where o._extract_date = $day and o.ordered_at::date = $day''',
        'price': '''select count(*) from (select median(unit_price) filter (_extract_date = $day) as now, median(unit_price) filter (_extract_date < $day) as before
            from raw.order_items) where now > 3 * before or now < before / 3''',
        'volume': '''select count(*) from (select count(*) filter (_extract_date = $day) as now, count(*) filter (_extract_date < $day) / 14 as usual from raw.orders)
            where now < usual / 4''',
    }
    return any(con.execute(sql, {'day': day}).fetchone()[0] for sql in rules.values())
"""

TASK_4 = Task(
    id="i01.4",
    title="The check that would have said so",
    minutes=25,
    points=4,
    deliver=(function("suspicious"),),
    data=deliveries,
    checks=(
        Check("is silent on good days, and not on all days", believed_on_good_days),
        Check("speaks on the first day of each fault", speaks_on_day_one, expected=lambda d: [x.day for x in d]),
    ),
    hints=(
        "Three layers: rules that hold for every row (currency of the store, known states), rules between tables (each order has lines, each line an order), and history (price and volume against the days before).",
        "Volume alone accuses Black Friday; too *little* volume is suspicious, too much is a good day. For price, compare medians, with a generous factor.",
        "Six small queries, any of which returns rows: currency ≠ store's; unknown status; lines without order; orders of the day without lines; median price off by a factor of 3; fewer than a quarter of the usual orders.",
    ),
    wrong=(
        wrong(
            "volume only",
            "def suspicious(con, day):\n    now, usual = con.execute('select count(*) filter (_extract_date = $d), count(*) filter (_extract_date < $d) / 14 from raw.orders', {'d': day}).fetchone()\n    return now < usual / 3",
            "swapped-currency",
        ),
        wrong(
            "any jump in volume",
            _DETECTOR.replace("where now < usual / 4", "where now < usual / 4 or now > 2 * usual"),
            "black-friday",
        ),
        wrong(
            "no look at the currency",
            _DETECTOR.replace("o.currency <> s.currency", "o.currency is null"),
            "swapped-currency",
        ),
        wrong("no look at prices", _DETECTOR.replace("now > 3 * before or now < before / 3", "false"), "cents-for-euros"),
        wrong("no look at lost lines", _DETECTOR.replace("o.ordered_at::date = $day", "false"), "truncated-load"),
        wrong(
            "believes every state",
            _DETECTOR.replace("status not in ('placed', 'paid', 'shipped', 'cancelled', 'returned')", "status is null"),
            "new-status-value",
        ),
        wrong(
            "looks at all the days at once",
            _DETECTOR.replace("o._extract_date = $day and o.currency", "$day is not null and o.currency"),
            "yesterday",
        ),
        wrong("never suspicious", "def suspicious(con, day):\n    return False", "never"),
        wrong("no look at volume", _DETECTOR.replace("where now < usual / 4", "where false"), "missing-day"),
        wrong(
            "a number of rows",
            _DETECTOR.replace(
                "any(con.execute(sql, {'day': day}).fetchone()[0] for sql",
                "sum(con.execute(sql, {'day': day}).fetchone()[0] for sql",
            ),
            "type",
        ),
        wrong("always suspicious", "def suspicious(con, day):\n    return True", "cries-wolf"),
    ),
    right=(
        right("six rules", _DETECTOR),
        right(
            "five rules: an order without lines tells of a line without an order",
            _DETECTOR.replace("i._extract_date = $day", "false and $day is not null"),
        ),
        right(
            "with pandas",
            """
def suspicious(con, day):
    import pandas as pd
    o, i = con.execute('from raw.orders').df(), con.execute('from raw.order_items').df()
    local = dict(con.execute('select store_id, currency from raw.stores').fetchall())
    stamp = pd.Timestamp(day)
    today, lines = o[pd.to_datetime(o._extract_date) == stamp], i[pd.to_datetime(i._extract_date) == stamp]
    if len(today) < 0.3 * (len(o) - len(today)) / 14 or not set(today.status) <= {'placed', 'paid', 'shipped', 'cancelled', 'returned'}:
        return True
    if any(local[s] != c for s, c in zip(today.store_id, today.currency)) or set(lines.order_id) - set(o.order_id):
        return True
    placed = today[today.ordered_at.dt.normalize() == stamp]
    before = i[pd.to_datetime(i._extract_date) < stamp].unit_price.astype(float).median()
    return bool(set(placed.order_id) - set(i.order_id)) or not before / 4 < lines.unit_price.astype(float).median() < before * 4
""",
        ),
    ),
    seconds=40,
    spared={
        "SQL line 6: 3 → 4": "any generous factor does",
        "14 → 15": "about a fortnight",
        "SQL line 6: 4 → 5": "any generous factor does",
    },
    clauses={
        "`True` when the delivery": "a number of rows",
        "the delivery of `day`": "looks at all the days at once",
        "six kinds of faulty delivery": "volume only",
        "Black Friday is one of them": "any jump in volume",
        "seven good days": "always suspicious",
        "two come right after a bad one": "looks at all the days at once",
    },
)


# ---------------------------------------------------------------- i01.5

ANSWER = "answer.yml"
ORDERS, EUROS = 837, 28_630
"""What the learner's workspace holds: wrong orders, and whole euros by which revenue is too low. The debriefing asserts them."""
REPAIR = ("pause", "fix-source", "backfill", "reconcile", "add-test")
KEYS = ("first_wrong_extract", "store", "orders", "euros", "tell_first", "repair")


def _answer(work: Work) -> dict[str, Any]:
    return mapping(parse_yaml(work.file(ANSWER), ANSWER), f"`{ANSWER}`", KEYS)


def _word(text: Any) -> str:
    """A text as it counts: no remark in brackets, small letters, hyphens between words."""
    return "-".join(str(text).split("(")[0].lower().replace("_", " ").replace("-", " ").split())


def spoken(work: Work, data: Swapped) -> str:
    found = _answer(work)
    began = calendar_day(found["first_wrong_extract"], "`first_wrong_extract`")
    if began != BEGAN:
        said = "`first_wrong_extract` is not what your workspace's data says. Ask it with your answer to i01.1."
        raise NotYet(said, expected="the first wrong delivery in your workspace", got=str(began), cause="date")
    if _word(found["store"]) not in ("uk", "4", "shopflow-united-kingdom", "united-kingdom"):
        said = "`store`: the wrong orders are all of one store."
        raise NotYet(said, expected="its code", got=found["store"], cause="store")
    orders = whole_number(found["orders"], "`orders`")
    if orders != ORDERS:
        said = "`orders` is not the number of wrong orders in your workspace. Ask it with your answer to i01.2."
        raise NotYet(said, expected="the wrong orders in your workspace", got=orders, cause="orders")
    euros = number(found["euros"], "`euros`")
    if abs(euros - EUROS) >= 1:
        said = "`euros` is not what your workspace's revenue is short of. Ask it with your answer to i01.3."
        raise NotYet(said, expected="the amount in your workspace, to the euro", got=f"{euros:,.2f}", cause="euros")
    return f"{began}, {found['store']}, {orders} orders, €{euros:,.0f}: as the data says."


def told_and_repaired(work: Work, data: Swapped) -> str:
    found = _answer(work)
    if not _word(found["tell_first"]).startswith("finance"):
        said = "`tell_first`: who has been giving the wrong number to a board, and will do so again this morning?"
        raise NotYet(said, expected="one consumer", got=found["tell_first"], cause="tell")
    given = texts(found["repair"], "`repair`")
    steps = [_word(step) for step in given]
    if sorted(steps) != sorted(REPAIR):
        said = f"`repair` has five steps, each once: {', '.join(REPAIR)}."
        raise NotYet(said, expected=sorted(REPAIR), got=given, cause="steps")
    for before, after, why in (
        (steps[0] == "pause", "pause", "nobody may read the wrong number while you work"),
        (steps.index("fix-source") < steps.index("backfill"), "fix-source", "a backfill before it loads the fault again"),
        (steps.index("backfill") < steps.index("reconcile"), "backfill", "there is nothing to reconcile before it"),
    ):
        if not before:
            said = f"`{after}` comes too late: {why}."
            raise NotYet(said, expected=f"{after} earlier", got=" → ".join(given), cause=f"order-{after}")
    return "Finance first; five steps in an order that holds."


_ANSWER = (
    f"first_wrong_extract: {BEGAN}\nstore: UK\norders: {ORDERS}\neuros: {EUROS}\ntell_first: finance\n"
    f"repair: [{', '.join(REPAIR)}]\n"
)

TASK_5 = Task(
    id="i01.5",
    title="Say it, with facts",
    minutes=10,
    points=2,
    deliver=(file(ANSWER),),
    data=swapped,
    checks=(
        Check("names date, store, orders and euros", spoken),
        Check("tells the right people and repairs in an order that holds", told_and_repaired, after=()),
    ),
    hints=(
        "Run your own functions on the workspace: `with shop.platform.connect() as con:` gives them a connection.",
        "Four facts from i01.1 to i01.3, a consumer, five steps. Nothing may be loaded again before its source is right.",
        "Order of repair: pause, fix-source, backfill, reconcile, add-test. Tell finance first.",
    ),
    wrong=(
        wrong("a guess", {ANSWER: _ANSWER.replace(str(BEGAN), "2025-11-28")}, "date"),
        wrong("a date in words", {ANSWER: _ANSWER.replace(str(BEGAN), '"8 November 2025"')}, "type"),
        wrong("the biggest store", {ANSWER: _ANSWER.replace("UK", "DE")}, "store"),
        wrong("only orders that are revenue", {ANSWER: _ANSWER.replace("837", "764")}, "orders"),
        wrong("euros in words", {ANSWER: _ANSWER.replace("28630", "28.6k")}, "type"),
        wrong("what the orders are worth", {ANSWER: _ANSWER.replace("28630", "219000")}, "euros"),
        wrong("tells the team first", {ANSWER: _ANSWER.replace("finance", "platform team")}, "tell"),
        wrong(
            "backfills the fault",
            {ANSWER: _ANSWER.replace("fix-source, backfill", "backfill, fix-source")},
            "order-fix-source",
        ),
        wrong(
            "proves before the backfill",
            {ANSWER: _ANSWER.replace("backfill, reconcile", "reconcile, backfill")},
            "order-backfill",
        ),
        wrong(
            "pauses at the end",
            {ANSWER: _ANSWER.replace("[pause, ", "[").replace("add-test]", "add-test, pause]")},
            "order-pause",
        ),
        wrong("no proof", {ANSWER: _ANSWER.replace("reconcile, ", "")}, "steps"),
        wrong("steps in one text", {ANSWER: _ANSWER.replace("[pause", "pause").replace("add-test]", "add-test")}, "type"),
        wrong("facts forgotten", {ANSWER: _ANSWER.replace("orders: 837\n", "")}, "keys"),
        wrong("half a file", {ANSWER: "store: UK\nrepair: [pause,"}, "yaml"),
    ),
    right=(
        right(
            "other order of keys",
            {
                ANSWER: f"tell_first: Finance (head of)\nstore: 4\nrepair:\n  - pause (publishing)\n  - fix_source\n  - backfill\n  - reconcile\n  - add test\neuros: 28630.44\norders: 837\nfirst_wrong_extract: '{BEGAN}'\n"
            },
        ),
        right(
            "the test before the backfill",
            {
                ANSWER: _ANSWER.replace(
                    "[pause, fix-source, backfill, reconcile, add-test]",
                    "[pause, fix-source, add-test, backfill, reconcile]",
                )
            },
        ),
    ),
    clauses={
        "`first_wrong_extract`: the date": "a guess",
        "the code of the store concerned": "the biggest store",
        "how many orders are wrong": "only orders that are revenue",
        "by how many euros revenue is too low": "what the orders are worth",
        "one consumer": "tells the team first",
        "these five": "no proof",
        "in an order that holds": "backfills the fault",
    },
)


MODULE = Module(
    key="i01",
    stem="i01-silent-failure",
    title="Silent failure: weeks of green, and the revenue is wrong",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5),
    prepare=prepare,
)
