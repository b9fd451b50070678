"""Tasks 03.1 and 03.2: data tests in dbt, replayed on clean days and on each named fault."""

from __future__ import annotations

import re
from typing import Any

import yaml

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, parse_yaml
from dojo.tasks.m03_data_tests.states import QUIET, STOP, WARN, Damage, Days, State, days_of
from dojo.tools import untested_project


def replay(work: Work, task: str, path: str, text: str, days: Days) -> dict[str, Any]:
    """The judge's answer of dbt for this file on the states of these days. NotYet in dbt's words where it cannot read it."""
    request = {
        "name": task,
        "base": "untested",
        "files": {**untested_project.in_ci(), path: text},
        "variables": {"as_of": untested_project.AS_OF},
        "tables": days.tables,
        "states": {state.name: state.changed for state in _wanted(work, days)},
    }
    answer = work.once((task, days.day, days.seed), lambda: work.tool("dbt", request))
    if answer["error"]:
        raise NotYet("dbt cannot use the file.", cause="dbt", tried="dbt compile", look=answer["error"])
    if not answer["tests"]:
        raise NotYet(
            f"dbt finds no data test in `{path}`.",
            tried="dbt ls --resource-type test",
            cause="no-tests",
            look="Tests of a column stand under its `data_tests:`; a test of a whole model under the model's own. dbt skips a "
            "key that it does not know, with a warning or without.",
        )
    return answer


def _wanted(work: Work, days: Days) -> list[State]:
    """The states to try: the clean day, and all others or those that decide."""
    first, *others = days.states
    return [first, *(s for s in others if work.deciding is None or s.name in work.deciding)]


def happened(answer: dict[str, Any], state: State) -> tuple[str, list[str]]:
    """What the tests do on one state (stop, warn, quiet), and which of them. NotYet when one cannot run."""
    tests = answer["states"][state.name]
    for name, test in tests.items():
        if test["status"] == "error":
            fixed = re.search(r'(schema|catalog) "(?!ci_marts")\w+" does not exist', test["message"], re.I)
            raise NotYet(
                f"The test `{name}` cannot run.",
                tried=f"dbt test on {state.name}, built in the schemas ci_staging and ci_marts",
                cause="fixed-schema" if fixed else "test-error",
                got=test["message"],
                look="A schema that is written out is not there in every environment: name models with `ref()`."
                if fixed
                else "Staging is tested before the marts are built, so only models whose name begins with stg_ are there.",
            )
    for status, what in (("fail", STOP), ("warn", WARN)):
        if named := [f"{name} ({test['failures']:,})" for name, test in tests.items() if test["status"] == status]:
            return what, named
    return QUIET, []


def _quiet(answer: dict[str, Any], states: list[State]) -> None:
    """NotYet where a test speaks on a day on which nothing is wrong."""
    for state in states:
        what, named = happened(answer, state)
        if what != QUIET:
            verb = "stops the morning" if what == STOP else "warns"
            raise NotYet(
                f"A false alarm: on a day on which nothing is wrong your file {verb}. {state.wrong}".rstrip(),
                tried=f"dbt test on {state.name}",
                expected="no failing row",
                got=f"failing rows by test: {', '.join(named)}",
                cause="false-alarm" if state is states[0] and not state.changed else f"false-alarm-{state.name}",
                look="What does the rule say word for word, and which ordinary rows does your test not allow?",
            )


def _judged_days(work: Work, task: str, path: str, days: Days, wanted: str) -> tuple[dict[str, Any], list[State]]:
    """dbt's answer, and the states in which that is wanted. NotYet when a test fails on clean data: then no other day tells."""
    answer = replay(work, task, path, work.file(f"repo/dbt/{path}"), days)
    _quiet(answer, [days.states[0]])
    return answer, [state for state in _wanted(work, days) if state.wanted == wanted]


def _stopped(work: Work, task: str, path: str, days: Days) -> str:
    """Every fault stops the morning, and the clean day passes."""
    answer, stops = _judged_days(work, task, path, days, STOP)
    missed = [(state, *happened(answer, state)) for state in stops]
    missed = [(state, what, named) for state, what, named in missed if what != STOP]
    if missed:
        state, what, named = missed[0]
        others = f" Also missed: {', '.join(s.name for s, _, _ in missed[1:])}." if missed[1:] else ""
        if what == WARN:
            said = f"{state.wrong} You only warn, so the numbers are published all the same.{others}"
            raise NotYet(
                said, tried=f"dbt test on {state.name}", expected=STOP, got=f"{WARN}: {', '.join(named)}", cause="only-warns"
            )
        raise NotYet(
            f"{state.wrong} Every test of yours passed, and the morning published it.{others}",
            tried=f"dbt test on {state.name}",
            expected=STOP,
            got="every test passed",
            cause=f"missed-{state.name}",
        )
    return f"{len(stops)} of {len(stops)} faults stopped before publishing; the clean day passed."


