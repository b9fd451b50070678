"""Task 03.3: a generic test of volume, which must work on any model and see days that have no rows at all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import yaml

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m03_data_tests import project
from dojo.tasks.samples import company

MACRO = "macros/test_volume_in_line.sql"
AS_OF = dt.date(2025, 12, 7)
"""The last day of the judge's data: nine days after Black Friday."""
USES = {
    "orders": ("stg_orders", "business_date", 0.7),
    "orders_lenient": ("stg_orders", "business_date", 0.2),
    "payments": ("stg_payments", "paid_at", 0.5),
}
"""How the judge uses the test: model, column (a date or a timestamp), at_least."""


@dataclass(frozen=True)
class Case:
    """One state of the data: what is wrong with it, and which uses of the test must fail."""

    name: str
    wrong: str
    failing: frozenset[str]
    changed: dict[str, Any]


@dataclass(frozen=True)
class Weeks:
    """Six weeks around Black Friday, and what may happen to their days."""

    tables: dict[str, Any]
    cases: tuple[Case, ...]


def weeks(seed: int) -> Weeks:
    """Clean weeks, a day that is missing in the middle, a last day that is missing, half days, on orders and on payments."""
    small = company(seed, 42, 3_000, AS_OF)
    orders, payments = small.tables["raw.orders"], small.tables["raw.payments"]
    middle = AS_OF - dt.timedelta(days=2 + seed % 5)
    first = small.first
    cases = (
        Case("clean", "", frozenset(), {}),
        Case("first-weeks", "", frozenset(), {"raw.orders": _thinned(orders, "ordered_at", first + dt.timedelta(days=20), 0.05)}),
        Case("first-judged-day", f"{first + dt.timedelta(days=21)} has one order in twenty; it has twenty-one days before it.", frozenset({"orders", "orders_lenient"}), {"raw.orders": _thinned(orders, "ordered_at", first + dt.timedelta(days=21), 0.05)}),
        Case("missing-day", f"Nothing was ordered on {middle}.", frozenset({"orders", "orders_lenient"}), {"raw.orders": _thinned(orders, "ordered_at", middle, 0)}),
        Case("missing-last-day", f"Nothing has come of {AS_OF}, the last day.", frozenset({"orders", "orders_lenient"}), {"raw.orders": _thinned(orders, "ordered_at", AS_OF, 0)}),
        Case("half-a-day", f"{middle} has four orders in ten.", frozenset({"orders"}), {"raw.orders": _thinned(orders, "ordered_at", middle, 0.4)}),
        Case("half-a-last-day", f"{AS_OF} has four orders in ten.", frozenset({"orders"}), {"raw.orders": _thinned(orders, "ordered_at", AS_OF, 0.4)}),
        Case("missing-payments", f"Nothing was paid on {middle}.", frozenset({"payments"}), {"raw.payments": _thinned(payments, "paid_at", middle, 0)}),
        Case("empty", "The table is empty.", frozenset({"orders", "orders_lenient"}), {"raw.orders": orders.slice(0, 0)}),
    )  # fmt: skip
    return Weeks({name: table for name, table in small.tables.items() if name.startswith("raw.")}, cases)


def _thinned(table: Any, column: str, day: dt.date, share: float) -> Any:
    """The table with only a share of one Berlin day's rows, the earliest of them."""
    import duckdb

    query = f"""
        with t as (select *, timezone('Europe/Berlin', timezone('UTC', {column}))::date as berlin, {column}::date as utc from incoming)
        select * exclude (berlin, utc) from t
        qualify not (berlin = date '{day}' or utc = date '{day}')
            or row_number() over (partition by berlin = date '{day}' or utc = date '{day}' order by {column})
               <= {share} * count(*) over (partition by berlin = date '{day}' or utc = date '{day}')
        order by all
    """
    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("incoming", table)
        return con.execute(query).to_arrow_table()
    finally:
        con.close()


