"""A GitHub Actions workflow as a text: what starts it, what its token may, its jobs and steps, and what is wrong with its frame."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from dojo.judge.contract import NotYet

BASES = ("main", "release/2025-12")
"""Branches that somebody's pull request is against."""
ACTIVITIES = ("opened", "synchronize", "reopened")
"""What starts a `pull_request` workflow where no `types` are named."""


def read(text: str, path: str) -> dict[Any, Any]:
    """The workflow in a text. NotYet where it is not YAML, or holds no jobs."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise _not_yaml(error, text, path) from None
    if not isinstance(found, dict) or not jobs(found):
        raise NotYet(
            "The file holds no `jobs`.", tried=path, expected="jobs: {…: {runs-on: …, steps: […]}}", cause="no-jobs"
        )
    return found


def _not_yaml(error: yaml.YAMLError, text: str, path: str) -> NotYet:
    mark, problem = getattr(error, "problem_mark", None), str(getattr(error, "problem", "") or error)
    lines = text.split("\n")
    shown = lines[mark.line].rstrip() if mark and mark.line < len(lines) else ""
    where = f" at line {mark.line + 1}" if mark else ""
    return NotYet(
        f"`{path}` is not YAML: the parser gave up{where} ({problem}).",
        got=shown,
        cause="yaml",
        look="The line that is shown, or the one before it.",
    )


def triggers(workflow: dict) -> dict[str, Any]:
    """The events that start the workflow, each with its filter. YAML reads the bare key `on` as true."""
    on = workflow.get("on", workflow.get(True))
    if isinstance(on, str):
        return {on: None}
    if isinstance(on, list):
        return {str(event): None for event in on}
    return on if isinstance(on, dict) else {}


def jobs(workflow: dict) -> dict[str, dict]:
    """The jobs by name; what is not a job is left out."""
    found = workflow.get("jobs")
    return {str(n): j for n, j in found.items() if isinstance(j, dict)} if isinstance(found, dict) else {}


def steps(workflow: dict) -> Iterator[tuple[str, dict, dict]]:
    """(job name, job, step) of every step."""
    for name, job in jobs(workflow).items():
        found = job.get("steps")
        for step in found if isinstance(found, list) else []:
            if isinstance(step, dict):
                yield name, job, step


def permissions(workflow: dict) -> dict[str, Any]:
    """What each job's token may: its own block, else the workflow's; None where neither says."""
    return {name: job.get("permissions", workflow.get("permissions")) for name, job in jobs(workflow).items()}


def write_scopes(block: Any) -> list[str]:
    """What a permissions block lets the token write."""
    if isinstance(block, str):
        return ["everything"] if block == "write-all" else []
    return [str(k) for k, v in block.items() if v == "write"] if isinstance(block, dict) else []


def environment_of(job: dict) -> str:
    """The name of the environment that a job enters, "" for none."""
    found = job.get("environment", "")
    return str(found.get("name", "") if isinstance(found, dict) else found)


def secrets_in(value: Any) -> list[str]:
    """Names of the secrets that a text, or any text within a value, asks for; written `secrets.X` or `secrets['X']`."""
    if isinstance(value, dict):
        return [name for inner in value.values() for name in secrets_in(inner)]
    if isinstance(value, list):
        return [name for inner in value for name in secrets_in(inner)]
    found = [name for expression in expressions(str(value)) for name in SECRET.findall(expression)]
    return [next(filter(None, name)) if isinstance(name, tuple) else name for name in found]


SECRET = re.compile(r"\bsecrets\s*(?:\.\s*(\w+)|\[\s*['\"](\w+)['\"]\s*\])", re.IGNORECASE)


def expressions(text: str) -> list[str]:
    """What stands between `${{` and `}}`."""
    return re.findall(r"\$\{\{(.*?)\}\}", text, re.DOTALL)


# ---------------------------------------------------------------- the frame of a gate


def frame_problems(workflow: dict) -> list[tuple[str, str]]:
    """(cause, sentence) for what is wrong with the frame of a gate: trigger, token, time limit."""
    found = [*_trigger_problems(triggers(workflow)), *_token_problems(workflow)]
    unlimited = [n for n, j in jobs(workflow).items() if "uses" not in j and "timeout-minutes" not in j]
    if unlimited:
        found.append(
            ("no-timeout", f"Job `{unlimited[0]}` has no `timeout-minutes`: a hanging step holds the queue for six hours.")
        )
    return found


def _trigger_problems(on: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if "pull_request" not in on:
        if "pull_request_target" in on:
            other = (
                "`pull_request_target` runs in the base repository, with its secrets; a gate is started by `pull_request`."
            )
        elif set(on) == {"push"}:
            other = "It starts on push: after the merge, a red run comes too late."
        else:
            other = f"It starts on: {', '.join(map(str, on)) or 'nothing'}."
        yield "trigger", f"No pull request starts this workflow. {other}"
        return
    filters = on["pull_request"] if isinstance(on["pull_request"], dict) else {}
    if {"paths", "paths-ignore"} & set(filters):
        yield (
            "path-filter",
            "A path filter lets pull requests pass unseen: a change outside it gets no run, and no run is not a red one.",
        )
    unseen = next((base for base in BASES if not _admits(filters, base)), None)
    if unseen:
        key = "branches" if "branches" in filters else "branches-ignore"
        yield (
            "branch-filter",
            f"A pull request against `{unseen}` starts nothing: `{key}: {filters[key]}` lets it pass unseen. Every pull request is meant, whatever its target.",
        )
    missing = [a for a in ACTIVITIES if "types" in filters and a not in _listed(filters["types"])]
    if missing:
        yield (
            "type-filter",
            f"`types: {filters['types']}` leaves out `{missing[0]}`: commits that come later are not tried."
            if missing[0] == "synchronize"
            else f"`types: {filters['types']}` leaves out `{missing[0]}`.",
        )


def starts_on_push(on: dict[str, Any], branch: str) -> bool:
    """Whether every push to this branch starts the workflow: named tags alone leave branches out, paths leave pushes out."""
    if "push" not in on:
        return False
    filters = on["push"] if isinstance(on["push"], dict) else {}
    names = set(filters)
    if {"tags", "tags-ignore"} & names and not {"branches", "branches-ignore"} & names:
        return False
    return _admits(filters, branch) and not {"paths", "paths-ignore"} & names


def _listed(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def _admits(filters: dict, branch: str) -> bool:
    """Whether GitHub's branch filter lets an event on this branch start the workflow."""
    if "branches" in filters:
        admitted = False
        for pattern in _listed(filters["branches"]):
            if _matches(pattern.removeprefix("!"), branch):
                admitted = not pattern.startswith("!")
        return admitted
    return not any(_matches(pattern, branch) for pattern in _listed(filters.get("branches-ignore", [])))


