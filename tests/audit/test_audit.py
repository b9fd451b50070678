"""The audit as a whole: what it says of good and bad ground, that it never writes, never stumbles, and keeps its schema."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

import dataops_audit as audit
from dataops_audit import card, report
from dataops_audit.findings import Seen
from shopflow import history

Folder = Callable[[dict[str, str | bytes]], Path]
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "PATH": os.environ["PATH"]}
WHO = ("-c", "user.name=a", "-c", "user.email=a@shopflow.example")


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *WHO, *arguments], check=True, capture_output=True, env=GIT)


def committed(root: Path) -> Path:
    git(root, "init", "--quiet", "--initial-branch=main")
    git(root, "add", "--all", "--force")
    git(root, "commit", "--quiet", "--message", "start")
    return root


@pytest.fixture(autouse=True)
def no_stumble(monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests a reader's error is an error; for a user it is a line among what was skipped."""

    def strict(reader: Callable[..., None], tree: object, seen: Seen) -> None:
        reader(tree, seen)

    monkeypatch.setattr(report, "_guarded", strict)


def dangers(found: audit.Report) -> list[str]:
    rules = card.load().rules
    return [
        f"{one.rule} {one.file}:{one.line} {one.what}"
        for one in found.findings
        if rules[one.rule].kind == "danger" and one.sure != "possible"
    ]


# what it says -------------------------------------------------------------------------------------------------------


def test_the_finished_shop_holds_no_danger(tmp_path: Path) -> None:
    history.make(tmp_path / "shop")
    found = audit.audit(tmp_path / "shop")
    assert dangers(found) == []
    levels = {one.practice.key: one.level for one in found.scored}
    assert levels["version_control"] >= 2 and levels["tests"] >= 3


def test_nothing_of_the_course_itself_is_reported_as_certain_secret(tmp_path: Path) -> None:
    root = Path(report.__file__).parent
    assert [
        one for one in audit.audit(root).findings if one.rule in ("sec.secret", "sec.private-key") and one.sure == "certain"
    ] == []


BAD = {
    ".github/workflows/ci.yml": "on: pull_request\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: dbt build || true\n",
    "dbt_project.yml": "name: x\n",
    "models/a.sql": "select * from prod.raw.orders\n",
    "main.tf": (
        'resource "aws_iam_policy" "a" {\n  policy = jsonencode({ Statement = [{ Effect = "Allow", '
        'Action = "*", Resource = "*" }] })\n}\n'
    ),
    "load.py": 'PASSWORD = "Wint3rIsC0ming!"\n',
    "terraform.tfstate": '{"version": 4}\n',
}


def test_a_bad_folder_is_told_what_to_do_first(folder: Folder) -> None:
    found = audit.audit(folder(BAD))
    seen_rules = {one.rule for one in found.findings}
    assert {"ci.masked", "env.hard-coded", "sec.full-access", "sec.secret", "iac.state-committed"} <= seen_rules
    first = card.first_fixes(found.findings)
    assert len(first) == 5
    assert {card.load().rules[one.rule].risk for one in first[:4]} == {5}


def test_points_are_lost_once_a_rule(folder: Folder) -> None:
    one = audit.audit(folder({"a.py": 'PASSWORD = "Wint3rIsC0ming!"\n', "b.sql": "select 1\n"}))
    two = audit.audit(folder({"a.py": 'PASSWORD = "Wint3rIsC0ming!"\nTOKEN_PASSWORD = "Wint3rIsC0ming!"\n'}))
    assert one.score == two.score


# the card -----------------------------------------------------------------------------------------------------------


def test_the_card_is_whole() -> None:
    found = card.load()
    assert len(found.practices) == 10
    assert all(len(one.levels) == 5 for one in found.practices.values())
    for rule in found.rules.values():
        assert rule.practice in found.practices and rule.kind in card.KINDS
        assert re.fullmatch(r"0[1-9]|1[0-3]", rule.module)
        assert rule.why.endswith(".") and (rule.kind == "good") == (rule.cure == "")
        assert rule.points > 0 or rule.kind == "gap"


def test_every_rule_of_the_card_is_used_and_every_used_rule_is_on_it() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in Path(report.__file__).parent.glob("*.py"))
    used = set(re.findall(r"\"((?:vc|tests|ci|env|iac|box|run|obs|inc|sec)\.[a-z-]+)\"", code))
    assert used == set(card.load().rules)


