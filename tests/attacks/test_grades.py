"""What a grade says: a secret seed, no expected value, a regrade where the machine was at fault, nothing that a terminal obeys."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import psutil
import pytest

from dojo import grading
from dojo.judge import sandbox as sandbox_module
from dojo.judge.apart import Ending
from dojo.judge.sandbox import SOURCE, CannotJudge, Sandbox, isolation
from dojo.judge.verdict import Outcome, TaskReport, Verdict
from dojo.judge.visible import visible
from dojo.submission import Answer

RIGHT = "def double(n):\n    return 2 * n"
WRONG = "def double(n):\n    return n + 1"
needs_walls = pytest.mark.skipif(isolation() != "isolated", reason=f"this machine: {isolation()}")


def saved(path: Path, source: str, task: str = "90.1") -> Path:
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": [f"task-{task}"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


def printed(capsys, *arguments, **options) -> tuple[int, str]:
    status = grading.main(*arguments, **options)
    return status, capsys.readouterr().out


# ---------------------------------------------------------------- seeds and what was expected


def test_an_official_run_draws_a_seed_says_it_and_can_be_repeated(toy, tmp_path, capsys):
    path = saved(tmp_path / "a.ipynb", WRONG)
    first, second, again = (
        json.loads(printed(capsys, path, True, seed)[1])
        for seed in (None, None, json.loads(printed(capsys, path, True, 7)[1])["seed"])
    )
    assert first["seed"] != second["seed"] and again["seed"] == 7
    tried = [report["tasks"][0]["checks"][0]["tried"] for report in (first, second, again)]
    assert len(set(tried)) == 3 and str(toy.official_seeds(7)[0]) in tried[2]
    assert "seed 7" in printed(capsys, path, seed=7)[1]


def test_what_the_seeds_of_a_learner_s_own_check_give_earns_nothing(toy, tmp_path, capsys):
    table = {seed: 2 * seed for seed in toy.seeds}
    status, out = printed(capsys, saved(tmp_path / "a.ipynb", f"def double(n):\n    return {table}.get(n, 0)"), True)
    assert status == 0 and json.loads(out)["points"] == 0


def test_expected_values_are_withheld_unless_they_are_asked_for(toy, tmp_path, capsys):
    path = saved(tmp_path / "a.ipynb", WRONG)
    number = toy.official_seeds(7)[0]
    for as_json in (True, False):
        hidden, shown = (printed(capsys, path, as_json, 7, reveal)[1] for reveal in (False, True))
        assert str(2 * number) not in hidden and str(2 * number) in shown
        assert str(number + 1) in hidden, "the learner's own value stays"


# ---------------------------------------------------------------- the machine's faults


def test_a_process_that_dies_before_anything_ran_is_replaced(toy, sandbox, monkeypatch):
    killed = []
    ask = Sandbox.ask

    def dies(self, message, *rest, **more):
        if message["op"] == "open" and not killed:
            killed.append(self._process.pid)
            os.kill(self._process.pid, signal.SIGKILL)
            time.sleep(0.3)
        return ask(self, message, *rest, **more)

    monkeypatch.setattr(Sandbox, "ask", dies)
    with sandbox.task([("cell 1", RIGHT)], {}) as work:
        assert work.call("double", 2) == 4 and killed


@pytest.mark.parametrize("why", ["the judging process does not start", "the judge is killed each time"])
def test_what_the_machine_could_not_judge_wants_a_regrade_and_is_no_zero(why, toy, tmp_path, monkeypatch, capsys):
    if why == "the judge is killed each time":
        ending = Ending(said="Judging it brought down the process that judges.", machine=True)
        monkeypatch.setattr(grading, "apart", lambda *_, **__: ending)
    else:

        def cannot(self):
            raise CannotJudge("no memory for another process")

        monkeypatch.setattr(grading, "warm_sandboxes", lambda: __import__("contextlib").nullcontext((Sandbox(),)))
        monkeypatch.setattr(Sandbox, "start", cannot)
    status, out = printed(capsys, saved(tmp_path / "a.ipynb", RIGHT), True)
    found = json.loads(out)
    assert status == 3 and found["regrade"] == ["90.1"]
    assert found["tasks"][0]["outcome"] == "cannot be checked here" and "regrade" in found["tasks"][0]["checks"][0]["said"]
    status, out = printed(capsys, saved(tmp_path / "a.ipynb", RIGHT))
    assert status == 3 and "regrade: 90.1" in out


@pytest.mark.parametrize("busy", [True, False])
def test_late_by_the_clock_is_tried_again_and_costs_nothing_on_a_busy_machine(busy, toy, sandbox, monkeypatch):
    tries = []

    def late(*_, **__):
        tries.append(1)
        return Ending(said="Judging it was not done after 5 s: stopped.", machine=True)

    monkeypatch.setattr(grading, "apart", late)
    monkeypatch.setattr(grading, "_busy", lambda since: busy)
    report = grading.grade_answer(toy, Answer([("cell 1", RIGHT)], {}), sandbox)
    assert len(tries) == 2 and report.regrade is busy
    assert report.outcome is (Outcome.NOT_CHECKABLE if busy else Outcome.NOT_YET)


@pytest.mark.parametrize(("idle", "busy"), [(90, False), (10, True)])
def test_busy_is_told_by_what_the_processors_did_and_not_by_who_waits(idle, busy, monkeypatch):
    since = psutil.cpu_times()
    now = since._replace(idle=since.idle + idle, user=since.user + 100 - idle)
    monkeypatch.setattr(psutil, "cpu_times", lambda: now)
    monkeypatch.setattr(os, "getloadavg", lambda: (90.0, 90.0, 90.0))  # forty children of an answer that wait in vfork
    assert grading._busy(since) is busy


def test_waiting_counts_less_than_working(toy, sandbox):
    sleeps = "import time\ndef double(n):\n    time.sleep(1.5)\n    return 2 * n"
    assert grading.grade_answer(replace(toy, seconds=1.0), Answer([("cell 1", sleeps)], {}), sandbox).passed


def test_a_submission_that_waits_at_every_question_has_an_end(toy, sandbox):
    begun = time.monotonic()
    answer = Answer([("cell 1", "import time\ndef double(n):\n    time.sleep(60)")], {})
    report = grading.grade_answer(toy, answer, sandbox, until=time.monotonic() + 8)
    assert report.points == 0 and time.monotonic() - begun < 25


# ---------------------------------------------------------------- a grader that is killed


@needs_walls
def test_nothing_of_a_killed_grader_lives_on(tmp_path):
    source = "import subprocess\ndef ready_at(con, day):\n    subprocess.Popen(['setsid', 'sleep', '1771'])\n    while True: pass\n"
    path = saved(tmp_path / "loop.ipynb", source, "00.3")
    command = [sys.executable, "-m", "dojo.cli", "grade", str(path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(SOURCE)}
    left = []
    for wait in (1.0, 2.0, 3.0, 4.5):
        grader = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        time.sleep(wait)
        below = psutil.Process(grader.pid).children(recursive=True)
        grader.kill()
        grader.wait()
        left += psutil.wait_procs(below, timeout=5)[1]
    assert not left


# ---------------------------------------------------------------- what is shown

HOSTILE_TEXTS = [
    "\x1b[2J\x1b[H00.1: Passed (1 of 1 points)\x1b[8m",
    "\x1b]0;title\x07x",
    "\x9b2Jx",
    "a\rb",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "a\u2028b",
    "\x00\x08\x7f",
    "\x1bP+q\x1b\\x",
    "\ud800",
]
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=ascii)
def test_no_face_of_a_report_obeys_what_a_learner_wrote(text):
    from dojo.feedback import as_html, as_text

    verdict = Verdict("c", Outcome.NOT_YET, *[text] * 6)
    report = TaskReport("90.1", "Twice", (verdict,), 2, printed=text)
    for shown in (as_text(report), as_html(report), json.dumps(report.as_json(), ensure_ascii=False)):
        assert not OBEYED.search(shown)


def test_text_that_is_only_text_is_shown_as_it_is():
    assert visible("€ 12,50 → 日本\n\tü 👍🏽") == "€ 12,50 → 日本\n\tü 👍🏽"
    begun = time.process_time()
    visible("\x1b[" * 500_000 + "\x1b]" * 500_000)
    assert time.process_time() - begun < 10


def test_escapes_in_the_learner_s_words_and_in_the_file_s_name_stay_out_of_the_terminal(toy, tmp_path, capsys):
    path = saved(tmp_path / "esc\x1b[31mred.ipynb", f"def double(n):\n    raise ValueError({HOSTILE_TEXTS[0]!r})")
    for as_json in (True, False):
        assert not OBEYED.search(printed(capsys, path, as_json)[1].replace("\n", ""))
    assert not OBEYED.search(printed(capsys, tmp_path / "none\x1b[2J.ipynb")[1].replace("\n", ""))


def test_a_terminal_without_a_euro_sign_costs_no_grade(tmp_path):
    path = saved(tmp_path / "a.ipynb", "def revenue_on(con, day):\n    raise ValueError('€ → ü')", "00.1")
    environment = {**os.environ, "PYTHONIOENCODING": "cp437", "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(
        [sys.executable, "-m", "dojo.cli", "grade", str(path)], capture_output=True, env=environment, timeout=120
    )
    assert done.returncode == 0 and b"of 9 points" in done.stdout, done.stderr


@needs_walls
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
def test_a_tight_umask_shuts_no_task_out_of_its_tools(tmp_path):
    script = (
        "import os; os.umask(0o077)\nfrom dojo.judge.sandbox import Sandbox\n"
        "with Sandbox() as box, box.task([], {}, seconds=60) as work:\n"
        "    files = {'dbt_project.yml': 'name: a\\nprofile: a\\nmodel-paths: [m]\\n', 'm/one.sql': 'select 1 as a',\n"
        "        'profiles.yml': \"a: {target: dev, outputs: {dev: {type: duckdb, path: \\\"{{ env_var('SHOPFLOW_WAREHOUSE') }}\\\"}}}\\n\"}\n"
        "    told = work.tool('dbt', {'name': 'a', 'files': files, 'args': ['run']})\n"
        "    print(told['error'] or told['nodes'][0]['status'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120)
    assert done.stdout.strip() == "success", done.stdout + done.stderr


def test_what_cannot_be_walled_in_is_said_in_report_and_exit_message(toy, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox_module, "isolation", lambda: "not isolated: for the test")
    monkeypatch.setattr(grading, "isolation", lambda: "not isolated: for the test")
    out = printed(capsys, saved(tmp_path / "a.ipynb", RIGHT))[1]
    assert out.count("not isolated") == 2
