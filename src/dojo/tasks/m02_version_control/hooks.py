"""Task 02.5: hooks that stop five kinds of accident before they are commits, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import parse_yaml
from dojo.tasks.m02_version_control import story

CONFIG = "repo/.pre-commit-config.yaml"
SCRIPT = "repo/ci/check_files.py"


@dataclass(frozen=True)
class Try:
    """A commit somebody makes: its message, its changes, whether it must be stopped, and what letting it (or not) would mean."""

    name: str
    changes: dict[str, Any]
    stopped: bool
    cause: str
    effect: str


@dataclass(frozen=True)
class Tries:
    """A repository and the commits that are tried in it."""

    stream: str
    all: tuple[Try, ...]


def _notebook(output: bool, counted: bool) -> str:
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["ada@customer.example  3 orders\n"]}] if output else []
    cell = {"cell_type": "code", "id": "a1", "metadata": {}, "source": ["shop.sql('...')"], "outputs": outputs, "execution_count": 3 if counted else None}  # fmt: skip
    prose = {"cell_type": "markdown", "id": "b1", "metadata": {}, "source": ["# Returns"]}
    return json.dumps({"cells": [prose, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


GOOD_MODEL = """\
select
    store_key,
    count(*) as order_lines
from {{ ref('fact_sales') }}
group by store_key
"""


def _tries(seed: int) -> tuple[Try, ...]:
    secret = ("ingestion/upload.py", 'PASSWORD = "' + "kR7-vTq2" + '-nordsee"\n') if seed % 4 == 3 else ("config/export.yml", "aws_key: " + "AKIA" + "Z3MSJV5QRW7KX2LP" + "\n")  # fmt: skip
    stops = (
        Try("Upload for the partner", {secret[0]: secret[1]}, True, "lets-secret", "A credential is in the history, and stays there after the next commit deletes it."),
        Try("Lines a store", {"dbt/models/marts/lines_by_store.sql": GOOD_MODEL.replace("count(*)", "count(*")}, True, "lets-broken-model", "The model has a bracket too few, and tomorrow's run stops at it."),
        Try("Merge on-call notes", {"docs/on-call.md": "# On call\n\n<<<<<<< HEAD\nMara\n=======\nSami\n>>>>>>> sami/rota\n"}, True, "lets-conflict", "Two versions of a page, with Git's marks between them, are the page now."),
    )  # fmt: skip
    more = (
        Try("Who returned what", {"notebooks/returns.ipynb": _notebook(True, True)}, True, "lets-outputs", "A customer's address stands in the output of a cell, in every clone."),
        Try("Sample for the tests", {"tests/sample.csv": {"repeat": "1042" + " " * 995 + "\n", "times": 5_200}}, True, "lets-large-file", "Five megabytes, in every clone, for ever."),
        Try("Export's account", {"config/export.yml": 'password: "' + "Priel-Watt-" + '8814"\n'}, True, "lets-secret", "A credential is in the history, and stays there after the next commit deletes it."),
    )  # fmt: skip
    fixture = 'KEY = "' + "AKIA" + 'FAKEFAKEFAKE1234"  # pragma: allowlist secret\n'
    goods = (
        Try("Lines a store", {"dbt/models/marts/lines_by_store.sql": GOOD_MODEL}, False, "stops-good-model", "A sound model with ref() in it."),
        Try("A page with an underlined heading", {"docs/late-run.md": "When it is late\n=======\n\nAsk Mara.\n"}, False, "stops-documentation", "Seven equals signs under a heading are Markdown."),
        Try("Fixture with a made-up key", {"tests/test_upload.py": fixture}, False, "stops-fixture", "The key is made up, and marked as such in its line."),
    )  # fmt: skip
    calm = (
        Try("Returns, to be run", {"notebooks/returns.ipynb": _notebook(False, False)}, False, "stops-clean-notebook", "A notebook without outputs is code."),
        Try("Small sample", {"tests/my sample.csv": {"repeat": "1042,2025-11-03,19.90\n", "times": 2_000}, "docs/closing.md": None}, False, "stops-small-file", "44 kB, a name with a space, and a deleted page."),
        Try("Fixture with a made-up key", {"tests/test_upload.py": fixture}, False, "stops-fixture", "The key is made up, and marked as such in its line."),
    )  # fmt: skip
    return (*stops, *goods) if seed % 4 == 3 else (*more, *calm)


@cache
def tries(seed: int) -> Tries:
    """Six commits for each seed: three accidents and three that are in order."""
    return Tries(story.workspace().stream(), _tries(seed))


_LATEST: dict[tuple, dict[str, Any]] = {}


def _tried(work: Work, data: Tries) -> dict[str, Any]:
    config, script = work.file(CONFIG), work.file(SCRIPT)
    content = parse_yaml(config, ".pre-commit-config.yaml")
    repos = content.get("repos") if isinstance(content, dict) else None
    for repo in repos if isinstance(repos, list) else []:
        if isinstance(repo, dict) and str(repo.get("repo")) not in ("local", "meta"):
            raise NotYet(
                f"`{repo.get('repo')}` must be downloaded first, and there is no network here. On a new laptop in a train it is the same.",
                expected="repo: local, with programs that are installed", got=repo.get("repo"), cause="needs-network",
            )  # fmt: skip
    key = (config, script, id(data))
    if key not in _LATEST:
        while len(_LATEST) > 3:
            _LATEST.pop(next(iter(_LATEST)))
        files = {CONFIG.removeprefix("repo/"): config, SCRIPT.removeprefix("repo/"): script}
        commits = [{"name": t.name, "changes": t.changes} for t in data.all]
        _LATEST[key] = work.tool("git", {"op": "hooks", "stream": data.stream, "files": files, "commits": commits})
    result = _LATEST[key]
    if result["problem"]:
        raise NotYet("pre-commit cannot use the configuration.", tried="pre-commit validate-config", expected="repos, each with hooks: id, name, entry, language", got=result["problem"][-500:], cause="config")  # fmt: skip
    return result


def stops_accidents(work: Work, data: Tries) -> str:
    for one, result in zip(data.all, _tried(work, data)["commits"], strict=True):
        if one.stopped and result["made"]:
            raise NotYet(
                f"The commit “{one.name}” was made. {one.effect}",
                tried=f"git commit of {', '.join(one.changes)}", expected="stopped by a hook", got=result["said"][-500:] or "no hook said a word", cause=one.cause,
                look="“(no files to check) Skipped” means that the hook was never asked: look at its files, types and stages.",
            )  # fmt: skip
    stopped = sum(t.stopped for t in data.all)
    return f"{stopped} of {stopped} accidents stopped in the first repository."


def lets_good_work_pass(work: Work, data: Tries) -> str:
    made = _tried(work, data)["commits"]
    if not any(one.stopped and not result["made"] for one, result in zip(data.all, made, strict=True)):
        raise NotYet("Your hooks stop nothing, so good work passes by itself.", tried=f"{len(made)} commits", expected="some of them stopped", got="none", cause="no-hooks")  # fmt: skip
    for one, result in zip(data.all, made, strict=True):
        if not one.stopped and not result["made"]:
            raise NotYet(
                f"The commit “{one.name}” was stopped. {one.effect}",
                tried=f"git commit of {', '.join(one.changes)}", expected="committed", got=result["said"][-600:], cause=one.cause,
                look="A hook that stops good work is passed over with --no-verify, and the next accident with it.",
            )  # fmt: skip
    passed = sum(not t.stopped for t in data.all)
    return f"{passed} of {passed} good commits made."


_CONFIG = """\
repos:
  - repo: local
    hooks:
      - id: secrets
        name: no secrets
        entry: detect-secrets-hook
        language: system
      - id: models
        name: models can be read
        entry: sqlfluff parse
        language: system
        files: ^dbt/(models|tests)/.*\\.sql$
      - id: conflicts
        name: no conflict markers
        entry: ^(<<<<<<<|>>>>>>>)
        language: pygrep
        types: [text]
      - id: files
        name: no large files, no outputs in notebooks
        entry: python ci/check_files.py
        language: system
