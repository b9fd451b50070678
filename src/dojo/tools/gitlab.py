"""GitLab pipelines: run by gitlab-ci-local where it was added, else by a stand-in that lets dojo.tools.act execute a translation.

The translation knows stages, needs, variables, default, before_script, script, after_script, rules with `if` on the pipeline's source and
branch, when, allow_failure, artifacts, timeout, interruptible, extends of hidden jobs. `image` is not used: the host is the
runner. It does not know include, services, parallel, trigger; they are refused and named.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from typing import Any

import yaml

from dojo.tools import act, checkouts, environments

LOCAL = "gitlab-ci-local"

KEYWORDS = {
    "stages",
    "variables",
    "default",
    "workflow",
    "image",
    "before_script",
    "after_script",
    "cache",
    "include",
    "spec",
    "pages",
}
REFUSED = ("include", "services", "parallel", "trigger")
CHECKOUT = "actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8"
UPLOAD = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02"
GIVEN = {
    "CI": "true",
    "GITLAB_CI": "true",
    "CI_PROJECT_DIR": "${{ github.workspace }}",
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_MERGE_REQUEST_IID": "1",
    "CI_DEFAULT_BRANCH": "main",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
}


class CannotTranslate(ValueError):
    """The file uses something this stand-in does not know, or is no pipeline; the message says what."""


def warm() -> None:
    """Loads what the runs need."""
    checkouts.warm()


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the pipeline (`pipeline`: its text) on pull requests; the rest of the request and the results are those of dojo.tools.act.

    Where gitlab-ci-local was added, that runs the jobs which a merge request starts; elsewhere the translation runs.
    Each result says which in `runner`.
    """
    try:
        workflow = as_workflow(request["pipeline"])
        started = as_started(request["pipeline"])
    except CannotTranslate as problem:
        return [checkouts.not_run(pr, str(problem)) for pr in request["pull_requests"]]
    rest = {k: v for k, v in request.items() if k != "pipeline"}
    if started and local_runner():
        return [{**r, "runner": LOCAL} for r in checkouts.try_each(rest, {".gitlab-ci.yml": started}, _run_locally)]
    return [{**r, "runner": "the stand-in for GitLab's runner"} for r in act.session({**rest, "workflow": workflow})]


def as_started(text: str) -> str:
    """The pipeline without the jobs that a merge request does not start, which GitLab leaves out; "" when none is left."""
    pipeline = yaml.safe_load(text)
    names = [n for n, j in pipeline.items() if n not in KEYWORDS and isinstance(j, dict) and not n.startswith(".")]
    idle = {n for n in names if not _starts(_extended(pipeline, pipeline[n]), pipeline)}
    if len(idle) == len(names):
        return ""
    return yaml.safe_dump({k: v for k, v in pipeline.items() if k not in idle}, sort_keys=False, width=10_000)


def local_runner() -> bool:
    """Whether gitlab-ci-local can run here: it was added, rsync is on the PATH, and nobody is being graded behind walls."""
    return (
        not checkouts.graded() and environments.is_added(LOCAL) and all(shutil.which(p) for p in ("node", "rsync", "bash"))
    )


def _run_locally(checkout: checkouts.Checkout, request: dict[str, Any], pr: dict[str, Any]) -> dict[str, Any]:
    """One merge request through gitlab-ci-local: every job in a folder of its own, artifacts handed on."""
    given = {k: v for k, v in GIVEN.items() if k.startswith(("CI_PIPELINE", "CI_MERGE"))}
    command = [str(environments.program(LOCAL, LOCAL)), "--force-shell-executor", "--shell-isolation", "--home", ".runner"]
    command += ["--no-color", *(part for name, value in given.items() for part in ("--variable", f"{name}={value}"))]
    checkouts.git(checkout.repo, "remote", "add", "origin", "https://gitlab.example/shopflow/platform.git")
    code, lines = checkouts.execute(checkout, command)
    kept = checkout.repo / ".gitlab-ci-local" / "artifacts"
    if kept.is_dir():
        shutil.copytree(kept, checkout.artefacts, dirs_exist_ok=True)
    jobs = yaml.safe_load((checkout.repo / ".gitlab-ci.yml").read_text(encoding="utf-8"))
    return _told(pr, code, lines, jobs)


def _told(pr: dict[str, Any], code: int, lines: list[str], jobs: Collection[str]) -> dict[str, Any]:
    """gitlab-ci-local's lines as the steps of a result, one a job."""
    ends = {}
    for line in lines:
        if (found := re.fullmatch(r" (PASS|FAIL|WARN)  (\S.*?)(?:  .*)?\s*", line)) and found[2] in jobs:
            ends[found[2]] = found[1]
    steps = []
    for name, end in ends.items():
        said = [
            rest.lstrip(" >")
            for line in lines
            if (rest := line.removeprefix(name)) != line and rest.lstrip()[:1] in (">", "$")
        ]
        result = "success" if end == "PASS" else "failure"
        steps.append({"job": name, "cell": name, "name": name, "result": result, "said": "\n".join(said)[-6000:], "seconds": 0.0})  # fmt: skip
    failed = [name for name, end in ends.items() if end == "FAIL"]
    colour = "no run" if not steps else "red" if code else "green"
    return {
        "name": pr["name"],
        "colour": colour,
        "decided": f"{failed[0]} / {failed[0]}" if failed and code else "",
        "steps": steps,
        "jobs": {},
        "said": "\n".join(lines)[-1500:] if not steps else "",
    }


