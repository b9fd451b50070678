"""Widgets: their state is ShopFlow's own, the picture and the JavaScript say the same, wrong arguments are answered."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from dojo import widgets
from dojo.widgets import lineage, timeline
from dojo.widgets.live import HERE

MADE = {name: getattr(widgets, name) for name in widgets.__all__}


@pytest.mark.parametrize("name", MADE)
def test_each_widget_has_a_picture_with_words_and_a_view(name):
    shown = MADE[name]()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert re.search(r'<svg[^>]* role="img" aria-label="[^"]{40,}"', shown["text/html"])
    assert shown["text/plain"].startswith("[picture: ")


@pytest.mark.parametrize("name", MADE)
def test_the_same_arguments_make_the_same_picture(name):
    assert MADE[name]()._repr_mimebundle_()["text/html"] == MADE[name]()._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("script", sorted(HERE.glob("*.js")), ids=lambda path: path.name)
def test_no_widget_asks_anything_of_the_network(script):
    text = script.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|\bfetch\(|\bimport\(|XMLHttpRequest|WebSocket", text) == []


@pytest.mark.parametrize("script", sorted(HERE.glob("*.js")), ids=lambda path: path.name)
def test_keys_stay_inside_a_widget(script):
    assert "stopPropagation" in script.read_text("utf-8")


@pytest.mark.parametrize(
    ("wrong", "hurt"),
    [
        ("stg_payments", []),
        ("raw.products", ["dim_product", "product_ranking", "stg_products"]),
        ("fact_sales", ["daily_revenue", "demand_model", "morning_revenue", "product_ranking"]),
    ],
)
def test_everything_downstream_is_hurt_and_nothing_else(wrong, hurt):
    made = widgets.lineage_explorer(wrong)
    assert lineage.downstream(made.edges, wrong) == hurt


def test_the_lineage_is_that_of_the_template():
    names = {n["id"] for n in widgets.lineage_explorer().nodes}
    from shopflow.history import TEMPLATE

    assert {p.stem for p in (TEMPLATE / "dbt" / "models").rglob("*.sql")} | {"customers_snapshot"} <= names


def test_a_table_that_is_not_there_is_answered_with_those_that_are():
    with pytest.raises(KeyError, match="no table 'stg_order' in the project\\. There are: customers_snapshot, "):
        widgets.lineage_explorer("stg_order")


def test_the_mornings_are_those_of_the_run_log():
    from shopflow import runlog

    mornings = widgets.run_timeline().mornings
    broken = [m["day"] for m in mornings if "promise is broken" in m["told"]]
    log = runlog.simulate().to_pylist()
    late = {
        r["run_date"].isoformat()
        for r in log
        if r["step"] == "publish" and r["status"] == "success" and runlog.to_berlin(r["finished_at"]).hour >= 8
    }
    assert len(mornings) == 90
    assert set(broken) == late


@pytest.mark.parametrize(
    ("attempts", "said"),
    [
        ([], "never started"),
        ([["ingest_orders", 1, "failed", 330.0, 331.0]], "Never published: ingest_orders failed"),
        ([["dbt_run", 1, "running", 341.0, None]], "dbt_run did not end"),
        ([["publish", 1, "success", 415.0, 420.0]], "07:00: objective and promise kept"),
        ([["publish", 1, "success", 415.0, 421.0]], "objective is missed, the promise kept"),
        ([["publish", 2, "success", 475.0, 481.0]], "after 1 retry: the promise is broken"),
    ],
)
def test_a_morning_in_words(attempts, said):
    assert said in timeline._told(attempts)


def test_a_morning_outside_the_window_is_answered_with_the_window():
    with pytest.raises(ValueError, match="not among the 30 mornings from 2025-11-02 to 2025-12-01"):
        widgets.run_timeline("2025-12-24", mornings=30)


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")
@pytest.mark.parametrize("wrong", ["stg_payments", "raw.products", "raw.orders", "dim_customer", "morning_revenue"])
def test_javascript_and_picture_say_the_same(wrong, tmp_path):
    made = widgets.lineage_explorer(wrong)
    state = {"nodes": made.nodes, "edges": made.edges, "wrong": wrong}
    script = (HERE / "lineage.js").read_text("utf-8").replace("export default { render };", "")
    (tmp_path / "say.mjs").write_text(
        f"{script}\nconst s = {json.dumps(state)};\nconsole.log(told(s.nodes, s.edges, s.wrong));\n", encoding="utf-8"
    )
    said = subprocess.run(["node", tmp_path / "say.mjs"], capture_output=True, text=True)
    assert said.stdout.strip() == lineage.told(state), said.stderr
