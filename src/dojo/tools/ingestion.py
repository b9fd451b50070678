"""Runs a learner's dlt ingestion, try by try, each in a process and a home of its own, and says what it did.

A request has `files` (a repository, by path) and `tries`. Each try is a dict with `do`:
    import  module → whether importing raised, which files it made, which hosts it asked for
    loads   module, deliveries [{table: rows}], warehouse → module.run(read, warehouse) once a delivery, each on a fresh
            machine (an empty home) and on the same warehouse file; `read(table, since)` answers from the delivery
    main    module, rows, token, environment → `python -m module` against an HTTP server that wants the token
    pytest  files → the repository's tests with these files in place of its own
The tables of dlt's dataset come back without dlt's own columns.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil

from dojo.judge import waiting
from dojo.judge.work import NotCheckable
from dojo.tools import beside

SECONDS = 60
SILENT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "CRITICAL", "DO_NOT_TRACK": "1"}


_LOADED: list[int] = []
"""The process that holds dlt and has no threads, so that it can be forked."""


def warm() -> None:
    """Loads dlt once for all processes that are forked from this one. Others load it in a new interpreter a session."""
    _load_dlt()
    _LOADED[:] = [os.getpid()]


def make_ready() -> None:
    """Nothing: a kernel has threads, which must not be forked."""


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """What each try did, in order; see the module's first lines. NotCheckable where processes cannot be forked."""
    if not hasattr(os, "fork"):
        raise NotCheckable("Ingestion runs on Linux, macOS and inside WSL, not on Windows itself.")
    keep = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "SYSTEMROOT")}
    environment = {**keep, **SILENT, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONDONTWRITEBYTECODE": "1"}
    waiting.tell(0, len(request["tries"]), "loading dlt")
    results = _session(request, environment, SECONDS)
    if any("busy" in result for result in results):  # once more, with more time: the machine may have been busy
        results = _session(request, environment, 3 * SECONDS)
    return results


def _session(request: dict[str, Any], environment: dict[str, str], seconds: int) -> list[dict[str, Any]]:
    room = Path(tempfile.mkdtemp(prefix="ingestion-"))
    process = None
    try:
        environment = {**environment, "HOME": str(room), "TMPDIR": str(room)}
        started = _forked if _LOADED and _LOADED[0] != os.getpid() else _interpreter
        process = started(room, request, environment)
        cut_off = _waited(process, room, len(request["tries"]), seconds)
        paths = [room / f"{n}.json" for n in range(len(request["tries"]))]
        words = (room / "said").read_text(encoding="utf-8", errors="replace")
        return [_result(path, words, seconds if cut_off else 0) for path in paths]
    finally:
        if process is not None:
            _end(process)
        _removed(room)


def _interpreter(room: Path, request: dict[str, Any], environment: dict[str, str]) -> psutil.Process:
    """Carries out the tries in a new interpreter."""
    asked = room / "asked.json"
    asked.write_text(json.dumps(request), encoding="utf-8")
    with (room / "said").open("wb") as said, asked.open("rb") as given:
        return psutil.Popen(
            [sys.executable, "-P", "-m", "dojo.tools.ingestion", str(room)],
            stdin=given,
            stdout=said,
            stderr=said,
            env=environment,
            cwd=room,
            start_new_session=True,
        )


def _forked(room: Path, request: dict[str, Any], environment: dict[str, str]) -> psutil.Process:
    """Carries out the tries in a fork of this process, which holds dlt already."""
    pid = os.fork()
    if pid:
        return psutil.Process(pid)
    with contextlib.suppress(BaseException):
        os.setsid()
        os.chdir(room)
        os.environ.clear()
        os.environ.update(environment)
        tempfile.tempdir = None
        said = os.open("said", os.O_WRONLY | os.O_CREAT)
        for place in (1, 2):
            os.dup2(said, place)
        main(room, request)
    os._exit(0)


def _waited(process: psutil.Process, room: Path, tries: int, seconds: int) -> bool:
    """Waits for the process, telling how far it is; whether it had to be cut off."""
    until, told = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        with contextlib.suppress(psutil.TimeoutExpired):
            process.wait(0.05)
            return False
        done = sum((room / f"{n}.json").exists() for n in range(tries))
        if done > told:
            told = done
            waiting.tell(done, tries, "trying the load")
    return True


def _end(process: psutil.Process) -> None:
    """Kills the process with everything it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _removed(room: Path) -> None:
    """Removes a folder in which something that was killed may have been writing."""
    for _ in range(20):
        shutil.rmtree(room, ignore_errors=True)
        if not room.exists():
            return
        time.sleep(0.05)


def _result(path: Path, said: str, cut_off: int) -> dict[str, Any]:
    """What a try left; `busy` says so where it was cut off after so many seconds."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(path.read_text(encoding="utf-8"))
    if cut_off:
        words = f"The load was cut off twice, the second time after {cut_off} s. Check again when less runs on this machine; if it is cut off again, look for something that waits."
        return {"raised": "", "busy": words, "said": said[-500:]}
    return {"raised": "ProcessLookupError: the process ended before it could say what it did", "said": said[-500:]}


# ---------------------------------------------------------------- the API's stand-in


@contextlib.contextmanager
def api(rows: dict[str, list[dict[str, Any]]], token: str) -> Iterator[tuple[str, list[tuple[str, str, bool]]]]:
    """An HTTP server on this machine that answers with these rows to who brings the token.

    Yields its address and a list that fills with (table, since, whether it was let in).
    """
    asked: list[tuple[str, str, bool]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            table, since = parts.path.strip("/"), parse_qs(parts.query).get("since", [""])[0]
            let_in = self.headers.get("Authorization") == f"Bearer {token}"
            asked.append((table, since, let_in))
            found = [r for r in rows.get(table, []) if not since or r["updated_at"] >= since]
            body = json.dumps(found if let_in else {"error": "token refused"}).encode()
            self.send_response(200 if let_in else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


# ---------------------------------------------------------------- one try, in a process of its own


def _import(repo: Path, asked: dict[str, Any]) -> dict[str, Any]:
    import socket

    hosts: list[str] = []

    def refuse(self: Any, address: Any, *_: Any) -> None:
        hosts.append(str(address[0] if isinstance(address, tuple) else address))
        raise ConnectionRefusedError("no network while a module is imported")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.getaddrinfo = lambda host, *_, **__: refuse(None, (host,))  # type: ignore[assignment]
    before = _names(repo)
    raised = _caught(lambda: __import__(asked["module"]))
    return {"raised": raised, "made": sorted(_names(repo) - before)[:20], "hosts": sorted(set(hosts))}


def _loads(repo: Path, asked: dict[str, Any]) -> dict[str, Any]:
    warehouse, done = str(repo / "tried.duckdb"), []
    for delivery in asked["deliveries"]:
        done.append(_apart(lambda delivery=delivery: _load(asked["module"], delivery, warehouse)))
        done[-1]["tables"] = tables(Path(warehouse), "raw")
    return {"deliveries": done}


def _load(module: str, delivery: dict[str, Any], warehouse: str) -> dict[str, Any]:
    since: dict[str, Any] = {}

    def read(table: str, since_when: Any = None) -> list[dict[str, Any]]:
        since[table] = None if since_when is None else str(since_when)
        return [dict(r) for r in delivery.get(table, []) if since_when is None or r["updated_at"] >= str(since_when)]

    def run() -> None:
        found = _module(module)
        if not callable(getattr(found, "run", None)):
            raise AttributeError(f"{module} has no function run(read, warehouse)")
        found.run(read, warehouse)

    return {"raised": _caught(run), "since": since}


def _main(repo: Path, asked: dict[str, Any]) -> dict[str, Any]:
    import runpy

    warehouse = repo / "tried.duckdb"
    with api(asked["rows"], asked["token"]) as (address, calls):
        os.environ.update({"SHOPFLOW_WAREHOUSE": str(warehouse), "SHOP_API_URL": address, **asked["environment"]})
        sys.argv = [asked["module"]]
        raised = _caught(lambda: runpy.run_module(asked["module"], run_name="__main__", alter_sys=True))
    return {"raised": raised, "calls": calls, "tables": tables(warehouse, "raw")}


def _pytest(repo: Path, asked: dict[str, Any]) -> dict[str, Any]:
    import io

    import pytest

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:nbval", "--tb=short"])
    return {"exit": int(code), "said": said.getvalue()[-3000:]}


_DOES = {"import": _import, "loads": _loads, "main": _main, "pytest": _pytest}


def _module(name: str) -> Any:
    import importlib

    return importlib.import_module(name)


def _names(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


def _caught(work: Any) -> str:
    """What a call raised as "Class: words (line)", "" when it came back."""
    try:
        work()
    except SystemExit as end:
        return "" if not end.code else f"SystemExit: {end.code}"
    except BaseException as error:
        root = error
        while root.__cause__ is not None:
            root = root.__cause__
        own = [f for f in traceback.extract_tb(error.__traceback__) if "/ingest/" in f.filename.replace("\\", "/")]
        line = f" (line {own[-1].lineno} of {Path(own[-1].filename).name})" if own else ""
        said = str(error).strip() if root is error else f"{str(error).strip()} · {type(root).__name__}: {root}"
        return f"{type(error).__name__}: {' '.join(said.split())[:700]}{line}"
    return ""


def tables(warehouse: Path, schema: str) -> dict[str, list[dict[str, Any]]]:
    """The tables of a schema as rows of text and numbers, dlt's own tables and columns left out; {} where there are none."""
    import duckdb

    if not warehouse.exists():
        return {}
    with contextlib.ExitStack() as stack:
        try:
            con = _opened(warehouse, stack)
        except duckdb.Error as error:
            return {"": [{"error": str(error)[:200]}]}
        con.execute("set timezone = 'UTC'")
        names = con.execute(
            f"select table_name from information_schema.tables where table_catalog = {beside.text(beside.NAME)} "
            "and table_schema = ? and table_name not like '\\_dlt%' escape '\\' order by 1",
            [schema],
        ).fetchall()
        return {name: _rows(con, f'{beside.NAME}.{schema}."{name}"') for (name,) in names}


def _opened(warehouse: Path, stack: contextlib.ExitStack) -> Any:
    """A connection beside the warehouse; a process that has just ended may hold the file's lock for a moment longer."""
    import duckdb

    waits = [4.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05]
    while True:
        try:
            return stack.enter_context(beside.attached(warehouse, read_only=False))
        except duckdb.Error as error:
            if not waits or "lock" not in str(error):
                raise
            time.sleep(waits.pop())


def _rows(con: Any, relation: str) -> list[dict[str, Any]]:
    found = con.execute(f"select columns(c -> c not like '\\_dlt%' escape '\\') from {relation} order by all")
    names = [c[0] for c in found.description]
    return [
        {n: v if v is None or isinstance(v, int) else str(v) for n, v in zip(names, row, strict=True)}
        for row in found.fetchall()
    ]


def _apart(work: Any) -> dict[str, Any]:
    """What a function gave in a fork with an empty home: the next machine remembers nothing of it."""
    result = Path(tempfile.mkdtemp()) / "result.json"
    os.waitpid(_begin(result, work), 0)
    with contextlib.suppress(OSError, ValueError):
        return json.loads(result.read_text(encoding="utf-8"))
    return {"raised": "ProcessLookupError: the process ended before it could say what it did", "since": {}}


def _try(room: Path, files: dict[str, str], asked: dict[str, Any]) -> dict[str, Any]:
    repo = Path(tempfile.mkdtemp(prefix="repo-", dir=room))
    for name, text in {**files, **asked.get("files", {})}.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    os.chdir(repo)
    sys.path.insert(0, str(repo))
    return _DOES[asked["do"]](repo, asked)


MODULES = (
    "dlt.destinations.impl.duckdb.duck",
    "dlt.normalize.normalize",
    "dlt.load.load",
    "pandas",
    "pyarrow.compute",
    "requests",
    "pytest",
)
"""What a first load and a first test would load otherwise, once in every try."""


def _load_dlt() -> None:
    import dlt
    import dlt.destinations

    dlt.destinations.duckdb("")
    for name in MODULES:
        with contextlib.suppress(ImportError):
            _module(name)


def main(room: Path, request: dict[str, Any]) -> None:
    """Carries out the tries, two at a time, each in a fork that holds dlt already; leaves a file for each in `room`."""
    _load_dlt()
    running: set[int] = set()
    for number, asked in enumerate(request["tries"]):
        if len(running) == 2:
            running.discard(os.wait()[0])
        running.add(_begin(room / f"{number}.json", lambda asked=asked: _try(room, request["files"], asked)))
    for pid in running:
        os.waitpid(pid, 0)
    for path in room.glob("repo-*"):
        shutil.rmtree(path, ignore_errors=True)


def _begin(result: Path, work: Any) -> int:
    """A fork with an empty home that writes what a function gave to a file; its process id."""
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException), tempfile.TemporaryDirectory() as home:
            os.environ |= {"HOME": home, "DLT_DATA_DIR": home}  # root's dlt would use /var/dlt
            part = result.with_suffix(".part")
            part.write_text(json.dumps(work()), encoding="utf-8")
            part.replace(result)
        os._exit(0)
    return pid


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
