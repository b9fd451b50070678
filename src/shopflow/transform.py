"""dbt in this process: one runner, one parsed manifest, one lock; every connection is closed after each call."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shopflow import quicker_dbt

LOCK = threading.RLock()
"""Held while dbt runs in this process: it keeps its settings in globals."""
_PARSED: dict[str, tuple[str, Any]] = {}

_WITHOUT_MANIFEST = ("clean", "debug", "deps", "init")

QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DO_NOT_TRACK": "1",
    "DBT_VERSION_CHECK": "false",
    "DBT_USE_COLORS": "false",
    "DBT_LOG_LEVEL": "none",  # callers get dbt's words as values; standard output belongs to the learner's own prints
    "DBT_LOG_LEVEL_FILE": "none",
    "DBT_STATIC_PARSER": "false",  # its threads do not survive a fork, and a forked process would wait for them for ever
}


@dataclass(frozen=True)
class NodeResult:
    """One node of a dbt run. status as dbt words it (success, pass, fail, warn, error, skipped); seconds of this machine."""

    name: str
    resource_type: str
    status: str
    message: str = ""
    failures: int | None = None
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class DbtRun:
    """What one dbt command did. error: dbt's own words where it did not come to run anything; manifest: dbt's Manifest."""

    success: bool
    results: tuple[NodeResult, ...]
    error: str = ""
    log: tuple[str, ...] = ()
    manifest: Any = field(default=None, repr=False, compare=False)

    def failed(self) -> list[NodeResult]:
        """Nodes that did not do what they should, by name: dbt's own order changes from run to run."""
        bad = ("fail", "error", "runtime error", "partial success")
        return sorted((r for r in self.results if r.status in bad), key=lambda r: r.name)

    def __str__(self) -> str:
        if self.error:
            return f"dbt stopped: {self.error}"
        counts: dict[str, int] = {}
        for result in self.results:
            counts[result.status] = counts.get(result.status, 0) + 1
        return ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "nothing to do"


def warm_up() -> None:
    """Imports dbt; seconds the first time, nothing after. Meant for a background thread."""
    with LOCK, environment({}):
        import dbt.adapters.duckdb
        import dbt.cli.main  # noqa: F401

        quicker_dbt.prepare()


def dbt(
    project: Path,
    args: list[str],
    *,
    warehouse: Path,
    target: str = "dev",
    variables: dict[str, Any] | None = None,
    artifacts: bool = True,
) -> DbtRun:
    """Runs one dbt command, for example ["build", "--select", "fact_sales"], and never raises for what dbt finds.

    project: folder with dbt_project.yml and profiles.yml; warehouse: the DuckDB file; target: dev, staging or prod;
    artifacts: whether dbt writes target/manifest.json and its kind, a third of a second each time.
    FileNotFoundError when there is no project in the folder.
    """
    if not (project / "dbt_project.yml").is_file():
        raise FileNotFoundError(f"There is no dbt_project.yml in {project.name}/: is this the dbt project's folder?")
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    flags = ["--project-dir", str(project), "--profiles-dir", str(project), "--target", target, "--quiet"]
    if not artifacts:
        flags.append("--no-write-json")
    if variables:
        import json

        flags += ["--vars", json.dumps(variables)]
    with LOCK, environment({"SHOPFLOW_WAREHOUSE": str(warehouse)}):
        return _run(project, [*args, *flags], f"{target}|{warehouse}|{variables}")


def _run(project: Path, command: list[str], context: str) -> DbtRun:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    quicker_dbt.prepare()
    said: list[str] = []

    def listen(event: Any) -> None:
        if event.info.level in ("warn", "error"):
            said.append(event.info.msg)

    key, state = str(project), context + _fingerprint(project)
    known = _PARSED.get(key)
    manifest = known[1] if known and known[0] == state else None
    flags = command[command.index("--project-dir") :]
    try:
        outcome = None
        if manifest is None and command[0] not in _WITHOUT_MANIFEST:
            outcome = dbtRunner(callbacks=[listen]).invoke(["parse", *flags])
            manifest = outcome.result
        if command[0] != "parse" and (outcome is None or outcome.success):
            outcome = dbtRunner(manifest=manifest, callbacks=[listen]).invoke(command)
    finally:
        DuckDBConnectionManager.close_all_connections()
    if outcome is not None and outcome.exception is not None:  # dbt would go on saying so after the file was mended
        (project / "target" / "partial_parse.msgpack").unlink(missing_ok=True)
        manifest = None
    if manifest is not None:
        _PARSED[key] = (state, manifest)
        while len(_PARSED) > 8:
            _PARSED.pop(next(iter(_PARSED)))
    if outcome is None:  # asked to parse what was parsed before
        return DbtRun(True, (), manifest=manifest)
    error = "" if outcome.exception is None else _words(outcome.exception)
    return DbtRun(outcome.success, results_of(outcome.result), error, tuple(said), manifest)


def results_of(result: Any) -> tuple[NodeResult, ...]:
    """The nodes of what dbtRunner returned, as values."""
    return tuple(
        NodeResult(
            r.node.name,
            str(r.node.resource_type),
            str(r.status),
            str(r.message or ""),
            r.failures,
            float(r.execution_time or 0),
        )
        for r in getattr(result, "results", ())
        if hasattr(r, "node")
    )


def _words(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return "\n".join(line for line in text.splitlines() if line.strip())[:1500]


def _fingerprint(project: Path) -> str:
    """Changes when any file of the project that dbt reads does: names, sizes and times."""
    digest = hashlib.sha256()
    for folder, names, files in os.walk(project):
        names[:] = sorted(n for n in names if n not in ("target", "logs", "dbt_packages"))
        for name in sorted(files):
            path = os.path.join(folder, name)
            stat = os.stat(path)
            digest.update(f"{os.path.relpath(path, project)}|{stat.st_size}|{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


@contextlib.contextmanager
def environment(more: dict[str, str]) -> Iterator[None]:
    """dbt's quiet settings and these in the process's environment, for as long as it is open; no DBT_ setting of the shell's."""
    foreign = [name for name in os.environ if name.upper().startswith("DBT_")]
    before = {name: os.environ.get(name) for name in (*foreign, *QUIET, *more)}
    for name in foreign:
        del os.environ[name]
    os.environ.update(QUIET | more)
    try:
        yield
    finally:
        for name, old in before.items():
            if old is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = old
