"""Task i03.3: the gate, executed on prepared pull requests."""

from __future__ import annotations

from dataclasses import replace

from dojo.ci import gate, workflow
from dojo.ci.excerpts import excerpt
from dojo.ci.pull_requests import Tried, deciding_step, in_repository, table, tried
from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.i03_elt_ci_cd import company
from dojo.tasks.i03_elt_ci_cd.changes import pull_requests, repository

CI = "repo/.github/workflows/ci.yml"
SEEN_BY = {"no tests": "python", "source": "data test"}
"""Kinds that the same program sees as another kind."""


def _problems(text: str) -> list[tuple[str, str]]:
    """(cause, sentence) for what is wrong before anything runs: trigger, token, time limit, credentials."""
    found = workflow.read(text, in_repository(CI))
    problems = []
    if "pull_request_target" in workflow.triggers(found):
        problems.append(
            (
                "target",
                "`pull_request_target` runs with main's files, your secrets and a token that may write. A gate is started by `pull_request`, which gets neither.",
            )
        )
    named = sorted(set(workflow.secrets_in(text)) - {"GITHUB_TOKEN"})
    if named:
        problems.append(
            (
                "secret-in-gate",
                f"The gate asks for `secrets.{named[0]}`. A pull request from a fork gets an empty one and is red for no fault of its own; one from a branch can print it. The recorded answers need no key.",
            )
        )
    if company.token() in text:
        problems.append(("plain-secret", "The token stands in the workflow, and the repository's history keeps it."))
    wanting = [n for n, j in workflow.jobs(found).items() if j.get("environment")]
    if wanting:
        problems.append(
            (
                "environment-in-gate",
                f"Job `{wanting[0]}` enters an environment. What runs on a stranger's code enters none: an environment is where its secrets are.",
            )
        )
    return problems + workflow.frame_problems(found)


def safe(work: Work, seed: int) -> str:
    found = _problems(work.file(CI))
    if found:
        raise NotYet("\n".join(s for _, s in found), tried="the workflow as a text", cause=found[0][0])
    return "Started by every pull request, with a token that reads, a time limit and no credential."


def _rows(work: Work, seed: int) -> list[Tried]:
    return tried(work, "act", CI, repository(), pull_requests(seed))


def lets_good_through(work: Work, seed: int) -> str:
    rows = _rows(work, seed)
    step = deciding_step(rows[0].result)
    if step and "SHOP_API_URL" in step["said"]:
        raise NotYet(
            "The load does not know where the API is. A gate has the recorded answers: `SHOP_API_URL: recorded`.",
            tried=rows[0].pull.title,
            expected="green",
            got=f"red; the step said:\n{excerpt(step['said'])}",
            cause="no-source",
        )
    return gate.lets_good_through(rows)


def stops_bad(work: Work, seed: int) -> str:
    rows, text = _rows(work, seed), work.file(CI)
    pipeline = gate.of_github({**repository().own(work), in_repository(CI): text}, in_repository(CI))
    passed = [r for r in rows if r.pull.colour == "red" and r.result is not None and not r.as_it_should]
    if passed and passed[0].pull.kind == "no tests" and _found_none(passed[0]):
        raise NotYet(
            f"“{passed[0].pull.title}” came out green. With every test commented out, pytest ends with 5, “no tests ran”; something in the workflow takes 5 for good.",
            tried=passed[0].pull.title,
            expected="red",
            got=table(rows),
            cause="no-tests-is-fine",
        )
    alike = [Tried(replace(r.pull, kind=SEEN_BY.get(r.pull.kind, r.pull.kind)), r.result) for r in rows]
    said = gate.stops_bad(alike, pipeline).split("\n")[0]
    return f"{said}\n{table(rows)}"


def _found_none(row: Tried) -> bool:
    """Whether pytest ran on the change and said that it found no test."""
    return any("no tests ran" in s["said"] for s in row.result["steps"])


HEAD = """name: ci
on: pull_request
permissions: {contents: read}
jobs:
  checks:
    runs-on: ubuntu-latest
    timeout-minutes: 10
    env:
      SHOPFLOW_WAREHOUSE: ${{ github.workspace }}/ci.duckdb
      SHOP_API_URL: recorded
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
"""
STEPS = """      - name: Secrets
        run: detect-secrets-hook --baseline .secrets.baseline $(git ls-files)
      - name: Format
        run: ruff format --check .
      - name: Tests
        run: pytest -q
      - name: Load
        run: python -m ingest.shop_api
      - name: Build
        run: dbt build --project-dir dbt --profiles-dir dbt
"""
WHOLE = HEAD + STEPS
ONE_SCRIPT = """name: gate
on:
  pull_request:
permissions: {}
env: {SHOP_API_URL: recorded}
jobs:
  everything:
    permissions: {contents: read}
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    steps:
      - uses: actions/checkout@v5
      - uses: astral-sh/setup-uv@v6
      - shell: bash
        run: |
          set -euo pipefail
          export SHOPFLOW_WAREHOUSE="$PWD/gate.duckdb"
          git ls-files -z | xargs -0 detect-secrets-hook --baseline .secrets.baseline
          uvx ruff format --diff .
          uv run python -m pytest
          uv run python -m ingest.shop_api
          cd dbt
          uv run dbt run --profiles-dir .
          uv run dbt test --profiles-dir .
"""
TWO_JOBS = (
    HEAD.replace("  checks:", "  code:")
    + STEPS[: STEPS.index("      - name: Load")]
    + HEAD[HEAD.index("  checks:") :].replace("  checks:", "  data:\n    needs: code")
    + STEPS[STEPS.index("      - name: Load") :]
)


