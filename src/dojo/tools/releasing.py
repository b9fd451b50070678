"""Deliveries tried for real: a learner's Python file runs over warehouses on disk, with dbt, Git, and readers who look in between.

A request has an `op`; `text` is the learner's file and `entry` the function in it:
    targets   `text` is a profiles.yml: what each target connects to, and what a run there leaves in which file
    session   a folder of warehouses, a repository, a `dbt` to call; the function gets what `arguments` names
    watched   another process reads a published file all the time, and after each line of the learner's
    inside    the function gets a connection; another session of the same database reads after each call of it
The function runs in a process of its own (releasing_function); dbt, the readers and what is written down are out of its reach.
What it returned or raised, what it asked of dbt, what readers saw and what is left comes back as plain values.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from dojo.judge import plain
from dojo.judge.work import LearnerError, NotCheckable
from dojo.tools import beside, releasing_dbt
from dojo.tools import git as git_tool
from dojo.tools.companions import Companion
from dojo.tools.releasing_dbt import Done, run_dbt
from dojo.tools.releasing_function import Function, Outcome, Served, Session
from dojo.tools.releasing_reader import READER
from dojo.tools.watching import Watch
from shopflow.history import git
from shopflow.tables import BATCH_ROWS


def warm() -> None:
    """Imports dbt and parses what is delivered."""
    releasing_dbt.warm()


def session(request: dict[str, Any]) -> Any:
    """Carries out one request; see the module's first lines."""
    return _OPERATIONS[request["op"]](request)


# ---------------------------------------------------------------- warehouses


def _fill(path: Path, tables: dict[str, Any], statements: list[str] | None = None) -> None:
    """A warehouse file with these tables; `statements` run afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    con = duckdb.connect(str(path))
    try:
        _put(con, tables, statements)
    finally:
        con.close()


def _put(con: duckdb.DuckDBPyConnection, tables: dict[str, Any], statements: list[str] | None = None) -> None:
    con.execute("begin")
    for name, table in tables.items():
        con.execute(f"create schema if not exists {name.split('.')[0]}")
        con.register("incoming_rows", table)
        con.execute(f"create or replace table {name} as from incoming_rows")
        con.unregister("incoming_rows")
    for statement in statements or []:
        con.execute(statement)
    con.execute("commit")


_HELD = """
select schema_name, table_name, 'table' as kind, '' as definition from duckdb_tables() where database_name = $file
union all select schema_name, view_name, 'view', sql from duckdb_views() where database_name = $file and not internal
union all
select schema_name, function_name, 'macro', parameters::text || macro_definition
from duckdb_functions() where database_name = $file and not internal
union all select schema_name, sequence_name, 'sequence', sql from duckdb_sequences() where database_name = $file
union all
select schema_name, type_name, 'type', logical_type || coalesce(labels::text, '')
from duckdb_types() where database_name = $file and not internal
order by all
"""
_COLUMNS = """
select schema_name, table_name, string_agg(column_name || ' ' || data_type, ', ' order by column_index)
from duckdb_columns() where database_name = $file and not internal group by all
"""


def _name_of(path: Path) -> str:
    """What a file's own views call its database."""
    return path.stem if path.stem.lower() not in ("memory", "system", "temp") else f"the {path.stem}"


def _held(con: duckdb.DuckDBPyConnection, file: str) -> list[tuple[str, str, str, str]]:
    """(schema, name, kind, definition) of all that an attached file holds: tables, views, macros, sequences and types."""
    return con.execute(_HELD.replace("$file", beside.text(file))).fetchall()


def holds(path: Path) -> list[str] | str:
    """Names of all that a warehouse file holds, those that are no tables with their kind; DuckDB's words where it cannot be read."""
    file = _name_of(path)
    try:
        with beside.attached(path, file) as con:
            return [
                _told(schema, name) + (f" ({kind})" if kind != "table" else "") for schema, name, kind, _ in _held(con, file)
            ]
    except duckdb.Error as error:
        return _first_line(error)


