"""Containers, workflows, documents and version control: what is declared, not what is mentioned."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from dataops_audit import containers, dags, documents, versioning
from dataops_audit.findings import Seen

IMAGE = "FROM python:3.12-slim\n"
CONTAINERS = [
    ("user", "Dockerfile", IMAGE + "USER dbt\n", {"box.user", "box.pinned", "box.small"}, {"box.root"}),
    ("no user", "Dockerfile", IMAGE + "# USER dbt\nRUN echo USER dbt\n", {"box.root"}, {"box.user"}),
    ("back to root", "Dockerfile", IMAGE + "USER dbt\nUSER root\n", {"box.root"}, {"box.user"}),
    (
        "user of another stage",
        "Dockerfile",
        "FROM python:3.12 AS build\nUSER dbt\nFROM python:3.12\n",
        {"box.root"},
        {"box.user"},
    ),
    (
        "stage that has its user",
        "Dockerfile",
        "FROM python:3.12 AS base\nUSER dbt\nFROM base\nRUN true\n",
        set(),
        {"box.root"},
    ),
    ("latest", "Dockerfile", "FROM python:latest\n", {"box.latest"}, {"box.pinned"}),
    ("no tag", "Dockerfile", "FROM ubuntu\n", {"box.latest"}, {"box.pinned"}),
    ("port in the registry", "Dockerfile", "FROM registry.local:5000/python\n", {"box.latest"}, {"box.pinned"}),
    ("digest", "Dockerfile", "FROM python@sha256:" + "a" * 64 + "\n", {"box.pinned"}, {"box.latest"}),
    ("version by argument", "Dockerfile", "ARG V=3.12\nFROM python:${V}\n", {"box.pinned"}, {"box.latest"}),
    ("own stage is no tag", "Dockerfile", "FROM python:3.12 AS build\nFROM build\n", set(), {"box.latest"}),
    ("password in ENV", "Dockerfile", IMAGE + "ENV DB_PASSWORD=Wint3rIsC0ming\n", {"box.secret"}, set()),
    ("password in ARG", "Dockerfile", IMAGE + "ARG DB_PASSWORD=Wint3rIsC0ming\n", {"box.secret"}, set()),
    (
        "argument without a value",
        "Dockerfile",
        IMAGE + "ARG DB_PASSWORD\nENV DB_PASSWORD=$DB_PASSWORD\n",
        set(),
        {"box.secret"},
    ),
    (".env copied", "Dockerfile", IMAGE + "COPY .env /app/\n", {"box.secret"}, set()),
    ("example copied", "Dockerfile", IMAGE + "COPY .env.example /app/.env\n", set(), {"box.secret"}),
    ("build secret", "Dockerfile", IMAGE + "RUN --mount=type=secret,id=npmrc npm ci\n", set(), {"box.secret"}),
    (
        "layers",
        "Dockerfile",
        IMAGE + "COPY requirements.txt .\nRUN pip install -r requirements.txt\nCOPY . .\n",
        {"box.layers"},
        set(),
    ),
    ("everything first", "Dockerfile", IMAGE + "COPY . .\nRUN pip install -r requirements.txt\n", set(), {"box.layers"}),
    (
        "healthy",
        "compose.yml",
        "services:\n  a:\n    image: x:1\n    healthcheck: {test: [CMD, x]}\n",
        {"box.stack", "box.health"},
        {"box.latest"},
    ),
    (
        "health switched off",
        "compose.yml",
        "services:\n  a:\n    image: x:1\n    healthcheck: {disable: true}\n",
        {"box.stack"},
        {"box.health"},
    ),
    ("privileged", "docker-compose.yml", "services:\n  a:\n    privileged: true\n", {"box.privileged"}, set()),
    ("not privileged", "docker-compose.yml", "services:\n  a:\n    privileged: false # true\n", set(), {"box.privileged"}),
    (
        "cron job without limits",
        "k8s/a.yaml",
        (
            "apiVersion: batch/v1\nkind: CronJob\nspec:\n  schedule: '0 5 * * *'\n  jobTemplate:\n    "
            "spec:\n      template:\n        spec:\n          containers:\n            - name: a\n          "
            "    image: x\n"
        ),
        {"box.no-limits", "box.latest", "run.schedule", "box.cluster"},
        {"box.limits"},
    ),
    (
        "limits and probes, second document",
        "k8s/a.yaml",
        (
            "---\napiVersion: v1\nkind: Service\n---\napiVersion: apps/v1\nkind: Deployment\nspec:\n  "
            "template:\n    spec:\n      containers:\n        - name: a\n          image: x:1.2\n          "
            "resources: {limits: {memory: 1Gi}}\n          livenessProbe: {exec: {command: [a]}}\n"
        ),
        {"box.limits", "box.health"},
        {"box.no-limits", "box.latest"},
    ),
    (
        "secret in a manifest",
        "k8s/s.yaml",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\ndata:\n  password: V2ludDNySXNDMG1pbmch\n",
        {"sec.secret"},
        set(),
    ),
    (
        "secret by reference",
        "k8s/s.yaml",
        "apiVersion: v1\nkind: Secret\nstringData:\n  password: ${DB_PASSWORD}\n",
        set(),
        {"sec.secret"},
    ),
    (
        "cluster admin",
        "k8s/r.yaml",
        ("apiVersion: rbac\nkind: ClusterRole\nrules:\n  - apiGroups: ['*']\n    resources: ['*']\n    verbs: ['*']\n"),
        {"sec.full-access"},
        set(),
    ),
]


@pytest.mark.parametrize(("name", "path", "text", "wanted", "unwanted"), CONTAINERS, ids=[case[0] for case in CONTAINERS])
def test_containers(
    seen: Callable[..., Seen], name: str, path: str, text: str, wanted: set[str], unwanted: set[str]
) -> None:
    found = {one.rule for one in seen(containers.read, {path: text}).findings if one.sure != "possible"}
    assert wanted <= found
    assert not unwanted & found


AIRFLOW = "from airflow import DAG\nfrom airflow.operators.python import PythonOperator\n"
DAGS = [
    (
        "all declared",
        AIRFLOW
        + (
            "args = {'retries': 3, 'execution_timeout': t, 'on_failure_callback': tell}\nwith DAG('a', "
            "schedule='@daily', catchup=False, default_args=args):\n    PythonOperator(task_id='a') >> "
            "PythonOperator(task_id='b')\n"
        ),
        {"run.workflow", "run.schedule", "run.retries", "run.timeout", "run.alert", "run.catchup", "run.dependencies"},
        {"run.no-retries", "run.no-alert", "run.no-timeout"},
    ),
    (
        "all in comments and strings",
        AIRFLOW
        + (
            "# retries=3, on_failure_callback=tell, schedule='@daily'\nNOTE = 'retries: 3'\nwith DAG('a'):\n"
            "    PythonOperator(task_id='a')\n"
        ),
        {"run.workflow", "run.no-retries", "run.no-alert"},
        {"run.retries", "run.schedule", "run.alert"},
    ),
    (
        "nothing but zeros",
        AIRFLOW + "DAG('a', schedule=None, default_args={'retries': 0, 'on_failure_callback': None})\n",
        {"run.no-retries"},
        {"run.retries", "run.schedule", "run.alert"},
    ),
    ("moving start", AIRFLOW + "DAG('a', start_date=datetime.now())\n", {"run.moving-start"}, set()),
    (
        "fixed start",
        AIRFLOW + "DAG('a', start_date=datetime(2025, 1, 1))  # not datetime.now()\n",
        set(),
        {"run.moving-start"},
    ),
    (
        "hidden error",
        AIRFLOW
        + (
            "DAG('a')\ndef load():\n    try:\n        run()\n        write()\n    except Exception as "
            "error:\n        print(error)\n"
        ),
        {"run.swallowed"},
        set(),
    ),
    (
        "error told and raised",
        AIRFLOW
        + (
            "DAG('a')\ndef load():\n    try:\n        run()\n        write()\n    except Exception as "
            "error:\n        print(error)\n        raise\n"
        ),
        set(),
        {"run.swallowed"},
    ),
    (
        "publishes anyway",
        AIRFLOW + "DAG('a')\nPythonOperator(task_id='publish', trigger_rule='all_done')\n",
        {"run.publishes-anyway"},
        set(),
    ),
    (
        "cleans up anyway",
        AIRFLOW + "DAG('a')\nPythonOperator(task_id='drop_cluster', trigger_rule='all_done')\n",
        set(),
        {"run.publishes-anyway"},
    ),
    (
        "work at import",
        AIRFLOW + "import pandas as pd\nDAG('a')\nrows = pd.read_sql('select 1', con)\n",
        {"run.import-work"},
        set(),
    ),
    (
        "dagster",
        (
            "from dagster import asset, ScheduleDefinition, RetryPolicy\n"
            "@asset(retry_policy=RetryPolicy(max_retries=2))\ndef orders(raw): ...\n"
            "ScheduleDefinition(job=j, cron_schedule='0 5 * * *')\n"
        ),
        {"run.workflow", "run.schedule", "run.retries", "run.dependencies"},
        set(),
    ),
    (
        "prefect",
        (
            "from prefect import flow, task\n@task(retries=2, timeout_seconds=60)\ndef a(): ...\n@flow\ndef "
            "daily():\n    a()\n"
        ),
        {"run.workflow", "run.retries", "run.timeout"},
        {"run.schedule"},
    ),
    (
        "merge",
        AIRFLOW
        + (
            "DAG('a')\ndef load():\n    con.execute('merge into t using s on t.id = s.id when matched then "
            "update set x = 1')\n"
        ),
        {"run.idempotent"},
        set(),
    ),
    (
        "check that cannot fail its task",
        AIRFLOW + "DAG('a')\nBashOperator(task_id='t', bash_command=f'cd {HERE} && dbt test || true')\n",
        {"run.swallowed"},
        set(),
    ),
    (
        "check that only talks",
        AIRFLOW + "DAG('a')\nBashOperator(task_id='t', bash_command=\"dbt test || echo 'failed'\")\n",
        {"run.swallowed"},
        set(),
    ),
    (
        "check that fails its task",
        AIRFLOW + ("DAG('a')\nBashOperator(task_id='t', bash_command='source venv/bin/activate && dbt test || exit 1')\n"),
        set(),
        {"run.swallowed"},
    ),
    (
        "harmless mask beside it",
        AIRFLOW + "DAG('a')\nBashOperator(task_id='t', bash_command='rm -rf target || true; dbt test')\n",
        set(),
        {"run.swallowed"},
    ),
    ("no workflow", "import pandas\nretries = 3\n", set(), {"run.workflow", "run.retries"}),
    ("broken", "from airflow import DAG\nwith DAG('a')\n    x\n", {"run.broken"}, set()),
]


@pytest.mark.parametrize(("name", "text", "wanted", "unwanted"), DAGS, ids=[case[0] for case in DAGS])
def test_workflows(seen: Callable[..., Seen], name: str, text: str, wanted: set[str], unwanted: set[str]) -> None:
    found = {one.rule for one in seen(dags.read, {"dags/daily.py": text}).findings}
    assert wanted <= found
    assert not unwanted & found


POSTMORTEM = """
# Postmortem: revenue doubled

