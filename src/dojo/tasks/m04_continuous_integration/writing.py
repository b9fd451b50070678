"""Tasks 04.2 and 04.3: a workflow that is a gate, and a decorative one made into a gate; both executed on pull requests."""

from __future__ import annotations

import re

from dojo.ci import gate, workflow
from dojo.ci.pull_requests import Tried, in_repository, tried
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.m04_continuous_integration.pull_requests import FEWER, ORDER, pull_requests, repository

CI, GATE = "repo/.github/workflows/ci.yml", "repo/.github/workflows/gate.yml"
HOW_TO_KEEP = "actions/upload-artifact brings dbt's target files out of the runner, and after a failed step only `if: always()` lets it run."


def framed(work: Work, path: str) -> str:
    """Raises NotYet for what is wrong with the frame of a gate."""
    found = workflow.frame_problems(workflow.read(work.file(path), in_repository(path)))
    if found:
        raise NotYet("\n".join(said for _, said in found), tried="the workflow as a text", cause=found[0][0])
    return "Started by every pull request, with a token that reads and a time limit."


def pipeline_of(work: Work, path: str) -> gate.Pipeline:
    """The workflow with what it may run of the learner's own files."""
    own = {**repository().own(work), in_repository(path): work.file(path)}
    return gate.of_github(own, in_repository(path))


def _checks(path: str, kinds: tuple[str, ...]) -> tuple[Check, ...]:
    def rows(work: Work, seed: int) -> list[Tried]:
        return tried(work, "act", path, repository(), pull_requests(seed, kinds))

    def good(work: Work, seed: int) -> str:
        return gate.lets_good_through(rows(work, seed))

    def bad(work: Work, seed: int) -> str:
        return gate.stops_bad(rows(work, seed), pipeline_of(work, path))

    def kept(work: Work, seed: int) -> str:
        return gate.keeps_artefacts(rows(work, seed), how=HOW_TO_KEEP)

    def colours(seed: int) -> list[tuple[str, str]]:
        return [(p.title, p.colour) for p in pull_requests(seed, kinds)]

    return (
        Check(FRAME, lambda work, seed: framed(work, path)),
        Check("lets good changes through", good),
        Check("stops every bad change", bad, expected=colours),
        Check("keeps what dbt wrote, also when it is red", kept),
    )


FRAME = "starts on every pull request, with a reader's token and a time limit"


def keeps_the_good(work: Work, seed: int) -> str:
    found = workflow.read(work.file(GATE), in_repository(GATE))
    on = workflow.triggers(found)
    if not workflow.starts_on_push(on, "main"):
        raise NotYet(
            "The old gate also ran on main after a merge (`push`), which is how a baseline is made. Yours does not any more.",
            expected="push: branches: [main]",
            got=f"push: {on['push']}" if "push" in on else ", ".join(on),
            cause="lost-push",
        )
    group = found.get("concurrency") or {}
    if not isinstance(group, dict) or not group.get("cancel-in-progress"):
        raise NotYet(
            "The old gate stopped the run of an outdated commit (`concurrency` with `cancel-in-progress`). Keep that.",
            expected="cancel-in-progress: true",
            got=group or "no concurrency",
            cause="lost-concurrency",
        )
    if not re.search(r"github\.(ref\b|head_ref|ref_name|event\.(number|pull_request))", str(group.get("group"))):
        raise NotYet(
            "One group for all branches: a push to one pull request cancels the run of another.",
            expected="gate-${{ github.ref }}",
            got=group.get("group"),
            cause="one-group",
        )
    return "And what was good about the old gate is still there."


HEAD = """name: ci
on: pull_request
permissions:
  contents: read
env:
  SHOPFLOW_WAREHOUSE: ${{ github.workspace }}/ci.duckdb
jobs:
  checks:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
"""
QUICK = """      - name: Secrets
        run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
      - name: Format
        run: ruff format --check .
      - name: SQL
        run: sqlfluff lint dbt/models dbt/tests
      - name: Tests of the loader
        run: pytest -q
"""
DATA = """      - name: Sample
        run: python ci/load_sample.py
      - name: Build
        run: dbt build --project-dir dbt --profiles-dir ci
      - name: Docs
        run: python ci/check_docs.py
"""
KEEP = """      - name: Keep
        if: always()
        uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02
        with:
          name: dbt
          path: |
            dbt/target/manifest.json
            dbt/target/run_results.json
"""
WHOLE = HEAD + QUICK + DATA + KEEP

