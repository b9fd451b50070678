"""GitHub Actions: which checks run on a pull request, and which of them can stop it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from dataops_audit import checks, expressions, shell, step_outcomes, workflow_settings, yamllines
from dataops_audit.delegation import Executed, Place, expand, outer_mask
from dataops_audit.findings import CheckRun, Seen
from dataops_audit.tree import Tree
from dataops_audit.yamllines import child, items, words

ON_PULL_REQUEST = {
    "github.actor": "(a person)",
    "github.triggering_actor": "(a person)",
    "github.event.pull_request.user.login": "(a person)",
    "github.event_name": "pull_request",
    "github.ref": "refs/pull/1/merge",
    "github.ref_name": "1/merge",
    "github.ref_type": "branch",
}
ON_SCHEDULE = {"github.event_name": "schedule"}
AFTERWARDS = "it runs after another workflow, and its result is no check of the pull request"
_CHECKING_TYPES = frozenset(("opened", "synchronize", "reopened"))


@dataclass(frozen=True)
class _Settings:
    """What a step inherits: shell, folder, environment, the mask of everything around it, and how it was reached."""

    file: str
    shell: str = ""
    folder: str = ""
    env: tuple[tuple[str, str], ...] = ()
    mask: str | None = None
    sure: str = "certain"
    via: tuple[str, ...] = ()
    known: tuple[tuple[str, Any], ...] = ()
    depth: int = 0


def files(tree: Tree) -> list[str]:
    """The workflow files that GitHub would run; where there is none, files elsewhere that look like workflows."""
    inside = [path for path in tree.ending(".yml", ".yaml") if re.fullmatch(r"\.github/workflows/[^/]+", path)]
    if inside:
        return inside
    nested = [path for path in tree.ending(".yml", ".yaml") if "/.github/workflows/" in path]
    return nested or [
        path for path in tree.ending(".yml", ".yaml") if len(tree.entries) < 5_000 and _looks_like_one(tree.text(path) or "")
    ]


def _looks_like_one(text: str) -> bool:
    return bool(re.search(r"^(on|'on'|\"on\")\s*:", text, re.MULTILINE) and re.search(r"^jobs\s*:", text, re.MULTILINE))


def read(tree: Tree, seen: Seen) -> None:
    """Reads every workflow, adds its checks and what else it shows."""
    readable: dict[str, Any] = {}
    for path in files(tree):
        text = tree.text(path)
        if text is None:
            seen.skipped.append((path, "not readable as text"))
            continue
        try:
            workflow = yamllines.first(text)
        except yamllines.BrokenYaml as error:
            seen.add("ci.broken", path, error.line, f"GitHub cannot read this workflow, so nothing in it runs: {error}")
            continue
        if not isinstance(workflow, dict) or not isinstance(workflow.get("jobs"), dict):
            seen.add("ci.broken", path, 1, "This workflow has no jobs, so nothing in it runs", "likely")
            continue
        seen.systems.append("GitHub Actions")
        readable[path] = workflow
    called = {path for workflow in readable.values() for path in _called(tree, workflow)}
    for path, workflow in readable.items():
        _workflow(tree, seen, path, workflow, path in called)


def _called(tree: Tree, workflow: Any) -> list[str]:
    """The reusable workflows of this repository that a workflow calls."""
    uses = [child(job, "uses") for job in workflow["jobs"].values()]
    return [path for one in uses if isinstance(one, str) and (path := tree.resolve("", one.split("@")[0]))]


def events(workflow: Any) -> dict[str, Any]:
    """The events that start a workflow with their settings, however `on:` is written."""
    on = workflow.get("on", workflow.get("true", workflow.get("True")))
    if isinstance(on, dict):
        return dict(on)
    return dict.fromkeys(words(on))


def guards(tree: Tree, workflow: Any) -> tuple[bool, str]:
    """Whether a workflow runs for a change before it is merged, and if not, why."""
    found = events(workflow)
    reason = f"it runs on {', '.join(found) or 'nothing'} only, never on a pull request"
    for name in ("pull_request", "pull_request_target", "merge_group"):
        if name not in found:
            continue
        settings = found[name]
        types = words(child(settings, "types"))
        if types and name != "merge_group" and not _CHECKING_TYPES.intersection(types):
            reason = f"it runs when a pull request is {' or '.join(types)}, not when its code changes"
            continue
        missed = _paths_miss(tree, settings) or _other_branches(tree, words(child(settings, "branches")))
        if missed:
            reason = missed
            continue
        return True, ""
    if "workflow_run" in found:
        reason = AFTERWARDS
    if "push" in found:
        branches = words(child(found["push"], "branches"))
        only_tags = (
            child(found["push"], "tags") is not None and not branches and child(found["push"], "branches-ignore") is None
        )
        if (not branches or any("*" in one and not one.startswith("!") for one in branches)) and not only_tags:
            missed = _paths_miss(tree, found["push"])
            return not missed, missed
        if not any(one.startswith("pull_request") for one in found):
            reason = "it runs after the merge, on push to " + (", ".join(branches) or "tags")
    return False, reason


_MAIN_BRANCHES = (
    "main",
    "master",
    "develop",
    "dev",
    "development",
    "trunk",
    "staging",
    "stage",
    "production",
    "prod",
    "next",
)


def _other_branches(tree: Tree, branches: list[str]) -> str:
    """Why a branches filter leaves out the pull requests that people open, or nothing."""
    usual = (*_MAIN_BRANCHES, tree.git.branch if tree.git else "main")
    if not branches or any(one.startswith("$") or any(_matches(name, [one]) for name in usual if name) for one in branches):
        return ""
    return "" if any("*" in one for one in branches) else f"it runs only for pull requests into {', '.join(branches)}"


_NOT_CODE = re.compile(
    (
        r"^(\.github|docs?|documentation)/|\.(md|rst|txt|adoc|mdx|png|svg|jpe?g|gif|ico|lock)$|(^|"
        r"/)(LICENSE|CODEOWNERS|\.git\w+)$"
    ),
    re.IGNORECASE,
)


def _code(tree: Tree) -> list[str]:
    return [path for path in tree.paths if not _NOT_CODE.search(path)]


def _paths_miss(tree: Tree, settings: Any) -> str:
    """Why a paths filter leaves all of the code out, or nothing."""
    wanted = words(child(settings, "paths"))
    ignored = words(child(settings, "paths-ignore"))
    if not (wanted or ignored):
        return ""
    code = tree.once(_code)
    if not code or any(_matches(path, wanted) if wanted else not _matches(path, ignored) for path in code):
        return ""
    return f"its paths filter ({', '.join(wanted or ignored)[:80]}) lets none of the {len(code)} code files start it"


def _matches(path: str, patterns: list[str]) -> bool:
    matched = False
    for pattern in patterns:
        if re.fullmatch(_glob(pattern.removeprefix("!")), path):
            matched = not pattern.startswith("!")
    return matched


@cache
def _glob(pattern: str) -> str:
    """GitHub's path pattern as a regular expression."""
    made, at = "", 0
    while at < len(pattern):
        if pattern.startswith("**/", at):
            made, at = made + "(?:.*/)?", at + 3
        elif pattern.startswith("**", at):
            made, at = made + ".*", at + 2
        elif pattern[at] == "*":
            made, at = made + "[^/]*", at + 1
        elif pattern[at] in "?+":
            made, at = made + pattern[at], at + 1
        elif pattern[at] == "[" and "]" in pattern[at:]:
            end = pattern.index("]", at)
            made, at = made + pattern[at : end + 1], end + 1
        else:
            made, at = made + re.escape(pattern[at]), at + 1
    return made


