"""Task 05.1: one project, three environments, told apart by configuration alone."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m05_environments_and_delivery import warehouses
from dojo.tools.releasing_dbt import ATTACH_KEYS, ENVIRONMENTS, TARGET_KEYS, attached_for_reading

PROD_VARIABLE = "SHOPFLOW_PROD_WAREHOUSE"
PROFILES = "repo/profiles/profiles.yml"


@dataclass(frozen=True)
class Machine:
    """A machine with three warehouses: where they stand, and what its variables say."""

    folder: str
    vault: str
    files: dict[str, dict[str, Any]]

    @property
    def laptop(self) -> dict[str, str]:
        """Variables of a machine that knows nothing of prod."""
        return {"SHOPFLOW_WAREHOUSES": f"ROOM/{self.folder}"}

    @property
    def job(self) -> dict[str, str]:
        """Variables of the delivery job, the only place that knows where prod is."""
        return {**self.laptop, "SHOPFLOW_PROD_WAREHOUSE": f"ROOM/{self.vault}/prod.duckdb"}

    def runs(self) -> list[tuple[str, str | None, dict[str, str], str]]:
        """(in words, target, variables, the one file that may change; "" where dbt must refuse before it connects)."""
        return [
            ("dbt run, no target, on a laptop", None, self.laptop, f"{self.folder}/dev.duckdb"),
            ("dbt run --target staging, on a laptop", "staging", self.laptop, f"{self.folder}/staging.duckdb"),
            ("dbt run --target prod, in the delivery job", "prod", self.job, f"{self.vault}/prod.duckdb"),
            ("dbt run --target prod, on a laptop", "prod", self.laptop, ""),
        ]


@lru_cache(maxsize=8)
def machine(seed: int) -> Machine:
    """Another machine for another seed; an old prod.duckdb lies among the others and must stay as it is."""
    folder, vault = ("data/here", "vault") if seed % 4 == 3 else ("srv/files", "mnt/production")
    raw = warehouses.loaded(seed, orders=600).raw
    names = [f"{folder}/{env}.duckdb" for env in ("dev", "staging", "prod")] + [f"{vault}/prod.duckdb"]
    return Machine(folder, vault, dict.fromkeys(names, raw))


def _profile(work: Work) -> dict[str, Any]:
    """The profile `shopflow` of the learner's file, with its outputs as they stand there."""
    content = parse_yaml(work.file(PROFILES), PROFILES)
    if not isinstance(content, dict) or not isinstance(content.get("shopflow"), dict):
        raise NotYet(
            "The file describes no profile `shopflow`; dbt_project.yml asks for it by this name.",
            expected="shopflow: with target and outputs",
            got=sorted(map(str, content)) if isinstance(content, dict) else content,
            cause="no-profile",
        )
    profile = content["shopflow"]
    if not isinstance(profile.get("outputs"), dict):
        raise NotYet(
            "The profile has no outputs; each of them is one target.",
            expected="outputs: with dev, staging and prod",
            got=f"outputs: {profile.get('outputs')}" if "outputs" in profile else sorted(map(str, profile)),
            cause="no-profile",
        )
    for name in ENVIRONMENTS:
        _needs_no_more(name, profile["outputs"].get(name))
    return profile


def _needs_no_more(name: str, target: Any) -> None:
    """NotYet where a target holds what dbt would run as SQL or Python, or may write into another file."""
    if not isinstance(target, dict):
        return  # dbt says so
    for key in target:
        if key not in TARGET_KEYS:
            raise NotYet(
                f"`{key}` is not tried here: dbt would run what it says in the process that judges.",
                tried=f"target {name}",
                expected=f"{', '.join(TARGET_KEYS)}, and nothing else",
                got=f"{key}: {target[key]}",
                cause="not-tried",
            )
    if target.get("type", "duckdb") != "duckdb":
        raise NotYet(
            "The three warehouses are DuckDB files.",
            tried=f"target {name}",
            expected="type: duckdb",
            got=f"type: {target['type']}",
            cause="not-tried",
        )
    attached = target.get("attach") or []
    for entry in attached if isinstance(attached, list) else [attached]:
        if not attached_for_reading(entry):
            raise NotYet(
                f"Target {name} attaches a database that its models may write to."
                if isinstance(entry, dict) and set(entry) <= set(ATTACH_KEYS)
                else "`attach` says more than is tried here.",
                tried=f"target {name}",
                expected="attach: with path, alias and read_only: true",
                got=f"attach: {entry}",
                cause="writable",
            )


