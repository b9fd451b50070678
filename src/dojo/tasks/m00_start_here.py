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
from dojo.tasks.answers import (
    as_euros,
    clock_time,
    mapping,
    moment,
    one_of,
    parse_yaml,
    repeated,
    rows,
    texts,
    truth,
    whole_number,
    wrong_type,
)
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
        tried = f"revenue_on(con, {day})"
        given = Database(data.company.only(*READ))
        got = as_euros(work.call("revenue_on", given, day), "The revenue", tried=tried)
        want = data.by_day[day]
        if got is None:
            raise NotYet(f"There are sales on {day}, and you returned None.", tried=tried, expected=want, cause="nothing")
        if got != want:
            said, cause = _other_amount(data, day, got)
            raise NotYet(said, tried=tried, expected=f"€{want:,.2f}", got=f"€{got:,.2f}", cause=cause)
    return f"{data.days[0]}: €{data.by_day[data.days[0]]:,.2f}; {data.days[1]}: €{data.by_day[data.days[1]]:,.2f}."


def _other_amount(data: Mornings, day: dt.date, got: Decimal) -> tuple[str, str]:
    """What a wrong amount is, where it can be found in the tables: (sentence, cause)."""
    rows = [r for r in data.company.tables["marts.daily_revenue"].to_pylist() if r["business_date"] == day]
    stores = {r["revenue_eur"] for r in rows}
    if got == sum(data.by_day.values()):
        return "That is the revenue of all days together. Keep only the day that was asked for.", "all-days"
    if got in stores:
        return (
            f"That is one store's revenue. `daily_revenue` holds a row a store, {len(rows)} rows for one day.",
            "one-store",
        )
    counts = {"orders": sum(r["orders"] for r in rows), "units": sum(r["units"] for r in rows), "rows": len(rows)}
    for what, count in counts.items():
        if got == count:
            return f"That is the number of {what} on the day. Finance wants the sum of `revenue_eur`.", "counted"
    return f"Off by €{abs(got - data.by_day[day]):,.2f}. Finance compares to the cent.", "amount"