ONE_SCRIPT = (
    HEAD
    + """      - name: Everything
        shell: bash
        run: |
          set -euo pipefail
          git ls-files -z | xargs -0 detect-secrets-hook --baseline .secrets.baseline
          black --check --quiet ingestion pipeline ci tests
          sqlfluff lint dbt/models
          python -m pytest -q
          python ci/load_sample.py
          cd dbt
          dbt build --profiles-dir ../ci
          cd .. && python ci/check_docs.py
"""
    + KEEP
)
TWO_JOBS = """name: two jobs
on:
  pull_request:
    branches: ["**"]
permissions: {}
jobs:
  quick:
    permissions: {contents: read}
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    strategy:
      fail-fast: false
      matrix:
        check:
          - detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
          - ruff format --check .
          - sqlfluff lint dbt/models dbt/tests
          - pytest -q
    steps:
      - uses: actions/checkout@v5
      - run: ${{ matrix.check }}
  models:
    needs: quick
    permissions: {contents: read}
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    defaults: {run: {working-directory: dbt}}
    env: {SHOPFLOW_WAREHOUSE: "/tmp/two-jobs-${{ github.run_id }}-${{ github.sha }}.duckdb"}
    steps:
      - uses: actions/checkout@v5
      - uses: astral-sh/setup-uv@v6
      - run: uv run python ../ci/load_sample.py
      - run: dbt run --profiles-dir ../ci --exclude-resource-type snapshot || exit 1
        if: false
      - run: uv run dbt build --profiles-dir ../ci
      - run: python ci/check_docs.py
        working-directory: .
      - uses: actions/upload-artifact@v4
        if: ${{ !cancelled() }}
        with: {path: dbt/target/*.json}
"""

OWN_FILES = {
    CI: HEAD
    + """      - uses: ./.github/actions/quick
      - run: make data
      - run: bash ci/docs.sh
"""
    + KEEP,
    "repo/.github/actions/quick/action.yml": """name: Quick checks
description: What costs a second.
runs:
  using: composite
  steps:
    - shell: bash
      run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
    - shell: bash
      run: |
        ruff format --check .
        sqlfluff lint dbt/models dbt/tests
    - shell: bash
      run: pytest -q
""",
    "repo/Makefile": "data:\n\tpython ci/load_sample.py\n\tdbt build --project-dir dbt --profiles-dir ci\n",
    "repo/ci/docs.sh": "set -e\npython ci/check_docs.py\necho documented\n",
}
"""The same gate in files of the learner's own, which go along into every trial."""

SPARED = {
    "python-version": "the runner has one Python",
    "timeout-minutes": "a minute more or less decides nothing here",
    ".with.name": "an artefact may have the default name",
    "cancel-in-progress": "time on the runner, no colour",
    ".concurrency": "time on the runner, no colour",
    ".group": "time on the runner, no colour",
    "persist-credentials": "judged in 04.5",
    ".steps[0].with": "judged in 04.5",
    "10 →": "a minute more or less decides nothing here",
    "5 →": "a minute more or less decides nothing here",
    "runs-on": "every job runs on the one runner",
}


def _whole(*pairs: tuple[str, str]) -> dict[str, str]:
    return {CI: edited(WHOLE, *pairs)}


