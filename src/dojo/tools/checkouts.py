"""Pull requests checked out for a run: the runner's folder and programs, main's repository, the runs, and what is kept of them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.judge import waiting
from dojo.judge.work import NotCheckable
from dojo.tools import runner_programs
from dojo.tools import warm as warm_process
from dojo.tools.warm import Warm

SECONDS = 90
BASELINE = "shopflow-baseline-main"
"""Key of the cache that main's last run left: its manifest and its warehouse."""

_HERE: dict[str, Any] = {}
_MAKING = threading.Lock()


def wait() -> None:
    """Blocks until the process that holds the tools is loaded. RuntimeError when it did not come up."""
    _HERE["warm"].wait()


def warm() -> None:
    """Loads dbt and the others ahead of their first use, for processes that fork."""
    warm_process.load()
    _HERE["loaded"] = os.getpid()


def make_ready() -> None:
    """Starts the process that holds the tools of a CI step; the first pull request waits for what is left of it."""
    runner_room()


@dataclass(frozen=True)
class Checkout:
    """A pull request checked out for a run: its folder, what the run's programs find in their environment, main's cache."""

    folder: Path
    environment: dict[str, str]

    @property
    def repo(self) -> Path:
        """The repository, with the change committed on its branch."""
        return self.folder / "repo"

    @property
    def artefacts(self) -> Path:
        """Where a run leaves what outlives it."""
        return self.folder / "artefacts"

    @property
    def journal(self) -> Path:
        """Where the programs note what they did."""
        return self.folder / "journal"


def try_each(
    request: dict[str, Any],
    pipeline: dict[str, str],
    run: Callable[[Checkout, dict[str, Any], dict[str, Any]], dict[str, Any]],
) -> list[dict[str, Any]]:
    """What `run(checkout, request, pull request)` says of every pull request, two at a time; known results are not run again.

    pipeline: the files that are the same for all, by path. The artefacts, dbt's commands and the seconds are added here.
    """
    room = runner_room()
    named = {"run": f"{run.__module__}.{run.__name__}", "pipeline": pipeline, **request}
    kept = _kept(named)
    missing = [(n, pr) for n, pr in enumerate(request["pull_requests"]) if kept.get(n) is None]
    if missing:
        base = main_of(room, request)
        before = request.get("before", 0) + len(request["pull_requests"]) - len(missing)
        with ThreadPoolExecutor(2) as pool:
            runs = {pool.submit(_checked_out, room, base, request, pipeline, pr, run): (n, pr) for n, pr in missing}
            for done, one in enumerate(as_completed(runs), before + 1):
                number, pr = runs[one]
                kept[number] = one.result()
                _keep(named, pr, kept[number])
                waiting.tell(done, request.get("of", before + len(missing)), f"{kept[number]['colour']}: {pr['name']}")
    return [kept[n] for n in range(len(request["pull_requests"]))]


# ---------------------------------------------------------------- where things stand


def runner_room() -> Path:
    """The process's folder with the programs of the runner and the warm process; made on first use."""
    with _MAKING:
        return _HERE["room"] if _HERE.get("pid") == os.getpid() else _made_room()


def _made_room() -> Path:
    if shutil.which("git") is None:
        raise NotCheckable("Workflows run on a Git repository, and Git is not on the PATH (Debian: apt-get install git).")
    if not hasattr(os, "fork"):
        raise NotCheckable("Workflows run on Linux, macOS and inside WSL, not on Windows itself.")
    room = Path(tempfile.mkdtemp(prefix="act-"))
    forked = graded()
    runner_programs.write(room / "bin")
    (room / "home").mkdir()
    _HERE.update(pid=os.getpid(), room=room, bases={}, warm=Warm(room, fork=forked))
    if not forked:
        import atexit

        atexit.register(_leave, os.getpid())
    return room


def _leave(pid: int) -> None:
    if os.getpid() == pid == _HERE.get("pid"):
        with contextlib.suppress(Exception):
            _HERE["warm"].close()
        shutil.rmtree(_HERE["room"], ignore_errors=True)


