"""Python tools of a CI step from a warm process: a fork that has dbt, SQLFluff, pytest and detect-secrets loaded runs each command.

A command in a step reaches it through the stand-in programs of dojo.tools.runner_programs. The tools are the real ones, with
their own output and exit status; what is saved is the time to load them. dbt is also handed the last parse of the same
project, as a CI cache would do; dbt itself decides what of it still holds.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import hashlib
import importlib
import io
import json
import os
import runpy
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

from dojo.judge import settings
from dojo.tools import remembered
from dojo.tools.remembered import option
from shopflow import quicker_dbt

READY = "dojo.tools.warm is ready"
BEGUN = b"b"
MODULES = (
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "sqlfluff.cli.commands",
    "pytest",
    "detect_secrets.pre_commit_hook",
    "dlt.destinations.impl.duckdb.duck",
    "dlt.normalize.normalize",
    "dlt.load.load",
    "pyarrow.compute",
)


def load(project: Path | None = None, pool: Path | None = None) -> None:
    """Loads the tools and runs each once; what they leave behind has no thread that a fork would wait for.

    project: a repository whose dbt project is built for that, in place of a small one; its parse is then kept in `pool`.
    """
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    with contextlib.suppress(ImportError):
        quicker_dbt.prepare()
    with contextlib.suppress(Exception):
        _rehearse() if project is None else _rehearse_on(project, pool)
    gc.collect()
    gc.freeze()


BUILD = ["build", "--project-dir", "dbt", "--profiles-dir", "ci"]
"""dbt's command in most workflows on ShopFlow's repository."""


def _rehearse_on(project: Path, pool: Path) -> None:
    """The repository's sample loaded and its dbt project built, as a run does; the parse stays for every later run."""
    import sqlfluff

    sqlfluff.lint("select a.b, count(*) as n from {{ 'a' }} group by a.b\n", dialect="duckdb")
    before, held = dict(os.environ), list(sys.path)
    os.environ |= {"SHOPFLOW_WAREHOUSE": str(project / "ci.duckdb"), "GITHUB_WORKSPACE": str(project), **QUIET}
    try:
        said = io.StringIO()
        with contextlib.chdir(project), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            subprocess.run([sys.executable, "ci/load_sample.py"], check=True, capture_output=True)
            for command in (BUILD, ["parse", *BUILD[1:]]):  # the second reads what the first parsed, as every run does
                _dbt(command, pool)
            _sqlfluff(["lint", "dbt/models", "dbt/tests"], pool)
            _look_for_plugins_once()
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path[:] = held


def _look_for_plugins_once() -> None:
    """dbt looks through everything that can be imported for plugins of its own at each start; what is there does not change."""
    from dbt.plugins.manager import PluginManager

    found = PluginManager.get_prefixed_modules()
    PluginManager.get_prefixed_modules = classmethod(lambda cls: found)


QUIET = {
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DBT_STATIC_PARSER": "false",
    "DBT_USE_COLORS": "false",
    "DBT_LOG_LEVEL_FILE": "info",
}


PROJECT = {
    "dbt_project.yml": "name: rehearsal\nprofile: rehearsal\nmodel-paths: [models]\nsnapshot-paths: [models]\n",
    "profiles.yml": "rehearsal: {target: it, outputs: {it: {type: duckdb, path: 'it.duckdb', threads: 2}}}\n",
    "models/one.sql": "select 1 as a\n",
    "models/two.sql": "{{ config(materialized='table') }}\nselect a from {{ ref('one') }}\n",
    "models/three.sql": "{{ config(materialized='incremental', unique_key='a') }}\nselect a from {{ ref('two') }}\n",
    "models/all.yml": """
models:
  - name: two
    description: "A."
    config: {contract: {enforced: true}}
    columns: [{name: a, data_type: integer, data_tests: [unique, not_null, {accepted_values: {arguments: {values: [1]}}}]}]
unit_tests:
  - {name: u, model: two, given: [{input: ref('one'), rows: [{a: 2}]}], expect: {rows: [{a: 2}]}}
snapshots:
  - {name: s, relation: ref('two'), config: {unique_key: a, strategy: check, check_cols: all}}
exposures:
  - {name: e, type: dashboard, owner: {name: n}, depends_on: [ref('two')]}
""",
}
"""A project with one of each kind of node."""


