"""Makes ShopFlow's Git repository from the template: the same commits, with the same ids, on any machine."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
from pathlib import Path
from zoneinfo import ZoneInfo

from shopflow.clock import HQ

TEMPLATE = Path(__file__).parent / "template"
PEOPLE = {
    "Mara": "Mara Lindqvist <mara@shopflow.example>",
    "Jonas": "Jonas Okafor <jonas@shopflow.example>",
    "Petra": "Petra Nowak <petra@shopflow.example>",
    "Sami": "Sami Virtanen <sami@shopflow.example>",
}
COMMITS = (
    (
        0,
        "Mara",
        "Start the platform: what it is for and who owns what",
        ("README.md", "CODEOWNERS", ".gitignore"),
    ),
    (0, "Mara", "Land the extracts, idempotent from the first day", ("ingestion/*",)),
    (
        1,
        "Jonas",
        "dbt project with one target a stage",
        ("dbt/dbt_project.yml", "dbt/profiles.yml", "dbt/macros/generate_schema_name.sql"),
    ),
    (
        2,
        "Jonas",
        "Sources and their freshness, on the company's clock",
        ("dbt/models/staging/_sources.yml", "dbt/macros/collect_freshness.sql"),
    ),
    (
        4,
        "Petra",
        "Staging for orders and their lines",
        ("dbt/macros/business_date.sql", "dbt/models/staging/stg_order*.sql"),
    ),
    (5, "Petra", "Staging for everything else", ("dbt/models/staging/stg_*.sql",)),
    (
        7,
        "Sami",
        "Describe and test what staging promises",
        ("dbt/macros/test_not_negative.sql", "dbt/models/staging/_staging.yml"),
    ),
    (
        11,
        "Jonas",
        "Keep the history of customers",
        ("dbt/snapshots/*", "dbt/macros/import_customer_history.sql"),
    ),
    (12, "Jonas", "Dimensions", ("dbt/macros/surrogate_key.sql", "dbt/models/marts/dim_*.sql")),
    (16, "Petra", "fact_sales: one row an order line, incremental", ("dbt/models/marts/fact_sales.sql",)),
    (20, "Petra", "daily_revenue for finance", ("dbt/models/marts/daily_revenue.sql",)),
    (23, "Sami", "Contracts on all marts", ("dbt/models/marts/_marts.yml",)),
    (31, "Mara", "The morning run as code", ("pipeline/*",)),
    (38, "Sami", "Unit tests for currency and for customer versions", ("dbt/models/marts/_unit_tests.yml",)),
    (45, "Sami", "Nothing lost, nothing doubled, dashboard adds up", ("dbt/tests/*",)),
    (52, "Petra", "Say who reads what", ("dbt/models/exposures.yml",)),
    (58, "Mara", "On-call: working hours only, for now", ("docs/*",)),
)
"""Day after the company's first, author, message, files: the story of the platform so far."""

CONFIG = Path(__file__).with_name("gitconfig")
"""What Git reads in place of a person's own settings. Git 2.35 to 2.37 take `safe.directory` from a file alone, not from `-c`."""

FIRST_COMMIT = dt.datetime(2025, 10, 3, 8, 12)


def make(repo: Path) -> str:
    """Makes the repository in an empty or missing folder and returns the id of its last commit.

    FileNotFoundError says how to get Git where it is missing; FileExistsError when the folder holds something.
    """
    if repo.exists() and any(repo.iterdir()):
        raise FileExistsError(f"{repo.name}/ is not empty; give another folder or move it away.")
    repo.mkdir(parents=True, exist_ok=True)
    git(repo, "init", "--quiet", "--initial-branch=main", "--object-format=sha1")
    done: set[str] = set()
    for number, (day, who, message, patterns) in enumerate(COMMITS):
        new = sorted({n for p in patterns for n in _template_files() if Path(n).match(p)} - done)
        for name in new:
            _copy(name, repo)
        done.update(new)
        moment = FIRST_COMMIT + dt.timedelta(days=day, minutes=37 * number)
        git(repo, "add", "--", *new)
        _commit(repo, PEOPLE[who], message, moment)
    if missing := set(_template_files()) - done:
        raise AssertionError(f"no commit of the history brings {', '.join(sorted(missing))}")
    return git(repo, "rev-parse", "HEAD").strip()


def commit(repo: Path, who: str, day: int, message: str) -> str:
    """Commits everything that changed in the name of one of PEOPLE, `day` days after the first; returns the commit's id."""
    earlier = int(git(repo, "rev-list", "--count", "HEAD"))
    git(repo, "add", "--all")
    _commit(repo, PEOPLE[who], message, FIRST_COMMIT + dt.timedelta(days=day, minutes=37 * earlier))
    return git(repo, "rev-parse", "HEAD").strip()


def git(repo: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """The output of a Git command in the repository, free of the machine's own configuration.

    Variables like GIT_DIR, which a Git hook sets, would send the command to the repository of the hook: they are left out.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean = {
        "GIT_CONFIG_GLOBAL": str(CONFIG),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    fixed = (
        "-c",
        "core.autocrlf=false",
        "-c",
        "core.fileMode=false",
        "-c",
        "gc.auto=0",
        "-c",
        "commit.gpgsign=false",
    )
    try:
        done = subprocess.run(
            ["git", *fixed, *arguments],
            cwd=repo,
            env={**inherited, **clean, **(environment or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
    except FileNotFoundError:
        raise FileNotFoundError("Git is not on the PATH. Install it (Debian: apt-get install git) and try again.") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip() or "; ".join(
            filter(None, error.stdout.split("\n"))
        )  # some commands say on standard output why they did not
        raise RuntimeError(f"git {arguments[0]} failed: {said[:400] or f'exit status {error.returncode}'}") from None
    return done.stdout


def _template_files() -> list[str]:
    """Names in the repository of all files of the template."""
    found = []
    for path in sorted(TEMPLATE.rglob("*")):
        parts = path.relative_to(TEMPLATE).parts
        if path.is_file() and not {"__pycache__", "target", "logs"} & set(parts):
            found.append("/".join(parts).replace("gitignore", ".gitignore"))
    return found


def _copy(name: str, repo: Path) -> None:
    target = repo / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(TEMPLATE / name.replace(".gitignore", "gitignore"), target)


def _commit(repo: Path, author: str, message: str, moment: dt.datetime) -> None:
    name, email = author.removesuffix(">").split(" <")
    stamp = moment.replace(tzinfo=ZoneInfo(HQ)).isoformat()
    who = {
        f"GIT_{role}_{part}": text
        for role in ("AUTHOR", "COMMITTER")
        for part, text in (("NAME", name), ("EMAIL", email), ("DATE", stamp))
    }
    git(repo, "commit", "--quiet", "--message", message, environment=who)
