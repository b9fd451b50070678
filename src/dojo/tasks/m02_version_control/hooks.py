"""Task 02.5: hooks that stop five kinds of accident before they are commits, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from dojo.judge.contract import Check, NotYet, Task, edited, file, right, wrong
from dojo.judge.work import Work
from dojo.tasks.answers import mapping, parse_yaml, wrong_type
from dojo.tasks.m02_version_control import story

CONFIG = "repo/.pre-commit-config.yaml"
SCRIPT = "repo/ci/check_files.py"


@dataclass(frozen=True)
class Try:
    """A commit somebody makes: its name (its message), its changes, the cause of an answer that treats it wrongly, and what
    that would mean."""

    name: str
    changes: dict[str, Any]
    cause: str
    effect: str


@dataclass(frozen=True)
class Tries:
    """A repository, five accidents that are tried in it, and files of good work that are committed together."""

    stream: str
    accidents: tuple[Try, ...]
    good: tuple[Try, ...]

    @property
    def all_good(self) -> Try:
        """Good work as one commit."""
        return Try(GOOD, {path: text for one in self.good for path, text in one.changes.items()}, "", "")


GOOD = "Good work"


def _notebook(output: bool, counted: bool) -> str:
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["ada@customer.example  3 orders\n"]}] if output else []
    cell = {
        "cell_type": "code",
        "id": "a1",
        "metadata": {},
        "source": ["shop.sql('...')"],
        "outputs": outputs,
        "execution_count": 3 if counted else None,
    }
    prose = {"cell_type": "markdown", "id": "b1", "metadata": {}, "source": ["# Returns"]}
    return json.dumps({"cells": [prose, cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


GOOD_MODEL = """\
select
    store_key,
    count(*) as order_lines
