"""Task 04.6: the same gate as a GitLab pipeline."""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m04_continuous_integration.gate import Tried, table
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest, _variants, request
from dojo.tasks.model import Check, NotYet, Task, file, right, wrong

PIPELINE = "repo/.gitlab-ci.yml"
KINDS = {11: ("good", "data test", "style"), 29: ("good", "unit test")}
_TRIED: WeakKeyDictionary = WeakKeyDictionary()


def pulls(seed: int) -> tuple[PullRequest, ...]:
    """The merge requests of a data set."""
    second = seed // 10 % 2 == 0
    return tuple(_variants(kind)[int(second)] for kind in KINDS[29 if second else 11])


def _tried(work: Work, seed: int) -> list[Tried]:
    known = _TRIED.setdefault(work, {})
    if seed not in known:
        asked = request("", pulls(seed))
        asked["pipeline"] = work.file(PIPELINE)
        known[seed] = [Tried(p, r) for p, r in zip(pulls(seed), work.tool("gitlab", asked), strict=True)]
    return known[seed]


def _jobs(work: Work) -> dict[str, dict[str, Any]]:
    found = parse_yaml(work.file(PIPELINE), PIPELINE)
    if not isinstance(found, dict):
        raise NotYet("The file holds no pipeline.", cause="no-jobs")
    named = {
        n: j for n, j in found.items() if isinstance(j, dict) and ("script" in j or "extends" in j) and not n.startswith(".")
    }
    if not named:
        raise NotYet("No job: a job is a name with a `script`.", cause="no-jobs")
    return named


def _runner(row: Tried) -> str:
    """What executed the jobs: no more than that is claimed."""
    return row.result.get("runner", "the stand-in for GitLab's runner")


def good_is_green(work: Work, seed: int) -> str:
    _jobs(work)
    first = _tried(work, seed)[0]
    if first.result["colour"] == "no run":
        raise NotYet(
            f"No job ran on the merge request. {first.result['said']} Without `rules` a job belongs to branch pipelines only: "
            '`rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]`.',
            tried=f"{first.pull.title}, by {_runner(first)}", expected="green", got="no run", cause="no-run",
        )  # fmt: skip
    if not first.as_it_should:
        words = next((s["said"] for s in first.result["steps"] if s["result"] == "failure"), "")
        cause = (
            "empty-warehouse"
            if re.search(r"does not exist|SHOPFLOW_WAREHOUSE|IO Error|Catalog Error", words)
            else "good-is-red"
        )
        why = "The warehouse that dbt reads was not loaded in the same job. A GitLab job starts from an empty folder, like any other; a file from an earlier job arrives only as an artifact." if cause == "empty-warehouse" else ""  # fmt: skip
        raise NotYet(f"“{first.pull.title}” is fine and came out red at {first.result['decided']}. {why}", tried=f"{first.pull.title}, by {_runner(first)}", expected="green", got=words[-500:], cause=cause)  # fmt: skip
    return f"Green: {first.pull.title}."


def bad_is_red(work: Work, seed: int) -> str:
    jobs, rows = _jobs(work), _tried(work, seed)
    if not rows[0].as_it_should:
        raise NotYet("The good change does not get through, so a red one proves nothing yet.", cause="not-run")
    for row in rows[1:]:
        if row.as_it_should:
            continue
        said, cause = "No job tries that.", "missing"
        if any(j.get("allow_failure") for j in jobs.values()):
            said, cause = (
                "`allow_failure: true` lets the pipeline pass with a failed job: an orange sign that nobody clicks.",
                "allow-failure",
            )
        elif re.search(r"\|\| *(true|:)|set \+e|; *true", work.file(PIPELINE)):
            said, cause = "A script line throws its exit status away.", "or-true"
        elif row.pull.kind == "unit test" and "dbt" in work.file(PIPELINE):
            said, cause = "dbt ran, and no unit test with it.", "no-unit-tests"
        raise NotYet(f"“{row.pull.title}” ({row.pull.kind}) came out {row.result['colour']}. {said}", tried=f"{row.pull.title}, by {_runner(row)}", expected="red", got=table(rows), cause=cause)  # fmt: skip
    return table(rows)