def runner_environment(room: Path, more: dict[str, str]) -> dict[str, str]:
    """The environment of a step: the runner's programs first, nothing of this machine's settings, and `more`."""
    path = [str(room / "bin"), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin"]
    return {
        "PATH": os.pathsep.join(path),
        "HOME": str(room / "home"),
        "LANG": "C.UTF-8",
        "TMPDIR": str(room),
        "DOJO_WARM": _HERE["warm"].socket,
        "DO_NOT_TRACK": "1",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
        "DBT_LOG_LEVEL_FILE": "info",
        "DBT_STATIC_PARSER": "false",  # its threads would not survive the fork
        "PIP_NO_INDEX": "1",
        "NO_COLOR": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RUFF_NO_CACHE": "true",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        **more,
    }


def git(folder: Path, *arguments: str) -> str:
    """What Git says to these arguments in a folder, as Sami and with no settings of this machine. RuntimeError with its words."""
    who = {f"GIT_{r}_{p}": t for r in ("AUTHOR", "COMMITTER") for p, t in (("NAME", "Sami Virtanen"), ("EMAIL", "sami@shopflow.example"), ("DATE", "2025-12-01T09:00:00+0100"))}  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment = {**clean, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    fixed = ("-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *fixed, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.strip()[:300]}")
    return done.stdout.strip()


def main_of(room: Path, request: dict[str, Any]) -> Path:
    """The repository on main, without the workflow, as a folder to copy; with main's cache when it is asked for."""
    key = hashlib.sha256(json.dumps(request["files"], sort_keys=True).encode()).hexdigest()[:12]
    base = room / f"main-{key}"
    if key not in _HERE["bases"]:
        write(base, request["files"])
        git(base, "init", "--quiet")
        git(base, "add", "--all")
        git(base, "commit", "--quiet", "--message", "main")
        git(base, "update-ref", "refs/remotes/origin/main", "HEAD")
        _HERE["bases"][key] = set()
    if request.get("baseline") and "baseline" not in _HERE["bases"][key]:
        _build_baseline(room, base, key)
        _HERE["bases"][key].add("baseline")
    return base


def _build_baseline(room: Path, base: Path, key: str) -> None:
    """What the run on main left behind: the built sample and dbt's manifest."""
    wait()
    kept = room / f"cache-{key}" / BASELINE
    kept.mkdir(parents=True)
    work = room / f"baseline-{key}"
    shutil.copytree(base, work)
    environment = runner_environment(room, {"SHOPFLOW_WAREHOUSE": str(kept / "baseline.duckdb")})
    for command in (["python", "ci/load_sample.py"], ["dbt", "build", "--project-dir", "dbt", "--profiles-dir", "ci", "--target", "ci"]):  # fmt: skip
        command[0] = str(room / "bin" / command[0])
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"main does not build: {(done.stdout + done.stderr)[-400:]}")
    shutil.copyfile(work / "dbt" / "target" / "manifest.json", kept / "manifest.json")
    shutil.rmtree(work)


def write(folder: Path, files: dict[str, str | None]) -> None:
    """Writes files by path below a folder; None deletes one."""
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


# ---------------------------------------------------------------- one pull request


def _checked_out(room: Path, base: Path, request: dict, pipeline: dict[str, str], pr: dict, run: Callable) -> dict[str, Any]:
    begun = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="pr-", dir=room))
    environment = runner_environment(
        room,
        {
            "XDG_CACHE_HOME": str(folder / "cache"),
            "DOJO_JOURNAL": str(folder / "journal"),
            "DOJO_ARTEFACTS": str(folder / "artefacts"),
            "DOJO_CACHE": str(base).replace("main-", "cache-"),
            "DLT_DATA_DIR": str(folder / "dlt"),  # a runner is new at every run; as root dlt would keep it in /var
            "TMPDIR": str(folder),
        },
    )
    checkout = Checkout(folder, environment)
    try:
        shutil.copytree(base, checkout.repo, symlinks=True)
        checkout.journal.mkdir()
        checkout.artefacts.mkdir()
        git(checkout.repo, "checkout", "--quiet", "-b", pr.get("branch", "change"))
        write(checkout.repo, {**pipeline, **pr["changes"]})
        git(checkout.repo, "add", "--all")
        git(checkout.repo, "commit", "--quiet", "--message", pr["name"])
        wait()
        result = run(checkout, request, pr)
        left = (p.relative_to(checkout.artefacts).as_posix() for p in checkout.artefacts.rglob("*") if p.is_file())
        result["artefacts"] = sorted(left)[:200]
        notes = sorted(checkout.journal.iterdir())[:50]
        result["commands"] = [json.loads(p.read_text(encoding="utf-8")) for p in notes]
        result["seconds"] = round(time.perf_counter() - begun, 2)
        return result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(checkout: Checkout, command: list[str]) -> tuple[int, list[str]]:
    """Runs a command in the checkout for at most SECONDS; its exit status (124: stopped) and the lines it said."""
    process = subprocess.Popen(
        command, cwd=checkout.repo, env=checkout.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        out, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        out, _ = process.communicate()
        return 124, [*out.decode("utf-8", "replace").splitlines(), f"Still running after {SECONDS} s: stopped."]
    return process.returncode, out.decode("utf-8", "replace").splitlines()


def not_run(pr: dict[str, Any], why: str) -> dict[str, Any]:
    """The result for a pull request on which nothing could run, and why."""
    return {"name": pr["name"], "colour": "no run", "decided": "", "steps": [], "jobs": {}, "said": why, "artefacts": [], "commands": [], "seconds": 0.0}  # fmt: skip


# ---------------------------------------------------------------- verdicts kept on disk


def graded() -> bool:
    """Whether this process was forked from one that held the tools, as a grader's tasks are."""
    return _HERE.get("loaded") not in (None, os.getpid())


def store() -> Path | None:
    """Where results are kept between processes: beside the starting states; nothing is kept or believed when graded."""
    if graded():
        return None
    from dojo.workspace import checkpoints

    folder = checkpoints() / "runs"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return None


def made_by() -> list[Path]:
    """The files that a kept result depends on: another version of one of them, and it is run again."""
    here = Path(__file__).parent
    names = ("act.py", "checkouts.py", "gitlab.py", "jenkins.py", "runner_programs.py", "warm.py")
    return [*(here / name for name in names), *sorted((here / "actions").rglob("*.yml"))]


def _key(request: dict[str, Any], pr: dict[str, Any]) -> str:
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in made_by()))
    asked = [
        request["run"],
        request["pipeline"],
        request["files"],
        pr,
        bool(request.get("baseline")),
        request.get("event", ""),
    ]
    digest.update(json.dumps(asked, sort_keys=True).encode())
    return digest.hexdigest()[:24]


def _kept(request: dict[str, Any]) -> dict[int, dict[str, Any] | None]:
    folder, found = store(), {}
    for number, pr in enumerate(request["pull_requests"]):
        path = folder / f"{_key(request, pr)}.json" if folder else None
        if path is not None and path.is_file():
            with contextlib.suppress(ValueError, OSError):
                found[number] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _keep(request: dict[str, Any], pr: dict[str, Any], result: dict[str, Any]) -> None:
    folder = store()
    if folder is None or result["colour"] == "no run":
        return
    with contextlib.suppress(OSError):
        (folder / f"{_key(request, pr)}.json").write_text(json.dumps(result), encoding="utf-8")
        for old in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime)[:-600]:
            old.unlink()
