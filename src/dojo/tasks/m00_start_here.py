"""Module 00: the company, its data, its morning; and how a task, a check, a hint and progress work."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from dojo.judge.contract import Check, Module, NotYet, Task, file, function, right, wrong
from dojo.judge.plain import Database
from dojo.judge.work import Work
from dojo.tasks.answers import as_euros, one_of, parse_yaml
from dojo.tasks.samples import Company, company

BERLIN = ZoneInfo("Europe/Berlin")


# ---------------------------------------------------------------- 00.1

READ = ("marts.daily_revenue", "marts.fact_sales")


@dataclass(frozen=True)
class Mornings:
    """A small company and the days to ask for: two trading days, and one without a row."""

    company: Company
    days: tuple[dt.date, ...]
    empty: dt.date
    by_day: dict[dt.date, Decimal]


def mornings(seed: int) -> Mornings:
    """Twelve days of a company the learner has not seen, with what each day really earned."""
    small = company(seed)
    by_day: dict[dt.date, Decimal] = {}
    for row in small.tables["marts.daily_revenue"].to_pylist():
        by_day[row["business_date"]] = by_day.get(row["business_date"], Decimal(0)) + row["revenue_eur"]
    days = sorted(by_day)
    return Mornings(small, (days[3], days[-2]), days[-1] + dt.timedelta(days=40), by_day)


def all_stores_added(work: Work, data: Mornings) -> str:
    for day in data.days:
        got = as_euros(work.call("revenue_on", Database(data.company.only(*READ)), day))
        want = data.by_day[day]
        tried = f"revenue_on(con, {day})"
        if got is None:
            raise NotYet(f"There are sales on {day}, and you returned nothing.", tried=tried, expected=want, cause="nothing")
        if got == want:
            continue
        rows = [r for r in data.company.tables["marts.daily_revenue"].to_pylist() if r["business_date"] == day]
        if got == sum(data.by_day.values()):
            said, cause = "That is the revenue of all days together. Keep only the day that was asked for.", "all-days"
        elif got in {r["revenue_eur"] for r in rows}:
            said, cause = (
                f"That is one store's revenue. `daily_revenue` holds a row a store, {len(rows)} rows for one day.",
                "one-store",
            )
        elif got in {Decimal(sum(r["orders"] for r in rows)), Decimal(sum(r["units"] for r in rows)), Decimal(len(rows))}:
            said, cause = "That counts something. Finance wants the sum of `revenue_eur`, in euros.", "counted"
        else:
            said, cause = f"Off by €{abs(got - want):,.2f}. Finance compares to the cent.", "amount"
        raise NotYet(said, tried=tried, expected=f"€{want:,.2f}", got=f"€{got:,.2f}", cause=cause)
    return f"{data.days[0]}: €{data.by_day[data.days[0]]:,.2f}; {data.days[1]}: €{data.by_day[data.days[1]]:,.2f}."


def no_sales_is_zero(work: Work, data: Mornings) -> str:
    got = work.call("revenue_on", Database(data.company.only(*READ)), data.empty)
    if got is None:
        raise NotYet(
            f"On {data.empty} nothing was sold: the answer is 0, and you returned None. A sum over no rows is NULL in SQL.",
            tried=f"revenue_on(con, {data.empty})", expected=0, got=got, cause="null-for-zero", look="coalesce(…, 0)",
        )  # fmt: skip
    if as_euros(got) != 0:
        raise NotYet(
            "On a day without sales the answer is 0.",
            tried=f"revenue_on(con, {data.empty})",
            expected=0,
            got=got,
            cause="not-zero",
        )
    return "A day without sales gives 0."


TASK_1 = Task(
    id="00.1",
    title="The number finance reads",
    minutes=5,
    points=1,
    deliver=(function("revenue_on"),),
    data=mornings,
    checks=(
        Check("adds all stores of the day", all_stores_added, expected=lambda d: [d.by_day[x] for x in d.days]),
        Check("gives 0 for a day without sales", no_sales_is_zero),
    ),
    hints=(
        "`marts.daily_revenue` has one row a business date and store. Look at five of its rows first.",
        "Add up `revenue_eur` where `business_date` is the day. `con.execute(sql, [day])` fills a `?` in the SQL.",
        "`select coalesce(sum(revenue_eur), 0) from marts.daily_revenue where business_date = ?`, then `.fetchone()[0]`.",
    ),
    wrong=(
        wrong("forgets the day", "def revenue_on(con, day):\n    return con.execute('select sum(revenue_eur) from marts.daily_revenue').fetchone()[0]", "all-days"),
        wrong("takes the first store", "def revenue_on(con, day):\n    return con.execute('select revenue_eur from marts.daily_revenue where business_date = ? order by store_key', [day]).fetchone()[0]", "one-store"),
        wrong("counts orders", "def revenue_on(con, day):\n    return con.execute('select coalesce(sum(orders), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]", "counted"),
        wrong("adds fact lines of every status at list value", "def revenue_on(con, day):\n    return con.execute(\"select coalesce(sum(quantity * unit_price), 0) from marts.fact_sales where date_key = cast(strftime(cast(? as date), '%Y%m%d') as int)\", [day]).fetchone()[0]", "amount"),
        wrong("NULL for an empty day", "def revenue_on(con, day):\n    return con.execute('select sum(revenue_eur) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]", "null-for-zero"),
    ),
    right=(
        right("with pandas", "def revenue_on(con, day):\n    rows = con.execute('from marts.daily_revenue').df()\n    rows['business_date'] = rows['business_date'].astype(str)\n    return round(float(rows.loc[rows.business_date.str[:10] == str(day), 'revenue_eur'].astype(float).sum()), 2)"),
        right("from the facts", "def revenue_on(con, day):\n    key = int(day.strftime('%Y%m%d'))\n    return con.execute('select coalesce(sum(line_revenue), 0) from marts.fact_sales where date_key = ?', [key]).fetchone()[0]"),
        right("in a loop", "def revenue_on(con, day):\n    total = 0\n    for found, euros in con.execute('select business_date, revenue_eur from marts.daily_revenue').fetchall():\n        if found == day:\n            total += euros\n    return total"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- 00.2


@dataclass(frozen=True)
class Graph:
    """A lineage: for each node the nodes it reads; and what stands upstream of the nodes asked for."""

    parents: dict[str, list[str]]
    upstream: dict[str, set[str]]
    source: str


def lineage(seed: int) -> Graph:
    """ShopFlow's own lineage with a branch of its own for each data set, so that no answer can be learnt by heart."""
    extra = f"stg_clicks_{seed}"
    parents = {
        "raw.orders": [],
        "raw.order_items": [],
        "raw.exchange_rates": [],
        f"raw.clicks_{seed}": [],
        "stg_orders": ["raw.orders"],
        "stg_order_items": ["raw.order_items"],
        "stg_exchange_rates": ["raw.exchange_rates"],
        extra: [f"raw.clicks_{seed}"],
        "fact_sales": ["stg_orders", "stg_order_items", "stg_exchange_rates"],
        "daily_revenue": ["fact_sales", "stg_orders"],
        "funnel": [extra, "stg_orders"],
        "board_pack": ["daily_revenue", "funnel"],
    }
    return Graph(parents, {n: _above(parents, n) for n in ("daily_revenue", "board_pack")}, "raw.orders")


