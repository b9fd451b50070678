"""Task 02.4: a view that lives only in the warehouse becomes a model that lives in Git."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from dojo.judge import waiting
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, parse_yaml
from dojo.tasks.samples import company
from dojo.tools import dbt as dbt_tool
from shopflow.tables import BATCH_ROWS

NAME = "finance_margin_by_category"
MODEL = f"repo/dbt/models/marts/{NAME}.sql"
SCHEMA = "repo/dbt/models/marts/_finance.yml"
VIEW = """\
select
    coalesce(products.category, 'unknown') as category,
    count(distinct sales.order_id) as orders,
    sum(sales.quantity)::bigint as units,
    sum(sales.line_revenue)::decimal(14, 2) as revenue_eur,
    sum(sales.quantity * coalesce(products.cost_eur, 0))::decimal(14, 2) as cost_eur,
    (sum(sales.line_revenue) - sum(sales.quantity * coalesce(products.cost_eur, 0)))::decimal(14, 2) as margin_eur
from prod.marts.fact_sales as sales
left join prod.marts.dim_product as products on sales.product_key = products.product_key
where sales.order_status in ('paid', 'shipped') and sales.date_key >= 20251101
group by 1
"""
"""What somebody typed into the warehouse's console."""


def create_by_hand(warehouse: Any) -> None:
    """Puts the view into the production warehouse, and nowhere else."""
    con = duckdb.connect(str(warehouse))
    try:
        con.execute(f"create or replace view marts.{NAME} as {VIEW}")
    finally:
        con.close()


@dataclass(frozen=True)
class Elsewhere:
    """Another warehouse, in which the marts stand in a schema of another name, and what the view would show there."""

    schema: str
    tables: dict[str, Any]
    rows: list[dict[str, Any]]
    usual_slips: dict[str, list[dict[str, Any]]]


_SLIPS = {
    "unknown-lost": ("left join", "join"),
    "all-time": (" and sales.date_key >= 20251101", ""),
    "all-states": ("sales.order_status in ('paid', 'shipped') and ", ""),
    "null-category": ("coalesce(products.category, 'unknown')", "products.category"),
    "lines-for-orders": ("count(distinct sales.order_id)", "count(*)"),
}
_SAID = {
    "unknown-lost": "Sales of products that the product list does not know are gone. The view keeps them as `unknown`.",
    "all-time": "Your model counts from the first day. The view begins on 1 November; nobody remembers why, and finance's figures rest on it.",
    "all-states": "Cancelled, returned and unpaid orders are counted.",
    "null-category": "Sales of unknown products stand under null; the view calls them `unknown`.",
    "lines-for-orders": "`orders` counts order lines.",
}


def elsewhere(seed: int) -> Elsewhere:
    """Days around 1 November; every fifteenth product is missing from the list, and half of them are kitchen things."""
    held = company(seed, last=dt.date(2025, 11, 4) + dt.timedelta(days=seed % 4), orders=2_000)
    products = held.tables["marts.dim_product"]
    kept = products.filter(pa.array([n % 15 != seed % 15 for n in range(products.num_rows)]))
    tables = {"fact_sales": held.tables["marts.fact_sales"], "dim_product": kept}
    con = duckdb.connect()
    con.execute("create schema marts")
    for name, table in tables.items():
        con.from_arrow(table).create(f"marts.{name}")
    con.execute("update marts.dim_product set category = 'kitchen' where product_id % 2 = ?", [seed % 2])
    tables["dim_product"] = con.execute("from marts.dim_product").to_arrow_table(BATCH_ROWS)
    here = VIEW.replace("prod.", "")
    rows = con.execute(here).to_arrow_table(BATCH_ROWS).to_pylist()
    slips = {
        key: con.execute(here.replace(*change)).to_arrow_table(BATCH_ROWS).to_pylist() for key, change in _SLIPS.items()
    }
    con.close()
    schema = f"marts_of_{seed}"
    return Elsewhere(schema, {f"{schema}.{name}": table for name, table in tables.items()}, rows, slips)