def no_sales_is_zero(work: Work, data: Mornings) -> str:
    tried = f"revenue_on(con, {data.empty})"
    got = work.call("revenue_on", Database(data.company.only(*READ)), data.empty)
    if got is None:
        raise NotYet(
            f"On {data.empty} nothing was sold: the answer is 0, and you returned None. A sum over no rows is NULL in SQL.",
            tried=tried,
            expected=0,
            got="None",
            cause="null-for-zero",
            look="coalesce(…, 0)",
        )
    if as_euros(got, "The revenue", tried=tried) != 0:
        said = "On a day without sales the answer is 0."
        raise NotYet(said, tried=tried, expected=0, got=got, cause="not-zero")
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
        wrong(
            "forgets the day",
            "def revenue_on(con, day):\n    return con.execute('select sum(revenue_eur) from marts.daily_revenue').fetchone()[0]",
            "all-days",
        ),
        wrong(
            "takes the first store",
            "def revenue_on(con, day):\n    return con.execute('select revenue_eur from marts.daily_revenue where business_date = ? order by store_key', [day]).fetchone()[0]",
            "one-store",
        ),
        wrong(
            "counts orders",
            "def revenue_on(con, day):\n    return con.execute('select coalesce(sum(orders), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]",
            "counted",
        ),
        wrong(
            "adds fact lines of every status at list value",
            "def revenue_on(con, day):\n    return con.execute(\"select coalesce(sum(quantity * unit_price), 0) from marts.fact_sales where date_key = cast(strftime(cast(? as date), '%Y%m%d') as int)\", [day]).fetchone()[0]",
            "amount",
        ),
        wrong(
            "to the whole euro",
            "def revenue_on(con, day):\n    return con.execute('select coalesce(round(sum(revenue_eur)), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]",
            "amount",
        ),
        wrong(
            "the last day that sold",
            "def revenue_on(con, day):\n    return con.execute('select sum(revenue_eur) from marts.daily_revenue where business_date = (select max(business_date) from marts.daily_revenue where business_date <= ?)', [day]).fetchone()[0]",
            "not-zero",
        ),
        wrong(
            "a text with a thousands sign",
            "def revenue_on(con, day):\n    return '{:,.2f}'.format(con.execute('select coalesce(sum(revenue_eur), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0])",
            "type",
        ),
        wrong(
            "NULL for an empty day",
            "def revenue_on(con, day):\n    return con.execute('select sum(revenue_eur) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0]",
            "null-for-zero",
        ),
    ),
    right=(
        right(
            "with pandas",
            "def revenue_on(con, day):\n    rows = con.execute('from marts.daily_revenue').df()\n    rows['business_date'] = rows['business_date'].astype(str)\n    return round(float(rows.loc[rows.business_date.str[:10] == str(day), 'revenue_eur'].astype(float).sum()), 2)",
        ),
        right(
            "from the facts",
            "def revenue_on(con, day):\n    key = int(day.strftime('%Y%m%d'))\n    return con.execute('select coalesce(sum(line_revenue), 0) from marts.fact_sales where date_key = ?', [key]).fetchone()[0]",
        ),
        right(
            "a text that is a number",
            "def revenue_on(con, day):\n    return str(con.execute('select coalesce(sum(revenue_eur), 0) from marts.daily_revenue where business_date = ?', [day]).fetchone()[0])",
        ),
        right(
            "in a loop",
            "def revenue_on(con, day):\n    total = 0\n    for found, euros in con.execute('select business_date, revenue_eur from marts.daily_revenue').fetchall():\n        if found == day:\n            total += euros\n    return total",
        ),
    ),
    clauses={
        "Return euros": "counts orders",
        "to the cent": "to the whole euro",
        "all stores together": "takes the first store",
        "On a day without sales, the answer is 0": "NULL for an empty day",
        "a day on which nobody bought anything": "the last day that sold",
    },
)


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
        "board_mail": ["board_pack"],
    }
    return Graph(parents, {n: _above(parents, n) for n in ("board_pack", "daily_revenue")}, "raw.orders")


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
        tried = f"upstream(parents, {node!r})"
        answer = texts(work.call("upstream", data.parents, node), "What you return", tried=tried)
        got, twice = set(answer), repeated(answer)
        if got == set(data.parents[node]):
            said = f"Those are the direct parents. `{sorted(got)[0]}` has parents of its own; go on until nothing is left."
            cause = "one-step"
        elif node in got:
            said, cause = f"`{node}` is not upstream of itself.", "itself"
        elif got != want:
            said, cause = _missing_or_extra(data, node, want, got)
        elif twice:
            times = answer.count(twice[0])
            said = f"`{twice[0]}` is reached along {times} ways and stands {times} times in your answer. Each name once."
            cause = "twice"
        else:
            continue
        raise NotYet(said, tried=tried, expected=want, got=answer, cause=cause)
    return f"{len(data.upstream['board_pack'])} tables stand behind the board pack."


def _missing_or_extra(data: Graph, node: str, want: set[str], got: set[str]) -> tuple[str, str]:
    missing, extra = sorted(want - got), sorted(got - want)
    said = f"Missing: {', '.join(missing) or 'nothing'}. Too many: {', '.join(extra) or 'nothing'}."
    below = [name for name in extra if node in _above(data.parents, name)] if set(extra) <= data.parents.keys() else []
    if below:
        return f"{said} `{below[0]}` reads `{node}`: that is the other direction.", "downstream"
    return said, "missing" if missing else "extra"


