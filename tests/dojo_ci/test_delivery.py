"""Workflows that release: what reaches them, what they may print, and what is told of production afterwards."""

from __future__ import annotations

import pytest

from dojo.tasks.i03_elt_ci_cd import company, releasing
from dojo.tools import delivery

FRAME = """
on: push
jobs:
  one:
    runs-on: ubuntu-latest
    {more}
    steps:
      - env: {{FOLDER: "${{{{ vars.WAREHOUSE_FOLDER }}}}", SHOP_API_TOKEN: "${{{{ secrets.SHOP_API_TOKEN }}}}"}}
        run: {run}
"""


@pytest.fixture(scope="module")
def told():
    data = releasing.production(11)
    files = {**company.main_branch()}

    def story(*workflows: str) -> list[dict]:
        steps = [{"name": "a merge", "workflow": ".github/workflows/w.yml", "event": "push", "rows": data.now, "files": {**files, ".github/workflows/w.yml": w}} for w in workflows]  # fmt: skip
        return delivery.session({"released": files, "rows": data.before, "token": company.token(), "stories": [steps]})[0]

    return story


def test_production_is_as_the_last_release_left_it_and_the_key_is_not_printed(told):
    result = told(FRAME.format(more="timeout-minutes: 1", run='ls "$FOLDER"; echo "key $SHOP_API_TOKEN"'))[0]
    assert result["colour"] == "green"
    assert result["steps"][0]["said"] == "prod.duckdb\nkey ***"
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
