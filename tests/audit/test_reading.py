"""What is read, counted and never timed; what is not read is named; names that are none; work that grows with the files."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import dataops_audit as audit
from dataops_audit import card, history, judge, linters, printable, project_checks, report, secrets, tree
from dataops_audit.findings import Seen
from dataops_audit.tree import plant

Folder = Callable[[dict[str, str | bytes]], Path]
KEY = "AKIA" + "Q3EGRTZJ7WMB5XKD"
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}


def rules(found: audit.Report) -> set[str]:
    return {one.rule for one in found.findings}


def unread(found: audit.Report) -> dict[str, str]:
    return {path: why for path, why in found.skipped if "not read" in why or "could not be read" in why}


# counted, not timed --------------------------------------------------------------------------------------------------


def test_no_clock_decides_what_is_read() -> None:
    """The only clocks are those after which another program is said to hang."""
    package = Path(report.__file__).parent
    asking = set()
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith(("time.", "datetime.")):
                asking.add(path.name)
    assert asking == {"linters.py"}
    assert min(history.SECONDS, linters.SECONDS, project_checks.SECONDS) >= 300


def test_a_slow_machine_gives_the_same_score(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"src/a{n}.py": f"import os\nTOKEN_{n} = os.environ['A_TOKEN']\n" for n in range(30)}
    files |= {"tests/test_a.py": "def test_a():\n    assert f() == 1\n", "z.py": f'KEY = "{KEY}"\n'}
    root = folder(files)
    quick = audit.audit(root)
    now, slow = time.monotonic(), iter(range(0, 10**9, 3_600))
    monkeypatch.setattr(time, "monotonic", lambda: now + next(slow))
    assert audit.audit(root).json() == quick.json()


def test_what_does_not_fit_in_is_named_and_the_rest_is_always_the_same(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "MOST_TEXT", 1_000)
    files = {f"data/{n}.txt": "x" * 400 for n in range(5)} | {"load.py": "x = 1\n" * 50, "a.sql": "select 1\n" * 30}
    found = audit.audit(folder(files))
    assert sorted(unread(found)) == [f"data/{n}.txt" for n in range(1, 5)]  # what people write is read first
    assert found.json() == audit.audit(folder(files)).json()


def test_a_reader_of_python_says_what_it_left(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "MOST_PARSED", 200)
    found = audit.audit(folder({f"tests/test_{n}.py": "def test_a():\n    assert f() == 1\n" * 2 for n in range(9)}))
    left = [path for path, why in found.skipped if "for its tests" in why]
    assert left == sorted(left) and "tests/test_8.py" in left and "tests/test_0.py" not in left


def test_a_linter_is_given_what_it_can_take_and_the_rest_is_named(folder: Folder) -> None:
    large = jobs(1_000, "  j{n}:\n    runs-on: x\n    needs: [j{last}]\n    steps:\n      - run: pytest tests/{n}\n")
    files = {".github/workflows/large.yml": large, ".github/workflows/small.yml": jobs(1, "  a:\n    steps: []\n")}
    files["Dockerfile"] = "FROM python:3.11\n" + "RUN pip install a\n" * 2_000
    found = audit.audit(folder(files))
    assert {path for path, why in found.skipped if "not given to zizmor" in why} == {".github/workflows/large.yml"}
    assert {path for path, why in found.skipped if "not given to hadolint" in why} == {"Dockerfile"}


def test_git_that_never_answers_gives_no_score(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder({"a.sql": "select 1\n"})
    subprocess.run(["git", "init", "--quiet", str(root)], check=True, env=GIT)
    run = subprocess.run

    def hangs(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        if "log" in command:
            raise subprocess.TimeoutExpired(command, 1)
        return run(command, **options)

    monkeypatch.setattr(history.subprocess, "run", hangs)
    with pytest.raises(audit.NothingToAudit, match="git log gave no answer"):
        audit.audit(root)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on processor time")
def test_a_check_of_the_project_that_hangs_is_no_failed_one(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_checks, "SECONDS", 0.01)
    found = audit.audit(folder({"test_a.py": "import time\ndef test_a():\n    time.sleep(5)\n"}), run=True)
    assert not {"tests.fail", "tests.pass"} & rules(found)
    assert any(path == "(pytest)" and "still running" in why for path, why in found.skipped)


# no secret found -----------------------------------------------------------------------------------------------------


def test_no_secret_is_said_of_the_files_that_were_searched(folder: Folder) -> None:
    found = audit.audit(folder({"a.py": "x = 1\n", "b.sql": "select 1\n", "c.csv": "a\n1\n", "d.png": b"\x89PNG\0"}))
    (clean,) = [one for one in found.findings if one.rule == "sec.clean"]
    assert "in 2 files" in clean.what and "2 others" in clean.what


LISTED = {
    "a secret": {"a.py": 'PASSWORD = "Wint3rIsC0ming!"\n'},
    "a secret in a test": {"tests/test_a.py": 'PASSWORD = "Wint3rIsC0ming!"\n'},
    "a throw-away password": {
        "docker-compose.yml": "services:\n  db:\n    environment:\n      POSTGRES_PASSWORD: postgres\n"
    },
    "an address with a placeholder": {"a.py": 'URL = "mongodb://user:pass@db.shop.io:27017"\n'},
    "an env file": {".env": "PORT=8080\n"},
    "a password in an image": {"Dockerfile": "FROM a\nENV DB_PASSWORD=Wint3rIsC0ming\n"},
    "a state": {"terraform.tfstate": '{"version": 4}\n'},
}


@pytest.mark.parametrize("case", LISTED)
def test_no_secret_is_never_said_beside_a_listed_one(folder: Folder, case: str) -> None:
    found = audit.audit(folder({"b.sql": "select 1\n", **LISTED[case]}))
    assert "sec.clean" not in rules(found) and "No secret was found" not in found.text()


@pytest.mark.parametrize("name", ["dump.sql", "prod.env", "notes.txt", "big.csv", "data.json"])
def test_a_text_of_50_mb_is_said_to_be_unread(folder: Folder, name: str) -> None:
    root = folder({"a.sql": "select 1\n", name: f"KEY={KEY}\n"})
    with (root / name).open("a") as file:
        for _ in range(50):
            file.write("select 1;\n" * 100_000)
    found = audit.audit(root)
    assert "50.0 MB" in unread(found)[name] and name in found.text()
    assert "sec.clean" not in rules(found)


def test_a_large_picture_is_no_text(folder: Folder) -> None:
    found = audit.audit(folder({"a.sql": "select 1\n", "a.bin": bytes(2_000_000), "b.xyz": b"x\0" * 1_000_000}))
    assert unread(found) == {} and "sec.clean" in rules(found)


def test_a_file_that_may_not_be_read_is_unread(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder({"a.sql": "select 1\n", "b.sql": "select 2\n"})
    opened = Path.open

    def refused(path: Path, *arguments: object, **named: object) -> object:
        if path.name == "b.sql":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **named)

    monkeypatch.setattr(Path, "open", refused)
    found = audit.audit(root)
    assert "Permission denied" in unread(found)["b.sql"] and "sec.clean" not in rules(found)


def test_a_file_that_git_keeps_and_the_folder_does_not_is_unread(folder: Folder) -> None:
    root = folder({"a.sql": "select 1\n", "b.sql": "select 2\n"})
    for arguments in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", "-C", str(root), *arguments], check=True, env=GIT)
    (root / "b.sql").unlink()
    assert "sec.clean" not in rules(audit.audit(root))


# names ---------------------------------------------------------------------------------------------------------------

NAMES = {
    "escape codes": b"a\x1b[31m\x1b]0;owned\x07.py",
    "carriage return": b"a\r.py",
    "newline": b"a\nNo secret was found.py",
    "eight-bit codes": "a\u009b31m.py".encode(),
    "right to left": "a\u202eyp.py".encode(),
    "line separator": "a\u2028b.py".encode(),
    "Latin-1": b"gr\xf6\xdfe.py",
    "broken UTF-8": b"a\xff\xfe\xc3.py",
    "half a character": b"a\xed\xa0\x80.py",
}


def named(root: Path, name: bytes) -> Path:
    root.mkdir(exist_ok=True)
    try:
        (root / os.fsdecode(name)).write_bytes(f'KEY = "{KEY}"\n'.encode())
    except OSError:
        pytest.skip("this file system refuses such a name")
    return root


def is_harmless(text: str) -> bool:
    text.encode("utf-8")
    return printable.shown(text) == text


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
@pytest.mark.parametrize("kind", ["folder", "checkout", "bare"])
@pytest.mark.parametrize("case", NAMES)
def test_a_file_of_any_name_is_read_and_its_name_does_nothing(tmp_path: Path, case: str, kind: str) -> None:
    root = named(tmp_path / "project", NAMES[case])
    if kind != "folder":
        git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@shopflow.example"]
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
            subprocess.run([*git, *arguments], check=True, env=GIT)
    if kind == "bare":
        subprocess.run(["git", "clone", "-q", "--bare", str(root), str(tmp_path / "b.git")], check=True, env=GIT)
        root = tmp_path / "b.git"
    found = audit.audit(root)
    (secret,) = [one for one in found.findings if one.rule == "sec.secret"]
    assert os.fsencode(secret.file) == NAMES[case]
    for text in (found.text(), found.html(), found.json()):
        assert is_harmless(text)
    again = json.loads(found.json())["practices"][-1]["findings"]
    assert any(one["rule"] == "sec.secret" and one["file"] == secret.file for one in again)  # JSON keeps the very name


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_a_name_that_was_not_looked_at_does_nothing_either(tmp_path: Path) -> None:
    root = named(tmp_path / "project\x1b[2J", b"a.py")
    (root / "b\x1b[31m\n.py").symlink_to("a.py")
    found = audit.audit(root)
    assert any("symbolic" in why for _, why in found.skipped)
    for text in (found.text(), found.html(), found.json()):
        assert is_harmless(text)
    assert r"\x1b[31m\n.py: a symbolic link" in found.text()


@pytest.mark.skipif(sys.platform == "win32", reason="names are Unicode there")
def test_the_command_says_no_raw_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main(str(tmp_path / "gone\x1b[31m")) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_what_a_finding_quotes_does_nothing(folder: Folder) -> None:
    files = {"models/a\x1b[31m.sql": "select * from prod.raw.orders\n", "dbt_project.yml": "name: x\n"}
    files[".github/workflows/a.yml"] = 'on: pull_request\njobs:\n  "a":\n    steps:\n      - uses: "x/y\\e[31m@main"\n'
    found = audit.audit(folder(files))
    assert all(is_harmless(one.what) for one in found.findings)


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a\x1b[0m", r"a\x1b[0m"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
        ("\u202e", r"\u202e"),
        ("größe € 漢", "größe € 漢"),
    ],
)
def test_what_is_shown_of_a_text(text: str, safe: str) -> None:
    assert printable.shown(text) == safe


# work that grows with the files, and no faster -----------------------------------------------------------------------


def jobs(count: int, body: str) -> str:
    return "on: pull_request\njobs:\n" + "".join(body.format(n=n, last=max(0, n - 1)) for n in range(count))


GROWING: dict[str, Callable[[int], dict[str, str | bytes]]] = {
    "jobs": lambda n: {
        ".github/workflows/a.yml": jobs(n, "  j{n}:\n    needs: j{last}\n    steps:\n      - run: dbt build\n")
    },
    "jobs that wait for one that never runs": lambda n: {
        ".github/workflows/a.yml": jobs(n, "  j{n}:\n    needs: j{last}\n    steps:\n      - run: pytest\n")
        + "    if: false\n"
    },
    "jobs in the wrong order": lambda n: {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n"
        + "".join(f"  j{k}:\n    needs: j{k + 1}\n    steps:\n      - run: pytest\n" for k in range(n))
        + f"  j{n}:\n    if: false\n    steps:\n      - run: pytest\n"
    },
    "jobs that call make": lambda n: {
        ".github/workflows/a.yml": jobs(n, "  j{n}:\n    steps:\n      - run: make t{n}\n"),
        "Makefile": "".join(f"t{k}:\n\tpytest t{k}\n" for k in range(n)),
    },
    "jobs with selectors": lambda n: {
        ".github/workflows/a.yml": jobs(n, "  j{n}:\n    steps:\n      - run: dbt build --select m{n} tag:t{n}\n"),
        "dbt_project.yml": "name: a\n",
        "models/a.yml": "models:\n" + "".join(f"  - name: m{k}\n    tags: [t{k}]\n" for k in range(n)),
    },
    "masked steps": lambda n: {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n"
        + "".join(f"      - id: s{k}\n        run: pytest || true\n        continue-on-error: true\n" for k in range(n))
    },
    "jobs of GitLab": lambda n: {".gitlab-ci.yml": "".join(f"j{k}:\n  extends: .b\n  script: [pytest]\n" for k in range(n))},
    "jobs of CircleCI": lambda n: {
        ".circleci/config.yml": "jobs:\n" + "".join(f"  j{k}:\n    steps:\n      - run: pytest\n" for k in range(n))
    },
    "commands of a script": lambda n: {
        "ci.py": "import subprocess\n" + "".join(f"c{k} = ['pytest', 'a']\nsubprocess.run(c{k})\n" for k in range(n)),
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - run: python ci.py\n",
    },
    "cells of a notebook": lambda n: {
        "a.ipynb": json.dumps(
            {"cells": [{"cell_type": "code", "source": [f"PASSWORD = 'S3cr3tVal{k}x'\n"]} for k in range(n)]}
        )
    },
    "headings": lambda n: {"docs/runbook.md": "".join(f"## Rollback {k}\n1. run `dbt build`\n" for k in range(n))},
    "policies": lambda n: {
        f"m{k}.tf": f'data "aws_iam_policy_document" "d{k}" {{\n  statement {{\n    actions = ["s3:*"]\n  }}\n}}\n'
        f'resource "aws_kms_key" "k{k}" {{\n  policy = data.aws_iam_policy_document.d{k}.json\n}}\n'
        for k in range(n)
    },
    "dbt projects": lambda n: {
        f"p{k}/{name}": text
        for k in range(n)
        for name, text in (("dbt_project.yml", f"name: p{k}\n"), ("models/m.sql", "select 1\n"))
    },
    "workflows": lambda n: {
        f".github/workflows/a{k}.yml": "on: {push: {paths: ['src/**']}}\njobs:\n  a:\n    steps:\n      - run: pytest\n"
        for k in range(n)
    },
    "tests that only warn": lambda n: {
        "dbt_project.yml": "name: a\n",
        "models/a.sql": "select 1\n",
        "models/a.yml": "models:\n  - name: a\n    columns:\n"
        + "".join(
            f"      - name: c{k}\n        data_tests:\n          - unique:\n              config: {{severity: warn}}\n"
            + "          - not_null\n" * 9
            for k in range(n)
        ),
    },
}


def calls(root: Path) -> int:
    """How many functions are called until a folder is scored: work that no other process on the machine disturbs."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        ground, seen = plant(root), Seen()
        for reader in report._readers():
            reader(ground, seen)
        judge.what_is_missing(ground, seen)
        card.score(seen.findings)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("case", GROWING)