def a_source_has_nothing(work: Work, data: Graph) -> str:
    tried = f"upstream(parents, {data.source!r})"
    got = texts(work.call("upstream", data.parents, data.source), "What you return", tried=tried)
    if got:
        said = "A source reads nothing: the answer is an empty set."
        raise NotYet(said, tried=tried, expected="an empty set", got=got, cause="source")
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
        wrong(
            "a list with repeats",
            "def upstream(parents, model):\n    found = []\n    for parent in parents[model]:\n        found += [parent] + upstream(parents, parent)\n    return found",
            "twice",
        ),
        wrong(
            "includes the model",
            "def upstream(parents, model):\n    found = {model}\n    for parent in parents[model]:\n        found |= upstream(parents, parent)\n    return found",
            "itself",
        ),
        wrong(
            "goes downstream",
            "def upstream(parents, model):\n    found = set()\n    for child, above in parents.items():\n        if model in above:\n            found |= {child} | upstream(parents, child)\n    return found",
            "downstream",
        ),
        wrong(
            "every table but the model",
            "def upstream(parents, model):\n    return set(parents) - {model} - {m for m in parents if model in parents[m]}",
            "downstream",
        ),
        wrong(
            "names in one text",
            "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= set(upstream(parents, parent).split(', ')) - {''}\n    return ', '.join(sorted(found))",
            "type",
        ),
        wrong(
            "a source stands on itself",
            "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= upstream(parents, parent)\n    return found if parents[model] else {model}",
            "source",
        ),
        wrong(
            "two levels",
            "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= set(parents[parent])\n    return found",
            "missing",
        ),
    ),
    right=(
        right(
            "recursion",
            "def upstream(parents, model):\n    found = set(parents[model])\n    for parent in parents[model]:\n        found |= set(upstream(parents, parent))\n    return sorted(found)",
        ),
        right(
            "until nothing changes",
            "def upstream(parents, model):\n    found = set(parents[model])\n    while True:\n        more = found | {g for f in found for g in parents[f]}\n        if more == found:\n            return found\n        found = more",
        ),
    ),
    clauses={
        "everything upstream of": "two levels",
        "their parents, and so on to the sources": "direct parents only",
        "each name once": "a list with repeats",
        "without `model` itself": "includes the model",
        "and a source": "a source stands on itself",
    },
)


# ---------------------------------------------------------------- 00.3


LOG = "ops.run_log"


@dataclass(frozen=True)
class RunLog:
    """A run log and, by run date, the moment the data was there (naive, Berlin), or None.

    retried: the first `publish` failed; stopped: at the quality check; gave_up: every `publish` failed.
    """

    tables: dict[str, Any]
    ready: dict[dt.date, dt.datetime | None]
    summer: dt.date
    winter: dt.date
    retried: dt.date
    stopped: dt.date
    gave_up: dt.date

    def rows(self, day: dt.date) -> list[dict[str, Any]]:
        """The attempts of one morning."""
        return [r for r in self.tables[LOG].to_pylist() if r["run_date"] == day]


def run_log(seed: int) -> RunLog:
    """Six mornings around the end of summer time; see RunLog for what went wrong on three of them."""
    import pyarrow as pa

    summer, retried, plain, stopped, winter, gave_up = (dt.date(2025, 10, 24) + dt.timedelta(days=n) for n in range(6))
    rows = []
    for n, day in enumerate((summer, retried, plain, stopped, winter, gave_up)):
        built = 18 + (seed * (n + 3)) % 23
        steps = [("ingest_orders", 1, "success", 0, 6), ("dbt_run", 1, "success", 6, built)]
        steps += [("quality_check", 1, "failed" if day == stopped else "success", built, built + 2)]
        if day in (retried, gave_up):
            second = "success" if day == retried else "failed"
            steps += [("publish", 1, "failed", built + 2, built + 5), ("publish", 2, second, built + 15, built + 19)]
        elif day != stopped:
            steps += [("publish", 1, "success", built + 2, built + 5)]
        rows += [_attempt(day, *step) for step in steps]
    ready = dict.fromkeys((stopped, gave_up))
    for row in rows:
        if row["step"] == "publish" and row["status"] == "success":
            ready[row["run_date"]] = _in_berlin(row["finished_at"])
    local = [
        {**row, **{c: _in_berlin(row[c]) for c in ("scheduled_at", "started_at", "finished_at")}, "env": "prod"}
        for row in rows
    ]
    tables = {LOG: pa.Table.from_pylist(rows), f"{LOG}_local": pa.Table.from_pylist(local)}
    return RunLog(tables, ready, summer, winter, retried, stopped, gave_up)


def _attempt(day: dt.date, step: str, attempt: int, status: str, start: int, stop: int) -> dict[str, Any]:
    """A row of the log: a step that ran from minute `start` to minute `stop` after 05:30 Berlin time, written in UTC."""
    begun = dt.datetime.combine(day, dt.time(5, 30), BERLIN).astimezone(dt.UTC).replace(tzinfo=None)
    return {
        "run_id": f"{day}-prod",
        "run_date": day,
        "env": "prod",
        "step": step,
        "attempt": attempt,
        "status": status,
        "scheduled_at": begun,
        "started_at": begun + dt.timedelta(minutes=start),
        "finished_at": begun + dt.timedelta(minutes=stop),
    }