def _ran(work: Work, data: Machine) -> list[dict[str, Any]]:
    profile = _profile(work)
    others = [name for name in map(str, profile["outputs"]) if name not in ENVIRONMENTS][:5]
    runs = [{"target": target, "environment": env, "read": not wanted} for _, target, env, wanted in data.runs()]
    request = {
        "op": "targets",
        "text": work.file(PROFILES),
        "warehouses": data.files,
        "runs": runs + [{"target": name, "environment": data.laptop, "read": True} for name in others],
    }
    return work.once(("05.1", id(data)), lambda: work.tool("releasing", request))


def each_has_its_own(work: Work, data: Machine) -> str:
    ran_all = _ran(work, data)
    if _profile(work).get("target") == "prod":
        raise NotYet(
            "A bare `dbt run` goes to prod: one forgotten option, and finance reads it.",
            tried="dbt run, no target",
            expected="target: dev",
            got="target: prod",
            cause="default",
        )
    for ran, (tried, target, _, wanted) in list(zip(ran_all, data.runs(), strict=False))[:3]:
        if not ran["success"]:
            raise NotYet(
                "dbt refused.",
                tried=tried,
                expected=f"a run that writes {wanted}",
                got=ran["said"],
                cause="refused",
                look="A variable without a default stops the target that uses it, and only that."
                if "Env var" in ran["said"]
                else "",
            )
        if ran["changed"] != [wanted]:
            raise _other_file(ran, tried, target, wanted)
        if ran["database"] != ran["own"]:
            raise NotYet(
                f"Target {ran['name']} builds in a database that it attached, and not in its own file.",
                tried=tried,
                expected=f"{wanted} written, nothing else",
                got=f"database: {ran['database']}",
                cause="elsewhere",
            )
    return "dev, staging and prod each write their own file, and no other."


def _other_file(ran: dict[str, Any], tried: str, target: str | None, wanted: str) -> NotYet:
    got = ", ".join(ran["changed"]) or f"nothing; it connected to {ran['path'] or 'a database in memory'}"
    if target is None and ran["name"] != "dev":
        return NotYet(
            f"A bare `dbt run` goes to {ran['name']}: one forgotten option on a laptop, and {'prod is overwritten' if ran['name'] == 'prod' else 'others are in the way'}.",
            tried=tried,
            expected=f"{wanted} written",
            got=f"target {ran['name']}: {got}",
            cause="default",
        )
    shared = bool(ran["changed"]) or (ran["path"].endswith(".duckdb") and ran["path"].removeprefix("…/") != wanted)
    return NotYet(
        f"Target {ran['name']} does not lead to a file of its own."
        if shared
        else "The run wrote another file than its environment's.",
        tried=tried,
        expected=f"{wanted} written, nothing else",
        got=f"connected to {ran['path']}" if shared else got,
        cause="one-file" if shared else "elsewhere",
        look="" if shared else "Paths come from SHOPFLOW_WAREHOUSES and SHOPFLOW_PROD_WAREHOUSE: `env_var('…')` reads them.",
    )


def prod_is_out_of_reach(work: Work, data: Machine) -> str:
    each_has_its_own(work, data)
    _, _, _, ran, *others = _ran(work, data)
    tried = data.runs()[-1][0]
    if not ran["refused"]:
        raise NotYet(
            "On a laptop, target prod does not stop: it has somewhere to connect to without its variable.",
            tried=tried,
            expected="dbt stops before it connects",
            got=f"path: {ran['path']}",
            cause="within-reach",
            look="`env_var('SHOPFLOW_PROD_WAREHOUSE')` without a second argument stops dbt where the variable is missing.",
        )
    if PROD_VARIABLE not in ran["said"]:
        raise NotYet(
            "On a laptop, target prod stops, and not because its variable is missing.",
            tried=tried,
            expected=f"an error that names {PROD_VARIABLE}",
            got=ran["said"],
            cause="within-reach",
        )
    own = {f"…/{wanted}" for _, _, env, wanted in data.runs() if env == data.laptop}
    for other in others:
        if other["path"].startswith("…/") and posixpath.normpath(other["path"]) not in own:
            raise NotYet(
                "One more target leads a laptop to a file that is neither dev's nor staging's.",
                tried=f"dbt run --target {other['name']}, on a laptop",
                expected=" or ".join(sorted(own - {"…/"})),
                got=f"path: {other['path']}",
                cause="one-more",
            )
    return "Without the delivery job's variable, target prod refuses; dev and staging work."


