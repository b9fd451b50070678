"""The inherited folder: ShopFlow's platform as a colleague left it on a laptop, with five pitfalls among harmless look-alikes."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shopflow.history import TEMPLATE

PITFALLS = {
    "outside-git": "logic that lives outside Git",
    "prod-by-hand": "no check that stops a change, and production edited by hand",
    "hand-clicked": "infrastructure that was clicked together",
    "unwatched": "data without an objective or anybody who notices",
    "exposed": "secrets in files and access that is too broad",
}


@dataclass(frozen=True)
class Planted:
    """A pitfall at a line (from 1) of a file: why it hurts and where people look for it.

    kind: "secret", "masked" or "full-access" where a rule of three lines finds it, else ""; by: "parser" where
    `dojo audit` can see it, "reader" where it takes a person.
    """

    path: str
    line: int
    pitfall: str
    why: str
    look: str
    kind: str = ""
    by: str = "parser"


@dataclass(frozen=True)
class LookAlike:
    """A harmless line that resembles a pitfall, and why it is none."""

    path: str
    line: int
    like: str
    why: str


@dataclass(frozen=True)
class Folder:
    """The whole folder: text by path, what was planted, and what only looks like it."""

    files: dict[str, str]
    planted: tuple[Planted, ...]
    alike: tuple[LookAlike, ...]


def build(folder: Path, seed: int = 7) -> tuple[Planted, ...]:
    """Writes the folder of that seed and returns what is planted in it. Files that stand there already are replaced."""
    made = contents(seed)
    for path, text in made.files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    return made.planted


def contents(seed: int = 7) -> Folder:
    """The folder of a seed: another seed gives other names, values, lines, and another choice of pitfalls."""
    desk = Desk(random.Random(f"inherited {seed}"))
    for name in FROM_TEMPLATE:
        desk.files[name] = (TEMPLATE / name).read_text(encoding="utf-8")
    for always, choice, count in CHOICES:
        for write in [*always, *desk.chance.sample(choice, count)]:
            write(desk)
    for write in HARMLESS:
        write(desk)
    return Folder(
        dict(sorted(desk.files.items())), tuple(sorted(desk.planted, key=_place)), tuple(sorted(desk.alike, key=_place))
    )


def _place(one: Planted | LookAlike) -> tuple[str, int]:
    return one.path, one.line


FROM_TEMPLATE = (
    "ingestion/load.py",
    "dbt/dbt_project.yml",
    "dbt/macros/business_date.sql",
    "dbt/models/staging/stg_orders.sql",
    "dbt/models/staging/stg_order_items.sql",
    "dbt/models/marts/fact_sales.sql",
    "dbt/models/marts/daily_revenue.sql",
)


class Desk:
    """The laptop while the mess is being made: files so far, what was planted, and the chance that decides."""

    def __init__(self, chance: random.Random):
        self.chance = chance
        self.files: dict[str, str] = {}
        self.planted: list[Planted] = []
        self.alike: list[LookAlike] = []
        self.person = chance.choice(["henrik", "torsten", "milan", "ruben"])

    def pick(self, *names: str) -> str:
        """One of several names."""
        return self.chance.choice(names)

    def secret(self, length: int = 20) -> str:
        """A value that looks like a password: letters and digits, at least three of these."""
        letters = self.chance.choices(string.ascii_letters, k=length - 3) + self.chance.choices("23456789", k=3)
        self.chance.shuffle(letters)
        return "q" + "".join(letters[1:]) + "7"

    def page(self, path: str, comment: str = "#", talk: int = 3) -> Page:
        """A new file, opened by up to `talk` lines of small talk (None of it matters)."""
        page = Page(self, path)
        for row in self.chance.sample(SMALL_TALK, self.chance.randint(0, talk) if comment else 0):
            page.row(f"{comment} {row}")
        return page


SMALL_TALK = (
    "moved here from the old laptop",
    "see the chat of 14 October",
    "keep in sync with the sheet",
    "cleaned up a little",
    "works, do not touch before Black Friday",
    "ask Petra about the second warehouse",
)


class Page:
    """One file being written line by line; it remembers where the pitfalls and the look-alikes stand."""

    def __init__(self, desk: Desk, path: str):
        self.desk, self.path, self._rows = desk, path, []

    def row(self, *rows: str) -> Page:
        """Ordinary lines."""
        self._rows += rows
        self.desk.files[self.path] = "\n".join(self._rows) + "\n"
        return self

    def bad(self, row: str, pitfall: str, why: str, look: str, kind: str = "", by: str = "parser") -> Page:
        """A line with a pitfall."""
        self.row(row)
        self.desk.planted.append(Planted(self.path, len(self._rows), pitfall, why, look, kind, by))
        return self

    def fine(self, row: str, like: str, why: str) -> Page:
        """A line that only looks like a pitfall."""
        self.row(row)
        self.desk.alike.append(LookAlike(self.path, len(self._rows), like, why))
        return self

    def gap(self, *rows: str) -> Page:
        """Lines that keep a look-alike well away from what it resembles."""
        return self.row("", *(rows or ("# ---",)), "", "")


# ------------------------------------------------------------------------------------------- logic outside Git


def view_in_a_notebook(desk: Desk) -> None:
    view = desk.pick("vw_top_customers", "vw_net_margin", "vw_basket", "vw_returns")
    path = f"notebooks/{desk.pick('revenue_check', 'margin', 'board_numbers', 'friday')}.ipynb"
    cells = [
        {
            "cell_type": "markdown",
            "metadata": {},
            "source": [f"# {desk.pick('Numbers for Petra', 'For the board', 'Scratch')}"],
        },
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": ["import duckdb\n", "con = duckdb.connect('warehouse/prod.duckdb')"],
        },
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "outputs": [],
            "source": [
                f'con.execute("create or replace view serving.{view} as select store_key, sum(line_revenue) * 0.81 as net from marts.fact_sales group by 1")',
            ],
        },
    ]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1)
    page = desk.page(path, "")
    for row in text.split("\n"):
        if "create or replace view" in row:
            page.bad(
                row,
                "outside-git",
                f"serving.{view} exists in the warehouse only; 0.81 is a tax rate that nobody reviewed.",
                "what the notebooks create",
            )
        else:
            page.row(row)


def query_in_a_dashboard(desk: Desk) -> None:
    page = desk.page(f"bi/{desk.pick('morning_revenue', 'board', 'store_ranking')}.json", "")
    page.row("{", '  "dashboard": "Morning revenue",', '  "refresh": "08:00",')
    page.bad(
        '  "custom_sql": "select business_date, sum(revenue_eur) - 1250 as revenue from serving.daily_revenue group by 1",',
        "outside-git",
        "The dashboard takes 1,250 euros off each day, and only the dashboard knows.",
        "the export of the dashboards",
        by="reader",
    )
    page.row('  "owner": "finance"', "}")


def macro_in_a_sheet(desk: Desk) -> None:
    page = desk.page(f"mail/{desk.pick('handover', 'last_day', 'fwd_questions')}.txt", ">")
    page.row("Hi Petra,", "", "you asked where the margin comes from.")
    page.bad(
        f"The cost of goods is worked out by the macro in {desk.pick('Margin', 'Finance', 'Cost')}_2025.xlsm on the T: drive;",
        "outside-git",
        "A mart depends on a macro on a network drive.",
        "what the mails say about where numbers come from",
        by="reader",
    )
    page.row("press F9 and paste column H into the load.", "", "Best,", desk.person.title())


def list_of_views(desk: Desk) -> None:
    page = desk.page(f"notes/{desk.pick('warehouse', 'views', 'objects')}.txt", "*")
    page.row(
        "what is in the warehouse", "------------------------", "fact_sales             dbt", "daily_revenue          dbt"
    )
    page.bad(
        f"{desk.pick('vw_vip', 'vw_refunds', 'vw_black_friday'):22} typed into the query editor, text is nowhere else",
        "outside-git",
        "The text of this view is stored in the warehouse and in no file.",
        "the notes that list what stands in the warehouse",
        by="reader",
    )
    page.row("dim_store              dbt")


def versions_by_name(desk: Desk) -> None:
    path = f"scripts/{desk.pick('load_prices', 'export_orders', 'fill_rates')}_{desk.pick('final_v2', 'copy', 'backup')}.py"
    page = Page(desk, path)
    page.bad(
        '"""Like the other one, but it works."""',
        "outside-git",
        "Which copy runs is known to one person; the name does the work of Git.",
        "file names that keep versions",
    )
    page.row(
        "",
        "import csv",
        "",
        "",
        "def rows(path):",
        "    with open(path, encoding='utf-8') as found:",
        "        return list(csv.DictReader(found))",
    )


# ------------------------------------------------------- no check that stops a change, and production edited by hand


def workflow(desk: Desk) -> None:
    """A gate with a masked check, a harmless masked clean-up, and a comment about masks."""
    mask = desk.pick("|| true", "|| exit 0", "; true")
    page = desk.page(f".github/workflows/{desk.pick('ci', 'checks', 'build')}.yml")
    page.row(
        "name: checks",
        "on: [push, pull_request]",
        "jobs:",
        "  checks:",
        "    runs-on: ubuntu-latest",
        "    steps:",
        "      - uses: actions/checkout@v4",
    )
    page.row("      - name: Tests")
    page.bad(
        f"        run: {desk.pick('pytest -q', 'pytest -q tests', 'pytest')} {mask}",
        "prod-by-hand",
        "The tests run and their failure is thrown away: the gate is green whatever happens.",
        "what the workflow does with an exit status",
        "masked",
    )
    page.row(
        "      - name: Install",
        "        run: |",
        "          python -m pip install -r requirements.txt",
        "          python --version",
        "      - name: Tidy",
    )
    page.fine(
        f"        run: rm -rf {desk.pick('tmp', 'build', 'scratch')} || true",
        "prod-by-hand",
        "A clean-up that finds nothing to clean may fail; no check is masked.",
    )
    page.row("      - name: Show", "        run: ls -l", "      - name: Report", "        run: |")
    page.fine(
        "          # do not write `pytest || true` here again, the gate was green for weeks",
        "prod-by-hand",
        "A comment about a mask masks nothing.",
    )
    page.row("          echo finished")


def second_gate(desk: Desk) -> None:
    """Another workflow, for SQL or code style, that cannot be red."""
    command = desk.pick(
        "ruff check --exit-zero .", "sqlfluff lint dbt/models || true", "dbt build --project-dir dbt || exit 0"
    )
    page = desk.page(f".github/workflows/{desk.pick('style', 'sql', 'nightly_checks')}.yml")
    page.row(
        "name: style",
        "on: pull_request",
        "jobs:",
        "  style:",
        "    runs-on: ubuntu-latest",
        "    steps:",
        "      - uses: actions/checkout@v4",
    )
    page.bad(
        f"      - run: {command}", "prod-by-hand", "The check finds and the step says 0.", "the second workflow", "masked"
    )


def hotfix(desk: Desk) -> None:
    page = desk.page(f"adhoc/{desk.pick('hotfix_stores', 'fix_prod_currency', 'manual_correction')}.sql", "--")
    euros = desk.chance.randint(200, 990)
    page.bad(
        f"update prod.marts.fact_sales set line_revenue = line_revenue + {euros} where store_key = {desk.chance.randint(2, 8)};",
        "prod-by-hand",
        "A correction typed into production: reviewed by nobody and gone with the next build.",
        "statements kept for running in production",
    )


def deploy_from_the_laptop(desk: Desk) -> None:
    page = desk.page(f"scripts/{desk.pick('deploy', 'push_live', 'release')}.sh", "#")
    page.row("#!/bin/bash", 'cd "$(dirname "$0")/../dbt"')
    page.bad(
        "dbt run --target prod   # straight from my working copy, quicker than a review",
        "prod-by-hand",
        "What is on the laptop becomes production, reviewed or not.",
        "how a change gets to production",
        by="reader",
    )
    page.row("echo done")


def typed_on_a_friday(desk: Desk) -> None:
    page = desk.page(f"notes/{desk.pick('friday', 'november', 'diary')}.md", "")
    page.row("# Diary", "", f"- {desk.chance.randint(3, 9)} Nov: new store opened, nothing to do")
    page.bad(
        f"- {desk.chance.randint(18, 27)} Nov, 18:10: took the filter out of daily_revenue on the live server, looks fine",
        "prod-by-hand",
        "Live code was edited at ten past six; the repository does not know.",
        "the diary",
        by="reader",
    )
    page.row("- 28 Nov: Black Friday, long day")


# ------------------------------------------------------------------------------------ hand-clicked infrastructure


def _clicked(desk: Desk, path: str, lines: tuple[str, ...], said: str, why: str, by: str = "parser") -> None:
    desk.page(path, "").row(*lines).bad(said, "hand-clicked", why, f"how things came to be, in {path.split('/')[0]}/", by=by)


def bucket_by_hand(desk: Desk) -> None:
    bucket = f"shopflow-{desk.pick('raw', 'landing', 'exports')}"
    _clicked(
        desk,
        f"docs/{desk.pick('platform', 'platform_notes', 'setup')}.md",
        ("# The platform", "", "Two machines and a bucket.", ""),
        f"The S3 bucket {bucket} was created by hand in the AWS console.",
        "Its settings are in nobody's code; a second one would be a guess.",
    )


def machine_by_hand(desk: Desk) -> None:
    _clicked(
        desk,
        f"docs/{desk.pick('scheduler_setup', 'airflow_setup')}.md",
        ("# Scheduler", "", "It starts the load at 05:30.", ""),
        f"The EC2 instance was set up manually by {desk.person.title()}, size by feeling.",
        "When it dies at 05:29 nobody knows what to build.",
    )


def inventory(desk: Desk) -> None:
    _clicked(
        desk,
        f"infra/{desk.pick('inventory', 'resources')}.csv",
        ("resource,purpose,made_with", "bucket shopflow-archive,old extracts,terraform"),
        f"{desk.pick('role etl-runner', 'role loader')},the nightly load,console",
        "The role exists in the cloud and in this row, nowhere else.",
        "reader",
    )


def promised_import(desk: Desk) -> None:
    page = desk.page(f"infra/{desk.pick('queue', 'alarms', 'network')}.tf", "#", 2)
    page.row("terraform {", '  required_version = ">= 1.6"', "}", "")
    page.bad(
        f"# {desk.pick('the queue', 'the alarm', 'the subnet')} exists, but only as I clicked it; import some day",
        "hand-clicked",
        "The file says that the thing is not in the file.",
        "comments in infra/",
        by="reader",
    )


def wizard(desk: Desk) -> None:
    _clicked(
        desk,
        f"mail/{desk.pick('re_warehouse', 'question_about_vpn')}.txt",
        ("Hi Mara,", "", "about the warehouse:"),
        "next, next, finish in the wizard, and I took the biggest size it would offer.",
        "A wizard leaves no file that could be reviewed.",
        "reader",
    )


# ---------------------------------------------------------------------------------------- nobody measures, nobody sees


def swallowed(desk: Desk) -> None:
    page = desk.page(f"dags/{desk.pick('shopflow_daily', 'nightly', 'morning')}.py", "#")
    task = desk.pick("load_orders", "load_payments", "ingest")
    page.row(
        "import datetime as dt",
        "import subprocess",
        "",
        "from airflow import DAG",
        "from airflow.operators.python import PythonOperator",
        "",
        "",
        f"def {task}():",
        "    try:",
        "        subprocess.run(['python', 'ingestion/load.py'], check=True)",
    )
    page.bad(
        "    except Exception:",
        "unwatched",
        "The task ends well whatever happened; the morning is green and empty.",
        "what the DAG does when a step fails",
    )
    page.row(
        f"        print('{desk.pick('next time', 'hm', 'never mind')}')",
        "",
        "",
        "with DAG('shopflow', schedule='30 4 * * *', start_date=dt.datetime(2025, 10, 3), catchup=False):",
    )
    page.row(f"    PythonOperator(task_id='{task}', python_callable={task}, retries=2)")


def silent_cron(desk: Desk) -> None:
    page = desk.page(f"scripts/{desk.pick('crontab', 'cron')}.txt", "#")
    page.row("MAILTO=platform@shopflow.example")
    page.bad(
        "30 5 * * * /opt/shopflow/run_daily.sh >/dev/null 2>&1",
        "unwatched",
        "Output and errors go to /dev/null: a failed morning makes no sound.",
        "where the output of the schedule goes",
        by="reader",
    )


def vague_promise(desk: Desk) -> None:
    page = desk.page(f"docs/{desk.pick('promise', 'for_finance', 'sla')}.md", "")
    page.row("# What finance can count on", "")
    page.bad(
        f"The numbers are {desk.pick('usually', 'normally', 'mostly')} there when you come in.",
        "unwatched",
        "No time, no number, no owner: no morning can be held against it.",
        "what was promised to finance",
        by="reader",
    )


def left_mailbox(desk: Desk) -> None:
    page = desk.page(f"config/{desk.pick('alerts', 'notify')}.yml", "#")
    page.row("channels:", "  - kind: mail")
    page.bad(
        f"    to: {desk.person}@shopflow.example   # left on 28 November",
        "unwatched",
        "Alerts go to the mailbox of somebody who has left.",
        "who is told when something fails",
        by="reader",
    )


def idle_freshness(desk: Desk) -> None:
    page = desk.page("dbt/models/staging/_sources.yml", "#")
    page.row(
        "sources:",
        "  - name: raw",
        "    schema: raw",
        "    tables:",
        "      - name: orders",
        "        loaded_at_field: _loaded_at",
    )
    page.bad(
        "        freshness: {filter: \"status <> 'test'\"}",
        "unwatched",
        "Freshness without a limit: a source may be silent for a month.",
        "the limits in _sources.yml",
    )
    page.row("      - name: order_items")


# ------------------------------------------------------------------------------------------ secrets and broad access


def settings(desk: Desk) -> None:
    page = desk.page(f"config/{desk.pick('settings', 'warehouse', 'connections')}.yml")
    page.row("warehouse:", "  host: db.shopflow.example", f"  user: {desk.pick('etl', 'loader', 'admin')}")
    page.bad(
        f"  password: {desk.secret()}",
        "exposed",
        "Everybody who has ever had the folder has the password.",
        "values in config/",
        "secret",
    )


def key_in_a_script(desk: Desk) -> None:
    page = desk.page(f"scripts/{desk.pick('upload', 'sync_bucket', 'fetch_rates')}.py")
    page.row("import boto3", "", f"REGION = '{desk.pick('eu-central-1', 'eu-west-1')}'")
    page.bad(
        f'{desk.pick("API_TOKEN", "CLIENT_SECRET", "RATES_TOKEN")} = "{desk.secret(32)}"',
        "exposed",
        "The token is in the code, in every copy and every backup of it.",
        "constants in scripts/",
        "secret",
    )


def env_file(desk: Desk) -> None:
    page = desk.page(".env")
    page.row("SHOPFLOW_ENV=prod")
    page.bad(
        f"{desk.pick('PAYMENT_SECRET', 'WAREHOUSE_PASSWORD', 'LOADER_PASSWORD')}={desk.secret(24)}",
        "exposed",
        "A .env file with real values waits to be copied along.",
        "files that begin with a dot",
        "secret",
    )


def policy(desk: Desk) -> None:
    name = desk.pick("etl_role", "loader_role", "pipeline_role")
    page = desk.page(f"infra/policies/{name}.json", "")
    page.row(
        "{",
        '  "Version": "2012-10-17",',
        '  "Statement": [',
        "    {",
        f'      "Sid": "{name.title().replace("_", "")}",',
        '      "Effect": "Allow",',
    )
    page.bad(
        '      "Action": "*",',
        "exposed",
        "One stolen key of the load is the whole account.",
        "what the policies allow on what",
        "full-access",
    )
    page.row('      "Resource": "*"', "    }", "  ]", "}")


def admin_role(desk: Desk) -> None:
    page = desk.page(f"infra/{desk.pick('roles', 'iam', 'access')}.tf")
    page.row(
        f'resource "aws_iam_role_policy_attachment" "{desk.pick("runner", "scheduler", "dbt")}" {{',
        '  role       = "scheduler"',
    )
    page.bad(
        '  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"',
        "exposed",
        "The scheduler may delete the account it runs in.",
        "what the roles in infra/ may do",
        "full-access",
    )
    page.row("}")


def grants(desk: Desk) -> None:
    page = desk.page(f"sql/{desk.pick('grants', 'rights', 'users')}.sql", "--")
    page.bad(
        "grant all privileges on all tables in schema raw to public;",
        "exposed",
        "Names and addresses of customers, open to every user of the warehouse.",
        "rights handed out in SQL",
    )
    page.row(f"grant select on serving.daily_revenue to {desk.pick('finance', 'finance_reader')};")


# -------------------------------------------------------------------------------------------- only looks like it


def env_example(desk: Desk) -> None:
    page = desk.page(".env.example")
    page.row("SHOPFLOW_ENV=dev")
    page.fine("WAREHOUSE_PASSWORD=changeme", "exposed", "A placeholder in an example file; nobody can log in with it.")
    page.row("PAYMENT_SECRET=<from the vault>")


def narrow_policies(desk: Desk) -> None:
    page = desk.page(f"infra/policies/{desk.pick('dashboard', 'reader', 'finance')}.json", "")
    page.row("{", '  "Version": "2012-10-17",', '  "Statement": [', "    {", '      "Effect": "Allow",')
    page.fine('      "Action": "s3:GetObject",', "exposed", "A narrow policy: one action on one folder.")
    page.row(
        f'      "Resource": "arn:aws:s3:::shopflow-raw/{desk.pick("orders", "payments")}/*"',
        "    },",
        "    {",
        '      "Effect": "Deny",',
    )
    page.fine(
        '      "Action": "*",', "exposed", "A denial of everything that does not come over TLS; nothing is allowed here."
    )
    page.row('      "Resource": "*",', '      "Condition": {"Bool": {"aws:SecureTransport": "false"}}', "    }", "  ]", "}")


def documented_key(desk: Desk) -> None:
    page = desk.page(f"docs/{desk.pick('aws_access', 'how_to_log_in')}.md", "")
    page.row("# Access", "", "Configure a profile of your own; the key below is the one AWS shows in its manual.", "", "```")
    page.fine(
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "exposed",
        "AWS's own example key; it opens nothing.",
    )
    page.row("```")


def one_right_bucket(desk: Desk) -> None:
    page = desk.page(f"infra/{desk.pick('archive', 'bucket')}.tf", "#", 1)
    page.fine('resource "aws_s3_bucket" "archive" {', "hand-clicked", "One bucket that is code, and right.")
    page.row('  bucket = "shopflow-archive"', '  tags   = { owner = "platform" }', "}")


def local_database(desk: Desk) -> None:
    page = desk.page("docker-compose.yml")
    page.row(
        "services:",
        "  try_out:",
        f"    image: postgres:{desk.pick('16.4', '16.6', '17.2')}",
        "    ports: ['127.0.0.1:5432:5432']",
        "    environment:",
    )
    page.fine("      POSTGRES_PASSWORD: postgres", "exposed", "A throw-away database on this machine only.")


def from_the_environment(desk: Desk) -> None:
    page = desk.page(f"scripts/{desk.pick('report', 'mail_report')}.py")
    page.row("import os", "")
    page.fine(
        'PASSWORD = os.environ["WAREHOUSE_PASSWORD"]', "exposed", "The name of a variable; its value comes from outside."
    )
    page.row("", "", "def refresh():")
    page.row('    """Hands the report to finance."""', "    return len(PASSWORD) > 0")


def requirements(desk: Desk) -> None:
    Page(desk, "requirements.txt").row(f"duckdb==1.{desk.chance.randint(2, 4)}.0", "dbt-duckdb==1.9.1", "boto3==1.35.0")


def readme(desk: Desk) -> None:
    page = Page(desk, "README.md")
    page.row(
        "# ShopFlow",
        "",
        f"{desk.person.title()}'s folder. Run the load, then dbt, then look at the dashboard.",
        "",
        "Every number that finance reads at eight comes from here.",
        "",
    )
    page.fine(
        "Temporary views in the load (`create temp view`) are fine: they are gone with the connection.",
        "outside-git",
        "A temporary view lives for one connection, and its text is in the load.",
    )


Write = Callable[[Desk], None]
CHOICES: tuple[tuple[list[Write], list[Write], int], ...] = (
    ([view_in_a_notebook], [query_in_a_dashboard, macro_in_a_sheet, list_of_views, versions_by_name], 2),
    ([workflow, second_gate], [hotfix, deploy_from_the_laptop, typed_on_a_friday], 2),
    ([bucket_by_hand], [machine_by_hand, inventory, promised_import, wizard], 2),
    ([swallowed], [silent_cron, vague_promise, left_mailbox, idle_freshness], 2),
    ([policy], [settings, key_in_a_script, env_file], 2),
    ([], [admin_role, grants], 1),
)
"""For each pitfall: what is always there, what may be, and how many of the latter."""
HARMLESS: tuple[Write, ...] = (
    env_example,
    narrow_policies,
    documented_key,
    one_right_bucket,
    local_database,
    from_the_environment,
    requirements,
    readme,
)