def _passed_quietly(work: Work, task: str, path: str, days: Days) -> str:
    answer, ordinary = _judged_days(work, task, path, days, QUIET)
    _quiet(answer, ordinary)
    return f"Silent on {len(ordinary)} days on which nothing is wrong."


# ---------------------------------------------------------------- 03.1

ORDERS = "models/staging/_orders.yml"
AGREEMENT = (
    Damage("clean", "", QUIET),
    Damage(
        "small-change",
        "One payment of {day} is of 40 cents, which is more than 0.",
        QUIET,
        ("payments",),
        (
            "update {payments} set amount = 0.40 where payment_id = (select min(payment_id) from {payments} where extract_date = {day})",
        ),
    ),
    Damage(
        "opening-day",
        "One order of {day} was placed on 1 January 2015 at midnight, the hour in which the shop opened.",
        QUIET,
        ("orders",),
        (
            "update {orders} set ordered_at = timestamp '2015-01-01 00:00:00' where extract_date = {day} and order_id = (select min(order_id) from {orders} where extract_date = {day})",
        ),
    ),
    Damage(
        "same-second",
        "One order of {day} was changed in the second in which it was placed, which is not before it.",
        QUIET,
        ("orders",),
        (
            "update {orders} set updated_at = ordered_at where extract_date = {day} and order_id = (select min(order_id) from {orders} where extract_date = {day})",
        ),
    ),
    Damage(
        "new-customer-twice",
        "One customer of {day} placed two orders.",
        QUIET,
        ("orders",),
        (
            "update {orders} set customer_id = (select min(customer_id) from {orders} where extract_date = {day} and customer_id is not null) "
            "where extract_date = {day} and order_id in (select order_id from {orders} where extract_date = {day} order by order_id limit 2)",
        ),
    ),
    Damage(
        "order-without-number",
        "One order of {day} has no `order_id`; nothing can be joined to it.",
        STOP,
        ("orders",),
        (
            "update {orders} set order_id = null where extract_date = {day} and order_id = (select min(order_id) from {orders} where extract_date = {day})",
        ),
    ),
    Damage(
        "duplicate-keys", "{rows} orders of {day} stand twice, the later row with an older state: their revenue is gone."
    ),
    Damage("null-values", "{rows} orders of {day} have no customer; every join with customers loses them."),
    Damage("epoch-dates", "{rows} orders of {day} say they were placed on 1 January 1970."),
    Damage("orphan-rows", "{rows} lines of {day} belong to orders that do not exist; revenue loses them in a join."),
    Damage("duplicated-batch", "{rows} order lines of {day} came twice; the day's revenue doubles."),
    Damage("negative-quantity", "{rows} lines of {day} have a negative quantity, and subtract from revenue."),
    Damage(
        "zero-quantity",
        "{rows} lines of {day} have quantity 0: sold, shipped, and worth nothing.",
        STOP,
        ("order_items",),
        ("update {order_items} set quantity = 0 where extract_date = {day} and hash({seed}, order_id, 'zero') % 17 = 0",),
    ),
    Damage(
        "unknown-payment-state",
        "{rows} payments of {day} are `chargeback`, a state nobody has agreed what to do with.",
        STOP,
        ("payments",),
        ("update {payments} set status = 'chargeback' where extract_date = {day} and hash({seed}, payment_id) % 11 = 0",),
    ),
    Damage(
        "free-of-charge",
        "{rows} payments of {day} are of amount 0: the provider took an order and no money.",
        STOP,
        ("payments",),
        ("update {payments} set amount = 0 where extract_date = {day} and hash({seed}, payment_id) % 13 = 0",),
    ),
    Damage(
        "changed-before-placed",
        "{rows} orders of {day} were changed before they were placed: two clocks disagree.",
        STOP,
        ("orders",),
        (
            "update {orders} set updated_at = ordered_at - interval 2 hour where extract_date = {day} and hash({seed}, order_id) % 10 = 0",
        ),
    ),
    Damage(
        "six-unknown-customers",
        "Six orders of {day} belong to customers nobody has delivered: one more than is agreed.",
        STOP,
        ("orders",),
        (
            "update {orders} set customer_id = 700000000 + order_id where extract_date = {day} and order_id in "
            "(select order_id from {orders} where extract_date = {day} order by hash({seed}, order_id) limit 6)",
        ),
    ),
    Damage(
        "five-unknown-customers",
        "Five orders of {day} belong to customers who registered after the export; their rows come tomorrow.",
        WARN,
        ("orders",),
        (
            "update {orders} set customer_id = 700000000 + order_id where extract_date = {day} and order_id in "
            "(select order_id from {orders} where extract_date = {day} order by hash({seed}, order_id) limit 5)",
        ),
    ),
    Damage(
        "one-unknown-customer",
        "One order of {day} belongs to a customer who registered after the export.",
        WARN,
        ("orders",),
        (
            "update {orders} set customer_id = 700000000 where order_id = (select min(order_id) from {orders} where extract_date = {day})",
        ),
    ),
    Damage("new-status-value", "{rows} orders of {day} are `settled`, a state nobody announced.", WARN),
)