def _rehearse() -> None:
    """What the tools load and compile on first use: SQLFluff's dialect and rules, dbt's parser, adapter and tasks."""
    import sqlfluff

    from shopflow import transform

    sqlfluff.lint("select a.b, count(*) as n from {{ 'a' }} group by a.b\n", dialect="duckdb")
    with tempfile.TemporaryDirectory(prefix="rehearsal-") as folder, contextlib.chdir(folder), transform.environment({}):
        for name, text in PROJECT.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        for command in ("build", "parse"):  # the second reads what the first parsed
            _exit_status(lambda done=command: _dbt_cli(["--no-static-parser", done, "--profiles-dir", "."]))
    _close_connections()


def _close_connections() -> None:
    """DuckDB's threads end with its last connection; a fork may then follow."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def _dbt_cli(arguments: list[str]) -> None:
    from dbt.cli.main import cli

    cli(args=arguments, prog_name="dbt")


# ---------------------------------------------------------------- one command


def _dbt(arguments: list[str], pool: Path) -> int:
    workspace = os.environ.get("GITHUB_WORKSPACE") or str(Path.cwd())  # the same at every run on GitHub, never here
    quicker_dbt.compare_without(workspace)
    folder = option(arguments, "--project-dir") or os.environ.get("DBT_PROJECT_DIR") or "."
    target = Path(option(arguments, "--target-path") or os.environ.get("DBT_TARGET_PATH") or Path(folder) / "target")
    known = ("--target", "-t", "--profiles-dir", "--vars", "--profile")
    key = "_".join(str(option(arguments, name) or "") for name in known)
    kept = pool / (key.encode().hex()[:180] + ".msgpack")
    parsed = target / "partial_parse.msgpack"
    held = kept if kept.exists() else next(iter(sorted(pool.glob("*.msgpack"))), None)
    if held and not parsed.exists() and Path(folder, "dbt_project.yml").exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(held, parsed)
    results = target / "run_results.json"
    before = results.stat().st_mtime_ns if results.exists() else 0
    code = _exit_status(lambda: _dbt_cli(arguments))
    _close_connections()  # as the end of a real dbt does: what is still beside the database file goes into it
    if parsed.exists() and not kept.exists():
        part = kept.with_suffix(f".{secrets.token_hex(8)}")
        shutil.copyfile(parsed, part)
        part.replace(kept)
    ran = results.exists() and results.stat().st_mtime_ns != before
    _note("dbt", arguments, code, _nodes(results) if ran else None)
    return code


def _nodes(results: Path) -> list[list]:
    """[unique id, status, failures] of every node dbt ran."""
    with contextlib.suppress(ValueError, KeyError, OSError):
        ran = json.loads(results.read_text(encoding="utf-8"))["results"]
        return [[r["unique_id"], str(r["status"]), r.get("failures")] for r in ran]
    return []


def _sqlfluff(arguments: list[str], pool: Path) -> int:
    from sqlfluff.cli.commands import cli

    _lint_once(pool)
    _look_at_a_rule_s_own_settings()
    return _exit_status(lambda: cli(args=arguments, prog_name="sqlfluff"))


def _lint_once(pool: Path) -> None:
    """A file that SQLFluff found clean is not linted again: the same text after templating, with the same settings and rules.

    As ruff does with its cache. What has a finding is linted again each time, so that all of it is reported.
    """
    from sqlfluff.core.linter import Linter
    from sqlfluff.core.linter.linted_file import LintedFile

    lint = Linter.lint_rendered

    def lint_rendered(cls, rendered, rule_pack, fix=False, formatter=None):
        plain = not fix and not rendered.templater_violations and len(rendered.templated_variants) == 1
        settings = rendered.config._configs
        if not plain or settings.get("core", {}).get("warn_unused_ignores"):
            return lint(rendered, rule_pack, fix, formatter)
        variant = rendered.templated_variants[0]
        rules = sorted(rule.code for rule in rule_pack.rules)
        set_to = json.dumps(settings, sort_keys=True, default=lambda one: type(one).__name__)  # objects: dialect, templater
        set_to = set_to.replace(str(Path.cwd()), "")  # of the macros; what they made of the file is in its templated text
        told = repr((rendered.source_str, variant.templated_str, set_to, rules))
        clean = _known(pool, "linted", told)
        if clean.exists():
            return LintedFile(rendered.fname, [], None, None, None, variant, rendered.encoding)
        linted = lint(rendered, rule_pack, fix, formatter)
        if not linted.violations:
            clean.touch()
        return linted

    Linter.lint_rendered = classmethod(lint_rendered)


def _look_at_a_rule_s_own_settings() -> None:
    """SQLFluff asks for each file, rule by rule, after the settings of all rules; where all is well the rule's own are enough."""
    from sqlfluff.core.rules.base import RuleSet

    every = RuleSet._validate_config_options

    def own(self, config, rule_ref=None):
        rules = config.get_section("rules")
        settings = rules.get(rule_ref) if rule_ref else rules
        if not isinstance(settings, dict):
            return every(self, config, rule_ref)
        for name, value in settings.items():
            allowed = self.config_info.get(name, {}).get("validation")
            if allowed and value is not None and value not in allowed:
                return every(self, config, rule_ref)  # it says what is wrong
        return None

    RuleSet._validate_config_options = own