def _in_berlin(utc: dt.datetime) -> dt.datetime:
    return utc.replace(tzinfo=dt.UTC).astimezone(BERLIN).replace(tzinfo=None)


def _said_ready(work: Work, data: RunLog, day: dt.date) -> tuple[str, dt.datetime | None]:
    """What was tried, and the moment that was said: naive Berlin time, or None."""
    tried = f"ready_at(con, {day})"
    got = work.call("ready_at", Database(data.tables), day)
    return tried, None if got is None else moment(got, "What you return", "Europe/Berlin", tried=tried)


def local_time_of_publish(work: Work, data: RunLog) -> str:
    for day in (data.winter, data.summer):
        want, (tried, got) = data.ready[day], _said_ready(work, data, day)
        if got is None:
            said = f"On {day} `publish` succeeded, and you returned None."
            raise NotYet(said, tried=tried, expected=want, got="None", cause="nothing")
        if got != want:
            said, cause = _other_moment(data, day, want, got)
            raise NotYet(said, tried=tried, expected=want, got=got, cause=cause)
    return (
        f"{data.winter} at {data.ready[data.winter]:%H:%M}, {data.summer} at {data.ready[data.summer]:%H:%M}, Berlin time."
    )


def _other_moment(data: RunLog, day: dt.date, want: dt.datetime, got: dt.datetime) -> tuple[str, str]:
    """What a wrong moment is, where it can be found in the log: (sentence, cause)."""
    ahead = "an hour" if day == data.winter else "two hours"
    utc = want.replace(tzinfo=BERLIN).astimezone(dt.UTC).replace(tzinfo=None)
    if got == utc:
        return f"That is the time as the log has it, which is UTC. On {day} Berlin is {ahead} ahead of it.", "utc"
    if got - utc in (dt.timedelta(hours=1), dt.timedelta(hours=2)):
        fixed = round((got - utc).total_seconds() / 3600)
        said = f"That is UTC plus {fixed} h; on {day} Berlin is {ahead} ahead. Convert by the time zone's name."
        return said, "fixed-offset"
    for row in data.rows(day):
        for column in ("started_at", "finished_at"):
            if _in_berlin(row[column]) == got:
                said = f"That is `{column}` of `{row['step']}`. Readers see the data when `publish` has finished."
                return said, "other-step"
    off = round((got - want).total_seconds() / 60)
    return f"{abs(off)} minutes too {'late' if off > 0 else 'early'}.", "moment"


def the_successful_attempt(work: Work, data: RunLog) -> str:
    want, (tried, got) = data.ready[data.retried], _said_ready(work, data, data.retried)
    if got != want:
        first = next(r for r in data.rows(data.retried) if r["step"] == "publish")
        story = f"On {data.retried} the first `publish` failed and the second succeeded."
        if got == _in_berlin(first["finished_at"]):
            said, cause = f"{story} You took the first; it put data in front of nobody.", "failed-attempt"
        elif got is None:
            said, cause = f"{story} The readers had their data in the end; you returned None.", "gave-up-early"
        else:
            said, cause = f"{story} That is neither of them.", "moment"
        raise NotYet(said, tried=tried, expected=want, got="None" if got is None else got, cause=cause)
    return f"{data.retried}: {want:%H:%M}, on the second attempt."


