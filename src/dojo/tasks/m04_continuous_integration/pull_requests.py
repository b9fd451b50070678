"""The prepared pull requests: the repository on main, and what each change does to it, in a variant for every data set."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path

from dojo.ci.platform import main_branch
from dojo.ci.pull_requests import PullRequest, Repository

EXHIBITS = ("legacy.yml", "release.yml")
"""Workflows that the learner finds in the workspace and that no trial brings along."""


MARTS, STAGING = "dbt/models/marts", "dbt/models/staging"
LOAD, DAG, MARTS_YML = "ingestion/load.py", "pipeline/shopflow_daily.py", f"{MARTS}/_marts.yml"


def _edit(path: str, *pairs: tuple[str, str]) -> tuple[str, str]:
    text = main_branch()[path]
    for old, new in pairs:
        if text.count(old) < 1:
            raise AssertionError(f"{path} no longer holds {old!r}")
        text = text.replace(old, new, 1)
    return path, text


def _key() -> str:
    return "AKIA" + "Q3ZT7WUX5LMN2RBD"


def _variants(kind: str) -> list[PullRequest]:
    """Both variants of a kind; the first is tried with the judge's first data set."""
    edit = _edit
    made: dict[str, list[tuple[str, list]]] = {
        "good": [
            (
                "Say which days are weekends",
                [
                    edit(
                        f"{MARTS}/dim_date.sql",
                        ("    dayname(day)", "    (isodow(day) >= 6) as is_weekend,\n    dayname(day)"),
                    ),
                    edit(
                        MARTS_YML,
                        (
                            "      - {name: weekday_name,",
                            '      - {name: is_weekend, data_type: boolean, description: "Saturday or Sunday."}\n      - {name: weekday_name,',
                        ),
                    ),
                ],
            ),
            (
                "Year a store opened",
                [
                    edit(
                        f"{MARTS}/dim_store.sql",
                        ("    opened_on\n", "    opened_on,\n    year(opened_on)::integer as opened_year\n"),
                    ),
                    edit(
                        MARTS_YML,
                        (
                            'description: "Day it opened."}\n',
                            'description: "Day it opened."}\n      - {name: opened_year, data_type: integer, description: "Year it opened."}\n',
                        ),
                    ),
                ],
            ),
        ],
        "cosmetic": [
            (
                "Comment on the fact table",
                [
                    edit(
                        f"{MARTS}/fact_sales.sql",
                        ("with orders as (", "-- Orders first, their lines after.\nwith orders as ("),
                    )
                ],
            ),
            (
                "Clearer README",
                [edit("README.md", ("Every morning at 05:30 (Berlin)", "Every morning at 05:30, Berlin time,"))],
            ),
        ],
        "sql": [
            (
                "Take the price from the catalogue",
                [edit(f"{STAGING}/stg_products.sql", ("    list_price_eur,", "    list_price as list_price_eur,"))],
            ),
            ("Country of the store", [edit(f"{STAGING}/stg_stores.sql", ("    country,", "    land as country,"))]),
        ],
        "style": [
            ("Tidy the stores view", [edit(f"{STAGING}/stg_stores.sql", ("select", "SELECT"), ("from", "FROM"))]),
            (
                "Tidy the payments view",
                [edit(f"{STAGING}/stg_payments.sql", ("    payment_id,\n    order_id,", "    payment_id, order_id,"))],
            ),
        ],
        "data test": [
            ("Revenue when it ships", [edit(f"{MARTS}/daily_revenue.sql", ("in ('paid', 'shipped')", "in ('shipped')"))]),
            (
                "Payment states in capitals",
                [edit(f"{STAGING}/stg_payments.sql", ("    status,", "    upper(status) as status,"))],
            ),
        ],
        "unit test": [
            (
                "Simpler join to customers",
                [
                    edit(
                        f"{MARTS}/fact_sales.sql",
                        (
                            "        and lines.ordered_at >= versions.valid_from\n        and lines.ordered_at < coalesce(versions.valid_to, timestamp '9999-01-01')",
                            "        and versions.valid_to is null",
                        ),
                    )
                ],
            ),
            (
                "Amount from price and quantity",
                [
                    edit(
                        f"{MARTS}/fact_sales.sql",
                        ("(items.quantity * items.unit_price * rates.eur_per_unit)", "(items.quantity * items.unit_price)"),
                    )
                ],
            ),
        ],
        "contract": [
            (
                "List price as text",
                [
                    edit(
                        f"{MARTS}/dim_product.sql", ("    list_price_eur,", "    list_price_eur::varchar as list_price_eur,")
                    )
                ],
            ),
            ("Store code, properly named", [edit(f"{MARTS}/dim_store.sql", ("    code,", "    code as store_code,"))]),
        ],
        "deleted": [
            ("Drop the rates view, nobody queries it", [(f"{STAGING}/stg_exchange_rates.sql", None)]),
            ("Drop the calendar", [(f"{MARTS}/dim_date.sql", None)]),
        ],
        "secret": [
            (
                "Read the extracts from the bucket",
                [edit(LOAD, ('FULL = ("products", "stores")', f'BUCKET_KEY = "{_key()}"\nFULL = ("products", "stores")'))],
            ),
            ("Deploy notes", [edit("docs/on-call.md", ("Working hours only", f"Bucket: {_key()}.\nWorking hours only"))]),
        ],
        "python": [
            (
                "Sort the incoming rows",
                [edit(LOAD, ('"updated_at desc, _extract_date desc"', '"updated_at, _extract_date"'))],
            ),
            (
                "Do not stop for a late extract",
                [
                    edit(
                        LOAD,
                        (
                            '            raise SourceMissing(f"The extract of {table} for {day} has not arrived.")',
                            "            continue",
                        ),
                    )
                ],
            ),
        ],
        "format": [
            (
                "Retry the load once more",
                [edit(DAG, ('{"ingest_orders": 3, "dbt_run": 1,', '{"ingest_orders": 4,"dbt_run":1,'))],
            ),
            ("Name the full loads", [edit(LOAD, ('FULL = ("products", "stores")', "FULL = ( 'products', 'stores' )"))]),
        ],
        "docs": [
            ("Shorter descriptions", [edit(MARTS_YML, ('description: "Pieces in them."', 'description: ""'))]),
            ("Descriptions to follow", [edit(MARTS_YML, ('description: "One of eight categories."', 'description: ""'))]),
        ],
    }
    colour = "green" if kind in ("good", "cosmetic") else "red"
    return [PullRequest(kind, title, colour, tuple(changes)) for title, changes in made[kind]]


