"""How a pipeline is judged as a gate: the colours that prepared pull requests came out in, and what masked a bad one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import yaml

from dojo.ci import masks, workflow
from dojo.ci.act import texts_of
from dojo.ci.excerpts import excerpt
from dojo.ci.pull_requests import Tried, deciding_step, table
from dojo.judge.contract import NotYet

TOOLS = {
    "secret": (r"detect-secrets(-hook)?|gitleaks|trufflehog|pre-commit", "looks for secrets"),
    "style": (r"sqlfluff\s+(lint|fix)|pre-commit", "lints the SQL"),
    "format": (r"ruff\s+format|\bblack\b|pre-commit", "checks the formatting of the Python files"),
    "python": (r"pytest|unittest", "runs the loader's tests"),
    "docs": (r"check_docs|dbt-coverage|dbt-score", "checks the descriptions"),
}
DBT = (r"\bdbt\s+(--?[\w-]+\s+\S+\s+)*(build|test)\b", "runs dbt's tests")
MODELS = (r"\bdbt\s+(--?[\w-]+\s+\S+\s+)*(build|run)\b", "builds the models")
SEEN_BY_BUILDING = ("sql", "contract", "deleted")


@dataclass(frozen=True)
class Place:
    """Commands that a pipeline runs, and where they stand.

    name: the step's, or the file's; code: the commands; where: the file, "" for the pipeline itself; condition: what it is
    run under; pipefail, errexit: how its shell is started; make: a Makefile; returned: Jenkins hands the status on.
    """

    name: str
    code: str
    where: str = ""
    condition: str = ""
    pipefail: bool = False
    errexit: bool = True
    make: bool = False
    returned: bool = False


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as it is read for masks: its system, its own text, and the commands in it and in the files beside it."""

    system: str
    text: str
    places: tuple[Place, ...]


def of_github(files: dict[str, str], path: str) -> Pipeline:
    """A workflow with the local workflows, actions and scripts that it may run."""
    texts = texts_of(files, path)
    places = [place for name, text in texts.items() for place in _steps_of(text, "" if name == path else name)]
    return Pipeline(masks.GITHUB, files[path], (*places, *scripts(files, set(texts))))


def scripts(files: dict[str, str], known: set[str]) -> Iterator[Place]:
    """The scripts, Makefiles and hook configurations among the learner's own files."""
    for name, text in sorted(files.items()):
        path = PurePosixPath(name)
        if name in known or name.startswith(".github/workflows/"):
            continue
        if path.name in ("Makefile", "makefile", "GNUmakefile"):
            yield Place(path.name, text, name, make=True)
        elif path.suffix in (".sh", ".bash") or text.startswith("#!"):
            yield Place(path.name, text, name, errexit=re.match(r"#!.*\s-\w*e", text) is not None)
        elif path.suffix in (".yml", ".yaml", ".py", ".toml", ".cfg", ".ini") and not name.startswith("dbt/"):
            yield Place(path.name, text, name)


def _steps_of(text: str, where: str) -> Iterator[Place]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return
    found = found if isinstance(found, dict) else {}
    runs = found.get("runs")
    own = runs.get("steps") if isinstance(runs, dict) else None
    inside = [({}, step) for step in own if isinstance(step, dict)] if isinstance(own, list) else []
    for job, step in [*((j, s) for _, j, s in workflow.steps(found)), *inside]:
        code = _code(step)
        if code:
            shell = str(step.get("shell") or _default_shell(job) or _default_shell(found))
            condition = str(step.get("if", job.get("if", "")))
            yield Place(
                str(step.get("name", code.strip().split("\n")[0][:40])),
                code,
                where,
                condition,
                pipefail=shell == "bash" or "pipefail" in shell,
                errexit=shell in ("", "bash", "sh") or " -e" in shell,
            )


def _default_shell(part: dict) -> str:
    run = (part.get("defaults") or {}).get("run") if isinstance(part.get("defaults"), dict) else None
    return str(run.get("shell", "")) if isinstance(run, dict) else ""


def _code(step: dict) -> str:
    """What a step runs."""
    if "ruff-action" in str(step.get("uses", "")):
        return f"ruff {(step.get('with') or {}).get('args', 'check')}"
    return str(step.get("run", ""))


