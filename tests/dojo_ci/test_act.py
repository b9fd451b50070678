"""A workflow executed on prepared pull requests: what the runner says, what masks a failure, what no run can start with."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from uuid import uuid4

import psutil
import pytest
import yaml

from dojo.ci import act, checkouts, excerpts, gate, masks, workflow
from dojo.ci.pull_requests import Tried
from dojo.judge import waiting
from dojo.tasks.m04_continuous_integration.pull_requests import AGAIN, ORDER, _variants, main_branch, pull_requests
from dojo.tools import runner_programs, warm

HEAD = "on: pull_request\npermissions: {contents: read}\njobs:\n  one:\n    runs-on: ubuntu-latest\n    timeout-minutes: 5\n    steps:\n"
STEPS = {
    "plain": "      - run: test ! -e bad\n",
    "tolerated": "      - run: test ! -e bad\n        continue-on-error: true\n",
    "or true": "      - run: test ! -e bad || true\n",
}
FILES = {"README.md": "a repository\n"}
PULLS = [{"name": "good", "changes": {"new": "x\n"}}, {"name": "bad", "changes": {"bad": "x\n"}}]
CI = ".github/workflows/ci.yml"
CHECKOUT = "      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8\n"


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("DOJO_HOME", str(tmp_path))
    monkeypatch.setenv("DOJO_CHECKPOINTS", str(tmp_path))


def session(text: str, pulls=PULLS, own: dict[str, str] | None = None, **more) -> list[dict]:
    return act.session({"path": CI, "files": FILES, "own": {**(own or {}), CI: text}, "pull_requests": pulls, **more})


def run(steps: str, pulls=PULLS, own: dict[str, str] | None = None) -> list[dict]:
    return session(HEAD + CHECKOUT + steps, pulls, own)


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


OWN = {
    "a composite action": (
        "      - uses: ./.github/actions/look\n",
        {
            ".github/actions/look/action.yml": "name: Look\nruns:\n  using: composite\n  steps:\n    - {shell: bash, run: test ! -e bad}\n"
        },
    ),
    "a Makefile": ("      - run: make look\n", {"Makefile": "look:\n\ttest ! -e bad\n"}),
    "a script": ("      - run: bash ci/look.sh\n", {"ci/look.sh": "test ! -e bad\n"}),
    "a Python program": (
        "      - run: python ci/look.py\n",
        {"ci/look.py": "import pathlib, sys\nsys.exit(pathlib.Path('bad').exists())\n"},
    ),
    "hooks": (
        "      - run: pre-commit run --all-files\n",
        {
            ".pre-commit-config.yaml": "repos:\n- repo: local\n  hooks:\n  - {id: look, name: look, language: system, entry: test ! -e bad, pass_filenames: false, always_run: true}\n"
        },
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_the_learners_own_files_go_along(name):
    steps, files = OWN[name]
    good, bad = run(steps, own=files)
    assert (good["colour"], bad["colour"]) == ("green", "red"), (good, bad)


def test_a_workflow_of_the_repository_may_be_called():
    called = HEAD.replace("pull_request", "workflow_call", 1) + CHECKOUT + STEPS["plain"]
    text = "on: pull_request\njobs:\n  gate:\n    uses: ./.github/workflows/checks.yml\n"
    good, bad = session(text, own={".github/workflows/checks.yml": called})
    assert (good["colour"], bad["colour"]) == ("green", "red")


def test_each_trial_has_a_tmp_and_a_run_number_of_its_own():
    steps = '      - run: test ! -e /tmp/mark && touch /tmp/mark && echo "run ${{ github.run_id }}" && ls -a "$HOME"\n'
    good, bad = run(steps)
    assert (good["colour"], bad["colour"]) == ("green", "green")
    assert good["steps"][-1]["said"] != bad["steps"][-1]["said"]


def test_a_run_that_is_cut_off_is_tried_again_and_not_kept(monkeypatch):
    monkeypatch.setattr(checkouts, "SECONDS", 1)
    steps = "      - run: test ! -e bad || sleep 9\n"
    good, bad = run(steps)
    assert (good["stopped"], bad["stopped"]) == (False, True)
    monkeypatch.setattr(checkouts, "SECONDS", 8)
    good, bad = run(steps)
    assert (good["colour"], bad["colour"], bad["stopped"]) == ("green", "green", False)


def test_what_a_run_leaves_running_ends_with_it():
    name = f"left-{uuid4()}"
    (good,) = run(f"      - run: setsid sh -c 'sleep 300; echo {name}' > /dev/null 2>&1 &\n", PULLS[:1])
    assert good["colour"] == "green"
    assert not [p for p in psutil.process_iter(["cmdline"]) if name in " ".join(p.info["cmdline"] or [])]
    assert not list(checkouts.runner_room().glob("pr-*"))


def test_a_package_that_is_not_here_cannot_be_installed_and_one_that_is_can():
    good, _ = run("      - run: pip install duckdb\n")
    bad, _ = run("      - run: pip install no-such-package-here\n")
    assert (good["colour"], bad["colour"]) == ("green", "red")


@pytest.mark.parametrize(
    ("text", "said", "unknown"),
    [
        ("a: [", "not YAML", False),
        ("on: push\n", "no `jobs`", False),
        (HEAD + "      - uses: somebody/else@v1\n", "no stand-in for `somebody/else@v1`", True),
        (HEAD + "      - uses: docker://debian:12\n", "container engine", True),
        (HEAD.replace("ubuntu-latest", "windows-latest") + "      - run: dir\n", "this runner is Linux", True),
        ("on: push\njobs: {a: {uses: org/other/.github/workflows/x.yml@v1}}\n", "another repository", True),
        (
            "on: push\njobs: {a: {runs-on: ubuntu-latest, services: {db: {image: postgres}}, steps: [{run: 'true'}]}}\n",
            "container engine",
            True,
        ),
    ],
)
def test_what_cannot_run_here_is_said_and_whose_lack_it_is(text, said, unknown):
    (result,) = session(text, PULLS[:1])
    assert (result["colour"], result["unknown"]) == ("no run", unknown)
    assert said in result["said"]


def test_an_action_of_ones_own_may_lack_something_as_well():
    action = "runs:\n  using: composite\n  steps:\n    - uses: somebody/else@v1\n"
    (result,) = run("      - uses: ./.github/actions/x\n", PULLS[:1], {".github/actions/x/action.yml": action})
    assert result["unknown"] and "(in .github/actions/x/action.yml)" in result["said"]


def test_what_github_knows_and_act_does_not_accuses_nobody():
    queue = "concurrency: {group: production, cancel-in-progress: false, queue: max}\njobs:"
    text = HEAD.replace("jobs:", queue) + CHECKOUT + STEPS["plain"]
    assert [r["colour"] for r in session(text)] == ["green", "red"]
    (result,) = session(HEAD + "      - {run: 'true', since-2030: yes}\n", PULLS[:1])
    assert (result["colour"], result["unknown"]) == ("no run", True)


def test_a_fork_has_no_secrets_and_says_where_it_is_from():
    show = '      - env: {KEY: "${{ secrets.KEY }}"}\n        run: echo "${#KEY} ${{ github.event.pull_request.head.repo.full_name == github.repository }}"\n'
    pulls = [{**PULLS[0], "secrets": {"KEY": "four"}}, {**PULLS[0], "name": "fork", "fork": True}]
    assert [r["steps"][-1]["said"] for r in run(show, pulls)] == ["4 true", "0 false"]


def test_a_workflow_that_nobody_starts_has_no_colour():
    (result,) = session(HEAD.replace("pull_request", "push", 1) + STEPS["plain"], PULLS[:1])
    assert result["colour"] == "no run"


def test_whoever_waits_is_told_of_each_pull_request(monkeypatch):
    told = []
    monkeypatch.setattr(waiting, "_listeners", [lambda *said: told.append(said)])
    text = HEAD + STEPS["plain"].replace("test ! -e bad", "true") + f"      - run: echo {uuid4()}\n"
    session(text, before=2, of=9)
    assert [t[:2] for t in told] == [(2, 9), (2, 9), (3, 9), (4, 9)]
    assert sorted(t[2] for t in told[2:]) == ["green: bad", "green: good"]


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
            capture_output=True,
            text=True,
        )
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


@pytest.mark.parametrize(("first", "second"), [(11, 28), (101, 100), (99_999, 302), (3, 4)])
def test_two_data_sets_try_every_kind_and_are_never_both_the_short_one(first, second):
    kinds = [[p.kind for p in pull_requests(seed)] for seed in (first, second)]
    assert list(ORDER) in kinds and kinds[0][:1] == kinds[1][:1] == ["good"]
    assert list(AGAIN) in kinds or kinds == [list(ORDER)] * 2


def test_the_learners_two_data_sets_are_in_other_places():
    assert not {p.title for p in pull_requests(11)} & {p.title for p in pull_requests(28)}


# ---------------------------------------------------------------- masks, named


def tried(kind: str, commands: list[dict] | None = None, result: str = "success", name: str = "S") -> Tried:
    steps = [{"job": "one", "cell": "one", "name": name, "result": result, "said": "", "seconds": 0}]
    return Tried(
        _variants(kind)[0], {"colour": "green", "decided": "", "steps": steps, "commands": commands or [], "artefacts": []}
    )


def step(run: str, **more) -> str:
    return yaml.safe_dump({"jobs": {"one": {"steps": [{"name": "S", "run": run, **more}]}}})


GOOD = tried("good")
UNIT, DATA = ["unit_test.shopflow.fact_sales.a", "pass", 0], ["test.shopflow.not_null_a", "pass", 0]


@pytest.mark.parametrize(
    ("text", "row", "cause"),
    [
        (step("pytest -q || true"), tried("python"), "or-true"),
        (step("pytest -q; exit 0"), tried("python"), "or-true"),
        (step("pytest -q | tee log"), tried("python"), "pipe"),
        (step("pytest -q | tee log", shell="bash"), tried("python"), "stays-green"),
        (step("set -o pipefail\npytest -q | tee log"), tried("python"), "stays-green"),
        (step("set +e\npytest -q\necho done"), tried("python"), "set-e-off"),
        (step("pytest -q &"), tried("python"), "background"),
        (step("echo a || true\npytest -q"), tried("python"), "stays-green"),
        (step("pytest -q", **{"continue-on-error": True}), tried("python", result="failure"), "continue-on-error"),
        (step("pytest -q", **{"if": False}), tried("python", result="skipped"), "never-runs"),
        (step("pytest -q", **{"if": "github.event_name == 'push'"}), tried("python", name="another"), "never-runs"),
        (step("pytest --collect-only"), tried("python"), "collect-only"),
        (step("echo no"), tried("python"), "missing"),
        ("# pytest -q\n" + step("echo no"), tried("python"), "commented-out"),
        (step("# pytest -q\necho no"), tried("python"), "missing"),
        (step("ruff format ."), tried("format"), "reformats"),
        (step("sqlfluff lint dbt --nofail"), tried("style"), "exit-zero"),
        (
            step("dbt build"),
            tried("data test", [{"arguments": ["build", "--empty"], "exit": 0, "nodes": [DATA]}]),
            "empty-build",
        ),
        (
            step("dbt test -s tag:x"),
            tried("data test", [{"arguments": ["test"], "exit": 0, "nodes": None}]),
            "selects-nothing",
        ),
        (
            step("dbt build"),
            tried("data test", [{"arguments": ["build"], "exit": 0, "nodes": [["model.a.b", "success", 0]]}]),
            "never-tested",
        ),
        (step("dbt build"), tried("unit test", [{"arguments": ["build"], "exit": 0, "nodes": [DATA]}]), "no-unit-tests"),
        (
            step("dbt build"),
            tried("data test", [{"arguments": ["build"], "exit": 0, "nodes": [UNIT, ["test.a.b", "warn", 3]]}]),
            "warns-only",
        ),
    ],
)
def test_what_kept_a_bad_change_green_is_named(text, row, cause):
    assert gate.mask(gate.of_github({CI: text}, CI), row, GOOD)[0] == cause


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("Makefile", "check:\n\t-pytest -q\n", "make-ignores"),
        ("Makefile", "check:\n\tpytest -q || true\n", "or-true"),
        ("ci/check.sh", "pytest -q\necho done\n", "no-errexit"),
        ("ci/check.sh", "set -e\npytest -q | tee log\n", "pipe"),
        ("ci/check.sh", "set -eo pipefail\npytest -q | tee log\n", "stays-green"),
        (
            ".github/actions/check/action.yml",
            "runs: {using: composite, steps: [{shell: bash, run: pytest -q || true}]}\n",
            "or-true",
        ),
    ],
)
def test_a_mask_in_another_file_of_the_learners_is_found_there(name, text, cause):
    uses = yaml.safe_dump({"jobs": {"one": {"steps": [{"uses": "./.github/actions/check"}, {"run": "make check"}]}}})
    found = gate.mask(gate.of_github({CI: uses, name: text}, CI), tried("python"), GOOD)
    assert found[0] == cause
    assert cause == "stays-green" or name in found[1]


@pytest.mark.parametrize(
    ("text", "system", "cause"),
    [
        ("continue-on-error: true", masks.GITHUB, "continue-on-error"),
        ("continue-on-error: false", masks.GITHUB, None),
        ("allow_failure: true", masks.GITLAB, "allow-failure"),
        ("allow_failure: true", masks.JENKINS, None),
        ("catchError(buildResult: 'SUCCESS') {", masks.JENKINS, "caught"),
        ("catchError {", masks.JENKINS, None),
        ("sh(script: 'x', returnStatus: true)", masks.JENKINS, "returned"),
        ("# allow_failure: true", masks.GITLAB, None),
    ],
)
def test_each_system_has_words_of_its_own_for_overlooking(text, system, cause):
    found = masks.in_system(text, system)
    assert (found.mask.cause if found else None) == cause


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (("on: pull_request", "on: push"), "trigger"),
        (("on: pull_request", "on: pull_request_target"), "trigger"),
        (("on: pull_request", "on: {pull_request: {paths: [dbt]}}"), "path-filter"),
        (("on: pull_request", "on: {pull_request: {branches: [main]}}"), "branch-filter"),
        (("on: pull_request", "on: {pull_request: {branches: ['*']}}"), "branch-filter"),
        (("on: pull_request", "on: {pull_request: {branches-ignore: ['release/**']}}"), "branch-filter"),
        (("on: pull_request", "on: {pull_request: {types: [opened]}}"), "type-filter"),
        (("permissions: {contents: read}\n", ""), "default-token"),
        (("permissions: {contents: read}", "permissions: write-all"), "write-token"),
        (("permissions: {contents: read}", "permissions: {}"), "no-read"),
        (("    timeout-minutes: 5\n", ""), "no-timeout"),
    ],
)
def test_the_frame_of_a_gate(change, cause):
    text = HEAD + CHECKOUT + STEPS["plain"]
    assert workflow.frame_problems(workflow.read(text, CI)) == []
    assert [c for c, _ in workflow.frame_problems(workflow.read(text.replace(*change), CI))] == [cause]


@pytest.mark.parametrize(
    "on",
    [
        "{pull_request: {branches: ['**']}}",
        "{pull_request: {branches: ['*', 'release/*']}}",
        "{pull_request: {types: [opened, synchronize, reopened, labeled]}}",
    ],
)
def test_a_filter_that_lets_every_pull_request_through_is_none(on):
    text = HEAD.replace("on: pull_request", f"on: {on}") + CHECKOUT + STEPS["plain"]
    assert workflow.frame_problems(workflow.read(text, CI)) == []


@pytest.mark.parametrize(
    "text", ["${{ secrets.X }}", "${{ secrets['X'] }}", '${{ secrets["X"] }}', "a ${{ format('{0}', secrets.X) }} b"]
)
def test_a_secret_is_seen_however_it_is_written(text):
    assert workflow.secrets_in({"env": [text]}) == ["X"]
    assert workflow.secrets_in("secrets.X without an expression") == []


def test_an_excerpt_keeps_the_line_that_tells():
    words = "\n".join(
        [f"{n} of 61 OK" for n in range(40)] + ["Failure in test a_b", "  Got 3 results"] + [f"line {n}" for n in range(80)]
    )
    assert "Failure in test a_b\n  Got 3 results" in excerpts.excerpt(words)
    assert len(excerpts.excerpt(words)) < 700


@pytest.mark.parametrize(
    ("push", "starts"),
    [
        ("push:", True),
        ("push: {branches: [main]}", True),
        ("push: {branches: 'ma*'}", True),
        ("push: {branches: []}", False),
        ("push: {branches: [release/*]}", False),
        ("push: {branches-ignore: [main]}", False),
        ("push: {tags: ['v*']}", False),
        ("push: {tags: ['v*'], branches: [main]}", True),
        ("push: {paths: ['dbt/**']}", False),
        ("pull_request:", False),
    ],
)
def test_a_merge_starts_what_lets_main_in(push, starts):
    on = workflow.triggers(workflow.read(f"on:\n  {push}\njobs: {{a: {{steps: []}}}}\n", CI))
    assert workflow.starts_on_push(on, "main") is starts


def test_two_runs_that_ask_for_main_at_once_get_one_main():
    room = checkouts.runner_room()
    request = {"files": {f"file{n}.txt": str(uuid4()) for n in range(40)}, "own": {}}
    with ThreadPoolExecutor(4) as pool:
        made = {pool.submit(checkouts.main_of, room, request) for _ in range(4)}
        assert len({one.result() for one in made}) == 1