def _workflow(tree: Tree, seen: Seen, path: str, workflow: Any, called: bool) -> None:
    guarding, why = guards(tree, workflow)
    found = events(workflow)
    known = ON_PULL_REQUEST if guarding else ON_SCHEDULE if list(found) == ["schedule"] else {}
    settings = _inherit(_Settings(path, known=tuple(known.items())), workflow)
    executed: list[tuple[str, Executed]] = []
    waiting = _never_reached(workflow["jobs"], settings)
    for name, job in workflow["jobs"].items():
        executed += [(str(name), one) for one in _job(tree, seen, str(name), job, _masked(settings, waiting.get(str(name))))]
    runs = []
    for name, one in executed:
        mine, reason = guarding, why
        if one.mask and one.mask.startswith("(not on pull requests)"):
            mine, reason, one = False, one.mask[23:], replace(one, mask=None)
        if why.startswith("its paths filter") and one.check and one.check.kind in (checks.LINT, checks.SECURITY):
            mine = True  # a linter may well run only for what it lints
        line = one.line
        if one.file != path and one.via:
            line = _number(one.via[0])
        runs.append(CheckRun("GitHub Actions", path, line, name, one, one.mask, one.sure, mine, reason))
    if called and not guarding:
        runs = []  # told where it is called
    seen.checks += runs
    workflow_settings.read(seen, path, tree.text(path) or "", workflow, found, runs, guarding)


