"""Tests that are defined and can fail, against tests that only look so; targets, contracts, freshness, own names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dataops_audit import dbt, sql, suites
from dataops_audit.findings import Seen

PROJECT = {
    "dbt_project.yml": "name: shop\nmodel-paths: [models]\n",
    "models/orders.sql": "select 1 as id from {{ ref('a') }}\n",
}


def model(tests: str) -> dict[str, str]:
    head = "models:\n  - name: orders\n    columns:\n      - name: id\n        data_tests:\n"
    return PROJECT | {"models/m.yml": head + "".join(f"          {row}\n" for row in tests.split("\n"))}


LIVE = {
    "plain": "- unique\n- not_null",
    "with settings": "- accepted_values:\n    values: [a]\n    config:\n      where: status = 'a'",
    "new arguments": "- relationships:\n    arguments:\n      to: ref('x')\n      field: id",
    "disabled in a comment": "- unique # config: {enabled: false}",
    "severity error": "- unique:\n    config:\n      severity: error",
    "warns early, fails later": "- unique:\n    config:\n      severity: error\n      warn_if: '>0'\n      error_if: '>10'",
}
DEAD = {
    "disabled": ("- unique:\n    config:\n      enabled: false", "tests.disabled"),
    "disabled the old way": ("- unique:\n    enabled: false", "tests.disabled"),
    "only warns": ("- unique:\n    config:\n      severity: warn", "tests.only-warn"),
    "only warns, old way": ("- not_null:\n    severity: WARN", "tests.only-warn"),
    "judges nothing": ("- not_null:\n    config:\n      where: 1 = 0", "tests.toothless"),
    "judges only what is right": ("- not_null:\n    config:\n      where: id is not null", "tests.toothless"),
    "always true": ("- dbt_utils.expression_is_true:\n    expression: '1=1'", "tests.toothless"),
    "fails above a million": ("- unique:\n    config:\n      error_if: '>1000000'", "tests.toothless"),
    "commented out": ("# - unique\n# - not_null", "tests.commented-out"),
}


@pytest.mark.parametrize("case", LIVE)
def test_a_test_that_can_fail(seen: Callable[..., Seen], case: str) -> None:
    found = seen(dbt.read, model(LIVE[case]))
    assert found.has("tests.data", "tests.coverage")
    assert not found.has("tests.disabled", "tests.toothless", "tests.only-warn", "tests.commented-out")


@pytest.mark.parametrize("case", DEAD)
def test_a_test_that_only_looks_so(seen: Callable[..., Seen], case: str) -> None:
    text, rule = DEAD[case]
    found = seen(dbt.read, model(text))
    assert found.has(rule)
    assert rule == "tests.only-warn" or not found.has("tests.coverage")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("finds rows", "select * from {{ ref('orders') }} where amount < 0\n", "tests.business"),
        ("mask only in a comment", "-- where false\nselect * from {{ ref('orders') }} where amount < 0\n", "tests.business"),
        ("false with an alternative", "select * from {{ ref('orders') }} where false or amount < 0\n", "tests.business"),
        (
            "false inside a subquery",
            "with a as (select 1 where false) select * from {{ ref('orders') }} where amount < 0\n",
            "tests.business",
        ),
        ("where false", "select * from {{ ref('orders') }} where false\n", "tests.toothless"),
        ("1=0", "select * from {{ ref('orders') }}\nwhere 1=0 -- and amount < 0\n", "tests.toothless"),
        ("and 1=0", "select * from {{ ref('orders') }}\nwhere amount < 0 and 1 = 0\n", "tests.toothless"),
        ("limit 0", "select * from {{ ref('orders') }} limit 0\n", "tests.toothless"),
        ("commented out", "/*\nselect * from {{ ref('orders') }}\n*/\n", "tests.commented-out"),
        ("commented in jinja", "{# select * from {{ ref('orders') }} #}\n", "tests.commented-out"),
        ("switched off", "{{ config(enabled=false) }}\nselect 1\n", "tests.disabled"),
        ("only warns", "{{ config(severity='warn') }}\nselect 1\n", "tests.only-warn"),
        ("switched off in a comment", "-- {{ config(enabled=false) }}\nselect 1\n", "tests.business"),
    ],
)
def test_singular_tests(seen: Callable[..., Seen], name: str, text: str, rule: str) -> None:
    found = {one.rule for one in seen(dbt.read, PROJECT | {"tests/a.sql": text}).findings if one.rule.startswith("tests.")}
    assert rule in found
    assert rule == "tests.only-warn" or not ({"tests.toothless", "tests.commented-out", "tests.disabled"} - {rule}) & found


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ("data_tests:\n  +enabled: false\n", "tests.disabled"),
        ("tests:\n  shop:\n    marts:\n      +severity: warn\n", "tests.only-warn"),
    ],
)
def test_the_project_can_switch_tests_off(seen: Callable[..., Seen], config: str, rule: str) -> None:
    files = model("- unique")
    files["dbt_project.yml"] += config
    assert seen(dbt.read, files).has(rule)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select * from analytics.prod.orders", ["analytics.prod.orders"]),
        ("select * from `shop-prod.raw.orders` o", ["`shop-prod.raw.orders`"]),
        ("select *\nfrom raw.orders", ["raw.orders"]),
        ("select * from {{ ref('a') }} a join {{ source('raw', 'b') }} b on a.id = b.id", []),
        ("-- from analytics.prod.orders\nselect 1", []),
        ("select 'from a.b.c' as x from {{ ref('a') }}", []),
        ("with a as (select * from {{ ref('x') }}) select extract(day from a.placed_at) from a", []),
        ("select * from {{ ref('a') }} t, t.items", []),
        ("select table_name from analytics.information_schema.tables", []),
        ("select * from {{ target.database }}.raw.orders", []),
        ("select * from read_csv('a.csv')", []),
        ("select a is distinct from b.c from {{ ref('a') }} b", []),
        ("select x from {{ ref('a') }} as a cross join unnest(a.items)", []),
    ],
)
def test_relations_named_past_ref(text: str, names: list[str]) -> None:
    assert [name for _, name, _ in sql.relations(text)] == names


@pytest.mark.parametrize(
    ("profile", "rule", "unwanted"),
    [
        (
            "target: dev\n  outputs:\n    dev: {type: x, schema: dev}\n    prod: {type: x, schema: prod}",
            "env.targets",
            "env.default-prod",
        ),
        (
            "target: prod\n  outputs:\n    dev: {type: x, schema: dev}\n    prod: {type: x, schema: prod}",
            "env.default-prod",
            "env.one-target",
        ),
        (
            "target: dev\n  outputs:\n    dev: {type: x, schema: a}\n    prod: {type: x, schema: a}",
            "env.one-target",
            "env.targets",
        ),
        (
            "target: dev\n  outputs:\n    dev: {type: x, schema: \"{{ env_var('SCHEMA') }}\"}",
            "env.targets",
            "env.one-target",
        ),
        ("target: prod\n  outputs:\n    prod: {type: x, schema: a}", "env.one-target", "env.targets"),
        ("target: dev\n  outputs:\n    dev: {type: snowflake, role: ACCOUNTADMIN}", "sec.full-access", "env.targets"),
    ],
)
def test_profiles(seen: Callable[..., Seen], profile: str, rule: str, unwanted: str) -> None:
    found = seen(dbt.read, PROJECT | {"profiles.yml": f"shop:\n  {profile}\n"})
    assert found.has(rule) and not found.has(unwanted)


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("freshness:\n      error_after: {count: 6, period: hour}\n    loaded_at_field: at", "obs.freshness"),
        (
            "config:\n      freshness:\n        warn_after: {count: 6, period: hour}\n      loaded_at_field: at",
            "obs.freshness",
        ),
        ("freshness:\n      filter: at > 1\n    loaded_at_field: at", "obs.freshness-idle"),
        ("freshness: null", "obs.no-freshness"),
    ],
)
def test_freshness(seen: Callable[..., Seen], source: str, rule: str) -> None:
    assert seen(
        dbt.read, PROJECT | {"models/s.yml": f"sources:\n  - name: raw\n    {source}\n    tables: [{{name: a}}]\n"}
    ).has(rule)


def test_contracts_and_unit_tests_count_only_when_on(seen: Callable[..., Seen]) -> None:
    on = (
        "models:\n  - name: orders\n    config:\n      contract: {enforced: true}\nunit_tests:\n  - "
        "name: a\n    model: orders\n    given: []\n    expect: {rows: []}\n"
    )
    found = seen(dbt.read, PROJECT | {"models/m.yml": on})
    assert found.has("tests.contract") and found.has("tests.unit")


def test_contracts_that_are_off_do_not(seen: Callable[..., Seen]) -> None:
    off = "models:\n  - name: orders\n    config:\n      contract: {enforced: false}\n#unit_tests:\n#  - name: a\n"
    found = seen(dbt.read, PROJECT | {"models/m.yml": off})
    assert not found.has("tests.contract", "tests.unit")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("def test_a():\n    assert load() == 3\n", "tests.code"),
        ("class TestA(TestCase):\n    def test_a(self):\n        self.assertEqual(load(), 3)\n", "tests.code"),
        ("def test_a():\n    with pytest.raises(ValueError):\n        load()\n", "tests.code"),
        ("def test_a():\n    _assert_rows(load())\n", "tests.code"),
        ("import pytest\n@pytest.mark.skipif(NO_DB, reason='x')\ndef test_a():\n    assert load()\n", "tests.code"),
        ("def same(a):\n    assert a == 3\ndef test_a():\n    same(load())\n", "tests.code"),
        ("def same(a):\n    print(a)\ndef test_a():\n    same(load())\n", "tests.no-assertion"),
        ("def test_a():\n    load()\n", "tests.no-assertion"),
        ("def test_a():\n    assert True\n", "tests.toothless"),
        ("def test_a():\n    assert (load() == 3, 'message')\n", "tests.toothless"),
        ("def test_a():\n    try:\n        assert load() == 3\n    except Exception:\n        pass\n", "tests.toothless"),
        ("import pytest\n@pytest.mark.skip(reason='later')\ndef test_a():\n    assert load()\n", "tests.skipped"),
        ("import pytest\npytestmark = pytest.mark.skip\ndef test_a():\n    assert load()\n", "tests.skipped"),
        ("import pytest\npytest.skip('no', allow_module_level=True)\ndef test_a():\n    assert load()\n", "tests.skipped"),
        ("# def test_a():\n#     assert load() == 3\n", "tests.commented-out"),
    ],
)
def test_tests_of_code(seen: Callable[..., Seen], text: str, rule: str) -> None:
    found = {one.rule for one in seen(suites.read, {"tests/test_load.py": text}).findings}
    assert found == {rule}


def test_asserting_true_after_work_is_like_asserting_nothing(seen: Callable[..., Seen]) -> None:
    found = seen(suites.read, {"tests/test_load.py": "def test_a():\n    load()\n    assert True\n"})
    assert [one.rule for one in found.findings] == ["tests.no-assertion"]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("hotfix/fix_revenue.sql", "update marts.fact_sales set quantity = 1 where order_id = 7;\n", True),
        ("queries/november.sql", "-- agreed with finance\ndelete from prod.fact_sales where order_id = 7;\n", True),
        ("hotfix/look.sql", "-- update marts.fact_sales set quantity = 1\nselect * from prod.fact_sales;\n", False),
        ("migrations/003.sql", "alter table prod.orders add column x int;\n", False),
        ("queries/staging.sql", "insert into staging.orders select 1;\n", False),
    ],
)
def test_production_changed_by_hand(seen: Callable[..., Seen], path: str, text: str, told: bool) -> None:
    assert seen(dbt.read, {path: text}).has("env.by-hand") is told


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("grant all privileges on schema marts to public;", "sec.broad-access"),
        ("grant role accountadmin to user loader;", "sec.full-access"),
        ("grant all privileges on *.* to 'etl'@'%';", "sec.full-access"),
        ("create role loader with login superuser;", "sec.full-access"),
        ("create role loader with login nosuperuser;", ""),
        ("grant select on marts.fact_sales to role reporter;", ""),
        ("-- grant role accountadmin to user loader;\ngrant usage on schema marts to role reporter;", ""),
    ],
)
def test_grants(seen: Callable[..., Seen], text: str, rule: str) -> None:
    found = {one.rule for one in seen(dbt.read, {"setup/grants.sql": text}).findings if one.rule.startswith("sec.")}
    assert found == ({rule} if rule else set())
