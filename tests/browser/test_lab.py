"""The course in a real JupyterLab in Chromium: a lesson top to bottom, a task wrong and right, a widget by keyboard."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from uuid import uuid4

import pytest

from dojo import lab, tasks
from dojo.authoring import solution_of
from dojo.places import COURSE

TOKEN = "a-token-for-the-test"
PICTURES = Path(os.environ.get("DOJO_SCREENSHOTS", COURSE / "work" / ".screenshots"))

RUN_ALL = """async () => {
  await window.jupyterapp.commands.execute('notebook:run-all-cells');
}"""
STATE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel.content.widgets.filter(w => w.model.type === 'code').map(w => ({
    count: w.model.executionCount,
    error: w.model.outputs.toJSON().some(o => o.output_type === 'error'),
  }));
}"""
SET_AND_RUN = """async ([start, source]) => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  const index = notebook.widgets.findIndex(w => w.model.sharedModel.getSource().startsWith(start));
  if (source !== null) notebook.widgets[index].model.sharedModel.setSource(source);
  notebook.activeCellIndex = index;
  await window.jupyterapp.commands.execute('notebook:run-cell');
  notebook.scrollToItem(index, 'center');
  return notebook.widgets[index].model.outputs.toJSON().map(o => (o.data && o.data['text/plain']) || o.text || o.evalue || '').join('\\n');
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """JupyterLab with the course's settings over copies of the notebooks, with a learner's folder of its own."""
    root = tmp_path_factory.mktemp("lab")
    for folder in ("notebooks", "exercises"):
        shutil.copytree(COURSE / folder, root / folder)
    settings = root / "settings"
    settings.mkdir()
    (settings / "jupyter_server_config.json").write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    os.environ["JUPYTER_CONFIG_PATH"] = str(settings)
    port = lab.free_port(18888)
    command = [part.replace(f"={COURSE}", f"={root}") for part in lab.command(port, browser=False)]
    folders = {"DOJO_HOME": str(root / "work"), "DOJO_CHECKPOINTS": str(COURSE / "work" / ".checkpoints")}
    folders["DOJO_TOOLS"] = str(COURSE / "work" / ".tools")
    # A theme that a test chooses is not to become that of whoever runs the tests.
    folders |= {"JUPYTERLAB_SETTINGS_DIR": str(root / "lab"), "JUPYTERLAB_WORKSPACES_DIR": str(root / "workspaces")}
    process = subprocess.Popen(
        command, env={**lab.environment(TOKEN), **folders}, cwd=root, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    del os.environ["JUPYTER_CONFIG_PATH"]
    try:
        assert lab.answers(port, process), "JupyterLab does not answer"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(true, seconds):
    """Waits until `true` is; what it raises meanwhile does not count."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if true():
                return
        except Exception:
            pass
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} s")


@pytest.fixture
def open_notebook(browser, server):
    """Opens a notebook and waits for its kernel."""
    pages = []

    def opens(path):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        pages.append(page)
        page.goto(f"{server}/lab/tree/{path}?reset&token={TOKEN}")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        ready = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        page.wait_for_function(ready, timeout=60_000)
        return page

    yield opens
    for page in pages:
        page.close()


def picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(PICTURES / f"{name}.png"))


@pytest.mark.parametrize("path", sorted(p.name for p in (COURSE / "notebooks").glob("*.ipynb")))
def test_a_lesson_runs_top_to_bottom(open_notebook, path):
    page = open_notebook(f"notebooks/{path}")
    page.evaluate(RUN_ALL)
    wait_for(lambda: all(cell["count"] for cell in page.evaluate(STATE)), 300)
    assert not any(cell["error"] for cell in page.evaluate(STATE))
    picture(page, f"lesson-{path.split('-')[0]}-end")
    page.evaluate("() => window.jupyterapp.shell.currentWidget.content.scrollToItem(0)")
    page.wait_for_timeout(500)
    picture(page, f"lesson-{path.split('-')[0]}-top")


