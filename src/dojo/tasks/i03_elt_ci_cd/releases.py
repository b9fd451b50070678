"""Tasks i03.4 and i03.5 with their opposition: releases and undoings that people write."""

from __future__ import annotations

from dojo.judge.contract import Check, Task, file, right, wrong
from dojo.tasks.i03_elt_ci_cd import company
from dojo.tasks.i03_elt_ci_cd.releasing import (
    DEPLOY,
    UNDO,
    framed,
    goes_back,
    leaves_alone,
    production,
    publishes,
    refuses_without,
    undo_framed,
)

GOOD = """name: deploy
on: {push: {branches: [main]}}
permissions: {contents: read}
concurrency: {group: production, cancel-in-progress: false}
jobs:
  checks:
    uses: ./.github/workflows/ci.yml
  deploy:
    needs: checks
    runs-on: ubuntu-latest
    timeout-minutes: 15
    environment: production
    env:
      FOLDER: ${{ vars.WAREHOUSE_FOLDER }}
      SHOPFLOW_WAREHOUSE: ${{ vars.WAREHOUSE_FOLDER }}/next/prod.duckdb
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
      - name: Copy
        run: mkdir -p "$FOLDER/next" "$FOLDER/previous" && cp "$FOLDER/prod.duckdb" "$SHOPFLOW_WAREHOUSE"
      - name: Load
        run: python -m ingest.shop_api
        env:
          SHOP_API_URL: ${{ vars.SHOP_API_URL }}
          SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}
      - name: Build
        run: dbt build --project-dir dbt --profiles-dir dbt
      - name: Publish
        run: |
          cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"
          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"
"""
BACK = """name: rollback
on: workflow_dispatch
permissions: {}
concurrency: {group: production, cancel-in-progress: false}
jobs:
  undo:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    environment: production
    env: {FOLDER: "${{ vars.WAREHOUSE_FOLDER }}"}
    steps:
      - name: Put the previous release back
        run: |
          cp "$FOLDER/previous/prod.duckdb" "$FOLDER/next.duckdb"
          mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb"
"""
ONE_JOB = """name: release
on:
  push:
    branches: [main]
  workflow_dispatch:
permissions: {contents: read}
jobs:
  release:
    runs-on: ubuntu-24.04
    timeout-minutes: 20
    environment: {name: production}
    concurrency: production
    steps:
      - uses: actions/checkout@v5
      - run: pytest -q
      - shell: bash
        env: {LIVE: "${{ vars.WAREHOUSE_FOLDER }}", SHOP_API_URL: "${{ vars.SHOP_API_URL }}", SHOP_API_TOKEN: "${{ secrets.SHOP_API_TOKEN }}"}
        run: |
          set -euo pipefail
          export SHOPFLOW_WAREHOUSE="$(mktemp -d)/prod.duckdb"
          cp "$LIVE/prod.duckdb" "$SHOPFLOW_WAREHOUSE"
          python -m ingest.shop_api
          env -u SHOP_API_TOKEN dbt build --project-dir dbt --profiles-dir dbt
          mkdir -p "$LIVE/kept"
          cp "$LIVE/prod.duckdb" "$LIVE/kept/$(date +%s%N).duckdb"
          cp "$SHOPFLOW_WAREHOUSE" "$LIVE/.incoming" && mv "$LIVE/.incoming" "$LIVE/prod.duckdb"
"""
NEWEST = """name: undo
on:
  workflow_dispatch:
    inputs:
      why: {description: "What is wrong with the release", required: false}
permissions: {contents: read}
concurrency: production
jobs:
  undo:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    environment: production
    steps:
      - shell: python
        env: {LIVE: "${{ vars.WAREHOUSE_FOLDER }}"}
        run: |
          import os, pathlib, shutil, sys
          live = pathlib.Path(os.environ["LIVE"])
          kept = sorted((live / "kept").glob("*.duckdb"))
          if not kept:
              sys.exit("no earlier release is kept: nothing to go back to")
          shutil.copy(kept[-1], live / ".incoming")
          os.replace(live / ".incoming", live / "prod.duckdb")
          kept[-1].unlink()
"""
THREE_JOBS = """on: {push: {branches: main}}
name: three jobs
permissions: {contents: read, id-token: write}
concurrency: {group: "release-${{ github.ref }}"}
env: {NEXT: "${{ github.run_id }}"}
jobs:
  load_tests:
    runs-on: ubuntu-latest
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@v5
      - run: python -m pytest
  build:
    needs: load_tests
    environment: production
    runs-on: ubuntu-latest
    timeout-minutes: 9
    steps:
      - uses: actions/checkout@v5
      - run: |
          rm -rf "$STAGE" && mkdir "$STAGE" && cp "$LIVE" "$STAGE/prod.duckdb"
          SHOPFLOW_WAREHOUSE="$STAGE/prod.duckdb" python -m ingest.shop_api
        env: {LIVE: "${{ vars.WAREHOUSE_FOLDER }}/prod.duckdb", STAGE: "${{ vars.WAREHOUSE_FOLDER }}/stage", SHOP_API_URL: "${{ vars.SHOP_API_URL }}", SHOP_API_TOKEN: "${{ secrets.SHOP_API_TOKEN }}"}
      - run: dbt run --profiles-dir . && dbt test --profiles-dir .
        working-directory: dbt
        env: {SHOPFLOW_WAREHOUSE: "${{ vars.WAREHOUSE_FOLDER }}/stage/prod.duckdb"}
  publish:
    needs: [load_tests, build]
    environment: production
    runs-on: ubuntu-latest
    timeout-minutes: 2
    steps:
      - run: cp -f prod.duckdb before.duckdb && mv stage/prod.duckdb prod.duckdb
        working-directory: ${{ vars.WAREHOUSE_FOLDER }}
"""
THREE_BACK = BACK.replace("group: production", "group: \"release-${{ github.ref }}\"").replace("previous/prod.duckdb", "before.duckdb")  # fmt: skip


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    return {DEPLOY: _replaced(GOOD, pairs)}


