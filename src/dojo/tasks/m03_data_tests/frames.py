"""Tasks 03.6 and 03.7: the same rules outside of dbt, in Pandera, Great Expectations and Soda."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, function, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import whole_number
from dojo.tasks.samples import company
from shopflow.tables import BATCH_ROWS

# ---------------------------------------------------------------- 03.6

STATES = ("placed", "paid", "shipped", "cancelled", "returned")


@dataclass(frozen=True)
class Delivery:
    """A day's orders with a number for each row (`row`), and by row number the reasons why it must be held back."""

    orders: Any
    held: dict[int, str]


@dataclass(frozen=True)
class Deliveries:
    """A clean delivery, one with bad rows in it, and an empty one."""

    clean: Delivery
    mixed: Delivery
    empty: Delivery


def deliveries(seed: int) -> Deliveries:
    """Two hundred orders of a company the learner has not seen; about one in eight of the mixed ones breaks a rule or two."""
    import pandas as pd

    columns = ["order_id", "customer_id", "store_id", "status", "currency", "ordered_at", "updated_at"]
    orders = company(seed).tables["raw.orders"].select(columns).to_pandas().head(200 + seed % 30)
    orders.insert(0, "row", range(1, len(orders) + 1))
    clean = orders.copy()
    clean.loc[: len(STATES) - 1, "status"] = list(STATES)  # each of them is there, and right
    clean.loc[5, "updated_at"] = clean.loc[5, "ordered_at"]  # placed and changed in the same second: allowed
    clean.loc[6, "ordered_at"] = pd.Timestamp("2015-01-01")  # the first moment that is not before 2015
    clean = clean.astype({"order_id": "float64"})  # a column of numbers in which one may be missing
    mixed, held = clean.copy(), {}
    for number in (seed * 7) % 40 + 10, (seed * 11) % 50 + 60:  # pairs of rows with one number
        mixed.loc[number, "order_id"] = mixed.loc[number + 20, "order_id"]
        held |= {number: {"order_id"}, number + 20: {"order_id"}}
    chosen = random.Random(seed).sample([n for n in range(12, len(mixed)) if n not in held], 18)
    for k, number in enumerate(chosen):
        rules = (("customer_id",), ("status",), ("ordered_at",), ("updated_at",), ("customer_id", "status"), ("order_id",))
        for rule in rules[k % 6]:
            mixed.loc[number, rule] = _broken(rule, mixed.loc[number], missing=k > 8)
        held[number] = set(rules[k % 6])
    reasons = {int(mixed.loc[n, "row"]): ", ".join(sorted(rules)) for n, rules in held.items()}
    return Deliveries(Delivery(clean, {}), Delivery(mixed, reasons), Delivery(clean.head(0), {}))


def _broken(rule: str, row: Any, *, missing: bool) -> Any:
    """A value that breaks the rule; missing: for a status none at all instead of an unknown one."""
    import pandas as pd

    return {
        "order_id": None,
        "customer_id": None,
        "status": None if missing else "settled",
        "ordered_at": pd.Timestamp("1970-01-01"),
        "updated_at": row["ordered_at"] - pd.Timedelta(minutes=5),
    }[rule]


def _split(work: Work, delivery: Delivery, what: str) -> tuple[Any, Any]:
    answer = work.call("split_orders", delivery.orders)
    tried = f"split_orders({what}, {len(delivery.orders)} rows)"
    if not isinstance(answer, tuple | list) or len(answer) != 2 or not all(hasattr(part, "columns") for part in answer):
        raise NotYet(
            "Return two DataFrames: the good rows, and the rows to hold back.",
            tried=tried,
            expected="(good, held)",
            got=answer,
            cause="type",
        )
    good, held = answer
    for name, part in (("good", good), ("held", held)):
        missing = [c for c in ("row", "order_id") if c not in part.columns]
        if missing:
            raise NotYet(
                f"`{name}` has lost the column `{missing[0]}`.",
                tried=tried,
                expected=list(delivery.orders.columns),
                got=list(part.columns),
                cause="columns",
            )
    if "reason" not in held.columns:
        raise NotYet(
            "`held` needs a column `reason`.",
            tried=tried,
            expected="a column reason",
            got=list(held.columns),
            cause="no-reason",
        )
    return good, held


