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


def test_this_process_is_not_one_that_judges():
    assert not namespaces.judging
