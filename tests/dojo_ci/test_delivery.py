"""Workflows that release: what reaches them, what they may print, and what is told of production afterwards."""

from __future__ import annotations

import pytest

from dojo.ci import delivery
from dojo.tasks.i03_elt_ci_cd import company, releasing

FRAME = """
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    {more}
    steps:
      - uses: actions/checkout@v5
      - env: {{FOLDER: "${{{{ vars.WAREHOUSE_FOLDER }}}}", SHOP_API_URL: "${{{{ vars.SHOP_API_URL }}}}", SHOP_API_TOKEN: "${{{{ secrets.SHOP_API_TOKEN }}}}"}}
        run: {run}
"""


@pytest.fixture(scope="module")
def told():
    data = releasing.production(11)
    files = {**company.main_branch()}

    def story(*workflows: str, killed: bool = False) -> list[dict]:
        path = ".github/workflows/w.yml"
        steps = [
            {
                "name": "a merge",
                "workflow": path,
                "event": "push",
                "rows": data.now,
                "files": {**files, path: w},
                "killed": killed,
            }
            for w in workflows
        ]
        return delivery.session({"released": files, "rows": data.before, "token": company.token(), "stories": [steps]})[0]

    return story


def test_production_is_as_the_last_release_left_it_and_the_key_is_not_printed(told):
    result = told(FRAME.format(more="timeout-minutes: 1", run='ls "$FOLDER"; echo "key $SHOP_API_TOKEN"'))[0]
    assert result["colour"] == "green"
    assert result["steps"][1]["said"] == "prod.duckdb\nkey ***"
    assert releasing._takings(result) == releasing.production(11).released


def test_the_steps_of_a_story_share_one_production_and_a_lost_one_is_told(told):
    away = FRAME.format(more="timeout-minutes: 1", run='rm "$FOLDER/prod.duckdb"')
    first, second = told(away, away)
    assert (first["colour"], first["marts"]) == ("green", {})
    assert second["colour"] == "red"


def test_what_this_runner_cannot_do_is_said_and_production_stays(told):
    result = told(FRAME.format(more="container: debian:12", run="true"))[0]
    assert result["colour"] == "no run"
    assert "container engine" in result["said"]
    assert releasing._takings(result) == releasing.production(11).released


MOVES = {
    "a move over it": ("cp prod.duckdb next && mv next prod.duckdb", False, False),
    "a copy over it": ("cp prod.duckdb next && cp next prod.duckdb", True, False),
    "away and back": ("mv prod.duckdb next && mv next prod.duckdb", False, True),
    "read only": ("cp prod.duckdb next && rm next", False, False),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_a_reader_would_have_met_in_between_is_told(told, name):
    command, written, gone = MOVES[name]
    result = told(FRAME.format(more="timeout-minutes: 1", run=f'cd "$FOLDER" && {command}'))[0]
    moments = result["moments"]
    assert (result["colour"], moments["written"], moments["gone"]) == ("green", written, gone)
    assert releasing._takings(result) == releasing.production(11).released
    assert all(releasing._read(shown) == releasing.production(11).released for shown in moments["shown"])


def test_a_runner_that_dies_half_way_leaves_nothing_running(told):
    load = 'cp "$FOLDER/prod.duckdb" next.duckdb && SHOPFLOW_WAREHOUSE=next.duckdb python -m ingest.shop_api && sleep 20 && mv next.duckdb "$FOLDER/prod.duckdb"'
    (result,) = told(FRAME.format(more="timeout-minutes: 1", run=load), killed=True)
    assert result["colour"] != "green" and not result["stopped"]
    assert len({call[0] for call in result["calls"]}) == 3
    assert releasing._takings(result) == releasing.production(11).released
