"""Hostile and unlucky submissions: each gets its verdict within its limit and costs no other task its mark."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from dojo.grading import grade_answer
from dojo.judge import sandbox as sandbox_module
from dojo.judge.sandbox import SOURCE, Sandbox, isolation
from dojo.judge.verdict import Outcome
from dojo.submission import Answer

GOOD = "def double(n):\n    return 2 * n"
needs_walls = pytest.mark.skipif(isolation() != "isolated", reason=f"this machine: {isolation()}")


def answer(source: str) -> Answer:
    return Answer([("cell 1", source)], {})


def graded(task, sandbox, source):
    report = grade_answer(task, answer(source), sandbox)
    return report, " ".join(v.said for v in report.verdicts)


HOSTILE = {
    "endless loop": ("def double(n):\n    while True:\n        pass", "Still running after 2 s"),
    "swallowed interrupt": (
        "def double(n):\n    while True:\n        try:\n            while True: pass\n        except BaseException:\n            pass",
        "Still running after 2 s",
    ),
    "loop at the top of the cell": ("while True:\n    pass", "Still running after 2 s"),
    "os._exit": ("import os\ndef double(n):\n    os._exit(0)", "ended the process"),
    "sys.exit": ("import sys\ndef double(n):\n    sys.exit(0)", "SystemExit"),
    "tables that are none": (
        "import pyarrow as pa, dojo.judge.plain as p\np._stream = lambda table: b'\\xff' * 640\ndef double(n):\n    return pa.table({'a': [1]})",
        "not a value",
    ),
    "8 GiB": ("def double(n):\n    return len(bytearray(8 << 30))", "more memory"),
    "1 GB of output": (
        "def double(n):\n    for _ in range(1000): print('x' * 1_000_000)\n    return 2 * n",
        "more than 1 MB",
    ),
    "a value too large": ("def double(n):\n    return 'x' * 40_000_000", "can be compared"),
    "an object": ("def double(n):\n    return object()", "cannot be compared"),
    "equal to everything": (
        "class Yes:\n    def __eq__(self, other): return True\ndef double(n):\n    return Yes()",
        "cannot be compared",
    ),
    "a number that lies": (
        "class Yes(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef double(n):\n    return Yes(0)",
        "",
    ),
    "forged result channel": (
        "import os, struct\nfrom dojo.judge import plain\nvalue, head = plain.dumps(22), b'{\"ok\": null}'\n"
        "frame = struct.pack('>II', len(head), len(value)) + head + value\n"
        "def double(n):\n    for fd in range(3, 300):\n        try: os.write(fd, frame * 9)\n        except OSError: pass\n    return 0",
        "not twice",
    ),
    "closed result channel": (
        "import os\ndef double(n):\n    os.closerange(3, 300)\n    while True: pass",
        "closed the judge's own channel",
    ),
    "a channel nobody reads": (
        "import os\nfrom dojo.judge import plain\nimport struct\nvalue, head = plain.dumps(22), b'{\"ok\": null}'\n"
        "frame = struct.pack('>II', len(head), len(value)) + head + value\ndef double(n):\n    os.write(201, frame)\n    while True: pass",
        "Still running after 2 s",
    ),
    "noise in the channel": (
        "import os\ndef double(n):\n    for fd in range(3, 300):\n        try: os.write(fd, b'hello there' * 99)\n"
        "        except OSError: pass\n    return 0",
        "result is void",
    ),
    "a hard-coded answer": ("def double(n):\n    return 22", "not twice"),
    "tampering with the checks": (
        "import dojo.judge.plain as p, dojo.judge.runner as r, dojo.judge.verdict as v\nv.Verdict.passed = True\n"
        "p.dumps = lambda value: b'22'\nr.invoke = lambda *a: 22\ndef double(n):\n    return 0",
        "",
    ),
    "a syntax error": ("def double(n:\n    return 2 * n", "cannot read your answer"),
    "recursion": ("def double(n):\n    return double(n)", "RecursionError"),
    "an exception": ("def double(n):\n    return {}[n]", "KeyError"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_gets_its_verdict_and_no_mark(name, toy, sandbox, quiet_machine):
    source, words = HOSTILE[name]
    report, said = graded(toy, sandbox, source)
    assert report.outcome is Outcome.NOT_YET, report
    assert report.points < toy.points
    assert words in said or not words
    after, _ = graded(toy, sandbox, GOOD)
    assert after.passed, "the next task must not pay for it"


WALLED = {
    "fork bomb": "import os\ndef double(n):\n    while True:\n        os.fork()",
    "network": "import socket\ndef double(n):\n    socket.create_connection(('127.0.0.1', 22), 1)\n    return 2 * n",
    "writes outside": f"def double(n):\n    open({str(SOURCE / 'dojo' / 'x')!r}, 'w')\n    return 2 * n",
    "reads the expected values": f"def double(n):\n    import dojo.tasks.m03_data_tests\n    open({str(SOURCE / 'dojo/judge/contract.py')!r})\n    return 2 * n",
    "reads the judge's memory": "def double(n):\n    open('/proc/1/mem', 'rb').read(1)\n    return 2 * n",
    "kills its parent": "import os, signal\ndef double(n):\n    os.kill(os.getppid(), signal.SIGKILL)\n    return 2 * n",
}


@needs_walls
@pytest.mark.parametrize("name", WALLED)
def test_runs_into_the_wall(name, toy, sandbox):
    report, _ = graded(toy, sandbox, WALLED[name])
    assert report.outcome is Outcome.NOT_YET, report
    assert graded(toy, sandbox, GOOD)[0].passed


@needs_walls
def test_a_process_left_behind_does_not_outlive_its_task(toy, sandbox):
    source = (
        "import os, time\ndef double(n):\n    if os.fork() == 0:\n        os.setsid()\n"
        "        while True:\n            open('/tmp/alive', 'w').write('x'); time.sleep(0.01)\n    return 2 * n"
    )
    graded(toy, sandbox, source)
    time.sleep(0.1)
    look = "import os\ndef double(n):\n    return 0 if os.path.exists('/tmp/alive') else 2 * n"
    assert graded(toy, sandbox, look)[0].passed


def test_what_is_written_to_stderr_is_shown_and_costs_nothing(toy, sandbox):
    source = "import warnings, sys\ndef double(n):\n    warnings.warn('old', DeprecationWarning)\n    print('note', file=sys.stderr)\n    return 2 * n"
    report, _ = graded(toy, sandbox, source)
    assert report.passed and "note" in report.printed


def test_the_warm_process_is_replaced_when_it_is_killed(toy, sandbox):
    sandbox.start()
    sandbox._process.kill()
    sandbox._process.wait()
    assert graded(toy, sandbox, GOOD)[0].passed


@needs_walls
def test_a_fork_bomb_in_one_sandbox_leaves_its_neighbour_alone(toy, sandbox):
    with Sandbox() as other, ThreadPoolExecutor(1) as pool:
        other.start()
        bomb = pool.submit(graded, toy, other, WALLED["fork bomb"])
        forks = "import os\ndef double(n):\n    pid = os.fork()\n    if pid == 0: os._exit(0)\n    os.waitpid(pid, 0)\n    return 2 * n"
        while not bomb.done():
            assert graded(toy, sandbox, forks)[0].passed
        assert bomb.result()[0].outcome is Outcome.NOT_YET
        assert sandbox.limits["uid"] != other.limits["uid"] or sandbox.limits["uid"] == 0


def test_what_a_user_runs_already_does_not_count_against_a_task(monkeypatch):
    monkeypatch.setattr(sandbox_module.os, "geteuid", lambda: 1000)
    assert sandbox_module._limits(True)["uid"] == 0
    assert sandbox_module._limits(True)["processes"] > sandbox_module.LIMITS["processes"]


def test_where_no_process_can_be_forked_the_grader_says_what_to_do(monkeypatch):
    monkeypatch.delattr(sandbox_module.os, "fork")
    with pytest.raises(sandbox_module.CannotJudge, match="WSL"):
        Sandbox().start()