def _rows(frame: Any) -> list[int]:
    return [whole_number(n, "The column `row`") for n in frame["row"].tolist()]


def lets_clean_rows_through(work: Work, data: Deliveries) -> str:
    for what, delivery in (("a clean delivery", data.clean), ("an empty delivery", data.empty)):
        good, held = _split(work, delivery, what)
        tried = f"split_orders({what})"
        if len(held):
            raise NotYet(
                f"You hold back {len(held)} of {len(delivery.orders)} good rows, the first for {held['reason'].iloc[0]!r}.",
                tried=tried,
                expected="no row held",
                got=_rows(held)[:10],
                cause="false-hold",
                look="An order may be changed in the same second in which it is placed.",
            )
        if len(good) != len(delivery.orders):
            raise NotYet(
                f"{len(delivery.orders)} rows went in, {len(good)} came out.",
                tried=tried,
                expected=len(delivery.orders),
                got=len(good),
                cause="lost-rows",
            )
    return f"{len(data.clean.orders)} clean rows pass, and an empty delivery is no accident."


def holds_each_bad_row(work: Work, data: Deliveries) -> str:
    good, held = _split(work, data.mixed, "a mixed delivery")
    total, tried = len(data.mixed.orders), "split_orders(a mixed delivery)"
    rows_good, rows_held = _rows(good), _rows(held)
    if not rows_good and rows_held:
        raise NotYet(
            f"All {total} rows are held back for {len(data.mixed.held)} bad ones. Finance gets no morning at all.",
            tried=tried,
            expected=f"{len(data.mixed.held)} held",
            got=f"{len(rows_held)} held",
            cause="all-or-nothing",
        )
    if sorted(rows_good + rows_held) != sorted(_rows(data.mixed.orders)):
        lost = sorted(set(_rows(data.mixed.orders)) - set(rows_good) - set(rows_held))
        said = (
            f"{len(lost)} rows are in neither part: they are gone without a trace."
            if lost
            else "Some rows are in both parts, or twice in one."
        )
        raise NotYet(
            said,
            tried=tried,
            expected=f"{total} rows in all",
            got=f"{len(rows_good)} good, {len(rows_held)} held",
            cause="lost-rows" if lost else "twice",
        )
    slipped = sorted(set(data.mixed.held) - set(rows_held))
    if slipped:
        why = data.mixed.held[slipped[0]]
        numbers = data.mixed.orders.set_index("row")["order_id"]
        pair = all(data.mixed.held[n] == "order_id" and numbers[n] == numbers[n] for n in slipped)
        said = (
            f"{len(slipped)} rows of pairs with one `order_id` are let through. Nobody can say which of a pair is right: hold both."
            if pair
            else f"{len(slipped)} bad rows are let through; row {slipped[0]} breaks {why}."
        )
        row = data.mixed.orders[data.mixed.orders["row"] == slipped[0]].iloc[0]
        raise NotYet(
            said,
            tried=tried,
            expected=f"{len(data.mixed.held)} held",
            got=f"{len(rows_held)} held",
            cause="half-a-pair" if pair else f"slipped-{why.split(', ')[0]}",
            look=f"Row {slipped[0]}: {', '.join(f'{name} {row[name]}' for name in row.index if name != 'row')}",
        )
    extra = sorted(set(rows_held) - set(data.mixed.held))
    if extra:
        raise NotYet(
            f"{len(extra)} good rows are held back, the first is row {extra[0]}.",
            tried=tried,
            expected=f"{len(data.mixed.held)} held",
            got=f"{len(rows_held)} held",
            cause="false-hold",
        )
    return f"{len(rows_held)} of {total} rows held back, each of a pair among them."


