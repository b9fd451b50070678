"""The faults: named, seeded, reversible to the byte, composable, and each with an effect that the truth can tell."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil

import duckdb
import pytest

from shopflow import checkpoint, faults, sources, truth
from shopflow.clock import FIRST_DAY
from shopflow.daily import Killed, run_day
from shopflow.platform import Platform

MORNING = FIRST_DAY + dt.timedelta(days=9)
DAY = MORNING - dt.timedelta(days=1)
DATA = [f for f in faults.catalogue() if isinstance(f, faults.DataFault)]
CODE = [f for f in faults.catalogue() if isinstance(f, faults.CodeFault)]
PLATFORM = [f for f in faults.catalogue() if isinstance(f, faults.PlatformFault)]


def named(fault):
    return fault.name


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A company up to the morning before; the extract of one more day is there to be loaded."""
    platform = checkpoint.build(
        tmp_path_factory.mktemp("company"), orders=2_400, morning=MORNING - dt.timedelta(days=1), envs=("prod",)
    )
    sources.generate(platform.sources, orders=2_400, last_day=DAY)
    return platform


@pytest.fixture
def shop(made, tmp_path):
    shutil.copytree(made.root, tmp_path / "shop", symlinks=True)
    return Platform(tmp_path / "shop", "prod")


def fingerprint(root):
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(root.rglob("*"))
        if p.is_file() and not {".git", "target", "logs", "warehouse"} & set(p.parts)
    }


def memory(seed=7):
    con = duckdb.connect()
    sources.load_into(con, seed=seed, first_day=DAY - dt.timedelta(days=8), last_day=DAY, orders=3_000)
    return con


def test_there_are_at_least_28_in_five_families():
    names = [f.name for f in faults.catalogue()]
    assert len(names) == len(set(names)) >= 28
    assert {f.family for f in faults.catalogue()} == set(faults.FAMILIES)
    assert all(f.cause and f.symptom and f.title for f in faults.catalogue())


@pytest.mark.parametrize("fault", DATA, ids=named)
def test_a_data_fault_changes_its_tables_on_its_day_and_nothing_else(fault):
    clean, spoilt = memory(), memory()
    fault.mutate(spoilt, DAY)
    for table in sources.TABLES:
        other_days = f"(from {table} where extract_date <> date '{DAY}')"
        if not fault.whole:
            assert sources.content_hash(clean, other_days) == sources.content_hash(spoilt, other_days), table
        same = sources.content_hash(clean, table) == sources.content_hash(spoilt, table)
        same &= clean.sql(f"from {table}").columns == spoilt.sql(f"from {table}").columns
        assert same == (table not in fault.tables), table


@pytest.mark.parametrize("fault", DATA, ids=named)
def test_the_same_seed_spoils_the_same_rows(fault):
    one, two = memory(), memory()
    fault.mutate(one, DAY, seed=3)
    fault.mutate(two, DAY, seed=3)
    for table in fault.tables:
        assert sources.content_hash(one, table) == sources.content_hash(two, table)


@pytest.mark.parametrize("fault", faults.catalogue(), ids=named)
def test_a_fault_is_taken_out_to_the_byte(shop, fault):
    before = fingerprint(shop.root)
    faults.inject(shop, fault.name, DAY)
    assert fingerprint(shop.root) != before
    assert faults.revert(shop) == 1
    assert fingerprint(shop.root) == before


def test_faults_compose_and_come_out_together(shop):
    before = fingerprint(shop.root)
    for name in ("negative-quantity", "outlier-price", "lost-filter", "slow-run", "source-down"):
        faults.inject(shop, name, DAY)
    assert [entry["fault"] for entry in faults.journal(shop)] == [
        "negative-quantity",
        "outlier-price",
        "lost-filter",
        "slow-run",
        "source-down",
    ]
    assert faults.revert(shop) == 5 and fingerprint(shop.root) == before


def test_the_truth_is_read_from_the_clean_extracts(shop):
    clean = truth.mart(shop, "fact_sales", DAY)
    faults.inject(shop, "truncated-load", DAY)
    assert truth.compare(truth.mart(shop, "fact_sales", DAY), clean, truth.MARTS["fact_sales"]).none


GREEN_AND_WRONG = {
    "late-file": "missing",
    "truncated-load": "missing",
    "out-of-order-updates": "changed",
    "new-status-value": "",
    "cents-for-euros": "changed",
    "join-fan-out": "",
    "lost-filter": "changed",
    "swallowed-cast": "changed",
    "swapped-currency": "changed",
    "slow-drift": "changed",
    "duplicate-keys": "changed",
}


@pytest.mark.parametrize("name", GREEN_AND_WRONG)
def test_what_it_did_is_told_in_rows_and_euros(shop, name):
    faults.inject(shop, name, DAY)
    run_day(shop, MORNING)
    found = faults.damage(shop, DAY)
    assert not found.none, name
    assert GREEN_AND_WRONG[name] in str(found)
    if name in ("cents-for-euros", "slow-drift"):
        assert found.euros > 0


@pytest.mark.parametrize(
    "name", ["renamed-column", "dropped-column", "retyped-column", "source-down", "expired-credential", "disk-full"]
)
def test_a_loud_fault_stops_the_morning_before_readers_see_it(shop, name):
    faults.inject(shop, name, MORNING if faults.get(name).family == "platform" else DAY)
    run = run_day(shop, MORNING)
    assert not run.published and run.results[-1].status == "failed" and run.results[-1].message


def test_two_runs_at_once_are_harmless_until_the_insert_is_not_idempotent(shop):
    faults.inject(shop, "two-runs-at-once", MORNING)
    run_day(shop, MORNING)
    assert faults.damage(shop, DAY).none
    faults.inject(shop, "insert-not-idempotent", MORNING)
    run_day(shop, MORNING)
    assert shop.sql("select count(*) > count(distinct (order_id, line_number)) as doubled from raw.order_items").to_pylist()[
        0
    ]["doubled"]


def test_a_killed_run_is_killed_and_can_be_run_again(shop):
    faults.inject(shop, "killed-between-steps", MORNING)
    with pytest.raises(Killed):
        run_day(shop, MORNING)
    faults.revert(shop)
    assert run_day(shop, MORNING).published and faults.damage(shop, DAY).none


def test_a_fault_that_does_not_exist_names_the_nearest():
    with pytest.raises(KeyError, match="join-fan-out"):
        faults.get("fan-out")


def test_a_day_without_an_extract_is_refused_and_nothing_changes(shop):
    before = fingerprint(shop.root)
    with pytest.raises(faults.NothingToSpoil, match="no extract"):
        faults.inject(shop, "late-file", dt.date(2026, 1, 1))
    assert fingerprint(shop.root) == before


def test_a_patch_whose_text_is_gone_is_refused(shop):
    (shop.repo / "dbt/models/marts/fact_sales.sql").write_text("select 1")
    with pytest.raises(faults.PatchGone, match=r"fact_sales\.sql"):
        faults.inject(shop, "lost-filter", DAY)