SECRETS = """      - name: Secrets
        run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
"""
HINTS = (
    "List the ways a change can be bad: a secret, style, format, Python, SQL, a contract, data, documentation. Which program sees each?",
    "One job is enough. After the checkout: `detect-secrets-hook`, `ruff format --check`, `sqlfluff lint`, `pytest`, `python ci/load_sample.py`, `dbt build`, `python ci/check_docs.py`.",
    "`env: SHOPFLOW_WAREHOUSE: ${{ github.workspace }}/ci.duckdb`; `dbt build --project-dir dbt --profiles-dir ci`; at the end actions/upload-artifact with `if: always()`.",
)
WRITE = Task(
    id="04.2",
    title="A gate, not a decoration",
    minutes=20,
    points=5,
    deliver=(file(CI),),
    data=lambda seed: seed,
    checks=_checks(CI, ORDER),
    hints=HINTS,
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "every pull request": "only pull requests against main",
        "leaks a secret": "no look for secrets",
        "badly formatted (Python)": "formats the runner's copy",
        "styled (SQL)": "a linter that may fail",
        "breaks a test of the loader": "the tests are only collected",
        "a data test": "no data tests",
        "a unit test": "no unit tests",
        "leaves a mart undocumented": "nobody looks at the descriptions",
        "green for everything else": "no checkout",
        "Its token reads": "the default token",
        "it has a time limit": "no time limit",
        "must still be there to look at": "uploads only when green",
    },
    wrong=(
        wrong("starts after the merge", _whole(("on: pull_request", "on: {push: {branches: [main]}}")), "trigger"),
        wrong(
            "only pull requests against main",
            _whole(("on: pull_request", "on: {pull_request: {branches: [main]}}")),
            "branch-filter",
        ),
        wrong(
            "only the first commit of a pull request",
            _whole(("on: pull_request", "on: {pull_request: {types: [opened]}}")),
            "type-filter",
        ),
        wrong(
            "only when dbt files change",
            _whole(("on: pull_request", "on: {pull_request: {paths: ['dbt/**']}}")),
            "path-filter",
        ),
        wrong("the default token", _whole(("permissions:\n  contents: read\n", "")), "default-token"),
        wrong("no time limit", _whole(("    timeout-minutes: 10\n", "")), "no-timeout"),
        wrong(
            "no checkout",
            _whole(("      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n", "      - run: pwd\n")),
            "no-checkout",
            decided_by="good",
        ),
        wrong(
            "an in-memory warehouse, empty at each step",
            _whole(("${{ github.workspace }}/ci.duckdb", '":memory:"'), (SECRETS, "")),
            "empty-warehouse",
            decided_by="good",
        ),
        wrong(
            "no look for secrets",
            _whole(("detect-secrets-hook --baseline .secrets.baseline $(git ls-files)", "git ls-files")),
            "missing",
            decided_by="secret",
        ),
        wrong(
            "the list of secrets goes into a file",
            _whole(("$(git ls-files)", "$(git ls-files) | tee secrets.txt")),
            "pipe",
            decided_by="secret",
        ),
        wrong(
            "a linter that may fail",
            _whole(("sqlfluff lint dbt/models dbt/tests", "sqlfluff lint dbt/models dbt/tests || true")),
            "or-true",
            decided_by="style",
        ),
        wrong(
            "formats the runner's copy", _whole(("ruff format --check .", "ruff format .")), "reformats", decided_by="format"
        ),
        wrong(
            "the tests are only collected",
            _whole(("pytest -q", "pytest -q --collect-only")),
            "collect-only",
            decided_by="python",
        ),
        wrong(
            "no data tests",
            _whole(("dbt build", "dbt build --exclude-resource-type test")),
            "selects-too-little",
            decided_by="data test",
        ),
        wrong(
            "no unit tests",
            _whole(("dbt build", "dbt build --exclude-resource-type unit_test")),
            "no-unit-tests",
            decided_by="unit test",
        ),
        wrong(
            "builds models, tests nothing",
            _whole(("dbt build", "dbt build --exclude-resource-type test --exclude-resource-type unit_test")),
            "never-tested",
            decided_by="unit test",
        ),
        wrong(
            "nobody looks at the descriptions", _whole(("python ci/check_docs.py", "ls ci")), "missing", decided_by="docs"
        ),
        wrong(
            "a Makefile whose recipe may fail",
            {
                **_whole(("sqlfluff lint dbt/models dbt/tests", "make style")),
                "repo/Makefile": "style:\n\t-sqlfluff lint dbt/models dbt/tests\n",
            },
            "make-ignores",
            decided_by="style",
        ),
        wrong("uploads only when green", _whole(("        if: always()\n", "")), "lost-when-red", decided_by="data test"),
    ),
    right=(
        right("one script, black instead of ruff", {CI: ONE_SCRIPT}),
        right("two jobs, the first a matrix", {CI: TWO_JOBS}),
        right("a composite action, a Makefile and a script of the team's own", OWN_FILES),
    ),
    spared=SPARED,
)


LEGACY_HEAD = WHOLE.replace("on: pull_request\n", "on:\n  pull_request:\n  push:\n    branches: [main]\n").replace(
    "permissions:", "concurrency:\n  group: gate-${{ github.ref }}\n  cancel-in-progress: true\npermissions:"
)