def test_each_practice_can_reach_the_top() -> None:
    found = card.load()
    for key in found.practices:
        assert (
            sum(rule.points for rule in found.rules.values() if rule.practice == key and rule.kind == "good")
            >= found.levels_from[-1]
        )


# odd ground ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda root: root / "missing", "nothing here"),
        (lambda root: root, "without a single file"),
        (lambda root: (root / "empty.txt").touch() or root / "empty.txt", "empty file"),
    ],
)
def test_nothing_to_audit(
    tmp_path: Path, make: Callable[[Path], Path], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(str(make(tmp_path))) == 2
    out, err = capsys.readouterr()
    assert out == "" and said in err and str(tmp_path) not in err


def test_an_empty_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(audit.NothingToAudit, match="committed or waiting"):
        audit.audit(tmp_path)


def test_a_bare_repository_reads_as_its_checkout_does(folder: Folder, tmp_path: Path) -> None:
    root = committed(folder(BAD))
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(root), str(bare)], check=True, env=GIT)
    assert {(one.rule, one.file, one.line) for one in audit.audit(bare).findings} == {
        (one.rule, one.file, one.line) for one in audit.audit(root).findings
    }


def test_a_repository_without_its_files_is_read_from_its_last_commit(folder: Folder) -> None:
    root = committed(folder({"a.sql": "select 1\n", "b/c.sql": "select 2\n"}))
    git(root, "rm", "-r", "--quiet", "--cached", ".")
    for path in root.rglob("*.sql"):
        path.unlink()
    assert audit.audit(root).files == 2


def test_one_file(folder: Folder) -> None:
    found = audit.audit(folder(BAD) / "main.tf")
    assert "sec.full-access" in {one.rule for one in found.findings}
    assert all(one.file == "main.tf" for one in found.findings)


def test_a_picture_is_nothing_to_audit(folder: Folder) -> None:
    with pytest.raises(audit.NothingToAudit, match="not a text"):
        audit.audit(folder({"a.png": b"\x89PNG" + bytes(100)}) / "a.png")


def test_a_workflow_alone_is_known_for_one(folder: Folder) -> None:
    found = audit.audit(folder(BAD) / ".github" / "workflows" / "ci.yml")
    assert "ci.masked" in {one.rule for one in found.findings}