from {{ ref('fact_sales') }}
group by store_key
"""


SECRETS = (
    ("config/export.yml", "aws_key: " + "AKIA" + "Z3MSJV5QRW7KX2LP" + "\n"),
    ("ingestion/upload.py", 'PASSWORD = "' + "kR7-vTq2" + '-nordsee"\n'),
    ("config/export.yml", 'password: "' + "Priel-Watt-" + '8814"\n'),
)
FIXTURE = 'KEY = "' + "AKIA" + 'FAKEFAKEFAKE1234"  # pragma: allowlist secret\n'
CONFLICT = "# On call\n\n<<<<<<< HEAD\nMara\n=======\nSami\n>>>>>>> sami/rota\n"
WIDE_LINE = "1042" + " " * 995 + "\n"


def _accidents(seed: int) -> tuple[Try, ...]:
    path, secret = SECRETS[seed % 3]
    megabytes = (1_200, 5_200)[seed % 2]
    model = GOOD_MODEL.replace("count(*)", "count(*") if seed % 2 else GOOD_MODEL.replace("count(*)", "count *)")
    return (
        Try(
            "Upload for the partner",
            {path: secret},
            "lets-secret",
            "A credential is in the history, and stays there after the next commit deletes it.",
        ),
        Try(
            "Lines a store",
            {f"dbt/models/marts/lines_by_store_{seed % 100}.sql": model},
            "lets-broken-model",
            "The model's brackets do not match, and tomorrow's run stops at it.",
        ),
        Try(
            "Merge on-call notes",
            {f"docs/on-call-{seed % 100}.md": CONFLICT},
            "lets-conflict",
            "Two versions of a page, with Git's marks between them, are the page now.",
        ),
        Try(
            "Who returned what",
            {"notebooks/returns.ipynb": _notebook(True, seed % 2 == 1)},
            "lets-outputs",
            "A customer's address stands in the output of a cell, in every clone.",
        ),
        Try(
            "Sample for the tests",
            {"tests/sample.csv": {"repeat": WIDE_LINE, "times": megabytes}},
            "lets-large-file",
            f"{megabytes / 1_000:g} megabytes, in every clone, for ever.",
        ),
    )


def _good(seed: int) -> tuple[Try, ...]:
    return (
        Try(
            "Lines a store",
            {f"dbt/models/marts/lines_by_store_{seed % 100}.sql": GOOD_MODEL},
            "stops-good-model",
            "It is a sound model with ref() in it.",
        ),
        Try(
            "A page with an underlined heading",
            {"docs/late-run.md": "When it is late\n=======\n\nAsk Mara.\n"},
            "stops-documentation",
            "Seven equals signs under a heading are Markdown.",
        ),
        Try(
            "Fixture with a made-up key",
            {"tests/test_upload.py": FIXTURE},
            "stops-fixture",
            "The key is made up, and marked as such in its line.",
        ),
        Try(
            "Returns, to be run",
            {"notebooks/returns.ipynb": _notebook(False, seed % 2 == 0)},
            "stops-clean-notebook",
            "A notebook without outputs is code.",
        ),
        Try(
            "Small sample",
            {"tests/sample.csv": {"repeat": WIDE_LINE, "times": 900}},
            "stops-small-file",
            "900 kB are no megabyte.",
        ),
        Try(
            "A name with a space",
            {"tests/my sample.csv": "1042,2025-11-03,19.90\n", "docs/closing.md": None},
            "stops-space",
            "It is a small file whose name has a space, and a page that was deleted.",
        ),
    )


@cache
def tries(seed: int) -> Tries:
    """Five accidents and six files of good work; what they hold depends on the seed."""
    return Tries(story.workspace().stream(), _accidents(seed), _good(seed))


def _hooks(content: Any) -> list[dict[str, Any]]:
    """The hooks of a configuration. NotYet where it has none, or some that must be downloaded."""
    repos = mapping(content, ".pre-commit-config.yaml", ("repos",))["repos"]
    if not isinstance(repos, list):
        raise wrong_type("`repos`", "a list", repos)
    found = []
    for repo in repos:
        if isinstance(repo, dict) and str(repo.get("repo")) not in ("local", "meta"):
            said = f"`{repo.get('repo')}` must be downloaded first, and there is no network here. A new laptop in a train has none."
            expected = "repo: local, with programs that are installed"
            raise NotYet(said, tried="repos", expected=expected, got=f"repo: {repo.get('repo')}", cause="needs-network")
        hooks = repo.get("hooks") if isinstance(repo, dict) else None
        found += hooks if isinstance(hooks, list) else []
    if not found:
        raise NotYet(
            "There is no hook in your configuration.", tried="repos", expected="hooks", got="none", cause="no-hooks"
        )
    return found


def _made(work: Work, data: Tries, commits: tuple[Try, ...]) -> list[dict[str, Any]]:
    """What became of these commits with the learner's hooks: {name, made, said} for each."""
    config, script = work.file(CONFIG), work.file(SCRIPT)
    _hooks(parse_yaml(config, ".pre-commit-config.yaml"))
    files = {CONFIG.removeprefix("repo/"): config, SCRIPT.removeprefix("repo/"): script}
    asked = [{"name": one.name, "changes": one.changes} for one in commits]
    key = ("02.5", config, script, repr(asked))
    result = work.once(key, lambda: work.tool("hooks", {"stream": data.stream, "files": files, "commits": asked}))
    if result["problem"]:
        decides = [line for line in result["problem"].splitlines() if line.startswith("=====>")]
        raise NotYet(
            "pre-commit cannot use the configuration.",
            tried="pre-commit install, git commit",
            expected="repos, each with hooks: id, name, entry, language",
            got=result["problem"],
            cause="config",
            look=f"pre-commit says: {decides[-1].removeprefix('=====>').strip()}" if decides else "",
        )
    return result["commits"]


_RESULT = re.compile(r"^(.+?)\.{3,}(\(no files to check\))?(Passed|Failed|Skipped)$")