# ---------------------------------------------------------------- what the runs say


def lets_good_through(rows: list[Tried]) -> str:
    """Raises NotYet when a change that is fine does not come out green."""
    good = [r for r in rows if r.pull.colour == "green" and r.result is not None]
    for row in good:
        if not row.as_it_should:
            raise _good_is_red(row)
    return f"Green: {', '.join(r.pull.title for r in good)}."


def _good_is_red(row: Tried) -> NotYet:
    result = row.result
    if result["colour"] == "no run":
        said = result["said"] or "No job ran on the pull request."
        return NotYet(f"No check ran at all. {said}", tried=row.pull.title, expected="green", got="no run", cause="no-run")
    step = deciding_step(result)
    words = (step["said"] if step else result["said"]).strip()
    cause, why = _why_red(words, result)
    return NotYet(
        f"“{row.pull.title}” is fine and came out red at {result['decided'] or 'the start'}. {why}".strip(),
        tried=row.pull.title,
        expected="green",
        got=f"red; the step said:\n{excerpt(words)}",
        cause=cause,
    )


NO_SNAPSHOT = (
    "`dim_customer` reads the snapshot of the customers, and nothing made it: `dbt build` does, and `dbt snapshot` before "
    "`dbt run` does."
)


def snapshot_lacks(words: str) -> bool:
    """Whether dbt said that a model's snapshot is not there."""
    return re.search(r"schema \"snapshots\" does not exist|Table with name \"?(snapshots\.)?\w+_snapshot", words) is not None


def warehouse_lacks(words: str) -> bool:
    """Whether dbt said that the landed tables are not there."""
    return re.search(r"schema \"raw\" does not exist|Table with name \"?raw\.", words) is not None


def _why_red(words: str, result: dict[str, Any]) -> tuple[str, str]:
    if snapshot_lacks(words):
        return "no-snapshot", NO_SNAPSHOT
    if warehouse_lacks(words):
        return (
            "empty-warehouse",
            "dbt found no source tables: the sample must be loaded into the same warehouse file, in the same job, before dbt runs. Every step is a process of its own, and an in-memory database dies with it.",
        )
    if re.search(r"(KeyError: |Env var required but not provided: )'SHOPFLOW_WAREHOUSE'", words):
        return (
            "no-warehouse",
            "`SHOPFLOW_WAREHOUSE` must name the warehouse file for the loader and for dbt: set it in `env`.",
        )
    if not any("checkout" in s["name"].lower() for s in result["steps"]):
        return "no-checkout", "A runner starts with an empty folder: `actions/checkout` brings the repository."
    return "good-is-red", ""


def stops_bad(rows: list[Tried], pipeline: Pipeline) -> str:
    """Raises NotYet when a bad change comes out green, and names what masked it."""
    passed = [r for r in rows if r.pull.colour == "red" and r.result is not None and not r.as_it_should]
    if passed:
        named = [mask(pipeline, row, rows[0]) for row in passed]
        lines = [
            f"“{row.pull.title}” ({row.pull.kind}) came out {row.result['colour']}: {said}"
            for row, (_, said) in zip(passed, named, strict=True)
        ]
        ran = sum(r.result is not None for r in rows)
        raise NotYet("\n".join(lines), tried=f"{ran} pull requests", expected="red", got=table(rows), cause=named[0][0])
    bad = [r for r in rows if r.pull.colour == "red"]
    return f"{len(bad)} of {len(bad)} bad changes stopped.\n{table(rows)}"


def mask(pipeline: Pipeline, row: Tried, good: Tried) -> tuple[str, str]:
    """(cause, sentence): why a bad change came out green under this pipeline."""
    pattern, does = TOOLS.get(row.pull.kind, MODELS if row.pull.kind in SEEN_BY_BUILDING else DBT)
    tolerated = _tolerated(pipeline, row, good)
    if tolerated:
        return tolerated
    mine = [place for place in pipeline.places if any(re.search(pattern, line) for line in masks.lines_of(place.code))]
    if not mine:
        return _missing(pipeline, pattern, does, row)
    for place in mine:
        found = _masked(place, pattern, row)
        if found:
            return found
    name = mine[0].name
    return "stays-green", f"“{name}” ran and did not fail. Does it look at the file that was changed?"


