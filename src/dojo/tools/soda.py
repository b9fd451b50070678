"""Soda Core over a learner's contract: the real engine, in its own environment, on one small table after another.

A request: contract (the text of a Soda contract), table (its name), tables {key: pyarrow.Table}. The answer: error (what
stopped it, "" otherwise), states {key: {check: {"outcome": "passed" | "failed" | "warned" | "error", "message": str}}}.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import yaml

from dojo.tools import environments

PROGRAM = Path(__file__).with_name("soda_verify.py")


def warm() -> None:
    """Nothing to load here: Soda lives in an environment of its own. NotAdded says how to get it."""
    environments.program("soda", "python")


def session(request: dict[str, Any]) -> dict[str, Any]:
    """Verifies the contract on every table; see the module's first lines. NotAdded when Soda is not here."""
    warm()
    try:
        contract = yaml.safe_load(request["contract"])
    except yaml.YAMLError as error:
        return {"error": f"The contract is not YAML: {' '.join(str(error).split())[:300]}", "states": {}}
    if not isinstance(contract, dict):
        return {"error": "A contract is a YAML mapping with `dataset:`, `columns:` and `checks:`.", "states": {}}
    with tempfile.TemporaryDirectory(prefix="dojo-soda-") as name:
        folder = Path(name)
        _lay(folder, contract, request["table"], request["tables"])
        done = environments.run("soda", ["python", "-I", str(PROGRAM), *request["tables"]], cwd=folder, seconds=60)
        try:
            return {"error": "", "states": json.loads((folder / "verified.json").read_text(encoding="utf-8"))}
        except (OSError, ValueError):
            said = (done.stderr or done.stdout).strip().splitlines()
            return {"error": f"Soda stopped: {said[-1][:400] if said else 'without a word'}", "states": {}}


def _lay(folder: Path, contract: dict[str, Any], table: str, tables: dict[str, Any]) -> None:
    """One schema a state in one database, one contract a state, and the data source."""
    import duckdb

    con = duckdb.connect(str(folder / "shopflow.duckdb"))
    try:
        for key, rows in tables.items():
            con.execute(f'create schema "{key}"')
            con.register("incoming_rows", rows)
            con.execute(f'create table "{key}"."{table}" as from incoming_rows')
            con.unregister("incoming_rows")
            text = yaml.safe_dump({**contract, "dataset": f"shopflow/shopflow/{key}/{table}"}, sort_keys=False)
            (folder / f"{key}.yml").write_text(text, encoding="utf-8")
    finally:
        con.close()
    source = {"type": "duckdb", "name": "shopflow", "connection": {"database": "shopflow.duckdb"}}
    (folder / "source.yml").write_text(yaml.safe_dump(source), encoding="utf-8")
