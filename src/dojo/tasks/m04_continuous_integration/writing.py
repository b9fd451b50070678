"""Tasks 04.2 and 04.3: a workflow that is a gate, and a decorative one made into a gate; both executed on pull requests."""

from __future__ import annotations

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m04_continuous_integration import gate
from dojo.tasks.m04_continuous_integration.pull_requests import FEWER, ORDER, pull_requests

CI, GATE = "repo/.github/workflows/ci.yml", "repo/.github/workflows/gate.yml"


def _checks(path: str, kinds: tuple[str, ...]) -> tuple[Check, ...]:
    def framed(work: Work, seed: int) -> str:
        return gate.framed(work, path)

    def rows(work: Work, seed: int) -> list[gate.Tried]:
        return gate.tried(work, path, pull_requests(seed, kinds))

    def good(work: Work, seed: int) -> str:
        return gate.lets_good_through(rows(work, seed), work.file(path))

    def bad(work: Work, seed: int) -> str:
        return gate.stops_bad(rows(work, seed), work.file(path))

    def kept(work: Work, seed: int) -> str:
        return gate.keeps_artefacts(rows(work, seed))

    def colours(seed: int) -> list[tuple[str, str]]:
        return [(p.title, p.colour) for p in pull_requests(seed, kinds)]

    return (
        Check("starts on every pull request, with a reader's token and a time limit", framed),
        Check("lets good changes through", good),
        Check("stops every bad change", bad, expected=colours),
        Check("keeps what dbt wrote, also when it is red", kept),
    )


def keeps_the_good(work: Work, seed: int) -> str:
    workflow = parse_yaml(work.file(GATE), GATE)
    workflow = workflow if isinstance(workflow, dict) else {}
    if "push" not in gate.triggers(workflow):
        raise NotYet("The old gate also ran on main after a merge (`push`), which is how a baseline is made. Yours does not any more.", expected="push: branches: [main]", got=", ".join(gate.triggers(workflow)), cause="lost-push")  # fmt: skip
    group = workflow.get("concurrency") or {}
    if not isinstance(group, dict) or not group.get("cancel-in-progress"):
        raise NotYet("The old gate stopped the run of an outdated commit (`concurrency` with `cancel-in-progress`). Keep that.", cause="lost-concurrency")  # fmt: skip
    if "github." not in str(group.get("group")):
        raise NotYet("One group for all branches: a push to one pull request cancels the run of another.", expected="gate-${{ github.ref }}", got=group.get("group"), cause="one-group")  # fmt: skip
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
    branches: [main]
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
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("starts after the merge", {CI: WHOLE.replace("on: pull_request", "on: {push: {branches: [main]}}")}, "trigger"),
        wrong("only when dbt files change", {CI: WHOLE.replace("on: pull_request", "on: {pull_request: {paths: ['dbt/**']}}")}, "path-filter"),
        wrong("the default token", {CI: WHOLE.replace("permissions:\n  contents: read\n", "")}, "default-token"),
        wrong("no checkout", {CI: WHOLE.replace("      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n", "      - run: pwd\n")}, "no-checkout"),
        wrong("an in-memory warehouse, empty at each step", {CI: WHOLE.replace("${{ github.workspace }}/ci.duckdb", '":memory:"').replace("      - name: Secrets\n        run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)\n", "").replace("sqlfluff lint dbt/models dbt/tests", "sqlfluff --version")}, "empty-warehouse"),
        wrong("no look for secrets", {CI: WHOLE.replace("detect-secrets-hook --baseline .secrets.baseline $(git ls-files)", "git ls-files")}, "missing"),
        wrong("a linter that may fail", {CI: WHOLE.replace("sqlfluff lint dbt/models dbt/tests", "sqlfluff lint dbt/models dbt/tests || true")}, "or-true"),
        wrong("formats the runner's copy", {CI: WHOLE.replace("ruff format --check .", "ruff format .")}, "reformats"),
        wrong("builds models, tests nothing", {CI: WHOLE.replace("dbt build", "dbt build --exclude-resource-type test --exclude-resource-type unit_test")}, "never-tested"),
        wrong("uploads only when green", {CI: WHOLE.replace("        if: always()\n", "")}, "lost-when-red"),
    ),
    right=(
        right("one script, black instead of ruff", {CI: ONE_SCRIPT}),
        right("two jobs, the first a matrix", {CI: TWO_JOBS}),
    ),
    spared={"python-version": "the runner has one Python", "timeout-minutes": "a minute more or less decides nothing here", ".with.name": "an artefact may have the default name", "cancel-in-progress": "time on the runner, no colour", ".concurrency": "time on the runner, no colour", ".group": "time on the runner, no colour", "persist-credentials": "judged in 04.5", ".steps[0].with": "judged in 04.5", "10 →": "a minute more or less decides nothing here"},
)  # fmt: skip


LEGACY_HEAD = WHOLE.replace("on: pull_request\n", "on:\n  pull_request:\n  push:\n    branches: [main]\n").replace(
    "permissions:", "concurrency:\n  group: gate-${{ github.ref }}\n  cancel-in-progress: true\npermissions:"
)


def _legacy(*pairs: tuple[str, str]) -> dict[str, str]:
    text = LEGACY_HEAD
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"the prepared gate no longer holds {old!r}")
        text = text.replace(old, new)
    return {GATE: text}


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
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("secrets still skipped", _legacy(("      - name: Secrets\n", "      - name: Secrets\n        if: false\n")), "never-runs"),
        wrong("style still tolerated", _legacy(("      - name: SQL\n", "      - name: SQL\n        continue-on-error: true\n")), "continue-on-error"),
        wrong("tests still only collected", _legacy(("pytest -q", "pytest -q --collect-only")), "collect-only"),
        wrong("tables still empty", _legacy(("dbt build --project-dir dbt --profiles-dir ci", "dbt build --empty --exclude-resource-type test --exclude-resource-type unit_test --project-dir dbt --profiles-dir ci\n      - name: Test\n        run: dbt test --project-dir dbt --profiles-dir ci")), "empty-build"),
        wrong("a selector that matches nothing", _legacy(("dbt build --project-dir dbt --profiles-dir ci", "dbt build --exclude-resource-type test --exclude-resource-type unit_test --project-dir dbt --profiles-dir ci\n      - name: Test\n        run: dbt test --select tag:critical --project-dir dbt --profiles-dir ci")), "selects-nothing"),
        wrong("the docs check commented out", _legacy(("      - name: Docs\n        run: python ci/check_docs.py\n", "      # - name: Docs\n      #   run: python ci/check_docs.py\n")), "commented-out"),
        wrong("no run on main any more", _legacy(("  push:\n    branches: [main]\n", "")), "lost-push"),
        wrong("one concurrency group for all", _legacy(("gate-${{ github.ref }}", "gate")), "one-group"),
    ),
    right=(
        right("one job", _legacy()),
        right("build, then test", _legacy(("dbt build --project-dir dbt --profiles-dir ci", "dbt build --exclude-resource-type test --exclude-resource-type unit_test --project-dir dbt --profiles-dir ci\n      - name: Test\n        run: dbt test --project-dir dbt --profiles-dir ci"))),
    ),
    spared=WRITE.spared | {"Ruff": "the linter for Python has no pull request of its own here", ".steps[2]": "the linter for Python has no pull request of its own here"},
)  # fmt: skip