def contents(path: Path) -> str:
    """What a warehouse file holds, in one line a relation: two files that hold the same rows give the same text."""
    if not path.is_file():
        return "no file"
    file = _name_of(path)
    try:
        with beside.attached(path, file) as con:
            columns = {(s, n): c for s, n, c in con.execute(_COLUMNS.replace("$file", beside.text(file))).fetchall()}
            return "\n".join(_line(con, file, *one, columns.get(one[:2], "")) for one in _held(con, file))
    except duckdb.Error as error:
        return f"cannot be opened: {_first_line(error)}"


def _line(
    con: duckdb.DuckDBPyConnection, file: str, schema: str, name: str, kind: str, definition: str, columns: str
) -> str:
    head = f"{_told(schema, name)} {kind}"
    if definition:
        head += f" {hashlib.md5(definition.encode()).hexdigest()}"
    if kind not in ("table", "view"):
        return head
    try:
        relation = ".".join(beside.quoted(part) for part in (file, schema, name))
        count, digest = con.execute(f"select count(*), bit_xor(hash(t)) from {relation} as t").fetchone()
        return f"{head} {hashlib.md5(columns.encode()).hexdigest()} {count} {digest}"
    except duckdb.Error as error:
        return f"{head} broken: {_first_line(error)}"


def _told(schema: str, name: str) -> str:
    """schema.name without spaces or ends of lines in it."""
    return f"{schema}.{name}".encode("unicode_escape").decode().replace(" ", "\\x20")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]


def _asked(room: Path, queries: dict[str, list[str]]) -> dict[str, Any]:
    """{key: rows as a table, or DuckDB's words}, each query on the file it names."""
    answers: dict[str, Any] = {}
    for key, (name, query) in queries.items():
        path = room / name
        if not path.is_file():
            answers[key] = f"{name} is not there"
            continue
        file = _name_of(path)
        try:
            with beside.attached(path, file) as con:
                con.execute(f"use {beside.quoted(file)}")
                answers[key] = _rows(con, query)
        except duckdb.Error as error:
            answers[key] = _first_line(error)
    return answers


