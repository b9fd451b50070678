"""Faults: what really goes wrong, by name. Lessons, tasks, drills and the reference page all draw on this list.

`inject` puts one into a company on disk, `revert` takes it out again to the byte, `damage` says what it did in rows and
euros; `Fault.mutate` spoils tables in memory.
"""

from __future__ import annotations

import datetime as dt
import difflib
import shutil

import duckdb

from shopflow import sources
from shopflow.faults import arrival, code, platform_faults, schema, values
from shopflow.faults.base import (
    FAMILIES,
    CodeFault,
    DataFault,
    Fault,
    Injection,
    NothingToSpoil,
    PatchGone,
    PlatformFault,
    journal,
    merge,
    write_json,
)
from shopflow.faults.damage import Damage, damage
from shopflow.platform import Platform
from shopflow.tables import TABLES

__all__ = [
    "FAMILIES",
    "CodeFault",
    "Damage",
    "DataFault",
    "Fault",
    "Injection",
    "NothingToSpoil",
    "PatchGone",
    "PlatformFault",
    "catalogue",
    "damage",
    "get",
    "inject",
    "journal",
    "revert",
]


def catalogue() -> list[Fault]:
    """All faults, by family and name."""
    found = [*arrival.FAULTS, *schema.FAULTS, *values.FAULTS, *code.FAULTS, *platform_faults.FAULTS]
    return sorted(found, key=lambda f: (FAMILIES.index(f.family), f.name))


def get(name: str) -> Fault:
    """A fault by its name. KeyError names the nearest ones."""
    known = {f.name: f for f in catalogue()}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or list(known)[:3]
        raise KeyError(f"There is no fault {name!r}. Did you mean {', '.join(near)}?")
    return known[name]


def inject(platform: Platform, name: str, day: dt.date, seed: int = 7) -> Injection:
    """Puts a fault into a company on disk and into its journal.

    day: for data faults the extract's date, for platform faults the morning; code faults take effect at once.
    NothingToSpoil or PatchGone when it cannot be put in; then nothing is changed.
    """
    fault = get(name)
    if isinstance(fault, DataFault):
        rows = _spoil_files(platform, fault, day, seed)
    elif isinstance(fault, CodeFault):
        rows = _patch(platform, fault)
    else:
        assert isinstance(fault, PlatformFault)
        write_json(platform.root / "platform.json", merge(platform.switches, fault.switch(day)))
        rows = 0
    write_json(
        platform.root / "faults.json", [*journal(platform), {"fault": name, "day": str(day), "seed": seed, "rows": rows}]
    )
    return Injection(name, day, seed, rows)


def revert(platform: Platform) -> int:
    """Takes all faults out again: extracts, code and platform are what they were, to the byte. Returns how many it were."""
    held = journal(platform)
    kept = platform.sources / ".pristine"
    for folder in sorted(kept.glob("*/date=*")):
        target = platform.sources / folder.parent.name / folder.name
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
    shutil.rmtree(kept, ignore_errors=True)
    for entry in reversed(held):
        fault = get(entry["fault"])
        if isinstance(fault, CodeFault):
            for path, old, new in fault.patches:
                _replace(platform, path, new, old)
    for name in ("platform.json", "faults.json"):
        (platform.root / name).unlink(missing_ok=True)
    return len(held)


def _spoil_files(platform: Platform, fault: DataFault, day: dt.date, seed: int) -> int:
    con = duckdb.connect()
    try:
        for table in fault.tables:
            days = [day - dt.timedelta(days=n) for n in ({0, fault.earlier})]
            globs = [sources.extract_glob(platform.sources, table, d) for d in days]
            if not list((platform.sources / table / f"date={day}").glob("*.*")):
                raise NothingToSpoil(f"There is no extract of {table} for {day}.")
            con.execute(f"create table {table} as from {sources.read_files(globs, table)}")
        rows = fault.mutate(con, day, seed)
        for table in fault.tables:
            _write_back(platform, con, table, day)
        return rows
    finally:
        con.close()


def _write_back(platform: Platform, con: duckdb.DuckDBPyConnection, table: str, day: dt.date) -> None:
    """Replaces one day's extract by what stands in `con`; the first original is kept."""
    folder = platform.sources / table / f"date={day}"
    kept = platform.sources / ".pristine" / table / f"date={day}"
    if kept.exists():
        shutil.rmtree(folder)
    else:
        kept.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(kept)
    folder.mkdir(parents=True)
    kind = TABLES[table].format
    options = "format parquet" if kind == "parquet" else "format csv, header"
    target = (folder / f"part-000-0.{kind}").as_posix()
    con.execute(
        f"copy (select * exclude (extract_date) from {table} where extract_date = date '{day}') to '{target}' ({options})"
    )


def _patch(platform: Platform, fault: CodeFault) -> int:
    for path, old, _ in fault.patches:
        if old not in (platform.repo / path).read_text(encoding="utf-8"):
            raise PatchGone(f"{fault.name} changes a text in {path} that is not there (any more).")
    for path, old, new in fault.patches:
        _replace(platform, path, old, new)
    return 0


def _replace(platform: Platform, path: str, old: str, new: str) -> None:
    file = platform.repo / path
    file.write_text(file.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
