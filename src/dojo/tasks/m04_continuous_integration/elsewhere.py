"""Tasks 04.6 and 04.7: the same gate as a GitLab pipeline and as a Jenkinsfile."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from dojo.ci import gate, gitlab, jenkins
from dojo.ci.excerpts import excerpt
from dojo.ci.pull_requests import PullRequest, Tried, deciding_step, in_repository, tried
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m04_continuous_integration.pull_requests import repository, variant

PIPELINE, JENKINSFILE = "repo/.gitlab-ci.yml", "repo/Jenkinsfile"
WHOLE, AGAIN = ("good", "style", "data test"), ("good", "unit test")


def pulls(seed: int) -> tuple[PullRequest, ...]:
    """The merge requests of a data set, each in the place that its seed draws; see pull_requests.pull_requests."""
    if seed % 3 == 1:
        return tuple(variant(kind, seed) for kind in AGAIN)
    more = ("unit test",) if seed % 3 == 0 and random.Random(seed).random() < 0.5 else ()
    return tuple(variant(kind, seed) for kind in (*WHOLE, *more))


@dataclass(frozen=True)
class Elsewhere:
    """Another system: its file, the tool that executes it, and its own words for what goes wrong.

    form: raises NotYet where the file alone cannot be a pipeline; reads: the pipeline as it is read for masks; no_run: why
    nothing ran; keeping: when the system keeps files; fresh: what a build without the sample's tables means.
    """

    path: str
    tool: str
    form: Callable[[Work], None]
    reads: Callable[[Work], gate.Pipeline]
    no_run: str
    keeping: str
    fresh: str

    def checks(self) -> tuple[Check, ...]:
        """What both tasks ask."""
        return (
            Check("runs on merge requests and lets a good one through", self._good),
            Check("stops the bad ones", self._bad, expected=lambda seed: [p.title for p in pulls(seed)]),
            Check("keeps what dbt wrote, also when it is red", self._evidence),
        )

    def _tried(self, work: Work, seed: int) -> list[Tried]:
        self.form(work)
        return tried(work, self.tool, self.path, repository(), pulls(seed))

    def _good(self, work: Work, seed: int) -> str:
        first = self._tried(work, seed)[0]
        by = f"{first.pull.title}, by {first.result.get('runner')}"
        if first.result["colour"] == "no run":
            raise NotYet(
                f"Nothing ran on the merge request. {first.result['said']} {self.no_run}".strip(),
                tried=by,
                expected="green",
                got="no run",
                cause="no-run",
            )
        if not first.as_it_should:
            step = deciding_step(first.result)
            words = step["said"] if step else first.result["said"]
            cause, why = "good-is-red", ""
            if gate.snapshot_lacks(words):
                cause, why = "no-snapshot", gate.NO_SNAPSHOT
            elif gate.warehouse_lacks(words):
                cause, why = "empty-warehouse", self.fresh
            raise NotYet(
                f"“{first.pull.title}” is fine and came out red at {first.result['decided']}. {why}".strip(),
                tried=by,
                expected="green",
                got=f"red; it said:\n{excerpt(words)}",
                cause=cause,
            )
        return f"Green: {first.pull.title}."

    def _bad(self, work: Work, seed: int) -> str:
        return gate.stops_bad(self._tried(work, seed), self.reads(work))

    def _evidence(self, work: Work, seed: int) -> str:
        return gate.keeps_artefacts(self._tried(work, seed), how=self.keeping)


def _all_files(work: Work, path: str) -> dict[str, str]:
    return {**repository().main, **repository().own(work), in_repository(path): work.file(path)}


# ---------------------------------------------------------------- GitLab


GITLAB = Elsewhere(
    path=PIPELINE,
    tool="gitlab",
    form=lambda work: gitlab.check_form(work.file(PIPELINE), _all_files(work, PIPELINE)),
    reads=lambda work: gitlab.commands(work.file(PIPELINE), _all_files(work, PIPELINE), repository().own(work)),
    no_run='Without `rules` a job belongs to branch pipelines only: `rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]`.',
    keeping="GitLab keeps `artifacts` of jobs that succeed, unless `when: always`.",
    fresh="The warehouse that dbt reads was not loaded in the same job. A GitLab job starts from an empty folder, like any other; a file from an earlier job arrives only as an artifact.",
)

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
    return {PIPELINE: edited(GOOD, (old, new))}


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
        '`workflow: rules:` with `if: $CI_PIPELINE_SOURCE == "merge_request_event"`; `$CI_PROJECT_DIR` is the folder of the repository.',
        "A job `data` with `python ci/load_sample.py` and `dbt build --project-dir dbt --profiles-dir ci` in its script, `artifacts: {when: always, paths: […]}`; a job `lint` with SQLFluff before it.",
    ),
    seconds=400.0,
    executes=True,
    mutants=8,
    clauses={
        "on every merge request": "rules of a push",
        "SQL style": "no SQL style",
        "the models with their tests": "models without tests",
        "must outlive a red job": "artifacts of green jobs only",
    },
    wrong=(
        wrong(
            "no rules",
            _but('workflow:\n  rules:\n    - if: $CI_PIPELINE_SOURCE == "merge_request_event"\n', ""),
            "no-run",
            decided_by="good",
        ),
        wrong("rules of a push", _but('"merge_request_event"', '"push"'), "no-run", decided_by="good"),
        wrong("no SQL style", _but("    - sqlfluff lint dbt/models dbt/tests\n", ""), "missing", decided_by="style"),
        wrong(
            "lint is allowed to fail",
            _but("  stage: quick\n", "  stage: quick\n  allow_failure: true\n"),
            "allow-failure",
            decided_by="style",
        ),
        wrong(
            "sample in another job",
            _but(
                "data:\n  stage: data\n  script:\n    - python ci/load_sample.py\n",
                "sample:\n  stage: quick\n  script: [python ci/load_sample.py]\ndata:\n  stage: data\n  script:\n",
            ),
            "empty-warehouse",
            decided_by="good",
        ),
        wrong(
            "models without tests",
            _but("dbt build", "dbt build --exclude-resource-type test --exclude-resource-type unit_test"),
            "never-tested",
            decided_by="data test",
        ),
        wrong("models without the snapshot they read", _but("dbt build", "dbt run"), "no-snapshot", decided_by="good"),
        wrong(
            "dbt's status thrown away",
            _but("--profiles-dir ci\n", "--profiles-dir ci || true\n"),
            "or-true",
            decided_by="data test",
        ),
        wrong("artifacts of green jobs only", _but("    when: always\n", ""), "lost-when-red", decided_by="data test"),
    ),
    right=(
        right("one job that extends another", {PIPELINE: ONE_JOB}),
        right(
            "one list of lines",
            _but("    - ruff format --check .\n", "    - set -e; ruff format --check .; black --version\n"),
        ),
        right(
            "a matrix of folders",
            _but(
                "lint:\n  stage: quick\n  script:\n    - ruff format --check .\n    - sqlfluff lint dbt/models dbt/tests\n",
                "lint:\n  stage: quick\n  parallel:\n    matrix:\n      - FOLDER: [dbt/models, dbt/tests]\n  script:\n    - sqlfluff lint $FOLDER\n",
            ),
        ),
    ),
    spared={
        "stages": "the jobs may also run side by side",
        ".stage": "the jobs may also run side by side",
        "lint.script[0]": "no merge request here is badly formatted",
    },
)


# ---------------------------------------------------------------- Jenkins


JENKINS = Elsewhere(
    path=JENKINSFILE,
    tool="jenkins",
    form=lambda work: jenkins.check_form(work.file(JENKINSFILE)),
    reads=lambda work: jenkins.commands(work.file(JENKINSFILE), repository().own(work)),
    no_run="",
    keeping="What follows a failed `sh` is not reached; `post { always { … } }` is.",
    fresh="The warehouse that dbt reads was not loaded before it: `python ci/load_sample.py`, with the same SHOPFLOW_WAREHOUSE.",
)

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


IN_PARALLEL = """pipeline {
  agent any
  stages {
    stage('all') {
      parallel {
        stage('style') {
          steps { sh 'sqlfluff lint dbt/models' }
        }
        stage('data') {
          environment { SHOPFLOW_WAREHOUSE = "${WORKSPACE}/data.duckdb" }
          steps {
            sh \'\'\'#!/bin/bash
              set -euo pipefail
              python ci/load_sample.py
              dbt build --project-dir dbt --profiles-dir ci | tee build.log
            \'\'\'
          }
          post { always { archiveArtifacts artifacts: 'dbt/target/*.json', allowEmptyArchive: true } }
        }
      }
    }
  }
}
"""


def _except(old: str, new: str) -> dict[str, str]:
    return {JENKINSFILE: edited(DECLARATIVE, (old, new))}


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
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "a declarative `Jenkinsfile`": "scripted, not declarative",
        "SQL style": "no SQL style",
        "sample": "the sample is forgotten",
        "models with their tests": "no unit tests",
        "dbt's two files kept in any case": "archived as a last step",
    },
    wrong=(
        wrong("scripted, not declarative", {JENKINSFILE: "node {\n  checkout scm\n  sh 'dbt build'\n}\n"}, "not-a-pipeline"),
        wrong("a brace short", {JENKINSFILE: DECLARATIVE.rstrip("}\n") + "\n"}, "not-a-pipeline"),
        wrong("no agent", _except("  agent any\n", ""), "not-a-pipeline"),
        wrong(
            "no SQL style",
            _except("sqlfluff lint dbt/models dbt/tests", "sqlfluff --version"),
            "missing",
            decided_by="style",
        ),
        wrong(
            "errors are caught",
            _except(BUILD, f"catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE') {{ {BUILD} }}"),
            "caught",
            decided_by="data test",
        ),
        wrong(
            "the status is returned",
            _except(BUILD, "sh(script: 'dbt build --project-dir dbt --profiles-dir ci', returnStatus: true)"),
            "returned",
            decided_by="data test",
        ),
        wrong(
            "piped into a log",
            _except("--profiles-dir ci'", "--profiles-dir ci | tee build.log'"),
            "pipe",
            decided_by="data test",
        ),
        wrong(
            "a shell without -e, and an echo at the end",
            _except(
                BUILD, "sh '''#!/bin/bash\n          dbt build --project-dir dbt --profiles-dir ci\n          echo done'''"
            ),
            "no-errexit",
            decided_by="data test",
        ),
        wrong(
            "the sample is forgotten",
            _except("        sh 'python ci/load_sample.py'\n", ""),
            "empty-warehouse",
            decided_by="good",
        ),
        wrong(
            "archived as a last step",
            {
                JENKINSFILE: DECLARATIVE.replace(
                    BUILD, f"{BUILD}\n        archiveArtifacts artifacts: 'dbt/target/*.json'"
                ).replace(
                    "    always { archiveArtifacts artifacts: 'dbt/target/manifest.json, dbt/target/run_results.json', allowEmptyArchive: true }\n",
                    "    always { echo 'done' }\n",
                )
            },
            "lost-when-red",
            decided_by="data test",
        ),
        wrong(
            "no unit tests",
            _except("--profiles-dir ci'", "--profiles-dir ci --exclude-resource-type unit_test'"),
            "no-unit-tests",
            decided_by="unit test",
        ),
    ),
    right=(
        right("one stage in a container, another folder", {JENKINSFILE: IN_A_FOLDER}),
        right(
            "several lines in one sh",
            _except(
                "        sh 'python ci/load_sample.py'\n        " + BUILD,
                "        sh '''\n          python ci/load_sample.py\n          dbt build --project-dir dbt --profiles-dir ci\n        '''",
            ),
        ),
        right("both in parallel, bash with pipefail", {JENKINSFILE: IN_PARALLEL}),
    ),
)