def _never_reached(jobs: Any, settings: _Settings) -> dict[str, str]:
    """Jobs that wait for a job that never runs are skipped with it, unless they say always()."""
    found = {str(name): mask for name, job in jobs.items() if (mask := _when(job, settings, "job"))}
    waiting: dict[str, list[str]] = {}
    for name, job in jobs.items():
        if not re.search(r"always\(\)|cancelled\(\)|failure\(\)", str(child(job, "if") or "")):
            for need in words(child(job, "needs")):
                waiting.setdefault(str(need), []).append(str(name))
    todo = [name for name, mask in found.items() if "asks for it" not in mask]
    skipped, reasons = set(todo), {}
    for blocked in todo:  # grows while it is read: what waits for a skipped job is skipped in its turn
        late = found.get(blocked, reasons.get(blocked, "")).startswith("(not")
        for name in waiting.get(blocked, []):
            if name not in skipped:
                skipped.add(name)
                todo.append(name)
                why = f"the job never runs: it needs {blocked}, which is skipped"
                reasons[name] = ("(not on pull requests) " if late else "") + why
    return reasons


def _number(place: str) -> int:
    tail = place.rsplit(":", 1)[-1]
    return int(tail) if tail.isdigit() else 1


def _inherit(settings: _Settings, node: Any) -> _Settings:
    run = child(node, "defaults", "run")
    env = (
        {**dict(settings.env), **{str(key): str(value) for key, value in (child(node, "env") or {}).items()}}
        if isinstance(child(node, "env"), dict)
        else dict(settings.env)
    )
    return replace(
        settings,
        shell=str(child(run, "shell") or settings.shell),
        folder=str(child(run, "working-directory") or settings.folder).strip("./"),
        env=tuple(env.items()),
    )


def _masked(settings: _Settings, mask: str | None, sure: str = "certain") -> _Settings:
    return settings if settings.mask or not mask else replace(settings, mask=mask, sure=sure)


def _known(settings: _Settings, events: bool = True) -> dict[str, Any]:
    """What expressions may ask: the event, and the environment where it is written out."""
    env = {f"env.{name}": value for name, value in settings.env if "${{" not in value}
    return {**env, **(dict(settings.known) if events else {})}


def _when(node: Any, settings: _Settings, what: str) -> str | None:
    """The mask of an `if:` that is never true, or not true on a pull request."""
    condition = child(node, "if")
    if condition is None:
        return None
    if expressions.truth(str(condition)) is False:
        text = str(condition).strip()
        if re.search(r"\b(failure|cancelled)\(\)", text):
            return f"the {what} runs only after a failure (`if: {text}`)"
        return f"the {what} never runs: `if: {text}`"
    if expressions.truth(str(condition), _known(settings, events=False)) is False:
        return f"the {what} never runs: `if: {str(condition).strip()}`"
    if re.search(
        r"contains\(\s*github\.event\.(pull_request\.labels|head_commit\.message)", str(condition)
    ) and "!contains" not in str(condition).replace(" ", ""):
        return f"(not on pull requests) the {what} runs only when somebody asks for it: `if: {str(condition).strip()}`"
    if settings.known and expressions.truth(str(condition), _known(settings)) is False:
        return f"(not on pull requests) the {what} does not run on a pull request: `if: {str(condition).strip()}`"
    return None