def says_why(work: Work, data: Deliveries) -> str:
    _, held = _split(work, data.mixed, "a mixed delivery")
    got = {n: str(reason) for n, reason in zip(_rows(held), held["reason"], strict=True)}
    for number, want in data.mixed.held.items():
        if got.get(number) != want:
            both = ", " in want and got.get(number) in want.split(", ")
            said = (
                f"Row {number} breaks two rules, and you name one of them."
                if both
                else f"The reason of row {number} is not the one it has."
            )
            raise NotYet(
                said,
                tried="split_orders(a mixed delivery)",
                expected=want,
                got=got.get(number, "not held"),
                cause="one-reason" if both else "reason",
                look="Names of the columns, sorted, with a comma and a space between them.",
            )
    return "Every held row says which rules it breaks."


_PANDERA = '''\
def split_orders(orders):
    """(good rows, rows to hold back with a column `reason`) of one delivery of orders."""
    import pandas as pd
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            "order_id": pa.Column(unique=True, report_duplicates="all"),
            "customer_id": pa.Column(),
            "status": pa.Column(checks=pa.Check.isin(["placed", "paid", "shipped", "cancelled", "returned"])),
            "ordered_at": pa.Column(checks=pa.Check.ge(pd.Timestamp("2015-01-01"))),
        },
        checks=pa.Check(lambda rows: rows["updated_at"] >= rows["ordered_at"], name="updated_at"),
    )
    try:
        schema.validate(orders, lazy=True)
        cases = pd.DataFrame({"index": [], "rule": []})
    except pa.errors.SchemaErrors as found:
        cases = found.failure_cases
        cases["rule"] = cases["column"].where(cases["check"] != "updated_at", "updated_at")
    reasons = cases.groupby("index")["rule"].agg(lambda rules: ", ".join(sorted(set(rules))))
    held = orders.loc[orders.index.isin(reasons.index)].copy()
    held["reason"] = [reasons[n] for n in held.index]
    return orders.drop(held.index), held
'''


def _pandera(old: str, new: str) -> str:
    return edited(_PANDERA, (old, new))


_MASKS = """\
def split_orders(orders):
    import pandas as pd
    broken = {
        "customer_id": orders["customer_id"].isna(),
        "order_id": orders["order_id"].isna() | orders["order_id"].duplicated(keep=False),
        "ordered_at": ~(orders["ordered_at"] >= pd.Timestamp(2015, 1, 1)),
        "status": ~orders["status"].isin(["placed", "paid", "shipped", "cancelled", "returned"]),
        "updated_at": ~(orders["updated_at"] >= orders["ordered_at"]),
    }
    reason = pd.Series("", index=orders.index)
    for name, mask in broken.items():
        reason = reason.where(~mask, reason + name + ", ")
    bad = reason != ""
    return orders[~bad], orders[bad].assign(reason=reason[bad].str.removesuffix(", "))
"""

_MODEL = """\
from typing import Any
import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

class Orders(pa.DataFrameModel):
    order_id: Series[Any] = pa.Field(nullable=False)
    customer_id: Series[Any] = pa.Field(nullable=False)
    status: Series[Any] = pa.Field(isin=["placed", "paid", "shipped", "cancelled", "returned"])
    ordered_at: Series[Any] = pa.Field(ge=pd.Timestamp("2015-01-01"))

    @pa.check("order_id")
    def alone(cls, ids):
        return ~ids.duplicated(keep=False)

    @pa.dataframe_check
    def updated_at(cls, rows):
        return rows["updated_at"] >= rows["ordered_at"]

def split_orders(orders):
    why = {}
    try:
        Orders.validate(orders, lazy=True)
    except pa.errors.SchemaErrors as found:
        for case in found.failure_cases.itertuples():
            why.setdefault(case.index, set()).add("updated_at" if case.check == "updated_at" else case.column)
    held = orders.loc[[n in why for n in orders.index]].copy()
    held["reason"] = [", ".join(sorted(why[n])) for n in held.index]
    return orders.loc[[n not in why for n in orders.index]], held
"""

