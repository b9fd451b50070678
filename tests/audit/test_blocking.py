"""Which checks of a pipeline can stop a change: each trap as a pair, one that blocks and one that only looks so."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

import pytest

from dataops_audit import judge
from dataops_audit.findings import Seen

CI = ".github/workflows/ci.yml"


def workflow(steps: str, on: str = "pull_request:", job: str = "", top: str = "") -> str:
    head = f"name: ci\non:\n  {on}\n{top}jobs:\n  check:\n    runs-on: ubuntu-latest\n"
    return (
        head
        + textwrap.indent(job, "    ")
        + "    steps:\n      - uses: actions/checkout@v4\n"
        + textwrap.indent(textwrap.dedent(steps).strip("\n"), "      ")
        + "\n"
    )


def one(run: str, **more: str) -> dict[str, str]:
    return {CI: workflow(f"- run: {run}", **more)}


MAKE = "ci.yml runs make: {}"
BLOCKS: dict[str, dict[str, str]] = {
    "plain": one("dbt build --target ci"),
    "block scalar with explicit bash and a pipe": {CI: workflow("- shell: bash\n  run: |\n    dbt build | tee log")},
    "harmless || true before it": {CI: workflow("- run: |\n    pip cache purge || true\n    dbt build")},
    "mask only in a comment": {CI: workflow("# - run: dbt build || true\n- run: dbt build # || true would hide it")},
    "continue-on-error on another step": {
        CI: workflow("- run: dbt docs serve\n  continue-on-error: true\n- run: dbt build")
    },
    "continue-on-error: false": {CI: workflow("- run: dbt build\n  continue-on-error: false")},
    "continue-on-error with a later verdict": {
        CI: workflow(
            "- id: build\n  run: dbt build\n  continue-on-error: true\n- if: steps.build.outcome == 'failure'\n  run: exit 1"
        )
    },
    "only an experimental cell continues": {
        CI: workflow(
            "- run: dbt build",
            job="continue-on-error: ${{ matrix.experimental }}\nstrategy:\n  matrix:\n    experimental: [false, true]\n",
        )
    },
    "if: always()": {CI: workflow("- if: always()\n  run: dbt build")},
    "if on pull requests": {CI: workflow("- if: github.event_name == 'pull_request'\n  run: dbt build")},
    "on: as a word": {CI: "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dbt build\n"},
    "on: as a list": {CI: "on: [push, pull_request]\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dbt build\n"},
    "quoted on": {CI: "'on': [pull_request]\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dbt build\n"},
    "push to every branch": one("dbt build", on="push:"),
    "merge queue": one("dbt build", on="merge_group:"),
    "poetry run": one("poetry run dbt build"),
    "uv run with options": one("uv run --with dbt-duckdb --project x dbt build"),
    "docker compose run": one("docker compose run --rm -e A=b dbt dbt build"),
    "python -m": one("python -m dbt.cli.main build || exit 1") | one("python -m pytest -q"),
    "bash -c": one("bash -c 'dbt build'"),
    "make target": one("make test") | {"Makefile": "test: deps\n\t@dbt build\ndeps:\n\tdbt deps\n"},
    "make target with a variable": one("make test") | {"Makefile": "DBT ?= poetry run dbt\ntest:\n\t$(DBT) build\n"},
    "make target by prerequisite": one("make ci")
    | {"Makefile": ".PHONY: ci\nci: lint test\nlint:\n\t-echo x\ntest:\n\tdbt build\n"},
    "make in a folder": one("make -C dbt test") | {"dbt/Makefile": "test:\n\tdbt build\n"},
    "make calls make": one("make all") | {"Makefile": "all:\n\t$(MAKE) test\ntest:\n\tdbt build\n"},
    "working-directory": {
        CI: workflow("- run: make test\n  working-directory: ./dbt"),
        "dbt/Makefile": "test:\n\tdbt build\n",
    },
    "tox": one("tox -e py") | {"tox.ini": "[tox]\nenvlist = py\n[testenv]\ncommands =\n    pytest {posargs}\n"},
    "tox in pyproject": one("tox")
    | {"pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenvlist = py\n[testenv]\ncommands = pytest\n"""\n'},
    "nox": one("nox -s tests")
    | {"noxfile.py": "import nox\n@nox.session\ndef tests(session):\n    session.run('pytest')\n"},
    "npm script": one("npm test") | {"package.json": '{"scripts": {"test": "jest"}}'},
    "just": one("just test") | {"justfile": "test: deps\n    dbt build\ndeps:\n    -echo x\n"},
    "task": one("task test") | {"Taskfile.yml": "version: '3'\ntasks:\n  test:\n    cmds:\n      - dbt build\n"},
    "poe": one("poetry run poe test") | {"pyproject.toml": '[tool.poe.tasks]\ntest = "pytest -q"\n'},
    "hatch script": one("hatch run test") | {"pyproject.toml": '[tool.hatch.envs.default.scripts]\ntest = "pytest -q"\n'},
    "script": one("./scripts/ci.sh") | {"scripts/ci.sh": "#!/usr/bin/env bash\nset -euo pipefail\ndbt build\necho fine\n"},
    "script called with bash -e": one("bash -e scripts/ci.sh") | {"scripts/ci.sh": "dbt build\necho fine\n"},
    "python script that asks": one("python ci.py")
    | {"ci.py": "import subprocess\nsubprocess.run(['dbt', 'build'], check=True)\n"},
    "python script that exits with it": one("python ci.py")
    | {"ci.py": "import subprocess, sys\nsys.exit(subprocess.call(['dbt', 'build']))\n"},
    "python script that looks later": one("python ci.py")
    | {"ci.py": "import subprocess, sys\ndone = subprocess.run(['dbt', 'build'])\nif done.returncode:\n    sys.exit(1)\n"},
    "pre-commit": one("pre-commit run --all-files")
    | {
        ".pre-commit-config.yaml": "repos:\n  - repo: https://github.com/x/ruff\n    rev: v1\n    hooks:\n      - id: ruff-check\n"
    },
    "reusable workflow": {
        CI: "on: pull_request\njobs:\n  call:\n    uses: ./.github/workflows/checks.yml\n",
        ".github/workflows/checks.yml": "on: workflow_call\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dbt build\n",
    },
    "composite action": {
        CI: workflow("- uses: ./.github/actions/check"),
        ".github/actions/check/action.yml": "name: c\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: dbt build\n",
    },
    "action that checks": {CI: workflow("- uses: gitleaks/gitleaks-action@v2")},
    "paths filter that holds the models": one("dbt build", on="pull_request:\n    paths: ['models/**']")
    | {"models/a.sql": "select 1"},
    "gitlab": {".gitlab-ci.yml": "test:\n  script:\n    - dbt build | tee log\n"},
    "gitlab extends": {".gitlab-ci.yml": ".base:\n  script: [dbt build]\ntest:\n  extends: .base\n"},
    "gitlab rules for merge requests": {
        ".gitlab-ci.yml": "test:\n  script: dbt build\n  rules:\n    - if: $CI_PIPELINE_SOURCE == 'merge_request_event'\n"
    },
    "gitlab manual that must be clicked": {
        ".gitlab-ci.yml": "test:\n  script: dbt build\n  when: manual\n  allow_failure: false\n"
    },
    "gitlab reference": {
        ".gitlab-ci.yml": ".s:\n  script:\n    - dbt build\ntest:\n  script:\n    - !reference [.s, script]\n"
    },
    "jenkins": {"Jenkinsfile": "pipeline { stages { stage('t') { steps { sh 'dbt build' } } } }"},
    "jenkins mask in a comment": {
        "Jenkinsfile": "pipeline { stages { stage('t') { steps {\n // sh 'dbt build || true'\n sh 'dbt build'\n} } } }"
    },
    "jenkins status that is asked": {
        "Jenkinsfile": "node { def rc = sh(script: 'dbt build', returnStatus: true)\n if (rc != 0) { error('no') } }"
    },
    "jenkins catchError that fails": {"Jenkinsfile": "node { stage('t') { catchError { sh 'dbt build' } } }"},
    "azure": {"azure-pipelines.yml": "trigger: [main]\nsteps:\n  - script: dbt build\n"},
    "azure with set -e": {"azure-pipelines.yml": "steps:\n  - bash: |\n      set -e\n      dbt build\n      echo done\n"},
    "circle": {
        ".circleci/config.yml": (
            "version: 2.1\njobs:\n  t:\n    steps:\n      - run: dbt build | tee log\nworkflows:\n  w:\n    jobs: [t]\n"
        )
    },
    "travis": {".travis.yml": "script:\n  - dbt build\n  - echo done\n"},
    "bitbucket": {
        "bitbucket-pipelines.yml": (
            "pipelines:\n  pull-requests:\n    '**':\n      - step:\n          script:\n            - dbt build\n"
        )
    },
}
DBT = {"dbt_project.yml": "name: x\n", "models/marts/orders.sql": "{{ config(tags=['daily']) }} select 1"}
BLOCKS |= {
    "make function": one("make test") | {"Makefile": "RUN = dbt $(1) --target ci\ntest:\n\t$(call RUN,build)\n"},
    "make definition of two lines": one("make test")
    | {"Makefile": "define run\ndbt build\necho done\nendef\ntest:\n\t$(run)\n"},
    "make recipe over lines": one("make test") | {"Makefile": "test:\n\tdbt build \\\n\t  --target ci\n\techo done\n"},
    "make definition": one("make test") | {"Makefile": "define run\ndbt build\nendef\ntest:\n\t$(run)\n"},
    "version printed before": one("dbt --version && tox --version; dbt build"),
    "question about a difference": {CI: workflow("- run: |\n    if git diff --quiet; then echo same; fi\n    dbt build")},
    "result file is judged": {
        CI: workflow(
            '- run: |\n    dbt build || true\n    jq -e \'[.results[] | select(.status != "pass")] | '
            "length == 0' target/run_results.json"
        )
    },
    "output is asked later": {
        CI: workflow(
            "- id: t\n  run: dbt build || echo 'bad=1' >> $GITHUB_OUTPUT\n- if: steps.t.outputs.bad == '1'\n  run: exit 1"
        )
    },
    "report is judged": {
        CI: workflow(
            "- run: pytest --junitxml=r.xml\n  continue-on-error: true\n- uses: dorny/test-reporter@v1\n  "
            "with:\n    path: r.xml"
        )
    },
    "no test is no failure": one("pytest || [ $? -eq 5 ]"),
    "conda's login shell with -e": {CI: workflow("- shell: bash -el {0}\n  run: |\n    dbt build\n    echo done")},
    "compose, exit code of the tests": one("docker compose up --exit-code-from t")
    | {"compose.yml": "services:\n  t:\n    command: dbt build\n"},
    "tests while the image is built": one("docker build .") | {"Dockerfile": "FROM x:1\nRUN pytest -q\n"},
    "feature branches": one("dbt build", on="push:\n    branches: ['feature/**']"),
    "everything but main": one("dbt build", on="push:\n    branches-ignore: [main]"),
    "pull requests into main": one("dbt build", on="pull_request:\n    branches: [main]"),
    "not for drafts": {CI: workflow("- if: github.event.pull_request.draft == false\n  run: dbt build")},
    "not for bots": {CI: workflow("- if: github.actor != 'dependabot[bot]'\n  run: dbt build")},
    "continues only elsewhere": {
        CI: workflow("- run: dbt build\n  continue-on-error: ${{ github.event_name == 'schedule' }}")
    },
    "waits for a job that runs": {
        CI: (
            "on: pull_request\njobs:\n  a:\n    steps: [{run: echo}]\n  b:\n    needs: a\n    steps:\n      "
            "- run: dbt build\n"
        )
    },
    "selector that matches": one("dbt test --select tag:daily orders+ marts") | DBT,
    "selector nobody can know": one("dbt build --select state:modified+ --defer") | DBT,
    "after a full build": one("dbt test") | {CI: workflow("- run: |\n    dbt run --empty\n    dbt run\n    dbt test")},
    "env switched on": {CI: workflow("- if: env.TESTS == 'yes'\n  run: dbt build", top="env:\n  TESTS: yes\n")},
}
MASKED: dict[str, dict[str, str]] = {
    "warn-only": one("dbt-bouncer --warn-only"),
    "mypy told to be lenient": one("mypy --exit-zero src"),
    "target of a Makefile that is not here": one("make test || true"),
    "script that is not here": {CI: workflow("- run: ./scripts/run_tests.sh\n  continue-on-error: true")},
    "npm without its package": one("npm run lint || true"),
    "result file is only shown": {CI: workflow("- run: |\n    dbt build || true\n    cat target/run_results.json || true")},
    "output that nobody asks for": {
        CI: workflow("- id: t\n  run: dbt build || echo 'bad=1' >> $GITHUB_OUTPUT\n- run: echo done")
    },
    "report that is only shown": {
        CI: workflow(
            "- run: pytest --junitxml=r.xml || true\n- uses: dorny/test-reporter@v1\n  with:\n    fail-on-error: 'false'"
        )
    },
    "conda's login shell": {CI: workflow("- shell: bash -l {0}\n  run: |\n    dbt build\n    echo done")},
    "tests in the image, masked": one("docker build .") | {"Dockerfile": "FROM x:1\nRUN pytest -q || true\n"},
    "continues on pull requests": {
        CI: workflow("- run: dbt build\n  continue-on-error: ${{ github.event_name == 'pull_request' }}")
    },
    "env switched off": {CI: workflow("- if: env.TESTS == 'yes'\n  run: dbt build", top="env:\n  TESTS: 'no'\n")},
    "waits for a job that never runs": {
        CI: (
            "on: pull_request\njobs:\n  a:\n    if: false\n    steps: [{run: echo}]\n  b:\n    needs: [a]\n "
            "   steps:\n      - run: dbt build\n"
        )
    },
    "empty matrix": {CI: workflow("- run: dbt build", job="strategy:\n  matrix:\n    target: []\n")},
    "selector that matches nothing": one("dbt test --select tag:nightly") | DBT,
    "model that does not exist": one("dbt test -s ordres") | DBT,
    "built empty": {CI: workflow("- run: dbt run --empty\n- run: dbt test")},
    "gitlab after_script": {".gitlab-ci.yml": "test:\n  script: echo\n  after_script: [dbt build]\n"},
    "|| true": one("dbt build || true"),
    "|| true across lines": {CI: workflow("- run: |\n    dbt build \\\n      --target ci \\\n      || true")},
    "twice masked": {CI: workflow("- run: dbt build || true\n  continue-on-error: true")},
    "pipe without pipefail": one("dbt build | tee log"),
    "folded scalar": {CI: workflow("- run: >\n    dbt build\n    || true")},
    "continue-on-error on the step": {CI: workflow("- run: dbt build\n  continue-on-error: true")},
    "continue-on-error as expression": {CI: workflow("- run: dbt build\n  continue-on-error: ${{ true }}")},
    "continue-on-error quoted": {CI: workflow('- run: dbt build\n  continue-on-error: "true"')},
    "continue-on-error on the job": {CI: workflow("- run: dbt build", job="continue-on-error: true\n")},
    "continue-on-error and a later step that only talks": {
        CI: workflow(
            "- id: build\n  run: dbt build\n  continue-on-error: true\n- if: steps.build.outcome == "
            "'failure'\n  run: echo failed"
        )
    },
    "every cell of the matrix continues": {
        CI: workflow(
            "- run: dbt build", job="continue-on-error: ${{ matrix.soft }}\nstrategy:\n  matrix:\n    soft: [true]\n"
        )
    },
    "if: false": {CI: workflow("- if: false\n  run: dbt build")},
    "if: ${{ false }}": {CI: workflow("- if: ${{ false }}\n  run: dbt build")},
    "if never true": {CI: workflow("- if: ${{ 1 == 2 && github.actor != '' }}\n  run: dbt build")},
    "job if false": {CI: workflow("- run: dbt build", job="if: false\n")},
    "own shell without -e": {CI: workflow("- shell: bash {0}\n  run: |\n    dbt build\n    echo done")},
    "defaults with a weak shell": {
        CI: workflow("- run: |\n    dbt build\n    echo done", top="defaults:\n  run:\n    shell: bash {0}\n")
    },
    "exit-zero": one("ruff check --exit-zero ."),
    "flake8 exit-zero": one("flake8 . --count --exit-zero --max-complexity=10"),
    "sqlfluff nofail": one("sqlfluff lint --nofail models"),
    "checkov soft": one("checkov -d . --soft-fail"),
    "hadolint": one("hadolint --no-fail Dockerfile"),
    "trivy without exit code": one("trivy fs ."),
    "pytest that only collects": one("pytest --collect-only"),
    "make with -": one("make test") | {"Makefile": "test:\n\t-dbt build\n"},
    "make with @-": one("make test") | {"Makefile": "test:\n\t@-dbt build\n"},
    "make with ; true": one("make test") | {"Makefile": "test:\n\tdbt build; true\n"},
    "make -i": one("make -i test") | {"Makefile": "test:\n\tdbt build\n"},
    ".IGNORE": one("make test") | {"Makefile": ".IGNORE: test\ntest:\n\tdbt build\n"},
    "make target, masked outside": one("make test || true") | {"Makefile": "test:\n\tdbt build\n"},
    "tox with -": one("tox") | {"tox.ini": "[tox]\nenvlist = py\n[testenv]\ncommands =\n    - pytest\n"},
    "tox ignore_outcome": one("tox -e py") | {"tox.ini": "[testenv:py]\nignore_outcome = true\ncommands = pytest\n"},
    "nox success codes": one("nox")
    | {"noxfile.py": "import nox\n@nox.session\ndef t(session):\n    session.run('pytest', success_codes=[0, 1])\n"},
    "npm script": one("npm test") | {"package.json": '{"scripts": {"test": "jest || true"}}'},
    "just": one("just test") | {"justfile": "test:\n    -dbt build\n"},
    "task": one("task test")
    | {"Taskfile.yml": "tasks:\n  test:\n    cmds:\n      - cmd: dbt build\n        ignore_error: true\n"},
    "script without set -e": one("./scripts/ci.sh") | {"scripts/ci.sh": "#!/bin/bash\ndbt build\necho fine\n"},
    "script called past its shebang": one("bash scripts/ci.sh")
    | {"scripts/ci.sh": "#!/bin/bash -e\ndbt build\necho fine\n"},
    "script that leaves with 0": one("./ci.sh") | {"ci.sh": "#!/bin/sh\nset +e\ndbt build\nexit 0\n"},
    "python script that does not ask": one("python ci.py")
    | {"ci.py": "import subprocess\nsubprocess.run(['dbt', 'build'])\n"},
    "python script that swallows": one("python ci.py")
    | {
        "ci.py": "import subprocess\ntry:\n    subprocess.check_call(['dbt', 'build'])\nexcept Exception:\n    print('oh')\n"
    },
    "pre-commit without files": one("pre-commit run")
    | {
        ".pre-commit-config.yaml": "repos:\n  - repo: https://github.com/x/ruff\n    rev: v1\n    hooks:\n      - id: ruff-check\n"
    },
    "pre-commit hook at manual": one("pre-commit run --all-files")
    | {
        ".pre-commit-config.yaml": (
            "repos:\n  - repo: local\n    hooks:\n      - id: dbt\n        entry: dbt build\n        stages: [manual]\n"
        )
    },
    "pre-commit hook with a mask": one("pre-commit run -a")
    | {
        ".pre-commit-config.yaml": (
            "repos:\n  - repo: local\n    hooks:\n      - id: dbt\n        entry: bash -c 'dbt build || true'\n"
        )
    },
    "reusable workflow, masked inside": {
        CI: "on: pull_request\njobs:\n  call:\n    uses: ./.github/workflows/checks.yml\n",
        ".github/workflows/checks.yml": (
            "on: workflow_call\njobs:\n  a:\n    runs-on: x\n    continue-on-error: true\n    steps:\n      "
            "- run: dbt build\n"
        ),
    },
    "composite action, masked inside": {
        CI: workflow("- uses: ./.github/actions/check"),
        ".github/actions/check/action.yml": "name: c\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: dbt build || true\n",
    },
    "action told not to fail": {CI: workflow("- uses: bridgecrewio/checkov-action@v12\n  with:\n    soft_fail: true")},
    "gitlab allow_failure": {".gitlab-ci.yml": "test:\n  script: dbt build\n  allow_failure: true\n"},
    "gitlab allow_failure inherited": {
        ".gitlab-ci.yml": ".soft:\n  allow_failure: true\ntest:\n  extends: .soft\n  script: dbt build\n"
    },
    "gitlab manual": {".gitlab-ci.yml": "test:\n  script: dbt build\n  when: manual\n"},
    "gitlab never": {".gitlab-ci.yml": "test:\n  script: dbt build\n  rules:\n    - when: never\n"},
    "gitlab anchor": {".gitlab-ci.yml": ".a: &soft\n  allow_failure: true\ntest:\n  <<: *soft\n  script: dbt build\n"},
    "jenkins || true": {"Jenkinsfile": "pipeline { stages { stage('t') { steps { sh 'dbt build || true' } } } }"},
    "jenkins returnStatus": {"Jenkinsfile": "node { sh(script: 'dbt build', returnStatus: true) }"},
    "jenkins catchError": {
        "Jenkinsfile": (
            "node { stage('t') { catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE') { sh 'dbt build' } } }"
        )
    },
    "jenkins try": {"Jenkinsfile": "node { try { sh 'dbt build' } catch (e) { echo 'oh' } }"},
    "azure continueOnError": {"azure-pipelines.yml": "steps:\n  - script: dbt build\n    continueOnError: true\n"},
    "azure has no set -e": {"azure-pipelines.yml": "steps:\n  - bash: |\n      dbt build\n      echo done\n"},
    "circle": {".circleci/config.yml": "jobs:\n  t:\n    steps:\n      - run: dbt build || true\n"},
    "cloud build": {
        "cloudbuild.yaml": "steps:\n  - name: python\n    entrypoint: bash\n    args: [-c, 'dbt build || true']\n"
    },
}
LATE: dict[str, dict[str, str]] = {
    "into another branch": one("dbt build", on="pull_request:\n    branches: [gh-pages]"),
    "when somebody sets a label": {
        CI: workflow("- run: dbt build", job="if: contains(github.event.pull_request.labels.*.name, 'test')\n")
    },
    "only for a bot": {CI: workflow("- if: github.actor == 'dependabot[bot]'\n  run: dbt build")},
    "by hand": one("dbt build", on="workflow_dispatch:"),
    "on a schedule": one("dbt build", on="schedule:\n    - cron: '0 5 * * *'"),
    "after the merge": one("dbt build", on="push:\n    branches: [main]"),
    "when a pull request is closed": one("dbt build", on="pull_request:\n    types: [closed]"),
    "paths filter without the code": one("dbt build", on="pull_request:\n    paths: ['docs/**']")
    | {"models/a.sql": "select 1"},
    "paths-ignore that takes everything": one("dbt build", on="pull_request:\n    paths-ignore: ['**']")
    | {"models/a.sql": "select 1"},
    "step only on push": {
        CI: workflow(
            "- if: github.event_name == 'push'\n  run: dbt build", on="pull_request:\n  push:\n    branches: [main]"
        )
    },
    "job only on main": {
        CI: workflow("- run: dbt build", on="pull_request:\n  push:", job="if: github.ref == 'refs/heads/main'\n")
    },
    "gitlab on the default branch": {
        ".gitlab-ci.yml": "test:\n  script: dbt build\n  rules:\n    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH\n"
    },
    "gitlab only main": {".gitlab-ci.yml": "test:\n  script: dbt build\n  only: [main]\n"},
}


