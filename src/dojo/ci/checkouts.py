"""Pull requests checked out for a run: the runner's folder and programs, main's repository, the runs, and what is kept of them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from dojo import places
from dojo.ci import platform, slots
from dojo.judge import waiting
from dojo.judge.work import NotCheckable
from dojo.places import COURSE
from dojo.tools import remembered, runner_programs
from dojo.tools import warm as warm_process
from dojo.tools.warm import Warm
from shopflow.history import CONFIG

SECONDS = 60
"""How long a run may take at first; one that was cut off is tried again by itself, for three times as long."""
BASELINE = "shopflow-baseline-main"
"""Key of the cache that main's last run left: its manifest and its warehouse."""

_HERE: dict[str, Any] = {}
_MAKING, _LAYING = threading.Lock(), threading.Lock()


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
    """A pull request checked out for a run: its folder, what the run's programs find in their environment, its time, its number."""

    folder: Path
    environment: dict[str, str]
    seconds: int = SECONDS
    number: int = 1

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


Run = Callable[[Checkout, dict[str, Any], dict[str, Any]], dict[str, Any]]


def try_each(request: dict[str, Any], run: Run) -> list[dict[str, Any]]:
    """What `run(checkout, request, pull request)` says of every pull request, two at a time; known results are not run again.

    request: `files` (main, by path), `own` (the learner's, which main holds as well), `pull_requests`, `path` (of the
    pipeline), `baseline`; see dojo.ci.act. The artefacts, dbt's commands and the seconds are added here.
    """
    named = {"run": f"{run.__module__}.{run.__name__}", **request}
    kept = _kept(named)
    missing = [(n, pr) for n, pr in enumerate(request["pull_requests"]) if kept.get(n) is None]
    if missing:
        before = request.get("before", 0) + len(request["pull_requests"]) - len(missing)
        of = request.get("of", before + len(missing))
        waiting.tell(before, of, "getting the runner ready")
        room = runner_room()
        base = main_of(room, request)
        written(room, request["files"])
        waiting.tell(before, of, f"running: {missing[0][1]['name']}")
        with ThreadPoolExecutor(2) as pool:
            runs = {pool.submit(_in_turn, room, base, request, pr, run): (n, pr) for n, pr in missing}
            for done, one in enumerate(as_completed(runs), before + 1):
                number, pr = runs[one]
                kept[number] = one.result()
                _keep(named, pr, kept[number])
                waiting.tell(done, of, f"{kept[number]['colour']}: {pr['name']}")
    return [kept[n] for n in range(len(request["pull_requests"]))]


def _in_turn(room: Path, base: Path, request: dict[str, Any], pr: dict[str, Any], run: Run) -> dict[str, Any]:
    """One pull request, while at most two run on this machine; cut off, it is tried once more, for longer."""
    with slots.one():
        result = _checked_out(room, base, request, pr, run, SECONDS)
    if not result.get("stopped"):
        return result
    with slots.one():
        return _checked_out(room, base, request, pr, run, 3 * SECONDS)


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
    room = Path(tempfile.mkdtemp(prefix="act-", dir=places.for_programs()))
    forked = graded()
    runner_programs.write(room / "bin")
    (room / "home").mkdir()
    if not forked or _lent():
        write(room / "rehearsal", platform.main_branch())
        written(room, platform.main_branch())
    _HERE.update(pid=os.getpid(), room=room, bases={}, warm=Warm(room, fork=forked, project=room / "rehearsal"))
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
        "GIT_CONFIG_GLOBAL": str(CONFIG),
        "GIT_CONFIG_SYSTEM": os.devnull,
        **more,
    }


def git(folder: Path, *arguments: str) -> str:
    """What Git says to these arguments in a folder, as Sami and with no settings of this machine. RuntimeError with its words."""
    who = {
        f"GIT_{r}_{p}": t
        for r in ("AUTHOR", "COMMITTER")
        for p, t in (("NAME", "Sami Virtanen"), ("EMAIL", "sami@shopflow.example"), ("DATE", "2025-12-01T09:00:00+0100"))
    }
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment = {**clean, **who, "GIT_CONFIG_GLOBAL": str(CONFIG), "GIT_CONFIG_SYSTEM": os.devnull}
    fixed = ("-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *fixed, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.strip()[:300]}")
    return done.stdout.strip()


def written(room: Path, files: dict[str, str]) -> None:
    """Notes a repository as the course wrote it, where what its tools did may be remembered."""
    if graded() and not _lent():
        return
    mine = room / remembered.ORIGINALS / _digest(files)
    if not mine.exists():
        write(mine, {name: text for name, text in files.items() if name.endswith((".py", "profiles.yml"))})


def main_of(room: Path, request: dict[str, Any]) -> Path:
    """The repository on main as a folder to copy, the learner's own files in it; with main's cache when it is asked for.

    Two runs may ask at the same time: one makes it, the other waits.
    """
    with _LAYING:
        return _laid(room, request)


