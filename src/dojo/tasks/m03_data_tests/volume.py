"""Task 03.3: a generic test of volume, which must work on any model and see days that have no rows at all."""

from __future__ import annotations

import datetime as dt
import re
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import diagnosis
from dojo.tasks.samples import company
from dojo.tools import untested_project
from shopflow.tables import BATCH_ROWS

MACRO = "macros/test_volume_in_line.sql"
AS_OF = dt.date.fromisoformat(untested_project.AS_OF)
"""The last day of the judge's data: nine days after Black Friday."""
USES = {
    "orders": ("stg_orders", "business_date", 0.7),
    "orders_lenient": ("stg_orders", "business_date", 0.2),
    "payments": ("stg_payments", "paid_at", 0.5),
}
"""How the judge uses the test: model, column (a date or a timestamp), at_least."""
WINDOW = 21

Counts = dict[dt.date, int]
Found = dict[tuple[str, str], int]
"""By case and use, how many days the test returns."""


@dataclass(frozen=True)
class Case:
    """One state of the data: what is special about it, the tables that differ, the rows a day of both models."""

    name: str
    said: str
    changed: dict[str, Any]
    counts: dict[str, Counts]


@dataclass(frozen=True)
class Weeks:
    """Six weeks around Black Friday, what may happen to their days, and how many days each use must return there."""

    tables: dict[str, Any]
    cases: tuple[Case, ...]

    def found(self, **reading: Any) -> Found:
        """What a test finds in every case and use, under a reading of the rule (see out_of_line)."""
        counted = {(c.name, use): len(out_of_line(c.counts, use, **reading)) for c in self.cases for use in USES}
        return {key: _told(*key, n) for key, n in counted.items()}


def _told(case: str, use: str, days: int) -> int:
    """The days that count: of an empty table nobody can say how many there are, only that it fails."""
    return min(days, 1) if case == "empty" and USES[use][0] == "stg_orders" else days


def out_of_line(
    counts: dict[str, Counts],
    use: str,
    *,
    usual: Callable[[list[int]], float] = statistics.median,
    below: Callable[[float, float], bool] = lambda n, limit: n < limit,
    at_least: float | None = None,
    least_before: int = WINDOW,
    grouped: bool = False,
    until: str = "as_of",
    always: str = "",
    nothing: bool = True,
) -> list[dt.date]:
    """The days that a use of the test returns. The keywords say how a wrong answer reads the rule.

    usual, below: what a day is compared with, and how; least_before: days before it from which on it is judged; grouped: days without rows are left out; until: "as_of", "newest" row, or the earlier of both
    ("both"); always: the model that is counted whatever the use; nothing: whether no rows at all are out of line.
    """
    model, _, share = USES[use]
    of_day = counts[always or model]
    if not of_day and until != "as_of":
        return []
    newest = max(of_day, default=AS_OF)
    last = {"as_of": AS_OF, "newest": newest, "both": min(AS_OF, newest)}[until]
    first = min(of_day, default=AS_OF - dt.timedelta(days=WINDOW))
    days = [first + dt.timedelta(days=n) for n in range((last - first).days + 1)]
    days = [day for day in days if not grouped or of_day.get(day)]
    rows = [of_day.get(day, 0) for day in days]
    found = []
    for k, day in enumerate(days):
        before = rows[max(0, k - WINDOW) : k]
        if len(before) < max(1, least_before):
            continue
        limit = (share if at_least is None else at_least) * usual(before)
        if below(rows[k], limit) or (nothing and limit == rows[k] == 0):
            found.append(day)
    return found


def _mean(rows: list[int]) -> float:
    return sum(rows) / len(rows)


MISREADINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "average": (
        "You compare with the mean. Black Friday lifts it for three weeks; a median hardly minds.",
        {"usual": _mean},
    ),
    "at-most": (
        "You fail a day that has exactly `at_least` times what is usual. “Fewer than” leaves it in line.",
        {"below": lambda n, limit: n <= limit},
    ),
    "early": ("You judge days that have fewer than 21 days before them.", {"least_before": 1}),
    "grouped": (
        "A day without rows is in no group, so your test never sees it: make the days first, then count.",
        {"grouped": True, "until": "newest"},
    ),
    "grouped-until-as-of": (
        "A day without rows is in no group, so your test never sees it: make the days first, then count.",
        {"grouped": True, "until": "both"},
    ),
    "newest": (
        'Your days end at the newest row. The last day that has to be there is `var("as_of")`: rows may lie after it, or be missing before it.',
        {"until": "newest"},
    ),
    "newest-until-as-of": (
        'Your days end at the newest row. When nothing has come of the last day, `var("as_of")`, nobody notices.',
        {"until": "both"},
    ),
    "ignores-at-least": ("Your test compares with one share whatever `at_least` says.", {"at_least": 0.5}),
    "ignores-model": ("Your test counts orders whatever model it is put on.", {"always": "stg_orders"}),
    "nothing-is-fine": ("No rows at all, today and three weeks long, are in line by your test.", {"nothing": False}),
}
"""How people misread the rule: by cause the sentence to the learner, and the reading (see out_of_line)."""


def weeks(seed: int) -> Weeks:
    """Clean weeks; days that are missing, thin or exactly at the limit; first weeks; an empty table."""
    small = company(seed, 42, 3_000, AS_OF)
    orders, payments = small.tables["raw.orders"], small.tables["raw.payments"]
    tables = {name: table for name, table in small.tables.items() if name.startswith("raw.")}
    middle = AS_OF - dt.timedelta(days=2 + seed % 5)
    early, judged = (small.first + dt.timedelta(days=n) for n in (WINDOW - 1, WINDOW))

    def thin(day: dt.date, share: float) -> dict[str, Any]:
        return {"raw.orders": _thinned(orders, "ordered_at", day, share)}

    both = _thinned(_thinned(orders, "ordered_at", middle, 0), "ordered_at", AS_OF, 0)
    cases = (
        ("clean", "Nothing is wrong.", {}),
        ("missing-day", f"Nothing was ordered on {middle}.", thin(middle, 0)),
        ("missing-last-day", f"Nothing has come of {AS_OF}, the last day.", thin(AS_OF, 0)),
        ("two-missing-days", f"Nothing was ordered on {middle} nor on {AS_OF}: two days, two rows.", {"raw.orders": both}),
        ("half-a-day", f"{middle} has four orders in ten.", thin(middle, 0.4)),
        ("half-a-last-day", f"{AS_OF} has four orders in ten.", thin(AS_OF, 0.4)),
        (
            "first-weeks",
            f"{early}, the data's twenty-first day, has one order in twenty, and only twenty days before it.",
            thin(early, 0.05),
        ),
        ("first-judged-day", f"{judged} has one order in twenty, and twenty-one days before it.", thin(judged, 0.05)),
        ("missing-payments", f"Nothing was paid on {middle}.", {"raw.payments": _thinned(payments, "paid_at", middle, 0)}),
        (
            "exactly-half",
            f"Every day has 30 payments and {AS_OF} has 15: exactly half of what is usual.",
            {"raw.payments": _exactly_half(payments)},
        ),
        ("empty", "The table is empty.", {"raw.orders": orders.slice(0, 0)}),
    )
    return Weeks(tables, tuple(Case(name, said, changed, _counts({**tables, **changed})) for name, said, changed in cases))


def _counts(tables: dict[str, Any]) -> dict[str, Counts]:
    """Rows a day of both models: orders by their day in Berlin, payments by that of their timestamp."""
    return {
        "stg_orders": _by_day(tables["raw.orders"], "timezone('Europe/Berlin', timezone('UTC', ordered_at))"),
        "stg_payments": _by_day(tables["raw.payments"], "paid_at"),
    }


def _by_day(table: Any, moment: str) -> Counts:
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("incoming", table)
        return Counter(dict(con.execute(f"select ({moment})::date, count(*) from incoming group by 1").fetchall()))
    finally:
        con.close()


def _exactly_half(payments: Any) -> Any:
    """Thirty payments on every day, fifteen on the last."""
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("incoming", payments)
        return con.execute(f"""
            select * from incoming where paid_at::date <= date '{AS_OF}'
            qualify row_number() over (partition by paid_at::date order by payment_id)
                <= case when paid_at::date = date '{AS_OF}' then 15 else 30 end
            order by all
        """).to_arrow_table(BATCH_ROWS)
    finally:
        con.close()


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
        return con.execute(query).to_arrow_table(BATCH_ROWS)
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