@pytest.mark.parametrize("case", BLOCKS)
def test_blocks(seen: Callable[..., Seen], case: str) -> None:
    found = seen(judge.integration, BLOCKS[case])
    assert [run.blocks for run in found.checks if run.kind != "compile"] == [True], found.checks
    assert not found.has("ci.masked", "ci.late", "ci.commented-out")


@pytest.mark.parametrize("case", MASKED)
def test_is_masked(seen: Callable[..., Seen], case: str) -> None:
    found = seen(judge.integration, MASKED[case])
    real = [run for run in found.checks if run.kind != "compile"]
    assert real and not any(run.blocks for run in real), found.checks
    assert found.has("ci.masked")


@pytest.mark.parametrize("case", LATE)
def test_comes_too_late(seen: Callable[..., Seen], case: str) -> None:
    found = seen(judge.integration, LATE[case])
    assert found.checks and not any(run.blocks for run in found.checks), found.checks
    assert found.has("ci.late") and not found.has("ci.masked")


@pytest.mark.parametrize(
    "run",
    [
        "make clean-test || true",
        "make test-up || true",
        "docker rm -f test || true",
        "rm -rf tests/out || true",
        "mkdir -p test || true",
        "npm install || true",
        "pip cache purge || true",
    ],
)
def test_a_mask_on_something_harmless_is_harmless(seen: Callable[..., Seen], run: str) -> None:
    assert not seen(judge.integration, one(run)).has("ci.masked", "ci.masked-beside")


