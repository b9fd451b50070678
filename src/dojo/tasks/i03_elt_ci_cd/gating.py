"""Task i03.3: the gate, executed on prepared pull requests."""

from __future__ import annotations

import re
from dataclasses import replace
from weakref import WeakKeyDictionary

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.i03_elt_ci_cd import company
from dojo.tasks.i03_elt_ci_cd.changes import pull_requests
from dojo.tasks.m04_continuous_integration import gate
from dojo.tasks.m04_continuous_integration.gate import Tried
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest

CI = "repo/.github/workflows/ci.yml"
_TRIED: WeakKeyDictionary = WeakKeyDictionary()
SEEN_BY = {"no tests": "python", "source": "data test"}
"""Kinds that the same program sees as another kind."""


def request(text: str, pulls: tuple[PullRequest, ...]) -> dict:
    """What the runner needs to try a workflow on pull requests to this repository."""
    return {"workflow": text, "files": company.main_branch(), "pull_requests": [p.as_request() for p in pulls]}


def tried(work: Work, pulls: tuple[PullRequest, ...]) -> list[Tried]:
    """The workflow on some pull requests, each once for a piece of work; the good one first, as in module 04."""
    known = _TRIED.setdefault(work, {})
    if pulls not in known:
        known[pulls] = _try(work, work.file(CI), pulls)
    return known[pulls]


def _try(work: Work, text: str, pulls: tuple[PullRequest, ...]) -> list[Tried]:
    graded = work.isolated is not None
    if graded and _problems(text):
        return [Tried(p, None) for p in pulls]
    done: list[Tried] = []
    while len(done) < len(pulls):
        batch = pulls[len(done) :] if done and not graded else pulls[len(done) : len(done) + 2]
        done += [Tried(p, r) for p, r in zip(batch, work.tool("act", request(text, batch)), strict=True)]
        if not done[0].as_it_should or (graded and not all(t.as_it_should for t in done)):
            break
    return done + [Tried(p, None) for p in pulls[len(done) :]]


def _problems(text: str) -> list[tuple[str, str]]:
    """(cause, sentence) for what is wrong before anything runs: trigger, token, time limit, credentials."""
    workflow = parse_yaml(text, "the workflow")
    if not isinstance(workflow, dict) or not gate.jobs(workflow):
        return [("no-jobs", "The file holds no `jobs`.")]
    found = []
    if "pull_request_target" in gate.triggers(workflow):
        found.append(("target", "`pull_request_target` runs a stranger's code with your secrets and a token that writes. A gate is started by `pull_request`, which gets neither."))  # fmt: skip
    named = sorted(set(re.findall(r"\$\{\{[^}]*\bsecrets\s*(?:\.|\[\W*)\s*(\w+)", text)) - {"GITHUB_TOKEN"})
    if named:
        found.append(("secret-in-gate", f"The gate asks for `secrets.{named[0]}`. A pull request from a fork gets an empty one and is red for no fault of its own; one from a branch can print it. The recorded answers need no key."))  # fmt: skip
    if company.token() in text:
        found.append(("plain-secret", "The token stands in the workflow, and the repository's history keeps it."))
    wanting = [n for n, j in gate.jobs(workflow).items() if j.get("environment")]
    if wanting:
        found.append(("environment-in-gate", f"Job `{wanting[0]}` enters an environment. What runs on a stranger's code enters none: an environment is where its secrets are."))  # fmt: skip
    return found + gate.problems(text)


def safe(work: Work, seed: int) -> str:
    found = _problems(work.file(CI))
    if found:
        raise NotYet("\n".join(s for _, s in found), tried="the workflow as a text", cause=found[0][0])
    return "Started by pull requests, with a token that reads, a time limit and no credential."


def lets_good_through(work: Work, seed: int) -> str:
    rows = tried(work, pull_requests(seed))
    first = rows[0].result
    said = " ".join(s["said"] for s in first["steps"]) if first else ""
    if first and first["colour"] == "red" and "SHOP_API_URL" in said:
        raise NotYet("The load does not know where the API is. A gate has the recorded answers: `SHOP_API_URL: recorded`.", tried=rows[0].pull.title, expected="green", got=f"red at {first['decided']}", cause="no-source")  # fmt: skip
    return gate.lets_good_through(rows, work.file(CI))