def _above(parents: dict[str, list[str]], node: str) -> set[str]:
    found: set[str] = set()
    todo = list(parents[node])
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += parents[one]
    return found


def everything_upstream(work: Work, data: Graph) -> str:
    for node, want in data.upstream.items():
        answer = work.call("upstream", data.parents, node)
        tried = f"upstream(parents, {node!r})"
        if not isinstance(answer, set | list | tuple):
            raise NotYet("Return a set (or a list) of names.", tried=tried, expected=want, got=answer, cause="type")
        got = set(answer)
        if len(answer) != len(got):
            raise NotYet(
                f"`stg_orders` is reached along two ways and stands {list(answer).count('stg_orders')} times in your answer. Each name once.",
                tried=tried,
                expected=want,
                got=answer,
                cause="twice",
            )
        if got == set(data.parents[node]):
            raise NotYet(
                f"Those are the direct parents. `{sorted(got)[0]}` has parents of its own; go on until nothing is left.",
                tried=tried,
                expected=want,
                got=got,
                cause="one-step",
            )
        if node in got:
            raise NotYet(f"`{node}` is not upstream of itself.", tried=tried, expected=want, got=got, cause="itself")
        if got != want:
            missing, extra = sorted(want - got), sorted(got - want)
            said = f"Missing: {', '.join(missing) or 'nothing'}. Too many: {', '.join(extra) or 'nothing'}."
            cause = "downstream" if any(node in _above(data.parents, e) or e not in want for e in extra) else "missing"
            raise NotYet(said, tried=tried, expected=want, got=got, cause=cause)
    return f"{len(data.upstream['board_pack'])} tables stand behind the board pack."