def agreement(seed: int) -> Days:
    """One day in many states: ordinary ones, those that must stop the morning, those that must warn."""
    return days_of(seed, AGREEMENT)


def _described(work: Work) -> None:
    """NotYet for a file that cannot hold a test of a model."""
    content = parse_yaml(work.file(f"repo/dbt/{ORDERS}"), ORDERS)
    listed = mapping(content, f"`{ORDERS}`", ["models"])["models"]
    if not isinstance(listed, list) or not all(isinstance(model, dict) for model in listed):
        raise NotYet("`models` is a list: an entry with `name:` for each model.", got=listed, cause="shape")


def stops_every_fault(work: Work, data: Days) -> str:
    _described(work)
    return _stopped(work, "03.1", ORDERS, data)


def silent_on_ordinary_days(work: Work, data: Days) -> str:
    return _passed_quietly(work, "03.1", ORDERS, data)


def warns_where_agreed(work: Work, data: Days) -> str:
    answer, bent = _judged_days(work, "03.1", ORDERS, data, WARN)
    for state in bent:
        what, named = happened(answer, state)
        tried = f"dbt test on {state.name}"
        if what == QUIET:
            raise NotYet(
                f"{state.wrong} Nobody was told: a rule that may be bent has to warn when it is.",
                tried=tried,
                expected=WARN,
                got="every test passed",
                cause=f"silent-{state.name}",
            )
        if what == STOP:
            raise NotYet(
                f"{state.wrong} The agreement lets the morning pass with a warning; you stop it, and finance has no number at eight.",
                tried=tried,
                expected=WARN,
                got=f"{STOP}: {', '.join(named)}",
                cause=f"stops-{state.name}",
                look="`severity`, `warn_if` and `error_if` stand under the test's `config:`.",
            )
    return "A new state, one late customer and five of them pass with a warning."


_RULES = {
    "orders": """\
  - name: stg_orders
    description: "One row: one order, as changed (its last state of the day)."
    data_tests:
      - is_true: {arguments: {expression: "ordered_at >= timestamp '2015-01-01'"}}
      - is_true: {name: never_changed_before_placed, arguments: {expression: "updated_at >= ordered_at"}}
    columns:
      - {name: order_id, data_tests: [unique, not_null]}
      - name: customer_id
        data_tests:
          - not_null
          - relationships:
              arguments: {to: ref('stg_customers'), field: customer_id}
              config: {warn_if: ">0", error_if: ">5"}
      - name: status
        data_tests:
          - accepted_values:
              arguments: {values: [placed, paid, shipped, cancelled, returned]}
              config: {severity: warn}
""",
    "lines": """\
  - name: stg_order_items
    description: "One row: one line of an order."
    data_tests:
      - one_row_per: {arguments: {columns: [order_id, line_number]}}
    columns:
      - name: order_id
        data_tests:
          - relationships: {arguments: {to: ref('stg_orders'), field: order_id}}
      - name: quantity
        data_tests:
          - is_true: {arguments: {expression: "quantity >= 1"}}
""",
    "payments": """\
  - name: stg_payments
    description: "One row: one payment, as changed."
    data_tests:
      - is_true: {arguments: {expression: "amount > 0"}}
    columns:
      - name: status
        data_tests:
          - accepted_values: {arguments: {values: [captured, refunded, failed]}}
""",
}


def _with(**changed: tuple[str, str]) -> dict[str, str]:
    """The reference with one piece of text replaced in some of its parts."""
    parts = {name: text.replace(*changed[name]) if name in changed else text for name, text in _RULES.items()}
    if any(name in changed and parts[name] == text for name, text in _RULES.items()):
        raise ValueError("a wrong answer changes nothing")
    return {f"repo/dbt/{ORDERS}": "models:\n" + "".join(parts.values())}