def _legacy(*pairs: tuple[str, str]) -> dict[str, str]:
    return {GATE: edited(LEGACY_HEAD, *pairs)}


BUILD = "dbt build --project-dir dbt --profiles-dir ci"
APART = "dbt build --exclude-resource-type test --exclude-resource-type unit_test --project-dir dbt --profiles-dir ci\n      - name: Test\n        run: "
"""The models, and then, as a step of its own, …"""


REPAIR = Task(
    id="04.3",
    title="Jonas' green gate",
    minutes=15,
    points=4,
    deliver=(file(GATE),),
    data=lambda seed: seed,
    checks=(*_checks(GATE, FEWER), Check("keeps what was good about the old gate", keeps_the_good)),
    hints=(
        "Read `legacy.yml` step by step and ask of each: what exit status does it end with when it finds something?",
        "Seven masks: `if: false`, `--exit-zero`, a formatter without `--check`, `continue-on-error`, `--collect-only`, `--empty` with a selector that matches nothing, `|| true`. And the upload does not run when it is needed.",
        "Replace the two dbt steps by one `dbt build --project-dir dbt --profiles-dir ci`, take the other masks out, give the upload `if: always()`.",
    ),
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "bad pull requests red": "style still tolerated",
        "good ones green": "loads nothing before it builds",
        "it also runs on `main`": "no run on main any more",
        "it cancels the run of an outdated commit": "lets outdated runs go on",
        "without touching anybody else's": "one concurrency group for all",
    },
    wrong=(
        wrong(
            "secrets still skipped",
            _legacy(("      - name: Secrets\n", "      - name: Secrets\n        if: false\n")),
            "never-runs",
            decided_by="secret",
        ),
        wrong(
            "style still tolerated",
            _legacy(("      - name: SQL\n", "      - name: SQL\n        continue-on-error: true\n")),
            "continue-on-error",
            decided_by="style",
        ),
        wrong(
            "tests still only collected",
            _legacy(("pytest -q", "pytest -q --collect-only")),
            "collect-only",
            decided_by="python",
        ),
        wrong(
            "tables still empty",
            _legacy(
                (
                    BUILD,
                    "dbt build --empty --exclude-resource-type test --exclude-resource-type unit_test --project-dir dbt --profiles-dir ci\n      - name: Test\n        run: dbt test --project-dir dbt --profiles-dir ci",
                )
            ),
            "empty-build",
            decided_by="data test",
        ),
        wrong(
            "a selector that matches nothing",
            _legacy((BUILD, APART + "dbt test --select tag:critical --project-dir dbt --profiles-dir ci")),
            "selects-nothing",
            decided_by="unit test",
        ),
        wrong(
            "the docs check commented out",
            _legacy(
                (
                    "      - name: Docs\n        run: python ci/check_docs.py\n",
                    "      # - name: Docs\n      #   run: python ci/check_docs.py\n",
                )
            ),
            "commented-out",
            decided_by="docs",
        ),
        wrong(
            "the docs check still thrown away",
            _legacy(("python ci/check_docs.py", "python ci/check_docs.py || true")),
            "or-true",
            decided_by="docs",
        ),
        wrong(
            "loads nothing before it builds",
            _legacy(("      - name: Sample\n        run: python ci/load_sample.py\n", "")),
            "empty-warehouse",
            decided_by="good",
        ),
        wrong(
            "runs on pushes of other branches",
            _legacy(("    branches: [main]\n", "    branches: [release/*]\n")),
            "lost-push",
            decided_by="good",
        ),
        wrong("no run on main any more", _legacy(("  push:\n    branches: [main]\n", "")), "lost-push", decided_by="good"),
        wrong(
            "lets outdated runs go on", _legacy(("  cancel-in-progress: true\n", "")), "lost-concurrency", decided_by="good"
        ),
        wrong("one concurrency group for all", _legacy(("gate-${{ github.ref }}", "gate")), "one-group", decided_by="good"),
    ),
    right=(
        right("one job", _legacy()),
        right("build, then test", _legacy((BUILD, APART + "dbt test --project-dir dbt --profiles-dir ci"))),
    ),
    spared=SPARED
    | {
        "Ruff": "the linter for Python has no pull request of its own here",
        ".steps[2]": "the linter for Python has no pull request of its own here",
    },
)
