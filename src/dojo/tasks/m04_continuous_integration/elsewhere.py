"""Tasks 04.6 and 04.7: the same gate as a GitLab pipeline and as a Jenkinsfile."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m04_continuous_integration.gate import Tried, table
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest, _variants, request

PIPELINE, JENKINSFILE = "repo/.gitlab-ci.yml", "repo/Jenkinsfile"
KINDS = {11: ("good", "data test", "style"), 29: ("good", "unit test")}
_TRIED: WeakKeyDictionary = WeakKeyDictionary()


@dataclass(frozen=True)
class Elsewhere:
    """Another system: its file, the tool that executes it, and its own words for what goes wrong.

    form: raises NotYet where the file alone cannot be a pipeline; no_run: why nothing ran; masks: (pattern in the file,
    sentence, cause) for a failure that does not reach the run; keeping: when the system keeps files; fresh: what a build
    without the sample's tables means.
    """

    path: str
    tool: str
    form: Callable[[Work], None]
    no_run: str
    masks: tuple[tuple[str, str, str], ...]
    keeping: str
    fresh: str

    def checks(self) -> tuple[Check, ...]:
        """What both tasks ask."""
        return (
            Check(
                "runs on merge requests and lets a good one through", self._good, expected=lambda seed: pulls(seed)[0].title
            ),
            Check("stops the bad ones", self._bad, expected=lambda seed: [p.title for p in pulls(seed)]),
            Check("keeps what dbt wrote, also when it is red", self._evidence),
        )

    def _tried(self, work: Work, seed: int) -> list[Tried]:
        self.form(work)
        known = _TRIED.setdefault(work, {})
        if (self.tool, seed) not in known:
            asked = {**request("", pulls(seed)), "pipeline": work.file(self.path)}
            known[self.tool, seed] = [Tried(p, r) for p, r in zip(pulls(seed), work.tool(self.tool, asked), strict=True)]
        return known[self.tool, seed]

    def _good(self, work: Work, seed: int) -> str:
        first = self._tried(work, seed)[0]
        by = f"{first.pull.title}, by {first.result.get('runner')}"
        if first.result["colour"] == "no run":
            raise NotYet(f"Nothing ran on the merge request. {first.result['said']} {self.no_run}".strip(), tried=by, expected="green", got="no run", cause="no-run")  # fmt: skip
        if not first.as_it_should:
            words = next((s["said"] for s in first.result["steps"] if s["result"] == "failure"), "")
            empty = re.search(r"does not exist|SHOPFLOW_WAREHOUSE|IO Error|Catalog Error", words)
            raise NotYet(f"“{first.pull.title}” is fine and came out red at {first.result['decided']}. {self.fresh if empty else ''}".strip(), tried=by, expected="green", got=words[-500:], cause="empty-warehouse" if empty else "good-is-red")  # fmt: skip
        return f"Green: {first.pull.title}."

    def _bad(self, work: Work, seed: int) -> str:
        rows, text = self._tried(work, seed), work.file(self.path)
        if not rows[0].as_it_should:
            raise NotYet("The good change does not get through, so a red one proves nothing yet.", cause="not-run")
        for row in rows[1:]:
            if row.as_it_should:
                continue
            said, cause = "No job tries that.", "missing"
            found = [(s, c) for pattern, s, c in self.masks if re.search(pattern, text)]
            if found:
                said, cause = found[0]
            elif row.pull.kind == "unit test" and "dbt" in text:
                said, cause = "dbt ran, and no unit test with it.", "no-unit-tests"
            raise NotYet(f"“{row.pull.title}” ({row.pull.kind}) came out {row.result['colour']}. {said}", tried=f"{row.pull.title}, by {row.result.get('runner')}", expected="red", got=table(rows), cause=cause)  # fmt: skip
        return table(rows)

    def _evidence(self, work: Work, seed: int) -> str:
        for row in self._tried(work, seed):
            if row.result["colour"] == "red" and any(c["exit"] and c["nodes"] for c in row.result["commands"]):
                kept = {a.rsplit("/", 1)[-1] for a in row.result["artefacts"]}
                missing = {"manifest.json", "run_results.json"} - kept
                if missing:
                    raise NotYet(f"“{row.pull.title}” failed in dbt and {' and '.join(sorted(missing))} did not outlive it. {self.keeping}", tried=row.pull.title, expected="manifest.json and run_results.json", got=sorted(kept) or "nothing kept", cause="lost-when-red")  # fmt: skip
                return "dbt's files outlive a red job."
        raise NotYet("No run came far enough for dbt to fail in it.", cause="not-run")


def pulls(seed: int) -> tuple[PullRequest, ...]:
    """The merge requests of a data set."""
    second = seed // 10 % 2 == 0
    return tuple(_variants(kind)[int(second)] for kind in KINDS[29 if second else 11])


# ---------------------------------------------------------------- GitLab


def _has_jobs(work: Work) -> None:
    found = parse_yaml(work.file(PIPELINE), PIPELINE)
    if not isinstance(found, dict):
        raise NotYet("The file holds no pipeline.", cause="no-jobs")
    if not any(
        isinstance(j, dict) and ("script" in j or "extends" in j) and not str(n).startswith(".") for n, j in found.items()
    ):
        raise NotYet("No job: a job is a name with a `script`.", cause="no-jobs")


OR_TRUE = (r"\|\| *(true|:)|set \+e|; *true", "A script line throws its exit status away.", "or-true")
GITLAB = Elsewhere(
    path=PIPELINE,
    tool="gitlab",
    form=_has_jobs,
    no_run='Without `rules` a job belongs to branch pipelines only: `rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]`.',
    masks=(
        (r"allow_failure: *(true|\{|\n)", "`allow_failure: true` lets the pipeline pass with a failed job: an orange sign that nobody clicks.", "allow-failure"),
        OR_TRUE,
    ),
    keeping="GitLab keeps `artifacts` of jobs that succeed, unless `when: always`.",
    fresh="The warehouse that dbt reads was not loaded in the same job. A GitLab job starts from an empty folder, like any other; a file from an earlier job arrives only as an artifact.",
)  # fmt: skip

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


AT_GITLAB = Task(
    id="04.6",
    title="The same gate at GitLab",
    minutes=7,
    points=2,
    deliver=(file(PIPELINE),),
    data=lambda seed: seed,
    checks=GITLAB.checks(),
    hints=(
        "A job is a name with a `script`; each line must end with 0. What replaces `on: pull_request`?",
        "`workflow: rules:` with `if: $CI_PIPELINE_SOURCE == \"merge_request_event\"`; `$CI_PROJECT_DIR` is the folder of the repository.",
        "A job `data` with `python ci/load_sample.py` and `dbt build --project-dir dbt --profiles-dir ci` in its script, `artifacts: {when: always, paths: […]}`; a job `lint` with SQLFluff before it.",
    ),
    seconds=150.0,
    mutants=3,
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


# ---------------------------------------------------------------- Jenkins


def _is_pipeline(work: Work) -> None:
    from dojo.tools import jenkins

    try:
        jenkins.as_workflow(work.file(JENKINSFILE))
    except jenkins.CannotRead as problem:
        raise NotYet(str(problem), expected="a declarative pipeline", cause="not-a-pipeline") from None


JENKINS = Elsewhere(
    path=JENKINSFILE,
    tool="jenkins",
    form=_is_pipeline,
    no_run="",
    masks=(
        (r"buildResult: *['\"](SUCCESS|UNSTABLE)|\bwarnError\b", "`catchError(buildResult: 'SUCCESS')` and `warnError` let the build go on and end well: Jenkins then reports success to the merge request.", "caught"),
        (r"returnStatus: *true", "`sh(returnStatus: true)` hands the exit status to a caller who does not look at it.", "or-true"),
        OR_TRUE,
        (r"sh[^\n]*\|(?!\|)", "`sh` of Jenkins knows no pipefail: of `a | b`, only b's status counts.", "pipe"),
    ),
    keeping="What follows a failed `sh` is not reached; `post { always { … } }` is.",
    fresh="The warehouse that dbt reads was not loaded before it: `python ci/load_sample.py`, with the same SHOPFLOW_WAREHOUSE.",
)  # fmt: skip

DECLARATIVE = """pipeline {
  agent any
  options { timeout(time: 10, unit: 'MINUTES') }
  environment { SHOPFLOW_WAREHOUSE = "${WORKSPACE}/ci.duckdb" }
  stages {
    stage('SQL style') {
      steps { sh 'sqlfluff lint dbt/models dbt/tests' }
    }
    stage('Build and test') {
      steps {
        sh 'python ci/load_sample.py'
        sh 'dbt build --project-dir dbt --profiles-dir ci'
      }
    }
  }
  post {
    always { archiveArtifacts artifacts: 'dbt/target/manifest.json, dbt/target/run_results.json', allowEmptyArchive: true }
  }
}
"""
IN_A_FOLDER = """pipeline {
    agent { docker { image 'python:3.11-slim' } }
    stages {
        stage('gate') {
            when { changeRequest() }
            environment {
                SHOPFLOW_WAREHOUSE = "${env.WORKSPACE}/gate.duckdb"
            }
            steps {
                sh '''
                    sqlfluff lint dbt/models
                    python ci/load_sample.py
                '''
                dir('dbt') {
                    sh "dbt build --profiles-dir ../ci"
                }
            }
            post {
                cleanup { archiveArtifacts(artifacts: 'dbt/target/*.json', allowEmptyArchive: true) }
            }
        }
    }
}
"""


def _except(old: str, new: str) -> dict[str, str]:
    if old not in DECLARATIVE:
        raise AssertionError(f"the prepared Jenkinsfile no longer holds {old!r}")
    return {JENKINSFILE: DECLARATIVE.replace(old, new)}


BUILD = "sh 'dbt build --project-dir dbt --profiles-dir ci'"

AT_JENKINS = Task(
    id="04.7",
    title="And as a Jenkinsfile",
    minutes=8,
    points=2,
    deliver=(file(JENKINSFILE),),
    data=lambda seed: seed,
    checks=JENKINS.checks(),
    hints=(
        "A declarative pipeline needs `agent`, and `stages` with a `stage('…') { steps { … } }` each. Which part still runs after a stage has failed?",
        "`environment { SHOPFLOW_WAREHOUSE = \"${WORKSPACE}/ci.duckdb\" }` for all stages; `sh '…'` for each command; `post { always { … } }` for what must outlive a red run.",
        "Stages for SQLFluff and for the build (`python ci/load_sample.py`, then `dbt build --project-dir dbt --profiles-dir ci`); in `post { always { archiveArtifacts artifacts: 'dbt/target/*.json', allowEmptyArchive: true } }`.",
    ),
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("scripted, not declarative", {JENKINSFILE: "node {\n  checkout scm\n  sh 'dbt build'\n}\n"}, "not-a-pipeline"),
        wrong("a brace short", {JENKINSFILE: DECLARATIVE.rstrip("}\n") + "\n"}, "not-a-pipeline"),
        wrong("no agent", _except("  agent any\n", ""), "not-a-pipeline"),
        wrong("errors are caught", _except(BUILD, f"catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE') {{ {BUILD} }}"), "caught"),
        wrong("the status is returned", _except(BUILD, "sh(script: 'dbt build --project-dir dbt --profiles-dir ci', returnStatus: true)"), "or-true"),
        wrong("piped into a log", _except("--profiles-dir ci'", "--profiles-dir ci | tee build.log'"), "pipe"),
        wrong("the sample is forgotten", _except("        sh 'python ci/load_sample.py'\n", ""), "empty-warehouse"),
        wrong("archived as a last step", {JENKINSFILE: DECLARATIVE.replace(BUILD, f"{BUILD}\n        archiveArtifacts artifacts: 'dbt/target/*.json'").replace("    always { archiveArtifacts artifacts: 'dbt/target/manifest.json, dbt/target/run_results.json', allowEmptyArchive: true }\n", "    always { echo 'done' }\n")}, "lost-when-red"),
        wrong("no unit tests", _except("--profiles-dir ci'", "--profiles-dir ci --exclude-resource-type unit_test'"), "no-unit-tests"),
    ),
    right=(right("one stage in a container, another folder", {JENKINSFILE: IN_A_FOLDER}), right("several lines in one sh", _except("        sh 'python ci/load_sample.py'\n        " + BUILD, "        sh \'\'\'\n          python ci/load_sample.py\n          dbt build --project-dir dbt --profiles-dir ci\n        \'\'\'"))),
)  # fmt: skip