def _known(pool: Path, how: str, told: str) -> Path:
    """The file that is there when a tool has found nothing in what was told."""
    return pool / f"{how}-{hashlib.sha256(told.encode()).hexdigest()}"


def _pytest(arguments: list[str], pool: Path) -> int:
    import pytest

    return _exit_status(lambda: sys.exit(int(pytest.main(arguments))))


def _detect(arguments: list[str], pool: Path) -> int:
    from detect_secrets.pre_commit_hook import main

    _scan_once(pool)
    _see_callers_without_their_source()
    return _exit_status(lambda: sys.exit(main(arguments)))


def _scan_once(pool: Path) -> None:
    """A file in which detect-secrets found nothing is not scanned again: the same name and bytes, with the same settings."""
    from detect_secrets.core import scan
    from detect_secrets.settings import get_settings

    every = scan.scan_file

    def scan_file(filename):
        with contextlib.suppress(OSError):
            clean = _known(pool, "scanned", repr((filename, Path(filename).read_bytes(), get_settings().json())))
            if clean.exists():
                return
            found = [*every(filename)]
            if not found:
                clean.touch()
            yield from found
            return
        yield from every(filename)  # it says itself what it cannot read

    scan.scan_file = scan_file


def _see_callers_without_their_source() -> None:
    """detect-secrets asks for each line who called a filter; the names are enough, the source files of the stack need not be read."""
    from detect_secrets.filters import common, util

    def get_caller_path(offset: int = 0) -> str:
        frame = sys._getframe(1 + offset)
        return f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"

    util.get_caller_path = common.get_caller_path = get_caller_path


def _module(arguments: list[str], pool: Path) -> int:
    sys.path.insert(0, str(Path.cwd()))
    sys.argv = arguments
    return _exit_status(lambda: runpy.run_module(arguments[0], run_name="__main__", alter_sys=True))


def _script(arguments: list[str], pool: Path) -> int:
    sys.path.insert(0, str(Path(arguments[0]).resolve().parent))
    sys.argv = arguments
    return _exit_status(lambda: runpy.run_path(arguments[0], run_name="__main__"))


COMMANDS = {
    "dbt": _dbt,
    "sqlfluff": _sqlfluff,
    "pytest": _pytest,
    "detect-secrets-hook": _detect,
    "run-module": _module,
    "run-script": _script,
}
"""What a step's programs are answered with; `run-module` is `python -m` of a module that stands in the repository,
`run-script` is `python` with a file of it."""


def _exit_status(run) -> int:
    try:
        run()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
        return code if isinstance(code, int) else int(code is not None)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _note(tool: str, arguments: list[str], code: int, nodes: list | None) -> None:
    """What the command did, for the table of the run, in the folder named by $DOJO_JOURNAL."""
    folder = os.environ.get("DOJO_JOURNAL")
    if folder:
        number = sum(1 for _ in Path(folder).iterdir())
        text = json.dumps({"tool": tool, "arguments": arguments, "exit": code, "nodes": nodes})
        Path(folder, f"{number:03}-{os.getpid()}.json").write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- the process


