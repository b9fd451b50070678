"""Kept results of a CI step's tools: the same files and command give the same, anything else runs anew."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from dojo.ci import checkouts
from dojo.tools import remembered

PROFILE = "shopflow: {target: ci}\n"


@pytest.fixture
def step(tmp_path, monkeypatch):
    """A step's surroundings: ShopFlow's own files beside the pool, a journal, a folder of kept results, a warehouse elsewhere."""
    original = tmp_path / "room" / remembered.ORIGINALS / "shopflow" / "ci"
    original.mkdir(parents=True)
    (original / "profiles.yml").write_text(PROFILE)
    (original / "load_sample.py").write_text("print('loads')\n")
    (original.parent / "dbt").mkdir()
    (original.parent / "dbt" / "dbt_project.yml").write_text("name: shop\n")
    (original.parent / "tests").mkdir()
    (original.parent / "tests" / "test_load.py").write_text("def test_it(): ...\n")
    (tmp_path / "journal").mkdir()
    monkeypatch.setenv(remembered.FOLDER, str(tmp_path / "kept"))
    monkeypatch.setenv("DOJO_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("SHOPFLOW_WAREHOUSE", str(tmp_path / "ci.duckdb"))
    (tmp_path / "ci.duckdb").write_bytes(b"rows")
    return tmp_path


def checkout(step: Path, name: str, monkeypatch) -> Path:
    repo = step / name
    (repo / "ci").mkdir(parents=True)
    (repo / ".git").mkdir()
    (repo / "ci" / "profiles.yml").write_text(PROFILE)
    (repo / "ci" / "load_sample.py").write_text("print('loads')\n")
    (repo / "tests").mkdir()
    (repo / "tests" / "test_load.py").write_text("def test_it(): ...\n")
    (repo / "dbt").mkdir()
    (repo / "dbt" / "model.sql").write_text("select 1\n")
    (repo / "dbt" / "dbt_project.yml").write_text("name: shop\n")
    monkeypatch.chdir(repo)
    return repo


BUILD = ["build", "--project-dir", "dbt", "--profiles-dir", "ci"]


class Tool:
    """Counts how often it ran; writes a file that names its place, changes the warehouse, says something, notes it."""

    def __init__(self, step: Path, code: int = 3):
        self.step, self.code, self.ran = step, code, 0

    def __call__(self) -> int:
        self.ran += 1
        Path("dbt/target").mkdir(exist_ok=True)
        Path("dbt/target/manifest.json").write_text(f"built in {Path.cwd()}")
        Path("dbt/gone.txt").unlink(missing_ok=True)
        (self.step / "ci.duckdb").write_bytes(b"rows and models")
        (self.step / "journal" / f"{len(list((self.step / 'journal').iterdir())):03}-1.json").write_text('{"tool": "dbt"}')
        os.write(1, f"out of {Path.cwd()}\n".encode())
        os.write(2, b"a warning\n")
        return self.code


def run(step: Path, tool: Tool, program: str = "dbt", arguments: list[str] | None = None) -> int:
    pool = step / "room" / "parsed"
    pool.mkdir(exist_ok=True)
    return remembered.run(program, BUILD if arguments is None else arguments, pool, tool)


def test_the_same_files_give_the_same_elsewhere(step, monkeypatch, capfd):
    tool = Tool(step)
    first = checkout(step, "pr-1", monkeypatch)
    (first / "dbt" / "gone.txt").write_text("")
    assert run(step, tool) == 3
    assert "out of" in capfd.readouterr().out
    second = checkout(step, "pr-2", monkeypatch)
    (second / "dbt" / "gone.txt").write_text("")
    (step / "ci.duckdb").write_bytes(b"rows")
    (second / ".github").mkdir()
    (second / ".github" / "gate.yml").write_text("another workflow")
    assert run(step, tool) == 3
    assert tool.ran == 1
    said = capfd.readouterr()
    assert (said.out, said.err) == (f"out of {second}\n", "a warning\n")
    assert (second / "dbt" / "target" / "manifest.json").read_text() == f"built in {second}"
    assert (step / "ci.duckdb").read_bytes() == b"rows and models"
    assert not (second / "dbt" / "gone.txt").exists()
    assert len(list((step / "journal").iterdir())) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda step, repo: (repo / "dbt" / "model.sql").write_text("select 2\n"),
        lambda step, repo: (step / "ci.duckdb").write_bytes(b"other rows"),
        lambda step, repo: (repo / "dbt" / "new.sql").write_text("select 1\n"),
        lambda step, repo: os.environ.update(SHOPFLOW_DAY="2025-12-02"),
        lambda step, repo: (step / "ci.duckdb.wal").write_bytes(b"not yet in the file"),
    ],
    ids=["a model", "the warehouse", "a new file", "a variable", "a log beside the warehouse"],
)
def test_another_input_runs_anew(step, monkeypatch, change):
    monkeypatch.delenv("SHOPFLOW_DAY", raising=False)
    tool = Tool(step)
    checkout(step, "pr-1", monkeypatch)
    run(step, tool)
    repo = checkout(step, "pr-2", monkeypatch)
    (step / "ci.duckdb").write_bytes(b"rows")
    change(step, repo)
    run(step, tool)
    assert tool.ran == 2
    os.environ.pop("SHOPFLOW_DAY", None)


def test_a_variable_that_a_model_asks_for_counts(step, monkeypatch):
    tool = Tool(step)
    for number, value in enumerate(("a", "a", "b")):
        monkeypatch.setenv("TEAM", value)
        repo = checkout(step, f"pr-{number}", monkeypatch)
        (repo / "dbt" / "model.sql").write_text("select '{{ env_var('TEAM') }}'\n")
        (step / "ci.duckdb").write_bytes(b"rows")
        run(step, tool)
    assert tool.ran == 2


@pytest.mark.parametrize(
    ("program", "arguments", "change"),
    [
        ("dbt", BUILD, lambda repo: (repo / "ci" / "profiles.yml").write_text("shopflow: {path: /tmp/other}\n")),
        ("dbt", [*BUILD, "--state", "/somewhere/else"], lambda repo: None),
        ("dbt", ["build"], lambda repo: None),
        ("run-script", ["ci/load_sample.py"], lambda repo: (repo / "ci" / "load_sample.py").write_text("print(1)\n")),
        ("run-script", ["ci/check_docs.py"], lambda repo: (repo / "ci" / "check_docs.py").write_text("print(1)\n")),
        ("sqlfluff", ["fix", "dbt"], lambda repo: None),
        ("pytest", ["-q"], lambda repo: (repo / "tests" / "test_more.py").write_text("")),
        ("pytest", ["-q"], lambda repo: (repo / "tests" / "test_load.py").write_text("pass\n")),
        ("pytest", ["-q"], lambda repo: (repo / "conftest.py").write_text("")),
        ("detect-secrets-hook", [], lambda repo: None),
        ("dbt", BUILD, lambda repo: (repo / ".git").rmdir()),
    ],
    ids=[
        "a profile of one's own",
        "a path elsewhere",
        "no profile known",
        "a loader of one's own",
        "another script",
        "a tool that mends",
        "more tests",
        "other tests",
        "settings of tests",
        "a tool that reads anything",
        "no repository",
    ],
)
def test_what_is_not_known_runs_each_time(step, monkeypatch, program, arguments, change):
    tool = Tool(step)
    for number in range(2):
        change(checkout(step, f"pr-{number}", monkeypatch))
        (step / "ci.duckdb").write_bytes(b"rows")
        run(step, tool, program, arguments)
    assert tool.ran == 2


@pytest.mark.parametrize(
    ("program", "arguments"),
    [("dbt", BUILD), ("sqlfluff", ["lint", "dbt"]), ("pytest", ["-q"]), ("run-script", ["ci/load_sample.py"])],
)
def test_what_is_known_runs_once(step, monkeypatch, program, arguments):
    tool = Tool(step)
    for number in range(2):
        checkout(step, f"pr-{number}", monkeypatch)
        (step / "ci.duckdb").write_bytes(b"rows")
        run(step, tool, program, arguments)
    assert tool.ran == 1


@pytest.mark.parametrize(
    ("elsewhere", "again"),
    [
        ({"docs/on-call.md": "call Jonas"}, False),
        ({"docs/rows.csv": "1", "dbt/model.sql": "select * from 'docs/rows.csv'"}, True),
        ({"docs/a.sql": "select 3", "dbt/dbt_project.yml": "name: shop\nmodel-paths: [models, ../docs]\n"}, True),
        ({"docs/on-call.md": "call Jonas", "dbt/model.py": "def model(dbt, session): return open('docs/on-call.md')"}, True),
    ],
    ids=["what dbt does not read", "a model that reads a file", "a project that names a folder", "Python"],
)
def test_of_the_repository_counts_for_dbt_what_it_may_read(step, monkeypatch, elsewhere, again):
    tool = Tool(step)
    for number in range(2):
        repo = checkout(step, f"pr-{number}", monkeypatch)
        for name, text in elsewhere.items():
            (repo / name).parent.mkdir(exist_ok=True)
            (repo / name).write_text(text + (f"-- {number}" if name.startswith("docs/") else ""))
        (step / "ci.duckdb").write_bytes(b"rows")
        run(step, tool)
    assert tool.ran == 1 + again


def test_half_a_file_is_no_result(step, monkeypatch):
    tool = Tool(step)
    checkout(step, "pr-1", monkeypatch)
    run(step, tool)
    (kept,) = (step / "kept").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    (step / "ci.duckdb").write_bytes(b"rows")
    checkout(step, "pr-2", monkeypatch)
    assert run(step, tool) == 3
    assert tool.ran == 2


def test_two_that_keep_the_same_at_once_under_one_pid_leave_a_whole_file(step, monkeypatch):
    """As in two rooms with pids of their own: the other keeps its result while this one is in mid-write."""
    checkout(step, "pr-1", monkeypatch)
    given = remembered._Given.of("dbt", BUILD, step / "room" / remembered.ORIGINALS)
    kept, others = step / "kept" / "one", []

    class Interrupted(remembered.zipfile.ZipFile):
        def writestr(self, *told):
            if not others:
                others.append(1)
                given.keep(kept, 3, [(1, b"out " * 5000)], {}, [])
            super().writestr(*told)

    monkeypatch.setattr(remembered.zipfile, "ZipFile", Interrupted)
    given.keep(kept, 3, [(1, b"out")], {}, [])
    assert others and [path.name for path in (step / "kept").iterdir()] == ["one"]
    assert given.replayed(kept) == 3


def test_a_folder_that_is_only_lent_is_read(step, monkeypatch):
    tool = Tool(step)
    checkout(step, "pr-1", monkeypatch)
    run(step, tool)
    monkeypatch.setattr(os, "utime", refused)
    (step / "ci.duckdb").write_bytes(b"rows")
    checkout(step, "pr-2", monkeypatch)
    assert (run(step, tool), tool.ran) == (3, 1)
    monkeypatch.setattr(remembered.zipfile, "ZipFile", refused)
    checkout(step, "pr-3", monkeypatch)
    assert (run(step, tool), tool.ran) == (3, 2)


def refused(*given, **named):
    raise PermissionError("read only")


def test_the_oldest_go(step, monkeypatch):
    for number in range(4):
        repo = checkout(step, f"pr-{number}", monkeypatch)
        (repo / "dbt" / "model.sql").write_text(f"select {number}\n")
        run(step, Tool(step))
        held = sorted((step / "kept").iterdir(), key=lambda p: p.stat().st_mtime_ns)
        monkeypatch.setattr(remembered, "KEPT", 2 * held[-1].stat().st_size + 9)
    assert len(list((step / "kept").iterdir())) == 2


def test_the_same_rows_in_another_file_are_the_same_input(step, monkeypatch):
    tool = Tool(step)
    for number, (row, mark) in enumerate([(1, "a"), (1, "b"), (2, "b")]):
        (step / "ci.duckdb").unlink()
        with duckdb.connect(str(step / "ci.duckdb")) as con:
            con.execute("create table t as select ? as n, ? as _dlt_id", [row, mark])
        checkout(step, f"pr-{number}", monkeypatch)
        run(step, tool)
        assert tool.ran == (1, 1, 2)[number]


def test_a_project_that_reads_the_marks_of_a_load_runs_each_time(step, monkeypatch):
    tool = Tool(step)
    for number in range(2):
        repo = checkout(step, f"pr-{number}", monkeypatch)
        (repo / "dbt" / "model.sql").write_text("select _dlt_load_id from raw\n")
        run(step, tool)
    assert tool.ran == 2


def test_without_a_folder_nothing_is_kept(step, monkeypatch):
    monkeypatch.delenv(remembered.FOLDER)
    tool = Tool(step)
    for number in range(2):
        checkout(step, f"pr-{number}", monkeypatch)
        (step / "ci.duckdb").write_bytes(b"rows")
        run(step, tool)
    assert tool.ran == 2
    assert not (step / "kept").exists()


def test_a_run_that_is_cut_off_is_not_kept(step, monkeypatch):
    checkout(step, "pr-1", monkeypatch)

    def stopped() -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(step, stopped)
    assert not (step / "kept").exists()
    assert subprocess.run(["true"]).returncode == 0  # the descriptors are what they were


def test_two_runs_may_make_the_folder_at_once_and_an_older_one_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(checkouts, "store", lambda: tmp_path / "runs")
    (tmp_path / "remembered" / "of-yesterday").mkdir(parents=True)
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: checkouts.remembering(), range(40)))
    (mine,) = made
    assert [*(tmp_path / "remembered").iterdir()] == [mine]


def test_a_macro_in_a_warehouse_does_not_make_other_rows_the_same(tmp_path):
    held = []
    for value in (1, 2):
        path = tmp_path / f"{value}.duckdb"
        with duckdb.connect(str(path)) as con:
            con.execute(f"create table a as select {value} as x; create macro hash(x) as 7; create macro sum(x) as 7")
        held.append(remembered._rows(path))
    assert held[0] and held[0] != held[1]