def test_a_task_done_wrong_names_the_cause_and_done_right_moves_progress(open_notebook):
    page = open_notebook("exercises/00-start-here.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo import", None])
    assert "Not attempted" in page.evaluate(SET_AND_RUN, ['check("00.4")', None])
    wrong = (
        "def lost_lines(con):\n"
        "    query = 'select order_id, line_number from raw.order_items where order_id not in (select order_id from marts.fact_sales)'\n"
        "    return con.execute(query).fetchall()"
    )
    page.evaluate(SET_AND_RUN, ["def lost_lines", wrong])
    said = page.evaluate(SET_AND_RUN, ['check("00.4")', None])
    assert "Not yet" in said and "gone as a whole" in said
    page.get_by_text("an order that is gone as a whole").first.wait_for(timeout=5_000)
    picture(page, "task-not-yet")
    assert "00.4 What never arrived: tried" in page.evaluate(SET_AND_RUN, ['progress("00")', None])
    right = wrong.replace(
        "order_id not in (select order_id from", "(order_id, line_number) not in (select (order_id, line_number) from"
    )
    page.evaluate(SET_AND_RUN, ["def lost_lines", right])
    page.evaluate(SET_AND_RUN, ['check("00.4")', None])
    page.get_by_text("Silent where nothing is lost").wait_for(timeout=5_000)
    picture(page, "task-passed")
    assert "00.4 What never arrived: solved" in page.evaluate(SET_AND_RUN, ['progress("00")', None])
    picture(page, "progress")


MASKED = """%%workfile repo/.github/workflows/gate.yml
name: gate
on:
  pull_request:
  push: {branches: [main]}
permissions: {contents: read}
concurrency: {group: "gate-${{ github.ref }}", cancel-in-progress: true}
jobs:
  gate:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    env: {SHOPFLOW_WAREHOUSE: "${{ github.workspace }}/ci.duckdb"}
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
      - run: python ci/load_sample.py
      - name: Build and test
        run: dbt build --project-dir dbt --profiles-dir ci || true
"""


def test_a_gate_is_written_and_its_pull_requests_turn(open_notebook):
    page = open_notebook("exercises/04-continuous-integration.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo import", None])
    # Results are kept: only a workflow that has never run here takes the time that a bar is for.
    page.evaluate(SET_AND_RUN, ["%%workfile repo/.github/workflows/gate.yml", f"{MASKED}# {uuid4()}\n"])
    page.evaluate(
        """() => { const panel = window.jupyterapp.shell.currentWidget;
        window.bars = 0;
        new MutationObserver(() => { if (panel.node.querySelector('progress')) window.bars += 1; })
          .observe(panel.node, {subtree: true, childList: true}); }"""
    )
    said = page.evaluate(SET_AND_RUN, ['check("04.3")', None])
    assert "✗ green" in said and "|| true" in said
    assert page.evaluate("window.bars") > 0, "no bar was seen while the pull requests ran"
    wait_for(lambda: page.locator("progress").count() == 0, 5)
    picture(page, "exercise-04-masked")
    gate = solution_of(tasks.get("04.3"))
    page.evaluate(SET_AND_RUN, ["%%workfile repo/.github/workflows/gate.yml", gate])
    said = page.evaluate(SET_AND_RUN, ['check("04.3")', None])
    assert "Passed (" in said and "✗" not in said and said.count("✓ red") >= 6
    picture(page, "exercise-04-gate")


def test_the_burn_rate_explorer_answers_the_arrow_keys(open_notebook):
    page = open_notebook("notebooks/11-slo.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo.widgets import burn_rate", None])
    slider = page.get_by_label("Stale reads: 5 %")
    slider.wait_for(timeout=20_000)
    before = page.locator(".dojo-burn output").inner_text()
    slider.focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: page.locator(".dojo-burn output").inner_text() != before, 5)
    assert "Burn rate 8.0" in page.locator(".dojo-burn output").inner_text()
    picture(page, "burn-rate")