def _continues(node: Any, matrix: Any, what: str, settings: _Settings) -> tuple[str | None, str]:
    """The mask of continue-on-error, where it holds for every run of the job."""
    value = child(node, "continue-on-error")
    if value is None:
        return None, "certain"
    text = str(value).strip()
    result = expressions.truth(text, _known(settings))
    if result is None and (name := re.fullmatch(r"\$\{\{\s*matrix\.([\w-]+)\s*(==\s*true)?\s*\}\}", text)):
        values = [
            str(one).lower()
            for one in items(child(matrix, name[1])) + [child(one, name[1]) for one in items(child(matrix, "include"))]
            if one is not None
        ]
        if values and all(one == "true" for one in values):
            return f"continue-on-error is true in every cell of the matrix of the {what}", "certain"
        return None, "certain"
    if result:
        return f"continue-on-error lets the {what} fail unseen", "certain"
    return (f"continue-on-error: {text} may let the {what} fail unseen", "possible") if result is None else (None, "certain")


def _job(tree: Tree, seen: Seen, name: str, job: Any, settings: _Settings) -> list[Executed]:
    if not isinstance(job, dict):
        return []
    settings = _inherit(_masked(settings, _when(job, settings, "job")), job)
    mask, sure = _continues(job, child(job, "strategy", "matrix"), "job", settings)
    settings = _masked(settings, mask if sure != "possible" else None, sure)
    matrix = child(job, "strategy", "matrix")
    empty = (
        next((key for key, value in matrix.items() if isinstance(value, list) and not value), None)
        if isinstance(matrix, dict)
        else None
    )
    if empty is not None and "include" not in matrix:
        settings = _masked(settings, f"the job never runs: its matrix has nothing in {empty}")
    runs_on = str(job.get("runs-on", ""))
    if "windows" in runs_on and not settings.shell:
        settings = replace(settings, shell="pwsh")
    uses = job.get("uses")
    if isinstance(uses, str):
        return _reusable(tree, seen, uses, settings)
    return _steps(tree, items(job.get("steps")), settings, child(job, "strategy", "matrix"))


def _reusable(tree: Tree, seen: Seen, uses: str, settings: _Settings) -> list[Executed]:
    """The checks of a reusable workflow of the same repository."""
    path = tree.resolve("", uses.split("@")[0])
    text = tree.text(path) if path and settings.depth < 5 and path != settings.file else None
    if text is None:
        return []
    try:
        workflow = yamllines.first(text)
    except yamllines.BrokenYaml:
        return []
    if not tree.may_follow(len(child(workflow, "jobs") or ())):
        return []
    line = yamllines.line_of(uses)
    inner = _Settings(
        path,
        mask=settings.mask,
        sure=settings.sure,
        via=(*settings.via, f"{settings.file}:{line}"),
        known=settings.known,
        depth=settings.depth + 1,
    )
    found: list[Executed] = []
    for name, job in (child(workflow, "jobs") or {}).items():
        found += _job(tree, seen, str(name), job, _inherit(inner, workflow))
    return found