def _said_by(said: str) -> dict[str, tuple[str, str]]:
    """By name of hook: Passed, Failed or Skipped, and what it said below."""
    found: dict[str, tuple[str, str]] = {}
    name = ""
    for line in said.split("\n"):
        if match := _RESULT.match(line):
            name = match[1]
            found[name] = (match[3], "")
        elif name:
            found[name] = (found[name][0], f"{found[name][1]}{line}\n")
    return found


def _asked(said: str) -> str:
    """Which hooks looked at a commit that was made, and which never did."""
    by = _said_by(said)
    names = {
        word: ", ".join(f"“{name}”" for name, (result, _) in by.items() if result == word) for word in ("Passed", "Skipped")
    }
    passed = f"Asked, and found nothing: {names['Passed']}." if names["Passed"] else "No hook was asked."
    skipped = f" Not asked, since no file was theirs: {names['Skipped']}: look at files, types." if names["Skipped"] else ""
    return passed + skipped


def _wanted(work: Work, tries: tuple[Try, ...]) -> tuple[Try, ...]:
    return tuple(one for one in tries if work.deciding is None or one.cause in work.deciding)


def stops_accidents(work: Work, data: Tries) -> str:
    wanted = _wanted(work, data.accidents)
    for one, result in zip(wanted, _made(work, data, wanted), strict=True):
        if result["made"]:
            raise NotYet(
                f"The commit “{one.name}” was made. {one.effect}",
                tried=f"git commit of {', '.join(one.changes)}",
                expected="stopped by a hook",
                got=f"committed; the hooks said:\n{result['said'] or 'nothing'}",
                cause=one.cause,
                look=_asked(result["said"]),
            )
    return f"{len(wanted)} of {len(wanted)} accidents stopped, in each of two repositories."


def lets_good_work_pass(work: Work, data: Tries) -> str:
    if not _made(work, data, (data.all_good,))[0]["made"]:
        for one, result in zip(data.good, _made(work, data, data.good), strict=True):
            if not result["made"]:
                failed = [
                    f"{name}: {said.strip()}" for name, (word, said) in _said_by(result["said"]).items() if word == "Failed"
                ]
                raise NotYet(
                    f"The commit “{one.name}” was stopped. {one.effect}",
                    tried=f"git commit of {', '.join(one.changes)}",
                    expected="committed",
                    got="\n".join(failed) or result["said"],
                    cause=one.cause,
                    look="A hook that stops good work is passed over with --no-verify, and the next accident with it.",
                )
        raise NotYet(
            "Each of six files of good work can be committed alone; all together are stopped.",
            tried=f"git commit of {', '.join(data.all_good.changes)}",
            expected="committed",
            got=_made(work, data, (data.all_good,))[0]["said"],
            cause="stops-together",
        )
    return f"{len(data.good)} files of good work committed, in each of two repositories."


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
    return {CONFIG: edited(_CONFIG, (old, new))}