def _laid(room: Path, request: dict[str, Any]) -> Path:
    key = _digest(request["files"])
    base = room / f"main-{key}"
    if key not in _HERE["bases"]:
        write(base, request["files"])
        git(base, "init", "--quiet")
        _commit(base, "main")
        _HERE["bases"][key] = set()
    if request.get("baseline") and "baseline" not in _HERE["bases"][key]:
        _build_baseline(room, base, key)
        _HERE["bases"][key].add("baseline")
    return _with_own(room, base, request.get("own") or {})


def _with_own(room: Path, base: Path, own: dict[str, str]) -> Path:
    """Main with the learner's own files committed on top; made anew when they change, and only the newest is kept."""
    if not own:
        return base
    mine = room / f"own-{_digest([base.name, own])}"
    if not mine.exists():
        for old in room.glob("own-*"):
            shutil.rmtree(old, ignore_errors=True)
        shutil.copytree(base, mine, symlinks=True)
        write(mine, own)
        _commit(mine, "The team's own files")
    return mine


def _commit(repo: Path, message: str) -> None:
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "--message", message)
    git(repo, "update-ref", "refs/remotes/origin/main", "HEAD")


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def cache_of(room: Path, request: dict[str, Any]) -> Path:
    """Where main's last run left its cache for this repository; there is none where no baseline was asked for."""
    return room / f"cache-{_digest(request['files'])}" if request.get("baseline") else room / "no-cache"


def _build_baseline(room: Path, base: Path, key: str) -> None:
    """What the run on main left behind: the built sample and dbt's manifest."""
    wait()
    kept = room / f"cache-{key}" / BASELINE
    kept.mkdir(parents=True)
    work = room / f"baseline-{key}"
    shutil.copytree(base, work)
    environment = runner_environment(room, {"SHOPFLOW_WAREHOUSE": str(kept / "baseline.duckdb")})
    for command in (
        ["python", "ci/load_sample.py"],
        ["dbt", "build", "--project-dir", "dbt", "--profiles-dir", "ci", "--target", "ci"],
    ):
        command[0] = str(room / "bin" / command[0])
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"main does not build: {done.stdout}{done.stderr}")
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


def _checked_out(
    room: Path, base: Path, request: dict[str, Any], pr: dict[str, Any], run: Run, seconds: int
) -> dict[str, Any]:
    begun = time.perf_counter()
    folder = Path(tempfile.mkdtemp(prefix="pr-", dir=room))
    checkout = prepared(room, folder, {"DOJO_CACHE": str(cache_of(room, request)), **kept_results()}, seconds)
    try:
        shutil.copytree(base, checkout.repo, symlinks=True)
        git(checkout.repo, "checkout", "--quiet", "-b", pr.get("branch", "change"))
        write(checkout.repo, pr["changes"])
        git(checkout.repo, "add", "--all")
        git(checkout.repo, "commit", "--quiet", "--allow-empty", "--message", pr["name"])
        wait()
        result = run(checkout, request, pr)
        left = (p.relative_to(checkout.artefacts).as_posix() for p in checkout.artefacts.rglob("*") if p.is_file())
        result["artefacts"] = sorted(left)[:200]
        notes = sorted(checkout.journal.iterdir())[:50]
        result["commands"] = [json.loads(p.read_text(encoding="utf-8")) for p in notes]
        result["seconds"] = round(time.perf_counter() - begun, 2)
        return result
    finally:
        leave(folder)


def prepared(room: Path, folder: Path, more: dict[str, str], seconds: int = SECONDS) -> Checkout:
    """The folders of one trial and its environment: a home, a cache, a /tmp and a number of its own."""
    for made in ("journal", "artefacts", "home", "tmp"):
        (folder / made).mkdir(parents=True)
    own = {
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PRE_COMMIT_HOME": str(folder / "home" / "pre-commit"),
        "DOJO_TRIAL": folder.name,
        "DOJO_JOURNAL": str(folder / "journal"),
        "DOJO_ARTEFACTS": str(folder / "artefacts"),
        "DLT_DATA_DIR": str(folder / "home"),  # a runner is new at every run; as root dlt would keep it in /var
        "TMPDIR": str(folder / "tmp"),
    }
    return Checkout(folder, runner_environment(room, {**own, **more}), seconds, next(_NUMBERS))


_NUMBERS = itertools.count(101)


def leave(folder: Path) -> None:
    """Ends whatever a trial left running, then removes its folder."""
    _end(folder.name)
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)  # what was killed may have been writing