def stops_bad(work: Work, seed: int) -> str:
    rows, text = tried(work, pull_requests(seed)), work.file(CI)
    alike = [Tried(replace(r.pull, kind=SEEN_BY.get(r.pull.kind, r.pull.kind)), r.result) for r in rows]
    passed = [r for r in rows if r.pull.colour == "red" and r.result is not None and not r.as_it_should]
    untested = next((r for r in passed if r.pull.kind == "no tests"), None)
    if rows[0].as_it_should and untested and re.search(r"^[^#\n]*\b(pytest|unittest)\b", text, re.M):
        raise NotYet(
            f"“{untested.pull.title}” came out green. With every test commented out, pytest ends with 5, “no tests ran”; something in the workflow takes 5 for good.",
            tried=untested.pull.title, expected="red", got=gate.table(rows), cause="no-tests-is-fine",
        )  # fmt: skip
    said = gate.stops_bad(alike, text).splitlines()[0]
    return f"{said}\n{gate.table(rows)}"


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
    branches: [main]
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
TWO_JOBS = HEAD.replace("  checks:", "  code:") + STEPS[: STEPS.index("      - name: Load")] + HEAD[HEAD.index("  checks:") :].replace("  checks:", "  data:\n    needs: code") + STEPS[STEPS.index("      - name: Load") :]  # fmt: skip


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    text = WHOLE
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"the gate no longer holds {old!r}")
        text = text.replace(old, new)
    return {CI: text}


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
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("dbt is parsed, never run", _but((BUILD, BUILD.replace("build", "parse"))), "missing"),
        wrong("the tests still commented out", _but(("      - name: Tests\n        run: pytest -q\n", "      # - name: Tests\n      #   run: pytest -q\n")), "commented-out"),
        wrong("no tests is fine", _but(("run: pytest -q", "run: pytest -q || [ $? -eq 5 ]")), "no-tests-is-fine"),
        wrong("models built, never tested", _but((BUILD, BUILD.replace("build", "run"))), "never-tested"),
        wrong("nothing loaded", _but(("      - name: Load\n        run: python -m ingest.shop_api\n", "")), "empty-warehouse"),
        wrong("does not say where the API is", _but(("      SHOP_API_URL: recorded\n", "")), "no-source"),
        wrong("loads from the live API", _but(("SHOP_API_URL: recorded", "SHOP_API_URL: ${{ vars.SHOP_API_URL }}\n      SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}")), "secret-in-gate"),
        wrong("the token in the file", _but(("SHOP_API_URL: recorded", f"SHOP_API_URL: recorded\n      SHOP_API_TOKEN: {company.token()}")), "plain-secret"),
        wrong("pull_request_target", _but(("on: pull_request", "on: pull_request_target")), "target"),
        wrong("a gate in production's environment", _but(("    timeout-minutes: 10", "    timeout-minutes: 10\n    environment: production")), "environment-in-gate"),
        wrong("only dbt's files", _but(("on: pull_request", "on: {pull_request: {paths: ['dbt/**']}}")), "path-filter"),
        wrong("the default token", _but(("permissions: {contents: read}\n", "")), "default-token"),
        wrong("no look for secrets", _but(("detect-secrets-hook --baseline .secrets.baseline $(git ls-files)", "git ls-files")), "missing"),
    ),
    right=(
        right("one script, run and then test", {CI: ONE_SCRIPT}),
        right("two jobs", {CI: TWO_JOBS}),
    ),
    spared={"timeout-minutes": "a minute more or less decides nothing here", "10 →": "a minute more or less decides nothing here", "with": "the checkout's credentials are judged in 04.5", "persist-credentials": "judged in 04.5", "workflow_call": "who else calls it is not judged", ".steps[0]": "judged by what follows"},
)  # fmt: skip