_REFERENCE = """\
shopflow:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/dev.duckdb"
      threads: 2
    staging:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/staging.duckdb"
      threads: 2
    prod:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}"
      threads: 2
"""


def _but(old: str, new: str) -> dict[str, str]:
    return {PROFILES: edited(_REFERENCE, (old, new))}


def _dev_with(lines: str) -> dict[str, str]:
    """The reference with these lines more in target dev; %s is the old prod.duckdb."""
    old = "{{ env_var('SHOPFLOW_WAREHOUSES') }}/prod.duckdb"
    return _but("    staging:", lines.replace("%s", old) + "    staging:")


_FOURTH = """\
    local:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/prod.duckdb"
"""
_SHARED = """\
shopflow:
  target: dev
  outputs:
    dev: &duckdb
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/dev.duckdb"
    staging: *duckdb
    prod: *duckdb
"""
_SCHEMAS = """\
shopflow:
  target: dev
  outputs:
    dev: {type: duckdb, path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/prod.duckdb", schema: dev}
    staging: {type: duckdb, path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/prod.duckdb", schema: staging}
    prod: {type: duckdb, path: "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}", schema: main}
"""
_MERGED = """\
shopflow:
  outputs:
    dev: &settings
      type: duckdb
      schema: main
      threads: 1
      attach: [{path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/staging.duckdb", alias: last_night, read_only: true}]
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') ~ '/dev.duckdb' }}"
    staging:
      <<: *settings
      attach: []
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') ~ '/staging.duckdb' }}"
    prod:
      <<: *settings
      attach: []
      threads: 4
      path: "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}"
  target: "{{ env_var('SHOPFLOW_TARGET', 'dev') }}"
"""
_JINJA = """\
shopflow:
  target: dev
  outputs:
    prod: {type: duckdb, path: "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') | trim }}"}
    staging: {type: duckdb, path: "{{ env_var('SHOPFLOW_WAREHOUSES', '../../warehouse') }}/staging.duckdb"}
    dev: {type: duckdb, path: "{{ env_var('SHOPFLOW_WAREHOUSES', '../../warehouse') }}/dev.duckdb"}
"""