def _steps(tree: Tree, steps: list[Any], settings: _Settings, matrix: Any) -> list[Executed]:
    found: list[Executed] = []
    asked = step_outcomes.asked_for(steps)
    for place, step in enumerate(steps):
        if not isinstance(step, dict):
            continue
        here = _masked(_inherit(settings, step), _when(step, settings, "step"))
        mask, sure = _continues(step, matrix, "step", here)
        if mask and sure != "possible" and not asked.outcome_of(step, place):
            here = _masked(here, mask, sure)
        here = replace(here, folder=str(step.get("working-directory") or here.folder).removeprefix("./").strip("/"))
        here = replace(here, folder=re.sub(r"^\$\{\{[^}]*\}\}/?", "", here.folder))
        if isinstance(step.get("run"), str):
            ran = _run(tree, step["run"], str(step.get("shell") or here.shell), here)
            found += [_after_all(one, step, place, asked) for one in ran]
        elif isinstance(step.get("uses"), str):
            found += _uses(tree, step, here)
    return [step_outcomes.selecting(tree, one) for one in step_outcomes.over_nothing([one for one in found if one.check])]


def _after_all(one: Executed, step: Any, place: int, asked: step_outcomes.Asked) -> Executed:
    """A masked check that a later step judges is not masked."""
    if one.mask and not one.mask.startswith("(not") and "never" not in one.mask and asked.decides(one, step, place):
        return replace(one, mask=None, masked_at=None)
    return one


def _run(tree: Tree, script: Any, name: str, settings: _Settings) -> list[Executed]:
    """The commands of a `run:` under the shell that GitHub would take."""
    if re.match(r"(python|perl|cmd|node|deno|Rscript)", name):
        return []
    errexit, pipefail = True, False
    if name.strip() == "bash":
        pipefail = True
    elif name.startswith(("pwsh", "powershell")):
        errexit = False
    elif "{0}" in name:
        errexit, pipefail = bool(re.search(r"\s-\w*e", name)), "pipefail" in name
    line = getattr(script, "first", 1)
    runs = shell.runs(str(script), line, errexit=errexit, pipefail=pipefail)
    if not getattr(script, "block", False):
        for run in runs:
            run.line = line
    skip = frozenset(dict(settings.env).get("SKIP", "").split(","))
    place = Place(settings.file, settings.folder, settings.via, in_ci=True, skip=skip)
    return [
        outer_mask(one, settings.mask, settings.sure, settings.file, _line_here(one, settings.file, line))
        for one in expand(tree, runs, place)
    ]


def _line_here(one: Executed, file: str, line: int) -> int:
    """The check's own line where it stands in this file, else the line of the step that leads to it."""
    return one.line if one.file == file else line


def _uses(tree: Tree, step: Any, settings: _Settings) -> list[Executed]:
    uses, line = str(step["uses"]), yamllines.line_of(step["uses"])
    given = {str(key): str(value) for key, value in step["with"].items()} if isinstance(step.get("with"), dict) else {}
    if uses.startswith("./"):
        return _composite(tree, uses, line, settings)
    if uses.split("@")[0] == "pre-commit/action":
        words_ = ["pre-commit", "run", *(given.get("extra_args") or "--all-files").split()]
        place = Place(
            settings.file,
            settings.folder,
            (*settings.via, f"{settings.file}:{line}"),
            True,
            frozenset(dict(settings.env).get("SKIP", "").split(",")),
        )
        found = expand(tree, [shell.Run(words_, line)], place)
        return [outer_mask(one, settings.mask, settings.sure, settings.file, line) for one in found]
    check = checks.action(uses, given, dict(settings.env))
    if check is None:
        return []
    return [Executed((uses,), settings.file, line, settings.mask or check.mask, settings.sure, settings.via, check)]


def _composite(tree: Tree, uses: str, line: int, settings: _Settings) -> list[Executed]:
    path = tree.resolve("", f"{uses}/action.yml") or tree.resolve("", f"{uses}/action.yaml")
    text = tree.text(path) if path and settings.depth < 5 and path != settings.file else None
    if text is None:
        return []
    try:
        steps = items(child(yamllines.first(text), "runs", "steps"))
    except yamllines.BrokenYaml:
        return []
    if not tree.may_follow(len(steps)):
        return []
    inner = replace(settings, file=path, shell="", via=(*settings.via, f"{settings.file}:{line}"), depth=settings.depth + 1)
    return _steps(tree, steps, inner, None)