def never_ready(work: Work, data: RunLog) -> str:
    for day, why in (
        (data.stopped, "the quality check failed and nothing was published"),
        (data.gave_up, "each `publish` failed"),
    ):
        tried, got = _said_ready(work, data, day)
        if got is not None:
            said, cause = (
                f"On {day} {why}: the answer is None.",
                "never-published" if day == data.stopped else "failed-publish",
            )
            raise NotYet(said, tried=tried, expected="None", got=got, cause=cause)
    return f"{data.stopped} and {data.gave_up}: nothing was published, and you say so."


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
        wrong(
            "adds one hour", _READY.format(status=_ONLY, result="found and found + dt.timedelta(hours=1)"), "fixed-offset"
        ),
        wrong(
            "adds two hours", _READY.format(status=_ONLY, result="found and found + dt.timedelta(hours=2)"), "fixed-offset"
        ),
        wrong(
            "takes the quality check",
            _READY.format(status=_ONLY, result=_TO_BERLIN).replace("'publish'", "'quality_check'"),
            "other-step",
        ),
        wrong(
            "the first publish, failed or not",
            _READY.format(status="", result=_TO_BERLIN).replace("max(", "min("),
            "failed-attempt",
        ),
        wrong("the last publish, failed or not", _READY.format(status="", result=_TO_BERLIN), "failed-publish"),
        wrong("first attempts only", _READY.format(status=_ONLY + " and attempt = 1", result=_TO_BERLIN), "gave-up-early"),
        wrong(
            "when publish began",
            _READY.format(status=_ONLY, result=_TO_BERLIN).replace("max(finished_at)", "max(started_at)"),
            "other-step",
        ),
        wrong(
            "by the machine's clock",
            _READY.format(
                status=_ONLY, result="found and found.replace(tzinfo=dt.timezone.utc).astimezone().replace(tzinfo=None)"
            ),
            "machine-zone",
            "utc",
            "moment",
        ),
        wrong(
            "eight o'clock always",
            "import datetime as dt\n\ndef ready_at(con, run_date):\n    return dt.datetime.combine(run_date, dt.time(8))",
            "moment",
        ),
        wrong("a text", _READY.format(status=_ONLY, result="found and str(" + _TO_BERLIN[10:] + ")"), "type"),
        wrong(
            "falls back to the last step",
            _READY.format(status="", result=_TO_BERLIN).replace("step = 'publish'", "step >= 'publish'"),
            "never-published",
        ),
    ),
    right=(
        right(
            "all in SQL",
            "def ready_at(con, run_date):\n    return con.execute(\"\"\"select timezone('Europe/Berlin', timezone('UTC', max(finished_at))) from ops.run_log\n        where step = 'publish' and status = 'success' and run_date = ?\"\"\", [run_date]).fetchone()[0]",
        ),
        right(
            "from the view in Berlin time",
            "def ready_at(con, run_date):\n    return con.execute(\"select max(finished_at) from ops.run_log_local where step = 'publish' and status = 'success' and run_date = ?\", [run_date]).fetchone()[0]",
        ),
        right(
            "in UTC, and saying so", _READY.format(status=_ONLY, result="found and found.replace(tzinfo=dt.timezone.utc)")
        ),
        right(
            "with pandas, aware",
            "def ready_at(con, run_date):\n    log = con.execute(\"select finished_at from ops.run_log where step='publish' and status='success' and run_date = ?\", [run_date]).df()\n    if log.empty:\n        return None\n    return log.finished_at.dt.tz_localize('UTC').dt.tz_convert('Europe/Berlin').max().to_pydatetime()",
        ),
    ),
    clauses={
        "Its times are UTC": "stays in UTC",
        "where the clocks went back on 26 October": "adds one hour",
        "the Berlin wall time": "by the machine's clock",
        "(a `datetime`)": "a text",
        "at which readers had the data": "when publish began",
        "on which `publish` failed first": "the first publish, failed or not",
        "or `None` when they never got it": "the last publish, failed or not",
        "one that stopped at the quality check": "falls back to the last step",
    },
    spared={"max( → min(": "a morning publishes successfully once, so its first and its last success are the same"},
)


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


KEY = ("order_id", "line_number")


def _lines(work: Work, tables: dict[str, Any], tried: str) -> list[tuple[int, int]]:
    """The lines that were named, as pairs of whole numbers."""
    found = rows(work.call("lost_lines", Database(tables)), "What you return", KEY, tried=tried)
    return [tuple(whole_number(v, f"`{c}`", tried=tried) for c, v in zip(KEY, row, strict=True)) for row in found]


def finds_the_lost_lines(work: Work, data: Loss) -> str:
    tried = "lost_lines(con) where the fact table lost some lines"
    answer = _lines(work, data.tables, tried)
    got, twice = set(answer), repeated(answer)
    if got != data.lost:
        said, cause = _other_lines(data, got)
    elif twice:
        said, cause = f"{len(twice)} lines are named more than once, such as {twice[0]}.", "twice"
    else:
        return f"All {len(data.lost)} lost lines found."
    raise NotYet(said, tried=tried, expected=f"{len(data.lost)} lines", got=f"{len(answer)} entries", cause=cause)