TASK_1 = Task(
    id="05.1",
    title="One project, three environments",
    minutes=8,
    points=2,
    deliver=(file(PROFILES),),
    data=machine,
    seconds=60.0,
    executes=True,
    mutants=10,
    checks=(
        Check("each environment writes its own file", each_has_its_own, expected=lambda d: [w for *_, w in d.runs()]),
        Check("a laptop cannot reach prod", prod_is_out_of_reach),
    ),
    hints=(
        "Look at the profile as it stands in the workspace: to which file does each of the three targets lead?",
        "`env_var('NAME')` without a default stops dbt where the variable is missing; with one, it does not. Only the target in use is read.",
        "Three outputs of type duckdb: `\"{{ env_var('SHOPFLOW_WAREHOUSES') }}/dev.duckdb\"`, the same with staging, and `\"{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}\"`; above them `target: dev`.",
    ),
    wrong=(
        wrong("three names for one file", {PROFILES: _SHARED}, "one-file"),
        wrong("schemas in one file instead of files", {PROFILES: _SCHEMAS}, "one-file"),
        wrong("prod by default", _but("target: dev", "target: prod"), "default"),
        wrong("staging by default", _but("target: dev", "target: staging"), "default"),
        wrong(
            "prod beside the others",
            _but("{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}", "{{ env_var('SHOPFLOW_WAREHOUSES') }}/prod.duckdb"),
            "one-file",
        ),
        wrong(
            "a default for prod",
            _but(
                "env_var('SHOPFLOW_PROD_WAREHOUSE')",
                "env_var('SHOPFLOW_PROD_WAREHOUSE', env_var('SHOPFLOW_WAREHOUSES') ~ '/prod.duckdb')",
            ),
            "within-reach",
        ),
        wrong(
            "everybody needs prod's variable",
            _but(
                "{{ env_var('SHOPFLOW_WAREHOUSES') }}/dev",
                "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') and env_var('SHOPFLOW_WAREHOUSES') }}/dev",
            ),
            "refused",
        ),
        wrong("no staging", {PROFILES: _REFERENCE.replace("    staging:", "    test:")}, "refused"),
        wrong(
            "a path of one laptop",
            _but("{{ env_var('SHOPFLOW_WAREHOUSES') }}/staging.duckdb", "/home/sami/warehouse/staging.duckdb"),
            "refused",
        ),
        wrong("in memory", _but("      path: \"{{ env_var('SHOPFLOW_WAREHOUSES') }}/staging.duckdb\"\n", ""), "refused"),
        wrong("another profile's name", _but("shopflow:", "warehouse:"), "no-profile"),
        wrong(
            "prod's variable for a folder",
            _but("{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}", "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}/prod.duckdb"),
            "refused",
        ),
        wrong(
            "a default of nothing",
            _but("env_var('SHOPFLOW_PROD_WAREHOUSE')", "env_var('SHOPFLOW_PROD_WAREHOUSE', '')"),
            "within-reach",
        ),
        wrong(
            "a default in memory",
            _but("env_var('SHOPFLOW_PROD_WAREHOUSE')", "env_var('SHOPFLOW_PROD_WAREHOUSE', ':memory:')"),
            "within-reach",
        ),
        wrong(
            "a default that is nowhere",
            _but("env_var('SHOPFLOW_PROD_WAREHOUSE')", "env_var('SHOPFLOW_PROD_WAREHOUSE', '/nowhere/at/all/prod.duckdb')"),
            "within-reach",
        ),
        wrong("a fourth target on the old file", {PROFILES: _REFERENCE + _FOURTH}, "one-more"),
        wrong(
            "dev writes into the attached prod",
            _dev_with('      attach: [{path: "%s", alias: prod}]\n      database: prod\n'),
            "writable",
        ),
        wrong("prod attached for writing", _dev_with('      attach: [{path: "%s", alias: prod}]\n'), "writable"),
        wrong(
            "dev builds in the attached prod",
            _dev_with('      attach: [{path: "%s", alias: prod, read_only: true}]\n      database: prod\n'),
            "elsewhere",
        ),
        wrong("a setting", _dev_with("      settings: {TimeZone: UTC}\n"), "not-tried"),
        wrong("half a file", {PROFILES: _REFERENCE.replace('/dev.duckdb"', "/dev.duckdb")}, "yaml"),
    ),
    right=(
        right("merged settings, the target from a variable", {PROFILES: _MERGED}),
        right("in one line each, with a folder for whoever set none", {PROFILES: _JINJA}),
    ),
    clauses={
        "`dev.duckdb` and `staging.duckdb`": "three names for one file",
        "the folder that `SHOPFLOW_WAREHOUSES` names": "a path of one laptop",
        "holds the whole path there": "prod's variable for a folder",
        "is set nowhere else": "everybody needs prod's variable",
        "A bare `dbt run` goes to dev": "prod by default",
        "the same models run in all three": "no staging",
        "each run writes its own file": "schemas in one file instead of files",
        "on a laptop `--target prod` stops with an error": "a default for prod",
        "names the missing variable": "a default of nothing",
        "before it has connected to anything": "a default in memory",
        "No other target leads a laptop to prod": "a fourth target on the old file",
        "an `attach` with `read_only: true`": "prod attached for writing",
        "and nothing else": "a setting",
        "An old `prod.duckdb` lies beside the others": "prod beside the others",
    },
    spared={"threads": "how many threads is a matter of taste", "2 → 3": "the same"},
)