def _build(work: Work, data: Elsewhere, *, twice: bool = False) -> dict[str, Any]:
    """What `dbt build` of the model came to in this warehouse; with `twice`, of the model with one of its rows twice."""
    model, schema = work.file(MODEL), work.file(SCHEMA)
    if twice:
        once = model.rstrip().rstrip(";")
        model = (
            f"with of_the_model as (\n{once}\n)\nfrom of_the_model union all (from of_the_model order by category limit 1)"
        )
    files = dict(dbt_tool.shopflow_project())
    for name in ("fact_sales", "dim_product"):
        path = f"models/marts/{name}.sql"
        files[path] = f"{{{{ config(schema='{data.schema}') }}}}\n" + files[path]
    files[MODEL.removeprefix("repo/dbt/")] = model
    files[SCHEMA.removeprefix("repo/dbt/")] = schema
    request = {
        "name": "02.4",
        "files": files,
        "tables": data.tables,
        "args": ["build", "--select", NAME],
        "queries": {"rows": f"select * from marts.{NAME}"},
    }
    return work.once(("02.4", data.schema, model, schema), lambda: work.tool("dbt", request))


FIGURES = ("orders", "units", "revenue_eur", "cost_eur", "margin_eur")
COLUMNS = ("category", *FIGURES)


def _plain(value: Any) -> Any:
    """A figure to the cent, as the view shows it; whatever else stands there as it is."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return Decimal(str(value)).quantize(Decimal("0.01")) if math.isfinite(value) else value


def _sorted(rows: list[dict[str, Any]]) -> list[tuple]:
    return sorted((tuple(_plain(row.get(k)) for k in COLUMNS) for row in rows), key=repr)


def same_rows(work: Work, data: Elsewhere) -> str:
    waiting.tell(0, 4, "building the model in another warehouse")
    built = _build(work, data)
    model = next((n for n in built["nodes"] if n["name"] == NAME), None)
    if built["error"] or model is None or model["status"] != "success":
        _not_built(work, data, built["error"] or (model["message"] if model else f"dbt found no model {NAME}"))
    rows = built["rows"]["rows"].to_pylist() if built["rows"].get("rows") is not None else []
    if rows and set(rows[0]) != set(COLUMNS):
        missing, more = sorted(set(COLUMNS) - set(rows[0])), sorted(set(rows[0]) - set(COLUMNS))
        said = f"Missing: {', '.join(missing) or 'nothing'}. Too many: {', '.join(more) or 'nothing'}."
        raise NotYet(
            f"The columns are not the view's. {said}",
            tried=f"dbt build --select {NAME}",
            expected=", ".join(COLUMNS),
            got=", ".join(rows[0]),
            cause="columns",
        )
    if _sorted(rows) != _sorted(data.rows):
        _other_rows(data, rows)
    return f"{len(rows)} categories, the same figures as the view's, in a warehouse of another shape."


def _not_built(work: Work, data: Elsewhere, words: str) -> None:
    tried = f"dbt build --select {NAME}"
    hard = re.search(r"\b(?:\w+\.)?marts\.\w+", work.file(MODEL))
    if hard and "does not exist" in words:
        raise NotYet(
            f"Your model names `{hard[0]}`, a table of one place. Here the marts stand in the schema `{data.schema}`.",
            tried=tried,
            expected="the tables by ref(), wherever they are",
            got=words,
            cause="hard-coded",
            look="{{ ref('fact_sales') }} also tells dbt to build fact_sales first, and the lineage to show finance behind it.",
        )
    raise NotYet("dbt cannot build the model.", tried=tried, expected="success", got=words, cause="dbt")


def _other_rows(data: Elsewhere, rows: list[dict[str, Any]]) -> None:
    """Names the slip that gives exactly these rows, where one does, and the first figure that differs."""
    cause = next((k for k, other in data.usual_slips.items() if _sorted(rows) == _sorted(other)), "other-rows")
    theirs = {row["category"]: row for row in rows}
    row = next((r for r in data.rows if _sorted([r]) != _sorted([theirs.get(r["category"], {})])), data.rows[0])
    got = theirs.get(row["category"])
    off = next((k for k in COLUMNS if got is None or _plain(row[k]) != _plain(got[k])), "category")
    expected, shown = f"{off}: {row[off]}", "no such row" if got is None else f"{off}: {got[off]}"
    if got is not None and off == "category":
        expected, shown = f"{len(data.rows)} rows", f"{len(rows)} rows"
    raise NotYet(
        _SAID.get(cause, f"{len(rows)} rows, and they are not the {len(data.rows)} of the view."),
        tried=f"the row of {row['category']!r}",
        expected=expected,
        got=shown,
        cause=cause,
        look="Read the view's own text again: it says more than its column names.",
    )


def described(work: Work, data: Elsewhere) -> str:
    content = mapping(parse_yaml(work.file(SCHEMA), "_finance.yml"), "_finance.yml", ("models",))
    models = content["models"] if isinstance(content["models"], list) else []
    entry = next((m for m in models if isinstance(m, dict) and m.get("name") == NAME), None)
    if entry is None:
        names = ", ".join(str(m.get("name")) for m in models if isinstance(m, dict)) or "no model"
        said = f"`_finance.yml` does not describe {NAME}."
        raise NotYet(said, tried="`models:`", expected=f"- name: {NAME}", got=names, cause="no-description")
    text = str(entry.get("description") or "")
    wanted = "a sentence that says what a row is and who reads it"
    if len(text.split()) < 4:
        raise NotYet("The model has no description.", expected=wanted, got=text or "nothing", cause="no-description")
    for pattern, said, cause in (
        (r"(?i)categor", "The description does not say what a row is: one category.", "no-grain"),
        (r"(?i)financ", "The description does not say who reads it: finance.", "no-reader"),
    ):
        if not re.search(pattern, text):
            raise NotYet(said, expected=wanted, got=text, cause=cause)
    return "Described: what a row is, and who reads it."


def tested(work: Work, data: Elsewhere) -> str:
    tried = f"dbt build --select {NAME}"
    tests = [n for n in _build(work, data)["nodes"] if n["type"] == "test"]
    waiting.tell(2, 4, "the model with one of its rows twice")
    if not tests:
        raise NotYet(
            "No test guards the model.", tried=tried, expected="at least one data test", got="none", cause="no-test"
        )
    if alarms := [n for n in tests if n["status"] != "pass"]:
        said = f"`{alarms[0]['name']}` does not pass on right figures."
        raise NotYet(
            said, tried=tried, expected="pass", got=f"{alarms[0]['status']}: {alarms[0]['message']}", cause="false-alarm"
        )
    again = [n for n in _build(work, data, twice=True)["nodes"] if n["type"] == "test"]
    if not any(n["status"] == "fail" for n in again):
        raise NotYet(
            "With one category in it twice no test fails, and finance's totals are too high.",
            tried="the model with one of its rows twice",
            expected="a test that fails",
            got=", ".join(f"{n['name']}: {n['status']}" for n in again),
            cause="weak-test",
            look="What identifies a row? Say that it stands once.",
        )
    return f"{len(tests)} tests: silent on right figures, and one fails when a category stands twice."


_MODEL = """\
with sales as (
    select * from {{ ref('fact_sales') }}
    where order_status in ('paid', 'shipped') and date_key >= 20251101
),