ORDER = (
    "good",
    "cosmetic",
    "secret",
    "format",
    "style",
    "python",
    "unit test",
    "docs",
    "data test",
    "sql",
    "contract",
    "deleted",
)
"""Every kind: the two that must come out green first, then the quick ones before the slow."""
FEWER = ("good", "secret", "format", "style", "python", "unit test", "docs", "data test")
"""Those that the decorative workflow of 04.3 lets through, after the good one."""
AGAIN = ("good", "unit test")
"""What the shorter data sets try again, in other places."""


def variant(kind: str, seed: int) -> PullRequest:
    """The pull request of a kind in a data set."""
    return _variants(kind)[random.Random(f"{seed}-{kind}").randrange(2)]


@cache
def pull_requests(seed: int, kinds: tuple[str, ...] = ORDER) -> tuple[PullRequest, ...]:
    """The pull requests of a data set, each in the place that its seed draws: these kinds, or a few of them again.

    Two data sets are never both the short ones: those have seeds of one class modulo 3, and a pair has different classes.
    """
    return tuple(variant(kind, seed) for kind in (AGAIN if seed % 3 == 1 else kinds))


@cache
def exhibits() -> dict[str, str]:
    """The workflows that came with the workspace, by path."""
    folder = Path(__file__).parent
    return {f".github/workflows/{name}": (folder / name).read_text(encoding="utf-8") for name in EXHIBITS}


@cache
def repository() -> Repository:
    """ShopFlow's repository as pull requests find it: main, and whatever of the learner's goes along.

    `safe.yml` of 04.5 stays aside: it has a pipeline of its own, and is judged there.
    """
    aside = (*exhibits(), ".github/workflows/safe.yml")
    return Repository(main_branch(), exhibits(), aside)