ODD: dict[str, dict[str, str | bytes]] = {
    "broken yaml": {
        ".github/workflows/a.yml": "on: [push\njobs: {",
        "dbt_project.yml": "{{ x }}: [",
        ".gitlab-ci.yml": "\t- a",
        ".pre-commit-config.yaml": "{",
        "profiles.yml": "- a",
    },
    "wrong shapes": {
        ".github/workflows/a.yml": (
            "on: {pull_request: [1]}\njobs: {a: [], b: {steps: {}}, c: {steps: [1, {run: [a]}, {uses: {}}]}, d: null}"
        ),
        ".gitlab-ci.yml": "a: {script: {b: 1}}\nb: 3\nc: {script: [[1, [2]]], rules: {a: b}, extends: c}",
        ".circleci/config.yml": "jobs: []\nworkflows: {a: {jobs: [{}, 1]}}",
        "azure-pipelines.yml": "stages: {a: 1}\nsteps: [null, 1]",
        "dbt_project.yml": "[]",
        "models/a.yml": "models: {a: 1}\nsources: [1, {tables: 3}]\nunit_tests: [1]\nexposures: 1",
        "profiles.yml": "a: {outputs: {b: 1}}\nb: {outputs: []}",
        "docker-compose.yml": "services: {a: null, b: {volumes: {c: d}, environment: [1]}}",
        "k8s.yml": "apiVersion: 1\nkind: Job\nspec: {containers: [1, {env: [1]}]}",
        "stack.yml": (
            "Resources: {A: {Type: 'AWS::S3::Bucket', Properties: []}, B: {Type: 'AWS::RDS::DBInstance', "
            "Properties: {SecurityGroupIngress: [1]}}}"
        ),
        "rules.yml": "groups: {a: [1]}\nalert: 1",
        ".pre-commit-config.yaml": "repos: {a: 1}",
        "Taskfile.yml": "tasks: []",
    },
    "a bomb": {
        ".github/workflows/a.yml": "a: &a [x, x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9))
        + "on: push\njobs: *j\n"
    },
    "nested deep": {
        "a.yml": "[" * 20_000,
        "b.yml": "\n".join(" " * n + f"a{n}:" for n in range(500)),
        "c.tf": "a = " + "[" * 5_000,
        "d.py": "(" * 5_000,
        "e.json": "[" * 50_000,
    },
    "binary": {
        "a.yml": bytes(range(256)) * 40,
        "b.sql": b"\xff\xfe\x00\x00" * 99,
        "c.py": b"\x00\x01",
        "Dockerfile": b"\x80FROM x",
        "d.ipynb": b"\xff",
        "e.tf": b"\x00",
    },
    "no utf-8": {"a.sql": "select 'größe' -- façade".encode("latin-1"), "b.yml": "a: é".encode("utf-16")},
    "long lines": {
        "a.sql": "select " + "a," * 200_000,
        "b.py": "x = '" + "k" * 300_000 + "'",
        "c.yml": "a: " + "b" * 300_000,
        "password.env": "PASSWORD=" + "aB3" * 90_000,
    },
    "empty files": dict.fromkeys(("a.yml", "b.sql", "c.tf", "d.py", "Dockerfile", ".env", "Makefile", "x.ipynb"), b"")
    | {"z": b"z"},
    "odd names": {"a b/ü.sql": "select 1", "-rf.py": "x = 1", "$(touch x).yml": "a: b", "new\nline.sql": "select 1"},
    "a loop of targets": {
        "Makefile": "a: b\n\t$(MAKE) a\nb: a\n\tmake b\n",
        ".github/workflows/a.yml": "on: push\njobs:\n  a:\n    steps:\n      - run: make a\n",
        "x.sh": "./x.sh\nbash x.sh\n",
    },
    "workflows that call each other": {
        ".github/workflows/a.yml": "on: [push, workflow_call]\njobs:\n  a:\n    uses: ./.github/workflows/a.yml\n",
        ".github/actions/a/action.yml": "runs:\n  steps:\n    - uses: ./.github/actions/a\n",
        ".github/workflows/b.yml": "on: push\njobs:\n  a:\n    steps:\n      - uses: ./.github/actions/a\n",
    },
    "a function that calls itself": {
        ".github/workflows/a.yml": (
            "on: push\njobs:\n  a:\n    steps:\n      - run: |\n          f() { f; g; }\n          g() { f; }\n          f\n"
        )
    },
    "windows": {
        ".github/workflows/a.yml": b"on: pull_request\r\njobs:\r\n  a:\r\n    steps:\r\n      - run: |\r\n          dbt build || true\r\n"
    },
    "notebooks": {
        "a.ipynb": "[]",
        "b.ipynb": '{"cells": 3}',
        "c.ipynb": '{"cells": [1, {"cell_type": "code", "source": 3, "outputs": 4}]}',
        "d.ipynb": "{",
    },
}


@pytest.mark.parametrize("case", ODD)
def test_odd_ground_is_no_reason_to_stumble(folder: Folder, case: str) -> None:
    found = audit.audit(folder(ODD[case]))
    assert found.text() and found.html() and json.loads(found.json())


def test_links_are_not_followed(folder: Folder) -> None:
    root = folder({"a/b.sql": "select 1\n"})
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    (root / "self").symlink_to(root / "self")
    (root / "outside.py").symlink_to("/etc/passwd")
    assert audit.audit(root).files == 1


def test_what_cannot_be_read_is_told(folder: Folder) -> None:
    root = committed(folder({"a.sql": "select 1\n", "gone.sql": "select 2\n"}))
    (root / "gone.sql").unlink()
    os.mkfifo(root / "pipe")
    found = audit.audit(root)
    assert any(path == "gone.sql" for path, _ in found.skipped)


def test_a_submodule_is_named_and_left_alone(folder: Folder) -> None:
    root = folder({"a.sql": "select 1\n"})
    committed(root)
    git(root, "update-index", "--add", "--cacheinfo", "160000,1234567890123456789012345678901234567890,lib")
    assert ("lib", "a submodule: somebody else's repository, not entered") in audit.audit(root).skipped