def a_source_has_nothing(work: Work, data: Graph) -> str:
    got = work.call("upstream", data.parents, data.source)
    if got is None or len(got):
        raise NotYet(
            "A source reads nothing: the answer is an empty set.",
            tried=f"upstream(parents, {data.source!r})",
            expected=set(),
            got=got,
            cause="source",
        )
    return "A source has nothing upstream."


TASK_2 = Task(
    id="00.2",
    title="Where the number comes from",
    minutes=10,
    points=2,
    deliver=(function("upstream"),),
    data=lineage,
    checks=(
        Check("finds all that stands upstream, each once", everything_upstream, expected=lambda d: d.upstream["board_pack"]),
        Check("finds nothing upstream of a source", a_source_has_nothing),
    ),
    hints=(
        "A parent's parents are upstream too. How would you do it by hand, with a pencil and a list of what is still to visit?",
        "Keep a set of what you found and a list of what is still to visit; take one from the list, add its parents to both.",
        "`todo = list(parents[model])`; while todo: `one = todo.pop()`; if not in found: add it, and `todo += parents[one]`.",
    ),
    wrong=(
        wrong("direct parents only", "def upstream(parents, model):\n    return set(parents[model])", "one-step"),
        wrong("a list with repeats", "def upstream(parents, model):\n    found = []\n    for parent in parents[model]:\n        found += [parent] + upstream(parents, parent)\n    return found", "twice"),
        wrong("includes the model", "def upstream(parents, model):\n    found = {model}\n    for parent in parents[model]:\n        found |= upstream(parents, parent)\n    return found", "itself"),
        wrong("goes downstream", "def upstream(parents, model):\n    found = set()\n    for child, above in parents.items():\n        if model in above:\n            found |= {child} | upstream(parents, child)\n    return found or {'board_pack'}", "downstream"),
        wrong("two levels", "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= set(parents[parent])\n    return found", "missing"),
    ),
    right=(
        right("recursion", "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= set(upstream(parents, parent))\n    return sorted(found)"),
        right("until nothing changes", "def upstream(parents, model):\n    found = set(parents[model])\n    while True:\n        more = found | {g for f in found for g in parents[f]}\n        if more == found:\n            return found\n        found = more"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- 00.3


@dataclass(frozen=True)
class RunLog:
    """A run log and, by run date, the moment the data was there (naive, Berlin), or None."""

    tables: dict[str, Any]
    ready: dict[dt.date, dt.datetime | None]
    retried: dt.date
    failed: dt.date
    winter: dt.date
    summer: dt.date


def run_log(seed: int) -> RunLog:
    """Five mornings around the end of summer time: plain ones, one with a failed first attempt, one never published."""
    import pyarrow as pa

    rows, ready = [], {}
    days = [dt.date(2025, 10, 24) + dt.timedelta(days=n) for n in range(5)]
    for n, day in enumerate(days):
        begun = dt.datetime.combine(day, dt.time(5, 30), BERLIN).astimezone(dt.UTC).replace(tzinfo=None)
        minutes = 18 + (seed * (n + 3)) % 23
        steps = [
            ("ingest_orders", 1, "success", 0, 6),
            ("dbt_run", 1, "success", 6, minutes),
            ("quality_check", 1, "success", minutes, minutes + 2),
        ]
        end = minutes + 5
        if n == 1:
            steps += [("publish", 1, "failed", minutes + 2, end), ("publish", 2, "success", end + 10, end + 14)]
            end += 14
        elif n == 3:
            steps[-1] = ("quality_check", 1, "failed", minutes, minutes + 2)
        else:
            steps += [("publish", 1, "success", minutes + 2, end)]
        for step, attempt, status, start, stop in steps:
            rows.append(
                {
                    "run_id": f"{day}-prod", "run_date": day, "env": "prod", "step": step, "attempt": attempt, "status": status,
                    "scheduled_at": begun, "started_at": begun + dt.timedelta(minutes=start), "finished_at": begun + dt.timedelta(minutes=stop),
                }
            )  # fmt: skip
        published = max(
            (r["finished_at"] for r in rows if r["run_date"] == day and r["step"] == "publish" and r["status"] == "success"),
            default=None,
        )
        ready[day] = published and published.replace(tzinfo=dt.UTC).astimezone(BERLIN).replace(tzinfo=None)
    return RunLog({"ops.run_log": pa.Table.from_pylist(rows)}, ready, days[1], days[3], days[4], days[0])


def _moment(got: Any, tried: str, want: Any) -> dt.datetime:
    if not isinstance(got, dt.datetime):
        raise NotYet("Return a datetime (or None).", tried=tried, expected=want, got=got, cause="type")
    return got.astimezone(BERLIN).replace(tzinfo=None) if got.tzinfo else got


def local_time_of_publish(work: Work, data: RunLog) -> str:
    for day in (data.winter, data.summer):
        want, tried = data.ready[day], f"ready_at(con, {day})"
        got = _moment(work.call("ready_at", Database(data.tables), day), tried, want)
        if got == want:
            continue
        off = round((want - got).total_seconds() / 60)
        rows = [r for r in data.tables["ops.run_log"].to_pylist() if r["run_date"] == day]
        if off in (60, 120):
            if day == data.winter and off == 60:
                said, cause = (
                    f"{off} minutes early. The log is written in UTC; on {day} Berlin is an hour ahead of it.",
                    "utc",
                )
            else:
                said, cause = (
                    f"{off} minutes early. On {day} Berlin still had summer time, two hours ahead of UTC.",
                    "summer-time",
                )
        elif off == -60:
            said, cause = (
                f"An hour late: on {day} summer time was over. Convert with the time zone's name, not with a fixed +2.",
                "summer-time",
            )
        elif any(
            got.replace(tzinfo=BERLIN).astimezone(dt.UTC).replace(tzinfo=None) in (r["started_at"], r["finished_at"])
            for r in rows
        ):
            said, cause = (
                "That is another moment of the same run. Readers see the data when `publish` has finished.",
                "other-step",
            )
        else:
            said, cause = f"{abs(off)} minutes off.", "moment"
        raise NotYet(said, tried=tried, expected=want, got=got, cause=cause)
    return (
        f"{data.winter} at {data.ready[data.winter]:%H:%M}, {data.summer} at {data.ready[data.summer]:%H:%M}, Berlin time."
    )


def the_successful_attempt(work: Work, data: RunLog) -> str:
    want, tried = data.ready[data.retried], f"ready_at(con, {data.retried})"
    got = _moment(work.call("ready_at", Database(data.tables), data.retried), tried, want)
    if got != want:
        raise NotYet(
            f"On {data.retried} the first `publish` failed and the second succeeded. Only the one that succeeded put data in front of anybody.",
            tried=tried, expected=want, got=got, cause="failed-attempt",
        )  # fmt: skip
    return f"{data.retried}: {want:%H:%M}, on the second attempt."


def never_ready(work: Work, data: RunLog) -> str:
    got = work.call("ready_at", Database(data.tables), data.failed)
    if got is not None:
        raise NotYet(
            f"On {data.failed} the quality check failed and nothing was published: the answer is None.",
            tried=f"ready_at(con, {data.failed})", expected="None", got=got, cause="never-published",
        )  # fmt: skip
    return f"{data.failed}: nothing was published, and you say so."


_READY = """
from zoneinfo import ZoneInfo
import datetime as dt

def ready_at(con, run_date):
    found = con.execute("select max(finished_at) from ops.run_log where step = 'publish' {status} and run_date = ?", [run_date]).fetchone()[0]
    return {result}
"""
_ONLY = "and status = 'success'"
_TO_BERLIN = "found and found.replace(tzinfo=dt.timezone.utc).astimezone(ZoneInfo('Europe/Berlin')).replace(tzinfo=None)"

TASK_3 = Task(
    id="00.3",
    title="When was it there?",
    minutes=10,
    points=2,
    deliver=(function("ready_at"),),
    data=run_log,
    checks=(
        Check("says in Berlin time when publish had finished", local_time_of_publish, expected=lambda d: d.ready[d.winter]),
        Check("counts only the attempt that succeeded", the_successful_attempt, expected=lambda d: d.ready[d.retried]),
        Check("says None when nothing was published", never_ready),
    ),
    hints=(
        "Which step makes the data visible to readers? And on which clock is `finished_at` written?",
        "Take `finished_at` of `publish` where `status = 'success'`. DuckDB turns UTC into Berlin time with `timezone`, twice.",
        "`timezone('Europe/Berlin', timezone('UTC', finished_at))` is Berlin wall time; `max(...)` over no rows is NULL, which Python reads as None.",
    ),
    wrong=(
        wrong("stays in UTC", _READY.format(status=_ONLY, result="found"), "utc"),
        wrong("adds one hour", _READY.format(status=_ONLY, result="found and found + dt.timedelta(hours=1)"), "summer-time"),
        wrong("adds two hours", _READY.format(status=_ONLY, result="found and found + dt.timedelta(hours=2)"), "summer-time"),
        wrong("takes the quality check", _READY.format(status=_ONLY, result=_TO_BERLIN).replace("'publish'", "'quality_check'"), "other-step"),
        wrong("the first publish, failed or not", _READY.format(status="", result=_TO_BERLIN).replace("max(", "min("), "failed-attempt"),
        wrong("falls back to the last step", _READY.format(status="", result=_TO_BERLIN).replace("step = 'publish'", "step >= 'publish'"), "never-published"),
    ),
    right=(
        right("all in SQL", "def ready_at(con, run_date):\n    return con.execute(\"\"\"select timezone('Europe/Berlin', timezone('UTC', max(finished_at))) from ops.run_log\n        where step = 'publish' and status = 'success' and run_date = ?\"\"\", [run_date]).fetchone()[0]"),
        right("with pandas, aware", "def ready_at(con, run_date):\n    log = con.execute(\"select finished_at from ops.run_log where step='publish' and status='success' and run_date = ?\", [run_date]).df()\n    if log.empty:\n        return None\n    return log.finished_at.dt.tz_localize('UTC').dt.tz_convert('Europe/Berlin').max().to_pydatetime()"),
    ),
    spared={"max( → min(": "a morning publishes successfully once, so its first and its last success are the same"},
)  # fmt: skip


# ---------------------------------------------------------------- 00.4


@dataclass(frozen=True)
class Loss:
    """A company whose fact table lost some order lines, and which."""

    tables: dict[str, Any]
    whole: dict[str, Any]
    lost: set[tuple[int, int]]


def loss(seed: int) -> Loss:
    """Takes every n-th line away, and all lines of one order; n and the order follow from the seed."""
    small = company(seed)
    given = small.only("raw.order_items", "raw.orders", "marts.fact_sales")
    fact = given["marts.fact_sales"]
    keys = sorted((r["order_id"], r["line_number"]) for r in fact.select(["order_id", "line_number"]).to_pylist())
    whole_order = keys[(seed * 37) % len(keys)][0]
    lost = {k for n, k in enumerate(keys) if n % (31 + seed % 7) == 5 or k[0] == whole_order}
    import pyarrow as pa

    kept = pa.array(
        [(o, n) not in lost for o, n in zip(fact["order_id"].to_pylist(), fact["line_number"].to_pylist(), strict=True)]
    )
    return Loss({**given, "marts.fact_sales": fact.filter(kept)}, given, lost)


def _pairs(got: Any, tried: str) -> set[tuple[int, int]]:
    if type(got).__name__ == "DataFrame":
        got = [tuple(r) for r in got.itertuples(index=False)]
    if got is None or not isinstance(got, list | set | tuple):
        raise NotYet("Return a list of (order_id, line_number).", tried=tried, got=got, cause="type")
    rows = [tuple(r) if isinstance(r, list | tuple) else (r,) for r in got]
    if any(len(r) != 2 for r in rows):
        raise NotYet(
            "Each entry is a pair (order_id, line_number): the grain of `fact_sales` is the order line.",
            tried=tried,
            got=rows[:3],
            cause="grain",
        )
    return {(int(a), int(b)) for a, b in rows}


def finds_the_lost_lines(work: Work, data: Loss) -> str:
    tried = "lost_lines(con) where the fact table lost some lines"
    got = _pairs(work.call("lost_lines", Database(data.tables)), tried)
    if got != data.lost:
        orders = {o for o, _ in {(r["order_id"], 0) for r in data.tables["marts.fact_sales"].to_pylist()}}
        if got and got < data.lost and all(o not in orders for o, _ in got):
            said, cause = (
                f"You found the {len(got)} lines of orders that are gone as a whole; {len(data.lost - got)} lines are gone from orders that are still there.",
                "whole-orders",
            )
        elif not got:
            said, cause = (
                f"{len(data.lost)} lines are gone and you found none. Which table is the complete one?",
                "direction",
            )
        else:
            said, cause = (
                f"{len(data.lost - got)} lost lines not found, {len(got - data.lost)} named that are not lost.",
                "lines",
            )
        raise NotYet(said, tried=tried, expected=f"{len(data.lost)} lines", got=f"{len(got)} lines", cause=cause)
    return f"All {len(data.lost)} lost lines found."


def is_silent_when_whole(work: Work, data: Loss) -> str:
    tried = "lost_lines(con) where nothing is lost"
    got = _pairs(work.call("lost_lines", Database(data.whole)), tried)
    if got:
        raise NotYet(
            f"Nothing is lost here, and you name {len(got)} lines.",
            tried=tried,
            expected="no lines",
            got=sorted(got)[:5],
            cause="false-alarm",
        )
    return "Silent where nothing is lost."


_LOST = "def lost_lines(con):\n    return con.execute('''{}''').fetchall()"

TASK_4 = Task(
    id="00.4",
    title="What never arrived",
    minutes=10,
    points=2,
    deliver=(function("lost_lines"),),
    data=loss,
    checks=(
        Check("names every lost order line", finds_the_lost_lines, expected=lambda d: d.lost),
        Check("names none when nothing is lost", is_silent_when_whole),
    ),
    hints=(
        "Two tables should hold the same order lines. Which of them is nearer to the source?",
        "An anti join: lines of `raw.order_items` without a partner in `marts.fact_sales`, on both parts of the key.",
        "`from raw.order_items anti join marts.fact_sales using (order_id, line_number) select order_id, line_number`",
    ),
    wrong=(
        wrong("whole orders only", _LOST.format("select order_id, line_number from raw.order_items where order_id not in (select order_id from marts.fact_sales)"), "whole-orders"),
        wrong("the wrong way round", _LOST.format("select order_id, line_number from marts.fact_sales anti join raw.order_items using (order_id, line_number)"), "direction"),
        wrong("orders, not lines", _LOST.format("select distinct order_id from raw.order_items anti join marts.fact_sales using (order_id, line_number)"), "grain"),
        wrong("lines that earned nothing", _LOST.format("select order_id, line_number from raw.order_items left join marts.fact_sales f using (order_id, line_number) where coalesce(f.line_revenue, 0) = 0"), "lines"),
    ),
    right=(
        right("except", _LOST.format("select order_id, line_number from raw.order_items except select order_id, line_number from marts.fact_sales")),
        right("left join, null", _LOST.format("select i.order_id, i.line_number from raw.order_items i left join marts.fact_sales f on f.order_id = i.order_id and f.line_number = i.line_number where f.order_id is null")),
        right("sets in Python", "def lost_lines(con):\n    sold = set(con.execute('select order_id, line_number from raw.order_items').fetchall())\n    return sold - set(con.execute('select order_id, line_number from marts.fact_sales').fetchall())"),
    ),
)  # fmt: skip


# ---------------------------------------------------------------- 00.5

PROMISE = "docs/promise.yml"
CONSUMERS = {"finance", "merchandising", "demand model"}


@dataclass(frozen=True)
class Promise:
    """Mornings to hold against the promise as written: (ready at, quality passed, kept?)."""

    mornings: tuple[tuple[dt.time | None, bool, bool], ...]


def promises(seed: int) -> Promise:
    """Mornings just before and after eight; the seed moves the minutes."""
    early, late = dt.time(7, 10 + seed), dt.time(8, 1 + seed)
    return Promise(
        ((early, True, True), (late, True, False), (early, False, False), (None, True, False), (dt.time(8, 0), True, True))
    )


def _promise(work: Work) -> dict[str, Any]:
    found = parse_yaml(work.file(PROMISE), PROMISE)
    if not isinstance(found, dict):
        raise NotYet(
            "The file must be a mapping with `product`, `fresh_by`, `time_zone`, `quality` and `consumers`.",
            cause="shape",
            got=found,
        )
    return found


def names_the_product(work: Work, data: Promise) -> str:
    promise = _promise(work)
    one_of(
        promise.get("product"),
        ("fact_sales", "marts.fact_sales"),
        "product",
        "the table the promise is about",
        cause="product",
    )
    consumers = {str(c).lower().replace("_", " ") for c in promise.get("consumers") or []}
    if missing := CONSUMERS - consumers:
        raise NotYet(
            f"`consumers` leaves out {', '.join(sorted(missing))}: whoever is not named is not called when it is late.",
            expected=sorted(CONSUMERS),
            got=sorted(consumers),
            cause="consumers",
        )
    return "Product and all three consumers are named."


def can_be_held_to_it(work: Work, data: Promise) -> str:
    promise = _promise(work)
    zone = promise.get("time_zone")
    one_of(
        zone,
        ("Europe/Berlin",),
        "time_zone",
        "the zone whose wall clock is meant; “CET” is wrong for half of the year",
        cause="zone",
    )
    by = _clock(promise.get("fresh_by"))
    for ready, passed, kept in data.mornings:
        judged = ready is not None and ready <= by and (passed or promise.get("quality") is not True)
        if judged != kept:
            moment = f"ready at {ready:%H:%M}" if ready else "never ready"
            tests = "tests passed" if passed else "tests failed"
            cause = "quality" if not passed else "deadline"
            raise NotYet(
                f"A morning {moment}, {tests}, would count as {'kept' if judged else 'broken'} under your text.",
                tried=f"{moment}, {tests}", expected="kept" if kept else "broken", got="kept" if judged else "broken", cause=cause,
            )  # fmt: skip
    return "Five mornings judged by your text: all as finance would."


def _clock(value: Any) -> dt.time:
    if isinstance(value, int) and not isinstance(value, bool):
        minutes, seconds = divmod(value, 60)
        value = f"{minutes:02d}:{seconds:02d}" if value < 24 * 60 else f"{value // 3600:02d}:{value % 3600 // 60:02d}"
    try:
        return dt.time.fromisoformat(str(value).zfill(5))
    except ValueError:
        raise NotYet("`fresh_by` must be a time of day such as 08:00.", expected="a time", got=value, cause="time") from None


_PROMISE = "product: fact_sales\nfresh_by: '08:00'\ntime_zone: Europe/Berlin\nquality: true\nconsumers: [finance, merchandising, demand model]\n"

TASK_5 = Task(
    id="00.5",
    title="Write the promise down",
    minutes=10,
    points=2,
    deliver=(file(PROMISE),),
    data=promises,
    checks=(
        Check("names the product and everybody who relies on it", names_the_product),
        Check("decides every morning: kept or broken", can_be_held_to_it, expected=lambda d: d.mornings),
    ),
    hints=(
        "Read the paragraph “What was promised” of the lesson again: a table, a time, a clock, a condition, three readers.",
        "Five keys: `product`, `fresh_by`, `time_zone`, `quality` (true: its tests must have passed), `consumers` (a list).",
        "`fresh_by: \"08:00\"` in quotes, `time_zone: Europe/Berlin`, `quality: true`, and `demand model` as the third consumer.",
    ),
    wrong=(
        wrong("the objective for the promise", {PROMISE: _PROMISE.replace("08:00", "07:00")}, "deadline"),
        wrong("no condition on quality", {PROMISE: _PROMISE.replace("quality: true\n", "")}, "quality"),
        wrong("a zone that ends in October", {PROMISE: _PROMISE.replace("Europe/Berlin", "CEST")}, "zone"),
        wrong("forgets the model", {PROMISE: _PROMISE.replace(", demand model", "")}, "consumers"),
        wrong("promises the dashboard's table", {PROMISE: _PROMISE.replace("fact_sales", "daily_revenue")}, "product"),
        wrong("half a file", {PROMISE: "product: fact_sales\nconsumers: [finance, merch"}, "yaml"),
        wrong("prose", {PROMISE: "We will be fresh by eight.\n"}, "shape"),
        wrong("a time nobody can read", {PROMISE: _PROMISE.replace("'08:00'", "eight")}, "time"),
    ),
    right=(
        right("another order, other style", {PROMISE: "consumers:\n  - Demand model\n  - Finance\n  - Merchandising\nquality: yes\ntime_zone: 'Europe/Berlin'\nfresh_by: 08:00:00\nproduct: marts.fact_sales\nowner: platform team\n"}),
        right("as JSON", {PROMISE: '{"product": "fact_sales", "fresh_by": "08:00", "time_zone": "Europe/Berlin", "quality": true, "consumers": ["finance", "merchandising", "demand_model"]}\n'}),
    ),
)  # fmt: skip


MODULE = Module(
    key="00",
    stem="00-start-here",
    title="Start here: a company, its data and its morning",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5),
)