def _tried(work: Work, data: Weeks) -> Found:
    """By case and use: how many days the test returned there. NotYet when dbt or the database cannot run it."""
    text = work.file(f"repo/dbt/{MACRO}")
    if not re.search(r"\{%-?\s*(data_)?test\s+volume_in_line\b", text):
        look = "A generic test is a block `{% test volume_in_line(model, column_name, at_least) %} … {% endtest %}`."
        raise NotYet("The file defines no generic test `volume_in_line`.", cause="no-test", look=look)
    request = {
        "name": "03.3",
        "base": "untested",
        "files": {**untested_project.in_ci(), MACRO: text, "models/staging/_orders.yml": _uses()},
        "variables": {"as_of": untested_project.AS_OF},
        "tables": data.tables,
        "states": {case.name: case.changed for case in data.cases},
    }
    answer = work.once(("03.3", id(data)), lambda: work.tool("dbt", request))
    if answer["error"]:
        raise NotYet("dbt cannot use the macro.", cause="dbt", tried="dbt compile", look=answer["error"])
    found: Found = {}
    for case in data.cases:
        for use in USES:
            test = answer["states"][case.name][f"use_{use}"]
            if test["status"] == "error":
                look = "Everything it needs to know comes through its arguments and `var('as_of')`."
                model, column, _ = USES[use]
                said = f"The test cannot run on `{model}.{column}`."
                raise NotYet(said, tried=f"{_said(use)}; {case.name}", cause="test-error", got=test["message"], look=look)
            found[case.name, use] = _told(case.name, use, test["failures"])
    return found


def _said(use: str) -> str:
    model, column, at_least = USES[use]
    return f"volume_in_line(at_least: {at_least}) on {model}.{column}"


def _judge(work: Work, data: Weeks, cases: tuple[str, ...], uses: tuple[str, ...]) -> None:
    """NotYet for the first of these cases in which a use does not return as many days as are out of line."""
    got, want = _tried(work, data), data.found()
    looked_at = [(case, use) for case in data.cases for use in uses if case.name in cases]
    wrong_ones = [(case, use) for case, use in looked_at if got[case.name, use] != want[case.name, use]]
    if not wrong_ones:
        return
    case, use = wrong_ones[0]
    otherwise = case.said, f"{'missed' if got[case.name, use] < want[case.name, use] else 'false-alarm'}-{case.name}"
    said, cause = diagnosis(MISREADINGS, lambda reading: got == data.found(**reading), otherwise)
    days = ", ".join(str(day) for day in out_of_line(case.counts, use)) or "none"
    raise NotYet(
        said,
        tried=f"{_said(use)}; {case.name}",
        expected=_days(want[case.name, use]),
        got=_days(got[case.name, use]),
        cause=cause,
        look=f"{case.said} Out of line: {days}.",
    )


def _days(n: int) -> str:
    return f"{n} day" if n == 1 else f"{n} days"


def sees_missing_and_thin_days(work: Work, data: Weeks) -> str:
    cases = ("clean", "missing-day", "missing-last-day", "two-missing-days", "half-a-day", "half-a-last-day")
    _judge(work, data, cases, ("orders",))
    return "Missing and thin days are seen, through Black Friday and the week after it, and no other day."


def judges_by_the_days_before(work: Work, data: Weeks) -> str:
    _judge(work, data, ("first-weeks", "first-judged-day", "exactly-half", "empty"), tuple(USES))
    return "The first weeks, a day exactly at the limit and an empty table are judged as the rule says."