def test_a_broken_repository_is_read_as_a_folder(folder: Folder) -> None:
    root = folder({"a.sql": "select 1\n", ".git": "gitdir: /nowhere\n"})
    found = audit.audit(root)
    assert found.kind == "folder" and any("not a repository" in why for _, why in found.skipped)


def test_hooks_and_settings_of_the_repository_do_not_run(folder: Folder, tmp_path: Path) -> None:
    root = committed(folder({"a.sql": "select 1\n"}))
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "core.sshCommand", "gpg.program", "credential.helper"):
        git(root, "config", key, str(trap))
    git(root, "config", "log.showSignature", "true")
    audit.audit(root)
    assert not (tmp_path / "sprung").exists()


def test_nothing_is_written(folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = committed(folder(BAD))
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")}
    assert audit.main(str(root), html=str(tmp_path / "report.html")) == 0
    assert audit.main(str(root), html=str(root / "report.html")) == 2
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in root.rglob("*")} == before


# faces --------------------------------------------------------------------------------------------------------------


def test_the_schema_is_stable(folder: Folder) -> None:
    found = json.loads(audit.audit(folder(BAD)).json())
    assert set(found) == {
        "version",
        "name",
        "kind",
        "files",
        "score",
        "out_of",
        "practices",
        "first",
        "checks",
        "more",
        "tools",
        "skipped",
        "skipped_count",
    }
    assert set(found["tools"]) == {"at_hand", "missing"}
    for practice in found["practices"]:
        assert {"key", "name", "level", "meaning", "points", "out_of", "findings"} == set(practice)
        for one in practice["findings"]:
            assert {"practice", "kind", "rule", "file", "line", "what", "why", "module", "sureness"} <= set(one)
            assert one["kind"] in card.KINDS and one["line"] >= 1 and one["practice"] == practice["key"]


def test_no_absolute_path_and_no_secret_leaves_the_report(folder: Folder, tmp_path: Path) -> None:
    found = audit.audit(folder(BAD))
    for text in (found.json(), found.text(), found.html()):
        assert str(tmp_path) not in text and "Wint3rIsC0ming" not in text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        self.ids.add(given.get("id") or "")


def test_the_page_needs_nothing_else(folder: Folder) -> None:
    root = folder({**BAD, "<script>alert(1)<.py": 'PASSWORD = "Wint3rIsC0ming!"\n'})
    text = audit.audit(root).html()
    page = _Page()
    page.feed(text)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    assert "<script" not in text and 'lang="en"' in text and "prefers-color-scheme" in text


def test_the_command(folder: Folder) -> None:
    root = folder(BAD)
    done = subprocess.run(
        [sys.executable, "-m", "dojo.cli", "audit", str(root), "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and json.loads(done.stdout)["name"] == root.name


# with --run ---------------------------------------------------------------------------------------------------------


def test_code_of_the_repository_runs_only_when_asked(folder: Folder, tmp_path: Path) -> None:
    files = {
        "test_a.py": f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\ndef test_a():\n    assert 1 + 1 == 2\n",
        "a.sql": "select 1\n",
    }
    root = folder(files)
    audit.audit(root)
    assert not (tmp_path / "ran").exists()
    found = audit.audit(root, run=True)
    assert (tmp_path / "ran").exists() and "tests.pass" in {one.rule for one in found.findings}
    assert sorted(path.name for path in root.iterdir()) == ["a.sql", "test_a.py"]


def test_failing_tests_are_told(folder: Folder) -> None:
    found = audit.audit(folder({"test_a.py": "def test_a():\n    assert 1 + 1 == 3\n"}), run=True)
    assert "tests.fail" in {one.rule for one in found.findings}


@pytest.mark.parametrize(
    ("text", "told"),
    [("AWS_SECRET_ACCESS_KEY=" + "wJ4rXUtnFEMI7K7MDENG" + "bPxRfiCYz9Q2LmTqAv8s\n", True), ("PORT=8080\n", False)],
)
def test_a_deleted_secret_is_still_in_the_history(folder: Folder, text: str, told: bool) -> None:
    root = committed(folder({".env": text, "a.sql": "select 1\n"}))
    git(root, "rm", "--quiet", ".env")
    git(root, "commit", "--quiet", "--message", "clean up")
    assert any("history still holds" in one.what for one in audit.audit(root).findings) is told
