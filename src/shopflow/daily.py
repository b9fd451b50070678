"""Runs shopflow_daily from the code in the company's repository, on the company's clock, and writes the run log."""

from __future__ import annotations

import datetime as dt
import importlib.util
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from shopflow import runlog, transform
from shopflow.clock import FIRST_DAY
from shopflow.platform import Platform


class Killed(RuntimeError):
    """The run was killed between two steps; what was done stays, nothing says that it is over."""


@dataclass
class Clock:
    """The company's clock during a run: naive UTC, moved on by the work done."""

    now: dt.datetime


@dataclass(frozen=True)
class StepResult:
    """One attempt of a step as it stands in the run log; times are naive UTC."""

    step: str
    attempt: int
    status: str
    started_at: dt.datetime
    finished_at: dt.datetime
    rows_in: int
    rows_out: int
    message: str


@dataclass
class Run:
    """One run of the DAG, handed to the repository's step functions."""

    platform: Platform
    day: dt.date
    load: ModuleType
    clock: Clock
    first_day: dt.date = FIRST_DAY
    results: list[StepResult] = field(default_factory=list)

    @property
    def sources(self) -> Path:
        """Folder of the extracts."""
        return self.platform.sources

    def connect(self):
        """A short-lived connection to this environment's warehouse."""
        return self.platform.connect()

    def dbt(self, args: list[str]) -> transform.DbtRun:
        """One dbt command on the repository's project."""
        return transform.dbt(
            self.platform.project,
            args,
            warehouse=self.platform.warehouse,
            target=self.platform.env,
            variables={"as_of": str(self.day - dt.timedelta(days=1))},
        )

    @property
    def published(self) -> bool:
        """Whether this run put its data in front of readers."""
        return any(r.step == "publish" and r.status == "success" for r in self.results)


def run_day(platform: Platform, day: dt.date, tell: Callable[[StepResult], None] | None = None) -> Run:
    """The run of one morning; returns it whether it published or not.

    day: the morning; it loads the extract of the day before. tell: called after every attempt. Raises Killed where the
    platform kills it, FileNotFoundError where the repository's code is gone.
    """
    dag = _module(platform.repo / "pipeline" / "shopflow_daily.py")
    run = Run(platform, day, _module(platform.repo / "ingestion" / "load.py"), Clock(runlog.scheduled_at(day)))
    for name, work in dag.steps(run):
        if not _with_retries(run, dag, name, work, tell):
            break
        if platform.switches.get("killed-after") == [str(day), name]:
            raise Killed(f"The run of {day} was killed after {name}.")
    return run


def _with_retries(run: Run, dag: ModuleType, name: str, work: Callable[[], Any], tell: Callable | None) -> bool:
    attempts = dag.RETRIES[name] + 1
    for attempt in range(1, attempts + 1):
        begun, final, done, status = run.clock.now, False, None, "success"
        try:
            _obstacle(run, dag, name)
            if name == "ingest_orders" and str(run.day) in run.platform.switches.get("two-runs", []):
                work()
            done = work()
            message = done.message
        except dag.StepFailed as failed:
            status, message, final = "failed", str(failed), failed.final
        run.clock.now += dt.timedelta(seconds=_seconds(run, name, done.rows_in if done else 0))
        result = StepResult(
            name,
            attempt,
            status,
            begun,
            run.clock.now,
            done.rows_in if done else 0,
            done.rows_out if done else 0,
            message,
        )
        run.results.append(result)
        _log(run, result)
        if tell:
            tell(result)
        if done:
            return True
        if final:
            return False
        run.clock.now += dt.timedelta(minutes=dag.BACK_OFF_MINUTES * 2 ** (attempt - 1))
    return False


def _obstacle(run: Run, dag: ModuleType, step: str) -> None:
    """What is wrong with the platform itself this morning, if anything (see Platform.switches)."""
    switches, day = run.platform.switches, str(run.day)
    if step == "ingest_orders" and day in switches.get("source-down", []):
        raise dag.StepFailed("could not connect to the shop's database: connection refused")
    if step == "ingest_orders" and day in switches.get("expired-credential", []):
        raise dag.StepFailed("the payment provider refused our key: expired", final=True)
    if step in ("dbt_run", "publish") and day in switches.get("disk-full", []):
        raise dag.StepFailed("no space left on device: quota of the warehouse reached", final=True)


def _seconds(run: Run, step: str, rows: int) -> int:
    """How long a step takes on the company's clock: its usual minutes, more rows more time, a die, and the day's trouble."""
    low, high = runlog.MINUTES[step]
    dice = random.Random(f"{run.platform.seed} {run.day} {step}")
    factor = run.platform.switches.get("slow-run", {}).get(str(run.day), 1)
    monday = 1.5 if step == "dbt_run" and run.day.weekday() == 0 else 1
    return round(60 * (low + (high - low) * dice.random()) * factor * monday)


def _log(run: Run, result: StepResult) -> None:
    with run.connect() as con:
        con.execute(runlog.CREATE)
        con.execute(
            "delete from ops.run_log where run_date = ? and env = ? and step = ? and attempt = ?",
            [run.day, run.platform.env, result.step, result.attempt],
        )
        con.execute(
            "insert into ops.run_log values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                f"{run.platform.env}-{run.day}",
                run.day,
                run.platform.env,
                result.step,
                result.attempt,
                result.status,
                runlog.scheduled_at(run.day),
                result.started_at,
                result.finished_at,
                result.rows_in,
                result.rows_out,
                result.message,
            ],
        )


def _module(path: Path) -> ModuleType:
    """The repository's code, read afresh at every run."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path.name} is gone from ShopFlow's repository; `git checkout -- {path.name}` brings it back."
        )
    spec = importlib.util.spec_from_loader(f"shopflow_repository_{path.stem}", loader=None)
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module.__dict__)
    return module