products as (
    select * from {{ ref('dim_product') }}
)

select
    coalesce(products.category, 'unknown') as category,
    count(distinct sales.order_id) as orders,
    sum(sales.quantity)::bigint as units,
    sum(sales.line_revenue)::decimal(14, 2) as revenue_eur,
    sum(sales.quantity * coalesce(products.cost_eur, 0))::decimal(14, 2) as cost_eur,
    sum(sales.line_revenue - sales.quantity * coalesce(products.cost_eur, 0))::decimal(14, 2) as margin_eur
from sales
left join products on sales.product_key = products.product_key
group by 1
"""
_SCHEMA = f"""\
models:
  - name: {NAME}
    description: "One row: one category's margin since 1 November, for finance's monthly report."
    columns:
      - name: category
        data_tests: [unique, not_null]
"""


def _model(old: str, new: str) -> dict[str, str]:
    return {MODEL: edited(_MODEL, (old, new))}


_LEDGER = """\
{{ config(materialized='view') }}
select category, count(distinct order_id) as orders, sum(pieces)::bigint as units, sum(earned)::decimal(14, 2) as revenue_eur,
    sum(cost)::decimal(14, 2) as cost_eur, (sum(earned) - sum(cost))::decimal(14, 2) as margin_eur
from (
    select case when p.product_key is null then 'unknown' else p.category end as category, s.order_id, s.quantity as pieces,
        s.line_revenue as earned, case when p.cost_eur is null then 0 else s.quantity * p.cost_eur end as cost
    from {{ ref("dim_product") }} p right join {{ ref("fact_sales") }} s using (product_key)
    where s.order_status not in ('placed', 'cancelled', 'returned') and s.date_key > 20251031
)
group by category
"""
_TWO_TESTS = f"""\
version: 2
models:
  - name: {NAME}
    description: Margin of each category, one row a category; finance reads it on the first of the month.
    columns:
      - name: category
        description: Product category, or unknown.
        tests:
          - unique
      - name: revenue_eur
        tests: [not_null]