def test_work_grows_with_the_files_and_no_faster(tmp_path: Path, case: str) -> None:
    counts = []
    for number in (10, 60, 120, 240):  # the first fills what is made once
        for name, text in GROWING[case](number).items():
            path = tmp_path / str(number) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(str(text), encoding="utf-8")
        counts.append(calls(tmp_path / str(number)))
    assert counts[3] - counts[2] < 2.4 * (counts[2] - counts[1]), counts


ENDLESS: dict[str, dict[str, str | bytes]] = {
    "functions that call each other twice": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - run: |\n"
        + "".join(f"          f{k}() {{ f{k + 1}; f{k + 1}; }}\n" for k in range(40))
        + "          f0\n"
    },
    "a function that asks itself": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - run: |\n"
        "          f() { g; }\n          g() { f; }\n          pytest || f\n"
    },
    "targets that need each other twice": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - run: make t0\n",
        "Makefile": "".join(f"t{k}: t{k + 1} u{k + 1}\nu{k}: t{k + 1} u{k + 1}\n" for k in range(60)) + "t60:\n\tpytest\n",
    },
    "references to references": {
        ".gitlab-ci.yml": "".join(f".b{k}:\n  script:\n" + f"    - !reference [.b{k + 1}, script]\n" * 9 for k in range(20))
        + "j:\n  script:\n    - !reference [.b0, script]\n"
    },
    "tasks of tasks": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - run: task t0\n      - run: poe t0\n",
        "Taskfile.yml": "tasks:\n" + "".join(f"  t{k}:\n    deps: [t{k + 1}, t{k + 1}, t{k + 1}]\n" for k in range(40)),
        "pyproject.toml": "[tool.poe.tasks]\n" + "".join(f"t{k} = ['t{k + 1}', 't{k + 1}']\n" for k in range(40)),
    },
    "an action that uses itself": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - uses: ./.github/actions/a\n",
        ".github/actions/a/action.yml": "runs:\n  steps:\n" + "    - uses: ./.github/actions/a\n" * 500,
    },
    "actions that use each other": {
        ".github/workflows/a.yml": "on: pull_request\njobs:\n  a:\n    steps:\n      - uses: ./.github/actions/a\n",
        ".github/actions/a/action.yml": "runs:\n  steps:\n" + "    - uses: ./.github/actions/b\n" * 500,
        ".github/actions/b/action.yml": "runs:\n  steps:\n" + "    - uses: ./.github/actions/a\n" * 500,
    },
    "templates that use each other": {
        "azure-pipelines.yml": "steps:\n" + "- template: a.yml\n" * 300,
        "a.yml": "steps:\n" + "- template: b.yml\n" * 300,
        "b.yml": "steps:\n" + "- template: a.yml\n" * 300,
    },
}


@pytest.mark.parametrize("case", ENDLESS)
def test_files_that_call_each_other_come_to_an_end(folder: Folder, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setattr(tree, "MOST_FOLLOWED", 2_000)
    monkeypatch.setattr(report, "_guarded", lambda reader, ground, seen: reader(ground, seen))
    assert calls(folder(ENDLESS[case])) < 1_500_000


def test_a_script_is_searched_however_many_jobs_stand_before_it(folder: Folder) -> None:
    root = folder(
        {".github/workflows/a.yml": jobs(2_000, "  j{n}:\n    steps:\n      - run: echo {n}\n"), "z.sh": f"K={KEY}\n"}
    )
    seen = Seen()
    secrets.read(plant(root), seen)
    assert seen.has("sec.secret")