def _back(*pairs: tuple[str, str]) -> dict[str, str]:
    return {DEPLOY: GOOD, UNDO: _replaced(BACK, pairs)}


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"the workflow no longer holds {old!r}")
        text = text.replace(old, new)
    return text


SECRET = "          SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}\n"
SPARED = {"timeout-minutes": "a minute more or less decides nothing here", "15 →": "a minute more or less decides nothing here", "5 →": "a minute more or less decides nothing here", "persist-credentials": "judged in 04.5", ".with": "judged in 04.5", "cancel-in-progress: dropped": "false is the default", ".steps[0]": "judged by what follows"}  # fmt: skip

RELEASE = Task(
    id="i03.4",
    title="A release that can fail",
    minutes=15,
    points=4,
    deliver=(file(DEPLOY),),
    data=production,
    checks=(
        Check("is started, guarded and queued as a release", framed),
        Check("releases a good merge", publishes, expected=lambda d: d.merges[0].takings),
        Check("leaves production alone when a merge is bad", leaves_alone, expected=lambda d: d.released),
    ),
    hints=(
        "What has finance in front of it while dbt builds, and what when its last test fails? Which tests can fail today that were green on the recorded answers?",
        "A first job calls `./.github/workflows/ci.yml`. A second, in `environment: production`, copies `prod.duckdb` aside, loads and builds in the copy, and moves the copy into place at the end.",
        "`env: {FOLDER: ${{ vars.WAREHOUSE_FOLDER }}, SHOPFLOW_WAREHOUSE: ${{ vars.WAREHOUSE_FOLDER }}/next/prod.duckdb}`; the token only in the load's `env`; last step: `cp \"$FOLDER/prod.duckdb\" \"$FOLDER/previous/prod.duckdb\"` and `mv \"$SHOPFLOW_WAREHOUSE\" \"$FOLDER/prod.duckdb\"`; `concurrency: {group: production, cancel-in-progress: false}`.",
    ),
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("every push to every branch", _but(("on: {push: {branches: [main]}}", "on: push")), "every-branch"),
        wrong("pull requests as well", _but(("on: {push: {branches: [main]}}", "on: {push: {branches: [main]}, pull_request: {}}")), "from-pull-request"),
        wrong("no environment", _but(("    environment: production\n", "")), "no-environment"),
        wrong("the newest merge cuts the older off", _but(("cancel-in-progress: false", "cancel-in-progress: true")), "cancels-release"),
        wrong("no queue", _but(("concurrency: {group: production, cancel-in-progress: false}\n", "")), "no-queue"),
        wrong("a queue a commit", _but(("group: production,", "group: \"release-${{ github.sha }}\",")), "own-queue"),
        wrong("the key for the whole job", _but((SECRET, ""), ("    env:\n      FOLDER", f"    env:\n{SECRET[4:]}      FOLDER")), "wide-secret"),
        wrong("the key on the command line", _but(("run: python -m ingest.shop_api", "run: SHOP_API_TOKEN=${{ secrets.SHOP_API_TOKEN }} python -m ingest.shop_api"), (SECRET, "")), "secret-in-command"),
        wrong("the key in the file", _but(("${{ secrets.SHOP_API_TOKEN }}", company.token())), "plain-secret"),
        wrong("the key forgotten", _but((SECRET, "")), "no-token"),
        wrong("builds in production", _but(("/next/prod.duckdb\n", "/prod.duckdb\n"), (' && cp "$FOLDER/prod.duckdb" "$SHOPFLOW_WAREHOUSE"', ""), ('          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n', "")), "half-released"),
        wrong("publishes whatever happened", _but(("      - name: Publish\n", "      - name: Publish\n        if: always()\n")), "half-released"),
        wrong("runs the models, tests nothing", _but(("dbt build", "dbt run")), "released-bad"),
        wrong("a merge is reviewed, so it is good", _but(("  checks:\n    uses: ./.github/workflows/ci.yml\n", ""), ("    needs: checks\n", "")), "released-untested"),
        wrong("checks beside the release, not before", _but(("    needs: checks\n", "")), "released-untested"),
        wrong("never put in place", _but(('          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n', "")), "never-published"),
        wrong("the recorded answers in production", _but(("${{ vars.SHOP_API_URL }}", "recorded")), "recorded-in-prod"),
    ),
    right=(
        right("one job, a copy elsewhere", {DEPLOY: ONE_JOB}),
        right("three jobs", {DEPLOY: THREE_JOBS}),
    ),
    spared=SPARED,
)  # fmt: skip

