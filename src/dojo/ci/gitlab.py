"""GitLab pipelines: run by gitlab-ci-local where it was added, else by a stand-in that lets dojo.ci.act execute a translation.

The translation knows stages, needs, variables, default, before_script, script, after_script, rules with `if`, only, when,
allow_failure, artifacts, extends, !reference, include of files of the repository, parallel with a number or a matrix.
`image` is not used: the host is the runner. What it does not know it names, and says that it cannot tell.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Collection
from typing import Any

import yaml

from dojo.ci import act, checkouts
from dojo.ci.excerpts import within
from dojo.ci.gate import Pipeline, Place, scripts
from dojo.ci.masks import GITLAB
from dojo.judge.contract import NotYet
from dojo.tools import environments

LOCAL = "gitlab-ci-local"
RUNNER = "the stand-in for GitLab's runner"
TRANSLATED = ".github/workflows/translated.yml"
"""Where the translation stands for act."""

GLOBAL = {
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
    "services",
}
"""Keys of a pipeline that are no jobs."""
KNOWN = {
    "script",
    "before_script",
    "after_script",
    "stage",
    "rules",
    "only",
    "needs",
    "variables",
    "allow_failure",
    "artifacts",
    "extends",
    "when",
    "parallel",
    "image",
    "tags",
    "timeout",
    "interruptible",
    "cache",
    "retry",
    "coverage",
    "dependencies",
    "resource_group",
}
"""Keys of a job that the translation heeds, or that decide no colour."""
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


class NoPipeline(ValueError):
    """The file is no pipeline; the message says why."""


class NotKnown(ValueError):
    """The file uses something that this stand-in does not know; the message names it and who does."""


def _not_known(what: str) -> NotKnown:
    return NotKnown(
        f"{what} is not known to {RUNNER}. gitlab-ci-local (`dojo tools add gitlab-ci-local`) or GitLab would tell."
    )


def warm() -> None:
    """Loads what the runs need."""
    checkouts.warm()


def session(request: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs the pipeline on pull requests; the request and the results are those of dojo.ci.act, `path` that of the pipeline.

    Where gitlab-ci-local was added, that runs the jobs which a merge request starts; elsewhere the translation runs.
    Each result says which in `runner`.
    """
    files = {**request["files"], **request["own"]}
    text, local = files[request["path"]], local_runner()
    try:
        started = as_started(text, files)
        if started and local:
            asked = {**request, "started": started}
            return [{**r, "runner": LOCAL} for r in checkouts.try_each(asked, _run_locally)]
        translated = as_workflow(text, files)
    except NoPipeline as problem:
        return [{**checkouts.not_run(pr, str(problem)), "runner": RUNNER} for pr in request["pull_requests"]]
    except NotKnown as problem:
        return [{**checkouts.not_run(pr, str(problem), unknown=True), "runner": RUNNER} for pr in request["pull_requests"]]
    own = {**request["own"], TRANSLATED: translated}
    return [{**r, "runner": RUNNER} for r in act.session({**request, "own": own, "path": TRANSLATED})]


# ---------------------------------------------------------------- reading


class _Reference(list):
    """`!reference [job, key]`: what stands there."""


class _Loader(yaml.SafeLoader):
    """YAML with GitLab's own tag."""


_Loader.add_constructor("!reference", lambda loader, node: _Reference(loader.construct_sequence(node, deep=True)))


def read(text: str, files: dict[str, str] | None = None) -> dict[str, Any]:
    """The pipeline with its included files and references resolved. NoPipeline, NotKnown."""
    try:
        found = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise NoPipeline(f"The file is not YAML: the parser gave up{where} ({getattr(error, 'problem', error)}).") from None
    if not isinstance(found, dict):
        raise NoPipeline("The file holds no pipeline: a job is a name with a `script`.")
    for wanted in _includes(found.pop("include", None)):
        if wanted not in (files or {}):
            raise NoPipeline(f"`include: {wanted}`: there is no such file in the repository.")
        found = {**read(files[wanted], files), **found}
    return _resolved(found, found)


def _includes(value: Any) -> list[str]:
    paths = []
    for entry in value if isinstance(value, list) else [value] if value else []:
        local = entry if isinstance(entry, str) else entry.get("local") if isinstance(entry, dict) else None
        if not isinstance(local, str) or "://" in local or set(entry if isinstance(entry, dict) else ()) - {"local"}:
            raise _not_known(f"`include: {entry}`")
        paths.append(local.lstrip("/"))
    return paths


