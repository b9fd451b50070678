"""The company's mornings: the marts equal the truth however the days were loaded; a killed or doubled run leaves no trace."""

from __future__ import annotations

import datetime as dt
import json
import shutil

import pytest

from shopflow import checkpoint, history, sources, transform, truth
from shopflow.clock import FIRST_DAY
from shopflow.daily import Killed, run_day
from shopflow.platform import Platform

MORNING = FIRST_DAY + dt.timedelta(days=6)
DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A company of six days, loaded at once, in prod and dev."""
    return checkpoint.build(tmp_path_factory.mktemp("company"), orders=1_200, morning=MORNING)


@pytest.fixture
def shop(made, tmp_path):
    """A copy to do things to, with the extract of one more day there to be loaded."""
    shutil.copytree(made.root, tmp_path / "shop", symlinks=True)
    platform = Platform(tmp_path / "shop", "prod")
    sources.generate(platform.sources, orders=1_200, last_day=MORNING)
    return platform


def assert_true(platform, as_of):
    for name, key in truth.MARTS.items():
        found = truth.compare(platform.sql(f"from marts.{name}"), truth.mart(platform, name, as_of), key)
        assert found.none, f"{name}: {found}"


def switch(platform, **switches):
    (platform.root / "platform.json").write_text(json.dumps(switches))


def test_six_days_loaded_at_once_give_the_truth(made):
    assert_true(made, MORNING - DAY)
    assert made.sql("select count(*) from serving.fact_sales") == made.sql("select count(*) from marts.fact_sales")


def test_six_days_loaded_one_by_one_give_the_truth(tmp_path):
    platform = Platform(tmp_path, "prod")
    history.make(platform.repo)
    for n in range(1, 7):
        sources.generate(platform.sources, orders=1_200, last_day=FIRST_DAY + (n - 1) * DAY)
        assert run_day(platform, FIRST_DAY + n * DAY).published
    assert_true(platform, MORNING - DAY)


def test_the_same_morning_twice_changes_nothing(shop):
    for _ in range(2):
        assert run_day(shop, MORNING + DAY).published
    assert_true(shop, MORNING)


def test_an_older_morning_run_again_takes_nothing_back(shop):
    for morning in (MORNING + DAY, FIRST_DAY + DAY):
        assert run_day(shop, morning).published
    assert_true(shop, MORNING)


def test_sources_are_fresh_on_the_company_s_clock_and_late_when_a_day_is_missing(made):
    for as_of, status in ((MORNING - DAY, "pass"), (MORNING, "warn"), (MORNING + DAY, "error")):
        checked = transform.dbt(
            made.project, ["source", "freshness"], warehouse=made.warehouse, target="prod", variables={"as_of": str(as_of)}
        )
        assert {r.status for r in checked.results if r.name == "orders"} == {status}


def test_killed_between_two_steps_and_run_again_loads_once(shop):
    switch(shop, **{"killed-after": [str(MORNING + DAY), "ingest_orders"]})
    with pytest.raises(Killed, match="after ingest_orders"):
        run_day(shop, MORNING + DAY)
    switch(shop)
    assert run_day(shop, MORNING + DAY).published
    assert_true(shop, MORNING)


def test_a_source_that_is_down_is_tried_four_times_and_nothing_is_published(shop):
    switch(shop, **{"source-down": [str(MORNING + DAY)]})
    run = run_day(shop, MORNING + DAY)
    assert [r.step for r in run.results] == ["ingest_orders"] * 4 and not run.published
    waits = [b.started_at - a.finished_at for a, b in zip(run.results, run.results[1:], strict=False)]
    assert [w.total_seconds() / 60 for w in waits] == [5, 10, 20]
    assert_true(shop, MORNING - DAY)


def test_an_extract_that_has_not_arrived_is_named(shop):
    shutil.rmtree(shop.sources / "payments" / f"date={MORNING}")
    run = run_day(shop, MORNING + DAY)
    assert not run.published and "payments" in run.results[0].message and str(MORNING) in run.results[0].message


def test_a_failed_quality_check_stops_before_readers_see_it(shop):
    before = shop.sql("from serving.daily_revenue order by all")
    model = shop.project / "models" / "marts" / "daily_revenue.sql"
    model.write_text(model.read_text().replace("sum(sales.line_revenue)", "sum(sales.line_revenue * 2)"))
    run = run_day(shop, MORNING + DAY)
    assert run.results[-1].step == "quality_check" and "assert_dashboard_adds_up" in run.results[-1].message
    assert shop.sql("from serving.daily_revenue order by all") == before


def test_the_run_log_is_on_the_company_s_clock_and_the_same_twice(shop, made):
    run = run_day(shop, MORNING + DAY)
    again = run_day(shop, MORNING + DAY)
    assert [r.finished_at for r in run.results] == [r.finished_at for r in again.results]
    log = shop.sql("select distinct step, attempt, status from ops.run_log where run_date = ?", [MORNING + DAY]).to_pylist()
    assert {r["step"] for r in log} == {"ingest_orders", "dbt_run", "quality_check", "publish"}


def test_the_whole_project_builds_with_its_unit_tests(made):
    built = transform.dbt(made.project, ["build"], warehouse=made.warehouse, target="prod")
    assert built.success, built.failed()
    assert sum(r.resource_type.endswith("unit_test") or r.resource_type == "unit" for r in built.results) >= 2


def test_dbt_s_words_come_back_when_a_model_is_broken(shop):
    (shop.project / "models" / "marts" / "broken.sql").write_text("select nothing from {{ ref('nowhere') }}")
    run = transform.dbt(shop.project, ["run"], warehouse=shop.warehouse)
    assert not run.success and "nowhere" in run.error


def test_a_folder_without_a_project_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dbt_project\.yml"):
        transform.dbt(tmp_path, ["run"], warehouse=tmp_path / "x.duckdb")


def test_after_dbt_nobody_holds_the_warehouse(made):
    import subprocess
    import sys

    transform.dbt(made.project, ["run", "--select", "dim_date"], warehouse=made.warehouse, target="prod")
    code = f"import duckdb; print(duckdb.connect({str(made.warehouse)!r}).execute('select count(*) from marts.dim_date').fetchone()[0])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "730"


def test_an_environment_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ValueError, match="dev, staging, prod"):
        Platform(tmp_path, "production")
