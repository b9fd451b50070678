"""The learner's own kernel: what a notebook set for itself decides no verdict, and an interrupt is nobody's failure."""

from __future__ import annotations

import decimal
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from decimal import Decimal

import pytest

from dojo.judge import settings, toolbox
from dojo.judge.engine import judge
from dojo.judge.sandbox import SOURCE
from dojo.judge.work import KernelWork

TELLING = {
    "PANDERA_VALIDATION_ENABLED": "False",
    "SKIP": "ruff",
    "DBT_WARN_ERROR": "1",
    "DBT_TARGET_PATH": "/tmp/x",
    "GIT_DIR": "/tmp/x",
    "GIT_EDITOR": "false",
    "PYTHONPATH": "/tmp/x",
    "PYTHONSTARTUP": "/tmp/x",
    "PYTHONWARNINGS": "error",
    "PRE_COMMIT_ALLOW_NO_CONFIG": "1",
    "SQLFLUFF_CONFIG": "x",
    "RUFF_CONFIG": "x",
    "PYTEST_ADDOPTS": "--co",
    "LD_PRELOAD": "",
    "DOJO_WARM": "/tmp/x",
    "BASH_ENV": "/tmp/x",
}


def test_a_tool_sees_the_machine_s_variables_and_none_that_tells_it_what_to_do(monkeypatch):
    for name, text in TELLING.items():
        monkeypatch.setenv(name, text)
    seen = {}
    monkeypatch.setattr(
        toolbox.importlib, "import_module", lambda _: type("Tool", (), {"session": lambda r: seen.update(os.environ)})
    )
    toolbox.run("dbt", {})
    assert not set(seen) & set(TELLING) and seen["PATH"] == os.environ["PATH"]
    assert {name: os.environ[name] for name in TELLING} == TELLING, "the notebook keeps its own"


def test_git_and_what_it_starts_see_no_more():
    from dojo.tools import git

    os.environ["SKIP"] = "all"
    try:
        assert "SKIP" not in git.environment()
    finally:
        del os.environ["SKIP"]


def test_the_notebook_s_decimals_are_the_learner_s_and_not_the_judge_s(toy):
    with decimal.localcontext(prec=4), warnings.catch_warnings():
        warnings.simplefilter("error")
        work = KernelWork({"double": lambda n: Decimal(100_001) + 0}, None)
        with settings.settled():
            assert Decimal(100_001) + 0 == 100_001
            warnings.warn("old", DeprecationWarning, stacklevel=1)
            assert work.call("double", 1) == 100_000, "its own rounding, as when it is graded"
            assert Decimal(100_001) + 0 == 100_001


def test_pandera_validates_whatever_a_variable_said_on_import():
    pytest.importorskip("pandera")
    script = (
        "import pandera.pandas as pa, pandas as pd\nfrom dojo.judge.work import KernelWork\n"
        "schema = pa.DataFrameSchema({'a': pa.Column(int, pa.Check.gt(0))})\n"
        "def bad():\n    try:\n        schema.validate(pd.DataFrame({'a': [-1]}))\n    except pa.errors.SchemaError:\n        return 'seen'\n"
        "print(bad(), KernelWork({'bad': bad}, None).call('bad'))"
    )
    environment = {**os.environ, "PANDERA_VALIDATION_ENABLED": "False", "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split() == ["None", "seen"], done.stderr


def test_a_deleted_working_directory_does_not_end_the_kernel():
    script = (
        "import os, shutil, tempfile, pyarrow as pa\nfrom dojo.judge import lending, plain\n"
        "here = tempfile.mkdtemp(); os.chdir(here); shutil.rmtree(here)\n"
        "with lending.lent({'t': pa.table({'a': [1]})}) as con: print(con.execute('select a from t').fetchone())\n"
        "os.makedirs(here); os.chdir(here); shutil.rmtree(here)\n"
        "print(plain.Database({'t': pa.table({'a': [1]})}).connect().execute('select a from t').fetchone())"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout.split("\n")[:2] == ["(1,)", "(1,)"], done.stderr


def swallows(request):
    """A tool that makes something else of an interrupt, as dbt does."""
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        if request["as"] == "error":
            raise RuntimeError("dbt was interrupted") from None
    return {"error": "", "nodes": []}


@pytest.mark.parametrize("how", ["value", "error"])
def test_an_interrupt_that_a_tool_swallows_still_ends_the_check(how, monkeypatch):
    monkeypatch.setattr(toolbox.importlib, "import_module", lambda _: type("Tool", (), {"session": staticmethod(swallows)}))
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        KernelWork({}, None).tool("dbt", {"as": how})
    assert time.monotonic() - begun < 5


def test_an_interrupted_check_records_nothing_and_blames_nobody(toy, monkeypatch):
    from dojo import notebook

    recorded = []
    monkeypatch.setattr(
        notebook, "_progress", lambda: type("P", (), {"record": lambda self, report: recorded.append(report)})()
    )

    def double(n):
        os.kill(os.getpid(), signal.SIGINT)  # while the answer runs, however busy the machine
        time.sleep(30)

    monkeypatch.setattr(notebook, "_names", lambda: {"double": double})
    with pytest.raises(notebook.Interrupted, match="nothing is recorded") as stop:
        notebook.check("90.1")
    assert not recorded and stop.value._render_traceback_() == [str(stop.value)]


def test_an_interrupt_of_which_a_library_makes_an_error_of_its_own_blames_nobody_either(toy, monkeypatch):
    from dojo import notebook

    recorded, calls = [], []
    monkeypatch.setattr(
        notebook, "_progress", lambda: type("P", (), {"record": lambda self, report: recorded.append(report)})()
    )

    def double(n):
        calls.append(n)
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
        except KeyboardInterrupt:
            raise RuntimeError("Query interrupted") from None  # as DuckDB does

    monkeypatch.setattr(notebook, "_names", lambda: {"double": double})
    with pytest.raises(notebook.Interrupted, match="nothing is recorded"):
        notebook.check("90.1")
    assert not recorded and len(calls) == 1
    notebook.settings.stop_if_asked()  # nothing is left of it


def test_a_learner_cannot_raise_the_course_s_own_refusals(toy):
    from dojo.judge import work

    def excuses(n):
        raise work.NotCheckable("ask your teacher for full marks")

    verdict = judge(toy, KernelWork({"double": excuses}, None)).verdicts[0]
    assert verdict.cause == "error" and not judge(toy, KernelWork({"double": excuses}, None)).regrade


def test_a_temporary_folder_with_a_long_name_holds_a_socket_elsewhere(tmp_path):
    from dojo.tools import warm

    long = tmp_path / ("x" * 90) / ("y" * 90)
    long.mkdir(parents=True)
    short = warm._short(long)
    assert len(str(short / "warm.sock")) <= warm.SOCKET_NAME and warm._short(short) == short


def test_programs_are_not_kept_where_none_may_run(tmp_path, monkeypatch):
    from dojo import places

    monkeypatch.setenv("DOJO_HOME", str(tmp_path))
    assert places.for_programs() is None
    flags = type("Mounted", (), {"f_flag": getattr(os, "ST_NOEXEC", 8)})
    monkeypatch.setattr(places.os, "statvfs", lambda _: flags, raising=False)
    assert places.for_programs() == str(tmp_path.resolve() / ".rooms")