TASK_6 = Task(
    id="03.6",
    title="Hold back the bad rows, let the morning go",
    minutes=11,
    points=2,
    deliver=(function("split_orders"),),
    data=deliveries,
    checks=(
        Check("holds back each bad row and no other", holds_each_bad_row, expected=lambda d: sorted(d.mixed.held)),
        Check("says why", says_why, expected=lambda d: d.mixed.held),
        Check("lets clean rows through", lets_clean_rows_through),
    ),
    hints=(
        "Pandera can stop at the first failure or collect all of them. Which one do you need to sort rows?",
        "`schema.validate(orders, lazy=True)` raises SchemaErrors; its `failure_cases` is a DataFrame with a row for each failure: `column`, `check`, `index`.",
        'Group `failure_cases` by `index` and join the names. `unique=True, report_duplicates="all"` reports both of a pair; a check over two columns belongs to the schema, and you can name it.',
    ),
    wrong=(
        wrong("stops at the first failure", _pandera("lazy=True", "lazy=False"), "error"),
        wrong(
            "holds the whole delivery",
            'def split_orders(orders):\n    import pandas as pd\n    bad = orders["customer_id"].isna() | ~orders["status"].isin(["placed", "paid", "shipped", "cancelled", "returned"]) | (orders["ordered_at"] < pd.Timestamp("2015-01-01"))\n    if bad.any():\n        return orders.head(0), orders.assign(reason="status")\n    return orders, orders.head(0).assign(reason="")\n',
            "all-or-nothing",
        ),
        wrong(
            "keeps the first of a pair",
            _pandera('report_duplicates="all"', 'report_duplicates="exclude_first"'),
            "half-a-pair",
        ),
        wrong(
            "drops what it does not like",
            _pandera("    held = orders", '    orders = orders.dropna(subset=["customer_id"])\n    held = orders'),
            "lost-rows",
        ),
        wrong("names one reason", _pandera('lambda rules: ", ".join(sorted(set(rules)))', '"first"'), "one-reason"),
        wrong(
            "later means later",
            _pandera('rows["updated_at"] >= rows["ordered_at"]', 'rows["updated_at"] > rows["ordered_at"]'),
            "false-hold",
        ),
        wrong(
            "a missing customer is fine",
            _pandera('"customer_id": pa.Column()', '"customer_id": pa.Column(nullable=True)'),
            "slipped-customer_id",
        ),
        wrong(
            "a missing status is one of them", _pandera('"returned"]))', '"returned"]), nullable=True)'), "slipped-status"
        ),
        wrong(
            "any status",
            _pandera(
                '            "status": pa.Column(checks=pa.Check.isin(["placed", "paid", "shipped", "cancelled", "returned"])),\n',
                "",
            ),
            "slipped-status",
        ),
        wrong(
            "a missing number is fine",
            _pandera('report_duplicates="all"', 'report_duplicates="all", nullable=True'),
            "slipped-order_id",
        ),
        wrong(
            "any date",
            _pandera('            "ordered_at": pa.Column(checks=pa.Check.ge(pd.Timestamp("2015-01-01"))),\n', ""),
            "slipped-ordered_at",
        ),
        wrong("after the first moment of 2015", _pandera("pa.Check.ge", "pa.Check.gt"), "false-hold"),
        wrong(
            "nobody compares the two times",
            _pandera('rows["updated_at"] >= rows["ordered_at"]', 'rows["row"] >= 0'),
            "slipped-updated_at",
        ),
        wrong("reasons in another order", _pandera("sorted(set(rules))", "sorted(set(rules), reverse=True)"), "reason"),
        wrong(
            "holds nothing",
            'def split_orders(orders):\n    return orders, orders.head(0).assign(reason="")\n',
            "slipped-updated_at",
            "half-a-pair",
            "slipped-order_id",
        ),
        wrong(
            "a failed check without a word",
            _pandera("        cases = found.failure_cases\n", "        return orders, orders.head(0)\n"),
            "no-reason",
        ),
        wrong("returns True", "def split_orders(orders):\n    return True", "type"),
    ),
    right=(
        right("with masks of pandas", _MASKS),
        right("a DataFrameModel", _MODEL),
    ),
    clauses={
        "`order_id` is there": "a missing number is fine",
        "hold *both*": "keeps the first of a pair",
        "`customer_id` is there": "a missing customer is fine",
        "`status` is there and is placed, paid, shipped, cancelled or returned": "a missing status is one of them",
        "`ordered_at` is not before 2015": "any date",
        "`updated_at` is not before `ordered_at`": "nobody compares the two times",
        "names of the broken rules, sorted": "reasons in another order",
    },
)


