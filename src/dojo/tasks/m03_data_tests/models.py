"""Tasks 03.4 and 03.5: unit tests that a model's likely bugs do not survive, and a contract that refuses another shape."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Any

import yaml

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, parse_yaml, texts
from dojo.tasks.samples import company
from dojo.tools import untested_project
from dojo.tools.untested_project import CASH_BY_DAY

MODEL = "cash_by_day"


@dataclass(frozen=True)
class Variant:
    """The model in another form: a key, its SQL, and, where it is a bug, what it would cost and what it gets wrong."""

    key: str
    sql: str
    wrong: str = ""
    about: str = ""


@dataclass(frozen=True)
class Variants:
    """Forms of the model to try, on these tables (staging.* by name)."""

    all: tuple[Variant, ...]
    tables: dict[str, Any]


def _bug(key: str, wrong: str, old: str, new: str, about: str = "") -> Variant:
    return Variant(key, edited(CASH_BY_DAY, (old, new)), wrong, about)


REWRITTEN = """\
with rates as (
    select currency, rate_date, eur_per_unit,
        coalesce(lead(rate_date) over (partition by currency order by rate_date), date '9999-01-01') as until
    from {{ ref('stg_exchange_rates') }}
),

came as (
    select {{ business_date('p.paid_at') }} as d, p.amount * r.eur_per_unit as eur
    from {{ ref('stg_payments') }} as p
    inner join rates as r on p.currency = r.currency and {{ business_date('p.paid_at') }} >= r.rate_date and {{ business_date('p.paid_at') }} < r.until
    where p.status in ('captured', 'refunded')
),

went as (
    select {{ business_date('p.updated_at') }} as d, p.amount * r.eur_per_unit as eur
    from {{ ref('stg_payments') }} as p
    inner join rates as r on p.currency = r.currency and {{ business_date('p.updated_at') }} >= r.rate_date and {{ business_date('p.updated_at') }} < r.until
    where p.status = 'refunded'
)

select
    d as cash_date,
    (coalesce((select sum(eur) from came where came.d = days.d), 0))::decimal(14, 2) as money_in_eur,
    (coalesce((select sum(eur) from went where went.d = days.d), 0))::decimal(14, 2) as money_out_eur,
    (select count(*) from came where came.d = days.d)::bigint as payments
from (select d from came union select d from went) as days
"""
"""The same model, written by somebody else."""


def _tables(seed: int) -> dict[str, Any]:
    held = company(seed).tables
    return {f"ci_staging.stg_{name}": held[f"raw.{name}"] for name in ("payments", "exchange_rates")}


def _try(work: Work, task: str, args: list[str], files: dict[str, str], tables: dict[str, Any]) -> dict[str, Any]:
    """What dbt says of each node. NotYet in its words where it does not come to run."""
    request = {
        "name": task,
        "base": "untested",
        "files": {**untested_project.in_ci(), **files},
        "variables": {"as_of": untested_project.AS_OF},
        "tables": tables,
        "args": args,
    }
    answer = work.tool("dbt", request)
    if answer["error"]:
        raise NotYet("dbt cannot use the file.", cause="dbt", look=_as_written(answer["error"]), tried="dbt " + args[0])
    return {node["name"]: node for node in answer["nodes"]}


def _as_written(message: str) -> str:
    """dbt's words with the names that the learner wrote: the model and its tests are tried in copies, which carry numbers."""
    return re.sub(r"_copy\d+", "", message)


def _wanted(work: Work, variants: list[Variant]) -> list[Variant]:
    """The right forms, and of the wrong ones all or those that decide."""
    return [v for v in variants if not v.wrong or work.deciding is None or v.key in work.deciding]


# ---------------------------------------------------------------- 03.4

UNIT = f"models/marts/_{MODEL}_tests.yml"