def _other_lines(data: Loss, got: set[tuple[int, int]]) -> tuple[str, str]:
    """What a wrong set of lines leaves out or adds, with one of them: (sentence, cause)."""
    missing, extra = sorted(data.lost - got), sorted(got - data.lost)
    there = set(data.tables["marts.fact_sales"]["order_id"].to_pylist())
    if not got:
        return f"{len(missing)} lines are gone and you found none. Which table is the complete one?", "direction"
    if not extra and all(order not in there for order, _ in got):
        said = (
            f"You found the {len(got)} lines of an order that is gone as a whole; {len(missing)} lines are gone from orders"
        )
        return f"{said} that are still there, such as {missing[0]}.", "whole-orders"
    if not extra and all(order in there for order, _ in got) and all(order not in there for order, _ in missing):
        said = f"An order that is gone as a whole is missing from your answer, with its {len(missing)} lines, such as"
        return f"{said} {missing[0]}.", "single-lines"
    states = {r["order_id"]: r["status"] for r in data.whole["raw.orders"].to_pylist()}
    if not extra and len({states[order] for order, _ in missing} & {states[order] for order, _ in got}) == 0:
        state = states[missing[0][0]]
        said = f"{len(missing)} lost lines not found, such as {missing[0]}, whose order is {state}. A line counts whatever became"
        return f"{said} of its order.", "state"
    said = f"{len(missing)} lost lines not found, {len(extra)} named that are not lost."
    return f"{said} One of them: {(missing or extra)[0]}.", "lines"


def is_silent_when_whole(work: Work, data: Loss) -> str:
    tried = "lost_lines(con) where nothing is lost"
    got = _lines(work, data.whole, tried)
    if got:
        said = f"Nothing is lost here, and you name {len(got)} lines."
        raise NotYet(said, tried=tried, expected="no lines", got=sorted(got)[:5], cause="false-alarm")
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
        wrong(
            "whole orders only",
            _LOST.format(
                "select order_id, line_number from raw.order_items where order_id not in (select order_id from marts.fact_sales)"
            ),
            "whole-orders",
        ),
        wrong(
            "the wrong way round",
            _LOST.format(
                "select order_id, line_number from marts.fact_sales anti join raw.order_items using (order_id, line_number)"
            ),
            "direction",
        ),
        wrong(
            "orders, not lines",
            _LOST.format(
                "select distinct order_id from raw.order_items anti join marts.fact_sales using (order_id, line_number)"
            ),
            "grain",
        ),
        wrong(
            "inside orders that are still there",
            _LOST.format(
                "select i.order_id, i.line_number from raw.order_items i anti join marts.fact_sales f using (order_id, line_number) where i.order_id in (select order_id from marts.fact_sales)"
            ),
            "single-lines",
        ),
        wrong(
            "paid orders only",
            _LOST.format(
                "select i.order_id, i.line_number from raw.order_items i join raw.orders o using (order_id) anti join marts.fact_sales f using (order_id, line_number) where o.status in ('paid', 'shipped')"
            ),
            "state",
        ),
        wrong(
            "a line for each line of its order",
            _LOST.format(
                "select i.order_id, i.line_number from raw.order_items i join raw.order_items other on other.order_id = i.order_id anti join marts.fact_sales f on f.order_id = i.order_id and f.line_number = i.line_number"
            ),
            "twice",
        ),
        wrong(
            "always the last line of all",
            "def lost_lines(con):\n    lost = con.execute('select order_id, line_number from raw.order_items except select order_id, line_number from marts.fact_sales').fetchall()\n    return lost or con.execute('select max((order_id, line_number)) from raw.order_items').fetchall()[0]",
            "false-alarm",
            "grain",
        ),
        wrong(
            "lines that earned nothing",
            _LOST.format(
                "select order_id, line_number from raw.order_items left join marts.fact_sales f using (order_id, line_number) where coalesce(f.line_revenue, 0) = 0"
            ),
            "lines",
        ),
    ),
    right=(
        right(
            "except",
            _LOST.format(
                "select order_id, line_number from raw.order_items except select order_id, line_number from marts.fact_sales"
            ),
        ),
        right(
            "left join, null",
            _LOST.format(
                "select i.order_id, i.line_number from raw.order_items i left join marts.fact_sales f on f.order_id = i.order_id and f.line_number = i.line_number where f.order_id is null"
            ),
        ),
        right(
            "sets in Python",
            "def lost_lines(con):\n    sold = set(con.execute('select order_id, line_number from raw.order_items').fetchall())\n    return sold - set(con.execute('select order_id, line_number from marts.fact_sales').fetchall())",
        ),
    ),
    clauses={
        "every order line": "whole orders only",
        "one order as a whole": "inside orders that are still there",
        "whatever became of the order": "paid orders only",
        "a list of `(order_id, line_number)`": "orders, not lines",
        "a company that lost nothing": "always the last line of all",
    },
)