def _uses() -> str:
    """The judge's own YAML, in which the learner's test is used three times."""
    models: dict[str, dict[str, Any]] = {}
    for name, (model, column, at_least) in USES.items():
        columns = models.setdefault(model, {}).setdefault(column, [])
        columns.append({"volume_in_line": {"name": f"use_{name}", "arguments": {"at_least": at_least}}})
    entries = [
        {"name": m, "columns": [{"name": c, "data_tests": tests} for c, tests in columns.items()]}
        for m, columns in models.items()
    ]
    return yaml.safe_dump({"models": entries})


_LATEST: dict[tuple[str, int], dict[str, Any]] = {}


def _tried(work: Work, data: Weeks) -> dict[str, dict[str, Any]]:
    """By case and use: how often the test failed there. NotYet when dbt or the database cannot run it."""
    text = work.file(f"repo/dbt/{MACRO}")
    key = (text, id(data))
    if key not in _LATEST:
        while len(_LATEST) > 3:
            _LATEST.pop(next(iter(_LATEST)))
        files = {**project.files(), MACRO: text, "models/staging/_orders.yml": _uses()}
        request = {
            "name": "03.3", "files": files, "tables": data.tables, "variables": {"as_of": str(AS_OF)},
            "states": {case.name: case.changed for case in data.cases},
        }  # fmt: skip
        _LATEST[key] = work.tool("dbt", request)
    answer = _LATEST[key]
    if answer["error"]:
        look = "A generic test is a block `{% test volume_in_line(model, column_name, at_least) %} … {% endtest %}`."
        raise NotYet("dbt cannot use the macro.", cause="dbt", tried="dbt compile", got=answer["error"][:700], look=look)
    found: dict[str, dict[str, Any]] = {}
    for case in data.cases:
        tests = answer["states"][case.name]
        found[case.name] = {use: tests[f"use_{use}"] for use in USES}
        for use, test in found[case.name].items():
            if test["status"] == "error":
                model, column, _ = USES[use]
                said = f"The test cannot run on `{model}.{column}`: {test['message']}"
                raise NotYet(
                    said,
                    tried=f"volume_in_line on {model}",
                    cause="test-error",
                    look="Everything it needs to know comes through its arguments and `var('as_of')`.",
                )
    return found


def _said(use: str) -> str:
    model, column, at_least = USES[use]
    return f"volume_in_line(at_least: {at_least}) on {model}.{column}"


def silent_on_clean_weeks(work: Work, data: Weeks) -> str:
    found = _tried(work, data)
    for use, test in found["clean"].items():
        if test["status"] == "pass":
            continue
        days = test["failures"]
        if use == "orders" and found["clean"]["orders_lenient"]["status"] == "pass" and days <= 12:
            raise NotYet(
                f"A false alarm on {days} ordinary days. Black Friday lies in the three weeks before them: it lifts an average, and a median hardly minds.",
                tried=_said(use), expected="no failing day", got=f"{days} failing days", cause="average",
            )  # fmt: skip
        raise NotYet(
            f"A false alarm on {days} {'day' if days == 1 else 'days'} of clean weeks.",
            tried=_said(use), expected="no failing day", got=f"{days} failing", cause="partial-day" if days == 1 else "false-alarm",
            look=f"`business_date` is Berlin's day, so orders after 23:00 UTC on {AS_OF} already belong to the next day. It has hardly begun."
            if days == 1 else "",
        )  # fmt: skip
    early = found["first-weeks"]["orders"]
    if early["status"] != "pass":
        raise NotYet(
            "The data's twenty-first day was thin, and you fail it. A day is held against the twenty-one days before it; where there are fewer, nobody can say.",
            tried=_said("orders"), expected="no failing day", got=f"{early['failures']} failing", cause="first-weeks",
        )  # fmt: skip
    return "Silent through Black Friday and the week after it."