OWN_FILES = {
    CI: """name: ci
on: pull_request
permissions: {contents: read}
jobs:
  gate:
    uses: ./.github/workflows/checks.yml
""",
    "repo/.github/workflows/checks.yml": HEAD.replace("on: pull_request", "on: workflow_call")
    + "      - run: make quick\n      - run: make data\n",
    "repo/Makefile": """quick:
\tdetect-secrets-hook --baseline .secrets.baseline $$(git ls-files)
\truff format --check .
\tpytest -q

data:
\tpython -m ingest.shop_api
\tdbt build --project-dir dbt --profiles-dir dbt
""",
}
"""The same gate in files of the learner's own, which go along into every trial."""


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    return {CI: edited(WHOLE, *pairs)}


BUILD = "dbt build --project-dir dbt --profiles-dir dbt"
TASK = Task(
    id="i03.3",
    title="A gate that runs it",
    minutes=15,
    points=4,
    deliver=(file(CI),),
    data=lambda seed: seed,
    checks=(
        Check("gives a stranger's pull request nothing", safe),
        Check("lets good changes through", lets_good_through),
        Check("stops every bad change", stops_bad, expected=lambda seed: [(p.title, p.colour) for p in pull_requests(seed)]),
    ),
    hints=(
        "README.md lists five programs. Which bad changes does each see, and what must have run before dbt can?",
        "`SHOP_API_URL: recorded` and a warehouse file in the workspace, in one job: secrets, format, pytest, load, `dbt build`. No `secrets.` anywhere.",
        f"`env: {{SHOPFLOW_WAREHOUSE: ${{{{ github.workspace }}}}/ci.duckdb, SHOP_API_URL: recorded}}`, then the five commands of README.md as five steps, the last `{BUILD}`; `permissions: {{contents: read}}`, `timeout-minutes`.",
    ),
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "Every pull request is tried": "only pull requests against main",
        "leaks a secret": "no look for secrets",
        "is badly formatted": "formats the runner's copy",
        "breaks a test of the load": "the tests still commented out",
        "switches the tests off": "no tests is fine",
        "makes numbers that a data test refuses": "models built, never tested",
        "green for everything else": "nothing loaded",
        "it gets no secret": "loads from the live API",
        "no environment": "a gate in production's environment",
        "a token that reads": "the default token",
    },
    wrong=(
        wrong("dbt is parsed, never run", _but((BUILD, BUILD.replace("build", "parse"))), "missing", decided_by="contract"),
        wrong(
            "the tests still commented out",
            _but(("      - name: Tests\n        run: pytest -q\n", "      # - name: Tests\n      #   run: pytest -q\n")),
            "commented-out",
            decided_by="python",
        ),
        wrong(
            "no tests is fine",
            _but(("run: pytest -q", "run: pytest -q || [ $? -eq 5 ]")),
            "no-tests-is-fine",
            decided_by="no tests",
        ),
        wrong(
            "models built, never tested",
            _but((BUILD, BUILD.replace("build", "run"))),
            "never-tested",
            decided_by="data test",
        ),
        wrong("piped into a log", _but((BUILD, f"{BUILD} | tee build.log")), "pipe", decided_by="data test"),
        wrong(
            "formats the runner's copy", _but(("ruff format --check .", "ruff format .")), "reformats", decided_by="format"
        ),
        wrong(
            "nothing loaded",
            _but(("      - name: Load\n        run: python -m ingest.shop_api\n", "")),
            "empty-warehouse",
            decided_by="good",
        ),
        wrong("does not say where the API is", _but(("      SHOP_API_URL: recorded\n", "")), "no-source", decided_by="good"),
        wrong(
            "loads from the live API",
            _but(
                (
                    "SHOP_API_URL: recorded",
                    "SHOP_API_URL: ${{ vars.SHOP_API_URL }}\n      SHOP_API_TOKEN: ${{ secrets['SHOP_API_TOKEN'] }}",
                )
            ),
            "secret-in-gate",
        ),
        wrong(
            "the token in the file",
            _but(("SHOP_API_URL: recorded", f"SHOP_API_URL: recorded\n      SHOP_API_TOKEN: {company.token()}")),
            "plain-secret",
        ),
        wrong("pull_request_target", _but(("on: pull_request", "on: pull_request_target")), "target"),
        wrong(
            "a gate in production's environment",
            _but(("    timeout-minutes: 10", "    timeout-minutes: 10\n    environment: production")),
            "environment-in-gate",
        ),
        wrong(
            "only pull requests against main",
            _but(("on: pull_request", "on: {pull_request: {branches: [main]}}")),
            "branch-filter",
        ),
        wrong("only dbt's files", _but(("on: pull_request", "on: {pull_request: {paths: ['dbt/**']}}")), "path-filter"),
        wrong("the default token", _but(("permissions: {contents: read}\n", "")), "default-token"),
        wrong("no time limit", _but(("    timeout-minutes: 10\n", "")), "no-timeout"),
        wrong(
            "no look for secrets",
            _but(("detect-secrets-hook --baseline .secrets.baseline $(git ls-files)", "git ls-files")),
            "missing",
            decided_by="secret",
        ),
    ),
    right=(
        right("one script, run and then test", {CI: ONE_SCRIPT}),
        right("two jobs", {CI: TWO_JOBS}),
        right("a Makefile and a called workflow of the team's own", OWN_FILES),
    ),
    spared={
        "timeout-minutes": "a minute more or less decides nothing here",
        "10 →": "a minute more or less decides nothing here",
        "with": "the checkout's credentials are judged in 04.5",
        "persist-credentials": "judged in 04.5",
        "workflow_call": "who else calls it is not judged",
        ".steps[0]": "judged by what follows",
        "runs-on": "every job runs on the one runner",
    },
)
