"""Branches of the learner's repository: Jonas's pull request with seven faults among harmless look-alikes, and a forgotten one."""

from __future__ import annotations

from dataclasses import dataclass

from dojo.tasks.m02_version_control.story import MARTS, Story

BRANCH = "jonas/partner-export"
EXPORT = "dbt/models/marts/partner_export.sql"
SEND = "ingestion/send_export.py"
PARTNER = "config/partner.yml"

AGREED = """\
# What the delivery partner gets

One row for each order of the day, at nine. Of a customer: the name and the city, because a parcel needs them. Nothing
else about a customer leaves the house. The day is the business day, as everywhere.
"""
EXPORT_SQL = """\
{{ config(materialized='table') }}

-- One row an order, for the delivery partner, who fetches it at nine.
with orders as (
    select * from {{ ref('stg_orders') }}
    where status in ('paid', 'shipped')
),

customers as (
    select * from {{ ref('dim_customer') }}
),

stores as (
    select * from {{ ref('dim_store') }}
),

rates as (
    select rate_date, currency, eur_per_unit from {{ ref('stg_exchange_rates') }}
)

select
    orders.order_id,
    orders.ordered_at::date as order_day,
    customers.full_name,
    customers.email,
    customers.city,
    stores.code as store_code,
    rates.eur_per_unit
from orders
inner join customers on orders.customer_id = customers.customer_id
inner join stores on orders.store_id = stores.store_id
-- The bank's rate of the UTC day the order was placed on, as in fact_sales.
inner join rates on orders.currency = rates.currency and orders.ordered_at::date = rates.rate_date
left join prod.ops.partner_blocklist as blocked on customers.city = blocked.city
where blocked.city is null
"""
PARTNER_YML = """\
host: sftp.partner.example
user: shopflow
sftp_password: kiel-Regen-4711
api_token: ${PARTNER_TOKEN}
host_key_file: /run/secrets/partner_host_key
retries: 3
"""
SEND_PY = '''\
"""Sends the morning's export to the delivery partner."""

import os
import time
from pathlib import Path

from connection import Busy, upload

FOLDER = Path(os.environ["EXPORT_FOLDER"])
TOKEN = os.environ["PARTNER_TOKEN"]


def send(day: str, retries: int = 3) -> None:
    """Uploads the file of one day."""
    path = FOLDER / f"orders-{day}.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path.name}: partner_export has not been built for {day}")
    for attempt in range(retries):
        try:
            upload(path, token=TOKEN)
            return
        except Busy:
            time.sleep(30 * (attempt + 1))
        except Exception:
            pass
'''
EXPORTS_YML = """\
models:
  - name: partner_export
    description: "One row: one order of the day, for the delivery partner."
    columns:
      - {name: order_id, description: "The order.", data_tests: [not_null]}
      - name: city
        description: "Where it goes. The partner asks when it is missing, so this only warns."
        data_tests:
          - not_null: {config: {severity: warn}}
"""
_GUARD = 'when paid or shipped, else 0.", data_tests: [not_null, not_negative]}'


@dataclass(frozen=True)
class Fault:
    """One planted fault: where it stands (file and a text in its line), its kind, what it does, and where else one may see it."""

    file: str
    text: str
    kind: str
    effect: str
    also: str = ""


FAULTS = (
    Fault(
        EXPORT,
        "orders.ordered_at::date as order_day",
        "wrong-day",
        "Orders after midnight in Berlin are on the day before: ordered_at is UTC.",
    ),
    Fault(EXPORT, "customers.email", "personal-data", "The agreement says name and city. Addresses leave the house."),
    Fault(
        EXPORT,
        "inner join customers on",
        "fan-out",
        "dim_customer has a row for each version of a customer: whoever moved gets the parcel twice.",
        "ref('dim_customer')",
    ),
    Fault(
        EXPORT,
        "prod.ops.partner_blocklist",
        "hard-coded-name",
        "A table by its full name: dev reads prod, and dbt does not know of it.",
    ),
    Fault(PARTNER, "sftp_password:", "secret", "A password in Git stays there, also after it is deleted."),
    Fault(SEND, "except Exception:", "swallowed-error", "The upload fails, and the run is green."),
    Fault(
        MARTS,
        'else 0.", data_tests: [not_null, {not_negative',
        "weakened-test",
        "Negative revenue would no longer stop a morning, for a change that has nothing to do with it.",
    ),
)
HARMLESS = (
    (
        EXPORT,
        "orders.ordered_at::date = rates.rate_date",
        "The bank's rate belongs to the UTC day; fact_sales does the same, and a comment says so.",
    ),
    (EXPORT, "customers.full_name", "The agreement allows the name: a parcel needs it."),
    (PARTNER, "api_token:", "That is a reference; the value comes from the environment."),
    (PARTNER, "host_key_file:", "That is the path of a file, not what is in it."),
    (SEND, "TOKEN = os.environ", "The value comes from the environment."),
    (SEND, "except Busy:", "It waits and tries again: that is handling an error."),
    (
        "dbt/models/marts/_exports.yml",
        "severity: warn",
        "A new test, with the reason for warning beside it. Nothing was weakened.",
    ),
)


def add(story: Story) -> None:
    """Adds the branch to review, and one that Petra forgot."""
    story.commit(57, "Petra", "What the delivery partner gets", {"docs/partner.md": AGREED}, label="agreed")
    marts = story.tree[MARTS]
    weaker = marts.replace(
        _GUARD, _GUARD.replace("[not_null, not_negative]", "[not_null, {not_negative: {config: {severity: warn}}}]")
    )
    if weaker == marts:
        raise ValueError("_marts.yml no longer guards line_revenue as it did")
    first = {EXPORT: EXPORT_SQL, "dbt/models/marts/_exports.yml": EXPORTS_YML, MARTS: weaker}
    story.commit(59, "Jonas", "partner_export: one row an order", first, label="export", branch=BRANCH)
    story.commit(59, "Jonas", "Send the export at nine", {PARTNER: PARTNER_YML, SEND: SEND_PY}, label="send", branch=BRANCH)
    story.commit(59, "Petra", "An idea about returns", {"docs/idea.md": "Returns by reason?\n"}, branch="petra/idea")


def line_of(text: str, part: str) -> int:
    """The number of the first line that holds a text. ValueError when none does."""
    for number, line in enumerate(text.splitlines(), 1):
        if part in line:
            return number
    raise ValueError(f"no line holds {part!r}")