## Timeline
- 05:42 the load ran twice
- 07:10 finance called
- 07:55 the second load was removed

## Contributing causes
The load appended instead of replacing its day, and no test counted the rows of a day.
The alert on volumes went to a channel that nobody reads before nine.

## Actions
| what | owner | due |
| --- | --- | --- |
| merge on order_id | Petra | 2025-11-20 |
"""
RUNBOOK = """
# Runbook: the load is late

Use this when freshness of raw.orders is older than 07:00 and finance waits for the morning numbers.
It takes about fifteen minutes, most of which is waiting for the load to run again after the source is back.

1. Ask whether the source is up: `curl https://shop.example/health` shows ok.
2. Run `shopflow load --day yesterday`; it may be run again safely.
3. Compare the row count with the day before; it should differ by less than a fifth.

## Rollback
Run `shopflow publish --to last-good` and tell finance.

## Escalation
After thirty minutes call the platform lead, then the head of data; numbers are in the rota.
"""
DOCUMENTS = [
    ("postmortem", "docs/postmortems/a.md", POSTMORTEM, {"inc.postmortem", "inc.actions"}, {"inc.template", "inc.empty"}),
    (
        "template",
        "docs/postmortem-template.md",
        ("# Postmortem\n\n## Timeline\n- HH:MM TBD\n\n## Causes\n<why>\n\n## Actions\n| TODO | [owner] | YYYY-MM-DD |\n"),
        {"inc.template"},
        {"inc.postmortem", "inc.actions"},
    ),
    ("empty postmortem", "docs/postmortems/b.md", "# Postmortem\n", {"inc.empty"}, {"inc.postmortem"}),
    ("runbook", "docs/runbooks/late.md", RUNBOOK, {"inc.runbook", "inc.rollback", "inc.on-call"}, {"inc.empty"}),
    ("runbook to come", "docs/runbook.md", "# Runbook\n\nTODO\n", {"inc.empty"}, {"inc.runbook"}),
    (
        "mentioned only",
        "README.md",
        "# Shop\n\nWe will write a runbook and a postmortem and define an SLO soon.\n",
        set(),
        {"inc.runbook", "inc.postmortem", "obs.slo"},
    ),
    (
        "objective",
        "docs/slo.md",
        "# SLO of fact_sales\n\nFresh by 07:00 on 95 % of days, measured by the run log.\n",
        {"obs.slo"},
        set(),
    ),
    ("objective without a number", "docs/slo.md", "# SLO of fact_sales\n\nTo be agreed.\n", set(), {"obs.slo"}),
    ("objective as data", "slo.yml", "slos:\n  - name: fresh\n    objective: 0.95\n", {"obs.slo"}, set()),
    (
        "alert rule",
        "rules.yml",
        "groups:\n  - name: a\n    rules:\n      - alert: Late\n        expr: age > 3600\n",
        {"obs.alerts"},
        set(),
    ),
    (
        "alert in a comment",
        "rules.yml",
        "groups:\n  - name: alerts\n    rules: []\n#      - alert: Late\n#        expr: age > 3600\n",
        set(),
        {"obs.alerts"},
    ),
    (
        "alarm",
        "main.tf",
        'resource "aws_cloudwatch_metric_alarm" "late" {\n  alarm_actions = [a]\n}\n',
        {"obs.alerts"},
        set(),
    ),
    ("alarm that calls nobody", "main.tf", 'resource "aws_cloudwatch_metric_alarm" "late" {\n}\n', set(), {"obs.alerts"}),
    (
        "clicked together",
        "docs/platform.md",
        "# Platform\n\nThe bucket was created by hand in the AWS console by Jonas.\n",
        {"iac.by-hand"},
        set(),
    ),
    ("never by hand", "docs/platform.md", "Buckets are never created by hand in the console.\n", set(), {"iac.by-hand"}),
    ("clicks elsewhere", "docs/pr.md", "Click Merge when the checks are green.\n", set(), {"iac.by-hand"}),
    (
        "people are told",
        ".github/workflows/a.yml",
        ("on: push\njobs:\n  a:\n    steps:\n      - if: failure()\n        uses: slackapi/slack-github-action@v1\n"),
        {"obs.notify"},
        set(),
    ),
]


@pytest.mark.parametrize(("name", "path", "text", "wanted", "unwanted"), DOCUMENTS, ids=[case[0] for case in DOCUMENTS])
def test_documents(seen: Callable[..., Seen], name: str, path: str, text: str, wanted: set[str], unwanted: set[str]) -> None:
    found = {one.rule for one in seen(documents.read, {path: text}).findings if one.sure != "possible"}
    assert wanted <= found
    assert not unwanted & found


def notebook(source: str, *outputs: dict[str, object]) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": [source], "outputs": list(outputs)}]}, indent=1)


VERSIONED = [
    ("owners", {"CODEOWNERS": "* @shop/data\n"}, {"vc.owners"}, {"vc.no-owners"}),
    ("owners to come", {"CODEOWNERS": "# * @shop/data\n"}, {"vc.no-owners"}, {"vc.owners"}),
    ("owners in the wrong place", {"dbt/CODEOWNERS": "* @shop/data\n"}, {"vc.no-owners"}, {"vc.owners"}),
    (
        "hooks",
        {".pre-commit-config.yaml": "repos:\n  - repo: x\n    hooks:\n      - id: gitleaks\n"},
        {"vc.hooks", "sec.scanner"},
        {"vc.idle-hooks"},
    ),
    (
        "hooks commented out",
        {".pre-commit-config.yaml": "repos: []\n#  - repo: x\n#    hooks:\n#      - id: gitleaks\n"},
        {"vc.idle-hooks"},
        {"vc.hooks", "sec.scanner"},
    ),
    (
        "hooks for hands only",
        {".pre-commit-config.yaml": "default_stages: [manual]\nrepos:\n  - repo: x\n    hooks:\n      - id: gitleaks\n"},
        {"vc.idle-hooks"},
        {"vc.hooks"},
    ),
    (
        "view made in a notebook",
        {"a.ipynb": notebook("con.execute('create or replace view revenue as select 1')")},
        {"vc.logic-outside"},
        set(),
    ),
    (
        "view in a comment",
        {"a.ipynb": notebook("# create view revenue as select 1")},
        {"vc.clean-notebooks"},
        {"vc.logic-outside"},
    ),
    ("temporary view", {"a.ipynb": notebook("con.execute('create temp view x as select 1')")}, set(), {"vc.logic-outside"}),
    ("conflict", {"a.sql": "<<<<<<< HEAD\nselect 1\n=======\nselect 2\n>>>>>>> theirs\n"}, {"vc.conflict"}, set()),
    ("heading of a table", {"a.md": "Title\n=======\n"}, set(), {"vc.conflict"}),
    ("copies", {"models/orders_final_v2.sql": "select 1", "models/orders (1).sql": "select 1"}, {"vc.copies"}, set()),
    (
        "names with final in them",
        {"models/final_orders.sql": "select 1", "models/orders_v2.sql": "select 1"},
        set(),
        {"vc.copies"},
    ),
]


@pytest.mark.parametrize(("name", "files", "wanted", "unwanted"), VERSIONED, ids=[case[0] for case in VERSIONED])
def test_version_control(
    seen: Callable[..., Seen], name: str, files: dict[str, str], wanted: set[str], unwanted: set[str]
) -> None:
    found = {one.rule for one in seen(versioning.read, files).findings}
    assert wanted <= found
    assert not unwanted & found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("#!/bin/bash\nset -euo pipefail\ncd dbt\ndbt deps || true\ndbt run\ndbt test || true\n", True),
        (
            (
                "#!/bin/bash\nhandle_error() { echo $1; exit 1; }\ndbt run || handle_error run\ndbt test || "
                "handle_error test\necho done\n"
            ),
            False,
        ),
        ("#!/bin/sh\nset -e\ndbt test || exit 1\ndbt docs generate || true\n", False),
    ],
)
def test_scripts_of_the_daily_run(seen: Callable[..., Seen], text: str, told: bool) -> None:
    assert seen(dags.read, {"run_daily.sh": text}).has("run.swallowed") is told
