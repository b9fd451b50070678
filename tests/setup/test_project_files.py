"""The files that the project's own workflow rests on: workflows, owners, templates, the ways in; each as its reader reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

COURSE = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((COURSE / "pyproject.toml").read_text("utf-8"))["project"]["version"]
WORKFLOWS = sorted((COURSE / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(p for p in (COURSE / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if p.name != "config.yml")
BIN = Path(sys.executable).parent


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], cwd=COURSE, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("github-workflows", WORKFLOWS),
        ("github-issue-forms", FORMS),
        ("github-issue-config", [COURSE / ".github/ISSUE_TEMPLATE/config.yml"]),
        ("dependabot", [COURSE / ".github/dependabot.yml"]),
        ("citation-file-format", [COURSE / "CITATION.cff"]),
    ],
)
def test_each_file_is_what_its_reader_expects(schema: str, files: list[Path]) -> None:
    done = run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "command", [["actionlint", *WORKFLOWS], ["zizmor", "--offline", "--quiet", "--no-progress", ".github"]]
)
def test_linters_of_workflows_have_nothing_to_say(command: list) -> None:
    done = run(BIN / command[0], *command[1:])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_reads_by_default_ends_by_itself_and_pins_what_it_uses(workflow: Path) -> None:
    text = workflow.read_text("utf-8")
    parsed = yaml.safe_load(text)
    assert parsed["permissions"] == {"contents": "read"}
    assert all("timeout-minutes" in job for job in parsed["jobs"].values())
    assert re.findall(r"uses: (?!\S+@[0-9a-f]{40} # v\d)(\S+)", text) == []
    assert not re.search(r"\|\| true|continue-on-error|--exit-zero", text)


def test_every_file_has_an_owner() -> None:
    lines = [
        line.split() for line in (COURSE / ".github/CODEOWNERS").read_text("utf-8").splitlines() if line[:1] not in ("#", "")
    ]
    assert lines[0][0] == "*"
    assert all(owner.startswith("@") for _, *owners in lines for owner in owners)
    assert [path for path, *_ in lines[1:] if not (COURSE / path.strip("/")).exists()] == []


def test_the_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load((COURSE / "CITATION.cff").read_text("utf-8"))["version"] == VERSION
    assert f"\n## {VERSION}," in (COURSE / "CHANGELOG.md").read_text("utf-8")


def test_the_dev_container_calls_what_exists() -> None:
    container = json.loads((COURSE / ".devcontainer/devcontainer.json").read_text("utf-8"))
    targets = re.findall(r"^([a-z]+):", (COURSE / "Makefile").read_text("utf-8"), re.M)
    commands = container["postCreateCommand"], container["postAttachCommand"]
    assert {t for c in commands for t in re.findall(r"make (\w+)", c)} <= set(targets)
    said = run(BIN / "dojo", "lab", "--help").stdout
    assert {option for c in commands for option in re.findall(r"--[a-z-]+", c)} <= set(re.findall(r"--[a-z-]+", said))


def test_the_hooks_pass_on_what_is_committed() -> None:
    done = run(BIN / "pre-commit", "validate-config", ".pre-commit-config.yaml")
    assert done.returncode == 0, done.stderr
    tracked = run("git", "ls-files").stdout.split()
    looked = [name for name in tracked if not re.search(r"(\.ipynb|\.lock|package-lock\.json)$", name)]
    done = run(BIN / "detect-secrets-hook", "--baseline", ".secrets.baseline", *looked)
    assert done.returncode == 0, done.stdout


def _minutes(path: Path) -> tuple[int, int]:
    read, do = (int(re.search(rf"^minutes_{part}: (\d+)", path.read_text("utf-8"), re.M)[1]) for part in ("read", "do"))
    return read, do


def test_the_readme_lists_every_module_with_its_minutes() -> None:
    readme = (COURSE / "README.md").read_text("utf-8")
    told = {
        n: (int(a), int(b)) for n, a, b in re.findall(r"^\| (\w+ [\w-]+) \|.*\| (\d+) min \| (\d+) min \|$", readme, re.M)
    }
    found = {}
    for lesson in sorted((COURSE / "notebooks").glob("*.md")):
        (read, do), (more, work) = _minutes(lesson), _minutes(COURSE / "solutions" / lesson.name)
        scenario = lesson.name.startswith("i")
        found[lesson.stem.replace("-", " ", 1)] = (read + more, work) if scenario else (read + do, more + work)
    assert told == found
