"""How a workflow is tried as a gate: the prepared pull requests, the colours they came out in, and what masked a bad one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from dojo.judge.contract import NotYet
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest, request

_TRIED: WeakKeyDictionary = WeakKeyDictionary()

TOOLS = {
    "secret": (r"detect-secrets(-hook)?|gitleaks|trufflehog|pre-commit", "looks for secrets"),
    "style": (r"sqlfluff\s+lint|sqlfluff\s+fix|pre-commit", "lints the SQL"),
    "format": (r"ruff\s+format|\bblack\b|pre-commit", "checks the formatting of the Python files"),
    "python": (r"pytest|unittest", "runs the loader's tests"),
    "docs": (r"check_docs|dbt-coverage|dbt-score", "checks the descriptions"),
}
DBT = (r"\bdbt\s+(--?[\w-]+\s+\S+\s+)*(build|test)\b", "runs dbt's tests")
MODELS = (r"\bdbt\s+(--?[\w-]+\s+\S+\s+)*(build|run)\b", "builds the models")


@dataclass(frozen=True)
class Tried:
    """A pull request and what the runner said of it; None when it was not run."""

    pull: PullRequest
    result: dict[str, Any] | None

    @property
    def as_it_should(self) -> bool:
        """Whether the colour is the one a gate must show."""
        return self.result is not None and self.result["colour"] == self.pull.colour


def tried(work: Work, path: str, pulls: tuple[PullRequest, ...]) -> list[Tried]:
    """The workflow on some pull requests, each once for one piece of work.

    The good change goes first: where it does not get through, nothing is learnt from the others. A graded workflow is
    also done with at its first surprise; a learner sees them all.
    """
    known = _TRIED.setdefault(work, {})
    if (path, pulls) not in known:
        known[path, pulls] = _try(work, work.file(path), pulls)
    return known[path, pulls]


def _try(work: Work, text: str, pulls: tuple[PullRequest, ...]) -> list[Tried]:
    graded = work.isolated is not None
    if graded and (problems(text) or parse_yaml(text, "the workflow") is None):
        return [Tried(p, None) for p in pulls]
    done: list[Tried] = []
    while len(done) < len(pulls):
        batch = pulls[len(done) :] if done and not graded else pulls[len(done) : len(done) + 2]
        results = work.tool("act", {**request(text, batch), "before": len(done), "of": len(pulls)})
        done += [Tried(p, r) for p, r in zip(batch, results, strict=True)]
        if not done[0].as_it_should or (graded and not all(t.as_it_should for t in done)):
            break
    return done + [Tried(p, None) for p in pulls[len(done) :]]


def table(rows: list[Tried]) -> str:
    """A line a pull request: colour, title, the step that decided."""
    lines = []
    for row in rows:
        if row.result is None:
            lines.append(f"not run · {row.pull.title}")
            continue
        step = row.result["decided"].split(" / ")[-1]
        sign = "✓" if row.as_it_should else "✗"
        lines.append(f"{sign} {row.result['colour']}{f' at {step}' if step else ''} · {row.pull.title} ({row.pull.kind})")
    return "\n".join(lines)


# ---------------------------------------------------------------- what the text alone says


def triggers(workflow: dict) -> dict[str, Any]:
    """The events that start the workflow, each with its filter. YAML reads the bare key `on` as true."""
    on = workflow.get("on", workflow.get(True))
    if isinstance(on, str):
        return {on: None}
    if isinstance(on, list):
        return dict.fromkeys(on)
    return on if isinstance(on, dict) else {}


def jobs(workflow: dict) -> dict[str, dict]:
    """The jobs by name; what is not a job is left out."""
    found = workflow.get("jobs")
    return {n: j for n, j in found.items() if isinstance(j, dict)} if isinstance(found, dict) else {}


def steps(workflow: dict) -> Iterator[tuple[str, dict, dict]]:
    """(job name, job, step) of every step."""
    for name, job in jobs(workflow).items():
        for step in job.get("steps") or []:
            if isinstance(step, dict):
                yield name, job, step


def write_scopes(permissions: Any) -> list[str]:
    """What a permissions block lets the token write."""
    if isinstance(permissions, str):
        return ["everything"] if permissions == "write-all" else []
    return [k for k, v in permissions.items() if v == "write"] if isinstance(permissions, dict) else []


def problems(text: str) -> list[tuple[str, str]]:
    """(cause, sentence) for what is wrong with the frame of a gate: trigger, token, time limit."""
    workflow = parse_yaml(text, "the workflow")
    if not isinstance(workflow, dict) or not jobs(workflow):
        return [("no-jobs", "The file holds no `jobs`.")]
    found, on = [], triggers(workflow)
    if "pull_request" not in on:
        other = "`pull_request_target` runs with the base repository's secrets; a gate is started by `pull_request`." if "pull_request_target" in on else f"It starts on {', '.join(map(str, on)) or 'nothing'}: after the merge, a red run is an obituary."  # fmt: skip
        found.append(("trigger", f"No pull request starts this workflow. {other}"))
    elif isinstance(on["pull_request"], dict) and {"paths", "paths-ignore"} & set(on["pull_request"]):
        found.append(("path-filter", "A path filter lets pull requests pass unseen: a change outside it gets no run, and no run is not a red one."))  # fmt: skip
    tokens = (
        [workflow.get("permissions")]
        if "permissions" in workflow
        else [j.get("permissions") for j in jobs(workflow).values()]
    )
    if any(t is None for t in tokens):
        found.append(("default-token", "No `permissions`: the token then holds whatever the organisation's default is, often write to everything. A gate reads: `contents: read`."))  # fmt: skip
    scopes = [
        s
        for t in [workflow.get("permissions"), *(j.get("permissions") for j in jobs(workflow).values())]
        for s in write_scopes(t)
    ]
    if scopes:
        found.append(("write-token", f"The token may write ({', '.join(scopes)}). The code of a stranger's pull request runs beside it; a gate reads."))  # fmt: skip
    for name, job in jobs(workflow).items():
        own = job.get("permissions", workflow.get("permissions"))
        if isinstance(own, dict) and own.get("contents") not in ("read", "write"):
            found.append(
                (
                    "no-read",
                    f"The token of job `{name}` may not read the repository, which its checkout needs: `contents: read`.",
                )
            )
    unlimited = [n for n, j in jobs(workflow).items() if "timeout-minutes" not in j]
    if unlimited:
        found.append(
            ("no-timeout", f"Job `{unlimited[0]}` has no `timeout-minutes`: a hanging step holds the queue for six hours.")
        )
    return found


def framed(work: Work, path: str) -> str:
    """Raises NotYet for the first thing wrong with the frame."""
    found = problems(work.file(path))
    if found:
        raise NotYet("\n".join(s for _, s in found), tried="the workflow as a text", cause=found[0][0])
    return "Started by pull requests, with a token that reads and a time limit."


# ---------------------------------------------------------------- what the runs say


def lets_good_through(rows: list[Tried], text: str) -> str:
    """Raises NotYet when a change that is fine does not come out green."""
    _demand_runs(rows)
    for row in rows:
        if row.pull.colour == "green" and row.result is not None and not row.as_it_should:
            raise _good_is_red(row)
    if any(r.result is None and r.pull.colour == "green" for r in rows):
        raise NotYet("Not run to the end: see what came out wrong first.", cause="not-run")
    return f"Green: {', '.join(r.pull.title for r in rows if r.pull.colour == 'green')}."


def _demand_runs(rows: list[Tried]) -> None:
    if all(r.result is None for r in rows):
        raise NotYet("Not executed yet: mend what the first check says, then the pull requests are tried.", cause="not-run")


def _good_is_red(row: Tried) -> NotYet:
    result = row.result
    if result["colour"] == "no run":
        said = result["said"] or "No job ran on the pull request."
        return NotYet(f"No check ran at all. {said}", tried=row.pull.title, expected="green", got="no run", cause="no-run")
    step = next((s for s in result["steps"] if f"{s['job']} / {s['name']}" == result["decided"]), None)
    words = (step["said"] if step else result["said"]).strip()
    cause, why = "good-is-red", "A gate that stops good work is switched off within a week."
    if ("does not exist" in words and "raw" in words) or "Catalog Error" in words:
        cause, why = "empty-warehouse", "dbt found no source tables: the sample must be loaded into the same warehouse file, in the same job, before dbt runs. Every step is a process of its own, and an in-memory database dies with it."  # fmt: skip
    elif "SHOPFLOW_WAREHOUSE" in words:
        cause, why = (
            "empty-warehouse",
            "`SHOPFLOW_WAREHOUSE` must name the warehouse file for the loader and for dbt: set it in `env`.",
        )
    elif not any("checkout" in s["name"] or "heckout" in s["name"] for s in result["steps"]):
        cause, why = "no-checkout", "A runner starts with an empty folder: `actions/checkout` brings the repository."
    tail = "\n".join(line for line in words.splitlines() if line.strip())[-600:]
    return NotYet(
        f"“{row.pull.title}” is fine and came out red at {result['decided'] or 'the start'}. {why}",
        tried=row.pull.title, expected="green", got=f"red; the step's last words:\n{tail}", cause=cause,
    )  # fmt: skip


def stops_bad(rows: list[Tried], text: str) -> str:
    """Raises NotYet when a bad change comes out green, and names what masked it."""
    _demand_runs(rows)
    if not rows[0].as_it_should:
        raise NotYet("The good change does not get through, so a red one proves nothing yet.", cause="not-run")
    passed = [r for r in rows if r.pull.colour == "red" and r.result is not None and not r.as_it_should]
    if passed:
        named = [mask(text, row) for row in passed]
        lines = [f"“{row.pull.title}” ({row.pull.kind}) came out {row.result['colour']}: {said}" for row, (_, said) in zip(passed, named, strict=True)]  # fmt: skip
        raise NotYet(
            "\n".join(lines), tried=f"{sum(r.result is not None for r in rows)} pull requests", expected="red",
            got=table(rows), cause=named[0][0],
        )  # fmt: skip
    if any(r.result is None for r in rows):
        raise NotYet("Not run to the end: see what came out wrong first.", cause="not-run")
    bad = [r for r in rows if r.pull.colour == "red"]
    return f"{len(bad)} of {len(bad)} bad changes stopped.\n{table(rows)}"


def mask(text: str, row: Tried) -> tuple[str, str]:
    """(cause, sentence): why a bad change came out green under this workflow."""
    pattern, does = TOOLS.get(row.pull.kind, MODELS if row.pull.kind in ("sql", "contract", "deleted") else DBT)
    workflow = parse_yaml(text, "the workflow")
    mine = [(j, s) for _, j, s in steps(workflow) if re.search(pattern, _code(s))]
    if not mine:
        if re.search(pattern, "\n".join(line for line in text.splitlines() if line.lstrip().startswith("#"))):
            return "commented-out", f"the step that {does} is commented out. A comment checks nothing."
        if row.pull.kind in ("data test", "unit test") and re.search(MODELS[0], text):
            return "never-tested", "models are built and no test is run. `dbt build` does both; `dbt run` tests nothing."
        return "missing", f"no step {does}."
    for job, step in mine:
        found = _masked(job, step, row)
        if found:
            return found
    return (
        "stays-green",
        f"the step “{mine[0][1].get('name', _code(mine[0][1])[:40])}” ran and did not fail. Does it look at the file that was changed?",
    )


def _code(step: dict) -> str:
    """What a step runs, without shell comments."""
    lines = str(step.get("run", "")).splitlines()
    action = "ruff format" if "ruff-action" in str(step.get("uses", "")) and "format" in str(step.get("with", "")) else ""
    return "\n".join(line for line in lines if not line.lstrip().startswith("#")) or action


def _masked(job: dict, step: dict, row: Tried) -> tuple[str, str] | None:
    name, code = step.get("name", _code(step).splitlines()[0][:40] if _code(step) else "?"), _code(step)
    ran = next((s for s in row.result["steps"] if s["name"] == name), None)
    if step.get("continue-on-error") or job.get("continue-on-error"):
        return "continue-on-error", f"“{name}” failed, and `continue-on-error` paints it green."
    if str(step.get("if", job.get("if", ""))).strip("${} ") in ("false", "False") or (
        "if" in step and (ran is None or ran["result"] == "skipped")
    ):
        return "never-runs", f"“{name}” was skipped: `if: {step.get('if', job.get('if'))}` is not true on a pull request."
    if re.search(r"\|\|\s*(true|:|echo|exit 0)|;\s*(true|exit 0)\s*$|set \+e", code, re.M):
        return "or-true", f"“{name}” throws its exit status away (`{_shortest(code)}`)."
    if "--exit-zero" in code or "--nofail" in code:
        return "exit-zero", f"“{name}” is told to find things and say 0: `--exit-zero`."
    if row.pull.kind == "format" and not re.search(r"--check|--diff", code):
        return "reformats", f"“{name}” formats the runner's copy instead of checking yours: add `--check`."
    if "--collect-only" in code:
        return "collect-only", f"“{name}” collects the tests and runs none of them."
    return _masked_dbt(name, code, row) if "dbt" in code else None


def _shortest(code: str) -> str:
    return next((line.strip()[-60:] for line in code.splitlines() if re.search(r"\|\||;|set \+e", line)), "")


def _command(arguments: list[str]) -> str:
    """dbt's command among its arguments: the first that is one."""
    return next((a for a in arguments if a in ("build", "test", "run", "compile", "snapshot", "seed")), "")