def _rows(con: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The answer as a table, or in words why there is none: also where it holds what is not carried to the judge."""
    try:
        table = con.execute(query).to_arrow_table(BATCH_ROWS)
        plain.copy(table)
    except (duckdb.Error, plain.NotPlain, ValueError, NotImplementedError) as error:
        return _first_line(error)
    return table


@contextlib.contextmanager
def _room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dojo-releasing-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


# ---------------------------------------------------------------- session: warehouses, a repository, and dbt


@dataclass
class Call:
    """One dbt command a delivery gave: where, and what came of it.

    named: whether a target was given; state, left: what the guarded file, and the command's own, held afterwards.
    """

    arguments: list[str]
    target: str
    named: bool
    warehouse: str
    variables: dict
    success: bool = False
    nodes: list[list[str]] = field(default_factory=list)
    said: str = "dbt was not heard of again"
    state: str = ""
    left: str = ""


@dataclass
class Dbt:
    """dbt as a delivery calls it, and what came of each call.

    It runs the project that stands in the repository at that moment. Without a warehouse it is the target's own file.
    """

    room: Path
    guarded: Path
    environment: dict[str, str]
    calls: list[Call] = field(default_factory=list)

    def ask(self, _: dict[str, Any], value: Any) -> Done:
        """Runs [arguments, target or None, warehouse or None, variables]. TypeError where that is no command."""
        words, target, warehouse, variables = [str(word) for word in value[0]], value[1], value[2], dict(value[3])
        releasing_dbt.check_command(words)
        named, target = target is not None, str(target or "dev")
        path = self.room / "warehouse" / f"{target}.duckdb" if warehouse is None else Path(str(warehouse))
        there = path.resolve()
        name = there.relative_to(self.room).as_posix() if there.is_relative_to(self.room) else path.name
        call = Call(self._plainly(words), target, named, name, variables)
        self.calls.append(call)
        try:
            done = self._done(words, target, path, variables)
            call.success = done.success
            call.nodes = [[r.resource_type, r.name, r.status] for r in done.results]
            call.said = (done.error or "; ".join(f"{r.name}: {r.message}" for r in done.failed()))[:600]
        finally:
            call.state = contents(self.guarded)
            call.left = call.state if there == self.guarded else contents(there)
        return done

    def _done(self, words: list[str], target: str, path: Path, variables: dict) -> Done:
        """What dbt does; where it did exactly this on exactly these rows before, the file it left then."""
        files = project_of(self.room)
        place = json.dumps([self._plainly(words), target, path.stem, variables, files, contents(path), self._read_by(words)])
        if place in _DONE:
            kept, done = _DONE[place]
            if kept:
                path.write_bytes(kept)
            return done
        done = run_dbt(files, words, target, path, variables, self.environment)
        _DONE[place] = (path.read_bytes() if path.is_file() else b"", done)
        while sum(len(kept) for kept, _ in _DONE.values()) > KEPT_BYTES:
            _DONE.pop(next(iter(_DONE)))
        return done

    def _plainly(self, words: list[str]) -> list[str]:
        return [word.replace(str(self.room), "…") for word in words]

    def _read_by(self, words: list[str]) -> list[str]:
        """What a command reads besides the project and its own file: warehouses that a profile attaches, a manifest."""
        attached = [f"{name} {contents(Path(value))}" for name, value in sorted(self.environment.items())]
        folders = [Path(word.split("=", 1)[-1]) for word in words if "/" in word or os.sep in word]
        states = [folder / name for folder in folders for name in STATE_FILES if (folder / name).is_file()]
        return attached + [f"{f.name} {hashlib.sha256(f.read_bytes()).hexdigest()}" for f in states]


STATE_FILES = ("manifest.json", "run_results.json", "sources.json")
"""What dbt reads in the folder of `--state`."""
KEPT_BYTES = 192 << 20
"""How much of what dbt made is kept in a process."""
_DONE: dict[str, tuple[bytes, Done]] = {}


def project_of(room: Path) -> dict[str, str]:
    """The dbt project as it stands in the repository now. ValueError where one of its files is no text, or leads out of it."""
    folder = room / "repo" / "dbt"
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if not path.is_file() or {"target", "logs"} & set(name.parts):
            continue
        if not path.resolve().is_relative_to(room):
            raise ValueError(f"dbt/{name.as_posix()} leads out of the repository")
        try:
            found[name.as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"dbt/{name.as_posix()} is no text, and dbt reads text only") from None
    return found


def _session(request: dict[str, Any]) -> dict[str, Any]:
    with _room() as room, Function(request["text"], request["entry"]) as function:
        _furnish(room, request)
        guarded = room / request.get("guarded", "warehouse/prod.duckdb")
        environment = {k: v.replace("ROOM", str(room)) for k, v in (request.get("environment") or {}).items()}
        dbt = Dbt(room, guarded, environment)
        known = {
            "dbt": Served("dbt"),
            "folder": room / "warehouse",
            "repo": room / "repo",
            "room": room,
            "state": room / "state",
        }
        before, stood, refs = contents(guarded), _identity(guarded), _refs(room / "repo")
        arguments = [known[a] if isinstance(a, str) and a in known else a for a in request["arguments"]]
        with _held_open(guarded):
            outcome = function.call(arguments, {"dbt": dbt.ask})
            replaced = _identity(guarded) != stood
        answer = {
            **asdict(outcome),
            "before": before,
            "refs": refs,
            "after": contents(guarded),
            "replaced": replaced,
            "calls": [asdict(c) for c in dbt.calls],
            "rows": _asked(room, request.get("queries") or {}),
            "files": sorted(p.relative_to(room).as_posix() for p in room.rglob("*.duckdb*")),
        }
        if request.get("stream"):
            answer |= git_tool.state(room / "repo")
        return answer


def _refs(repo: Path) -> dict[str, str]:
    """{branch or tag: id of its commit} of a repository; nothing where there is none."""
    if not (repo / ".git").exists():
        return {}
    listed = git(repo, "for-each-ref", "--format=%(refname:short) %(objectname)")
    return dict(line.split() for line in listed.splitlines())


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there, whatever it holds."""
    if not path.is_file():
        return None
    found = path.stat()
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def _held_open(path: Path) -> Iterator[None]:
    """Keeps the number of a file from being given to another one. On Windows that would keep the file itself in its place."""
    if os.name == "nt" or not path.is_file():
        yield
        return
    with path.open("rb"):
        yield


def _furnish(room: Path, request: dict[str, Any]) -> None:
    """Repository, warehouses, and the manifest of what prod runs."""
    if request.get("stream"):
        git_tool.make(room / "repo", request["stream"])
    for path, text in (request.get("files") or {}).items():
        target = room / "repo" / "dbt" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for name, tables in request["warehouses"].items():
        _fill(room / name, tables, (request.get("statements") or {}).get(name))
    if request.get("released"):
        (room / "state").mkdir()
        (room / "state" / "manifest.json").write_bytes(releasing_dbt.state_of(request["released"]))


# ---------------------------------------------------------------- watched: a reader in another process


class Reader(Companion):
    """Another process that opens a file for a moment, asks one query and closes it, all the time and whenever told."""

    def __init__(self) -> None:
        super().__init__("-c", READER, text=True)
        self._orders = 0

    def order(self, *words: str) -> Any:
        """Gives one order and waits for the answer. LearnerError where somebody has ended the process or speaks in its place."""
        self._orders += 1
        try:
            self._process.stdin.write(json.dumps([self._orders, *words]) + "\n")
            self._process.stdin.flush()
            number, answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError, TypeError):
            number, answer = None, None
        if number != self._orders:
            self.end()
            raise LearnerError("Stopped", "the process that reads the served file was ended, or somebody spoke in its place")
        return answer

    def was_stopped(self) -> bool:
        """Whether somebody has held the process up, by a signal, since this was last asked."""
        if not hasattr(os, "waitid"):
            return False
        try:
            found = os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WCONTINUED | os.WNOHANG)
        except ChildProcessError:
            return False
        return found is not None