# ---------------------------------------------------------------- 00.5

PROMISE = "docs/promise.yml"
CONSUMERS = {"finance", "merchandising", "demand model"}
KEYS = ("product", "fresh_by", "time_zone", "quality", "consumers")


@dataclass(frozen=True)
class Promise:
    """Mornings to hold against the promise as written: (ready at, quality passed, kept?)."""

    mornings: tuple[tuple[dt.time | None, bool, bool], ...]


def promises(seed: int) -> Promise:
    """Mornings just before and after eight; the seed moves the minutes."""
    early, late = dt.time(7, 10 + seed % 47), dt.time(8, 1 + seed % 53)
    return Promise(
        ((early, True, True), (late, True, False), (early, False, False), (None, True, False), (dt.time(8, 0), True, True))
    )


def _promise(work: Work) -> dict[str, Any]:
    return mapping(parse_yaml(work.file(PROMISE), PROMISE), f"`{PROMISE}`", KEYS)


def names_the_product(work: Work, data: Promise) -> str:
    promise = _promise(work)
    meaning = "the table the promise is about"
    one_of(promise["product"], ("fact_sales", "marts.fact_sales"), "product", meaning, cause="product")
    named = texts(promise["consumers"], "`consumers`")
    known = {" ".join(name.lower().replace("_", " ").replace("-", " ").split()).removeprefix("the ") for name in named}
    if missing := sorted(CONSUMERS - known):
        said = f"`consumers` leaves out {', '.join(missing)}: whoever is not named is not called when it is late."
        raise NotYet(said, expected=sorted(CONSUMERS), got=named, cause="consumers")
    return "Product and all three consumers are named."


def can_be_held_to_it(work: Work, data: Promise) -> str:
    promise = _promise(work)
    _same_clock_as_berlin(promise["time_zone"])
    by, counts = clock_time(promise["fresh_by"], "`fresh_by`"), truth(promise["quality"], "`quality`")
    for ready, passed, kept in data.mornings:
        judged = ready is not None and ready <= by and (passed or not counts)
        if judged != kept:
            when = f"ready at {ready:%H:%M}" if ready else "never ready"
            tried = f"{when}, tests {'passed' if passed else 'failed'}"
            said = f"By your text this morning counts as {'kept' if judged else 'broken'}."
            cause = "quality" if not passed else "deadline"
            raise NotYet(
                said, tried=tried, expected="kept" if kept else "broken", got="kept" if judged else "broken", cause=cause
            )
    return "Five mornings judged by your text: all as finance would."