# ---------------------------------------------------------------- 03.7

SUITE = "quality/order_lines.json"
SODA = "quality/order_lines.soda.yml"


@dataclass(frozen=True)
class Lines:
    """A day's order lines in one state: what is wrong ("" when it must pass)."""

    name: str
    wrong: str
    table: Any


def lines(seed: int) -> tuple[Lines, ...]:
    """500 lines of a company the learner has not seen, fine in four ways and broken in ten."""
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    try:
        con.register("held", company(seed).tables["raw.order_items"])
        con.execute(
            "create table lines as select order_id, line_number, product_id, quantity, unit_price::double as unit_price, "
            f"row_number() over (order by hash({seed}, order_id, line_number)) as n from held limit 500"
        )
        whole = "select * exclude (n) from lines"
        states = (
            ("clean", "", whole),
            ("five-samples", "", _with_price(5, 0)),
            (
                "large-order",
                "",
                "select * exclude (n) replace (case when n = 7 then 50 else quantity end as quantity) from lines",
            ),
            ("hundred-lines", "", f"{whole} where n <= 100"),
            (
                "negative-quantity",
                "21 lines have a negative quantity.",
                "select * exclude (n) replace (case when n <= 21 then -quantity else quantity end as quantity) from lines",
            ),
            (
                "zero-quantity",
                "One line has quantity 0.",
                "select * exclude (n) replace (case when n = 9 then 0 else quantity end as quantity) from lines",
            ),
            (
                "outlier-quantity",
                "One line has quantity 51: a pallet, or a typing error.",
                "select * exclude (n) replace (case when n = 3 then 51 else quantity end as quantity) from lines",
            ),
            ("duplicated-batch", "30 lines came twice.", f"{whole} union all select * exclude (n) from lines where n <= 30"),
            (
                "line-without-order",
                "One line has no `order_id`.",
                "select * exclude (n) replace (case when n = 4 then null else order_id end as order_id) from lines",
            ),
            (
                "line-without-product",
                "12 lines have no product.",
                "select * exclude (n) replace (case when n <= 12 then null else product_id end as product_id) from lines",
            ),
            ("six-samples", "6 of 500 lines cost nothing: more than one in a hundred.", _with_price(6, 0)),
            ("negative-price", "One line has a price of −3.50.", _with_price(1, -3.5)),
            ("truncated-load", "The file ends after 99 lines.", f"{whole} where n < 100"),
            ("dropped-column", "`unit_price` is gone.", "select order_id, line_number, product_id, quantity from lines"),
        )
        return tuple(Lines(name, wrong, con.execute(query).to_arrow_table(BATCH_ROWS)) for name, wrong, query in states)
    finally:
        con.close()


def _with_price(count: int, price: float) -> str:
    return f"select * exclude (n) replace (case when n <= {count} then {price} else unit_price end as unit_price) from lines"