def _resolved(value: Any, pipeline: dict[str, Any], depth: int = 0) -> Any:
    if depth > 20:
        raise NoPipeline("A `!reference` refers to itself.")
    if isinstance(value, _Reference):
        found: Any = pipeline
        for key in value:
            found = found.get(key) if isinstance(found, dict) else None
        return _resolved(found, pipeline, depth + 1)
    if isinstance(value, list):
        made: list[Any] = []
        for inner in value:
            part = _resolved(inner, pipeline, depth + 1)
            made += part if isinstance(inner, _Reference) and isinstance(part, list) else [part]
        return made
    if isinstance(value, dict):
        return {k: _resolved(v, pipeline, depth + 1) for k, v in value.items()}
    return value


def jobs_of(pipeline: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The jobs with what they extend. NoPipeline where one has nothing to do."""
    named = {
        str(n): j for n, j in pipeline.items() if n not in GLOBAL and isinstance(j, dict) and not str(n).startswith(".")
    }
    jobs = {name: _extended(pipeline, job) for name, job in named.items()}
    if not jobs:
        raise NoPipeline("No job: a job is a name with a `script`.")
    for name, job in jobs.items():
        if "script" not in job and "trigger" not in job:
            raise NoPipeline(f"Job `{name}` has no `script`.")
    return jobs


def _extended(pipeline: dict, job: dict, depth: int = 0) -> dict:
    if depth > 20:
        raise NoPipeline("`extends` goes round in a circle.")
    parents = job.get("extends") or []
    made: dict = {}
    for parent in [parents] if isinstance(parents, str) else parents:
        if not isinstance(pipeline.get(parent), dict):
            raise NoPipeline(f"`extends: {parent}`: there is no such job.")
        made = _merged(made, _extended(pipeline, pipeline[parent], depth + 1))
    return _merged(made, {k: v for k, v in job.items() if k != "extends"})


def _merged(first: dict, second: dict) -> dict:
    """GitLab's deep merge: mappings are merged, anything else is replaced."""
    both = {
        k: _merged(first[k], v) if isinstance(v, dict) and isinstance(first.get(k), dict) else v for k, v in second.items()
    }
    return {**first, **both}


def commands(text: str, files: dict[str, str], own: dict[str, str]) -> Pipeline:
    """The pipeline as it is read for masks: GitLab starts its shell with -e and pipefail."""
    pipeline = read(text, files)
    places = [Place(n, "\n".join(_script(j, pipeline)), pipefail=True) for n, j in jobs_of(pipeline).items()]
    return Pipeline(GITLAB, text, (*places, *scripts(own, {".gitlab-ci.yml"})))


def check_form(text: str, files: dict[str, str]) -> None:
    """NotYet where the file alone cannot be a pipeline; what is merely not known here passes."""
    try:
        jobs_of(read(text, files))
    except NotKnown:
        return
    except NoPipeline as problem:
        raise NotYet(str(problem), expected="a pipeline of jobs, each with a `script`", cause="no-jobs") from None


# ---------------------------------------------------------------- gitlab-ci-local


def as_started(text: str, files: dict[str, str] | None = None) -> str:
    """The pipeline without the jobs that a merge request does not start, which GitLab leaves out; "" when none is left."""
    pipeline = read(text, files)
    jobs = jobs_of(pipeline)
    idle = {n for n, j in jobs.items() if not _starts(j, pipeline)}
    if len(idle) == len(jobs):
        return ""
    return yaml.safe_dump({k: v for k, v in pipeline.items() if k not in idle}, sort_keys=False, width=10_000)


def local_runner() -> bool:
    """Whether gitlab-ci-local can run here: it was added, rsync is on the PATH, and nobody is being graded behind walls."""
    return (
        not checkouts.graded() and environments.is_added(LOCAL) and all(shutil.which(p) for p in ("node", "rsync", "bash"))
    )


def _run_locally(checkout: checkouts.Checkout, request: dict[str, Any], pr: dict[str, Any]) -> dict[str, Any]:
    """One merge request through gitlab-ci-local: every job in a folder of its own, artifacts handed on."""
    (checkout.repo / ".gitlab-ci.yml").write_text(request["started"], encoding="utf-8")
    given = {k: v for k, v in GIVEN.items() if k.startswith(("CI_PIPELINE", "CI_MERGE"))}
    command = [str(environments.program(LOCAL, LOCAL)), "--force-shell-executor", "--shell-isolation", "--home", ".runner"]
    command += ["--no-color", *(part for name, value in given.items() for part in ("--variable", f"{name}={value}"))]
    checkouts.git(checkout.repo, "remote", "add", "origin", "https://gitlab.example/shopflow/platform.git")
    code, lines = checkouts.execute(checkout, command)
    kept = checkout.repo / ".gitlab-ci-local" / "artifacts"
    if kept.is_dir():
        shutil.copytree(kept, checkout.artefacts, dirs_exist_ok=True)
    return _told(pr, code, lines, yaml.safe_load(request["started"]))


def _told(pr: dict[str, Any], code: int, lines: list[str], jobs: Collection[str]) -> dict[str, Any]:
    """gitlab-ci-local's lines as the steps of a result, one a job."""
    ends = {}
    for line in lines:
        found = re.fullmatch(r" (PASS|FAIL|WARN)  (\S.*?)(?:  .*)?\s*", line)
        if (
            found and re.sub(r"(: \[.*\]| \d+/\d+)$", "", found[2]) in jobs
        ):  # copies of a job have their variant behind the name
            ends[found[2]] = found[1]
    steps = []
    for name, end in ends.items():
        said = [
            rest.lstrip(" >")
            for line in lines
            if (rest := line.removeprefix(name)) != line and rest.lstrip()[:1] in (">", "$")
        ]
        words = within("\n".join(said), act.KEPT_SIGNS)
        result = "success" if end == "PASS" else "failure"
        steps.append({"job": name, "cell": name, "name": name, "result": result, "said": words, "seconds": 0.0})
    failed = [name for name, end in ends.items() if end == "FAIL"]
    colour = "no run" if not steps else "red" if code else "green"
    return {
        "name": pr["name"],
        "colour": colour,
        "decided": f"{failed[0]} / {failed[0]}" if failed and code else "",
        "steps": steps,
        "jobs": {},
        "said": within("\n".join(lines), 1500) if not steps else "",
        "unknown": False,
        "stopped": code == checkouts.STOPPED,
    }


# ---------------------------------------------------------------- the translation


def as_workflow(text: str, files: dict[str, str] | None = None) -> str:
    """The workflow for act that does what the pipeline does on a merge request. NoPipeline, NotKnown."""
    pipeline = read(text, files)
    everything = jobs_of(pipeline)
    if "services" in pipeline or "services" in (pipeline.get("default") or {}):
        raise _not_known("`services` in the file")
    jobs = {n: j for n, j in everything.items() if _starts(j, pipeline)}
    for name, job in jobs.items():
        for key in job:
            if key not in KNOWN:
                raise _not_known(f"`{key}` in job `{name}`")
    stages = pipeline.get("stages") or ["build", "test", "deploy"]
    made = {_id(n): _job(n, j, pipeline, jobs, stages) for n, j in jobs.items()}
    if not made:
        return "on: workflow_dispatch\njobs: {none: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n"
    env = _known({**GIVEN, **_variables(pipeline.get("variables"))})
    whole = {"name": "pipeline", "on": "pull_request", "permissions": {"contents": "read"}, "env": env, "jobs": made}
    return yaml.safe_dump(whole, sort_keys=False, width=10_000)


def _id(name: str) -> str:
    return re.sub(r"\W", "-", name)


def _starts(job: dict, pipeline: dict) -> bool:
    """Whether a merge request starts the job: its rules, or `only`, or neither with a pipeline that admits merge requests."""
    admitted = (pipeline.get("workflow") or {}).get("rules")
    if admitted is not None and _rule(admitted) is None:
        return False
    if "rules" in job:
        return _rule(job["rules"]) is not None
    if "except" in job:
        raise _not_known("`except`")
    if job.get("when") in ("manual", "never"):
        return False
    only = job.get("only") or []
    refs = only.get("refs") or [] if isinstance(only, dict) else [only] if isinstance(only, str) else only
    return "merge_requests" in refs or (admitted is not None and not only)


def _rule(rules: Any) -> dict[str, Any] | None:
    """The rule that lets a merge request in; None where none does."""
    for rule in rules if isinstance(rules, list) else []:
        if not isinstance(rule, dict):
            continue
        for key in ("changes", "exists"):
            if key in rule:
                raise _not_known(f"`rules: {key}`")
        if _true(str(rule.get("if", "true"))):
            return None if rule.get("when", "on_success") in ("never", "manual") else rule
    return None


def _true(condition: str) -> bool:
    """A condition on GitLab's given variables: comparisons joined by && and ||; an unknown variable is empty."""

    def one(part: str) -> bool:
        found = re.fullmatch(r"""\s*\$\{?(\w+)\}?\s*(?:(==|!=)\s*(?:(["'])(.*?)\3|(null)))?\s*""", part)
        if not found:
            if part.strip() in ("true", "false"):
                return part.strip() == "true"
            raise _not_known(f"The condition `{part.strip()}`")
        value = GIVEN.get(found[1], "")
        if not found[2]:
            return bool(value)
        return (value == (found[4] or "")) == (found[2] == "==")

    return any(all(one(part) for part in some.split("&&")) for some in condition.split("||"))


def _variables(found: Any) -> dict[str, str]:
    return {k: str(v.get("value", "") if isinstance(v, dict) else v) for k, v in (found or {}).items()}


def _known(variables: dict[str, str]) -> dict[str, str]:
    """Variables whose values may speak of those GitLab gives, or of each other."""
    for _ in range(3):
        known = {**variables, **GIVEN}
        variables = {k: _filled(v, known) for k, v in variables.items()}
    return variables


def _filled(value: str, known: dict[str, str]) -> str:
    return re.sub(r"(?<!\$)\$\{?(\w+)\}?", lambda m: known.get(m[1], m[0]), value)


def _lines(script: Any) -> list[str]:
    if isinstance(script, str):
        return [script]
    return [line for part in script or [] for line in (_lines(part) if isinstance(part, list) else [str(part)])]


def _script(job: dict, pipeline: dict) -> list[str]:
    default = pipeline.get("default") or {}
    before = _lines(job.get("before_script", default.get("before_script", pipeline.get("before_script"))))
    return [*before, *_lines(job.get("script"))]


def _job(name: str, job: dict, pipeline: dict, jobs: dict, stages: list) -> dict[str, Any]:
    stage = job.get("stage", "test")
    if stage not in (*stages, ".pre", ".post"):
        raise NoPipeline(f"Job `{name}`: there is no stage `{stage}` (there are: {', '.join(map(str, stages))}).")
    order = [".pre", *stages, ".post"]
    earlier = [n for n, j in jobs.items() if order.index(j.get("stage", "test")) < order.index(stage)]
    needs = [n if isinstance(n, str) else n.get("job", "") for n in job["needs"]] if "needs" in job else earlier
    default = pipeline.get("default") or {}
    run: dict[str, Any] = {"name": name, "shell": "bash", "run": "set -eo pipefail\n" + "\n".join(_script(job, pipeline))}
    if _may_fail(name, job):
        run["continue-on-error"] = True
    steps: list[dict[str, Any]] = [{"uses": CHECKOUT}, run]
    after = _lines(job.get("after_script", default.get("after_script", pipeline.get("after_script"))))
    if after:
        steps.append({"name": f"{name}, afterwards", "if": "always()", "continue-on-error": True, "run": "\n".join(after)})
    kept = job.get("artifacts", default.get("artifacts")) or {}
    variants = _variants(name, job)
    if kept.get("paths"):
        when = {"always": "always()", "on_failure": "failure()"}.get(kept.get("when", "on_success"), "success()")
        artefact = _id(name) + ("-${{ strategy.job-index }}" if variants else "")
        steps.append(
            {
                "name": f"{name}, artifacts",
                "if": when,
                "uses": UPLOAD,
                "with": {"name": artefact, "path": "\n".join(kept["paths"])},
            }
        )
    variables = _variables(job.get("variables"))
    made: dict[str, Any] = {"runs-on": "ubuntu-latest"}
    if variants:
        made["strategy"] = {"fail-fast": False, "matrix": {"include": variants}}
        variables |= {key: f"${{{{ matrix.{key} }}}}" for key in sorted({k for one in variants for k in one})}
    made |= {"env": _known(variables), "steps": steps}
    condition = {"always": "always()", "on_failure": "failure()"}.get(str(job.get("when", "")))
    if condition:
        made["if"] = condition
    if [n for n in needs if n in jobs]:
        made["needs"] = [_id(n) for n in needs if n in jobs]
    return made


def _may_fail(name: str, job: dict) -> bool:
    """Whether the pipeline passes with this job failed: by its own word, or by that of the rule that starts it."""
    allowed = (_rule(job.get("rules")) or {}).get("allow_failure", job.get("allow_failure", False))
    if isinstance(allowed, dict):
        raise _not_known(f"`allow_failure: {allowed}` in job `{name}`")
    return bool(allowed)


def _variants(name: str, job: dict) -> list[dict[str, str]]:
    """The variables of each copy of a job with `parallel`; [] for a job without."""
    parallel = job.get("parallel")
    if parallel is None:
        return []
    if isinstance(parallel, int) and 0 < parallel <= 200:
        return [{"CI_NODE_INDEX": str(n + 1), "CI_NODE_TOTAL": str(parallel)} for n in range(parallel)]
    matrix = parallel.get("matrix") if isinstance(parallel, dict) else None
    if not isinstance(matrix, list) or not all(isinstance(part, dict) for part in matrix):
        raise NoPipeline(
            f"Job `{name}`: `parallel` is a number, or a `matrix` that is a list of variables with their values."
        )
    made = []
    for part in matrix:
        lists = [[str(v) for v in value] if isinstance(value, list) else [str(value)] for value in part.values()]
        made += [dict(zip(map(str, part), values, strict=True)) for values in itertools.product(*lists)]
    if len(made) > 200:
        raise NoPipeline(f"Job `{name}`: a matrix may make 200 jobs; this one makes {len(made)}.")
    return made