def as_workflow(text: str) -> str:
    """The workflow that does what the pipeline says on a merge request. CannotTranslate where that cannot be told."""
    try:
        pipeline = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise CannotTranslate(
            f"The file is not YAML: the parser gave up at line {mark.line + 1 if mark else '?'}."
        ) from None
    if not isinstance(pipeline, dict):
        raise CannotTranslate("The file holds no pipeline.")
    named = {n: _extended(pipeline, j) for n, j in pipeline.items() if n not in KEYWORDS and isinstance(j, dict)}
    jobs = {n: j for n, j in named.items() if not n.startswith(".") and _starts(j, pipeline)}
    for where, part in (("the file", pipeline), *jobs.items()):
        for key in REFUSED:
            if key in part:
                raise CannotTranslate(f"`{key}` in {where} is not known to this stand-in for GitLab's runner.")
    stages = pipeline.get("stages") or ["build", "test", "deploy"]
    made = {_id(n): _job(n, j, pipeline, jobs, stages) for n, j in jobs.items()}
    if not made:
        return "on: workflow_dispatch\njobs: {none: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"
    env = {**GIVEN, **_variables(pipeline.get("variables"))}
    return yaml.safe_dump({"name": "pipeline", "on": "pull_request", "permissions": {"contents": "read"}, "env": _known(env), "jobs": made}, sort_keys=False, width=10_000)  # fmt: skip


def _id(name: str) -> str:
    return re.sub(r"\W", "-", name)


def _extended(pipeline: dict, job: dict) -> dict:
    parents = job.get("extends") or []
    made: dict = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        made |= _extended(pipeline, pipeline.get(parent) or {})
    return made | {k: v for k, v in job.items() if k != "extends"}


def _starts(job: dict, pipeline: dict) -> bool:
    """Whether a merge request starts the job: its rules, or `only`, or neither with a pipeline that admits merge requests."""
    admitted = (pipeline.get("workflow") or {}).get("rules")
    if admitted is not None and not _allowed(admitted):
        return False
    if "rules" in job:
        return _allowed(job["rules"])
    only = job.get("only") or []
    return "merge_requests" in only or admitted is not None


def _allowed(rules: Any) -> bool:
    for rule in rules or []:
        if isinstance(rule, dict) and _true(str(rule.get("if", "true"))) and not {"changes", "exists"} & set(rule):
            return rule.get("when", "on_success") not in ("never", "manual")
    return False


def _true(condition: str) -> bool:
    """A condition on GitLab's given variables: comparisons joined by && and ||; an unknown variable is empty."""

    def one(part: str) -> bool:
        found = re.fullmatch(r"""\s*\$\{?(\w+)\}?\s*(?:(==|!=)\s*(["'])(.*?)\3)?\s*""", part)
        if not found:
            return part.strip() == "true"
        value = GIVEN.get(found[1], "")
        return bool(value) if not found[2] else (value == found[4]) == (found[2] == "==")

    return any(all(one(part) for part in some.split("&&")) for some in condition.split("||"))


def _variables(found: Any) -> dict[str, str]:
    return {k: str(v.get("value", "") if isinstance(v, dict) else v) for k, v in (found or {}).items()}


def _known(variables: dict[str, str]) -> dict[str, str]:
    """Variables whose values may speak of those GitLab gives."""
    return {k: re.sub(r"\$\{?(\w+)\}?", lambda m: GIVEN.get(m[1], m[0]), v) for k, v in variables.items()}


def _lines(script: Any) -> list[str]:
    return [script] if isinstance(script, str) else [str(line) for line in script or []]


def _job(name: str, job: dict, pipeline: dict, jobs: dict, stages: list) -> dict[str, Any]:
    default = pipeline.get("default") or {}
    before = _lines(job.get("before_script", default.get("before_script", pipeline.get("before_script"))))
    stage = job.get("stage", "test")
    earlier = [n for n, j in jobs.items() if stage in stages and j.get("stage", "test") in stages[: stages.index(stage)]]
    needs = [n if isinstance(n, str) else n.get("job", "") for n in job["needs"]] if "needs" in job else earlier
    steps: list[dict[str, Any]] = [{"uses": CHECKOUT}]
    steps += [
        {"name": name, "shell": "bash", "run": "set -eo pipefail\n" + "\n".join([*before, *_lines(job.get("script"))])}
    ]
    after = _lines(job.get("after_script", default.get("after_script")))
    if after:
        steps.append({"name": f"{name}, afterwards", "if": "always()", "continue-on-error": True, "run": "\n".join(after)})
    kept = job.get("artifacts") or {}
    if kept.get("paths"):
        when = {"always": "always()", "on_failure": "failure()"}.get(kept.get("when", "on_success"), "success()")
        steps.append({"name": f"{name}, artifacts", "if": when, "uses": UPLOAD, "with": {"name": _id(name), "path": "\n".join(kept["paths"])}})  # fmt: skip
    made: dict[str, Any] = {"runs-on": "ubuntu-latest", "env": _known(_variables(job.get("variables"))), "steps": steps}
    if job.get("allow_failure"):
        steps[1]["continue-on-error"] = True
    if [n for n in needs if n in jobs]:
        made["needs"] = [_id(n) for n in needs if n in jobs]
    return made
