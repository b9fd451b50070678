"""ShopFlow's dbt project cut down to revenue, and dbt on any warehouse file of it: each project is parsed once a target."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from dojo.tools.dbt import shopflow_project
from shopflow import transform
from shopflow.transform import NodeResult

ENVIRONMENTS = ("dev", "staging", "prod")


def warm() -> None:
    """Imports dbt and parses the slice for each environment, seconds that no check has to pay."""
    transform.warm_up()
    for env in ENVIRONMENTS:
        manifest_of(slice_of_shopflow(), env, env)
    state_of(slice_of_shopflow())
    manifest_of(with_prod_attached(), "dev", "dev", None, {"SHOPFLOW_PROD": "warehouse/prod.duckdb"})


# ---------------------------------------------------------------- the project that is delivered

PROFILES = """\
shopflow:
  target: dev
  outputs:
    dev: &duckdb
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSE') }}"
      schema: main
      threads: 1
    staging: *duckdb
    prod: *duckdb
"""
FACT_SALES = """\
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='order_id') }}

with orders as (
    select * from {{ ref('stg_orders') }}
    {% if is_incremental() %}
    where updated_at > (select coalesce(max(updated_at), timestamp '1970-01-01') from {{ this }})
    {% endif %}
)

select
    orders.order_id,
    items.line_number,
    orders.store_id,
    orders.business_date,
    orders.status as order_status,
    items.quantity,
    case
        when orders.status in ('paid', 'shipped') then items.quantity * items.unit_price * rates.eur_per_unit else 0
    end::decimal(14, 2) as line_revenue,
    orders.updated_at
from orders
inner join {{ ref('stg_order_items') }} as items on orders.order_id = items.order_id
inner join {{ source('raw', 'exchange_rates') }} as rates
    on orders.currency = rates.currency and orders.ordered_at::date = rates.rate_date
"""
DAILY_REVENUE = """\
select
    business_date,
    store_id,
    count(distinct order_id) as orders,
    sum(quantity)::bigint as units,
    sum(line_revenue)::decimal(14, 2) as revenue_eur
from {{ ref('fact_sales') }}
where order_status in ('paid', 'shipped')
group by business_date, store_id
"""
_MARTS = """\
models:
  - name: fact_sales
    columns:
      - {name: quantity, data_tests: [not_negative]}
  - name: daily_revenue
    columns:
      - {name: revenue_eur, data_tests: [not_negative]}
"""
_SOURCES = "sources:\n  - name: raw\n    tables: [{name: orders}, {name: order_items}, {name: exchange_rates}]\n"


@cache
def slice_of_shopflow() -> dict[str, str]:
    """ShopFlow's dbt project cut down to revenue, {path: text}: what a delivery is tried with, a few tenths of a second a build."""
    whole = shopflow_project()
    kept = (
        "macros/business_date.sql",
        "macros/generate_schema_name.sql",
        "macros/test_not_negative.sql",
        "models/staging/stg_orders.sql",
        "models/staging/stg_order_items.sql",
    )
    return {
        "dbt_project.yml": whole["dbt_project.yml"].split("snapshots:")[0],
        "profiles.yml": PROFILES,
        **{path: whole[path] for path in kept},
        "models/staging/_sources.yml": _SOURCES,
        "models/marts/fact_sales.sql": FACT_SALES,
        "models/marts/daily_revenue.sql": DAILY_REVENUE,
        "models/marts/_marts.yml": _MARTS,
    }


@cache
def with_prod_attached() -> dict[str, str]:
    """The slice with a profile whose dev target can read prod, and only read."""
    attached = "      threads: 1\n      attach:\n        - {path: \"{{ env_var('SHOPFLOW_PROD') }}\", alias: prod, read_only: true}\n"
    dev = PROFILES.replace("&duckdb", "").replace("      threads: 1\n", attached).split("    staging")[0]
    own = dev.split("    dev:")[1].split("      attach:")[0]
    return {**slice_of_shopflow(), "profiles.yml": f"{dev}    prod:{own}"}


COMMANDS = (
    "build",
    "clone",
    "compile",
    "list",
    "ls",
    "parse",
    "run",
    "run-operation",
    "seed",
    "show",
    "snapshot",
    "source",
    "test",
)
"""What a delivery may ask of dbt; the others fetch, delete or serve something."""
_OURS = ("--target", "--profile", "--profiles-dir", "--project-dir")


def check_command(words: list[str]) -> None:
    """TypeError, in words for whoever wrote the call, where it is no command that a delivery can give."""
    name = next((word for word in words if not word.startswith("-")), None)
    if name not in COMMANDS:
        raise TypeError(f"dbt was called with {name or 'no command'}; a call begins with one of {', '.join(COMMANDS)}")
    for word in words:
        if word.split("=")[0] in _OURS or word.startswith("-t"):
            raise TypeError(
                f'{word} is not for you to give here: name the environment as dbt("{name}", …, target="staging")'
            )


