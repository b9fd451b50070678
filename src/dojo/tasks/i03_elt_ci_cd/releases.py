"""Tasks i03.4 and i03.5 with their opposition: releases and undoings that people write."""

from __future__ import annotations

from dojo.judge.contract import Check, Task, edited, file, right, wrong
from dojo.tasks.i03_elt_ci_cd import company
from dojo.tasks.i03_elt_ci_cd.releasing import (
    DEPLOY,
    UNDO,
    back_without_a_gap,
    framed,
    goes_back,
    leaves_alone,
    never_half,
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
THREE_BACK = BACK.replace("group: production", 'group: "release-${{ github.ref }}"').replace(
    "previous/prod.duckdb", "before.duckdb"
)


def _but(*pairs: tuple[str, str]) -> dict[str, str]:
    return {DEPLOY: edited(GOOD, *pairs)}


def _back(*pairs: tuple[str, str]) -> dict[str, str]:
    return {DEPLOY: GOOD, UNDO: edited(BACK, *pairs)}


IN_PLACE = (
    ("/next/prod.duckdb\n", "/prod.duckdb\n"),
    (
        'run: mkdir -p "$FOLDER/next" "$FOLDER/previous" && cp "$FOLDER/prod.duckdb" "$SHOPFLOW_WAREHOUSE"',
        'run: mkdir -p "$FOLDER/previous" && cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"',
    ),
    (
        '        run: |\n          cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"\n          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n',
        '        if: failure()\n        run: mv "$FOLDER/previous/prod.duckdb" "$FOLDER/prod.duckdb"\n',
    ),
)
"""Built in production, with a copy that is moved back when something fails."""


SECRET = "          SHOP_API_TOKEN: ${{ secrets.SHOP_API_TOKEN }}\n"
SPARED = {
    "queue": "who else may wait is not tried",
    "timeout-minutes": "a minute more or less decides nothing here",
    "15 →": "a minute more or less decides nothing here",
    "5 →": "a minute more or less decides nothing here",
    "persist-credentials": "judged in 04.5",
    ".with": "judged in 04.5",
    "cancel-in-progress: dropped": "false is the default",
    ".steps[0]": "judged by what follows",
}

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
        Check("shows finance whole releases only, at any moment", never_half),
    ),
    hints=(
        "What has finance in front of it while dbt builds, and what when its last test fails? Which tests can fail today that were green on the recorded answers?",
        "A first job calls `./.github/workflows/ci.yml`. A second, in `environment: production`, copies `prod.duckdb` aside, loads and builds in the copy, and moves the copy into place at the end.",
        '`env: {FOLDER: ${{ vars.WAREHOUSE_FOLDER }}, SHOPFLOW_WAREHOUSE: ${{ vars.WAREHOUSE_FOLDER }}/next/prod.duckdb}`; the token only in the load\'s `env`; last step: `cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"` and `mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"`; `concurrency: {group: production, cancel-in-progress: false}`.',
    ),
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "started by that push": "every push to every branch",
        "at any moment": "copied over production in place",
        "must not reach a step that does without": "the key for the whole job",
        "a good merge is loaded": "the recorded answers in production",
        "tested and released": "never put in place",
        "leaves production exactly as it was": "publishes whatever happened",
        "and the run red": "red is painted green",
        "when only today's data show that it is bad": "runs the models, tests nothing",
        "also when the runner dies half-way": "a folder that must not be there yet",
    },
    wrong=(
        wrong("every push to every branch", _but(("on: {push: {branches: [main]}}", "on: push")), "every-branch"),
        wrong(
            "pull requests as well",
            _but(("on: {push: {branches: [main]}}", "on: {push: {branches: [main]}, pull_request: {}}")),
            "from-pull-request",
        ),
        wrong("no environment", _but(("    environment: production\n", "")), "no-environment"),
        wrong(
            "the newest merge cuts the older off",
            _but(("cancel-in-progress: false", "cancel-in-progress: true")),
            "cancels-release",
        ),
        wrong("no queue", _but(("concurrency: {group: production, cancel-in-progress: false}\n", "")), "no-queue"),
        wrong("a queue a commit", _but(("group: production,", 'group: "release-${{ github.sha }}",')), "own-queue"),
        wrong(
            "the key for the whole job",
            _but((SECRET, ""), ("    env:\n      FOLDER", f"    env:\n{SECRET[4:]}      FOLDER")),
            "wide-secret",
        ),
        wrong(
            "the key on the command line",
            _but(
                (
                    "run: python -m ingest.shop_api",
                    "run: SHOP_API_TOKEN=${{ secrets.SHOP_API_TOKEN }} python -m ingest.shop_api",
                ),
                (SECRET, ""),
            ),
            "secret-in-command",
        ),
        wrong("the key in the file", _but(("${{ secrets.SHOP_API_TOKEN }}", company.token())), "plain-secret"),
        wrong("the key forgotten", _but((SECRET, "")), "no-token", decided_by="good"),
        wrong(
            "builds in production",
            _but(
                ("/next/prod.duckdb\n", "/prod.duckdb\n"),
                (' && cp "$FOLDER/prod.duckdb" "$SHOPFLOW_WAREHOUSE"', ""),
                ('          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n', ""),
            ),
            "half-released",
            decided_by="live",
        ),
        wrong("builds in production, with a copy to move back", _but(*IN_PLACE), "in-place", decided_by="live"),
        wrong(
            "copied over production in place",
            _but(('mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"', 'cp "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"')),
            "in-place",
            decided_by="good",
        ),
        wrong(
            "the old one away, then the new one in",
            _but(
                (
                    '          cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"\n',
                    '          mv "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"\n',
                )
            ),
            "gap",
            decided_by="good",
        ),
        wrong(
            "loaded and moved in, tested afterwards, moved back when red",
            _but(
                ("      - name: Publish\n", "      - name: Old\n"),
                ("      - name: Build\n        run: dbt build --project-dir dbt --profiles-dir dbt\n", ""),
                (
                    '          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n',
                    '          dbt run --project-dir dbt --profiles-dir dbt\n          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n          cp "$FOLDER/prod.duckdb" "$SHOPFLOW_WAREHOUSE"\n          dbt test --project-dir dbt --profiles-dir dbt || { mv "$FOLDER/previous/prod.duckdb" "$FOLDER/prod.duckdb"; exit 1; }\n',
                ),
            ),
            "half-shown",
            decided_by="live",
        ),
        wrong(
            "a folder that must not be there yet",
            _but(
                (
                    'mkdir -p "$FOLDER/next" "$FOLDER/previous" && cp',
                    'mkdir -p "$FOLDER/previous" && mkdir "$FOLDER/next" && cp',
                ),
                (
                    '          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n',
                    '          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n          rm -r "$FOLDER/next"\n',
                ),
            ),
            "stuck-after-a-crash",
            decided_by="killed",
        ),
        wrong(
            "publishes whatever happened",
            _but(("      - name: Publish\n", "      - name: Publish\n        if: always()\n")),
            "half-released",
            decided_by="live",
        ),
        wrong(
            "red is painted green",
            _but(
                ("      - name: Build\n", "      - name: Build\n        id: build\n        continue-on-error: true\n"),
                ("      - name: Publish\n", "      - name: Publish\n        if: steps.build.outcome == 'success'\n"),
            ),
            "quiet-failure",
            decided_by="live",
        ),
        wrong("runs the models, tests nothing", _but(("dbt build", "dbt run")), "released-bad", decided_by="live"),
        wrong(
            "a merge is reviewed, so it is good",
            _but(("  checks:\n    uses: ./.github/workflows/ci.yml\n", ""), ("    needs: checks\n", "")),
            "released-untested",
            decided_by="python",
        ),
        wrong(
            "checks beside the release, not before",
            _but(("    needs: checks\n", "")),
            "released-untested",
            decided_by="python",
        ),
        wrong(
            "never put in place",
            _but(('          mv "$SHOPFLOW_WAREHOUSE" "$FOLDER/prod.duckdb"\n', "")),
            "never-published",
            decided_by="good",
        ),
        wrong(
            "the recorded answers in production",
            _but(("${{ vars.SHOP_API_URL }}", "recorded")),
            "recorded-in-prod",
            decided_by="good",
        ),
    ),
    right=(
        right("one job, a copy elsewhere", {DEPLOY: ONE_JOB}),
        right("three jobs", {DEPLOY: THREE_JOBS}),
    ),
    spared=SPARED,
)

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
        Check("leaves finance a production to read at any moment", back_without_a_gap),
        Check("says so when there is nothing to go back to", refuses_without),
    ),
    hints=(
        "What did your release leave behind? Whatever you go back to must have been kept before the new one was put in place.",
        "`deploy.yml` keeps `prod.duckdb` under another name before it moves the new one in. `rollback.yml`, on `workflow_dispatch`, puts that file back, and fails where there is none.",
        '`cp "$FOLDER/previous/prod.duckdb" "$FOLDER/next.duckdb"` and then `mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb"`; same `concurrency` and `environment: production` as the release.',
    ),
    seconds=400.0,
    executes=True,
    replays=True,
    mutants=8,
    clauses={
        "started by hand": "undone by every push",
        "brings production back": "reverts the commit and leaves the rows",
        "Where there is nothing to go back to, it fails": "success whatever happened",
        "touches nothing": "takes the wrong one away first",
        "Finance reads on while it runs": "a gap while it is put back",
        "change it if it keeps too little": "the release keeps nothing",
    },
    wrong=(
        wrong(
            "undone by every push",
            _back(("on: workflow_dispatch", "on: {workflow_dispatch: {}, push: {branches: [main]}}")),
            "undo-on-push",
        ),
        wrong("a queue of its own", _back(("group: production", "group: rollback")), "two-queues"),
        wrong("no environment", _back(("    environment: production\n", "")), "no-environment"),
        wrong(
            "reverts the commit and leaves the rows",
            _back((BACK[BACK.index("          cp ") :], "          echo 'git revert, push, and wait for tomorrow'\n")),
            "not-undone",
            decided_by="wrong",
        ),
        wrong(
            "the release keeps nothing",
            {
                **_back(),
                DEPLOY: edited(GOOD, ('          cp "$FOLDER/prod.duckdb" "$FOLDER/previous/prod.duckdb"\n', "")),
            },
            "undo-red",
            decided_by="wrong",
        ),
        wrong(
            "the release keeps the new one",
            {
                **_back(),
                DEPLOY: edited(
                    GOOD, ('cp "$FOLDER/prod.duckdb" "$FOLDER/previous', 'cp "$SHOPFLOW_WAREHOUSE" "$FOLDER/previous')
                ),
            },
            "not-undone",
            decided_by="wrong",
        ),
        wrong(
            "a gap while it is put back",
            _back(
                (
                    '          mv "$FOLDER/next.duckdb"',
                    '          mv "$FOLDER/prod.duckdb" "$FOLDER/withdrawn.duckdb"\n          mv "$FOLDER/next.duckdb"',
                )
            ),
            "gap",
            decided_by="wrong",
        ),
        wrong(
            "copied back in place",
            _back(
                (BACK[BACK.index("          cp ") :], '          cp "$FOLDER/previous/prod.duckdb" "$FOLDER/prod.duckdb"\n')
            ),
            "in-place",
            decided_by="wrong",
        ),
        wrong(
            "success whatever happened",
            _back(
                (
                    '          mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb"\n',
                    '          mv "$FOLDER/next.duckdb" "$FOLDER/prod.duckdb" || true\n',
                ),
                ('"$FOLDER/next.duckdb"\n          mv', '"$FOLDER/next.duckdb" || true\n          mv'),
            ),
            "quiet-failure",
            decided_by="nothing",
        ),
        wrong(
            "takes the wrong one away first",
            _back(
                (
                    '          cp "$FOLDER/previous',
                    '          cp "$FOLDER/prod.duckdb" "$FOLDER/withdrawn.duckdb"\n          [ -e "$FOLDER/previous/prod.duckdb" ] || rm "$FOLDER/prod.duckdb"\n          cp "$FOLDER/previous',
                )
            ),
            "destroys",
            decided_by="nothing",
        ),
    ),
    right=(
        right(
            "every release kept, the newest put back",
            {
                DEPLOY: ONE_JOB.replace("    concurrency: production\n", "").replace(
                    "jobs:\n  release", "concurrency: production\njobs:\n  release"
                ),
                UNDO: NEWEST,
            },
        ),
        right("three jobs and their undoing", {DEPLOY: THREE_JOBS, UNDO: THREE_BACK}),
    ),
    spared=SPARED
    | {
        "permissions": "a job that checks nothing out needs no token",
        ".jobs.deploy.environment": "whose key a release holds is judged in i03.4",
    },
)
