"""dbt over a learner's files: replayed tests say what dbt itself would, and an error does not outlive its cause."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dojo.judge import plain
from dojo.tools import dbt
from shopflow import transform

RULES = """
models:
  - name: stg_orders
    columns:
      - {name: order_id, data_tests: [unique, not_null]}
      - name: customer_id
        data_tests:
          - not_null: {config: {severity: warn}}
      - name: status
        data_tests:
          - accepted_values:
              arguments: {values: [paid]}
              config: {warn_if: ">0", error_if: ">1"}
      - name: currency
        data_tests:
          - not_null: {config: {error_if: ">1", fail_calc: "2 * count(*)", where: "order_id > 1"}}
      - name: store_id
        data_tests:
          - not_null: {config: {limit: 1, error_if: ">1"}}
"""


def orders(*rows: tuple) -> pa.Table:
    names = ["order_id", "customer_id", "store_id", "status", "currency"]
    kinds = [pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.string()]
    return pa.table({n: pa.array([r[i] for r in rows], k) for i, (n, k) in enumerate(zip(names, kinds, strict=True))})


STATES = {
    "clean": orders((1, 1, 1, "paid", "EUR"), (2, 1, 1, "paid", "EUR")),
    "one of each": orders((1, None, None, "new", None), (2, 1, 1, "paid", "EUR")),
    "several": orders((1, None, None, "new", None), (1, 1, None, "old", None), (3, 1, 1, "paid", None)),
    "empty": orders(),
}


@pytest.fixture(scope="module")
def project() -> dict[str, str]:
    own = dbt.shopflow_project()
    files = {p: own[p] for p in ("dbt_project.yml", "profiles.yml", "macros/generate_schema_name.sql")}
    files["models/staging/_sources.yml"] = "sources:\n  - {name: raw, schema: raw, tables: [{name: orders}]}\n"
    files["models/staging/stg_orders.sql"] = "select * from {{ source('raw', 'orders') }}\n"
    return {**files, "models/staging/_rules.yml": RULES}


def test_a_replayed_test_says_what_dbt_says(project, tmp_path):
    changed = {key: {"raw.orders": table} for key, table in STATES.items()}
    answer = dbt.session({"name": "replay", "files": project, "tables": {"raw.orders": STATES["clean"]}, "states": changed})
    assert answer["error"] == "" and len(answer["tests"]) == 6
    for key, table in STATES.items():
        folder = dbt._folder("dbt itself")
        dbt._lay(folder, project)
        warehouse = dbt._warehouse(folder, {"raw.orders": table})
        transform.dbt(folder, ["run"], warehouse=warehouse)
        done = transform.dbt(folder, ["test"], warehouse=warehouse)
        assert {r.name: (r.status, r.failures) for r in done.results} == {
            name: (test["status"], test["failures"]) for name, test in answer["states"][key].items()
        }, key


def test_an_error_is_told_and_forgotten_once_the_file_is_mended(project):
    broken = {**project, "models/staging/_rules.yml": RULES.replace("unique", "dbt_utils.unique_ish")}
    request = {"name": "mended", "tables": {"raw.orders": STATES["clean"]}, "states": {"clean": {}}}
    assert "dbt_utils" in dbt.session({**request, "files": broken})["error"]
    assert dbt.session({**request, "files": project})["error"] == ""


def test_a_test_that_cannot_run_spoils_no_other(project):
    files = {**project, "tests/odd.sql": "select no_such_column from {{ ref('stg_orders') }}"}
    request = {
        "name": "odd",
        "files": files,
        "tables": {"raw.orders": STATES["clean"]},
        "states": {"a": {}, "b": {"raw.orders": STATES["several"]}},
    }
    states = dbt.session(request)["states"]
    assert states["a"]["odd"]["status"] == states["b"]["odd"]["status"] == "error"
    assert states["b"]["unique_stg_orders_order_id"]["status"] == "fail"


def test_a_file_that_leads_out_of_the_project_is_refused(project):
    with pytest.raises(ValueError, match="leads out"):
        dbt.session({"name": "out", "files": {**project, "../mine.sql": "select 1"}, "args": ["parse"]})


def test_a_command_s_nodes_and_rows_are_plain_values(project):
    answer = dbt.session(
        {
            "name": "rows",
            "files": project,
            "tables": {"raw.orders": STATES["several"]},
            "args": ["build"],
            "queries": {"n": "select count(*) as n from staging.stg_orders", "none": "select 1 from nothing"},
        }
    )
    assert plain.copy(answer)["rows"]["n"].to_pylist() == [{"n": 3}] and answer["rows"]["none"] is None
    assert {n["status"] for n in answer["nodes"]} >= {"success", "fail", "warn"}


def test_what_a_test_reads_is_known_and_one_that_names_its_table_itself_is_replayed_on_every_state(project):
    files = {**project, "tests/by_name.sql": "select order_id from raw.orders where status = 'new'\n"}
    request = {
        "name": "reads",
        "files": files,
        "tables": {"raw.orders": STATES["clean"]},
        "states": {
            "clean": {},
            "spoiled": {"raw.orders": STATES["one of each"]},
            "elsewhere": {"raw.other": STATES["empty"]},
        },
    }
    answer = dbt.session(request)
    assert answer["tests"]["unique_stg_orders_order_id"]["reads"] == ["raw.orders"]
    assert answer["tests"]["by_name"]["reads"] == []
    assert [answer["states"][key]["by_name"]["status"] for key in request["states"]] == ["pass", "fail", "pass"]
    assert answer["states"]["elsewhere"] == answer["states"]["clean"]