def _validated(work: Work, data: tuple[Lines, ...], tool: str) -> dict[str, list[str]]:
    """By state, what failed there, as the tool names it."""
    path = SUITE if tool == "expectations" else SODA
    text = work.file(f"repo/{path}")
    good, bad = [s for s in data if not s.wrong], [s for s in data if s.wrong]
    wanted = [*good, *(s for s in bad if work.deciding is None or s.name in work.deciding)]
    tables = {s.name: s.table for s in wanted}
    request = (
        {"suite": text, "frames": tables}
        if tool == "expectations"
        else {"contract": text, "table": "order_lines", "tables": tables}
    )
    answer = work.once((tool, id(data)), lambda: work.tool(tool, request))
    if answer["error"]:
        raise NotYet("The file cannot be used.", got=answer["error"], cause="unreadable", tried=path)
    if not any(answer["states"].values()):
        raise NotYet("The file holds no check.", cause="no-tests", tried=path)
    passed = ("success", True) if tool == "expectations" else ("outcome", "passed")
    return {
        state: [
            f"{name}{': ' + r['message'] if r['message'] else ''}"
            for name, r in results.items()
            if r[passed[0]] != passed[1]
        ]
        for state, results in answer["states"].items()
    }


_ORDINARY = {
    "clean": "a clean day",
    "five-samples": "a day with 5 free samples in 500 lines, as agreed",
    "large-order": "a day with one line of 50 pieces, as agreed",
    "hundred-lines": "a day with exactly 100 lines, as agreed",
}


def _silent(work: Work, data: tuple[Lines, ...], tool: str, names: tuple[str, ...] = tuple(_ORDINARY)) -> str:
    failed = _validated(work, data, tool)
    for state in data:
        if state.name in names and failed[state.name]:
            raise NotYet(
                f"A false alarm on {_ORDINARY[state.name]}.",
                tried=f"{len(state.table)} lines, {state.name}",
                expected="everything passes",
                got="; ".join(failed[state.name]),
                cause="false-alarm" if state.name == "clean" else state.name,
            )
    return "Silent on clean days, on five free samples, on a large order and on a small day."


def _catches(work: Work, data: tuple[Lines, ...], tool: str) -> str:
    """Every fault fails, and a clean day passes: a check that fails on clean data tells nothing about the others."""
    _silent(work, data, tool, ("clean",))
    failed = _validated(work, data, tool)
    broken = [s for s in data if s.wrong and s.name in failed]
    missed = [s for s in broken if not failed[s.name]]
    if missed:
        others = f" Also missed: {', '.join(s.name for s in missed[1:])}." if missed[1:] else ""
        raise NotYet(
            f"{missed[0].wrong} Everything passed.{others}",
            tried=missed[0].name,
            expected="a failure",
            got="all passed",
            cause=f"missed-{missed[0].name}",
        )
    return f"{len(broken)} of {len(broken)} faults caught; a clean day passed."


def expectations_silent(work: Work, data: tuple[Lines, ...]) -> str:
    return _silent(work, data, "expectations")


def expectations_catch(work: Work, data: tuple[Lines, ...]) -> str:
    return _catches(work, data, "expectations")


def soda_silent(work: Work, data: tuple[Lines, ...]) -> str:
    return _silent(work, data, "soda")


def soda_catches(work: Work, data: tuple[Lines, ...]) -> str:
    return _catches(work, data, "soda")


_SUITE_LINES = [
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "order_id"}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "product_id"}},
    {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["order_id", "line_number"]}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "quantity", "min_value": 1, "max_value": 50}},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "unit_price", "min_value": 0}},
    {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "unit_price", "min_value": 0, "strict_min": True, "mostly": 0.99},
    },
    {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 100}},
]


def suite_text(entries: list[dict[str, Any]]) -> str:
    """A suite as a person would lay it out: one expectation a line."""
    body = ",\n".join("    " + json.dumps(e) for e in entries)
    return '{\n  "name": "order_lines",\n  "expectations": [\n' + body + "\n  ]\n}\n"