def _script(old: str, new: str) -> dict[str, str]:
    return {SCRIPT: edited(_SCRIPT, (old, new))}


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
    failed |= len(content) > 1_000_000
    failed |= re.search(rb"(?m)^(<<<<<<<|>>>>>>>) ", content) is not None
    failed |= name.endswith(".ipynb") and b'"output_type"' in content
    if name.endswith(".sql"):
        failed |= subprocess.run(["sqlfluff", "parse", name], capture_output=True).returncode != 0
    if len(content) < 1_000_000:
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
        wrong(
            "hooks from the internet",
            {
                CONFIG: "repos:\n  - repo: https://github.com/pre-commit/pre-commit-hooks\n    rev: v5.0.0\n    hooks:\n      - id: check-merge-conflict\n"
            },
            "needs-network",
        ),
        wrong(
            "looks for secrets in SQL only",
            _config(
                "        language: system\n      - id: models",
                "        language: system\n        types: [sql]\n      - id: models",
            ),
            "lets-secret",
            decided_by="lets-secret",
        ),
        wrong(
            "a check that cannot fail",
            _config("entry: sqlfluff parse", "entry: bash -c 'sqlfluff parse \"$@\" || true' --"),
            "lets-broken-model",
            decided_by="lets-broken-model",
        ),
        wrong(
            "looks for the line of equals signs",
            _config("^(<<<<<<<|>>>>>>>)", "^=======$"),
            "stops-documentation",
            decided_by="lets-conflict",
        ),
        wrong(
            "conflicts in code only",
            _config("types: [text]", "types: [python]"),
            "lets-conflict",
            decided_by="lets-conflict",
        ),
        wrong(
            "only when somebody calls it",
            _config("entry: python ci/check_files.py", "entry: python ci/check_files.py\n        stages: [manual]"),
            "lets-outputs",
            decided_by="lets-outputs",
        ),
        wrong(
            "the script says it and exits with 0",
            _script("sys.exit(len(problems) > 0)\n", ""),
            "lets-outputs",
            decided_by="lets-outputs",
        ),
        wrong(
            "a limit ten times too high", _script("1_000_000", "10_000_000"), "lets-large-file", decided_by="lets-large-file"
        ),
        wrong(
            "a limit of half a megabyte", _script("1_000_000", "500_000"), "stops-small-file", decided_by="lets-large-file"
        ),
        wrong(
            "no notebooks at all",
            _config(
                "      - id: files",
                "      - {id: nb, name: nb, entry: no notebooks, language: fail, files: ipynb$}\n      - id: files",
            ),
            "stops-clean-notebook",
            decided_by="lets-outputs",
        ),
        wrong(
            "a word list for secrets",
            _config(
                "entry: detect-secrets-hook\n        language: system",
                "entry: AKIA|PASSWORD|password\n        language: pygrep",
            ),
            "stops-fixture",
            decided_by="lets-secret",
        ),
        wrong(
            "splits names at spaces",
            _script("sys.argv[1:]", '" ".join(sys.argv[1:]).split()'),
            "stops-space",
            decided_by="lets-large-file",
        ),
        wrong(
            "raw SQL only",
            _config("entry: sqlfluff parse", "entry: sqlfluff parse --templater raw"),
            "stops-good-model",
            decided_by="lets-broken-model",
        ),
        wrong("a file without hooks", {CONFIG: "repos: []\n"}, "no-hooks"),
        wrong(
            "a hook without an entry",
            _config("        entry: detect-secrets-hook\n", ""),
            "config",
            decided_by="lets-secret",
        ),
    ),
    right=(
        right("five small hooks, no program of one's own", {CONFIG: _SHELL}),
        right(
            "one program for everything",
            {
                CONFIG: "repos:\n  - repo: local\n    hooks:\n      - {id: all, name: all, entry: python ci/check_files.py, language: system, require_serial: true}\n",
                SCRIPT: _ONE_PROGRAM,
            },
        ),
    ),
    clauses={
        "a password": "looks for secrets in SQL only",
        "a model with a bracket missing": "a check that cannot fail",
        "a page with Git's conflict markers in it": "conflicts in code only",
        "a notebook with customers' addresses in its output": "only when somebody calls it",
        "with repo: local so that it works without a network": "hooks from the internet",
        "stops it by its exit status": "the script says it and exits with 0",
        "More than a megabyte is too much for one file": "a limit ten times too high",
        "a sound model": "raw SQL only",
        "a Markdown page with a heading underlined by seven equals signs": "looks for the line of equals signs",
        "a test fixture with a made-up key": "a word list for secrets",
        "a notebook without outputs": "no notebooks at all",
        "a CSV of less than a megabyte": "a limit of half a megabyte",
        "a file name with a space": "splits names at spaces",
    },
    seconds=120.0,
    executes=True,
    mutants=8,
    spared={
        "hooks[1].files: dropped": "sqlfluff leaves files alone that do not end in .sql",
        "line 16: call dropped": "what the script prints is for the person; it stops the commit all the same",
        ".types": "the pattern finds nothing in a binary file either",
    },
)