def _same_clock_as_berlin(name: Any) -> None:
    """NotYet where the zone is no zone, shows another time than Berlin in summer or winter, or is not Berlin's own."""
    if not isinstance(name, str):
        raise wrong_type("`time_zone`", "the name of a time zone", name)
    try:
        zone = ZoneInfo(name.strip())
    except (ValueError, OSError, LookupError):
        said = "`time_zone` is no name in the time zone database. Its names give a continent and a city."
        raise NotYet(said, expected="Europe/Berlin", got=name, cause="zone") from None
    for noon in (dt.datetime(2025, 7, 1, 12, tzinfo=BERLIN), dt.datetime(2025, 12, 1, 12, tzinfo=BERLIN)):
        there = noon.astimezone(zone)
        if there.replace(tzinfo=None) != noon.replace(tzinfo=None):
            said = "`time_zone` names a clock that is not Berlin's all year."
            tried = f"{noon:%H:%M} in Berlin on {noon:%-d %B %Y}"
            raise NotYet(said, tried=tried, expected="12:00", got=f"{there:%H:%M} by {name}", cause="zone")
    if name.strip() != "Europe/Berlin":
        said = "That zone shows the same time as Berlin today, but the promise is about Berlin's clock: name it in full."
        raise NotYet(said, expected="Europe/Berlin", got=name, cause="zone")


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
        Check("decides every morning: kept or broken", can_be_held_to_it, expected=lambda d: d.mornings, after=()),
    ),
    hints=(
        "Read the paragraph “What was promised” of the lesson again: a table, a time, a clock, a condition, three readers.",
        "Five keys: `product`, `fresh_by`, `time_zone`, `quality` (true: its tests must have passed), `consumers` (a list).",
        '`fresh_by: "08:00"` in quotes, `time_zone: Europe/Berlin`, `quality: true`, and `demand model` as the third consumer.',
    ),
    wrong=(
        wrong("the objective for the promise", {PROMISE: _PROMISE.replace("08:00", "07:00")}, "deadline"),
        wrong("no condition on quality", {PROMISE: _PROMISE.replace("quality: true\n", "")}, "keys"),
        wrong("quality does not count", {PROMISE: _PROMISE.replace("quality: true", "quality: false")}, "quality"),
        wrong("quality in quotes", {PROMISE: _PROMISE.replace("quality: true", "quality: 'true'")}, "type"),
        wrong("a zone that ends in October", {PROMISE: _PROMISE.replace("Europe/Berlin", "CEST")}, "zone"),
        wrong("a city without its continent", {PROMISE: _PROMISE.replace("Europe/Berlin", "Berlin")}, "zone"),
        wrong("a zone an hour away", {PROMISE: _PROMISE.replace("Europe/Berlin", "Europe/Lisbon")}, "zone"),
        wrong("an abbreviation", {PROMISE: _PROMISE.replace("Europe/Berlin", "CET")}, "zone"),
        wrong("before eight, not by eight", {PROMISE: _PROMISE.replace("08:00", "07:59")}, "deadline"),
        wrong(
            "consumers in one text",
            {PROMISE: _PROMISE.replace("[finance, merchandising, demand model]", "finance, merchandising, demand model")},
            "type",
        ),
        wrong("a whole number of hours", {PROMISE: _PROMISE.replace("'08:00'", "8")}, "time"),
        wrong("forgets the model", {PROMISE: _PROMISE.replace(", demand model", "")}, "consumers"),
        wrong("promises the dashboard's table", {PROMISE: _PROMISE.replace("fact_sales", "daily_revenue")}, "product"),
        wrong("half a file", {PROMISE: "product: fact_sales\nconsumers: [finance, merch"}, "yaml"),
        wrong("prose", {PROMISE: "We will be fresh by eight.\n"}, "shape"),
        wrong("a time nobody can read", {PROMISE: _PROMISE.replace("'08:00'", "eight")}, "time"),
    ),
    right=(
        right(
            "another order, other style",
            {
                PROMISE: "consumers:\n  - Demand model\n  - Finance\n  - Merchandising\nquality: yes\ntime_zone: 'Europe/Berlin'\nfresh_by: 08:00:00\nproduct: marts.fact_sales\nowner: platform team\n"
            },
        ),
        right(
            "as the lesson names them",
            {
                PROMISE: _PROMISE.replace(
                    "[finance, merchandising, demand model]", "[Finance, Merchandising, the demand model]"
                ).replace("'08:00'", "8:00")
            },
        ),
        right(
            "as JSON",
            {
                PROMISE: '{"product": "fact_sales", "fresh_by": "08:00", "time_zone": "Europe/Berlin", "quality": true, "consumers": ["finance", "merchandising", "demand_model"]}\n'
            },
        ),
    ),
    clauses={
        "the table the promise is about": "promises the dashboard's table",
        "the time of day": "the objective for the promise",
        "ready at eight sharp": "before eight, not by eight",
        "the clock that is meant": "a zone an hour away",
        "by its full name": "an abbreviation",
        "a morning whose tests failed counts as broken": "quality does not count",
        "everybody who relies on it": "forgets the model",
    },
)


MODULE = Module(
    key="00",
    stem="00-start-here",
    title="Start here: a company, its data and its morning",
    tasks=(TASK_1, TASK_2, TASK_3, TASK_4, TASK_5),
)