def refusal(files: dict[str, str]) -> str:
    """Why this project does not run here, or "". Python and connections of its own would run in the process that judges."""
    python = next((path for path in sorted(files) if path.lower().endswith(".py")), "")
    if python:
        return f"{python} was not run: the judge's dbt runs no Python. Models here are written in SQL."
    if files.get("profiles.yml") not in (slice_of_shopflow()["profiles.yml"], with_prod_attached()["profiles.yml"]):
        return "dbt did not run: the judge's dbt connects with the dbt/profiles.yml that the repository came with, and it was changed."
    return ""


# ---------------------------------------------------------------- dbt on any warehouse, parsed once


@dataclass
class Done:
    """What `dbt(...)` returns to a delivery: success, the nodes that failed, dbt's words."""

    success: bool
    results: tuple[NodeResult, ...]
    error: str = ""

    def failed(self) -> list[NodeResult]:
        """Nodes that did not do what they should."""
        return [r for r in self.results if r.status in ("fail", "error", "runtime error")]

    def __bool__(self) -> bool:
        return self.success


@cache
def _root() -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix="dojo-releasing-"))
    folder.chmod(0o755)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, os.getpid()


def _place() -> Path:
    """A folder of this process; a forked child, which may read its parent's, writes in one of its own."""
    folder, owner = _root()
    if owner != os.getpid():
        _root.cache_clear()
        folder, _ = _root()
        tracker = resource_tracker._resource_tracker  # the parent's is out of reach: dbt's locks need one of our own
        tracker._fd = tracker._pid = None
    return folder


_PARSED: dict[tuple, Any] = {}
_FIRST: dict[tuple[str, str, str], bytes] = {}
"""What dbt parsed first, by target, stem and profile: kept in memory, where a forked child finds it too."""


def _project(files: dict[str, str]) -> tuple[Path, str]:
    """A folder that holds exactly these files, and their digest."""
    digest = hashlib.sha256(json.dumps(sorted(files.items())).encode()).hexdigest()[:16]
    folder = _place() / "projects" / digest
    if not folder.exists():
        for path, text in files.items():
            target = (folder / path).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise ValueError(f"{path} leads out of the project")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    return folder, digest


def manifest_of(
    files: dict[str, str], target: str, stem: str, variables: dict | None = None, environment: dict[str, str] | None = None
) -> tuple[Path, Any, str]:
    """(project folder, dbt's manifest or None, dbt's words) for a warehouse file of that stem.

    Parsed under a path that never changes: for another one dbt would read everything anew.
    """
    variables, environment = variables or {}, environment or {}
    folder, digest = _project(files)
    profile = hashlib.sha256(files["profiles.yml"].encode()).hexdigest()[:8]
    key = (digest, target, stem, json.dumps(variables, sort_keys=True))
    if key not in _PARSED:
        first = _FIRST.get((target, stem, profile))
        parsed = folder / "target" / "partial_parse.msgpack"
        parsed.parent.mkdir(exist_ok=True)
        if first is not None:
            parsed.write_bytes(first)
        outcome = _invoke(["parse", *_flags(folder, target, variables)], f"warehouse/{stem}.duckdb", environment)
        if outcome.exception is not None or outcome.result is None:
            parsed.unlink(missing_ok=True)
            return folder, None, str(outcome.exception).strip()
        if first is None and not variables:
            _FIRST[target, stem, profile] = parsed.read_bytes()
        while len(_PARSED) > 40:
            _PARSED.pop(next(iter(_PARSED)))
        _PARSED[key] = outcome.result
    return folder, _PARSED[key], ""


_STATES: dict[str, bytes] = {}


def state_of(files: dict[str, str]) -> bytes:
    """The manifest.json of these files in prod: what a branch is compared with. RuntimeError where dbt cannot read them."""
    folder, manifest, words = manifest_of(files, "prod", "prod")
    if manifest is None:
        raise RuntimeError(words)
    if folder.name not in _STATES:
        path = _place() / f"{folder.name}.json"
        manifest.writable_manifest().write(str(path))
        _STATES[folder.name] = path.read_bytes()
    return _STATES[folder.name]


def _flags(folder: Path, target: str, variables: dict) -> list[str]:
    flags = ["--project-dir", str(folder), "--profiles-dir", str(folder), "--target", target, "--quiet", "--no-write-json"]
    return flags + (["--vars", json.dumps(variables)] if variables else [])


@contextlib.contextmanager
def _sql_only() -> Iterator[None]:
    """dbt runs SQL only: a macro can hand Python to the adapter without any Python model."""
    from dbt.adapters.duckdb.impl import DuckDBAdapter
    from dbt_common.exceptions import DbtRuntimeError

    def refused(*_: Any) -> None:
        raise DbtRuntimeError("The judge's dbt runs no Python. Models here are written in SQL.")

    real = DuckDBAdapter.submit_python_job
    DuckDBAdapter.submit_python_job = refused
    try:
        yield
    finally:
        DuckDBAdapter.submit_python_job = real


def _invoke(command: list[str], warehouse: str, environment: dict[str, str], manifest: Any = None) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    with transform.LOCK, transform.environment({"SHOPFLOW_WAREHOUSE": warehouse, **environment}), _sql_only():
        try:
            return dbtRunner(manifest=manifest).invoke(command)
        finally:
            DuckDBConnectionManager.close_all_connections()