_EXPRESSIONS = """\
models:
  - name: stg_orders
    data_tests:
      - is_true:
          arguments:
            expression: "order_id is not null and customer_id is not null and ordered_at between '2015-01-01' and updated_at"
      - one_row_per: {arguments: {columns: [order_id]}}
      - is_true:
          name: status_is_known
          arguments: {expression: "status in ('placed', 'paid', 'shipped', 'cancelled', 'returned')"}
          config: {severity: WARN}
      - is_true:
          name: customers_are_known
          arguments: {expression: "customer_id is null or customer_id in (select customer_id from {{ ref('stg_customers') }})"}
          config: {severity: error, warn_if: "!= 0", error_if: ">= 6"}
  - name: stg_order_items
    data_tests:
      - one_row_per: {arguments: {columns: [line_number, order_id]}}
      - is_true: {arguments: {expression: "quantity between 1 and 1000"}}
      - is_true:
          name: lines_have_an_order
          arguments: {expression: "order_id in (select order_id from {{ ref('stg_orders') }})"}
  - name: stg_payments
    data_tests:
      - is_true: {arguments: {expression: "amount > 0 and status in ('captured', 'refunded', 'failed')"}}
"""

_SPLIT = yaml.safe_dump(
    {
        "models": [
            {
                "name": "stg_orders",
                "columns": [
                    {"name": "order_id", "data_tests": ["not_null", "unique"]},
                    {
                        "name": "customer_id",
                        "data_tests": [
                            "not_null",
                            {
                                "relationships": {
                                    "name": "few_customers_are_late",
                                    "arguments": {"to": "ref('stg_customers')", "field": "customer_id"},
                                    "config": {"error_if": "> 5", "severity": "error"},
                                }
                            },
                            {
                                "relationships": {
                                    "name": "some_customers_are_late",
                                    "arguments": {"to": "ref('stg_customers')", "field": "customer_id"},
                                    "config": {"severity": "warn"},
                                }
                            },
                        ],
                    },
                    {
                        "name": "status",
                        "data_tests": [
                            {
                                "accepted_values": {
                                    "arguments": {"values": ["placed", "paid", "shipped", "cancelled", "returned"]},
                                    "config": {"error_if": ">1000000"},
                                }
                            }
                        ],
                    },
                    {
                        "name": "ordered_at",
                        "data_tests": [
                            {
                                "is_true": {
                                    "arguments": {"expression": "year(ordered_at) > 2014 and ordered_at <= updated_at"}
                                }
                            }
                        ],
                    },
                ],
            },
            {
                "name": "stg_order_items",
                "data_tests": [{"unique": {"arguments": {"column_name": "order_id || '-' || line_number"}}}],
                "columns": [
                    {
                        "name": "order_id",
                        "data_tests": [
                            {"relationships": {"arguments": {"to": "ref('stg_orders')", "field": "order_id"}}},
                        ],
                    },
                    {
                        "name": "quantity",
                        "data_tests": [
                            "not_negative",
                            {"accepted_values": {"arguments": {"values": [*range(1, 100)], "quote": False}}},
                        ],
                    },
                ],
            },
            {
                "name": "stg_payments",
                "columns": [
                    {
                        "name": "status",
                        "data_tests": [{"accepted_values": {"arguments": {"values": ["captured", "refunded", "failed"]}}}],
                    },
                    {
                        "name": "amount",
                        "data_tests": ["not_negative", {"is_true": {"arguments": {"expression": "amount <> 0"}}}],
                    },
                ],
            },
        ]
    },
    sort_keys=False,
)