def _masked_dbt(name: str, code: str, row: Tried) -> tuple[str, str] | None:
    commands = [c for c in row.result["commands"] if c["arguments"][:1] and set(c["arguments"]) & {"build", "test"}]
    if any("--empty" in c["arguments"] for c in row.result["commands"]):
        return "empty-build", "the tables were built with `--empty`: tests on no rows find nothing."
    tests = [n for c in commands for n in c["nodes"] or [] if n[0].startswith(("test.", "unit_test."))]
    if not tests and not any(_command(c["arguments"]) == "test" for c in commands):
        return "never-tested", f"“{name}” builds the models and runs no test."
    if not tests:
        return "selects-nothing", f"“{name}” selected no test at all; dbt says so in a warning and exits 0."
    if row.pull.kind == "unit test" and not any(n[0].startswith("unit_test.") for n in tests):
        return (
            "no-unit-tests",
            f"“{name}” ran {len(tests)} data tests and no unit test. The sample does not hold the case that the unit test describes.",
        )
    if any(n[1] == "warn" for n in tests):
        return "warns-only", f"“{name}” ended with a warning: a test of severity `warn` stops nobody."
    if row.pull.kind == "data test" and not any("assert_dashboard" in n[0] or "accepted_values" in n[0] for n in tests):
        return "selects-too-little", f"“{name}” ran {len(tests)} tests, and not the one that would have failed."
    return None


