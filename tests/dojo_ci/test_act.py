"""A workflow executed on prepared pull requests: what the runner says, what masks a failure, what no run can start with."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from importlib import metadata
from uuid import uuid4

import pytest

from dojo.judge import waiting
from dojo.tasks.m04_continuous_integration import gate
from dojo.tasks.m04_continuous_integration.pull_requests import ORDER, SECOND, _variants, main_branch, pull_requests
from dojo.tools import act, runner_programs, warm

HEAD = "on: pull_request\npermissions: {contents: read}\njobs:\n  one:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n"
STEPS = {
    "plain": "      - run: test ! -e bad\n",
    "tolerated": "      - run: test ! -e bad\n        continue-on-error: true\n",
    "or true": "      - run: test ! -e bad || true\n",
}
FILES = {"README.md": "a repository\n"}
PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_HOME", str(tmp_path))


def run(steps: str, pulls=PULLS) -> list[dict]:
    text = HEAD + "      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n" + steps
    return act.session({"workflow": text, "files": FILES, "pull_requests": pulls})


@pytest.mark.parametrize(("name", "colour"), [("plain", "red"), ("tolerated", "green"), ("or true", "green")])
def test_a_failing_step_is_red_unless_it_is_masked(name, colour):
    good, bad = run(STEPS[name])
    assert (good["colour"], bad["colour"]) == ("green", colour)


def test_the_step_that_decided_is_named_and_what_it_left_is_kept():
    upload = "      - if: always()\n        uses: actions/upload-artifact@v4\n        with: {name: left, path: R*.md}\n"
    (bad,) = run("      - name: Look\n        run: echo looked; exit 3\n" + upload, PULLS[1:])
    assert bad["decided"] == "one / Look"
    assert bad["artefacts"] == ["left/README.md"]
    assert next(s for s in bad["steps"] if s["name"] == "Look")["said"].startswith("looked")


def test_an_unchanged_workflow_is_not_run_again():
    first = run(STEPS["plain"])
    assert run(STEPS["plain"]) == first


def test_a_package_that_is_not_here_cannot_be_installed_and_one_that_is_can():
    good, _ = run("      - run: pip install duckdb\n")
    bad, _ = run("      - run: pip install no-such-package-here\n")
    assert (good["colour"], bad["colour"]) == ("green", "red")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "not YAML"),
        ("on: push\n", "no `jobs`"),
        (HEAD + "      - uses: somebody/else@v1\n", "no stand-in for `somebody/else@v1`"),
        ("on: push\njobs: {a: {runs-on: ubuntu-latest, services: {db: {image: postgres}}, steps: [{run: 'true'}]}}\n", "container engine"),
    ],
)  # fmt: skip
def test_what_cannot_run_here_is_said(text, said):
    (result,) = act.session({"workflow": text, "files": FILES, "pull_requests": PULLS[:1]})
    assert result["colour"] == "no run"
    assert said in result["said"]


def test_a_workflow_that_nobody_starts_has_no_colour():
    (result,) = act.session(
        {"workflow": HEAD.replace("pull_request", "push", 1) + STEPS["plain"], "files": FILES, "pull_requests": PULLS[:1]}
    )
    assert result["colour"] == "no run"


def test_whoever_waits_is_told_of_each_pull_request(monkeypatch):
    told = []
    monkeypatch.setattr(waiting, "_listeners", [lambda *said: told.append(said)])
    text = HEAD + STEPS["plain"].replace("test ! -e bad", "true") + f"      - run: echo {uuid4()}\n"
    act.session({"workflow": text, "files": FILES, "pull_requests": PULLS, "before": 2, "of": 9})
    assert [t[:2] for t in told] == [(3, 9), (4, 9)]
    assert sorted(t[2] for t in told) == ["green: bad", "green: good"]


# ---------------------------------------------------------------- the warm process


@pytest.fixture
def programs(tmp_path):
    """The programs of a step, and a way to run one against a socket that the test holds."""
    runner_programs.write(tmp_path / "bin")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(tmp_path / "warm.sock"))
    server.listen(1)

    def call(answer):
        def serve():
            line, _ = server.accept()
            line.sendall(answer)
            line.shutdown(socket.SHUT_WR)
            while line.recv(1 << 16):
                pass
            line.close()

        thread = threading.Thread(target=serve)
        thread.start()
        done = subprocess.run(
            [tmp_path / "bin" / "detect-secrets-hook", "--version"],
            env={"DOJO_WARM": str(tmp_path / "warm.sock"), "PATH": os.environ["PATH"]},
            capture_output=True, text=True,
        )  # fmt: skip
        thread.join()
        return done

    yield call
    server.close()


def test_where_no_process_can_be_forked_the_program_runs_by_itself(programs):
    done = programs(b"")
    assert (done.returncode, done.stdout.strip()) == (0, metadata.version("detect-secrets"))


@pytest.mark.parametrize(("answer", "code"), [(warm.BEGUN + bytes([3]), 3), (warm.BEGUN, 1)])
def test_a_command_that_began_is_not_run_again(programs, answer, code):
    done = programs(answer)
    assert (done.returncode, done.stdout) == (code, "")


# ---------------------------------------------------------------- the prepared pull requests


@pytest.mark.parametrize("kind", ORDER)
def test_every_kind_has_two_variants_that_change_something(kind):
    main = main_branch()
    for pull in _variants(kind):
        assert all(main[path] != text for path, text in pull.changes)
    first, second = _variants(kind)
    assert first.changes != second.changes and first.title != second.title


def test_two_data_sets_in_other_places():
    assert {p.kind for p in pull_requests(11)} == set(ORDER)
    assert [p.kind for p in pull_requests(29)] == list(SECOND)
    assert not {p.title for p in pull_requests(11)} & {p.title for p in pull_requests(29)}


# ---------------------------------------------------------------- masks, named


def tried(kind: str, commands: list[dict] | None = None, result: str = "success", name: str = "S") -> gate.Tried:
    steps = [{"job": "one", "cell": "one", "name": name, "result": result, "said": "", "seconds": 0}]
    return gate.Tried(
        _variants(kind)[0], {"colour": "green", "decided": "", "steps": steps, "commands": commands or [], "artefacts": []}
    )


def step(run: str, **more) -> str:
    import yaml

    return yaml.safe_dump({"jobs": {"one": {"steps": [{"name": "S", "run": run, **more}]}}})


UNIT, DATA = ["unit_test.shopflow.fact_sales.a", "pass", 0], ["test.shopflow.not_null_a", "pass", 0]


@pytest.mark.parametrize(
    ("text", "row", "cause"),
    [
        (step("pytest -q || true"), tried("python"), "or-true"),
        (step("pytest -q", **{"continue-on-error": True}), tried("python"), "continue-on-error"),
        (step("pytest -q", **{"if": False}), tried("python"), "never-runs"),
        (step("pytest -q", **{"if": "github.event_name == 'push'"}), tried("python", name="another"), "never-runs"),
        (step("pytest --collect-only"), tried("python"), "collect-only"),
        (step("echo no"), tried("python"), "missing"),
        ("# pytest -q\n" + step("echo no"), tried("python"), "commented-out"),
        (step("# pytest -q\necho no"), tried("python"), "missing"),
        (step("ruff format ."), tried("format"), "reformats"),
        (step("sqlfluff lint dbt --nofail"), tried("style"), "exit-zero"),
        (step("dbt build"), tried("data test", [{"arguments": ["build", "--empty"], "exit": 0, "nodes": [DATA]}]), "empty-build"),
        (step("dbt test -s tag:x"), tried("data test", [{"arguments": ["test"], "exit": 0, "nodes": None}]), "selects-nothing"),
        (step("dbt build"), tried("data test", [{"arguments": ["build"], "exit": 0, "nodes": [["model.a.b", "success", 0]]}]), "never-tested"),
        (step("dbt build"), tried("unit test", [{"arguments": ["build"], "exit": 0, "nodes": [DATA]}]), "no-unit-tests"),
        (step("dbt build"), tried("data test", [{"arguments": ["build"], "exit": 0, "nodes": [UNIT, ["test.a.b", "warn", 3]]}]), "warns-only"),
    ],
)  # fmt: skip
def test_what_kept_a_bad_change_green_is_named(text, row, cause):
    assert gate.mask(text, row)[0] == cause


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (("on: pull_request", "on: push"), "trigger"),
        (("on: pull_request", "on: pull_request_target"), "trigger"),
        (("on: pull_request", "on: {pull_request: {paths: [dbt]}}"), "path-filter"),
        (("permissions: {contents: read}\n", ""), "default-token"),
        (("permissions: {contents: read}", "permissions: write-all"), "write-token"),
        (("permissions: {contents: read}", "permissions: {}"), "no-read"),
        (("    timeout-minutes: 5\n", ""), "no-timeout"),
    ],
)
def test_the_frame_of_a_gate(change, cause):
    assert gate.problems(HEAD + STEPS["plain"]) == []
    assert cause in [c for c, _ in gate.problems((HEAD + STEPS["plain"]).replace(*change))]