TASK_1 = Task(
    id="03.1",
    title="Write the agreement down as tests",
    minutes=13,
    points=3,
    deliver=(file(f"repo/dbt/{ORDERS}"),),
    data=agreement,
    mutants=8,
    executes=True,
    seconds=120,
    checks=(
        Check(
            "stops the morning on every fault of the agreement, and no clean one",
            stops_every_fault,
            expected=lambda d: [s.wrong for s in d.states],
        ),
        Check("says nothing at the edges of the rules", silent_on_ordinary_days),
        Check("warns, and only warns, where the agreement allows it", warns_where_agreed),
    ),
    hints=(
        "Go through the agreement line by line: each line is one test, and two of them end in “warn”.",
        "dbt's own `unique`, `not_null`, `accepted_values` and `relationships` cover half; `is_true` and `one_row_per` from macros/ the rest. "
        "Thresholds stand under a test's `config:`.",
        'For customers: `relationships` with `config: {warn_if: ">0", error_if: ">5"}`. For states: `accepted_values` with `config: {severity: warn}`. '
        "For lines: `one_row_per: {arguments: {columns: [order_id, line_number]}}`.",
    ),
    wrong=(
        wrong(
            "stops at the first late customer",
            _with(orders=('              config: {warn_if: ">0", error_if: ">5"}\n', "")),
            "stops-five-unknown-customers",
            decided_by="five-unknown-customers",
        ),
        wrong(
            "warns about customers whatever their number",
            _with(orders=('{warn_if: ">0", error_if: ">5"}', "{severity: warn}")),
            "only-warns",
        ),
        wrong(
            "stops only from six, without a warning",
            _with(orders=('warn_if: ">0"', 'warn_if: ">5"')),
            "silent-five-unknown-customers",
            decided_by="five-unknown-customers",
        ),
        wrong(
            "off by one at five",
            _with(orders=('error_if: ">5"', 'error_if: ">=5"')),
            "stops-five-unknown-customers",
            decided_by="five-unknown-customers",
        ),
        wrong(
            "a new state stops the morning",
            _with(orders=("              config: {severity: warn}\n", "")),
            "stops-new-status-value",
            decided_by="new-status-value",
        ),
        wrong(
            "nobody looks at states",
            _with(orders=(_RULES["orders"][_RULES["orders"].index("      - name: status") :], "")),
            "silent-new-status-value",
            decided_by="new-status-value",
        ),
        wrong(
            "not_negative lets zero through",
            _with(lines=('is_true: {arguments: {expression: "quantity >= 1"}}', "not_negative")),
            "missed-zero-quantity",
            decided_by="zero-quantity",
        ),
        wrong(
            "an order may have one line only",
            _with(
                lines=(
                    "one_row_per: {arguments: {columns: [order_id, line_number]}}",
                    "one_row_per: {arguments: {columns: [order_id]}}",
                )
            ),
            "false-alarm",
        ),
        wrong(
            "lines are not counted",
            _with(lines=("    data_tests:\n      - one_row_per: {arguments: {columns: [order_id, line_number]}}\n", "")),
            "missed-duplicated-batch",
            decided_by="duplicated-batch",
        ),
        wrong(
            "not_null does not see 1970",
            _with(
                orders=(
                    "is_true: {arguments: {expression: \"ordered_at >= timestamp '2015-01-01'\"}}",
                    'is_true: {arguments: {expression: "ordered_at is not null"}}',
                )
            ),
            "missed-epoch-dates",
            decided_by="epoch-dates",
        ),
        wrong(
            "forgets that a failed attempt is a payment",
            _with(payments=("[captured, refunded, failed]", "[captured, refunded]")),
            "false-alarm",
        ),
        wrong(
            "everything only warns",
            {
                f"repo/dbt/{ORDERS}": "models:\n"
                + "".join(_RULES.values()).replace(
                    "[unique, not_null]", "[{unique: {config: {severity: warn}}}, {not_null: {config: {severity: warn}}}]"
                )
            },
            "only-warns",
        ),
        wrong("a column that is not there", _with(payments=("amount > 0", "amount_eur > 0")), "test-error"),
        wrong(
            "orders without a number pass",
            _with(orders=("[unique, not_null]", "[unique]")),
            "missed-order-without-number",
            decided_by="order-without-number",
        ),
        wrong(
            "numbers may stand twice",
            _with(orders=("[unique, not_null]", "[not_null]")),
            "missed-duplicate-keys",
            decided_by="duplicate-keys",
        ),
        wrong(
            "orders without a customer pass",
            _with(orders=("          - not_null\n", "")),
            "missed-null-values",
            decided_by="null-values",
        ),
        wrong(
            "nobody compares the two times",
            _with(
                orders=(
                    '      - is_true: {name: never_changed_before_placed, arguments: {expression: "updated_at >= ordered_at"}}\n',
                    "",
                )
            ),
            "missed-changed-before-placed",
            decided_by="changed-before-placed",
        ),
        wrong(
            "later means later",
            _with(orders=("updated_at >= ordered_at", "updated_at > ordered_at")),
            "false-alarm",
            "false-alarm-same-second",
            decided_by="same-second",
        ),
        wrong(
            "after the first second of 2015",
            _with(orders=("ordered_at >= timestamp", "ordered_at > timestamp")),
            "false-alarm-opening-day",
            decided_by="opening-day",
        ),
        wrong(
            "a customer orders once",
            _with(orders=("          - not_null\n", "          - not_null\n          - unique\n")),
            "false-alarm",
            "false-alarm-new-customer-twice",
            decided_by="new-customer-twice",
        ),
        wrong(
            "lines of unknown orders pass",
            _with(
                lines=(
                    "          - relationships: {arguments: {to: ref('stg_orders'), field: order_id}}\n",
                    "          - not_null\n",
                )
            ),
            "missed-orphan-rows",
            decided_by="orphan-rows",
        ),
        wrong(
            "any state of a payment",
            _with(payments=("accepted_values: {arguments: {values: [captured, refunded, failed]}}", "not_null")),
            "missed-unknown-payment-state",
            decided_by="unknown-payment-state",
        ),
        wrong(
            "a payment of nothing passes",
            _with(payments=("amount > 0", "amount >= 0")),
            "missed-free-of-charge",
            decided_by="free-of-charge",
        ),
        wrong(
            "a payment is a euro at least",
            _with(payments=("amount > 0", "amount >= 1")),
            "false-alarm-small-change",
            decided_by="small-change",
        ),
        wrong(
            "a slip in a key",
            _with(payments=("data_tests:\n      - is_true", "data_test:\n      - is_true")),
            "missed-free-of-charge",
            decided_by="free-of-charge",
        ),
        wrong(
            "half a file",
            {f"repo/dbt/{ORDERS}": "models:\n  - name: stg_orders\n    columns: [{name: order_id, data_tests: [unique\n"},
            "yaml",
        ),
        wrong(
            "a test dbt does not know",
            _with(
                lines=(
                    'is_true: {arguments: {expression: "quantity >= 1"}}',
                    "dbt_utils.accepted_range: {arguments: {min_value: 1}}",
                )
            ),
            "dbt",
        ),
        wrong(
            "describes and tests nothing",
            {f"repo/dbt/{ORDERS}": "models:\n  - name: stg_orders\n    description: One row an order.\n"},
            "no-tests",
        ),
    ),
    right=(
        right("expressions only", {f"repo/dbt/{ORDERS}": _EXPRESSIONS}),
        right("tests on columns, thresholds in pairs", {f"repo/dbt/{ORDERS}": _SPLIT}),
    ),
    clauses={
        "`order_id` is there": "orders without a number pass",
        "and each stands once": "numbers may stand twice",
        "`customer_id` is there": "orders without a customer pass",
        "1 to 5: warn": "stops only from six, without a warning",
        "6 or more: stop": "warns about customers whatever their number",
        "we want to hear of it": "nobody looks at states",
        "a new one is the shop's right": "a new state stops the morning",
        "nothing was ordered before 2015": "not_null does not see 1970",
        "no order was changed before it was placed": "nobody compares the two times",
        "a line of an order stands once": "lines are not counted",
        "its order is in `stg_orders`": "lines of unknown orders pass",
        "`quantity` is at least 1": "not_negative lets zero through",
        "`status` is captured, refunded or failed": "any state of a payment",
        "`amount` is more than 0": "a payment of nothing passes",
        "clean days": "an order may have one line only",
    },
    spared={"].description: dropped": "a description is for people", "quote: dropped": "quoted numbers are cast"},
)