def sees_missing_and_thin_days(work: Work, data: Weeks) -> str:
    found = _tried(work, data)
    for case in data.cases:
        for use in sorted(case.failing):
            if found[case.name][use]["status"] != "fail":
                last = str(AS_OF) in case.wrong or case.name == "empty"
                cause = "missed-last-day" if last and case.name != "half-a-last-day" else f"missed-{case.name}"
                look = (
                    "A day without rows is in no group: make the days first, then count." if "missing" in case.name else ""
                )
                if cause == "missed-last-day":
                    look = "Days go up to `var('as_of')`, the last day that should be here; the newest row may be older than that."
                raise NotYet(
                    f"{case.wrong} The test passed.",
                    tried=_said(use), expected="fail", got="pass", cause=cause, look=look,
                )  # fmt: skip
    return "Missing days, a missing last day, half days and an empty table are all seen."


def heeds_its_arguments(work: Work, data: Weeks) -> str:
    found = _tried(work, data)
    for case in data.cases[2:]:
        for use in sorted(set(USES) - case.failing):
            if found[case.name][use]["status"] == "pass":
                continue
            if use == "orders_lenient":
                raise NotYet(
                    f"{case.wrong} That is more than the two in ten this use asks for, and the test failed: it does not heed `at_least`.",
                    tried=_said(use), expected="pass", got="fail", cause="ignores-at-least",
                )  # fmt: skip
            raise NotYet(
                f"{case.wrong} The test failed on `{USES[use][0]}`, where nothing is wrong: it does not heed `model` or `column_name`.",
                tried=_said(use), expected="pass", got="fail", cause="ignores-model",
            )  # fmt: skip
    return "It judges the model, the column and the share it is given."


_REFERENCE = """\
{% test volume_in_line(model, column_name, at_least) %}
with counted as (
    select {{ column_name }}::date as day, count(*) as n
    from {{ model }}
    group by 1
),

days as (
    select unnest(generate_series(
        coalesce((select min(day) from counted), date '{{ var("as_of") }}' - 21), date '{{ var("as_of") }}', interval 1 day
    ))::date as day
),

compared as (
    select
        days.day,
        coalesce(counted.n, 0) as n,
        median(coalesce(counted.n, 0)) over weeks_before as usual,
        count(*) over weeks_before as days_before
    from days
    left join counted on days.day = counted.day
    window weeks_before as (order by days.day rows between 21 preceding and 1 preceding)
)

select day, n, usual
from compared
where days_before = 21 and (n = 0 or n < {{ at_least }} * usual)
{% endtest %}
"""


def _changed(old: str, new: str) -> dict[str, str]:
    if old not in _REFERENCE:
        raise ValueError(f"{old!r} is not in the reference")
    return {f"repo/dbt/{MACRO}": _REFERENCE.replace(old, new)}


_BY_GROUP = """\
{% test volume_in_line(model, column_name, at_least) %}
with counted as (
    select {{ column_name }}::date as day, count(*) as n from {{ model }} where {{ column_name }}::date <= '{{ var("as_of") }}' group by 1
)
select day from (
    select day, n, median(n) over (order by day rows between 21 preceding and 1 preceding) as usual, row_number() over (order by day) as k
    from counted
)
where k > 21 and n < {{ at_least }} * usual
{% endtest %}
"""

_LATERAL = """\
{% test volume_in_line(model, column_name, at_least) %}
with rows_of as (select cast({{ column_name }} as date) as d from {{ model }}),
begun as (select coalesce(min(d), cast('{{ var("as_of") }}' as date) - 22) as first_day from rows_of),
calendar as (
    select cast(range as date) as d, (select count(*) from rows_of where rows_of.d = cast(range as date)) as n
    from range((select first_day from begun)::timestamp, cast('{{ var("as_of") }}' as timestamp) + interval 1 day, interval 1 day)
)
select later.d, later.n, median(earlier.n) as usual
from calendar as later
join calendar as earlier on earlier.d between later.d - 21 and later.d - 1
group by later.d, later.n
having count(*) = 21 and (later.n < {{ at_least }} * median(earlier.n) or max(earlier.n) + later.n = 0)
{% endtest %}
"""

