"""The prepared pull requests and merges of i03: what each changes, and the colour a gate must show."""

from __future__ import annotations

import json
import random
from functools import cache
from typing import Any

from dojo.ci.pull_requests import PullRequest, Repository
from dojo.tasks.i03_elt_ci_cd import company

MARTS, STAGING = "dbt/models/marts", "dbt/models/staging"
LOAD, TESTS, MARTS_YML = "ingest/shop_api.py", "tests/test_shop_api.py", f"{MARTS}/_marts.yml"
PAYMENTS = "recorded/payments.jsonl"


def _edit(path: str, *pairs: tuple[str, str]) -> tuple[str, str]:
    text = company.main_branch()[path]
    for old, new in pairs:
        if old not in text:
            raise AssertionError(f"{path} no longer holds {old!r}")
        text = text.replace(old, new, 1)
    return path, text


def _commented(path: str) -> tuple[str, str]:
    lines = company.main_branch()[path].splitlines()
    return path, "\n".join(["# Off until somebody has time: they are flaky.", *(f"# {x}".rstrip() for x in lines)]) + "\n"


def _recorded(change: Any) -> tuple[str, str]:
    return PAYMENTS, company.jsonl([change(dict(json.loads(x))) for x in company.main_branch()[PAYMENTS].splitlines()])


def _renamed(row: dict[str, Any]) -> dict[str, Any]:
    return {("total" if name == "amount" else name): value for name, value in row.items()}


def _comma(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "amount": row["amount"].replace(".", ",")}


WEEKEND = [
    _edit(
        f"{MARTS}/daily_takings.sql", ("    store_id,\n", "    store_id,\n    isodow(business_date) >= 6 as is_weekend,\n")
    ),
    _edit(
        MARTS_YML,
        (
            "      - {name: payments, data_type: integer}\n",
            "      - {name: is_weekend, data_type: boolean}\n      - {name: payments, data_type: integer}\n",
        ),
    ),
]
LARGEST = [
    _edit(f"{MARTS}/daily_takings.sql", ("    sum(amount_eur)", "    max(amount_eur) as largest_eur,\n    sum(amount_eur)")),
    _edit(
        MARTS_YML,
        (
            "      - {name: payments, data_type: integer}\n",
            '      - {name: payments, data_type: integer}\n      - {name: largest_eur, data_type: "decimal(12,2)"}\n',
        ),
    ),
]
ALWAYS_ALL = [_edit(LOAD, ("read(table, updated_at.last_value)", "read(table, None)"))]
COUNTED = "dbt/tests/assert_every_taking_is_counted.sql"
REFUNDS = [
    _edit(path, ("status = 'captured'", "status in ('captured', 'refunded')"))
    for path in (f"{MARTS}/daily_takings.sql", COUNTED)
]
FAILED = [_edit(path, ("status = 'captured'", "status <> 'refunded'")) for path in (f"{MARTS}/daily_takings.sql", COUNTED)]


@cache
def variants(kind: str) -> tuple[PullRequest, PullRequest]:
    """Both variants of a kind; the first goes with the judge's first data set."""
    made: dict[str, list[tuple[str, list]]] = {
        "good": [("Say which days are weekends", WEEKEND), ("The largest payment of a day", LARGEST)],
        "cosmetic": [
            ("Clearer README", [_edit("README.md", ("Loads the shop's API", "Every morning: loads the shop's API"))]),
            (
                "Comment on the takings",
                [_edit(f"{MARTS}/daily_takings.sql", ("select\n", "-- Refunds are not takings.\nselect\n"))],
            ),
        ],
        "secret": [
            (
                "Works without settings now",
                [
                    _edit(
                        LOAD,
                        ('os.environ.get("SHOP_API_TOKEN", "")', f'os.environ.get("SHOP_API_TOKEN", "{company.token()}")'),
                    )
                ],
            ),
            (
                "How to call the API by hand",
                [
                    _edit(
                        "README.md",
                        (
                            "`recorded/` holds",
                            f"    curl -H 'Authorization: Bearer {company.token()}' …\n\n`recorded/` holds",
                        ),
                    )
                ],
            ),
        ],
        "format": [
            ("Keys as tuples", [_edit(LOAD, ('"orders": ["order_id"]', "'orders': ( 'order_id', )"))]),
            ("Shorter import", [_edit(LOAD, ("import os\nimport tempfile", "import os; import tempfile"))]),
        ],
        "python": [
            ("Ask for everything, to be safe", ALWAYS_ALL),
            ("Faster load", [_edit(LOAD, ('write_disposition="merge"', 'write_disposition="append"'))]),
        ],
        "no tests": [
            ("Switch the flaky tests off", [_commented(TESTS), *ALWAYS_ALL]),
            ("Tests later", [(TESTS, '"""Tests of the load: to follow."""\n')]),
        ],
        "source": [
            ("Record version 3 of the API", [_recorded(_renamed)]),
            ("Record the German API", [_recorded(_comma)]),
        ],
        "contract": [
            ("Count in bigint", [_edit(f"{MARTS}/daily_takings.sql", ("count(*)::integer", "count(*)"))]),
            (
                "Date of the business, properly named",
                [_edit(f"{MARTS}/daily_takings.sql", ("    business_date,\n", "    business_date as takings_date,\n"))],
            ),
        ],
        "data test": [
            ("Join the rates by day", [_edit(f"{MARTS}/payments_eur.sql", ("payments.currency = rates.currency and ", ""))]),
            (
                "Only euros count",
                [
                    _edit(
                        f"{MARTS}/payments_eur.sql",
                        (
                            "on payments.currency = rates.currency",
                            "on payments.currency = rates.currency and rates.currency <> 'GBP'",
                        ),
                    )
                ],
            ),
        ],
    }
    colour = "green" if kind in ("good", "cosmetic") else "red"
    first, second = (PullRequest(kind, title, colour, tuple(edits)) for title, edits in made[kind])
    return first, second


ORDER = ("good", "cosmetic", "secret", "format", "python", "no tests", "source", "contract", "data test")
AGAIN = ("good", "source")
"""What the shorter data sets try again, in other places."""


@cache
def pull_requests(seed: int) -> tuple[PullRequest, ...]:
    """The pull requests of a data set, each in the place that its seed draws: every kind, or a few of them again.

    Two data sets are never both the short ones: those have seeds of one class modulo 3, and a pair has different classes.
    """
    kinds = AGAIN if seed % 3 == 1 else ORDER
    return tuple(variants(kind)[random.Random(f"{seed}-{kind}").randrange(2)] for kind in kinds)


@cache
def repository() -> Repository:
    """The repository as pull requests and merges find it: main with a mended load, and whatever of the learner's goes along.

    The learner's own load and its tests stay aside: main holds ours, and theirs are judged in i03.2.
    """
    aside = ("ingest/shop_api.py", "tests/test_shop_api.py")
    return Repository(company.main_branch(), company.starting(), aside)
