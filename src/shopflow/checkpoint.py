"""Makes a whole company on disk, and copies one: sources, repository, warehouses loaded, built and published."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

from shopflow import history, runlog, sources
from shopflow.clock import FIRST_DAY, LAST_DAY, TODAY, days
from shopflow.daily import run_day
from shopflow.platform import Platform


class BuildFailed(RuntimeError):
    """The company could not be built; the message says which step said what."""


def build(
    root: Path,
    *,
    seed: int = 7,
    orders: int = 10_000,
    morning: dt.date = TODAY,
    delivered: dt.date | None = None,
    envs: tuple[str, ...] = ("prod", "dev"),
) -> Platform:
    """A company as it stands after the run of `morning`: extracts up to the day before, repository, warehouses.

    delivered: the last day of which extracts are there, where that is later: the next mornings' data, not loaded yet.
    The first environment is built, the others are copies of it. BuildFailed when the run did not publish.
    """
    sources.generate(root / "sources", seed=seed, orders=orders, last_day=delivered or morning - dt.timedelta(days=1))
    history.make(root / "repo")
    platform = Platform(root, envs[0], seed)
    earlier_mornings(platform, morning)
    run = run_day(platform, morning)
    if not run.published:
        raise BuildFailed(f"{run.results[-1].step} of {morning}: {run.results[-1].message}")
    for env in envs[1:]:
        shutil.copyfile(platform.warehouse, platform.at(env).warehouse)
    return platform


def earlier_mornings(platform: Platform, morning: dt.date) -> None:
    """The run log of the mornings before this one."""
    known = runlog.kinds(seed=platform.seed, last_day=LAST_DAY)
    window = days(FIRST_DAY + dt.timedelta(days=1), morning - dt.timedelta(days=1))
    with platform.connect() as con:
        con.execute(runlog.CREATE)
        if window:
            earlier = {day: known.get(day, "ordinary") for day in window}
            con.register("earlier", runlog.simulate(seed=platform.seed, mornings=earlier, env=platform.env))
            con.execute("insert into ops.run_log from earlier")


def restore(checkpoint: Path, root: Path) -> None:
    """Copies a company into a folder that does not exist yet."""
    shutil.copytree(checkpoint, root, symlinks=True)