_LISTS = """\
{% test volume_in_line(model, column_name, at_least=0.5) %}
with held as (select list({{ column_name }}::date) as days, min({{ column_name }}::date) as first_day from {{ model }}),
calendar as (
    select unnest(range(coalesce(first_day, '{{ var("as_of") }}'::date - 21)::timestamp, '{{ var("as_of") }}'::timestamp + interval 1 day, interval 1 day))::date as day, days
    from held
),
counted as (select day, len(list_filter(coalesce(days, []), lambda d: d = day)) as n from calendar),
weeks as (select day, n, list(n) over (order by day rows between 21 preceding and 1 preceding) as week from counted)
select day, n, list_median(week) as usual
from weeks
where len(week) = 21 and (n < list_median(week) * {{ at_least }} or list_sum(week) + n = 0)
{% endtest %}
"""

TASK_3 = Task(
    id="03.3",
    title="A test for the rows that are not there",
    minutes=13,
    points=3,
    deliver=(file(f"repo/dbt/{MACRO}"),),
    data=weeks,
    mutants=16,
    checks=(
        Check("is silent on clean weeks", silent_on_clean_weeks),
        Check("fails on missing and thin days", sees_missing_and_thin_days, expected=lambda d: [c.wrong for c in d.cases]),
        Check("heeds model, column and at_least", heeds_its_arguments),
    ),
    hints=(
        "`group by` makes no group for a day without rows. Where could the list of days come from instead?",
        "`generate_series` from the first day to `var('as_of')`, left joined with the counts; then a window of the 21 rows before, and their median.",
        "`median(coalesce(n, 0)) over (order by day rows between 21 preceding and 1 preceding)` and, in the same window, `count(*) = 21` "
        "to leave out the first three weeks. Fail where n < at_least * usual.",
    ),
    wrong=(
        wrong("counts per group", {f"repo/dbt/{MACRO}": _BY_GROUP}, "missed-missing-day"),
        wrong("days up to the newest row", _changed("""), date '{{ var("as_of") }}', interval 1 day""", "), (select max(day) from counted), interval 1 day"), "partial-day"),
        wrong("days up to the newest row, without tomorrow", _changed("""), date '{{ var("as_of") }}', interval 1 day""", """), (select max(day) from counted where day <= '{{ var("as_of") }}'), interval 1 day"""), "missed-last-day"),
        wrong("an average", _changed("median(", "avg("), "average"),
        wrong("judges the first weeks", _changed("days_before = 21 and ", ""), "first-weeks"),
        wrong("always orders", _changed("from {{ model }}", "from {{ ref('stg_orders') }}"), "test-error"),
        wrong("half is half", _changed("{{ at_least }} * usual", "0.5 * usual"), "ignores-at-least"),
        wrong("one fixed number", _changed("n < {{ at_least }} * usual", "n < 20"), "missed-half-a-last-day"),
        wrong("includes the day itself", _changed("21 preceding and 1 preceding", "20 preceding and current row"), "first-weeks"),
        wrong("forgets endtest", {f"repo/dbt/{MACRO}": _REFERENCE.replace("{% endtest %}\n", "")}, "dbt"),
        wrong("another name", {f"repo/dbt/{MACRO}": _REFERENCE.replace("volume_in_line", "volume")}, "dbt"),
    ),
    right=(
        right("a join with the weeks before", {f"repo/dbt/{MACRO}": _LATERAL}),
        right("lists instead of windows", {f"repo/dbt/{MACRO}": _LISTS}),
    ),
    spared={
        "line 10: 21": "an empty table may be judged over more days than needed",
        "line 18: 0": "a median of nothing may be 0 or 1: a day without rows fails either way",
    },
)  # fmt: skip