def keeps_artefacts(rows: list[Tried]) -> str:
    """Raises NotYet when a run that dbt made red left nothing to read."""
    _demand_runs(rows)
    red = [
        r
        for r in rows
        if r.result is not None
        and r.result["colour"] == "red"
        and any(c["exit"] and c["nodes"] for c in r.result["commands"])
    ]
    if not red:
        raise NotYet("No run came far enough for dbt to fail in it: nothing to keep yet.", cause="not-run")
    for row in red:
        kept = {a.rsplit("/", 1)[-1] for a in row.result["artefacts"]}
        missing = {"run_results.json", "manifest.json"} - kept
        if missing:
            green = next((r for r in rows if r.result and r.result["colour"] == "green" and r.result["artefacts"]), None)
            why = "The upload is skipped as soon as a step before it fails: give it `if: always()`." if green else "Upload dbt's target files with actions/upload-artifact, also when a step failed."  # fmt: skip
            raise NotYet(
                f"“{row.pull.title}” failed in dbt, and {' and '.join(sorted(missing))} went with the runner. {why}",
                tried=row.pull.title, expected="manifest.json and run_results.json kept", got=sorted(kept) or "nothing kept",
                cause="lost-when-red" if green else "no-artefacts",
            )  # fmt: skip
    return "Red or green, manifest.json and run_results.json can be read afterwards."
