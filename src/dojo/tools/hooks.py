"""Tries a learner's Git hooks with the real pre-commit: each prepared commit is made in a checkout where they are installed.

A request (plain values): `stream`, the repository for `git fast-import`; `files`, the learner's, by path; `commits`, each a
`name` and `changes` by path (a text; {"repeat": text, "times": n} for a large file; None deletes it).
The answer: problem (pre-commit's words where it cannot use the configuration), commits [{name, made, said}] in order.
No network: repositories of hooks are not downloaded, and what pre-commit keeps stays in a folder of this process.
SQLFluff, dbt and detect-secrets are the real ones, held warm (dojo.tools.warm).
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dojo import places
from dojo.judge import waiting
from dojo.judge.work import NotCheckable
from dojo.tools import git, runner_programs
from dojo.tools import warm as warm_process
from dojo.tools.warm import Warm

CONFIG = ".pre-commit-config.yaml"
SECONDS = 40
_HERE: dict[str, Any] = {}
_MAKING = threading.Lock()


def session(request: dict[str, Any]) -> dict[str, Any]:
    """Makes the commits; see the module's first lines. NotCheckable where pre-commit or Git is missing."""
    if importlib.util.find_spec("pre_commit") is None:
        raise NotCheckable("pre-commit is not installed here. `make setup` brings it.")
    if os.name == "nt" or shutil.which("git") is None:
        raise NotCheckable(
            "Git hooks are tried where there is Git and a Unix shell. Grade in WSL, a container or on another system."
        )
    commits = request["commits"]
    waiting.tell(0, len(commits), "loading the tools of the hooks")
    room = _room()
    folder = Path(tempfile.mkdtemp(prefix="hooks-", dir=room))
    try:
        base = folder / "base"
        git.make(base, request["stream"])
        _write(base, request["files"])
        git.git(base, "add", "--all")
        git.git(base, "commit", "--quiet", "--no-verify", "--message", "Hooks")
        problem = _installed(room, base)
        if problem:
            return {"problem": problem, "commits": []}
        made = []
        with ThreadPoolExecutor(2) as pool:
            for one in pool.map(lambda n: _commit(room, base, n, commits[n]), range(len(commits))):
                made.append(one)
                waiting.tell(len(made), len(commits), f"the commit “{one['name']}”")
        unusable = next((one["said"] for one in made if "InvalidConfigError" in one["said"]), "")
        return {"problem": unusable, "commits": made}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def warm() -> None:
    """Loads what hooks run, once for all processes that are forked from this one."""
    warm_process.load()
    _HERE["loaded"] = os.getpid()


def make_ready() -> None:
    """Begins to load what hooks run, in a process of its own."""
    if importlib.util.find_spec("pre_commit") is not None and os.name != "nt" and shutil.which("git"):
        _room()


def _room() -> Path:
    """This process's folder, with the programs of the hooks in bin/ and the tools held warm; made on first use."""
    with _MAKING:
        return _made_room()


def _made_room() -> Path:
    if _HERE.get("pid") != os.getpid():
        room = Path(tempfile.mkdtemp(prefix="dojo-hooks-", dir=places.for_programs()))
        runner_programs.write(room / "bin")
        for name in ("python", "python3", "pip", "pip3", "uv", "uvx"):
            (room / "bin" / name).unlink()
        for name in ("python", "python3"):
            (room / "bin" / name).symlink_to(sys.executable)
        (room / "home").mkdir()
        forked = _HERE.get("loaded") not in (None, os.getpid())
        _HERE.update(pid=os.getpid(), room=room, warm=Warm(room, fork=forked))
        if not forked:
            atexit.register(_leave, os.getpid())
    return _HERE["room"]


def _leave(pid: int) -> None:
    if os.getpid() == pid == _HERE.get("pid"):
        with contextlib.suppress(Exception):
            _HERE["warm"].close()
        shutil.rmtree(_HERE["room"], ignore_errors=True)


def _environment(room: Path) -> dict[str, str]:
    tools = git.environment()
    return {
        **tools,
        "PATH": str(room / "bin") + os.pathsep + tools["PATH"],
        "HOME": str(room / "home"),
        "PRE_COMMIT_HOME": str(room / "pre-commit"),
        "PRE_COMMIT_COLOR": "never",
        "DOJO_WARM": _HERE["warm"].socket,
        "DO_NOT_TRACK": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "PIP_NO_INDEX": "1",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }


def _installed(room: Path, base: Path) -> str:
    """Installs the hook; pre-commit's words when it cannot be installed, else ""."""
    code, said = _run([sys.executable, "-m", "pre_commit", "install"], room, base)
    if code:
        return said or f"pre-commit install ended with {code}"
    return ""


def _run(command: list[str], room: Path, folder: Path) -> tuple[int, str]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=_environment(room),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return 124, f"still running after {SECONDS} s: stopped"
    words = re.sub(r"\x1b\[\d+m", "", said.decode("utf-8", "replace")).strip()
    return process.returncode, words[-20_000:].replace(str(folder), "repo")


def _write(folder: Path, changes: dict[str, Any]) -> None:
    for name, content in changes.items():
        path = folder / name
        if content is None:
            path.unlink()
            continue
        text = content if isinstance(content, str) else content["repeat"] * content["times"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _commit(room: Path, base: Path, number: int, commit: dict[str, Any]) -> dict[str, Any]:
    folder = base.parent / f"commit-{number}"
    shutil.copytree(base, folder, symlinks=True)
    before = git.git(folder, "rev-parse", "HEAD")
    _write(folder, commit["changes"])
    git.git(folder, "add", "--all")
    _HERE["warm"].wait()
    _, said = _run(["git", "commit", "--quiet", "--message", commit["name"]], room, folder)
    made = git.git(folder, "rev-parse", "HEAD") != before
    shutil.rmtree(folder, ignore_errors=True)
    return {"name": commit["name"], "made": made, "said": said}