_SODA = """\
dataset: shopflow/shopflow/raw/order_lines
checks:
  - row_count:
      threshold: {must_be_greater_than_or_equal: 100}
  - duplicate:
      columns: [order_id, line_number]
columns:
  - name: order_id
    checks:
      - missing:
  - name: product_id
    checks:
      - missing:
  - name: quantity
    checks:
      - invalid: {valid_min: 1, valid_max: 50}
  - name: unit_price
    checks:
      - invalid: {valid_min: 0}
      - invalid:
          qualifier: free_samples
          valid_min: 0.01
          threshold: {metric: percent, must_be_less_than_or_equal: 1}
"""


def _suite(drop: int | None = None, **changes: Any) -> dict[str, str]:
    entries = json.loads(json.dumps(_SUITE_LINES))
    for number, kwargs in changes.items():
        entries[int(number[1:])]["kwargs"] = {
            k: v for k, v in {**entries[int(number[1:])]["kwargs"], **kwargs}.items() if v is not None
        }
    return {f"repo/{SUITE}": suite_text([e for n, e in enumerate(entries) if n != drop])}


def _soda(old: str, new: str) -> dict[str, str]:
    return {f"repo/{SODA}": edited(_SODA, (old, new))}


_OTHER_SUITE = suite_text(
    [
        {"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "quantity", "value_set": list(range(1, 51))}},
        {"type": "expect_column_min_to_be_between", "kwargs": {"column": "unit_price", "min_value": 0}},
        {
            "type": "expect_column_values_to_not_be_in_set",
            "kwargs": {"column": "unit_price", "value_set": [0.0], "mostly": 0.99},
        },
        {
            "type": "expect_select_column_values_to_be_unique_within_record",
            "kwargs": {"column_list": ["order_id", "product_id"], "ignore_row_if": "never"},
        },
        {"type": "expect_compound_columns_to_be_unique", "kwargs": {"column_list": ["line_number", "order_id"]}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "product_id"}},
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "order_id", "mostly": 1.0}},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 100, "max_value": 1000000}},
    ]
)

_OTHER_SODA = """\
dataset: shopflow/shopflow/raw/order_lines
columns:
  - name: unit_price
    checks:
      - aggregate:
          function: min
          threshold: {must_be_greater_than_or_equal: 0}
      - invalid:
          invalid_values: [0]
          threshold: {metric: percent, must_be_less_than_or_equal: 1}
  - name: quantity
    checks:
      - invalid: {valid_max: 50, valid_min: 1}
  - name: order_id
    checks: [{missing: {threshold: {must_be: 0}}}]
  - name: product_id
    checks: [{missing: {threshold: {metric: percent, must_be: 0}}}]
checks:
  - duplicate: {columns: [line_number, order_id]}
  - row_count: {threshold: {must_be_greater_than: 99}}
"""

_SODA_CATCHES = "Soda: fails on every fault, and on no clean day"