REVERT = Task(
    id="i03.5",
    title="Take it back",
    minutes=10,
    points=3,
    deliver=(file(DEPLOY), file(UNDO)),
    data=production,
    checks=(
        Check("is started by hand, in the same queue", undo_framed),
        Check("brings the released rows back", goes_back, expected=lambda d: d.wrong.takings),
        Check("says so when there is nothing to go back to", refuses_without),
    ),
    hints=(
        "What did your release leave behind? Whatever you go back to must have been kept before the new one was put in place.",
        "`deploy.yml` keeps `prod.duckdb` under another name before it moves the new one in. `rollback.yml`, on `workflow_dispatch`, puts that file back, and fails where there is none.",
        "`cp \"$FOLDER/previous/prod.duckdb\" \"$FOLDER/next.duckdb\"` and then `mv \"$FOLDER/next.duckdb\" \"$FOLDER/prod.duckdb\"`; same `concurrency` and `environment: production` as the release.",
    ),
    seconds=150.0,
    mutants=3,
    wrong=(
        wrong("undone by every push", _back(("on: workflow_dispatch", "on: {workflow_dispatch: {}, push: {branches: [main]}}")), "undo-on-push"),
        wrong("a queue of its own", _back(("group: production", "group: rollback")), "two-queues"),
        wrong("no environment", _back(("    environment: production\n", "")), "no-environment"),
        wrong("reverts the commit and leaves the rows", _back((BACK[BACK.index("          cp "):], "          echo 'git revert, push, and wait for tomorrow'\n")), "not-undone"),
        wrong("the release keeps nothing", {**_back(), DEPLOY: _replaced(GOOD, (('          cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"\n', ""),))}, "undo-red"),
        wrong("the release keeps the new one", {**_back(), DEPLOY: _replaced(GOOD, (('cp "$FOLDER/prod.duckdb" "$FOLDER/previous', 'cp "$SHOPFLOW_WAREHOUSE" "$FOLDER/previous'),))}, "not-undone"),
        wrong("success whatever happened", _back(('          mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb"\n', '          mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb" || true\n'), ('"$FOLDER/next.duckdb"\n          mv', '"$FOLDER/next.duckdb" || true\n          mv')), "quiet-failure"),
        wrong("takes the wrong one away first", _back(('          cp "$FOLDER/previous', '          rm "$FOLDER/prod.duckdb"\n          cp "$FOLDER/previous')), "destroys"),
    ),
    right=(
        right("every release kept, the newest put back", {DEPLOY: ONE_JOB.replace("    concurrency: production\n", "").replace("jobs:\n  release", "concurrency: production\njobs:\n  release"), UNDO: NEWEST}),
        right("three jobs and their undoing", {DEPLOY: THREE_JOBS, UNDO: THREE_BACK}),
    ),
    spared=SPARED | {"permissions": "a job that checks nothing out needs no token"},
)  # fmt: skip
