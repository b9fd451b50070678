"""Kills at any moment: what was recorded stays, and the next check works."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from dojo.judge.sandbox import SOURCE

WRITER = """
import os, sys
from pathlib import Path
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.record import Progress

who, acknowledged = sys.argv[1], open(sys.argv[2], "a", buffering=1)
progress = Progress(Path(os.environ["DOJO_HOME"]) / "progress.sqlite")
print("ready", flush=True)
for n in range(5000):
    task = f"{who}.{n}"
    progress.record(TaskReport(task, "x", (Verdict("c", Outcome.PASSED),), 2))
    if n % 5 == 0:
        progress.next_hint(task, 3)
    acknowledged.write(f"{n}\\n")
"""


def whole(home) -> sqlite3.Connection:
    con = sqlite3.connect(home / "progress.sqlite")
    assert con.execute("pragma integrity_check").fetchone() == ("ok",)
    return con


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path):
    dice, environment = random.Random(5), {**os.environ, "DOJO_HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    for number in range(5):
        writers = []
        for who in (f"{number}a", f"{number}b"):
            kept = tmp_path / who
            command = [sys.executable, "-c", WRITER, who, str(kept)]
            writers.append((who, kept, subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)))
        for _, _, process in writers:
            process.stdout.readline()
        for _, _, process in writers:
            time.sleep(dice.uniform(0.005, 0.35))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        con = whole(tmp_path)
        for who, kept, _ in writers:
            found = con.execute("select count(*) from attempt where task like ?", (f"{who}.%",)).fetchone()[0]
            assert found >= len(kept.read_text().split())
        con.close()


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX")
def test_killed_checks_leave_a_workspace_that_the_next_one_can_use(tmp_path):
    dice, environment = random.Random(1), {**os.environ, "DOJO_HOME": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-m", "dojo.cli", "check", "00.5"]
    before = 0
    for _ in range(3):
        checks = [
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
            )
            for _ in range(2)
        ]
        time.sleep(dice.uniform(0.5, 2.6))
        for process in checks:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
        con = whole(tmp_path)
        found = con.execute("select count(*) from attempt").fetchone()[0]
        con.close()
        assert found > before
        before = found
