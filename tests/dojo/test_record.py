"""Progress: one file that survives crashes, two kernels, and files that are no progress files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from dojo import notebook
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.record import NotSaved, Progress


def report(outcome, task="90.1"):
    return TaskReport(task, "Twice", (Verdict("c", outcome),), 2)


def test_the_best_attempt_counts_and_later_failures_do_not_undo_it(tmp_path):
    kept = Progress(tmp_path / "p.sqlite")
    for outcome in (Outcome.NOT_YET, Outcome.PASSED, Outcome.NOT_YET):
        kept.record(report(outcome))
    assert (kept.standing("90.1").state, kept.standing("90.1").tries) == ("solved", 3)


def test_a_solution_opened_first_stays_shown(tmp_path):
    kept = Progress(tmp_path / "p.sqlite")
    kept.show("90.1")
    kept.record(report(Outcome.PASSED))
    assert (kept.standing("90.1").state, kept.standing("90.1").best) == ("shown", 0)


def test_a_solution_opened_after_solving_stays_solved(tmp_path):
    kept = Progress(tmp_path / "p.sqlite")
    kept.record(report(Outcome.PASSED))
    kept.show("90.1")
    assert kept.standing("90.1").state == "solved"


def test_two_kernels_write_at_once_and_nothing_is_lost(tmp_path):
    code = (
        "import sys; from pathlib import Path; from dojo.record import Progress; from dojo.judge.verdict import *\n"
        "p = Progress(Path(sys.argv[1]))\n"
        "for _ in range(40): p.record(TaskReport('90.1', 't', (Verdict('c', Outcome.NOT_YET),), 2))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "p.sqlite")]) for _ in range(2)]
    assert [p.wait(60) for p in both] == [0, 0]
    assert Progress(tmp_path / "p.sqlite").standing("90.1").tries == 80


def test_a_kernel_killed_in_mid_write_leaves_a_readable_file(tmp_path):
    path = tmp_path / "p.sqlite"
    code = (
        "import sys; from pathlib import Path; from dojo.record import Progress; from dojo.judge.verdict import *\n"
        "p = Progress(Path(sys.argv[1]))\n"
        "import time\n"
        "while True:\n    p.record(TaskReport('90.1', 't', (Verdict('c', Outcome.PASSED),), 2))\n"
        "    time.sleep(0.001)  # a writer without a breath starves every reader on a busy machine"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    while not path.exists() or Progress(path).standing("90.1").tries < 5:
        time.sleep(0.01)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert Progress(path).standing("90.1").state == "solved"


def test_a_file_that_is_no_progress_file_is_kept_aside(tmp_path):
    path = tmp_path / "p.sqlite"
    path.write_text("once upon a time " * 100)
    Progress(path).record(report(Outcome.PASSED))
    assert Progress(path).standing("90.1").state == "solved"
    assert "once upon" in (tmp_path / "p.unreadable-1").read_text()


def test_a_full_disk_is_said_and_the_verdict_stands(toy, dojo_home, monkeypatch, capsys):
    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Progress, "_connect", full)
    double = lambda n: 2 * n  # noqa: E731, F841
    assert notebook.check("90.1").passed
    assert "Free some disk space" in capsys.readouterr().err
    with pytest.raises(NotSaved, match="No space left"):
        Progress(dojo_home / "progress.sqlite").record(report(Outcome.PASSED))


def test_hints_come_one_by_one_and_the_last_one_stays(toy, dojo_home):
    assert [str(notebook.hint("90.1"))[:11] for _ in range(4)] == [
        "Hint 1 of 3",
        "Hint 2 of 3",
        "Hint 3 of 3",
        "Hint 3 of 3",
    ]


def test_a_prediction_comes_back_beside_the_measured_value(dojo_home):
    notebook.predict("mornings late, out of 90", 3)
    assert (
        repr(notebook.compare("mornings late, out of 90", 11))
        == "mornings late, out of 90: you said 3; measured: 11. Too low by a factor of 3.7."
    )