TASK_7 = Task(
    id="03.7",
    title="The same rules in Great Expectations and Soda",
    minutes=11,
    points=2,
    deliver=(file(f"repo/{SUITE}"), file(f"repo/{SODA}")),
    data=lines,
    executes=True,
    seconds=120,
    mutants=8,
    checks=(
        Check(
            "Great Expectations: fails on every fault, and on no clean day",
            expectations_catch,
            expected=lambda d: [s.table.to_pylist()[:3] for s in d],
        ),
        Check("Great Expectations: silent at the edges of the rules", expectations_silent),
        Check(_SODA_CATCHES, soda_catches, after=()),
        Check("Soda: silent at the edges of the rules", soda_silent, after=(_SODA_CATCHES,)),
    ),
    hints=(
        "Take the rules one by one. The only hard one is the price: never below 0, and 0 for at most one line in a hundred. That is two checks.",
        "Great Expectations: `mostly` is the share that must hold, `strict_min` makes a bound exclusive. "
        "Soda: `threshold: {metric: percent, must_be_less_than_or_equal: 1}`; a second `invalid` on one column needs a `qualifier`.",
        "Soda for the price: `- invalid: {valid_min: 0}` and `- invalid: {qualifier: free_samples, valid_min: 0.01, threshold: {metric: percent, must_be_less_than_or_equal: 1}}`.",
    ),
    wrong=(
        wrong("no free samples", _suite(_4={"strict_min": True}), "five-samples"),
        wrong("any number of samples", _suite(5), "missed-six-samples", decided_by="six-samples"),
        wrong("samples may cost less than nothing", _suite(4), "missed-negative-price", decided_by="negative-price"),
        wrong("a tenth may be free", _suite(_5={"mostly": 0.9}), "missed-six-samples", decided_by="six-samples"),
        wrong("nobody orders fifty", _suite(_3={"max_value": 49}), "large-order"),
        wrong("no key", _suite(2), "missed-duplicated-batch", decided_by="duplicated-batch"),
        wrong(
            "each order once",
            {
                f"repo/{SUITE}": suite_text(
                    [*_SUITE_LINES, {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "order_id"}}]
                )
            },
            "false-alarm",
        ),
        wrong(
            "an expectation that does not exist",
            {f"repo/{SUITE}": suite_text([*_SUITE_LINES[:-1], {"type": "expect_row_count", "kwargs": {"min_value": 100}}])},
            "unreadable",
        ),
        wrong("lines of no order", _suite(0), "missed-line-without-order", decided_by="line-without-order"),
        wrong("lines of no product", _suite(1), "missed-line-without-product", decided_by="line-without-product"),
        wrong("no pieces at all", _suite(_3={"min_value": 0}), "missed-zero-quantity", decided_by="zero-quantity"),
        wrong("more than 100 lines", _suite(_6={"min_value": 101}), "hundred-lines"),
        wrong("half a suite", {f"repo/{SUITE}": suite_text(_SUITE_LINES)[:200]}, "unreadable"),
        wrong(
            "a key of Soda with a slip in it is not read",
            _soda("  - duplicate:", "  - duplicates:"),
            "missed-duplicated-batch",
            decided_by="duplicated-batch",
        ),
        wrong(
            "Soda: no limit above", _soda(", valid_max: 50", ""), "missed-outlier-quantity", decided_by="outlier-quantity"
        ),
        wrong("Soda: a count where a share is meant", _soda("metric: percent, ", ""), "five-samples"),
        wrong("Soda: half a file", _soda("[order_id, line_number]", "[order_id, line_number"), "unreadable"),
        wrong(
            "Soda: no rows are enough rows",
            _soda("must_be_greater_than_or_equal: 100", "must_be_greater_than: 0"),
            "missed-truncated-load",
            decided_by="truncated-load",
        ),
    ),
    right=(
        right("other expectations for the same rules", {f"repo/{SUITE}": _OTHER_SUITE}),
        right("Soda with an aggregate and other thresholds", {f"repo/{SODA}": _OTHER_SODA}),
    ),
    needs=("soda",),
    clauses={
        "`order_id` and": "lines of no order",
        "`product_id` are there": "lines of no product",
        "with `line_number` stands once": "no key",
        "`quantity` is from 1": "no pieces at all",
        "to 50": "nobody orders fifty",
        "`unit_price` is never negative": "samples may cost less than nothing",
        "at most 1 line in 100 may cost nothing": "any number of samples",
        "exactly 1 in 100 is still fine": "no free samples",
        "a day has 100 lines or more": "more than 100 lines",
    },
    spared={
        "line 9: 0 → 1": "nothing at ShopFlow costs less than a euro",
        ".dataset": "the judge says which table",
        ".name": "a name is for people",
        ".qualifier": "a label",
    },
)