def _matches(pattern: str, branch: str) -> bool:
    """GitHub's patterns as far as branches are named by them: `**` is anything, `*` anything but a slash, `?` aside."""
    parts = (".*" if p == "**" else "[^/]*" if p == "*" else re.escape(p) for p in re.split(r"(\*\*|\*)", pattern))
    return re.fullmatch("".join(parts), branch) is not None


def _token_problems(workflow: dict) -> Iterator[tuple[str, str]]:
    blocks = permissions(workflow)
    if any(block is None for block in blocks.values()):
        yield (
            "default-token",
            "No `permissions`: the token then holds whatever the organisation's default is, which may be write to everything. A gate reads: `contents: read`.",
        )
    scopes = [s for block in (workflow.get("permissions"), *blocks.values()) for s in write_scopes(block)]
    if scopes:
        yield (
            "write-token",
            f"The token may write ({', '.join(dict.fromkeys(scopes))}). The code of a stranger's pull request runs beside it; a gate reads.",
        )
    for name, block in blocks.items():
        checks_out = any(
            str(s.get("uses", "")).startswith("actions/checkout@")
            for _, _, s in steps({"jobs": {name: jobs(workflow)[name]}})
        )
        if checks_out and isinstance(block, dict) and block.get("contents") not in ("read", "write"):
            yield (
                "no-read",
                f"The token of job `{name}` may not read the repository, which its checkout needs: `contents: read`.",
            )