def _processes_of(trial: str) -> Iterator[psutil.Process]:
    """The processes that a trial started and that still run, whatever session they moved to."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get("DOJO_TRIAL") == trial:
                yield process


def _end(trial: str) -> None:
    for process in _processes_of(trial):
        with contextlib.suppress(psutil.Error):
            process.kill()


def end(checkout: Checkout) -> None:
    """Kills everything that a trial runs."""
    _end(checkout.environment["DOJO_TRIAL"])


def execute(checkout: Checkout, command: list[str]) -> tuple[int, list[str]]:
    """Runs a command in the checkout for so long as it may take; its exit status (124: stopped) and the lines it said."""
    process = subprocess.Popen(
        [*_own_tmp(checkout), *command],
        cwd=checkout.repo,
        env=checkout.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        out, _ = process.communicate(timeout=checkout.seconds)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        end(checkout)
        out, _ = process.communicate()
        return STOPPED, [*out.decode("utf-8", "replace").split("\n"), f"Still running after {checkout.seconds} s: stopped."]
    return process.returncode, out.decode("utf-8", "replace").split("\n")


STOPPED = 124
"""Exit status of a run that was cut off."""


def _own_tmp(checkout: Checkout) -> list[str]:
    """What gives the command a /tmp of its own, where the machine allows; elsewhere TMPDIR alone is its own."""
    walls = _walls()
    if not walls:
        return []
    room = _HERE["room"]
    inner = ["--bind", str(checkout.folder / "tmp"), "/tmp"]
    if room.is_relative_to("/tmp"):
        inner += ["--bind", str(room), str(room)]
    return [*walls, *inner, "--setenv", "DOJO_OWN_TMP", "yes", "--chdir", str(checkout.repo)]


@functools.cache
def _walls() -> list[str]:
    """bubblewrap's command line that changes nothing yet; [] where it is missing or may not be used."""
    bwrap = shutil.which("bwrap")
    command = [bwrap or "", "--dev-bind", "/", "/"]
    tried = bwrap and subprocess.run([*command, "--tmpfs", "/tmp", "true"], capture_output=True, timeout=20)
    return command if tried and tried.returncode == 0 else []


def not_run(pr: dict[str, Any], why: str, *, unknown: bool = False) -> dict[str, Any]:
    """The result for a pull request on which nothing could run, and why; `unknown` where the reason is this runner's."""
    nothing: dict[str, Any] = {"decided": "", "steps": [], "jobs": {}, "artefacts": [], "commands": [], "seconds": 0.0}
    return {"name": pr["name"], "colour": "no run", "said": why, "unknown": unknown, **nothing}


# ---------------------------------------------------------------- verdicts kept on disk


def graded() -> bool:
    """Whether this process was forked from one that held the tools, as a grader's tasks are."""
    return _HERE.get("loaded") not in (None, os.getpid())


def kept_results() -> dict[str, str]:
    """Where the tools of a run keep, and where graded at most find, what they did to the same files before."""
    mine = _lent() or remembering()
    return {remembered.FOLDER: str(mine)} if mine else {}


def _lent() -> Path | None:
    """What whoever tries the course lends its own grader; a grader that gives marks is lent nothing."""
    return Path(os.environ["DOJO_LENT"]) if graded() and "DOJO_LENT" in os.environ else None


def remembering() -> Path | None:
    """The folder of what this version of the tools did; None where nothing may be kept or believed."""
    folder = store()
    if folder is None:
        return None
    mine = folder.parent / "remembered" / _digest_of_tools()
    if mine.exists():
        return mine
    with contextlib.suppress(OSError):
        mine.mkdir(parents=True, exist_ok=True)
        for other in mine.parent.iterdir():  # never the folder above: another run may be about to make the same one
            if other != mine:
                shutil.rmtree(other, ignore_errors=True)
        return mine
    return None


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


def tools() -> list[Path]:
    """The files that what a tool does depends on: how it is called here, and the lock, since another version may do another thing."""
    modules = [Path(module.__file__) for module in (runner_programs, warm_process, remembered)]
    return [*modules, *(p for p in (COURSE / "requirements.lock",) if p.is_file())]


@functools.cache
def _digest_of_tools() -> str:
    return hashlib.sha256(b"".join(p.read_bytes() for p in tools())).hexdigest()[:12]


def made_by() -> list[Path]:
    """The files that a kept run depends on: another version of one of them, and it is run again."""
    here = Path(__file__).parent
    return [*sorted(here.glob("*.py")), *tools(), *sorted((here / "actions").rglob("*.yml"))]


@functools.cache
def machine() -> bytes:
    """What of this machine and of the course a kept result depends on."""
    return hashlib.sha256(b"".join(p.read_bytes() for p in made_by())).digest()


def _key(request: dict[str, Any], pr: dict[str, Any]) -> str:
    digest = hashlib.sha256(machine())
    decides = ("run", "path", "files", "own", "event", "started")
    asked = [{name: request.get(name) for name in decides}, pr, bool(request.get("baseline"))]
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
    if folder is None or result["colour"] == "no run" or result.get("stopped"):
        return
    with contextlib.suppress(OSError):
        path = folder / f"{_key(request, pr)}.json"
        part = path.with_suffix(f".{secrets.token_hex(8)}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(path)
        for old in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime)[:-600]:
            old.unlink()