"""

TASK_4 = Task(
    id="02.4",
    title="Rescue a view that nobody has the code of",
    minutes=12,
    points=3,
    deliver=(file(MODEL), file(SCHEMA)),
    data=elsewhere,
    checks=(
        Check("It is described: what a row is, and who reads it", described),
        Check("The model shows what the view shows, anywhere", same_rows, lambda d: _sorted(d.rows), after=()),
        Check("A test guards its grain", tested, after=("The model shows what the view shows, anywhere",)),
    ),
    hints=(
        "`select sql from duckdb_views() where view_name = 'finance_margin_by_category'` on prod is all that is left of it. Read every clause.",
        "Keep what it does, also what you do not understand (the date), and replace the two table names by ref(). One row is one category: a test can say so.",
        "{{ ref('fact_sales') }} left join {{ ref('dim_product') }}, status paid or shipped, date_key >= 20251101, group by coalesce(category, 'unknown'); in _finance.yml a description and data_tests: [unique, not_null] on category.",
    ),
    wrong=(
        wrong("pastes the view", {MODEL: VIEW}, "hard-coded"),
        wrong("names schema and table", _model("{{ ref('dim_product') }}", "marts.dim_product"), "hard-coded"),
        wrong("an inner join", _model("left join", "join"), "unknown-lost"),
        wrong("leaves out the strange date", _model(" and date_key >= 20251101", ""), "all-time"),
        wrong("counts every state", _model("order_status in ('paid', 'shipped') and ", ""), "all-states"),
        wrong(
            "does not name the unknown",
            _model("coalesce(products.category, 'unknown')", "products.category"),
            "null-category",
        ),
        wrong("counts lines as orders", _model("count(distinct sales.order_id)", "count(*)"), "lines-for-orders"),
        wrong(
            "no description",
            {SCHEMA: "\n".join(line for line in _SCHEMA.splitlines() if "description" not in line)},
            "no-description",
        ),
        wrong("no test", {SCHEMA: _SCHEMA.split("    columns")[0]}, "no-test"),
        wrong(
            "a description that names no reader",
            {SCHEMA: _SCHEMA.replace(", for finance's monthly report", "")},
            "no-reader",
        ),
        wrong(
            "a description that does not say what a row is",
            {SCHEMA: _SCHEMA.replace("One row: one category's margin", "The margin")},
            "no-grain",
        ),
        wrong("a column more", _model("as category,", "as category, min(sales.date_key) as since,"), "columns"),
        wrong(
            "a test that only warns",
            {SCHEMA: _SCHEMA.replace("[unique, not_null]", "[{unique: {config: {severity: warn}}}]")},
            "weak-test",
        ),
        wrong(
            "a test that is wrong",
            {
                SCHEMA: _SCHEMA
                + "      - name: margin_eur\n        data_tests: [{accepted_values: {arguments: {values: [1]}}}]\n"
            },
            "false-alarm",
        ),
        wrong(
            "a test that cannot see a doubled row",
            {SCHEMA: _SCHEMA.replace("[unique, not_null]", "[not_null]")},
            "weak-test",
        ),
    ),
    right=(
        right("one query, written from the other side", {MODEL: _LEDGER}),
        right("tests in the older spelling", {SCHEMA: _TWO_TESTS}),
    ),
    clauses={
        "with the same columns": "a column more",
        "the same figures": "counts lines as orders",
        "built from whatever ref() points to": "names schema and table",
        "what a row is": "a description that does not say what a row is",
        "who reads it": "a description that names no reader",
        "a test that would notice a category that stands there twice": "a test that cannot see a doubled row",
        "a schema of another name": "pastes the view",
        "days before November": "leaves out the strange date",
        "products that the list does not know": "an inner join",
        "orders with two lines of one category": "counts lines as orders",
    },
    executes=True,
    mutants=12,
    spared={
        "line 3: 1 → 2": "a date in a description",
        "14 → 15": "one digit more for the same amount",
        "2 → 3": "figures are compared to the cent, as the view shows them",
        "data_tests[1]": "with coalesce no category is null",
    },
)
