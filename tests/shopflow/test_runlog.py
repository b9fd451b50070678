"""The simulated mornings: each kind does what its name says, in Berlin time, across the end of summer time."""

from __future__ import annotations

import datetime as dt

import pytest

from shopflow import runlog
from shopflow.clock import LAST_DAY


def ready(log):
    """Berlin time of the successful publish, by morning."""
    rows = [r for r in log.to_pylist() if r["step"] == "publish" and r["status"] == "success"]
    return {r["run_date"]: runlog.to_berlin(r["finished_at"]) for r in rows}


def test_ninety_days_hold_eleven_late_mornings():
    log, kinds = runlog.simulate(), runlog.kinds()
    at = ready(log)
    late = {day for day, moment in at.items() if moment.time() > dt.time(8)}
    assert len(kinds) == 90 and len(late) == 11
    assert late == {day for day, kind in kinds.items() if kind in runlog.BAD}


@pytest.mark.parametrize("seed", [7, 11, 29, 43])
def test_good_mornings_are_in_time_and_bad_ones_are_not(seed):
    at = ready(runlog.simulate(seed=seed))
    for day, kind in runlog.kinds(seed=seed).items():
        assert (at[day].time() > dt.time(8)) == (kind in runlog.BAD), (day, kind, at[day])


def test_mondays_are_slower_and_no_reason_to_worry():
    at, kinds = ready(runlog.simulate()), runlog.kinds()
    mondays = [at[d] for d, k in kinds.items() if k == "slow-monday"]
    others = [at[d] for d, k in kinds.items() if k == "ordinary"]
    assert max(m.time() for m in others) < min(m.time() for m in mondays) < max(m.time() for m in mondays) < dt.time(7, 30)


def test_the_schedule_follows_berlin_s_wall_clock():
    assert runlog.scheduled_at(dt.date(2025, 10, 25)).time() == dt.time(3, 30)
    assert runlog.scheduled_at(dt.date(2025, 10, 26)).time() == dt.time(4, 30)


def test_what_is_visible_grows_with_the_morning():
    log = runlog.simulate(mornings={LAST_DAY: "hung-step"})
    eight = runlog.to_utc(dt.datetime.combine(LAST_DAY, dt.time(7)))
    seen = runlog.visible(log, eight).to_pylist()
    assert [r["step"] for r in seen] == ["ingest_orders", "dbt_run"]
    assert seen[-1]["status"] == "running" and seen[-1]["finished_at"] is None and seen[-1]["message"] == ""


def test_a_morning_that_never_starts_shows_nothing_before_eight():
    log = runlog.simulate(mornings={LAST_DAY: "never-started"})
    assert runlog.visible(log, runlog.to_utc(dt.datetime.combine(LAST_DAY, dt.time(8)))).num_rows == 0


def test_the_same_seed_gives_the_same_log():
    assert runlog.simulate().equals(runlog.simulate())


def test_an_unknown_kind_is_named():
    with pytest.raises(ValueError, match="ordinary"):
        runlog.simulate(mornings={LAST_DAY: "odd"})