def _watched(request: dict[str, Any]) -> dict[str, Any]:
    """Mornings one after the other in one folder, each with the built warehouse it finds."""
    if sys.platform == "win32":
        raise NotCheckable(
            "Windows does not let a file be replaced while somebody reads it. Check this task in WSL or on another system."
        )
    Reader.here().order("begin")  # before there is anybody who could be in its way
    with _room() as room:
        for name, tables in request["warehouses"].items():
            _fill(room / name, tables)
        mornings: list[dict[str, Any]] = []
        for morning in request["mornings"]:
            looks = mornings[-1]["looks"] if mornings else 0
            mornings.append(_watched_morning(room, morning, request, round(looks * morning.get("killed", 0))))
        return {"mornings": mornings}


def _watched_morning(room: Path, morning: dict[str, Any], request: dict[str, Any], killed: int) -> dict[str, Any]:
    """One call, in a process of its own as every morning's; it is killed at the look of that number, if there is one.

    A function that was refused because a reader had the file open is told so under `met`, and is called once more without
    readers: whether they meet is a matter of luck, what arrives must not be.
    """
    built, served = room / request["arguments"][0], room / request["served"]
    for old in (built, built.with_name(f"{built.name}.wal")):
        old.unlink(missing_ok=True)
    _fill(built, morning["tables"])
    if morning.get("in_log"):
        _leave_in_log(built, morning["in_log"])
    outcome, told = _under_watch(room, request, killed)
    met = outcome.raised if "lock" in outcome.raised.lower() else ""
    if met:
        outcome, end = _alone(room, request)
        told["seen"].append(end)
    files = sorted(p.relative_to(room).as_posix() for p in room.rglob("*") if p.is_file() or p.is_symlink())
    left = {"files": files, "holds": holds(served), "rows": _asked(room, request.get("queries") or {})}
    return {**asdict(outcome), **told, **left, "met": met}


def _under_watch(room: Path, request: dict[str, Any], killed: int) -> tuple[Outcome, dict[str, Any]]:
    """The function called while another process reads all the time: what came of it, what was seen, how often was looked."""
    served, reader, looks = room / request["served"], Reader.here(), 0

    def look(message: dict[str, Any], _: Any) -> Any:
        nonlocal looks
        looks += 1
        if looks == killed:
            function.kill()
        return reader.order("look", str(message.get("line", ""))[:300])

    with Function(request["text"], request["entry"]) as function:
        reader.order("watch", str(served), request["query"])
        with Watch(served) as watch:
            try:
                outcome = function.call([room / name for name in request["arguments"]], {"look": look}, traced=True)
            finally:
                reader.order("look", "")
                seen = reader.order("stop")
        if reader.was_stopped():
            raise LearnerError("Stopped", "the process that reads the served file was stopped for a while")
    return outcome, {"seen": seen, "looks": looks, "gone": watch.moments.gone, "written": watch.moments.written}


