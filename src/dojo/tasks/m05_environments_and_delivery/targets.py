"""Task 05.1: one project, three environments, told apart by configuration alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m05_environments_and_delivery import warehouses

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
        """(in words, target, variables, the one file that may change; "" where dbt must refuse)."""
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


def _ran(work: Work, data: Machine) -> list[dict[str, Any]]:
    text = work.file(PROFILES)
    content = parse_yaml(text, PROFILES)
    if not isinstance(content, dict) or not isinstance(content.get("shopflow"), dict):
        raise NotYet(
            "The file describes no profile `shopflow`; dbt_project.yml asks for it by this name.",
            expected="shopflow: with target and outputs",
            got=sorted(map(str, content)) if isinstance(content, dict) else content,
            cause="no-profile",
        )
    request = {
        "op": "targets",
        "text": text,
        "warehouses": data.files,
        "runs": [{"target": target, "environment": variables} for _, target, variables, _ in data.runs()],
    }
    return work.once(("05.1", id(data)), lambda: work.tool("releasing", request))


def each_has_its_own(work: Work, data: Machine) -> str:
    ran_all = _ran(work, data)
    declared = parse_yaml(work.file(PROFILES), PROFILES)["shopflow"].get("target")
    if declared == "prod":
        raise NotYet(
            "A bare `dbt run` goes to prod: one forgotten option, and finance reads it.",
            tried="dbt run, no target",
            expected="target: dev",
            got="target: prod",
            cause="default",
        )
    for ran, (tried, target, _, wanted) in list(zip(ran_all, data.runs(), strict=True))[:3]:
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
    ran, (tried, _, _, _) = _ran(work, data)[-1], data.runs()[-1]
    if ran["success"] or ran["changed"]:
        raise NotYet(
            "A laptop can run in prod: where prod is stands in the file, or is guessed from the others.",
            tried=tried,
            expected="dbt refuses, nothing is written",
            got=f"written: {', '.join(ran['changed'])}" if ran["changed"] else f"connected to {ran['path']}",
            cause="within-reach",
            look="`env_var('SHOPFLOW_PROD_WAREHOUSE')` without a second argument stops dbt where the variable is missing.",
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
    if old not in _REFERENCE:
        raise ValueError(f"{old!r} is not in the reference")
    return {PROFILES: _REFERENCE.replace(old, new)}


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
      settings: {TimeZone: UTC}
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') ~ '/dev.duckdb' }}"
    staging:
      <<: *settings
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') ~ '/staging.duckdb' }}"
    prod:
      <<: *settings
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
        "An old `prod.duckdb` lies beside the others": "prod beside the others",
    },
    spared={"threads": "how many threads is a matter of taste", "2 → 3": "the same"},
)