"""
_SCRIPT = """\
import json
import sys
from pathlib import Path

LIMIT = 1_000_000

problems = []
for name in sys.argv[1:]:
    path = Path(name)
    if path.stat().st_size > LIMIT:
        problems.append(f"{name}: {path.stat().st_size:,} bytes; data belongs in the warehouse")
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        if any(cell.get("outputs") for cell in cells):
            problems.append(f"{name}: a cell has outputs; clear them before you commit")
print("\\n".join(problems))
sys.exit(len(problems) > 0)
"""


def _config(old: str, new: str) -> dict[str, str]:
    if old not in _CONFIG:
        raise ValueError(f"{old!r} is not in the reference")
    return {CONFIG: _CONFIG.replace(old, new)}


def _script(old: str, new: str) -> dict[str, str]:
    if old not in _SCRIPT:
        raise ValueError(f"{old!r} is not in the reference")
    return {SCRIPT: _SCRIPT.replace(old, new)}


_SHELL = """\
default_stages: [pre-commit]
repos:
  - repo: local
    hooks:
      - {id: size, name: size, language: system, entry: "bash -c 'test -z \\"$(find \\"$@\\" -size +1024k)\\"' --"}
      - {id: outputs, name: outputs, language: pygrep, types: [jupyter], entry: '"output_type":'}
      - {id: marks, name: marks, language: pygrep, entry: '^(<{7} |>{7} )', types: [text]}
      - {id: sql, name: sql, language: system, types: [sql], entry: sqlfluff lint --ignore linting --processes 1}
      - {id: creds, name: creds, language: system, entry: detect-secrets-hook, exclude: \\.csv$}