def test_the_lineage_answers_mouse_and_keys(open_notebook):
    page = open_notebook("notebooks/00-start-here.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo.widgets import", None])
    said = page.locator(".dojo-lineage output")
    said.wait_for(timeout=20_000)
    assert "finance" in said.inner_text() or "morning_revenue" in said.inner_text()
    page.get_by_role("button", name="raw.products").click()
    assert said.inner_text().startswith("raw.products is wrong: with it dim_product and stg_products")
    page.get_by_role("button", name="raw.products").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert said.inner_text().startswith("stg_products is wrong")
    picture(page, "lineage")


def test_the_mornings_answer_the_arrow_keys(open_notebook):
    page = open_notebook("notebooks/11-slo.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo.widgets import run_timeline", None])
    said = page.locator(".dojo-mornings output")
    said.wait_for(timeout=20_000)
    assert "Published at 08:49 after 1 retry" in said.inner_text()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    wait_for(lambda: "08:49" not in said.inner_text(), 5)
    picture(page, "mornings")


def test_a_prediction_typed_into_its_field_outlives_a_second_run(open_notebook):
    page = open_notebook("notebooks/11-slo.ipynb")
    page.evaluate(SET_AND_RUN, ["from datetime", None])
    page.evaluate(SET_AND_RUN, ["predict(", None])
    field = page.get_by_label("Your prediction, mornings late, out of 90:")
    field.wait_for(timeout=20_000)
    field.fill("1")
    field.press("2")
    field.press("ArrowLeft")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_text("Kept: 12. Now go on.").wait_for(timeout=5_000)
    picture(page, "prediction")
    assert "mornings late, out of 90: 12." in page.evaluate(SET_AND_RUN, ["predict(", None])
    said = page.evaluate(SET_AND_RUN, ["predict(", "compare('mornings late, out of 90', 11)"])
    assert said == "mornings late, out of 90: you said 12; measured: 11. Too high by 9 %."
    page.locator(".dojo-prediction svg").wait_for(timeout=5_000)
    picture(page, "comparison")


def test_the_quiz_is_answered_by_keyboard_and_remembered(open_notebook):
    page = open_notebook("notebooks/11-slo.ipynb")
    page.evaluate(SET_AND_RUN, ["from datetime", None])
    page.evaluate(SET_AND_RUN, ["quiz(", None])
    quiz = page.locator(".dojo-quiz")
    quiz.get_by_role("button").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert quiz.locator(".why").count() == 2
    said = quiz.locator("output").inner_text()
    assert "of 1 right at the first try, 2 to go" in said
    picture(page, "quiz")
    page.evaluate(SET_AND_RUN, ["quiz(", None])
    wait_for(lambda: page.locator(".dojo-quiz .why").count() == 2, 10)
    assert page.locator(".dojo-quiz output").inner_text() == said


def test_the_map_shows_cards_gives_hints_and_leads_on(open_notebook):
    page = open_notebook("notebooks/00-start-here.ipynb")
    page.evaluate(SET_AND_RUN, ["from dojo import", None])
    page.evaluate(SET_AND_RUN, ["progress(", "progress()"])
    room = page.get_by_role("button", name="03 Data tests")
    room.wait_for(timeout=20_000)
    room.focus()
    page.keyboard.press("Enter")
    card = page.locator(".dojo-map .cards > li").nth(1)
    assert card.inner_text().startswith("03.2 Every order is paid as it was sold")
    card.get_by_text("What is tried").click()
    card.get_by_role("button", name="A hint").click()
    card.get_by_text("Hint 1:").wait_for(timeout=10_000)
    assert card.get_by_role("button", name="Hint 2 of 3").is_visible()
    picture(page, "map")
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
    paper = "() => getComputedStyle(document.querySelector('.dojo-map')).backgroundColor"
    wait_for(lambda: page.evaluate(paper) == "rgb(20, 24, 29)", 20)
    picture(page, "map-dark")
    page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
    page.get_by_role("link", name="the exercise").click()
    page.wait_for_function("() => window.jupyterapp.shell.currentWidget.context?.path === 'exercises/03-data-tests.ipynb'")
