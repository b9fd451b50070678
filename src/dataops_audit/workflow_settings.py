"""What a workflow shows beside its checks: when it runs, its token, pins, what is commented out, strangers' code."""

from __future__ import annotations

import re
from typing import Any

from dataops_audit import checks, shell, yamllines
from dataops_audit.findings import CheckRun, Seen
from dataops_audit.yamllines import child, items, words


def read(
    seen: Seen, path: str, text: str, workflow: Any, events: dict[str, Any], runs: list[CheckRun], guarding: bool
) -> None:
    """Adds what one workflow shows beside its checks."""
    _commented_out(seen, path, text, runs)
    _triggers(seen, path, workflow, events, guarding)
    _token_and_limits(seen, path, workflow)
    _actions(seen, path, workflow)
    _dangers(seen, path, workflow, events)


_COMMENTED_RUN = re.compile(r"^\s*#+\s*(?:-\s*)?run\s*:\s*(?:[|>][+-]?\s*)?(.+?)\s*$")
_COMMENTED_COMMAND = re.compile(r"^\s*#\s?(\s*(?:-\s+)?)((?:poetry run |uv run |python3? -m )?[\w./-]+(?:\s+\S+)*)\s*$")


def commented_command(row: str) -> checks.Check | None:
    """The check in a line that is commented out, or None: prose about a check is not one."""
    if found := _COMMENTED_RUN.match(row):
        return next(
            (one for run in shell.runs(found[1].strip("\"'")) if (one := checks.identify(checks.unwrapped(run.words)))), None
        )
    if not (found := _COMMENTED_COMMAND.match(row)):
        return None
    parts = checks.unwrapped(found[2].split())
    check = checks.identify(parts)
    if check is None:
        return None
    plain = [part for part in parts[1:] if not part.startswith("-")]
    tame = [
        part
        for part in plain
        if (re.search(r"[/.*:=+@]", part) and not part.endswith((".", ",", ":")))
        or part in check.tool.split()
        or part in ("test", "lint", "check", "run", "build", "scan", "tests", "models")
    ]
    values = sum(part.startswith("-") for part in parts)
    return (
        check
        if (len(plain) - len(tame) <= values and len(parts) > 1) or (len(parts) == 1 and check.tool == "pytest")
        else None
    )


def _commented_out(seen: Seen, path: str, text: str, runs: list[CheckRun]) -> None:
    """Checks that stand in comments while no living check of the same tool does their work."""
    living = {run.tool for run in runs if run.mask is None}
    told = set()
    for line, row in enumerate(text.split("\n"), 1):
        if not row.lstrip().startswith("#"):
            continue
        check = commented_command(row)
        if check and check.tool not in living and check.tool not in told:
            told.add(check.tool)
            seen.add(
                "ci.commented-out",
                path,
                line,
                f"{check.tool} is commented out and nothing else in this workflow runs it",
                "likely",
            )


def _jobs(workflow: Any) -> list[Any]:
    return [job for job in workflow["jobs"].values() if isinstance(job, dict)]


_DELIVERS = re.compile(r"deploy|release|publish|promot|\bcd\b", re.IGNORECASE)


def _triggers(seen: Seen, path: str, workflow: Any, events: dict[str, Any], guarding: bool) -> None:
    """When it runs, and whether it delivers after a merge."""
    if guarding:
        seen.add("ci.on-change", path, workflow.at("on"), "Runs for every change before it is merged")
    deploy = [(str(name), job) for name, job in workflow["jobs"].items() if isinstance(job, dict) and "environment" in job]
    if deploy:
        seen.add(
            "env.deploy-environment",
            path,
            deploy[0][1].at("environment"),
            f"Job {deploy[0][0]} deploys through a protected environment",
        )
    branches = words(child(events.get("push"), "branches"))
    if any(one in ("main", "master", "production", "prod") for one in branches):
        named = next((str(name) for name in workflow["jobs"] if _DELIVERS.search(str(name))), None)
        if named or _DELIVERS.search(str(workflow.get("name", ""))):
            seen.add(
                "env.deploy-after-merge",
                path,
                workflow.at("on"),
                f"{named or workflow.get('name')} runs after the merge, by machine",
            )