# ---------------------------------------------------------------- 03.2

SINGULAR = "tests/assert_captured_is_what_was_ordered.sql"
MONEY = (
    Damage("clean", "", QUIET),
    Damage(
        "paid-in-two-parts",
        "Some payments of {day} came in two parts that add up.",
        QUIET,
        ("payments",),
        (
            "insert into {payments} select * replace (-payment_id as payment_id, 1.00 as amount) from {payments} "
            "where extract_date = {day} and status = 'captured' and amount > 1 and hash({seed}, payment_id) % 7 = 0",
            "update {payments} set amount = amount - 1.00 where extract_date = {day} and payment_id > 0 "
            "and -payment_id in (select payment_id from {payments} where extract_date = {day})",
        ),
    ),
    Damage(
        "refunded-and-captured-again",
        "{rows} payments of {day} were refunded and captured again, once each.",
        QUIET,
        ("payments",),
        (
            "insert into {payments} select * replace (-payment_id as payment_id, 'refunded' as status) from {payments} "
            "where extract_date = {day} and status = 'captured' and hash({seed}, payment_id) % 7 = 1",
        ),
    ),
    Damage(
        "refunded-and-shipped",
        "{rows} payments of {day} were refunded, and the orders are on their way.",
        STOP,
        ("payments",),
        (
            "update {payments} set status = 'refunded' where extract_date = {day} and status = 'captured' and hash({seed}, payment_id) % 19 = 3",
        ),
    ),
    Damage(
        "a-cent-too-much",
        "{rows} payments of {day} captured a cent more than the lines cost.",
        STOP,
        ("payments",),
        (
            "update {payments} set amount = amount + 0.01 where extract_date = {day} and status = 'captured' and hash({seed}, payment_id) % 19 = 4",
        ),
    ),
    Damage("cents-for-euros", "{rows} lines of {day} are priced in cents; the day's revenue is a hundred times too high."),
    Damage(
        "outlier-price",
        "One line of {day} costs a thousand times its price, and leads merchandising's ranking.",
        STOP,
        ("order_items",),
        (
            "update {order_items} set unit_price = unit_price * 1000 where extract_date = {day} and line_number = 1 and order_id = ("
            "select min(order_id) from {payments} where extract_date = {day} and status = 'captured' and order_id in "
            "(select order_id from {order_items} where extract_date = {day}))",
        ),
    ),
    Damage("slow-drift", "The prices of {day} are too low by some per cent; no day looks odd beside the one before."),
    Damage("swapped-currency", "{rows} orders of {day} in pounds say EUR: the same number, worth less."),
    Damage("late-file", "The lines of {day} ({rows}) have not arrived; its orders are paid for nothing."),
    Damage("truncated-load", "{rows} lines of {day} are missing at the end of the file."),
    Damage(
        "captured-twice",
        "{rows} payments of {day} were captured twice; customers will call before finance does.",
        STOP,
        ("payments",),
        (
            "insert into {payments} select * replace (payment_id + 5 as payment_id) from {payments} "
            "where extract_date = {day} and status = 'captured' and hash({seed}, payment_id) % 23 = 0",
        ),
    ),
    Damage(
        "unpaid-and-shipped",
        "{rows} payments of {day} are missing, and the orders are on their way.",
        STOP,
        ("payments",),
        ("delete from {payments} where extract_date = {day} and status = 'captured' and hash({seed}, payment_id) % 19 = 0",),
    ),
)