def bugs(seed: int) -> Variants:
    """The model in two right forms, and with its likely bugs, one at a time."""
    first = "select {{ business_date('paid_at') }} as cash_date, currency, amount as money_in"
    back = "select {{ business_date('updated_at') }}, currency, 0, amount, 0"
    both = (
        _bug(
            "failed-counts",
            "Declined cards count as money that came in.",
            "    where status in ('captured', 'refunded')\n",
            "",
            "counts",
        ),
        _bug(
            "refund-on-paid-day",
            "A refund is booked on the day of the payment, so last month's closed books change.",
            back,
            back.replace("updated_at", "paid_at"),
            "days",
        ),
        _bug(
            "rate-of-the-day-only",
            "A day without a rate loses its money: the join finds nothing.",
            "asof join {{ ref('stg_exchange_rates') }} as rates\n    on moves.currency = rates.currency and moves.cash_date >= rates.rate_date",
            "join {{ ref('stg_exchange_rates') }} as rates\n    on moves.currency = rates.currency and moves.cash_date = rates.rate_date",
            "rates",
        ),
        _bug(
            "refunded-never-came",
            "A payment that is refunded later vanishes from the day it was paid.",
            "status in ('captured', 'refunded')",
            "status = 'captured'",
            "counts",
        ),
        _bug("refund-is-a-payment", "A refund is counted as one more payment.", back, back[:-1] + "1", "counts"),
        _bug(
            "paid-day-in-utc",
            "Payments after midnight in Berlin fall on the day before.",
            first,
            first.replace("{{ business_date('paid_at') }}", "paid_at::date"),
            "days",
        ),
        _bug(
            "refund-day-in-utc",
            "Refunds after midnight in Berlin fall on the day before.",
            back,
            back.replace("{{ business_date('updated_at') }}", "updated_at::date"),
            "days",
        ),
        _bug(
            "latest-rate",
            "Every day is converted at the newest rate there is, so that past days change whenever the pound does.",
            "asof join {{ ref('stg_exchange_rates') }} as rates\n    on moves.currency = rates.currency and moves.cash_date >= rates.rate_date",
            "join (select currency, max_by(eur_per_unit, rate_date) as eur_per_unit from {{ ref('stg_exchange_rates') }} group by currency) as rates\n    on moves.currency = rates.currency",
            "rates",
        ),
        _bug(
            "divided-by-the-rate",
            "Amounts are divided by the rate: 50 pounds are 43 euros.",
            "money_in * rates",
            "money_in / rates",
            "rates",
        ),
        _bug(
            "refund-without-rate",
            "Refunds are taken as euros, whatever their currency.",
            "sum(moves.money_out * rates.eur_per_unit)",
            "sum(moves.money_out)",
            "rates",
        ),
        _bug(
            "whole-euros",
            "Amounts are rounded to whole euros.",
            "sum(moves.money_in * rates.eur_per_unit)",
            "sum(round(moves.money_in * rates.eur_per_unit, 0))",
            "rates",
        ),
        _bug(
            "a-row-a-currency",
            "A day has one row for each currency.",
            "group by moves.cash_date",
            "group by moves.cash_date, moves.currency",
            "counts",
        ),
    )
    return Variants(
        (Variant("as-it-is", CASH_BY_DAY), Variant("rewritten", REWRITTEN), *random.Random(seed).sample(both, len(both))),
        {k: t.slice(0, 0) for k, t in _tables(11).items()},
    )


def _unit_tests(work: Work) -> list[dict[str, Any]]:
    content = parse_yaml(work.file(f"repo/dbt/{UNIT}"), UNIT)
    tests = mapping(content, f"`{UNIT}`", ["unit_tests"])["unit_tests"]
    if not isinstance(tests, list) or not all(isinstance(test, dict) for test in tests):
        raise NotYet("`unit_tests` is a list: name, model, given and expect of each test.", got=tests, cause="shape")
    of_model = [test for test in tests if test.get("model") == MODEL]
    if not of_model:
        found = [str(test.get("model")) for test in tests]
        raise NotYet(
            f"There is no unit test of `{MODEL}` in the file.", cause="no-tests", expected=f"model: {MODEL}", got=found
        )
    for test in of_model:
        mapping(test, "A unit test", ["name", "given", "expect"])
        texts([test["name"]], "`name`")
    return of_model


