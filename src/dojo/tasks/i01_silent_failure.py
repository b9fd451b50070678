"""Scenario i01: weeks of green runs and wrong revenue. When, what, how much, and the check that would have said so."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import duckdb

from dojo.judge.contract import Check, Module, NotYet, Task, file, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import as_euros, parse_yaml
from shopflow import faults, sources
from shopflow.clock import FIRST_DAY, TODAY, days
from shopflow.tables import TABLES

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
    """Eighteen days around the start of the fault, as landed in raw.*."""
    first = dt.date(2025, 10, 20) + dt.timedelta(days=seed % 4)
    last = first + dt.timedelta(days=17)
    began = first + dt.timedelta(days=7 + seed % 5)
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
        ).to_arrow_table()
    return made


# ---------------------------------------------------------------- i01.1


def names_the_day(work: Work, data: Swapped) -> str:
    got = work.call("first_wrong_day", Database(data.tables))
    tried = "first_wrong_day(con)"
    if isinstance(got, dt.datetime):
        got = got.date()
    if got == data.began:
        return f"It began with the extract of {data.began}."
    if not isinstance(got, dt.date):
        raise NotYet("Return a date.", tried=tried, expected=str(data.began), got=got, cause="type")
    if got == data.earliest_order:
        said, cause = (
            f"{got} is when the oldest of the wrong orders was *placed*. Its row was right then; a later change brought it in again, wrong. The fault is in what was delivered, so ask on which day it was delivered.",
            "order-date",
        )
    elif got == max(r["_extract_date"] for r in data.tables["raw.orders"].to_pylist()):
        said, cause = "That is the latest wrong delivery. The board asks since when.", "last-day"
    else:
        said, cause = f"Off by {abs((got - data.began).days)} days.", "day"
    raise NotYet(said, tried=tried, expected=str(data.began), got=str(got), cause=cause)


def nothing_wrong_is_none(work: Work, data: Swapped) -> str:
    got = work.call("first_wrong_day", Database(data.clean))
    if got is not None:
        raise NotYet(
            "On sound data there is no first wrong day: return None.",
            tried="first_wrong_day(con) on sound data",
            expected="None",
            got=str(got),
            cause="false-alarm",
        )
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
        wrong("first day of all", _FIRST.format(what="o._extract_date", where="o.currency = 'EUR'"), "false-alarm"),
        wrong("latest", _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace("min(", "max("), "last-day"),
        wrong("a day learnt by heart", "import datetime\ndef first_wrong_day(con):\n    return datetime.date(2025, 11, 8)", "day"),
        wrong("no wrong, first day all the same", _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace(".fetchone()[0]", ".fetchone()[0] or con.execute('select min(_extract_date) from raw.orders').fetchone()[0]"), "false-alarm"),
    ),
    right=(
        right("by the provider", _FIRST.format(what="o._extract_date", where="o.currency <> p.currency").replace("o._extract_date", "greatest(o._extract_date)")),
        right("with pandas", "def first_wrong_day(con):\n    o = con.execute('select order_id, store_id, currency, _extract_date from raw.orders').df()\n    s = con.execute('select store_id, currency as local from raw.stores').df()\n    bad = o.merge(s, on='store_id').query('currency != local')\n    return None if bad.empty else bad._extract_date.min().date()"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- i01.2


def names_the_orders(work: Work, data: Swapped) -> str:
    answer = work.call("wrong_orders", Database(data.tables))
    tried = "wrong_orders(con)"
    if not isinstance(answer, list | set | tuple):
        raise NotYet("Return a list of order ids.", tried=tried, got=answer, cause="type")
    got = {int(a[0] if isinstance(a, list | tuple) else a) for a in answer}
    if got == data.orders:
        if len(answer) != len(got):
            raise NotYet(
                "Some orders stand twice: an order can have two payments, a declined one and a good one.",
                tried=tried,
                expected=f"{len(got)} orders",
                got=f"{len(answer)} entries",
                cause="fan-out",
            )
        return f"All {len(got)} orders, and none besides."
    missing, extra = data.orders - got, got - data.orders
    orders = {r["order_id"]: r for r in data.tables["raw.orders"].to_pylist()}
    if missing and all(orders[o]["ordered_at"].date() < data.began for o in missing) and not extra:
        said, cause = (
            f"{len(missing)} orders are missing: placed before {data.began} and delivered again after it, wrong.",
            "later-changes",
        )
    elif missing and not extra and all(orders[o]["status"] in ("placed", "cancelled") for o in missing):
        said, cause = (
            f"{len(missing)} orders without a payment are missing. They will be paid tomorrow, in the wrong currency.",
            "unpaid",
        )
    elif extra and all(orders[o]["store_id"] == 4 for o in extra):
        said, cause = (
            f"{len(extra)} orders too many: orders of the British store from before the fault, which are right.",
            "all-british",
        )
    else:
        said, cause = f"{len(missing)} missing, {len(extra)} too many.", "orders"
    raise NotYet(said, tried=tried, expected=f"{len(data.orders)} orders", got=f"{len(got)} orders", cause=cause)


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
        wrong("orders placed since", _ORDERS.format("select order_id from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency and o.ordered_at::date >= (select min(o._extract_date) from raw.orders o join raw.stores s using (store_id) where o.currency <> s.currency)"), "later-changes"),
        wrong("only those with a payment", _ORDERS.format("select distinct order_id from raw.orders o join raw.payments p using (order_id) where o.currency <> p.currency and p.status <> 'failed'"), "unpaid"),
        wrong("with declined payments twice", _ORDERS.format("select o.order_id from raw.orders o join raw.stores s using (store_id) left join raw.payments p using (order_id) where o.currency <> s.currency"), "fan-out"),
        wrong("all of the British store", _ORDERS.format("select order_id from raw.orders where store_id = 4"), "all-british"),
        wrong("everything in euros", _ORDERS.format("select order_id from raw.orders where currency = 'EUR'"), "orders"),
    ),
    right=(
        right("by set difference", _ORDERS.format("select order_id from raw.orders except select order_id from raw.orders o join raw.stores s on s.store_id = o.store_id and s.currency = o.currency")),
        right("in Python", "def wrong_orders(con):\n    local = dict(con.execute('select store_id, currency from raw.stores').fetchall())\n    rows = con.execute('select order_id, store_id, currency from raw.orders').fetchall()\n    return {order for order, store, currency in rows if currency != local[store]}"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- i01.3


def euros_to_the_board(work: Work, data: Swapped) -> str:
    got = as_euros(work.call("euros_off", Database(data.tables)))
    tried = "euros_off(con)"
    if got is None:
        raise NotYet("Return an amount.", tried=tried, expected=data.euros, got=got, cause="type")
    if abs(got - data.euros) <= 1:
        return f"€{data.euros:,.2f} too little, to the euro."
    if abs(got + data.euros) <= 1:
        raise NotYet(
            "Right amount, wrong direction: a pound is worth more than a euro, so the reported revenue is too *low*. Return by how much, as a positive number.",
            tried=tried,
            expected=f"€{data.euros:,.2f}",
            got=f"€{got:,.2f}",
            cause="sign",
        )
    con = duckdb.connect()
    for name, table in data.tables.items():
        con.register(name.replace(".", "_"), table)
    wrong_lines = "from raw_orders o join raw_stores s using (store_id) join raw_order_items i using (order_id) join raw_exchange_rates g on g.currency = 'GBP' and g.rate_date = o.ordered_at::date where o.currency <> s.currency"
    every, whole = con.execute(
        f"select sum(i.quantity * i.unit_price * (g.eur_per_unit - 1)), sum(i.quantity * i.unit_price * g.eur_per_unit) filter (o.status in ('paid', 'shipped')) {wrong_lines}"
    ).fetchone()
    con.close()
    if abs(got - every) <= 1:
        said, cause = "You count orders that are cancelled, returned or not paid: they earn nothing at any rate.", "status"
    elif abs(got - whole) <= 1:
        said, cause = (
            "That is what those orders are worth. The report has most of it: it is off by the difference between the two rates.",
            "whole",
        )
    else:
        said, cause = f"Off by €{abs(got - data.euros):,.2f}.", "amount"
    raise NotYet(said, tried=tried, expected=f"€{data.euros:,.2f}", got=f"€{got:,.2f}", cause=cause)


def no_damage_is_zero(work: Work, data: Swapped) -> str:
    got = work.call("euros_off", Database(data.clean))
    if got is None or as_euros(got) != 0:
        raise NotYet(
            "On sound data nothing is off: 0, and a sum over no rows is NULL.",
            tried="euros_off(con) on sound data",
            expected=0,
            got=got,
            cause="null-for-zero",
        )
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
        wrong("whatever the state", _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=""), "status"),
        wrong("all they are worth", _EUROS.format(what="i.quantity * i.unit_price * r.eur_per_unit", also=_PAID), "whole"),
        wrong("the other way round", _EUROS.format(what="i.quantity * i.unit_price * (was.eur_per_unit - r.eur_per_unit)", also=_PAID), "sign"),
        wrong("one piece a line", _EUROS.format(what="i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID), "amount"),
        wrong("NULL for nothing", _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - was.eur_per_unit)", also=_PAID).replace("coalesce(sum(", "(sum(").replace("), 0)", "))"), "null-for-zero"),
    ),
    right=(
        right("one rate, as the other is 1", _EUROS.format(what="i.quantity * i.unit_price * (r.eur_per_unit - 1)", also=_PAID)),
        right("with pandas", "def euros_off(con):\n    lines = con.execute('''select o.ordered_at::date as day, i.quantity * i.unit_price as amount from raw.orders o join raw.stores s using (store_id)\n        join raw.order_items i using (order_id) where o.currency <> s.currency and o.status in ('paid', 'shipped')''').fetchall()\n    rate = {day: float(r) for day, r in con.execute(\"select rate_date, eur_per_unit from raw.exchange_rates where currency = 'GBP'\").fetchall()}\n    return round(sum(float(a) * (rate[d] - 1) for d, a in lines), 2)"),
    ),
)  # fmt: skip


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
    con = duckdb.connect()
    delivered = [day for day, *_ in cases]
    sources.load_into(con, seed=seed, first_day=_fortnight(min(delivered)), last_day=max(delivered), orders=3_500)
    made = tuple(_delivery(con, seed, *case) for case in cases)
    con.close()
    return made


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
        f"raw.{t}": con.execute(f"select distinct {c} from {names.get(t, t)}").to_arrow_table() for t, c in columns.items()
    }
    return Delivery(day, name, before, tables)


_said: WeakKeyDictionary[Work, dict[int, list[bool]]] = WeakKeyDictionary()


def _answers(work: Work, data: tuple[Delivery, ...]) -> list[bool]:
    """What the detector says of each delivery; asked once for both checks."""
    held = _said.setdefault(work, {})
    if id(data) not in held:
        held[id(data)] = [bool(work.call("suspicious", Database(d.tables), d.day)) for d in data]
    return held[id(data)]


def speaks_on_day_one(work: Work, data: tuple[Delivery, ...]) -> str:
    answers = _answers(work, data)
    missed = [d for d, said in zip(data, answers, strict=True) if d.fault and not said]
    if missed:
        names = ", ".join(d.fault for d in missed)
        raise NotYet(
            f"{len(missed)} of {len(CAUGHT)} faulty deliveries passed without a word: {names}. {faults.get(missed[0].fault).symptom}",
            tried=f"{missed[0].fault} in the delivery of {missed[0].day}", expected="True", got="False", cause=missed[0].fault,
        )  # fmt: skip
    return f"All {len(CAUGHT)} faults told on the day they came."


def believed_on_good_days(work: Work, data: tuple[Delivery, ...]) -> str:
    answers = _answers(work, data)
    alarms = [d for d, said in zip(data, answers, strict=True) if not d.fault and said]
    if alarms and all(d.before for d in alarms):
        raise NotYet(
            f"The delivery of {alarms[0].day} is sound; the one of the day before was not, and you were told so then. Look at the rows of this day.",
            tried=f"the delivery of {alarms[0].day}, a day after {', '.join(alarms[0].before)}", expected="False", got="True", cause="yesterday",
        )  # fmt: skip
    if alarms:
        friday = any(d.day == dt.date(2025, 11, 28) for d in alarms)
        said = (
            "Black Friday is no fault: volume may be four times what it was, and every order still has its lines, its price and its currency."
            if friday
            else "An ordinary day."
        )
        raise NotYet(
            f"{len(alarms)} of {len(CLEAN) + 2} good deliveries accused, {alarms[0].day} first. {said}",
            tried=f"the delivery of {alarms[0].day}",
            expected="False",
            got="True",
            cause="black-friday" if friday and len(alarms) < 3 else "cries-wolf",
        )
    return f"Silent on {len(CLEAN) + 2} good days, Black Friday and two days after a bad one included."


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
        Check("speaks on the first day of each fault", speaks_on_day_one, expected=lambda d: [x.day for x in d]),
        Check("is silent on good days", believed_on_good_days),
    ),
    hints=(
        "Three layers: rules that hold for every row (currency of the store, known states), rules between tables (each order has lines, each line an order), and history (price and volume against the days before).",
        "Volume alone accuses Black Friday; too *little* volume is suspicious, too much is a good day. For price, compare medians, with a generous factor.",
        "Six small queries, any of which returns rows: currency ≠ store's; unknown status; lines without order; orders of the day without lines; median price off by a factor of 3; fewer than a quarter of the usual orders.",
    ),
    wrong=(
        wrong("volume only", "def suspicious(con, day):\n    now, usual = con.execute('select count(*) filter (_extract_date = $d), count(*) filter (_extract_date < $d) / 14 from raw.orders', {'d': day}).fetchone()\n    return now < usual / 3", "swapped-currency"),
        wrong("any jump in volume", _DETECTOR.replace("where now < usual / 4", "where now < usual / 4 or now > 2 * usual"), "black-friday"),
        wrong("no look at the currency", _DETECTOR.replace("o.currency <> s.currency", "o.currency is null"), "swapped-currency"),
        wrong("no look at prices", _DETECTOR.replace("now > 3 * before or now < before / 3", "false"), "cents-for-euros"),
        wrong("no look at lost lines", _DETECTOR.replace("o.ordered_at::date = $day", "false"), "truncated-load"),
        wrong("believes every state", _DETECTOR.replace("status not in ('placed', 'paid', 'shipped', 'cancelled', 'returned')", "status is null"), "new-status-value"),
        wrong("looks at all the days at once", _DETECTOR.replace("o._extract_date = $day and o.currency", "$day is not null and o.currency"), "yesterday"),
        wrong("always suspicious", "def suspicious(con, day):\n    return True", "cries-wolf"),
    ),
    right=(
        right("six rules", _DETECTOR),
        right("with pandas", """
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
"""),
    ),
    seconds=40,
    spared={"SQL line 6: 3 → 4": "any generous factor does", "14 → 15": "about a fortnight", "SQL line 6: 4 → 5": "any generous factor does"},
)  # fmt: skip


# ---------------------------------------------------------------- i01.5

ANSWER = "answer.yml"


def spoken(work: Work, data: Swapped) -> str:
    found = parse_yaml(work.file(ANSWER), ANSWER)
    if not isinstance(found, dict):
        raise NotYet(
            "The file must be a mapping: `first_wrong_extract`, `store`, `layers`, `tell_first`, `repair`.",
            got=found,
            cause="shape",
        )
    began = found.get("first_wrong_extract")
    if str(began) != str(BEGAN):
        raise NotYet(
            "`first_wrong_extract` is not what your workspace's data says. Ask it with your answer to i01.1.",
            expected="the first wrong extract in your workspace",
            got=began,
            cause="date",
        )
    if str(found.get("store")).upper() not in ("UK", "4", "SHOPFLOW UNITED KINGDOM"):
        raise NotYet(
            "`store`: the wrong orders are all of one store.", expected="its code", got=found.get("store"), cause="store"
        )
    layers = {str(x).lower() for x in found.get("layers") or []}
    if missing := {"rule", "cross-source", "history"} - layers:
        raise NotYet(
            f"`layers` leaves out {', '.join(sorted(missing))}. A rule on a row, a comparison between sources and a look at history each catch what the others miss.",
            expected=["rule", "cross-source", "history"],
            got=sorted(layers),
            cause="layers",
        )
    return "Date, store and layers hold."


def told_and_repaired(work: Work, data: Swapped) -> str:
    found = parse_yaml(work.file(ANSWER), ANSWER)
    found = found if isinstance(found, dict) else {}
    if str(found.get("tell_first")).lower() != "finance":
        raise NotYet(
            "`tell_first`: who has been giving the wrong number to a board, and will do so again this morning?",
            expected="one consumer",
            got=found.get("tell_first"),
            cause="tell",
        )
    steps = [str(s).lower().replace("_", "-") for s in found.get("repair") or []]
    wanted = ["pause", "fix-source", "backfill", "reconcile", "add-test"]
    if set(steps) != set(wanted):
        raise NotYet(
            "`repair` has five steps: pause, fix-source, backfill, reconcile, add-test.",
            expected=sorted(wanted),
            got=steps,
            cause="steps",
        )
    if (
        steps.index("backfill") < steps.index("fix-source")
        or steps.index("reconcile") < steps.index("backfill")
        or steps[0] != "pause"
    ):
        raise NotYet(
            "The order matters: first nobody may read the wrong number, then the cause, then the past, then the proof.",
            expected=wanted,
            got=steps,
            cause="order",
        )
    return "Finance first; five steps in an order that holds."


_ANSWER = f"first_wrong_extract: {BEGAN}\nstore: UK\nlayers: [rule, cross-source, history]\ntell_first: finance\nrepair: [pause, fix-source, backfill, reconcile, add-test]\n"

TASK_5 = Task(
    id="i01.5",
    title="Say it, with facts",
    minutes=10,
    points=2,
    deliver=(file(ANSWER),),
    data=swapped,
    checks=(Check("names date, store and layers", spoken), Check("tells the right people and repairs in an order that holds", told_and_repaired)),
    hints=(
        "Run your own functions on the workspace: `from shopflow…` is not needed, `shop.sql` is enough.",
        "The fault began in November; the store sells in pounds. Layers: rule, cross-source, history.",
        "Order of repair: pause, fix-source, backfill, reconcile, add-test. Tell finance first.",
    ),
    wrong=(
        wrong("a guess", {ANSWER: _ANSWER.replace(str(BEGAN), "2025-11-28")}, "date"),
        wrong("the biggest store", {ANSWER: _ANSWER.replace("UK", "DE")}, "store"),
        wrong("history only", {ANSWER: _ANSWER.replace("rule, cross-source, ", "")}, "layers"),
        wrong("tells the team first", {ANSWER: _ANSWER.replace("finance", "platform team")}, "tell"),
        wrong("backfills the fault", {ANSWER: _ANSWER.replace("fix-source, backfill", "backfill, fix-source")}, "order"),
        wrong("no proof", {ANSWER: _ANSWER.replace("reconcile, ", "")}, "steps"),
        wrong("half a file", {ANSWER: "store: UK\nlayers: [rule,"}, "yaml"),
    ),
    right=(
        right("other order of keys", {ANSWER: f"tell_first: Finance\nstore: 4\nrepair:\n  - pause\n  - fix_source\n  - backfill\n  - reconcile\n  - add_test\nlayers: [history, rule, cross-source, unit tests]\nfirst_wrong_extract: '{BEGAN}'\n"}),
        right("the test before the backfill", {ANSWER: _ANSWER.replace("[pause, fix-source, backfill, reconcile, add-test]", "[pause, fix-source, add-test, backfill, reconcile]")}),
    ),
)  # fmt: skip


MODULE = Module(
    key="i01",
    stem="i01-silent-failure",
    title="Silent failure: weeks of green, and the revenue is wrong",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5),
    prepare=prepare,
)
