"""dbt over a learner's files: a small project built in this process, and its data tests replayed over many states of the data.

A request (plain values, so that it travels to the separate process as well):
    name: a key; requests of one name share a folder, so that dbt parses only what changed
    files: {path: text}, the whole project
    tables: {"schema.table": pyarrow.Table} the warehouse holds before dbt runs
    args: the dbt command, for example ["build"]; None where only `states` are asked for
    queries: {key: SQL} to run afterwards
    states: {key: {"schema.table": pyarrow.Table}}: tables replaced, one state at a time; every data test is replayed on each
    variables: dbt variables
    base: "untested" for a project that grew from dojo.tools.untested_project under its AS_OF: its parse is at hand
The answer: error (dbt's words where it did not come to run), nodes [{name, type, status, failures, message}],
rows {key: table or None}, tests {name: {severity, columns…}}, states {key: {test: {status, failures, message}}}.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from dojo.tools import untested_project
from dojo.tools.untested_project import shopflow_project
from shopflow import quicker_dbt
from shopflow.tables import BATCH_ROWS

_WAREHOUSE = "warehouse"
"""Name of the database, and of its file: compiled SQL carries it."""
_COMPILED: dict[str, dict[str, Any]] = {}


def warm() -> None:
    """Imports dbt and parses ShopFlow's own project once, seconds that no check has to pay."""
    from shopflow import transform

    transform.warm_up()
    for name, files, variables in BASES:
        folder = _folder(name)
        _lay(folder, files())
        transform.dbt(folder, ["parse"], warehouse=folder / f"{_WAREHOUSE}.duckdb", variables=variables, artifacts=False)


BASES = (
    ("warm", shopflow_project, None),
    ("untested", untested_project.in_ci, {"as_of": untested_project.AS_OF}),
)
"""The projects whose parse is at hand, with the variables it was made under: dbt parses all anew for others."""


def session(request: dict[str, Any]) -> dict[str, Any]:
    """Runs one request; see the module's first lines. What dbt finds comes back as values and is never raised."""
    from shopflow import transform

    folder = _folder(request["name"], request.get("base", "warm"))
    _lay(folder, request["files"])
    answer: dict[str, Any] = {"error": "", "nodes": [], "rows": {}, "tests": {}, "states": {}}
    if request.get("args"):
        warehouse = _warehouse(folder, request.get("tables") or {})
        done = transform.dbt(
            folder, request["args"], warehouse=warehouse, variables=request.get("variables"), artifacts=False
        )
        answer["error"] = _error(done)
        answer["nodes"] = [
            {"name": r.name, "type": r.resource_type, "status": r.status, "failures": r.failures, "message": r.message}
            for r in done.results
        ]
        answer["rows"] = _query(warehouse, request.get("queries") or {})
    if request.get("states") and not answer["error"]:
        compiled = _compile(folder, request)
        answer["error"], answer["tests"] = compiled["error"], compiled["tests"]
        if not compiled["error"]:
            answer["states"] = _replay(compiled, request["tables"], request["states"])
    return answer


# ---------------------------------------------------------------- the project's folder


@cache
def _root() -> tuple[Path, int]:
    folder = Path(tempfile.mkdtemp(prefix="dojo-dbt-"))
    folder.chmod(0o755)  # a task's process, which runs as another user, begins with what was parsed here
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, os.getpid()


def _folder(name: str, base: str = "warm") -> Path:
    """The folder of requests of this name. Where it holds no parse yet, it begins with that of its base."""
    root, owner = _root()
    parsed = root / base / "target" / "partial_parse.msgpack"
    if owner != os.getpid():  # a forked child may read what its parent parsed, and writes in a place of its own
        _root.cache_clear()
        root, _ = _root()
        tracker = resource_tracker._resource_tracker  # the parent's is out of reach: dbt's locks need one of our own
        tracker._fd = tracker._pid = None
    folder = root / name
    (folder / "target").mkdir(parents=True, exist_ok=True)
    if parsed.exists() and not (folder / "target" / parsed.name).exists():
        shutil.copy(parsed, folder / "target")
    quicker_dbt.compare_without(str(folder))
    return folder


def _lay(folder: Path, files: dict[str, str]) -> None:
    """Makes the folder hold exactly these files, writing only what changed. ValueError for a path that leads out of it."""
    held = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    for path in held - set(files):
        if not path.startswith(("target/", "logs/", _WAREHOUSE)):
            (folder / path).unlink()
    for path, text in files.items():
        target = (folder / path).resolve()
        if not target.is_relative_to(folder.resolve()):
            raise ValueError(f"{path} leads out of the project")
        if path not in held or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")


def _warehouse(folder: Path, tables: dict[str, Any]) -> Path:
    import duckdb

    path = folder / f"{_WAREHOUSE}.duckdb"
    path.unlink(missing_ok=True)
    con = duckdb.connect(str(path))
    try:
        con.execute("begin")
        _put(con, tables)
        con.execute("commit")
    finally:
        con.close()
    return path


def _put(con: Any, tables: dict[str, Any]) -> None:
    for name, table in tables.items():
        if "." in name:
            con.execute(f"create schema if not exists {name.split('.')[0]}")
        con.register("incoming_rows", table)
        con.execute(f"create or replace table {name} as select * from incoming_rows")
        con.unregister("incoming_rows")


