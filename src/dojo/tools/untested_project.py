"""ShopFlow's dbt project after somebody took the tests out and added one model: what data tests are written for."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

AS_OF = "2025-12-07"
"""The morning of every trial: nine days after Black Friday."""
UNDESCRIBED = ("stg_orders", "stg_order_items", "stg_payments")
"""Models whose description the learner writes."""

CASH_BY_DAY = """\
-- Money by the Berlin day on which it moved: what customers paid, and what they got back.
with payments as (
    select * from {{ ref('stg_payments') }}
),

moves as (
    -- A refunded payment came in first, on the day it was paid.
    select {{ business_date('paid_at') }} as cash_date, currency, amount as money_in, 0 as money_out, 1 as payments
    from payments
    where status in ('captured', 'refunded')
    union all
    select {{ business_date('updated_at') }}, currency, 0, amount, 0
    from payments
    where status = 'refunded'
)

select
    moves.cash_date,
    sum(moves.money_in * rates.eur_per_unit)::decimal(14, 2) as money_in_eur,
    sum(moves.money_out * rates.eur_per_unit)::decimal(14, 2) as money_out_eur,
    sum(moves.payments)::bigint as payments
from moves
-- The rate of the day, or the last one known before it: the bank publishes none on some days.
asof join {{ ref('stg_exchange_rates') }} as rates
    on moves.currency = rates.currency and moves.cash_date >= rates.rate_date
group by moves.cash_date
"""

IS_TRUE = """\
{# A generic test of our own, for a model or a column: the expression holds in every row. Null does not hold. #}
{% test is_true(model, expression, column_name=none) %}
select *
from {{ model }}
where not coalesce({{ expression }}, false)
{% endtest %}
"""

ONE_ROW_PER = """\
{# A generic test of our own: the columns together identify a row. #}
{% test one_row_per(model, columns, column_name=none) %}
select {{ columns | join(', ') }}, count(*) as times
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
"""


CI_SCHEMAS = """\
{# A pull request builds in schemas of its own, so that nothing it does is seen in those of another environment. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    ci_{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}
"""


@cache
def shopflow_project() -> dict[str, str]:
    """ShopFlow's own dbt project as {path: text}."""
    import shopflow

    root = Path(shopflow.__file__).parent / "template" / "dbt"
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in sorted(root.rglob("*")) if p.is_file()}


@cache
def in_ci() -> dict[str, str]:
    """The project as a pull request builds it: in the schemas ci_staging and ci_marts."""
    return {**files(), "macros/generate_schema_name.sql": CI_SCHEMAS}


@cache
def files() -> dict[str, str]:
    """The project without its tests, as {path: text}; paths are relative to the dbt folder."""
    kept = {
        path: text
        for path, text in shopflow_project().items()
        if not path.startswith("tests/") and not path.endswith("_unit_tests.yml")
    }
    kept["models/staging/_staging.yml"] = _without_tests(kept["models/staging/_staging.yml"], drop=UNDESCRIBED)
    kept["models/marts/_marts.yml"] = _without_tests(kept["models/marts/_marts.yml"])
    kept["models/marts/cash_by_day.sql"] = CASH_BY_DAY
    kept["macros/test_is_true.sql"] = IS_TRUE
    kept["macros/test_one_row_per.sql"] = ONE_ROW_PER
    return kept


def _without_tests(text: str, drop: tuple[str, ...] = ()) -> str:
    content = yaml.safe_load(text)
    content["models"] = [m for m in content["models"] if m["name"] not in drop]
    for model in content["models"]:
        for column in model["columns"]:
            column.pop("data_tests", None)
    plain = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=140)
    return re.sub(r"\n(  ?- name: )", r"\n\1", plain)
