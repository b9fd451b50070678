"""The `shopflow` command: makes the company's data and runs its mornings."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(name="shopflow", help="ShopFlow, a fictional online shop.", no_args_is_help=True, add_completion=False)

Root = Annotated[Path, typer.Option(help="Folder of the company.")]


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="Where the extracts go.")],
    orders: Annotated[int, typer.Option(help="Orders in the standard window of 60 days.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Another seed, another shop.")] = 7,
    threads: Annotated[int | None, typer.Option(help="Threads; default all cores.")] = None,
) -> None:
    """Write the extracts of ShopFlow's sources."""
    from shopflow import sources

    begun = time.perf_counter()
    try:
        rows = sources.generate(
            folder,
            seed=seed,
            orders=orders,
            threads=threads,
            progress=lambda day: print(f"  up to {day}", file=sys.stderr),
        )
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    seconds = time.perf_counter() - begun
    for table, count in rows.items():
        print(f"{table:15} {count:>14,} rows")
    print(f"{sum(rows.values()):,} rows in {seconds:.1f} s ({sum(rows.values()) / seconds:,.0f} rows a second)")


@app.command()
def daily(
    date: Annotated[dt.datetime, typer.Option(formats=["%Y-%m-%d"], help="The morning to run, for example 2025-12-02.")],
    env: Annotated[str, typer.Option(help="dev, staging or prod.")] = "dev",
    root: Root = Path(),
) -> None:
    """Run shopflow_daily for one morning. Exit status 1 when nothing was published."""
    from shopflow.daily import Killed, run_day
    from shopflow.platform import Platform

    try:
        run = run_day(Platform(root.resolve(), env), date.date(), _tell)
    except Killed as killed:
        print(killed, file=sys.stderr)
        raise typer.Exit(1) from None
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    raise typer.Exit(0 if run.published else 1)


def _tell(result) -> None:
    from shopflow.runlog import to_berlin

    when = f"{to_berlin(result.started_at):%H:%M}–{to_berlin(result.finished_at):%H:%M}"
    print(f"{when}  {result.step:14} {result.status:8} {result.rows_out:>8,} rows  {result.message}")


if __name__ == "__main__":
    app()
