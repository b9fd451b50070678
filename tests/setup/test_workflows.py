"""The project's own workflows, run by act with this machine as the runner: jobs, matrix, and a style fault that turns red.

What a job would install or test is not done again here. In most runs every program a job calls is a stand-in that notes its
call, so that all jobs of all workflows run in seconds; the `style` job runs for real, with the environment that is there already.
The book's build is left to tests/book, which makes it once: a second time would cost the suite half a minute. act's `--dryrun` is of no use: on a host runner it executes the steps.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from dojo.bench import tracked_copy
from dojo.ci import act, checkouts
from dojo.places import COURSE

WORKFLOWS = {p.name: yaml.safe_load(p.read_text("utf-8")) for p in sorted((COURSE / ".github" / "workflows").glob("*.yml"))}
ACT = Path(sys.executable).with_name("act")
SYSTEMS, PYTHONS = ("ubuntu-latest", "macos-latest", "windows-latest"), ("3.11", "3.12", "3.13", "3.14")
STAND_INS = {name: act.STAND_INS / folder for name, folder in act.ACTIONS.items() if folder}
STAND_INS["actions/upload-pages-artifact"] = act.STAND_INS / "upload-artifact"
DEPLOYS = """name: deploy
description: Stands in for actions/deploy-pages.
outputs: {page_url: {value: "https://pages.example/"}}
runs: {using: composite, steps: [{shell: bash, run: "true"}]}
"""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="act runs jobs of ubuntu-latest on this machine: not on Windows"),
    pytest.mark.skipif(not ACT.exists(), reason="act is not in this environment: make setup"),
]


@dataclass(frozen=True)
class Run:
    """A workflow's run: act's exit status, each (job, matrix) with its result, what was said, the calls, the artefacts."""

    status: int
    jobs: dict[tuple[str, str], str]
    said: str
    calls: list[str]
    artefacts: list[str]


@dataclass(frozen=True)
class Runner:
    """A folder with the programs a job finds first, the repository that is checked out, and what runs left."""

    folder: Path

    @property
    def repo(self) -> Path:
        return self.folder / "repo"

    def program(self, name: str, script: str) -> None:
        """Puts a shell script on the PATH of every job."""
        path = self.folder / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def commit(self) -> None:
        """What the repository's folder holds, committed on main."""
        checkouts.git(self.repo, "init", "--quiet")
        checkouts.git(self.repo, "add", "--all")
        checkouts.git(self.repo, "commit", "--quiet", "--message", "as it is")

    def run(self, workflow: str, event: str, *options: str, **settings: str) -> Run:
        """Runs a workflow on an event. options: act's; settings: environment of the jobs."""
        payload = self.folder / "event.json"
        payload.write_text(
            json.dumps({"repository": {"default_branch": "main"}, "ref": "refs/heads/main"}), encoding="utf-8"
        )
        deploys = self.folder / "deploy"
        deploys.mkdir(exist_ok=True)
        (deploys / "action.yml").write_text(DEPLOYS, encoding="utf-8")
        command = [ACT, event, "--pull=false", "--json", "--no-cache-server", "-W", f".github/workflows/{workflow}"]
        command += [
            "--eventpath",
            payload,
            *(part for system in SYSTEMS for part in ("-P", f"{system}=-self-hosted")),
            *options,
        ]
        used = re.findall(r"uses: ([\w.-]+/[\w.-]+)@(\w+)", (self.repo / ".github/workflows" / workflow).read_text("utf-8"))
        for name, commit in sorted(set(used) - {u for u in used if u[0] == "actions/checkout"}):
            command += [
                "--local-repository",
                f"https://github.com/{name}@{commit}={STAND_INS.get(name, deploys)}",
            ]
        for name in ("home", "artefacts"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        journal = self.folder / "journal"
        journal.write_text("", encoding="utf-8")
        environment = {
            "PATH": os.pathsep.join(
                [str(self.folder / "bin"), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
            ),
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            "JOURNAL": str(journal),
            "DOJO_ARTEFACTS": str(self.folder / "artefacts"),
            "RUFF_NO_CACHE": "true",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **settings,
        }
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.repo,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        left = sorted(p.relative_to(self.folder / "artefacts").as_posix() for p in (self.folder / "artefacts").rglob("*"))
        return Run(done.returncode, *_told(done.stdout), journal.read_text("utf-8").splitlines(), left)


def _told(log: str) -> tuple[dict[tuple[str, str], str], str]:
    jobs, said = {}, []
    for line in log.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        if "jobResult" in event:
            jobs[event["jobID"], " ".join(map(str, event.get("matrix", {}).values()))] = event["jobResult"]
        if event.get("raw_output") or event.get("level") == "error":
            said.append(event["msg"].rstrip("\n"))
    return jobs, "\n".join(said)


# ---------------------------------------------------------------- every job, its programs stood in for

NOTES = """
said="$(basename "$0") $*"
echo "$said" >> "$JOURNAL"
if [ -n "$REFUSE" ] && [[ "$said" == *"$REFUSE"* ]]; then echo "refused"; exit 1; fi
"""
MAKES = (
    NOTES
    + 'mkdir -p .venv/bin book/_build/html && touch book/_build/html/index.html\nfor p in dojo python ruff uv; do ln -sf "$NOTER" .venv/bin/$p; done\n'
)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A repository of the workflows alone; make, python and what they install note that they were called, and with what."""
    runner = Runner(tmp_path_factory.mktemp("rehearsal"))
    shutil.copytree(COURSE / ".github", runner.repo / ".github")
    (runner.repo / "requirements.lock").write_text("", encoding="utf-8")
    runner.program("note", NOTES)
    runner.program("sudo", NOTES)
    noter = runner.folder / "bin" / "note"
    for name in ("make", "python"):
        runner.program(name, f"NOTER={noter}\n{MAKES}")
    (runner.repo / ".ci").mkdir()
    shutil.copy2(noter, runner.repo / ".ci" / "run")
    runner.commit()
    return runner


@pytest.mark.parametrize("name", WORKFLOWS)
def test_act_reads_each_workflow_and_names_its_jobs_in_their_order(name: str) -> None:
    done = subprocess.run(
        [ACT, "-l", "-W", f".github/workflows/{name}"], cwd=COURSE, capture_output=True, text=True, timeout=60
    )
    listed = [line.split()[:2] for line in done.stdout.splitlines()[1:]]
    jobs = WORKFLOWS[name]["jobs"]
    assert sorted(job for _, job in listed) == sorted(jobs)
    assert [job for stage, job in listed if stage != "0"] == [job for job, told in jobs.items() if "needs" in told]


def test_the_weekly_run_tries_three_systems_with_four_pythons_and_the_newest_versions_and_the_links(rehearsal) -> None:
    run = rehearsal.run("weekly.yml", "schedule")
    wanted = {("locked", f"{python} {system}") for system in SYSTEMS for python in PYTHONS}
    wanted |= {("newest", ""), ("thorough", ""), ("links", "")}
    assert {(job, " ".join(sorted(matrix.split()))) for job, matrix in run.jobs} == wanted
    assert (run.status, set(run.jobs.values())) == (0, {"success"}), run.said
    # One each from twelve jobs: all run on this machine, so the steps for Windows are left out and those for others run.
    assert run.calls.count("python -I src/dojo/install.py --browser") == 12
    assert run.calls.count("python -m pytest") == 12
    for python in PYTHONS:
        asked = f"python -c import sys; sys.exit(not sys.version.startswith('{python}.'))"
        assert run.calls.count(asked) == 3, "another Python than the one asked for must turn the job red"
    assert run.calls.count("python -m pytest tests/test_selftest.py") == 1
    assert run.calls.count("run ") == 1 and any("pip compile" in call and "--upgrade" in call for call in run.calls)
    assert [call for call in run.calls if "--links" in call] == ["python -m dojo.site --links"]
    assert run.artefacts == ["newest-lock", "newest-lock/requirements.lock"]


def test_a_push_to_main_builds_the_book_and_publishes_it_and_a_pull_request_keeps_a_preview(rehearsal) -> None:
    pushed, asked = rehearsal.run("book.yml", "push"), rehearsal.run("book.yml", "pull_request")
    assert (pushed.status, pushed.jobs) == (0, {("build", ""): "success", ("publish", ""): "success"}), pushed.said
    assert (asked.status, asked.jobs) == (0, {("build", ""): "success"}), asked.said
    assert "book/html/index.html" in asked.artefacts


@pytest.mark.parametrize(
    ("workflow", "event", "refused", "red", "not_begun"),
    [
        ("pull-request.yml", "pull_request", "ruff check", "style", "suite"),
        ("pull-request.yml", "pull_request", "run", "suite", ""),
        ("book.yml", "push", "make book", "build", "publish"),
        ("weekly.yml", "workflow_dispatch", "--links", "links", ""),
    ],
)
def test_what_fails_turns_its_job_red_and_keeps_back_what_needs_it(
    rehearsal, workflow, event, refused, red, not_begun
) -> None:
    only = ("-j", red) if workflow == "weekly.yml" else ()
    run = rehearsal.run(workflow, event, *only, REFUSE=refused)
    assert run.status != 0 and run.jobs[red, ""] == "failure"
    assert (not_begun, "") not in run.jobs


def test_only_the_job_that_publishes_may_write_and_only_to_pages() -> None:
    found = {
        (name, job): told["permissions"]
        for name, w in WORKFLOWS.items()
        for job, told in w["jobs"].items()
        if "permissions" in told
    }
    assert found == {("book.yml", "publish"): {"pages": "write", "id-token": "write"}}
    assert WORKFLOWS["book.yml"]["jobs"]["publish"]["if"] == "github.event_name == 'push'"
    assert not any("secrets." in (COURSE / ".github" / "workflows" / name).read_text("utf-8") for name in WORKFLOWS)


# ---------------------------------------------------------------- for real, with the environment that is there

LEND = """
# The environment that is there, and the stamp that says so: `make setup` finds nothing to install.
mkdir -p .venv
for part in "$LENT"/*; do [ "${part##*/}" = course-stamp ] || ln -sfn "$part" .venv/; done
.venv/bin/python -I - <<'END'
import runpy
install = runpy.run_path("src/dojo/install.py")
place = install["COURSE"] / ".venv"
(place / "course-stamp").write_text("\\n".join(install["fingerprints"]([install["COURSE"] / install["LOCK"]], place)))
END
PYTHONPATH="$PWD/src" exec make "$@" PYTHON="$PWD/.venv/bin/python"
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A repository of all that Git tracks; before the first `make` of a job, this environment is lent to its checkout."""
    runner = Runner(tmp_path_factory.mktemp("real"))
    tracked_copy(runner.repo)
    runner.commit()
    make = shutil.which("make") or pytest.skip("make is not on the PATH (Debian: apt-get install make)")
    runner.program("make", LEND.replace('"$LENT"', f'"{sys.prefix}"').replace("exec make", f"exec {make}"))
    return runner


def test_the_style_job_passes_on_what_is_committed_and_fails_on_an_unused_import(real: Runner) -> None:
    green = real.run("pull-request.yml", "pull_request", "-j", "style")
    assert (green.status, green.jobs) == (0, {("style", ""): "success"}), green.said
    assert "All checks passed!" in green.said and "Environment ready" not in green.said
    module = real.repo / "src" / "dojo" / "places.py"
    text = module.read_text("utf-8")
    module.write_text(text.replace("import os\n", "import json\nimport os\n", 1), encoding="utf-8")
    red = real.run("pull-request.yml", "pull_request", "-j", "style")
    module.write_text(text, encoding="utf-8")
    assert red.status != 0 and red.jobs == {("style", ""): "failure"}
    assert "F401" in red.said and "places.py" in red.said