"""
_ONE_PROGRAM = """\
import re
import subprocess
import sys

failed = False
for name in sys.argv[1:]:
    content = open(name, "rb").read()
    failed |= len(content) > 2_000_000
    failed |= re.search(rb"(?m)^(<<<<<<<|>>>>>>>) ", content) is not None
    failed |= name.endswith(".ipynb") and b'"output_type"' in content
    if name.endswith(".sql"):
        failed |= subprocess.run(["sqlfluff", "parse", name], capture_output=True).returncode != 0
    if len(content) < 2_000_000:
        failed |= subprocess.run(["detect-secrets-hook", name], capture_output=True).returncode != 0
sys.exit(1 if failed else 0)
"""

TASK_5 = Task(
    id="02.5",
    title="Hooks for the five accidents",
    minutes=15,
    points=3,
    deliver=(file(CONFIG), file(SCRIPT)),
    data=tries,
    checks=(
        Check("Accidents are stopped before they are commits", stops_accidents),
        Check("Good work passes", lets_good_work_pass),
    ),
    hints=(
        "A hook is a command that gets the names of the files about to be committed and stops the commit by an exit status other than 0. Write one for one accident, and try it.",
        "`detect-secrets-hook` for secrets, `sqlfluff parse` for models, a pattern with `language: pygrep` for conflict markers, and your own script for sizes and notebooks (a notebook is JSON: cells, outputs).",
        "Four hooks under `repo: local`, each with id, name, entry, language. `types: [text]` and `files: ^dbt/.*\\.sql$` say which files a hook gets. The script goes through sys.argv[1:] and ends with sys.exit(1) when something is wrong.",
    ),
    wrong=(
        wrong("hooks from the internet", {CONFIG: "repos:\n  - repo: https://github.com/pre-commit/pre-commit-hooks\n    rev: v5.0.0\n    hooks:\n      - id: check-merge-conflict\n"}, "needs-network"),
        wrong("looks for secrets in YAML only", _config("        language: system\n      - id: models", "        language: system\n        types: [yaml]\n      - id: models"), "lets-secret"),
        wrong("a check that cannot fail", _config("entry: sqlfluff parse", "entry: bash -c 'sqlfluff parse \"$@\" || true' --"), "lets-broken-model"),
        wrong("looks for the line of equals signs", _config("^(<<<<<<<|>>>>>>>)", "^=======$"), "stops-documentation"),
        wrong("only when somebody calls it", _config("entry: python ci/check_files.py", "entry: python ci/check_files.py\n        stages: [manual]"), "lets-outputs"),
        wrong("the script says it and exits with 0", _script("sys.exit(len(problems) > 0)\n", ""), "lets-outputs"),
        wrong("a limit ten times too high", _script("1_000_000", "10_000_000"), "lets-large-file"),
        wrong("no notebooks at all", _config("      - id: files", "      - {id: nb, name: nb, entry: no notebooks, language: fail, files: ipynb$}\n      - id: files"), "stops-clean-notebook"),
        wrong("a word list for secrets", _config("entry: detect-secrets-hook\n        language: system", "entry: AKIA|PASSWORD|password\n        language: pygrep"), "stops-fixture"),
        wrong("a file without hooks", {CONFIG: "repos: []\n"}, "no-hooks"),
        wrong("a hook without an entry", _config("        entry: detect-secrets-hook\n", ""), "config"),
    ),
    right=(
        right("five small hooks, no program of one's own", {CONFIG: _SHELL}),
        right("one program for everything", {CONFIG: "repos:\n  - repo: local\n    hooks:\n      - {id: all, name: all, entry: python ci/check_files.py, language: system, require_serial: true}\n", SCRIPT: _ONE_PROGRAM}),
    ),
    seconds=120.0,
    mutants=16,
    spared={
        "hooks[1].files: dropped": "sqlfluff leaves files alone that do not end in .sql",
        ".types": "the pattern finds nothing in a binary file either",
    },
)  # fmt: skip