def _alone(room: Path, request: dict[str, Any]) -> tuple[Outcome, list]:
    """The function called while nobody reads: what came of it, and what a reader finds afterwards."""
    with Function(request["text"], request["entry"]) as function:
        outcome = function.call([room / name for name in request["arguments"]], {})
    reader = Reader.here()
    reader.order("watch", str(room / request["served"]), request["query"])
    return outcome, reader.order("stop")[-1]


def _leave_in_log(path: Path, tables: dict[str, Any]) -> None:
    """Replaces tables so that the new rows stand in the write-ahead log beside the file, as after a writer that was killed."""
    aside = path.with_name(f"writer-{path.name}")
    shutil.copyfile(path, aside)
    con = duckdb.connect(str(aside))
    con.execute("set checkpoint_threshold = '1GB'")
    _put(con, tables)
    shutil.copyfile(aside, path)
    shutil.copyfile(f"{aside}.wal", f"{path}.wal")
    con.close()
    aside.unlink()


# ---------------------------------------------------------------- inside: another session of the same database


def _inside(request: dict[str, Any]) -> dict[str, Any]:
    with _room() as room, Function(request["text"], request["entry"]) as function:
        con = duckdb.connect(str(room / "warehouse.duckdb"))
        other = con.cursor()
        try:
            _put(con, request["tables"])
            return {"mornings": [_morning(con, other, function, morning, request) for morning in request["mornings"]]}
        finally:
            other.close()
            con.close()


def _morning(con: Any, other: Any, function: Function, morning: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """One call, on a session that a careless function may leave in the middle of a transaction."""
    _put(other, morning["tables"])
    seen: list[list] = []

    def look(line: str) -> None:
        try:
            state = ["rows", [[str(v) for v in row] for row in other.execute(request["query"]).fetchall()]]
        except duckdb.Error as error:
            state = ["error", str(error).splitlines()[0][:200]]
        if not seen or seen[-1][1] != state:
            seen.append([line, state])

    look("")
    session = con.cursor()
    try:
        answers = {"session": Session(session, look).ask}
        outcome = function.call([Served("session"), *morning["arguments"]], answers)
    finally:
        session.close()  # what was not committed is gone
    look("")
    rows = {key: _rows(other, query) for key, query in request["queries"].items()}
    return {**asdict(outcome), "seen": seen, "rows": rows}


# ---------------------------------------------------------------- targets: a profile, and what a run of each target touches


def _targets(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs one after the other: {name, path, database, own, refused, success, said, changed}.

    refused: dbt stopped when it read the profile, before it connected. A run that is only to be `read` ends there.
    changed: files that do not hold what they held.
    """
    with _room() as room:
        for name, tables in request["warehouses"].items():
            _fill(room / name, tables)
        held = {name: contents(room / name) for name in request["warehouses"]}
        return [_target(room, request["text"], run, held) for run in request["runs"]]


def _target(room: Path, text: str, run: dict[str, Any], held: dict[str, str]) -> dict[str, Any]:
    """One run; `held` is what the files hold, before it and after it."""
    environment = {k: v.replace("ROOM", str(room)) for k, v in run["environment"].items()}
    found = releasing_dbt.resolved(text, run["target"], environment)
    told = {
        "name": found.name,
        "path": found.path.replace(str(room), "…"),
        "database": found.database,
        "own": found.own,
        "refused": bool(found.said),
        "success": False,
        "said": found.said.replace(str(room), "…")[:500],
        "changed": [],
    }
    if found.said or run.get("read"):
        return told
    done = releasing_dbt.run_profile(room / "profile", found)
    before = dict(held)
    held.update({p.relative_to(room).as_posix(): contents(p) for p in room.rglob("*.duckdb")})
    said = done.error or "; ".join(f"{r.name}: {r.message}" for r in done.failed())
    changed = sorted(f for f in held if held[f] != before.get(f))
    return told | {"success": done.success, "said": said.replace(str(room), "…")[:500], "changed": changed}


_OPERATIONS = {"targets": _targets, "session": _session, "watched": _watched, "inside": _inside}
