"""Great Expectations and Soda over small tables: what fails, what cannot run, and what their files may not hold."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pyarrow as pa
import pytest

from dojo.judge import toolbox, waiting
from dojo.judge.work import NotCheckable
from dojo.tools import environments, expectations, soda

GOOD = pa.table({"order_id": [1, 2], "quantity": [1, 3]})
BAD = pa.table({"order_id": [1, 2], "quantity": [1, -3]})
GONE = pa.table({"order_id": [1, 2]})
FRAMES = {"good": GOOD, "bad": BAD, "gone": GONE}


def suite(*expected: dict) -> str:
    return json.dumps({"name": "s", "expectations": list(expected)})


AT_LEAST_ONE = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "quantity", "min_value": 1}}


def test_expectations_pass_fail_and_say_which_column_is_gone():
    answer = expectations.session({"suite": suite(AT_LEAST_ONE), "frames": FRAMES})
    (good,), (bad,), (gone,) = (answer["states"][k].values() for k in ("good", "bad", "gone"))
    assert good["success"] and not bad["success"] and bad["count"] == 1
    assert not gone["success"] and "quantity" in gone["message"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"name": ', "not JSON"),
        ("[]", "expectations"),
        (suite({"type": "expect_row_count", "kwargs": {}}), "does not know expect_row_count"),
        (suite({"kwargs": {}}), "lacks 'type'"),
    ],
)
def test_a_suite_that_cannot_be_used_says_why(text, said):
    assert said in expectations.session({"suite": text, "frames": FRAMES})["error"]


def test_a_tool_that_is_not_here_makes_a_check_impossible_and_says_what_helps(learner):
    with pytest.raises(NotCheckable, match="dojo tools add soda"):
        toolbox.run("soda", {"contract": "dataset: a/b/c", "table": "t", "tables": FRAMES})


@pytest.mark.skipif(not environments.is_added("soda"), reason="Soda is not added here")
def test_soda_passes_fails_and_errs():
    contract = "dataset: x\ncolumns:\n  - name: quantity\n    checks: [{invalid: {valid_min: 1}}]\n"
    states = soda.session({"contract": contract, "table": "lines", "tables": FRAMES})["states"]
    assert [next(iter(states[k].values()))["outcome"] for k in FRAMES] == ["passed", "failed", "error"]


@pytest.mark.skipif(not environments.is_added("soda"), reason="Soda is not added here")
@pytest.mark.parametrize("contract", ["columns: [", "just a text", "columns: 3"])
def test_a_contract_that_cannot_be_used_is_an_error_and_never_a_pass(contract):
    answer = soda.session({"contract": contract, "table": "lines", "tables": {"good": GOOD}})
    outcomes = {r["outcome"] for r in answer["states"].get("good", {}).values()}
    assert answer["error"] or outcomes <= {"error"}


def test_a_tool_that_loads_for_seconds_says_so_the_first_time(monkeypatch):
    told = []
    monkeypatch.setattr(waiting, "_listeners", [lambda *said: told.append(said)])
    monkeypatch.setattr(toolbox, "_USED", set())
    monkeypatch.setattr(toolbox.importlib, "import_module", lambda _: SimpleNamespace(session=lambda request: request))
    assert [toolbox.run("dbt", {"a": n}) for n in (1, 2)] == [{"a": 1}, {"a": 2}]
    assert told == [(0, 1, "loading dbt")]
