"""The workspace: restored, never overwritten without a kept copy, whoever else is at it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from dojo import notebook, workspace
from dojo.workspace import WorkspaceError


@pytest.fixture
def shop(dojo_home):
    return notebook.start("00")


def test_a_second_start_finds_the_work_as_it_was_left(shop, dojo_home):
    shop.write("docs/mine.md", "mine")
    assert notebook.start("00").read("docs/mine.md") == "mine"


def test_a_fresh_start_keeps_the_old_work_aside(shop, dojo_home):
    shop.write("docs/mine.md", "mine")
    fresh = notebook.start("00", fresh=True)
    assert not (fresh.path / "docs" / "mine.md").exists()
    assert (dojo_home / "kept" / "00-start-here-1" / "docs" / "mine.md").read_text() == "mine"
    assert "kept/00-start-here-1" in repr(fresh)


def test_what_a_write_replaces_is_kept(shop):
    for text in ("one", "two", "three"):
        shop.write("docs/promise.yml", text)
    kept = sorted((shop.path / "kept" / "docs").iterdir())
    assert [p.read_text() for p in kept] == ["one", "two"] and shop.read("docs/promise.yml") == "three"


def test_a_path_outside_the_workspace_is_refused(shop):
    with pytest.raises(WorkspaceError, match="outside the workspace"):
        shop.write("../../elsewhere.txt", "x")


# ---------------------------------------------------------------- %%workfile

SIGNS = "a: 1\x0cb\x1cc\x85d\u2028e\re\r\nf\n\n"
ALONE = "docs/promise.yml: written to the workspace of module 00, work/00-start-here/\n"


def test_a_cell_s_file_keeps_its_bytes_and_the_line_says_where_it_is(shop, capsys):
    notebook._workfile(" docs/promise.yml ", SIGNS)
    assert (shop.path / "docs" / "promise.yml").read_bytes() == SIGNS.encode()
    assert capsys.readouterr().out == ALONE
    notebook._workfile("./docs/promise.yml", SIGNS)
    assert "docs/promise.yml: unchanged in the workspace of module 00" in capsys.readouterr().out
    notebook._workfile("docs/promise.yml", "b: 2\n")
    assert capsys.readouterr().out == ALONE.replace("\n", "; what stood there before is in kept/docs/promise.yml.1\n")
    assert (shop.path / "kept" / "docs" / "promise.yml.1").read_bytes() == SIGNS.encode()


@pytest.mark.parametrize(
    ("path", "stub", "work"),
    [
        ("docs/promise.yml", "# your turn\n", "product: fact_sales\n"),
        (
            "repo/pipeline/publish.py",
            "import os\n\n\ndef publish(a, b):\n    raise NotImplementedError\n",
            "def publish(a, b):\n    pass\n",
        ),
    ],
)
def test_run_all_on_a_solved_workspace_keeps_the_work_and_says_so(shop, capsys, path, stub, work):
    notebook._workfile(path, stub)
    assert "written to" in capsys.readouterr().out
    notebook._workfile(path, work)
    notebook._workfile(path, stub)
    said = capsys.readouterr().out
    assert shop.read(path) == work and not (shop.path / "kept" / f"{path}.2").exists()
    assert "not written, because this cell holds only the stub" in said and "module 00, work/00-start-here/ stays" in said
    notebook._workfile(path, work + "# more\n")
    assert shop.read(path) == work + "# more\n"


def test_a_stub_takes_the_place_of_what_the_module_begins_with(shop, capsys):
    path = "repo/dbt/dbt_project.yml"
    began = shop.read(path)
    notebook._workfile(path, "# your turn\n")
    assert shop.read(path) == "# your turn\n" and shop.read(f"kept/{path}.1") == began


def test_a_file_goes_to_the_module_whose_task_asks_for_it(shop, capsys):
    eleven = notebook.start("11")
    notebook._workfile("docs/promise.yml", "a: 1\n")
    assert shop.read("docs/promise.yml") == "a: 1\n" and not (eleven.path / "docs" / "promise.yml").exists()
    assert capsys.readouterr().out == ALONE
    notebook._workfile("notes.md", "mine\n")
    assert eleven.read("notes.md") == "mine\n"
    assert "notes.md: written to the workspace of module 11, work/11-slo/" in capsys.readouterr().out


def test_a_file_for_a_module_that_is_not_open_is_said_to_be_elsewhere(dojo_home, capsys, monkeypatch):
    monkeypatch.setattr(notebook, "_shops", {})
    eleven = notebook.start("11")
    notebook._workfile("docs/promise.yml", "a: 1\n")
    said = capsys.readouterr().out
    assert (
        eleven.read("docs/promise.yml") == "a: 1\n" and "module 11, work/11-slo/" in said and 'run start("00") first' in said
    )


def test_without_an_open_module_the_cell_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(notebook, "_current", [])
    notebook._workfile("docs/promise.yml", "a: 1\n")
    assert "after start(...)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("docs", "x", "is a folder of the workspace"),
        (".", "x", "after start"),
        ("../x", "x", "lies outside the workspace"),
        ("/etc/x", "x", "lies outside the workspace"),
        ("a\0b", "x", "lies outside the workspace"),
        ("docs/" + "x" * 300, "x", "could not be written"),
        ("README.md/x", "x", "could not be written"),
        ("docs/x.yml", "\ud800", "half of a character"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_in_words(shop, capsys, path, text, words):
    (shop.path / "docs").mkdir(exist_ok=True)
    (shop.path / "README.md").write_text("x")
    try:
        notebook._workfile(path, text)
        assert words in capsys.readouterr().err
    except WorkspaceError as said:
        assert words in str(said) and "Errno" not in str(said)
    assert not list(shop.path.rglob("*.part"))


def test_a_full_disk_leaves_the_earlier_text_and_says_what_to_do(shop, monkeypatch):
    shop.write("docs/promise.yml", "one")

    def full(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(workspace.Path, "write_bytes", full)
    with pytest.raises(WorkspaceError, match=r"No space left on device\. Nothing was changed"):
        shop.write("docs/promise.yml", "two")
    assert shop.read("docs/promise.yml") == "one"


# ---------------------------------------------------------------- modules and other programs


def test_modules_do_not_touch_each_other(shop):
    shop.write("docs/mine.md", "mine")
    notebook.start("11", fresh=True)
    assert notebook.start("00").read("docs/mine.md") == "mine"


def test_a_warehouse_that_another_program_holds_is_told_so(shop):
    code = f"import duckdb, time; con = duckdb.connect({str(shop.platform.at('prod').warehouse)!r}); print('open', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "open\n"
        for use in (lambda: shop.sql("select 1"), lambda: shop.dbt("run", "--select", "stg_stores", env="prod")):
            with pytest.raises(WorkspaceError, match=r"holds prod\.duckdb open"):
                use()
    finally:
        holder.kill()
        holder.wait()
    assert shop.sql("select 1").value == 1


def test_what_a_shell_tells_dbt_does_not_reach_the_workspace_s(shop, monkeypatch):
    monkeypatch.setenv("DBT_EMPTY", "true")
    monkeypatch.setenv("DBT_TARGET_PATH", "elsewhere")
    assert shop.dbt("run", "--select", "stg_stores", env="dev").success
    assert shop.sql("select count(*) from staging.stg_stores", env="dev").value > 0
    assert not (shop.path / "repo" / "dbt" / "elsewhere").exists() and os.environ["DBT_EMPTY"] == "true"


def test_a_home_that_cannot_be_made_is_named(monkeypatch):
    monkeypatch.setenv("DOJO_HOME", "/proc/nope")
    monkeypatch.setenv("DOJO_CHECKPOINTS", "/proc/nope")
    with pytest.raises(WorkspaceError, match="DOJO_HOME"):
        notebook.start("00")


def test_two_notebooks_on_one_workspace_start_at_once(dojo_home):
    code = "from dojo import start; shop = start('00'); print(shop.sql('select count(*) from marts.dim_date').value)"
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in both:
        out, error = process.communicate(timeout=120)
        assert out.strip() == "730" or "holds prod.duckdb open" in error
    assert not list((dojo_home / "kept").glob("*")) if (dojo_home / "kept").exists() else True


@pytest.mark.parametrize("left", ["a process that is gone", "nobody: the power failed"])
def test_a_kernel_killed_while_starting_does_not_block_the_next(dojo_home, left):
    dojo_home.mkdir()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (dojo_home / ".00-start-here.lock").write_text(str(gone.pid) if left.startswith("a process") else "")
    (dojo_home / ".00-start-here.part").mkdir()
    (dojo_home / ".00-start-here.part" / "half").write_text("half a copy")
    shop = notebook.start("00")
    assert not (shop.path / "half").exists() and shop.sql("select 1").value == 1


def test_a_full_disk_is_told_and_leaves_nothing_half(dojo_home, monkeypatch):
    workspace.checkpoint_of("00")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspace.shutil, "copytree", full)
    with pytest.raises(WorkspaceError, match="Free some disk space"):
        notebook.start("00")
    assert not (dojo_home / "00-start-here").exists()


def test_half_a_yaml_file_gets_its_line_and_nothing_is_lost(shop):
    shop.write("docs/promise.yml", "product: fact_sales\nconsumers: [finance, merch")
    said = repr(notebook.check("00.5"))
    assert "Not yet" in said and "line 2" in said
    assert shop.read("docs/promise.yml").startswith("product: fact_sales")


def test_a_file_answer_counts_without_an_open_workspace(dojo_home):
    notebook.start("00").write("docs/promise.yml", "# your turn\n")
    notebook._shops.clear()
    assert "Not attempted" in repr(notebook.check("00.5")).splitlines()[0]


def test_a_scratch_company_is_new_each_time_and_leaves_the_workspace_alone(shop):
    shop.write("notes.md", "mine")
    shop.scratch().write("notes.md", "broken")
    assert not (shop.scratch().path / "notes.md").exists()
    assert shop.read("notes.md") == "mine"