def evidence_is_kept(work: Work, seed: int) -> str:
    _jobs(work)
    for row in _tried(work, seed):
        if row.result["colour"] == "red" and any(c["exit"] and c["nodes"] for c in row.result["commands"]):
            kept = {a.rsplit("/", 1)[-1] for a in row.result["artefacts"]}
            missing = {"manifest.json", "run_results.json"} - kept
            if missing:
                raise NotYet(
                    f"“{row.pull.title}” failed in dbt and {' and '.join(sorted(missing))} is gone. GitLab keeps `artifacts` of jobs that succeed, unless `when: always`.",
                    tried=row.pull.title, expected="manifest.json and run_results.json", got=sorted(kept) or "nothing kept", cause="lost-when-red",
                )  # fmt: skip
            return "dbt's files outlive a red job."
    raise NotYet("No run came far enough for dbt to fail in it.", cause="not-run")


GOOD = """stages: [quick, data]
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
variables:
  SHOPFLOW_WAREHOUSE: $CI_PROJECT_DIR/ci.duckdb
lint:
  stage: quick
  script:
    - ruff format --check .
    - sqlfluff lint dbt/models dbt/tests
data:
  stage: data
  script:
    - python ci/load_sample.py
    - dbt build --project-dir dbt --profiles-dir ci
  artifacts:
    when: always
    paths: [dbt/target/manifest.json, dbt/target/run_results.json]
"""
ONE_JOB = """default:
  before_script: ["cd $CI_PROJECT_DIR"]
.only_merge_requests:
  rules: [{if: $CI_MERGE_REQUEST_IID}]
gate:
  extends: .only_merge_requests
  variables: {SHOPFLOW_WAREHOUSE: ${CI_PROJECT_DIR}/one.duckdb}
  script: |
    sqlfluff lint dbt/models
    python ci/load_sample.py
    cd dbt && dbt build --profiles-dir ../ci
  artifacts: {paths: [dbt/target/*.json], when: always}
""".replace("${CI_PROJECT_DIR}/one.duckdb}", '"${CI_PROJECT_DIR}/one.duckdb"}')


def _but(old: str, new: str) -> dict[str, str]:
    if old not in GOOD:
        raise AssertionError(f"the prepared pipeline no longer holds {old!r}")
    return {PIPELINE: GOOD.replace(old, new)}


TASK = Task(
    id="04.6",
    title="The same gate at GitLab",
    minutes=10,
    points=2,
    deliver=(file(PIPELINE),),
    data=lambda seed: seed,
    checks=(
        Check("runs on merge requests and lets a good one through", good_is_green, expected=lambda seed: pulls(seed)[0].title),
        Check("stops the bad ones", bad_is_red, expected=lambda seed: [p.title for p in pulls(seed)]),
        Check("keeps what dbt wrote, also when it is red", evidence_is_kept),
    ),
    hints=(
        "A job is a name with a `script`; each line must end with 0. What replaces `on: pull_request`?",
        "`workflow: rules:` with `if: $CI_PIPELINE_SOURCE == \"merge_request_event\"`; `$CI_PROJECT_DIR` is the folder of the repository.",
        "A job `data` with `python ci/load_sample.py` and `dbt build --project-dir dbt --profiles-dir ci` in its script, `artifacts: {when: always, paths: […]}`; a job `lint` with SQLFluff before it.",
    ),
    seconds=150.0,
    mutants=4,
    wrong=(
        wrong("no rules", _but('workflow:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n', ""), "no-run"),
        wrong("rules of a push", _but('"merge_request_event"', '"push"'), "no-run"),
        wrong("lint is allowed to fail", _but("  stage: quick\n", "  stage: quick\n  allow_failure: true\n"), "allow-failure"),
        wrong("sample in another job", _but("data:\n  stage: data\n  script:\n    - python ci/load_sample.py\n", "sample:\n  stage: quick\n  script: [python ci/load_sample.py]\ndata:\n  stage: data\n  script:\n"), "empty-warehouse"),
        wrong("dbt's status thrown away", _but("--profiles-dir ci\n", "--profiles-dir ci || true\n"), "or-true"),
        wrong("artifacts of green jobs only", _but("    when: always\n", ""), "lost-when-red"),
    ),
    right=(right("one job that extends another", {PIPELINE: ONE_JOB}), right("one list of lines", _but("    - ruff format --check .\n", "    - set -e; ruff format --check .; black --version\n"))),
    spared={"stages": "the jobs may also run side by side", ".stage": "the jobs may also run side by side", "lint.script[0]": "no merge request here is badly formatted"},
)  # fmt: skip