def _results(work: Work, variants: list[Variant], tables: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By variant: what dbt says of each of the learner's unit tests on it."""
    tests = _unit_tests(work)
    files, own = {}, []
    for number, variant in enumerate(variants):
        name = f"{MODEL}_copy{number}"
        files[f"models/marts/{name}.sql"] = variant.sql
        own += [{**t, "name": f"{t['name']}_copy{number}", "model": name} for t in tests]
    files[UNIT] = yaml.safe_dump({"unit_tests": own}, sort_keys=False, allow_unicode=True)
    nodes = _try(work, "03.4", ["test", "--select", "test_type:unit"], files, tables)
    return {
        v.key: [nodes[f"{t['name']}_copy{n}"] for t in tests if f"{t['name']}_copy{n}" in nodes]
        for n, v in enumerate(variants)
    }


def _on_right_models(work: Work, data: Variants) -> None:
    """NotYet for a unit test that does not pass on a right model: what it says of the others would mean nothing."""
    right_ones = [v for v in data.all if not v.wrong]
    results = work.once("unit tests on right models", lambda: _results(work, right_ones, data.tables))
    for variant in right_ones:
        for node in results[variant.key]:
            if node["status"] == "pass":
                continue
            as_it_is = variant.key == "as-it-is"
            name = _as_written(node["name"])
            where = "the model as it is" if as_it_is else "a right model that somebody else wrote"
            cause = "wrong-expectation" if as_it_is else "tied-to-the-text"
            raise NotYet(
                f"Your unit test `{name}` {'cannot run' if node['status'] == 'error' else 'does not pass'} on {where}.",
                tried=f"dbt test --select {name}",
                expected="pass",
                got=node["status"],
                cause="cannot-run" if node["status"] == "error" else cause,
                look=_as_written(node["message"]).strip(),
            )


def _notices(work: Work, data: Variants, about: str) -> str:
    """Every bug of that kind makes a unit test fail."""
    bugs_of = _wanted(work, sorted((v for v in data.all if v.wrong), key=lambda v: v.key))
    results = work.once("unit tests on broken models", lambda: _results(work, bugs_of, data.tables))
    tried = [v for v in bugs_of if v.about == about]
    alive = [v for v in tried if all(node["status"] == "pass" for node in results[v.key])]
    if alive:
        others = f" {len(alive) - 1} more of these bugs live." if len(alive) > 1 else ""
        raise NotYet(
            f"A bug lives: {alive[0].wrong} No unit test of yours fails.{others}",
            tried=f"your unit tests on {len(tried)} broken models",
            expected="at least one fails on each",
            got=f"{len(tried) - len(alive)} of {len(tried)} noticed",
            cause=f"alive-{alive[0].key}",
            look="Which input row would come out differently? Put that row under `given`.",
        )
    return f"{len(tried)} of {len(tried)} bugs noticed."


def notices_wrong_counts(work: Work, data: Variants) -> str:
    _on_right_models(work, data)
    return f"Two right models pass. {_notices(work, data, 'counts')}"


def notices_wrong_days(work: Work, data: Variants) -> str:
    return _notices(work, data, "days")


def notices_wrong_rates(work: Work, data: Variants) -> str:
    return _notices(work, data, "rates")


_UNIT = """\
unit_tests:
  - name: money_moves_on_its_berlin_day_at_the_last_known_rate
    model: cash_by_day
    given:
      - input: ref('stg_payments')
        rows:
          - {payment_id: 1, amount: 100.40, currency: EUR, status: captured, paid_at: "2025-11-03 23:30:00", updated_at: "2025-11-03 23:30:00"}
          - {payment_id: 2, amount: 50.00, currency: GBP, status: refunded, paid_at: "2025-11-04 10:00:00", updated_at: "2025-11-05 23:45:00"}
          - {payment_id: 3, amount: 70.00, currency: EUR, status: failed, paid_at: "2025-11-04 11:00:00", updated_at: "2025-11-04 11:00:00"}
      - input: ref('stg_exchange_rates')
        rows:
          - {rate_date: "2025-11-01", currency: EUR, eur_per_unit: 1}
          - {rate_date: "2025-11-03", currency: GBP, eur_per_unit: 1.15}
          - {rate_date: "2025-11-05", currency: GBP, eur_per_unit: 1.20}
    expect:
      rows:
        - {cash_date: "2025-11-04", money_in_eur: 157.90, money_out_eur: 0, payments: 2}
        - {cash_date: "2025-11-06", money_in_eur: 0, money_out_eur: 60.00, payments: 0}
"""


def _unit(old: str, new: str) -> dict[str, str]:
    return {f"repo/dbt/{UNIT}": edited(_UNIT, (old, new))}


_MANY = """\
unit_tests:
  - name: declined_cards_bring_nothing
    model: cash_by_day
    given:
      - input: ref('stg_payments')
        format: csv
        rows: |
          payment_id,amount,currency,status,paid_at,updated_at
          1,10.00,EUR,captured,2025-11-04 09:00:00,2025-11-04 09:00:00
          2,20.00,EUR,failed,2025-11-04 09:00:00,2025-11-04 09:00:00
      - input: ref('stg_exchange_rates')
        format: csv
        rows: |
          rate_date,currency,eur_per_unit
          2025-11-04,EUR,1
    expect:
      format: csv
      rows: |
        cash_date,money_in_eur,money_out_eur,payments
        2025-11-04,10.00,0.00,1
  - name: a_refund_leaves_the_day_of_payment_alone
    model: cash_by_day
    given:
      - input: ref('stg_payments')
        rows:
          - {amount: 10.00, currency: USD, status: refunded, paid_at: "2025-11-04 09:00:00", updated_at: "2025-11-08 23:10:00"}
      - input: ref('stg_exchange_rates')
        rows:
          - {rate_date: "2025-11-04", currency: USD, eur_per_unit: 0.86}
          - {rate_date: "2025-11-07", currency: USD, eur_per_unit: 0.80}
          - {rate_date: "2025-11-10", currency: USD, eur_per_unit: 0.10}
    expect:
      rows:
        - {cash_date: "2025-11-04", money_in_eur: 8.60, money_out_eur: 0.00, payments: 1}
        - {cash_date: "2025-11-09", money_in_eur: 0.00, money_out_eur: 8.00, payments: 0}
  - name: two_currencies_one_row_and_cents_stay
    model: cash_by_day
    given:
      - input: ref('stg_payments')
        rows:
          - {amount: 10.40, currency: EUR, status: captured, paid_at: "2025-11-03 23:00:00", updated_at: "2025-11-03 23:00:00"}
          - {amount: 10.00, currency: GBP, status: captured, paid_at: "2025-11-04 22:59:59", updated_at: "2025-11-04 22:59:59"}
      - input: ref('stg_exchange_rates')
        rows:
          - {rate_date: "2025-11-02", currency: EUR, eur_per_unit: 1}
          - {rate_date: "2025-11-02", currency: GBP, eur_per_unit: 1.15}
    expect:
      rows:
        - {cash_date: "2025-11-04", money_in_eur: 21.90, money_out_eur: 0.00, payments: 2}
"""

_SQL_ROWS = _UNIT.replace(
    """        rows:
          - {rate_date: "2025-11-01", currency: EUR, eur_per_unit: 1}
          - {rate_date: "2025-11-03", currency: GBP, eur_per_unit: 1.15}
          - {rate_date: "2025-11-05", currency: GBP, eur_per_unit: 1.20}
""",
    """        format: sql
        rows: |
          select date '2025-11-03' as rate_date, 'GBP' as currency, 1.15 as eur_per_unit
          union all select date '2025-11-05', 'GBP', 1.2
          union all select date '2025-01-01', 'EUR', 1
""",
)

_RIGHT = "passes on right models, and fails where something else is counted"

TASK_4 = Task(
    id="03.4",
    title="Unit tests for a model that is easy to get wrong",
    minutes=13,
    points=3,
    deliver=(file(f"repo/dbt/{UNIT}"),),
    data=bugs,
    mutants=8,
    executes=True,
    seconds=120,
    checks=(
        Check(_RIGHT, notices_wrong_counts, expected=lambda d: [v.key for v in d.all]),
        Check("fails where money moves on another day", notices_wrong_days, after=(_RIGHT,)),
        Check("fails where money is converted at another rate", notices_wrong_rates, after=(_RIGHT,)),
    ),
    hints=(
        "Read the model and ask of each line: what if it said something else? Each answer is a row of input.",
        "You need a declined payment; a refund on a later day; something just after midnight in Berlin (23:30 UTC in winter), both for a payment and for a refund; "
        "another currency; a day without a rate of its own; and a later rate that must not be used.",
        "One test with three payments is enough: 100.40 EUR captured at 23:30 UTC, 50 GBP refunded two days later at 23:45 UTC, one failed; GBP rates on the day before each, and not the same.",
    ),
    wrong=(
        wrong(
            "nothing that failed",
            _unit("status: failed", "status: captured").copy()
            | {
                f"repo/dbt/{UNIT}": _UNIT.replace(
                    '          - {payment_id: 3, amount: 70.00, currency: EUR, status: failed, paid_at: "2025-11-04 11:00:00", updated_at: "2025-11-04 11:00:00"}\n',
                    "",
                )
            },
            "alive-failed-counts",
            decided_by="failed-counts",
        ),
        wrong(
            "everything at noon",
            {
                f"repo/dbt/{UNIT}": _UNIT.replace("2025-11-03 23:30:00", "2025-11-04 12:00:00").replace(
                    "2025-11-05 23:45:00", "2025-11-06 12:00:00"
                )
            },
            "alive-paid-day-in-utc",
            decided_by="paid-day-in-utc",
        ),
        wrong(
            "a rate for every day",
            {
                f"repo/dbt/{UNIT}": _UNIT.replace('rate_date: "2025-11-01"', 'rate_date: "2025-11-04"')
                .replace('rate_date: "2025-11-03"', 'rate_date: "2025-11-04"')
                .replace('rate_date: "2025-11-05"', 'rate_date: "2025-11-06"')
            },
            "alive-rate-of-the-day-only",
            decided_by="rate-of-the-day-only",
        ),
        wrong(
            "no later rate",
            {f"repo/dbt/{UNIT}": _UNIT.replace("1.20}", "1.15}").replace("60.00", "57.50")},
            "alive-latest-rate",
            decided_by="latest-rate",
        ),
        wrong(
            "only euros",
            {
                f"repo/dbt/{UNIT}": _UNIT.replace("50.00, currency: GBP", "50.00, currency: EUR")
                .replace("157.90", "150.40")
                .replace("60.00", "50.00")
            },
            "alive-latest-rate",
            decided_by="latest-rate",
        ),
        wrong(
            "refunded on the same day",
            {
                f"repo/dbt/{UNIT}": _UNIT.replace("2025-11-05 23:45:00", "2025-11-04 12:00:00")
                .replace("money_out_eur: 0, payments: 2", "money_out_eur: 57.50, payments: 2")
                .replace('        - {cash_date: "2025-11-06", money_in_eur: 0, money_out_eur: 60.00, payments: 0}\n', "")
            },
            "alive-refund-on-paid-day",
            decided_by="refund-on-paid-day",
        ),
        wrong("expects UTC days", _unit('cash_date: "2025-11-04"', 'cash_date: "2025-11-03"'), "wrong-expectation"),
        wrong(
            "looks at dates only",
            {
                f"repo/dbt/{UNIT}": _UNIT.replace(
                    "money_in_eur: 157.90, money_out_eur: 0, payments: 2", "money_out_eur: 0"
                ).replace("money_in_eur: 0, money_out_eur: 60.00, payments: 0", "money_out_eur: 60.00")
            },
            "alive-refunded-never-came",
            decided_by="refunded-never-came",
        ),
        wrong(
            "a test of nothing",
            {
                f"repo/dbt/{UNIT}": "unit_tests:\n  - name: nothing\n    model: cash_by_day\n    given:\n      - {input: ref('stg_payments'), rows: []}\n      - {input: ref('stg_exchange_rates'), rows: []}\n    expect: {rows: []}\n"
            },
            "alive-a-row-a-currency",
        ),
        wrong(
            "forgets an input",
            {
                f"repo/dbt/{UNIT}": _UNIT[: _UNIT.index("      - input: ref('stg_exchange_rates')")]
                + _UNIT[_UNIT.index("    expect:") :]
            },
            "cannot-run",
        ),
        wrong("a column that is not there", _unit("amount: 70.00", "amount_eur: 70.00"), "cannot-run"),
        wrong("a list that is none", {f"repo/dbt/{UNIT}": "unit_tests: cash_by_day\n"}, "shape"),
        wrong(
            "tests another model",
            {f"repo/dbt/{UNIT}": _UNIT.replace("model: cash_by_day", "model: daily_revenue")},
            "no-tests",
        ),
        wrong("half a file", {f"repo/dbt/{UNIT}": _UNIT[:300]}, "yaml"),
    ),
    right=(
        right("three small tests, one in CSV", {f"repo/dbt/{UNIT}": _MANY}),
        right("rates as SQL", {f"repo/dbt/{UNIT}": _SQL_ROWS}),
    ),
    clauses={
        "declined cards counted": "nothing that failed",
        "days in UTC": "everything at noon",
        "refunds on the wrong day": "refunded on the same day",
        "the wrong rate": "no later rate",
        "the model as it is": "expects UTC days",
        "an input for every `ref`": "forgets an input",
        "At least one of your tests must fail on each": "a test of nothing",
    },
    spared={
        "payment_id": "the model does not read it",
        "rows[2].updated_at": "a declined payment has one time",
        "line 7": "another second of the same day",
        "line 8: 10": "another hour of the same day",
        "line 8: 00": "another minute of the same day",
        "line 9": "what was declined does not matter",
        ".description": "a description is for people",
    },
)


# ---------------------------------------------------------------- 03.5

CONTRACT = f"models/marts/_{MODEL}.yml"
_END = "group by moves.cash_date\n"


def shapes(seed: int) -> Variants:
    """The model in two right forms, and in forms whose shape readers do not expect, one at a time."""
    changed = (
        _bug(
            "double",
            "`money_in_eur` became a double: cents begin to drift, 0.1 + 0.2 is not 0.3.",
            "rates.eur_per_unit)::decimal(14, 2) as money_in_eur",
            "rates.eur_per_unit)::double as money_in_eur",
            "columns",
        ),
        _bug(
            "renamed",
            "`cash_date` is now called `day`: every query of the treasurer breaks.",
            "moves.cash_date,\n    sum",
            "moves.cash_date as day,\n    sum",
            "columns",
        ),
        _bug(
            "dropped",
            "`payments` is gone.",
            "::decimal(14, 2) as money_out_eur,\n    sum(moves.payments)::bigint as payments",
            "::decimal(14, 2) as money_out_eur",
            "columns",
        ),
        _bug(
            "timestamp",
            "`cash_date` became a timestamp: a join on the date finds nothing that is not at midnight.",
            "moves.cash_date,\n    sum",
            "moves.cash_date::timestamp as cash_date,\n    sum",
            "columns",
        ),
        _bug(
            "text",
            "`payments` became text: 9 is more than 10.",
            "sum(moves.payments)::bigint",
            "sum(moves.payments)::varchar",
            "columns",
        ),
        _bug(
            "added",
            "A column `loaded_by` came along unannounced; whoever reads `select *` by position takes it for another.",
            "::bigint as payments",
            "::bigint as payments, 'petra' as loaded_by",
            "columns",
        ),
        _bug(
            "null-day",
            "One row has no `cash_date`; the treasurer's chart ends there.",
            _END,
            _END + "union all select null, 0, 0, 0\n",
            "nulls",
        ),
        _bug(
            "null-refunds",
            "One day has no `money_out_eur`: nobody knows what went back.",
            _END,
            _END + "union all select date '2030-01-01', 0, null, 0\n",
            "nulls",
        ),
        _bug(
            "null-money",
            "One day has no `money_in_eur`: a sum over it says nothing about the gap.",
            _END,
            _END + "union all select date '2030-01-01', null, 0, 0\n",
            "nulls",
        ),
        _bug(
            "null-count",
            "One day has no count of payments.",
            _END,
            _END + "union all select date '2030-01-01', 0, 0, null\n",
            "nulls",
        ),
    )
    right_ones = (Variant("as-it-is", CASH_BY_DAY), Variant("rewritten", REWRITTEN))
    return Variants((*right_ones, *random.Random(seed).sample(changed, len(changed))), _tables(11))


def _entry(work: Work) -> dict[str, Any]:
    content = parse_yaml(work.file(f"repo/dbt/{CONTRACT}"), CONTRACT)
    models = mapping(content, f"`{CONTRACT}`", ["models"])["models"]
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise NotYet("`models` is a list: an entry with `name:` for each model.", got=models, cause="shape")
    for model in models:
        if model.get("name") == MODEL:
            return model
    found = [str(model.get("name")) for model in models]
    raise NotYet(f"The file does not describe `{MODEL}`.", cause="no-model", expected=f"name: {MODEL}", got=found)


def _built(work: Work, data: Variants) -> dict[str, dict[str, Any]]:
    """By variant: what dbt says when it builds it under the learner's contract."""
    entry = _entry(work)
    variants = _wanted(work, sorted(data.all, key=lambda v: v.key))

    def build() -> dict[str, dict[str, Any]]:
        files = {f"models/marts/{MODEL}_copy{n}.sql": v.sql for n, v in enumerate(variants)}
        entries = [{**entry, "name": f"{MODEL}_copy{n}"} for n in range(len(variants))]
        files[CONTRACT] = yaml.safe_dump({"models": entries}, sort_keys=False, allow_unicode=True)
        nodes = _try(work, "03.5", ["run", "--select", f"{MODEL}_copy*"], files, data.tables)
        return {v.key: nodes[f"{MODEL}_copy{n}"] for n, v in enumerate(variants)}

    return work.once("the model under its contract", build)


def _refuses(work: Work, data: Variants, about: str) -> str:
    """Every change of that kind is refused, and the model as it is is built."""
    built = _built(work, data)
    for variant in data.all:
        if not variant.wrong and built[variant.key]["status"] != "success":
            raise NotYet(
                "Your contract refuses the model as it is.",
                tried=f"dbt run --select {MODEL}",
                expected="success",
                got="error",
                cause="refuses-the-model",
                look=_deciding_lines(built[variant.key]["message"]),
            )
    bad = [v for v in _wanted(work, list(data.all)) if v.about == about]
    passed = [v for v in bad if built[v.key]["status"] == "success"]
    if passed and len(passed) == len(bad) and about == "columns":
        raise NotYet(
            f"Nothing was refused. {passed[0].wrong} dbt built it.",
            tried=f"dbt run on {len(bad)} changed models",
            expected="an error on each",
            got="every one was built",
            cause="not-enforced",
            look="Types in a YAML file are a description until the contract is enforced. dbt skips a key that it does not know.",
        )
    if passed:
        look = "A `not_null` data test looks at a table that is there already; a constraint of type not_null keeps it from being made."
        raise NotYet(
            f"{passed[0].wrong} dbt built it.",
            tried=f"dbt run on a model with {passed[0].key}",
            expected="an error",
            got="success",
            cause=passed[0].key,
            look=look if about == "nulls" else "",
        )
    return f"{len(bad)} of {len(bad)} changes of shape refused before anybody could read them."


def _deciding_lines(message: str) -> str:
    """What dbt says of the columns: the rows of its table, else all it says."""
    table = [line for line in message.splitlines() if "|" in line]
    return "\n".join(table) or _as_written(message)


def refuses_other_columns(work: Work, data: Variants) -> str:
    return f"The model is built under its contract. {_refuses(work, data, 'columns')}"


def refuses_nulls(work: Work, data: Variants) -> str:
    return _refuses(work, data, "nulls")


_CONTRACT = """\
models:
  - name: cash_by_day
    description: "One row: one Berlin day on which money moved. The treasurer reads it."
    config:
      contract: {enforced: true}
    columns:
      - name: cash_date
        data_type: date
        constraints: [{type: not_null}]
      - name: money_in_eur
        data_type: decimal(14,2)
        constraints: [{type: not_null}]
      - name: money_out_eur
        data_type: decimal(14,2)
        constraints: [{type: not_null}]
      - name: payments
        data_type: bigint
        constraints: [{type: not_null}]
"""


def _contract(old: str, new: str) -> dict[str, str]:
    return {f"repo/dbt/{CONTRACT}": edited(_CONTRACT, (old, new))}


_OTHER_ORDER = """\
models:
  - name: cash_by_day
    config: {contract: {enforced: true}}
    constraints:
      - {type: not_null, columns: [cash_date]}
      - {type: check, expression: "money_in_eur is not null and money_out_eur is not null and payments is not null"}
    columns:
      - {name: payments, data_type: int8}
      - {name: money_out_eur, data_type: "numeric(14, 2)"}
      - {name: money_in_eur, data_type: "numeric(14, 2)"}
      - {name: cash_date, data_type: date, constraints: [{type: not_null}]}
"""

_CHECKS = _CONTRACT.replace(
    "constraints: [{type: not_null}]", 'constraints: [{type: not_null}, {type: check, expression: "payments >= 0"}]'
)

TASK_5 = Task(
    id="03.5",
    title="A contract that refuses another shape",
    minutes=8,
    points=2,
    executes=True,
    seconds=120,
    mutants=8,
    deliver=(file(f"repo/dbt/{CONTRACT}"),),
    data=shapes,
    checks=(
        Check(
            "builds the model as it is, and refuses other columns and types",
            refuses_other_columns,
            expected=lambda d: [v.key for v in d.all],
        ),
        Check("refuses a row in which something is missing", refuses_nulls),
    ),
    hints=(
        "`models/marts/_marts.yml` has contracts for all other marts. What does each column need?",
        "`config: {contract: {enforced: true}}`, and for every column its `data_type`. For “never null”, a constraint on the column.",
        "cash_date date, money_in_eur and money_out_eur decimal(14,2), payments bigint; `constraints: [{type: not_null}]` under each.",
    ),
    wrong=(
        wrong(
            "describes and does not enforce",
            _contract("    config:\n      contract: {enforced: true}\n", ""),
            "not-enforced",
        ),
        wrong("enforced: false", _contract("enforced: true", "enforced: false"), "not-enforced"),
        wrong(
            "tests for null instead of forbidding it",
            _contract("constraints: [{type: not_null}]", "data_tests: [not_null]"),
            "null-day",
            decided_by="null-day",
        ),
        wrong(
            "only the date may not be null",
            {
                f"repo/dbt/{CONTRACT}": _CONTRACT.replace(
                    "decimal(14,2)\n        constraints: [{type: not_null}]", "decimal(14,2)"
                )
            },
            "null-refunds",
            decided_by="null-refunds",
        ),
        wrong("money as double", _contract("decimal(14,2)", "double"), "refuses-the-model"),
        wrong("money without its size", _contract("decimal(14,2)", "decimal"), "refuses-the-model"),
        wrong(
            "leaves a column out",
            _contract("      - name: payments\n        data_type: bigint\n        constraints: [{type: not_null}]\n", ""),
            "refuses-the-model",
        ),
        wrong(
            "no types",
            {f"repo/dbt/{CONTRACT}": "\n".join(line for line in _CONTRACT.splitlines() if "data_type" not in line)},
            "refuses-the-model",
        ),
        wrong("another model's contract", _contract("name: cash_by_day", "name: daily_revenue"), "no-model"),
        wrong("half a file", {f"repo/dbt/{CONTRACT}": _CONTRACT[: _CONTRACT.index("enforced") + 4]}, "yaml"),
    ),
    right=(
        right(
            "columns in another order, aliases of types, constraints on the model", {f"repo/dbt/{CONTRACT}": _OTHER_ORDER}
        ),
        right("checks besides", {f"repo/dbt/{CONTRACT}": _CHECKS}),
    ),
    clauses={
        "every column with the type it has today": "money as double",
        "none of them ever null": "only the date may not be null",
        "before it exists": "tests for null instead of forbidding it",
        "dbt creates no table that differs": "describes and does not enforce",
        "the model as it is, which must still be built": "leaves a column out",
    },
    spared={"].description: dropped": "a description is for people"},
)