def _token_and_limits(seen: Seen, path: str, workflow: Any) -> None:
    holder = next((one for one in [workflow, *_jobs(workflow)] if "permissions" in one), None)
    if holder is not None and str(holder["permissions"]) == "write-all":
        seen.add("ci.broad-token", path, holder.at("permissions"), "The workflow's token may write everything")
    elif holder is not None:
        seen.add("ci.least-token", path, holder.at("permissions"), "The workflow's token is limited to what it names")
    if any("timeout-minutes" in job for job in _jobs(workflow)) or "concurrency" in workflow:
        seen.add("ci.bounded", path, workflow.line, "Runs are bounded in time or cancelled by newer ones")


def _actions(seen: Seen, path: str, workflow: Any) -> None:
    """Whether actions of others are held at what was reviewed."""
    steps = [step for job in _jobs(workflow) for step in items(job.get("steps")) if isinstance(step, dict)]
    foreign = [
        step["uses"]
        for step in steps
        if isinstance(step.get("uses"), str) and not step["uses"].startswith(("./", "docker://"))
    ]
    loose = [one for one in foreign if not re.search(r"@[0-9a-f]{40}\b", one)]
    if foreign and not loose:
        seen.add("ci.pinned-actions", path, yamllines.line_of(foreign[0]), "Every action is pinned to a commit")
    for one in loose:
        if "@" not in one or re.search(r"@(main|master|latest|develop|dev|HEAD)$", one):
            seen.add(
                "ci.floating-action", path, yamllines.line_of(one), f"{one} follows a branch: tomorrow it may be other code"
            )
        elif not one.startswith(("actions/", "github/")):
            seen.add("ci.unpinned-action", path, yamllines.line_of(one), f"{one} is a tag that its owner can move", "likely")
    if any(one.startswith("actions/upload-artifact") for one in foreign):
        seen.add("ci.artefacts", path, workflow.line, "Results of a run are kept as artefacts")


_UNTRUSTED = re.compile(
    r"\$\{\{\s*(github\.event\.(?:issue\.(?:title|body)|pull_request\.(?:title|body|head\.(?:ref|"
    r"label|repo\.default_branch))|comment\.body|review\.body"
    r"|discussion\.(?:title|body)|head_commit\.(?:message|author\.(?:name|email))|commits\S*)|github\.head_ref)\s*\}\}"
)


def _dangers(seen: Seen, path: str, workflow: Any, found: dict[str, Any]) -> None:
    """What lets a stranger's pull request run with the repository's rights."""
    jobs = [job for job in workflow["jobs"].values() if isinstance(job, dict)]
    privileged = [name for name in ("pull_request_target", "workflow_run") if name in found]
    approved = {str(name) for name, job in workflow["jobs"].items() if isinstance(job, dict) and "environment" in job}
    for job in jobs:
        for step in items(job.get("steps")):
            if not isinstance(step, dict):
                continue
            ref = str(child(step, "with", "ref") or "")
            if (
                privileged
                and str(step.get("uses", "")).startswith("actions/checkout")
                and re.search(r"head\.(sha|ref)|head_sha|head_branch|head_ref|refs/pull", ref)
            ):
                seen.add(
                    "sec.stranger-code",
                    path,
                    step.at("uses"),
                    f"{privileged[0]} checks out and runs a stranger's code with this repository's secrets",
                    "possible"
                    if approved & {*words(job.get("needs")), *(["*"] if "environment" in job else [])}
                    or "environment" in job
                    else "likely",
                )
            if isinstance(step.get("run"), str) and (hit := _UNTRUSTED.search(step["run"])):
                line = step["run"].first + step["run"][: hit.start()].count("\n")
                seen.add(
                    "sec.injection",
                    path,
                    line,
                    f"{hit[1]} is pasted into a shell script: its author can write commands into it",
                )