def _tolerated(pipeline: Pipeline, row: Tried, good: Tried) -> tuple[str, str] | None:
    """A step that failed on this change alone, in a run that is green all the same."""
    before = {(s["job"], s["name"]) for s in (good.result or {"steps": []})["steps"] if s["result"] == "failure"}
    for step in row.result["steps"]:
        if step["result"] == "failure" and (step["job"], step["name"]) not in before:
            found = masks.in_system(pipeline.text, pipeline.system)
            cause = found.mask.cause if found else "continue-on-error"
            why = f"{found.mask.does} (`{found.line.strip()[:110]}`)" if found else "a failure is tolerated there"
            return cause, f"“{step['name']}” failed, and the run is green: {why}."
    return None


def _missing(pipeline: Pipeline, pattern: str, does: str, row: Tried) -> tuple[str, str]:
    comments = "\n".join(x for x in pipeline.text.split("\n") if x.lstrip().startswith(("#", "//")))
    if re.search(pattern, comments):
        return "commented-out", f"what {does} is commented out. A comment checks nothing."
    if row.pull.kind in ("data test", "unit test") and any(re.search(MODELS[0], p.code) for p in pipeline.places):
        return "never-tested", "models are built and no test is run. `dbt build` does both; `dbt run` tests nothing."
    return "missing", f"nothing in it {does}."


def _masked(place: Place, pattern: str, row: Tried) -> tuple[str, str] | None:
    name, code = place.name, place.code
    ran = next((s for s in row.result["steps"] if s["name"] == name), None)
    if place.condition and (ran is None or ran["result"] == "skipped"):
        return "never-runs", f"“{name}” was skipped: `if: {place.condition}` is not true on a pull request."
    if place.returned:
        return "returned", f"“{name}”: `returnStatus: true` hands the exit status to a caller who does not look at it."
    found = masks.in_script(
        code, pattern, where=place.where, pipefail=place.pipefail, errexit=place.errexit, make=place.make
    )
    if found:
        return found.mask.cause, f"“{name}” ran, and {found.said}"
    if row.pull.kind == "format" and not re.search(r"--check|--diff|pre-commit", code):
        return "reformats", f"“{name}” formats the runner's copy instead of checking yours: add `--check`."
    return _masked_dbt(name, row) if re.search(r"\bdbt\b", code) else None


def _command(arguments: list[str]) -> str:
    """dbt's command among its arguments: the first that is one."""
    return next((a for a in arguments if a in ("build", "test", "run", "compile", "snapshot", "seed")), "")


def _masked_dbt(name: str, row: Tried) -> tuple[str, str] | None:
    ran = row.result["commands"]
    commands = [c for c in ran if c["arguments"][:1] and set(c["arguments"]) & {"build", "test"}]
    if any("--empty" in c["arguments"] for c in ran):
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
    if row.pull.kind == "data test" and not any("assert_" in n[0] or "accepted_values" in n[0] for n in tests):
        return "selects-too-little", f"“{name}” ran {len(tests)} tests, and not the one that would have failed."
    return None


def keeps_artefacts(rows: list[Tried], *, how: str) -> str:
    """Raises NotYet when a run that dbt made red left nothing to read. `how`: what the system wants for that."""
    red = [
        r
        for r in rows
        if r.result is not None
        and r.result["colour"] == "red"
        and any(c["exit"] and c["nodes"] for c in r.result["commands"])
    ]
    for row in red:
        kept = {a.rsplit("/", 1)[-1] for a in row.result["artefacts"]}
        missing = {"run_results.json", "manifest.json"} - kept
        if missing:
            green = any(r.result and r.result["colour"] == "green" and r.result["artefacts"] for r in rows)
            raise NotYet(
                f"“{row.pull.title}” failed in dbt, and {' and '.join(sorted(missing))} went with the runner. {how}",
                tried=row.pull.title,
                expected="manifest.json and run_results.json kept",
                got=sorted(kept) or "nothing kept",
                cause="lost-when-red" if green else "no-artefacts",
            )
    return "Red or green, manifest.json and run_results.json can be read afterwards."
