"""Task 02.4: a view that lives only in the warehouse becomes a model that lives in Git."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.samples import company
from dojo.tools import dbt as dbt_tool

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
"""What Petra typed into the warehouse's console on a Friday."""


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
    tries_the_tests: bool


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
    tables["dim_product"] = con.execute("from marts.dim_product").to_arrow_table()
    here = VIEW.replace("prod.", "")
    rows = con.execute(here).to_arrow_table().to_pylist()
    slips = {key: con.execute(here.replace(*change)).to_arrow_table().to_pylist() for key, change in _SLIPS.items()}
    con.close()
    schema = f"marts_of_{seed}"
    return Elsewhere(schema, {f"{schema}.{name}": table for name, table in tables.items()}, rows, slips, seed == 11)


def _build(work: Work, data: Elsewhere, model: str, twice: str = "") -> dict[str, Any]:
    files = dict(dbt_tool.shopflow_project())
    for name in ("fact_sales", "dim_product"):
        path = f"models/marts/{name}.sql"
        files[path] = f"{{{{ config(schema='{data.schema}') }}}}\n" + files[path]
    files[MODEL.removeprefix("repo/dbt/")] = model
    files[SCHEMA.removeprefix("repo/dbt/")] = work.file(SCHEMA)
    return work.tool(
        "dbt",
        {
            "name": f"02.4-{data.schema}{twice}",
            "files": files,
            "tables": data.tables,
            "args": ["build", "--select", NAME],
            "queries": {"rows": f"select * from marts.{NAME}"},
        },
    )


_LATEST: dict[tuple, dict[str, Any]] = {}


def _built(work: Work, data: Elsewhere) -> dict[str, Any]:
    key = (work.file(MODEL), work.file(SCHEMA), data.schema)
    if key not in _LATEST:
        while len(_LATEST) > 3:
            _LATEST.pop(next(iter(_LATEST)))
        _LATEST[key] = _build(work, data, key[0])
    return _LATEST[key]


def _sorted(rows: list[dict[str, Any]]) -> list[tuple]:
    return sorted(tuple(str(row.get(k)) for k in ("category", "orders", "units", "revenue_eur", "cost_eur", "margin_eur")) for row in rows)  # fmt: skip


def same_rows(work: Work, data: Elsewhere) -> str:
    built = _built(work, data)
    model = next((n for n in built["nodes"] if n["name"] == NAME), None)
    words = built["error"] or (model["message"] if model and model["status"] != "success" else "")
    if words or model is None:
        hard = re.search(r"\b(?:prod\.)?marts\.\w+", work.file(MODEL))
        if hard and "does not exist" in words:
            raise NotYet(
                f"Your model names `{hard[0]}`, a table of one place. Here the marts stand in the schema `{data.schema}`.",
                tried=f"dbt build --select {NAME}", expected="the tables by ref(), wherever they are", got=words[-300:], cause="hard-coded",
                look="{{ ref('fact_sales') }} also tells dbt to build fact_sales first, and the lineage to show finance behind it.",
            )  # fmt: skip
        raise NotYet("dbt cannot build the model.", tried=f"dbt build --select {NAME}", expected="success", got=words[-500:] or f"no model {NAME}", cause="dbt")  # fmt: skip
    rows = built["rows"]["rows"].to_pylist() if built["rows"].get("rows") is not None else []
    missing = set(data.rows[0]) - set(rows[0] if rows else {})
    if rows and missing:
        raise NotYet(f"Columns are missing: {', '.join(sorted(missing))}.", expected=list(data.rows[0]), got=list(rows[0]), cause="columns")  # fmt: skip
    if _sorted(rows) != _sorted(data.rows):
        cause = next((k for k, other in data.usual_slips.items() if _sorted(rows) == _sorted(other)), "other-rows")
        theirs = {r["category"]: r for r in rows}
        row = next((r for r in data.rows if _sorted([r]) != _sorted([theirs.get(r["category"], {})])), data.rows[0])
        name = row["category"]
        off = next((k for k in row if str(row[k]) != str(theirs.get(name, {}).get(k))), "category")
        raise NotYet(
            _SAID.get(cause, f"{len(rows)} rows, {len(data.rows)} expected, and they are not the view's."),
            tried=f"{off} of {name!r}", expected=row[off], got=theirs.get(name, {}).get(off, "no such row"), cause=cause,
            look="Read the view's own text again: it says more than its column names.",
        )  # fmt: skip
    return f"{len(rows)} categories, the same figures as the view's, in a warehouse of another shape."


def described_and_tested(work: Work, data: Elsewhere) -> str | None:
    content = parse_yaml(work.file(SCHEMA), "_finance.yml")
    models = content.get("models") if isinstance(content, dict) else None
    entry = (
        next((m for m in models if isinstance(m, dict) and m.get("name") == NAME), None)
        if isinstance(models, list)
        else None
    )
    if entry is None:
        raise NotYet(f"`_finance.yml` does not describe {NAME}.", expected=f"models: - name: {NAME}", got=str(content)[:200], cause="no-description")  # fmt: skip
    if len(str(entry.get("description") or "").split()) < 4:
        raise NotYet("The model has no description that says what a row is and who reads it.", expected="a sentence", got=entry.get("description") or "nothing", cause="no-description")  # fmt: skip
    built = _built(work, data)
    tests = [n for n in built["nodes"] if n["type"] == "test"]
    if not tests:
        raise NotYet("No test guards the model.", tried=f"dbt build --select {NAME}", expected="at least one data test", got=built["error"][:300] or "none", cause="no-test")  # fmt: skip
    alarms = [n for n in tests if n["status"] != "pass"]
    if alarms:
        raise NotYet(f"`{alarms[0]['name']}` does not pass on right figures.", expected="pass", got=alarms[0]["message"][:300], cause="false-alarm")  # fmt: skip
    if not data.tries_the_tests:
        return None
    doubled = work.file(MODEL).rstrip().rstrip(";")
    again = _build(work, data, f"select * from (\n{doubled}\n) union all select * from (\n{doubled}\n)", "-twice")
    if not any(n["type"] == "test" and n["status"] == "fail" for n in again["nodes"]):
        raise NotYet("With every category in it twice, no test fails, and finance's totals are doubled.", tried="the model with each row twice", expected="a test that fails", got="all pass", cause="weak-test", look="What identifies a row? Say that it stands once.")  # fmt: skip
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
    if old not in _MODEL:
        raise ValueError(f"{old!r} is not in the reference")
    return {MODEL: _MODEL.replace(old, new)}


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
        Check("The model shows what the view shows, anywhere", same_rows, lambda d: _sorted(d.rows)),
        Check("It is described, and a test guards its grain", described_and_tested),
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
        wrong("does not name the unknown", _model("coalesce(products.category, 'unknown')", "products.category"), "null-category"),
        wrong("counts lines as orders", _model("count(distinct sales.order_id)", "count(*)"), "lines-for-orders"),
        wrong("no description", {SCHEMA: "\n".join(line for line in _SCHEMA.splitlines() if "description" not in line)}, "no-description"),
        wrong("no test", {SCHEMA: _SCHEMA.split("    columns")[0]}, "no-test"),
        wrong("a test that cannot see a doubled row", {SCHEMA: _SCHEMA.replace("[unique, not_null]", "[not_null]")}, "weak-test"),
    ),
    right=(
        right("one query, written from the other side", {MODEL: _LEDGER}),
        right("tests in the older spelling", {SCHEMA: _TWO_TESTS}),
    ),
    mutants=24,
    spared={"14 → 15": "one digit more for the same amount", "data_tests[1]": "with coalesce no category is null"},
)  # fmt: skip
