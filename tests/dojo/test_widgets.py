"""Widgets: their state is ShopFlow's own, the picture and the JavaScript say the same, wrong arguments are answered."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

from dojo import notebook, widgets
from dojo.widgets import lineage, prediction, timeline
from dojo.widgets.live import HERE, script

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


@pytest.mark.parametrize("path", sorted(HERE.glob("*.js")), ids=lambda path: path.name)
def test_no_widget_asks_anything_of_the_network(path):
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|\bfetch\(|\bimport\(|XMLHttpRequest|WebSocket", text) == []


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.js") if path.stem != "live"))
def test_keys_stay_inside_a_widget(name):
    assert re.search(r"keepKeys\(\w+\);", script(name))


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
    said = in_node("lineage", f"const s = {json.dumps(state)}; console.log(told(s.nodes, s.edges, s.wrong))", tmp_path)
    assert said == lineage.told(state)


GUESSES = [
    ("3", "11", "Too low by a factor of 3.7."),
    ("60000", "45,526.42 in 210 orders", "Too high by 32 %."),
    ("11", "11", "Exactly."),
    ("about 1,000", "1,004", "Less than 1 % off."),
    ("2", "1 of 59, the latest at 08:12", "Too high by a factor of 2."),
    ("0", "14", ""),
    ("-3", "4", ""),
    ("many", "4", ""),
    ("2025-10-14", "2025-10-15", ""),
    ("08:12", "08:15", ""),
    ("€5000", "€5,750.50", "Too low by 13 %."),
]


@pytest.mark.parametrize(("guess", "measured", "said"), GUESSES)
def test_how_far_off_a_guess_is(guess, measured, said):
    assert prediction.far(guess, measured) == said


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here")
def test_javascript_says_the_same_of_every_guess(tmp_path):
    asked = [[guess, measured] for guess, measured, _ in GUESSES]
    said = in_node("prediction", f"console.log(JSON.stringify({json.dumps(asked)}.map(([g, m]) => far(g, m))))", tmp_path)
    assert json.loads(said) == [said for *_, said in GUESSES]


def in_node(name, line, folder):
    """What a line of JavaScript prints inside a widget's module."""
    (folder / "say.mjs").write_text(script(name).replace("export default { render };", line), encoding="utf-8")
    done = subprocess.run(["node", folder / "say.mjs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_guess_in_the_field_outlives_the_cell_until_the_cell_says_another(learner):
    asked = notebook.predict("mornings late", 3)
    asked.guess = "12"
    assert notebook.predict("mornings late", 3).guess == "12"
    assert notebook.compare("mornings late", 11).guess == "12"
    assert notebook.predict("mornings late", 4).guess == "4"


def test_a_quiz_remembers_what_was_chosen(learner):
    notebook.quiz("03").chosen = [[0, 2], [1, 1]]
    assert notebook.quiz("03").chosen == [[0, 2], [1, 1]]
    assert notebook.quiz("11").chosen == []


def test_a_page_without_a_kernel_begins_with_nobodys_guess_and_choice(learner):
    notebook.quiz("03").chosen = [[0, 2]]
    shown = [notebook.predict("mornings late", 3), notebook.compare("mornings late", 11), notebook.quiz("03")]
    begun = [re.search(r"data-state='([^']*)'", one._repr_mimebundle_()["text/html"])[1] for one in shown]
    guess, compared, quiz = (json.loads(html.unescape(text)) for text in begun)
    assert (guess["guess"], compared["guess"], quiz["chosen"]) == ("", "", [])
    assert compared["measured"] == "11"


def test_a_full_disk_is_told_and_the_widget_lives_on(learner, capsys):
    asked = notebook.predict("mornings late", 3)
    (learner / "progress.sqlite").unlink()
    (learner / "progress.sqlite").mkdir()
    asked.guess = "5"
    assert asked.guess == "5"
    assert "Your progress could not be written" in capsys.readouterr().err