def money(seed: int) -> Days:
    """States of one day: ordinary ones, and those in which orders and money disagree."""
    return days_of(seed + 1, MONEY)


def money_stops_every_fault(work: Work, data: Days) -> str:
    return _stopped(work, "03.2", SINGULAR, data)


def money_agrees_on_ordinary_days(work: Work, data: Days) -> str:
    return _passed_quietly(work, "03.2", SINGULAR, data)


_REFERENCE = """\
with ordered as (
    select order_id, sum(quantity * unit_price) as total
    from {{ ref('stg_order_items') }}
    group by order_id
),

captured as (
    select order_id, currency, sum(amount) as total
    from {{ ref('stg_payments') }}
    where status = 'captured'
    group by order_id, currency
)

select orders.order_id, ordered.total as ordered, captured.total as captured
from {{ ref('stg_orders') }} as orders
left join ordered on orders.order_id = ordered.order_id
left join captured on orders.order_id = captured.order_id and orders.currency = captured.currency
where orders.status in ('paid', 'shipped') and ordered.total is distinct from captured.total
"""


def _sql(old: str, new: str) -> dict[str, str]:
    return {f"repo/dbt/{SINGULAR}": edited(_REFERENCE, (old, new))}


_FAN_OUT = """\
select orders.order_id
from {{ ref('stg_orders') }} as orders
left join {{ ref('stg_order_items') }} as items on orders.order_id = items.order_id
left join {{ ref('stg_payments') }} as payments on orders.order_id = payments.order_id and payments.status = 'captured'
where orders.status in ('paid', 'shipped')
group by orders.order_id
having sum(items.quantity * items.unit_price) is distinct from sum(payments.amount)
"""

_BY_DAY = """\
select ordered_at::date
from {{ ref('stg_orders') }} as orders
join (select order_id, sum(quantity * unit_price) as total from {{ ref('stg_order_items') }} group by order_id) using (order_id)
join (select order_id, sum(amount) as paid from {{ ref('stg_payments') }} where status = 'captured' group by order_id) using (order_id)
group by ordered_at::date
having abs(sum(total) - sum(paid)) > 1
"""

_CORRELATED = """\
{{ config(severity='error') }}
select order_id, currency
from {{ ref('stg_orders') }} as o
where status in ('paid', 'shipped')
    and coalesce((select sum(quantity * unit_price) from {{ ref('stg_order_items') }} as i where i.order_id = o.order_id), -1)
        <> coalesce((select sum(amount) from {{ ref('stg_payments') }} as p
                     where p.order_id = o.order_id and p.status = 'captured' and p.currency = o.currency), -2)
"""

_SIGNED = """\
with moves as (
    select order_id, currency, quantity * unit_price as amount from {{ ref('stg_order_items') }}
    join {{ ref('stg_orders') }} using (order_id)
    where status not in ('placed', 'cancelled', 'returned')
    union all
    select order_id, p.currency, -amount from {{ ref('stg_payments') }} as p
    join {{ ref('stg_orders') }} as o using (order_id)
    where p.status = 'captured' and o.status not in ('placed', 'cancelled', 'returned')
)
select order_id, currency, sum(amount) as difference, count(*) as moves
from moves
group by all
having sum(amount) <> 0
"""