def serve(path: str, pool: Path) -> None:
    """Serves commands on a socket for as long as the file descriptor 0 stays open."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen(64)
    print(READY, flush=True)
    import select

    while True:
        ready, _, _ = select.select([server, 0], [], [])
        if 0 in ready and not os.read(0, 1024):
            return
        if server not in ready:
            continue
        connection, _ = server.accept()
        with contextlib.suppress(OSError):  # no room for another process: the caller runs the program itself
            if os.fork() == 0:
                server.close()
                _one(connection, pool)
        connection.close()


def _enter(namespaces: list[int]) -> None:
    """Moves this process to where its caller sees files: the caller's /tmp may be one of its own. OSError where it may not."""
    libc = ctypes.CDLL(None, use_errno=True)
    for fd, name in zip(namespaces, ("user", "mnt"), strict=False):
        there, here = os.fstat(fd), Path(f"/proc/self/ns/{name}").stat()
        if (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino) and libc.setns(fd, 0):
            raise OSError(ctypes.get_errno(), f"cannot enter the caller's {name} namespace")
        os.close(fd)


def _end_with(connection: socket.socket) -> None:
    """Ends this process and what it started as soon as its caller is gone: a run that was cut off leaves nothing behind."""
    with contextlib.suppress(OSError):
        while connection.recv(1):
            pass
    os.killpg(0, signal.SIGKILL)


def _one(connection: socket.socket, pool: Path) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        connection.sendall(BEGUN)
        data, fds, _, _ = socket.recv_fds(connection, 1 << 20, 5)
        while not data.endswith(b"\n"):
            data += connection.recv(1 << 20)
        asked = json.loads(data)
        for number, fd in enumerate(fds[:3]):
            os.dup2(fd, number)
            os.close(fd)
        _enter(fds[3:])
        os.setpgid(0, 0)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        os.environ.clear()
        os.environ.update(asked["environment"])
        os.chdir(asked["folder"])
        tempfile.tempdir = None
        sys.argv = [asked["program"], *asked["arguments"]]
        sys.path[:] = [p for p in sys.path if p not in ("", str(Path.cwd()))]
        if asked["program"] != "pytest":
            gc.disable()  # none of the others lives long enough to be worth the sweeping
        command = partial(COMMANDS[asked["program"]], asked["arguments"], pool)
        code = remembered.run(asked["program"], asked["arguments"], pool, command)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(BaseException):
            connection.sendall(bytes([code & 255]))
        os._exit(0)


SOCKET_NAME = 100
"""So many signs the name of a socket may have: 104 on macOS, 108 on Linux."""


def _short(folder: Path) -> Path:
    """The folder, or one with a short name where a socket in it could not be opened; that one goes with this process."""
    if len(str(folder / "warm.sock").encode()) <= SOCKET_NAME:
        return folder
    short = Path(tempfile.mkdtemp(prefix="dojo-", dir="/tmp"))
    atexit.register(shutil.rmtree, short, ignore_errors=True)
    return short


class Warm:
    """The warm process as its user holds it: `socket` is where commands go; `close()` ends it.

    fork: continue in a fork of this process (which must hold the tools and no threads) instead of a new interpreter;
    project: a repository that a new interpreter is rehearsed on (see load).
    """

    def __init__(self, folder: Path, *, fork: bool = False, project: Path | None = None):
        self.socket = str(_short(folder) / "warm.sock")
        pool = folder / "parsed"
        pool.mkdir(exist_ok=True)
        self._alive, self._said = None, None
        if fork:
            inbox, self._alive = os.pipe()
            self._said, out = os.pipe()
            self.pid = os.fork()
            if self.pid == 0:
                with contextlib.suppress(BaseException):
                    os.close(self._alive)
                    os.dup2(inbox, 0)
                    os.dup2(out, 1)
                    sys.stdout = os.fdopen(1, "w", closefd=False)
                    serve(self.socket, pool)
                os._exit(0)
            os.close(inbox)
            os.close(out)
            self._process = None
            self._ready = os.fdopen(self._said)
        else:
            command = [sys.executable, "-P", "-m", "dojo.tools.warm", self.socket, str(pool)]
            command += [str(project)] if project else []
            environment = {**settings.inherited(), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
            )
            self._ready = self._process.stdout
        self._waited, self._lock = False, threading.Lock()

    def wait(self) -> None:
        """Blocks until the tools are loaded. RuntimeError when the process did not come up."""
        with self._lock:
            if not self._waited:
                if self._ready.readline().strip() != READY:
                    raise RuntimeError("The process that holds dbt and SQLFluff warm did not start.")
                self._waited = True

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(OSError):
            self._ready.close()
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait(10)
        elif self._alive is not None:
            os.close(self._alive)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)


if __name__ == "__main__":
    load(*(Path(argument) for argument in (*sys.argv[3:4], sys.argv[2]))) if sys.argv[3:] else load()
    serve(sys.argv[1], Path(sys.argv[2]))
