"""The figures of the bad morning to try: measured on ShopFlow. `python -m dojo.site.bad_morning` writes them beside the widget."""

from __future__ import annotations

import datetime as dt
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from dojo.widgets.first_move import FILE

FAULT = "truncated-load"
MONDAYS = 4


def measured() -> dict[str, Any]:
    """Runs the morning of 2 December twice, with a whole and with a truncated file; gives rows, euros and minutes of both."""
    from dojo.workspace import checkpoints, open_workspace

    with tempfile.TemporaryDirectory(prefix="dojo-taste-") as home:
        before = dict(os.environ)
        os.environ |= {"DOJO_HOME": home, "DOJO_CHECKPOINTS": str(checkpoints())}
        try:
            shop = open_workspace("00")
            honest = _monday(shop, "prod")
            morning = _spoilt_morning(shop)
            found = {"fault": FAULT, "tests": _tests(morning), "steps": _minutes(morning)}
            found |= {"honest": honest, "spoilt": _monday(shop, "dev"), "mondays": _mondays(shop)}
            return found
        finally:
            os.environ.clear()
            os.environ.update(before)


def _spoilt_morning(shop: Any) -> Any:
    """Today's run in dev, on a file that ends too early; the warehouse forgets first what it had loaded of that day."""
    from shopflow import faults
    from shopflow.platform import Platform

    day = shop.today - dt.timedelta(days=1)
    faults.inject(shop.platform, FAULT, day)
    with Platform(shop.path, "dev").connect() as con:
        for table in ("orders", "order_items", "payments"):
            con.execute(f"delete from raw.{table} where _extract_date = ?", [day])
        con.execute("delete from marts.fact_sales")
    return shop.run(env="dev").run


def _monday(shop: Any, env: str) -> dict[str, Any]:
    day = shop.today - dt.timedelta(days=1)
    euros, orders = shop.sql(
        f"select sum(revenue_eur), sum(orders) from serving.daily_revenue where business_date = date '{day}'", env=env
    ).rows[0]
    lines = shop.sql(f"select count(*) from raw.order_items where _extract_date = date '{day}'", env=env).value
    return {"euros": float(euros), "orders": int(orders), "lines": int(lines)}


def _mondays(shop: Any) -> list[float]:
    """Revenue of the four Mondays before, newest first."""
    rows = shop.sql("select business_date, sum(revenue_eur) from serving.daily_revenue group by 1").rows
    by_day = {day: float(euros) for day, euros in rows}
    last = shop.today - dt.timedelta(days=1)
    return [by_day[last - dt.timedelta(days=7 * n)] for n in range(1, MONDAYS + 1)]


def _tests(run: Any) -> int:
    (checked,) = [r for r in run.results if r.step == "quality_check" and r.status == "success"]
    return int(checked.message.split()[0])


def _minutes(run: Any) -> list[dict[str, Any]]:
    """The steps with the minute of the day, in Berlin, at which each begins and ends."""
    from shopflow.runlog import to_berlin

    def minute(moment: dt.datetime) -> int:
        local = to_berlin(moment)
        return local.hour * 60 + local.minute

    return [{"step": r.step, "begins": minute(r.started_at), "ends": minute(r.finished_at)} for r in run.results]


def as_text(found: dict[str, Any]) -> str:
    """The figures as they stand in the file."""
    return json.dumps(found, indent=2) + "\n"


def write(path: Path = FILE) -> None:
    """Measures and writes the figures."""
    path.write_text(as_text(measured()), encoding="utf-8")


if __name__ == "__main__":
    write()