def test_commented_out_checks_are_told_and_prose_is_not(seen: Callable[..., Seen]) -> None:
    assert seen(judge.integration, {CI: workflow("- run: echo\n# - run: dbt test")}).has("ci.commented-out")
    assert seen(judge.integration, {CI: workflow("- run: |\n    echo\n    # pytest tests/")}).has("ci.commented-out")
    prose = "# dbt test runs in the nightly job\n# pytest is slow here, see the README\n- run: dbt build # not dbt test"
    assert not seen(judge.integration, {CI: workflow(prose)}).has("ci.commented-out")
    beside = "# - run: dbt build --full-refresh\n- run: dbt build"
    assert not seen(judge.integration, {CI: workflow(beside)}).has("ci.commented-out")


def test_a_masked_check_is_told_where_it_stands(seen: Callable[..., Seen]) -> None:
    text = workflow("- run: |\n    echo\n    dbt build", job="continue-on-error: true\n")
    (found,) = [one for one in seen(judge.integration, {CI: text}).findings if one.rule == "ci.masked"]
    assert text.split("\n")[found.line - 1].strip() == "dbt build"
    made = {CI: workflow("- run: make test"), "Makefile": "test:\n\techo\n\t-dbt build\n"}
    (found,) = [one for one in seen(judge.integration, made).findings if one.rule == "ci.masked"]
    assert (found.file, found.line) == ("Makefile", 3)