TASK_2 = Task(
    id="03.2",
    title="Every order is paid as it was sold",
    minutes=10,
    points=2,
    deliver=(file(f"repo/dbt/{SINGULAR}"),),
    data=money,
    executes=True,
    seconds=120,
    mutants=8,
    checks=(
        Check(
            "returns rows whenever orders and money disagree, and none on a clean day",
            money_stops_every_fault,
            expected=lambda d: [s.wrong for s in d.states],
        ),
        Check("returns no row where they agree in an unusual way", money_agrees_on_ordinary_days),
    ),
    hints=(
        "A singular test is a query for what must not exist. Which rows would you show to finance as proof that something is wrong?",
        "Add up lines per order and captured payments per order *before* you join them; an order may have several of both. "
        "What does your comparison say when one side is missing?",
        "Two sums by order_id (payments only `captured`, by currency too), two left joins from paid and shipped orders, and `is distinct from` instead of `<>`.",
    ),
    wrong=(
        wrong("counts failed attempts", _sql("    where status = 'captured'\n", ""), "false-alarm"),
        wrong("asks it of every order", _sql("orders.status in ('paid', 'shipped') and ", ""), "false-alarm"),
        wrong("joins lines with payments and fans out", {f"repo/dbt/{SINGULAR}": _FAN_OUT}, "false-alarm"),
        wrong(
            "null is not unequal", _sql("is distinct from", "<>"), "missed-swapped-currency", decided_by="swapped-currency"
        ),
        wrong(
            "an inner join loses what has no payment",
            {
                f"repo/dbt/{SINGULAR}": _REFERENCE.replace("left join captured", "join captured")
                .replace("and orders.currency = captured.currency", "")
                .replace("order_id, currency, sum", "order_id, sum")
                .replace("order_id, currency\n", "order_id\n")
            },
            "missed-swapped-currency",
            decided_by="swapped-currency",
        ),
        wrong(
            "pounds are euros",
            {
                f"repo/dbt/{SINGULAR}": _REFERENCE.replace(" and orders.currency = captured.currency", "")
                .replace("order_id, currency, sum", "order_id, sum")
                .replace("group by order_id, currency", "group by order_id")
            },
            "missed-swapped-currency",
            decided_by="swapped-currency",
        ),
        wrong(
            "a tolerance of five per cent",
            _sql(
                "ordered.total is distinct from captured.total",
                "abs(coalesce(ordered.total, 0) - coalesce(captured.total, 0)) > 0.5 * coalesce(ordered.total, 0)",
            ),
            "missed-slow-drift",
            decided_by="slow-drift",
        ),
        wrong(
            "sums of whole days", {f"repo/dbt/{SINGULAR}": _BY_DAY}, "missed-swapped-currency", decided_by="swapped-currency"
        ),
        wrong("only warns", {f"repo/dbt/{SINGULAR}": "{{ config(severity='warn') }}\n" + _REFERENCE}, "only-warns"),
        wrong(
            "refunded counts as captured",
            _sql("status = 'captured'", "status in ('captured', 'refunded')"),
            "missed-refunded-and-shipped",
            decided_by="refunded-and-shipped",
        ),
        wrong(
            "a tolerance of a euro",
            _sql(
                "ordered.total is distinct from captured.total",
                "abs(coalesce(ordered.total, 0) - coalesce(captured.total, 0)) > 1",
            ),
            "missed-a-cent-too-much",
            decided_by="a-cent-too-much",
        ),
        wrong(
            "each payment alone",
            {f"repo/dbt/{SINGULAR}": _REFERENCE.replace("sum(amount) as total", "max(amount) as total")},
            "missed-captured-twice",
            "false-alarm-paid-in-two-parts",
            decided_by="captured-twice",
        ),
        wrong(
            "only orders whose payments are all captured",
            _sql(
                "where orders.status in ('paid', 'shipped')",
                "where orders.status in ('paid', 'shipped') and orders.order_id not in (select order_id from {{ ref('stg_payments') }} where status <> 'captured')",
            ),
            "missed-refunded-and-shipped",
            decided_by="refunded-and-shipped",
        ),
        wrong("names a schema", _sql("{{ ref('stg_payments') }}", "staging.stg_payments"), "fixed-schema"),
        wrong("reads a mart", _sql("{{ ref('stg_order_items') }}", "{{ ref('fact_sales') }}"), "test-error"),
        wrong(
            "never a row",
            {f"repo/dbt/{SINGULAR}": "select order_id from {{ ref('stg_orders') }} where false\n"},
            "missed-refunded-and-shipped",
        ),
        wrong(
            "reads the raw table by its name in one environment",
            _sql("{{ ref('stg_payments') }}", "dev.raw.payments"),
            "fixed-schema",
        ),
    ),
    right=(
        right("correlated subqueries", {f"repo/dbt/{SINGULAR}": _CORRELATED}),
        right("one signed sum", {f"repo/dbt/{SINGULAR}": _SIGNED}),
    ),
    clauses={
        "for an order that is paid or shipped": "asks it of every order",
        "captured exactly what its lines cost": "a tolerance of a euro",
        "in the order's currency": "pounds are euros",
        "stays in the table as `failed`": "counts failed attempts",
        "was captured once and is not any more": "refunded counts as captured",
        "Name models with `ref()`": "names a schema",
        "only the `stg_` models": "reads a mart",
    },
)