def _query(warehouse: Path, queries: dict[str, str]) -> dict[str, Any]:
    import duckdb

    rows: dict[str, Any] = {}
    con = duckdb.connect(str(warehouse))
    try:
        for key, query in queries.items():
            try:
                rows[key] = con.execute(query).to_arrow_table(BATCH_ROWS)
            except duckdb.Error:
                rows[key] = None
    finally:
        con.close()
    return rows


def _error(done: Any) -> str:
    """dbt's words where it did not run anything; "" where it did, whatever it found."""
    if done.error:
        return done.error
    return "" if done.success or done.results else ("\n".join(done.log) or "dbt stopped without a word.")[:1500]


# ---------------------------------------------------------------- data tests, replayed


def _compile(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """The SQL of every data test and view as dbt compiles it, kept while the project stays as it is."""
    from shopflow import transform

    key = f"{folder}|{hash(tuple(sorted(request['files'].items())))}|{request.get('variables')}"
    if key not in _COMPILED:
        _COMPILED.clear()
        done = transform.dbt(
            folder,
            ["compile", "--select", "test_type:data", "config.materialized:view"],
            warehouse=_warehouse(folder, {}),
            variables=request.get("variables"),
            artifacts=False,
        )
        _COMPILED[key] = {"error": _error(done) or _failures(done), "tests": {}, "views": {}}
        if not _COMPILED[key]["error"]:
            _COMPILED[key] |= _of_manifest(done.manifest)
    return _COMPILED[key]


def _failures(done: Any) -> str:
    return "\n".join(f"{r.name}: {r.message}" for r in done.failed())[:1500]


def _of_manifest(manifest: Any) -> dict[str, Any]:
    tests, views = {}, {}
    reads = _sources_read(manifest)
    for node in manifest.nodes.values():
        kind = str(node.resource_type)
        if kind == "test":
            config = node.config
            metadata = getattr(node, "test_metadata", None)
            tests[node.name] = {
                "sql": node.compiled_code,
                "severity": str(config.severity).upper(),
                "warn_if": config.warn_if,
                "error_if": config.error_if,
                "fail_calc": config.fail_calc,
                "limit": config.limit,
                "kind": metadata.name if metadata else "singular",
                "column": getattr(node, "column_name", None),
                "on": sorted(parent.split(".")[-1] for parent in node.depends_on.nodes),
                "reads": sorted(reads(node)),
            }
        elif kind == "model" and node.config.materialized == "view":
            views[f"{node.schema}.{node.name}"] = node.compiled_code
    return {"tests": tests, "views": views}


def _sources_read(manifest: Any) -> Callable[[Any], set[str]]:
    """For a node the source tables it reads, directly or through the models it depends on."""

    def reads(node: Any) -> set[str]:
        if str(node.resource_type) == "source":
            return {f"{node.schema}.{node.identifier}"}
        parents = [manifest.nodes.get(key) or manifest.sources.get(key) for key in node.depends_on.nodes]
        return set().union(*(reads(parent) for parent in parents if parent is not None))

    return reads


def _replay(compiled: dict[str, Any], tables: dict[str, Any], states: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Every data test on every state: the statuses dbt would give (a test of ours holds the two against each other).

    A test that reads none of a state's changed tables says there what it says on the tables as they are.
    """
    con = _opened(compiled["views"], tables)
    try:
        tests = compiled["tests"]
        unchanged = _on_state(con, tests, {})
        found = {}
        for key, changed in states.items():
            touched = {
                name: test for name, test in tests.items() if not test["reads"] or changed.keys() & set(test["reads"])
            }
            found[key] = unchanged | (_on_state(con, touched, changed) if touched else {})
        return found
    finally:
        con.close()


def _opened(views: dict[str, str], tables: dict[str, Any]) -> Any:
    """A connection to a warehouse in memory, under the name the compiled SQL knows, out of reach of files and network."""
    import duckdb

    con = duckdb.connect(config={"threads": 1})
    con.execute(f"attach ':memory:' as {_WAREHOUSE}; use {_WAREHOUSE}; begin")
    _put(con, tables)
    for name, query in views.items():
        con.execute(f"create schema if not exists {name.split('.')[0]}")
        con.execute(f"create or replace view {name} as {query}")
    con.execute("commit; set enable_external_access = false")
    return con


def _on_state(con: Any, tests: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    con.execute("begin")
    _put(con, changed)
    found = {}
    for name, test in tests.items():
        found[name] = _status(con, test)
        if found[name]["status"] == "error":  # an error ends the transaction
            con.execute("rollback")
            con.execute("begin")
            _put(con, changed)
    con.execute("rollback")
    return found


def _status(con: Any, test: dict[str, Any]) -> dict[str, Any]:
    """One test as dbt runs it: the count of failures, held against warn_if and error_if, under its severity."""
    import duckdb

    limit = f"limit {test['limit']}" if test["limit"] else ""
    query = (
        f"select failures, failures {test['warn_if']}, failures {test['error_if']} "
        f"from (select {test['fail_calc']} as failures from ({test['sql']}\n{limit}))"
    )
    try:
        failures, warn, fail = con.execute(query).fetchone()
    except duckdb.Error as error:
        return {"status": "error", "failures": None, "message": str(error).splitlines()[0][:300]}
    status = "fail" if fail and test["severity"] == "ERROR" else "warn" if warn else "pass"
    return {"status": status, "failures": failures, "message": ""}