def heeds_its_arguments(work: Work, data: Weeks) -> str:
    _judge(work, data, tuple(case.name for case in data.cases), tuple(USES))
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
    return {f"repo/dbt/{MACRO}": edited(_REFERENCE, (old, new))}


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
    executes=True,
    seconds=120,
    mutants=8,
    checks=(
        Check(
            "fails on missing and thin days, and on no other",
            sees_missing_and_thin_days,
            expected=lambda d: [c.said for c in d.cases],
        ),
        Check("judges a day by the 21 days before it", judges_by_the_days_before),
        Check("heeds model, column and at_least", heeds_its_arguments),
    ),
    hints=(
        "`group by` makes no group for a day without rows. Where could the list of days come from instead?",
        "`generate_series` from the first day to `var('as_of')`, left joined with the counts; then a window of the 21 rows before, and their median.",
        "`median(coalesce(n, 0)) over (order by day rows between 21 preceding and 1 preceding)` and, in the same window, `count(*) = 21` "
        "to leave out the first three weeks. Fail where n < at_least * usual.",
    ),
    wrong=(
        wrong("counts per group", {f"repo/dbt/{MACRO}": _BY_GROUP}, "grouped-until-as-of"),
        wrong(
            "days up to the newest row",
            _changed(
                """), date '{{ var("as_of") }}', interval 1 day""", "), (select max(day) from counted), interval 1 day"
            ),
            "newest",
        ),
        wrong(
            "days up to the newest row, without tomorrow",
            _changed(
                """), date '{{ var("as_of") }}', interval 1 day""",
                """), (select max(day) from counted where day <= '{{ var("as_of") }}'), interval 1 day""",
            ),
            "newest-until-as-of",
        ),
        wrong("an average", _changed("median(", "avg("), "average"),
        wrong("judges the first weeks", _changed("days_before = 21 and ", "days_before > 0 and "), "early"),
        wrong("always orders", _changed("from {{ model }}", "from {{ ref('stg_orders') }}"), "test-error"),
        wrong("half is half", _changed("{{ at_least }} * usual", "0.5 * usual"), "ignores-at-least"),
        wrong("exactly the limit fails too", _changed("n < {{ at_least }}", "n <= {{ at_least }}"), "at-most"),
        wrong(
            "one fixed number",
            _changed("n < {{ at_least }} * usual", "n < 20"),
            "missed-half-a-last-day",
            "missed-half-a-day",
        ),
        wrong("includes the day itself", _changed("21 preceding and 1 preceding", "20 preceding and current row"), "early"),
        wrong(
            "nothing at all is in line",
            _changed("(n = 0 or n < {{ at_least }} * usual)", "n < {{ at_least }} * usual"),
            "nothing-is-fine",
        ),
        wrong(
            "one row for all days",
            {
                f"repo/dbt/{MACRO}": _REFERENCE.replace(
                    "select day, n, usual\nfrom compared\n", "select min(day) as day\nfrom compared\n"
                ).replace("usual)\n{% endtest", "usual)\nhaving count(*) > 0\n{% endtest")
            },
            "missed-two-missing-days",
        ),
        wrong(
            "never fails",
            {
                f"repo/dbt/{MACRO}": "{% test volume_in_line(model, column_name, at_least) %}\nselect {{ column_name }} from {{ model }} where {{ at_least }} > 1\n{% endtest %}\n"
            },
            "missed-missing-day",
        ),
        wrong("forgets endtest", {f"repo/dbt/{MACRO}": _REFERENCE.replace("{% endtest %}\n", "")}, "dbt"),
        wrong("another name", {f"repo/dbt/{MACRO}": _REFERENCE.replace("volume_in_line", "volume")}, "no-test"),
    ),
    right=(
        right("a join with the weeks before", {f"repo/dbt/{MACRO}": _LATERAL}),
        right("lists instead of windows", {f"repo/dbt/{MACRO}": _LISTS}),
    ),
    clauses={
        "one row for each day": "one row for all days",
        "fewer rows than": "exactly the limit fails too",
        "the median of the 21 days before": "an average",
        "A day with fewer than 21 days before it is not judged": "judges the first weeks",
        "Whatever lies after it has only begun": "days up to the newest row",
        "The last day that has to be there": "days up to the newest row, without tomorrow",
        "an empty table fails": "nothing at all is in line",
        "works on any model": "always orders",
        "`at_least` times what is usual": "half is half",
    },
    spared={
        "line 10: 21": "an empty table may be judged over more days than needed",
        "line 18: 0": "a median of nothing may be 0 or 1: a day without rows fails either way",
    },
)
