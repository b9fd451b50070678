"""Deliveries that reach for what watches them: dbt's record, the reader, the trace, the observer's own process."""

from __future__ import annotations

import pytest

from dojo import tasks
from dojo.judge import namespaces
from dojo.judge.verdict import Outcome


def wrong(task: str, name: str) -> tuple[str, str]:
    """(path, text) of one of the course's own wrong answers."""
    answer = next(w.answer for w in tasks.get(task).wrong if w.name == name)
    return next(iter(answer.items()))


REACH = """
import gc, os, sys, threading
import dojo.tools.releasing as R
import dojo.tools.releasing_function as F

_order = R.Reader.order


def order(self, *words):
    if words[0] == "look" and words[1]:
        return 0
    seen = _order(self, *words)
    return [seen[0], seen[-1]] if words[0] == "stop" else seen


R.Reader.order = order
F.Session.ask = lambda self, message, value: None
R.contents = lambda path: "the same"
"""
SAME = {
    "05.2": [
        (
            "the record is edited, dbt is another one",
            "    R.run_dbt = lambda *a: F.Outcome(True)\n    for c in getattr(dbt, 'calls', []):\n        c.warehouse = 'green'\n",
        ),
    ],
    "05.3": [
        ("the trace ends", "    sys.settrace(None); sys._getframe().f_trace = None\n"),
        ("looks are answered here", "    con.__dict__['_line'].say('look', line='')\n"),
    ],
    "05.4": [
        ("the trace ends", "    sys.settrace(None); sys._getframe().f_trace = None\n"),
        ("the trace is another one", "    sys.settrace(lambda *a: None); F._Line.ask = lambda *a, **k: None\n"),
    ],
}
WRONG = {
    "05.2": ("builds in prod and restores it when the audit fails", "def promote(dbt, folder):\n"),
    "05.3": ("no transaction", "def deliver_day(con, day):\n"),
    "05.4": ("deletes, then renames", "def publish(built, served):\n"),
}


FORGERIES = [pytest.param(task, line, id=f"{task} {name}") for task, ways in SAME.items() for name, line in ways]


@pytest.mark.parametrize(("task", "line"), FORGERIES)
def test_tampering_earns_what_the_plain_answer_earns(task, line, attacked):
    name, head = WRONG[task]
    path, text = wrong(task, name)
    assert head in text
    forged = REACH + text.replace(head, head + line)
    plain_points = attacked({path: text}, task, then=False).points
    report = attacked({path: forged}, task, then=False)
    assert report.outcome is Outcome.NOT_YET and report.points <= plain_points, report


IN_A_THREAD = """
import os, threading
import duckdb


def work(built, served):
    aside = served.with_name("next.duckdb")
    aside.unlink(missing_ok=True)
    con = duckdb.connect(str(aside))
    con.execute(f"attach '{built}' as built (read_only)")
    con.execute("create schema serving")
    for table in ("fact_sales", "daily_revenue"):
        con.execute(f"create table serving.{table} as from built.marts.{table}")
    con.close()
    served.unlink()
    aside.rename(served)


def publish(built, served):
    one = threading.Thread(target=work, args=(built, served))
    one.start()
    one.join()
"""


def test_a_moment_without_a_file_is_seen_although_no_line_of_it_is(attacked):
    report = attacked({"repo/pipeline/publish.py": IN_A_THREAD}, "05.4", then=False)
    (last,) = [v for v in report.verdicts if v.outcome is Outcome.NOT_YET]
    assert last.cause == "gone", report


OTHERS = """
import os


def opened():
    for pid in [p for p in os.listdir("/proc") if p.isdigit() and int(p) != os.getpid()]:
        try:
            open(f"/proc/{pid}/mem", "rb+").close()
        except OSError:
            continue
        yield open(f"/proc/{pid}/cmdline").read()[:60]


OPEN = [*opened()]
if OPEN:
    raise SystemExit(f"the memory of others is open: {OPEN}")
"""


def test_a_delivery_cannot_read_who_watches_it(attacked):
    path, text = wrong("05.4", "deletes, then renames")
    report = attacked({path: OTHERS + text}, "05.4", then=False)
    assert "is open" not in str(report) and "gone" in {v.cause for v in report.verdicts}, report


def test_a_delivery_that_ends_who_watches_it_earns_nothing(attacked):
    path, text = wrong("05.4", "deletes, then renames")
    report = attacked({path: text + "\nimport os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n"}, "05.4")
    assert report.points == 0 and not report.passed, report


FORGES = '''
import shutil

EVIL = """
def model(dbt, session):
    import gc
    import dojo.tools.releasing as R
    for one in gc.get_objects():
        if isinstance(one, R.Dbt):
            one.calls = type("Calls", (list,), {"append": lambda self, call: None})(one.calls)
    return session.sql("select 1 as a")
"""


def promote(dbt, folder):
    path = folder.parent / "repo" / "dbt" / "models" / "evil.py"
    path.write_text(EVIL)
    dbt("run", "--select", "evil", target="dev")
    path.unlink()
    for env in ("dev", "staging"):
        if not dbt("build", target=env).success:
            return False
    prod, kept = folder / "prod.duckdb", folder / "kept.duckdb"
    shutil.copyfile(prod, kept)
    if not dbt("build", "--full-refresh", target="prod").success:
        shutil.copyfile(kept, prod)
        return False
    return True
'''
PLUGIN = """
shopflow:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/dev.duckdb"
      settings: {"threads = 1; copy (select 'raise SystemExit') to '/tmp/evil_m.py' (format csv, header false); set threads": "1"}
    staging:
      type: duckdb
      path: "{{ env_var('SHOPFLOW_WAREHOUSES') }}/staging.duckdb"
      module_paths: [/tmp]
      plugins: [{module: evil_m}]
    prod: {type: duckdb, path: "{{ env_var('SHOPFLOW_PROD_WAREHOUSE') }}"}
"""
NO_COMMAND = """
def try_change(dbt, state):
    dbt._line.ask("dbt", [[], None, None, {}])
    return True
"""
NO_ROW = """
import duckdb


def promote(dbt, folder):
    dbt("build", target="dev")
    con = duckdb.connect(str(folder / "prod.duckdb"))
    con.execute("create macro sum(x) as [x]; create or replace table marts.daily_revenue as select 1 as units, 1 as revenue_eur limit 0")
    con.close()
    return True
"""


@pytest.mark.parametrize(
    ("path", "text", "task", "cause"),
    [
        pytest.param("repo/pipeline/promote.py", FORGES, "05.2", "good-refused", id="a Python model"),
        pytest.param("repo/profiles/profiles.yml", PLUGIN, "05.1", "not-tried", id="a plugin of a profile"),
        pytest.param("repo/pipeline/try_change.py", NO_COMMAND, "05.5", "raised", id="no command"),
        pytest.param("repo/pipeline/promote.py", NO_ROW, "05.2", "not-published", id="no row"),
    ],
)
def test_what_is_sent_to_dbt_neither_runs_in_the_judge_nor_breaks_it(path, text, task, cause, attacked):
    report = attacked({path: text}, task, then=False)
    (first, *_) = [v for v in report.verdicts if v.outcome is not Outcome.PASSED]
    assert (first.outcome, first.cause) == (Outcome.NOT_YET, cause) and report.points == 0, report


def test_this_process_is_not_one_that_judges():
    assert not namespaces.judging