def run_dbt(
    files: dict[str, str],
    arguments: list[str],
    target: str,
    warehouse: Path,
    variables: dict | None = None,
    environment: dict[str, str] | None = None,
) -> Done:
    """One dbt command of a project on a warehouse file. What dbt finds is never raised."""
    refused = refusal(files)
    if refused:
        return Done(False, (), refused)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    folder, manifest, words = manifest_of(files, target, warehouse.stem, variables, environment)
    if manifest is None:
        return Done(False, (), words[:1500])
    outcome = _invoke([*arguments, *_flags(folder, target, variables or {})], str(warehouse), environment or {}, manifest)
    error = "" if outcome.exception is None else str(outcome.exception).strip()[:1500]
    return Done(bool(outcome.success), transform.results_of(outcome.result), error)


TARGET_KEYS = ("type", "path", "schema", "threads", "database", "attach")
ATTACH_KEYS = ("path", "alias", "read_only")
"""What a target may hold: the adapter runs the others (settings, plugins, extensions …) as SQL or Python in the process it is in."""
_SCHEME, _NAME = re.compile(r"[A-Za-z][\w+.-]+:"), re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class Connection:
    """Where dbt's own reading of a profile leads: the target's name, its file, the database it builds in and that of the file.

    said: dbt's words where it refuses; then the rest is empty.
    """

    name: str = ""
    path: str = ""
    database: str = ""
    own: str = ""
    said: str = ""
    profile: dict[str, Any] = field(default_factory=dict)


def attached_for_reading(entry: Any) -> bool:
    """Whether an `attach` of a profile can only be read from, and says nothing else."""
    return isinstance(entry, dict) and entry.get("read_only") is True and set(entry) <= set(ATTACH_KEYS)


def resolved(text: str, target: str | None, environment: dict[str, str]) -> Connection:
    """How dbt connects by this profiles.yml; keys that no target may hold are not read."""
    import yaml
    from dbt.config.profile import Profile
    from dbt.config.renderer import ProfileRenderer
    from dbt_common.context import set_invocation_context

    manifest_of(slice_of_shopflow(), "dev", "dev")  # dbt's own settings are there once it has run
    with transform.LOCK, transform.environment(environment):
        set_invocation_context(dict(os.environ))
        try:
            raw = _plainly(yaml.safe_load(text))
            profile = Profile.from_raw_profiles(raw, "shopflow", ProfileRenderer({}), target_override=target)
            found = profile.credentials
            own = found.path_derived_database_name(found.path)
            return Connection(profile.target_name, found.path, found.database, own, "", _literally(profile))
        except Exception as error:
            return Connection(said=" ".join(str(error).split())[:400] or type(error).__name__)


def _plainly(raw: dict[str, Any]) -> dict[str, Any]:
    """The profile without what no target may hold. ValueError where a target is of another database."""
    outputs = {}
    for name, target in raw["shopflow"]["outputs"].items():
        if isinstance(target, dict):
            if target.get("type") != "duckdb":
                target = {"type": "another database"}
            reads = [entry for entry in _listed(target.get("attach")) if attached_for_reading(entry)]
            target = {key: value for key, value in target.items() if key in TARGET_KEYS} | {"attach": reads}
        outputs[name] = target
    return {"shopflow": {**raw["shopflow"], "outputs": outputs}}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _literally(profile: Any) -> dict[str, Any]:
    """A target as dbt reads it, for a file of the judge's. ValueError where it would mean more there than it says."""
    found = profile.credentials
    reads = [{"path": a.path, "read_only": True, **({"alias": a.alias} if a.alias else {})} for a in found.attach or []]
    for value in (profile.target_name, found.path, found.schema, *(entry["path"] for entry in reads)):
        if _SCHEME.match(value) or "{" in value:
            raise ValueError(f"{value!r} cannot be tried here: it does not name a file of this machine")
    for entry in reads:
        if not _NAME.fullmatch(entry.get("alias", "attached")):
            raise ValueError(f"alias: {entry['alias']!r} is not a name")
    threads = min(profile.threads, 4)
    return {"type": "duckdb", "path": found.path, "schema": found.schema, "threads": threads, "attach": reads}


def run_profile(folder: Path, connection: Connection) -> Done:
    """Runs one model of the slice as a connection says: dbt reads it from a profiles.yml of the judge's in `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "profiles.yml").write_text(
        json.dumps({"shopflow": {"target": connection.name, "outputs": {connection.name: connection.profile}}}), "utf-8"
    )
    known = connection.name if connection.name in ENVIRONMENTS else "dev"
    project, manifest, words = manifest_of(slice_of_shopflow(), known, Path(connection.path).stem or "dev")
    if manifest is None:
        return Done(False, (), words)
    places = ["--project-dir", str(project), "--profiles-dir", str(folder)]
    outcome = _invoke(["run", "--select", "stg_orders", *places, "--quiet", "--no-write-json"], "", {}, manifest)
    error = "" if outcome.exception is None else str(outcome.exception).strip()[:600]
    return Done(bool(outcome.success), transform.results_of(outcome.result), error)
