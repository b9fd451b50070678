"""The scenario's small company: the repository on main, what the shop's API answers, and what finance must read."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

GROUNDWORK = Path(__file__).parent / "groundwork"
Rows = dict[str, list[dict[str, Any]]]
Takings = list[tuple[str, int, int, str]]

RECORDED = (dt.date(2025, 11, 24), dt.date(2025, 11, 26))
ORDERS = 1_200
"""Orders of the small company in the standard window of 60 days."""

_QUERIES = {
    "orders": "select order_id, customer_id, store_id, status, currency, ordered_at, updated_at, extract_date from orders",
    "payments": "select payment_id, order_id, amount, currency, status, paid_at, updated_at, extract_date from payments",
    "rates": "select rate_date, currency, eur_per_unit, rate_date + interval 5 hour as updated_at, extract_date from exchange_rates",
}
KEYS = {"orders": ("order_id",), "payments": ("payment_id",), "rates": ("rate_date", "currency")}


def token() -> str:
    """The key that stands in the code of the starting state; in two parts here, so that no scanner finds it in the course."""
    return "sk_live_" + "7Qm2Vx9LrT4bKzD8WnPc6HsY"


@lru_cache(maxsize=8)
def answers(seed: int, first: dt.date, last: dt.date) -> dict[dt.date, Rows]:
    """What the API answers at the end of each day from `last` on one day back: the newest state of every row by then."""
    import duckdb

    from shopflow import sources

    con = duckdb.connect()
    sources.load_into(con, seed=seed, first_day=first, last_day=last, orders=ORDERS)
    made = {}
    for day in (last - dt.timedelta(days=1), last):
        made[day] = {}
        for table, query in _QUERIES.items():
            key = ", ".join(KEYS[table])
            found = con.execute(
                f"select * exclude extract_date from ({query}) where extract_date <= date '{day}' "
                f"qualify row_number() over (partition by {key} order by extract_date desc) = 1 order by {key}"
            )
            names = [c[0] for c in found.description]
            made[day][table] = [{n: _said(v) for n, v in zip(names, row, strict=True)} for row in found.fetchall()]
    con.close()
    return made


def _said(value: Any) -> Any:
    """A value as JSON says it: moments in UTC with a Z, amounts as text."""
    if isinstance(value, dt.datetime):
        return value.isoformat() + "Z"
    return value if isinstance(value, int) else str(value)


@cache
def recorded() -> Rows:
    """The three recorded days that stand in the repository."""
    return answers(7, *RECORDED)[RECORDED[1]]


def jsonl(rows: list[dict[str, Any]]) -> str:
    """Rows as text, one a line."""
    return "".join(json.dumps(row) + "\n" for row in rows)


@cache
def starting() -> dict[str, str]:
    """The repository as the candidate finds it: path → text."""
    names = {"gitignore": ".gitignore", "secrets.baseline": ".secrets.baseline", "dlt.toml": ".dlt/config.toml"}
    files = {}
    for path in sorted(GROUNDWORK.rglob("*")):
        name = path.relative_to(GROUNDWORK).as_posix()
        if (
            path.is_file()
            and "/." not in f"/{name}"
            and not any(p in name for p in ("__pycache__", "target/", "logs/", "mended/", "workflows/"))
        ):
            files[names.get(name, name)] = path.read_text(encoding="utf-8").replace("@token@", token())
    files[".github/workflows/ci.yml"] = (GROUNDWORK / "workflows" / "decorative.yml").read_text(encoding="utf-8")
    return files | {f"recorded/{table}.jsonl": jsonl(rows) for table, rows in recorded().items()}


@cache
def main_branch() -> dict[str, str]:
    """The repository once the load can be imported and has tests; its workflow comes from whoever writes it."""
    files = {n: t for n, t in starting().items() if not n.startswith(".github/")}
    for name, path in (("shop_api.py", "ingest/shop_api.py"), ("test_shop_api.py", "tests/test_shop_api.py")):
        files[path] = (GROUNDWORK / "mended" / name).read_text(encoding="utf-8")
    return files


def takings(rows: Rows) -> Takings:
    """daily_takings as it must read for these rows, made without dlt or dbt: (business date, store, payments, euros)."""
    from collections import defaultdict
    from decimal import ROUND_HALF_UP, Decimal
    from zoneinfo import ZoneInfo

    stores = {r["order_id"]: r["store_id"] for r in rows["orders"]}
    rates = {(r["rate_date"], r["currency"]): Decimal(r["eur_per_unit"]) for r in rows["rates"]}
    sums: dict[tuple[str, int], list] = defaultdict(lambda: [0, Decimal(0)])
    for row in rows["payments"]:
        if row["status"] == "captured":
            moment = dt.datetime.fromisoformat(row["paid_at"].replace("Z", "+00:00"))
            day = moment.astimezone(ZoneInfo("Europe/Berlin")).date().isoformat()
            euros = Decimal(row["amount"]) * rates[moment.date().isoformat(), row["currency"]]
            held = sums[day, stores[row["order_id"]]]
            held[0] += 1
            held[1] += euros.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return sorted((day, store, count, f"{euros:.2f}") for (day, store), (count, euros) in sums.items())
