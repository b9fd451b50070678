"""The judge's own process: what is handed in is read, matched, queried and shown within bounds, and never stops it."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dojo.judge import apart, bounded, plain, sql
from dojo.judge.contract import Check, NotYet
from dojo.judge.frames import read_frame, write_frame
from dojo.judge.verdict import Outcome
from dojo.judge.work import Stopped


def bomb(key: str, depth: int = 9, width: int = 9) -> str:
    """A few hundred signs that stand for width ** depth values."""
    lines = ["a0: &a0 [" + ",".join(["x"] * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * width) + "]" for n in range(1, depth)]
    return "\n".join(lines) + f"\n{key}: *a{depth - 1}\n"


YAML = {
    "aliases": bomb("x"),
    "aliases in a list": "- &a0 [x,x]\n" + "".join(f"- &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
    "merge keys": "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
    "itself": "&a [*a]\n",
    "itself, further down": "a: &a {b: {c: [*a]}}\n",
    "many values": "x: [" + "{a: 1}," * 30_000 + "]\n",
    "depth": "x: " + "[" * 3000 + "]" * 3000 + "\n",
    "depth by indent": "".join(" " * n + f"k{n}:\n" for n in range(200)),
    "length": "x: " + "y" * 5_000_000 + "\n",
}


@pytest.mark.parametrize("name", YAML)
def test_yaml_has_bounds(name):
    begun = time.process_time()
    with pytest.raises(bounded.TooMuch):
        bounded.load_yaml(YAML[name])
    assert time.process_time() - begun < 5


def test_ordinary_yaml_is_read_as_ever():
    with pytest.raises(bounded.Twice, match="`a` stands in line 1 already"):
        bounded.load_yaml("a: 1\nb: {a: 2}\na: 3\n")
    assert bounded.load_yaml("a: &a {b: 1}\nc: *a\nd: [*a, 2025-12-01]\n")["d"][0] == {"b": 1}


@pytest.mark.parametrize(
    ("task", "files"),
    [
        ("00.5", {"docs/promise.yml": bomb("x") + "product: fact_sales\nconsumers: *a8\n"}),
        ("00.5", {"docs/promise.yml": "x: !!python/object/apply:os.system ['touch /tmp/pwned-by-yaml']\n"}),
        ("00.5", {"docs/promise.yml": "product: fact_sales\nfresh_by: " + "9" * 5000 + "\n"}),
        ("00.5", {"docs/promise.yml": "product: '\\ud800'\nconsumers: ['\\x1b[2J']\n"}),
        ("11.6", {"repo/docs/error_budget_policy.yml": bomb("x") + "objective: 0.8\nrules: *a8\n"}),
        ("01.1", {"audit/findings.yml": bomb("x")}),
        ("02.7", {"repo/.github/CODEOWNERS": "/" + "*?" * 14 + "!!!x @shopflow/platform\n"}),
        ("02.7", {"repo/.github/CODEOWNERS": "/**a" + "**" * 300 + "zz!q @shopflow/platform\n"}),
    ],
    ids=["bomb 00.5", "object", "digits", "signs", "bomb 11.6", "bomb 01.1", "pattern", "stars"],
)
def test_a_file_that_is_a_bomb_gets_its_verdict(task, files, attacked):
    report = attacked(files, task)
    assert report.outcome is Outcome.NOT_YET and report.points == 0, report
    assert not report.regrade and not Path("/tmp/pwned-by-yaml").exists()


def undo(model: str) -> dict[str, str]:
    """A script for 02.3 that puts this model on main."""
    return {
        "scripts/undo.sh": f"set -e\ncat > dbt/models/marts/daily_revenue.sql <<'X'\n{model}\nX\n"
        "sed -i 's/[Ee]ach amount once//' dbt/models/marts/_marts.yml || true\n"
        "git add -A; git -c user.name=a -c user.email=a@b commit -qm x\n"
    }


@pytest.mark.parametrize(
    "model",
    [
        "-- disappears from the day it was placed on\nselect *, (revenue_eur / orders)::decimal(14, 2) as average_order_eur, "
        "dayname(business_date) as weekday_name from truth",
        "select content as business_date from read_text('/etc/passwd')",
        "select range as business_date, repeat('x', 100) as s from range(40000000)",
    ],
    ids=["the ledger", "a file", "memory"],
)
def test_a_model_finds_no_expected_rows_and_no_way_out(model, attacked):
    report = attacked(undo(model), "02.3")
    assert report.points < report.out_of and not report.verdicts[2].passed and not report.regrade, report


def test_a_query_that_heeds_no_interrupt_ends_with_its_judge(monkeypatch):
    import pyarrow as pa

    monkeypatch.setattr(sql, "GRACE", 1.0)
    hangs = "select length(repeat('x', 400000000)) + length(regexp_replace(repeat('ab', 30000000), '(a|b)*?c', 'd', 'g'))"

    def asks():
        try:
            return sql.query({"t": pa.table({"a": [1]})}, hangs, seconds=0.5).num_rows
        except Stopped as stopped:
            return str(stopped)

    ending = apart.apart(asks, processor=60, clock=60)
    assert "stopped" in (ending.said or ending.answer) and not ending.machine


def spin():
    while True:
        pass


ENDINGS = {
    "an answer": (lambda: {"a": 1}, "", False),
    "too much time": (spin, "processor time", False),
    "late": (lambda: time.sleep(60), "not done after", True),
    "too much memory": (lambda: len(bytearray(8 << 30)), "more memory", False),
    "without end": (lambda: (f := lambda n: f(n))(1), "more memory", False),
    "killed": (lambda: os.kill(os.getpid(), signal.SIGKILL), "brought down", True),
    "crashed": (lambda: os.kill(os.getpid(), signal.SIGSEGV), "brought down", True),
    "left": (lambda: os._exit(0), "brought down", True),
    "a novel": (lambda: "x" * (9 << 20), "longer than 8 MB", False),
    "broken": (lambda: 1 / 0, "ZeroDivisionError", True),
    "no JSON": (lambda: object(), "TypeError", True),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_a_judging_process_that_ends_is_told_apart(name):
    make, said, machine = ENDINGS[name]
    ending = apart.apart(make, processor=2, clock=6)
    assert (ending.answer == {"a": 1}) is (name == "an answer")
    assert said in ending.said and ending.machine is machine


def test_what_a_judging_process_leaves_is_deleted(tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    apart.apart(lambda: [tempfile.mkdtemp(), os._exit(0)], processor=5, clock=5)
    assert not list(tmp_path.iterdir())


def test_a_check_that_shows_a_giant_is_stopped_and_not_the_course_s_fault(attacked, small_task):
    def shows(work, number):
        raise NotYet("Giant.", got=[work.call("double", number)] * (1 << 40))

    giant = replace(small_task, checks=(Check("shows", shows),))
    report = attacked("def double(n):\n    return 'x'", giant)
    assert report.outcome is Outcome.NOT_YET and report.verdicts[0].cause == "stopped", report


TABLES = {
    "rows without bytes": "return pa.table({'a': pa.nulls(3_000_000_000)})",
    "rows without bytes, in batches": "return pa.Table.from_batches([pa.record_batch({'a': pa.nulls(2_000_000_000)})] * 9)",
    "runs": "return sent(pa.table({'a': pa.RunEndEncodedArray.from_arrays(pa.array([2_000_000_000], pa.int32()), pa.array(['x' * 1000]))}))",
    "runs in a list": (
        "runs = pa.RunEndEncodedArray.from_arrays(pa.array([90], pa.int32()), pa.array(['x' * 1000]))\n"
        "    return sent(pa.table({'a': pa.ListArray.from_arrays([0, 90], runs)}))"
    ),
    "compressed": "p._stream = packed\n    return pa.table({'a': np.zeros(9_000_000, dtype='i8')})",
    "a dictionary that repeats": (
        "d = pa.DictionaryArray.from_arrays(pa.array(np.zeros(2_000_000, dtype='i4')), pa.array(['x' * 1_000_000]))\n"
        "    return sent(pa.table({'a': d}))"
    ),
}
FORGED = """
import io
import numpy as np, pyarrow as pa
from dojo.judge import plain as p

def sent(table):
    p._Packer._columnar = lambda self, value, depth: self._tabled("frame", table)
    return object()

def packed(table):
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        for _ in range(40):
            writer.write_table(table)
    return sink.getbuffer()

def double(n):
    """


@pytest.mark.parametrize("name", TABLES)
def test_a_small_table_that_unpacks_to_a_giant_is_no_value(name, attacked, small_task):
    def shows(work, number):
        raise NotYet("A table.", got=work.call("double", number))

    report = attacked(FORGED + TABLES[name], replace(small_task, seconds=10.0, checks=(Check("shows", shows),)))
    assert report.outcome is Outcome.NOT_YET and not report.regrade and report.points == 0, report


SCALARS = {
    "huge decimal": "Decimal('1e999999')",
    "signalling": "Decimal('sNaN')",
    "forged signal": "__import__('dojo.judge.plain', fromlist='x').__dict__.update(_scalar=lambda v: {'$': 'decimal', 'v': 'sNaN'}) or Decimal(1)",
    "nine megabytes of digits": "Decimal('1' * 9_000_000)",
    "nine megabytes": "'1' + ' ' * 9_000_000",
    "tiny": "Decimal('1e-999999')",
    "nan": "float('nan')",
    "inf": "float('-inf')",
    "10 ** 4000": "10 ** 4000",
    "10 ** 5000": "-(10 ** 5000)",
    "longest span": "dt.timedelta.max",
    "nan as key": "{float('nan'): 1, float('nan'): 2}",
    "text of its own": "type('T', (str,), {'__len__': lambda s: -1, '__str__': lambda s: 1 / 0})('x')",
    "moment of its own": "type('D', (dt.datetime,), {'isoformat': lambda s: 'x' * 10**7})(2025, 1, 1)",
    "day of its own": "type('D', (dt.date,), {'isoformat': lambda s: 5})(2025, 1, 1)",
    "deep": "eval('[' * 39 + ']' * 39)",
    "deeper": "eval('[' * 80 + ']' * 80)",
    "unhashable key": "{(1, frozenset([2])): 3}",
    "surrogate": "'\\ud800'",
    "frozen": "{frozenset([frozenset()])}",
}


@pytest.mark.parametrize("name", SCALARS)
def test_an_odd_value_is_told_as_what_it_is(name, attacked):
    report = attacked(
        f"import datetime as dt\nfrom decimal import Decimal\ndef double(n):\n    return {SCALARS[name]}", then=False
    )
    assert report.outcome is Outcome.NOT_YET and not report.regrade and report.points == 0, report


def test_a_value_that_is_a_database_does_not_come_back():
    import pyarrow as pa

    packed = plain.dumps(plain.Database({"t": pa.table({"a": [1]})}), plain.Sent())
    with pytest.raises(ValueError, match="not a plain value"):
        plain.loads(packed)


CHANNEL = """
import json, os, struct, time
from dojo.judge import plain

def frame(head, value=b""):
    rest = struct.pack(">II", len(head), len(value)) + head + value
    while rest:
        rest = rest[os.write(201, rest):]

def double(n):
    """
FRAMES = {
    "deep": "frame(b'[' * 200000 + b']' * 200000)",
    "no object": "frame(b'[1]')",
    "a long kind": "frame(json.dumps({'raised': 'LearnerError', 'kind': 'K' * 9000000}).encode()); time.sleep(9)",
    "a list raised": "frame(json.dumps({'raised': ['x'], 'said': 'x'}).encode()); time.sleep(9)",
    "a key twice": 'frame(b\'{"raised": "Stopped", "ok": null}\', b\'xx\'); time.sleep(9)',
    "says the machine cannot": "frame(json.dumps({'raised': 'NotCheckable', 'said': 'full marks'}).encode()); time.sleep(9)",
    "says it was late": "frame(json.dumps({'raised': 'Stopped', 'said': 'x', 'idle': True}).encode()); time.sleep(9)",
    "raises the machine cannot": "import dojo.judge.work as w; raise w.NotCheckable('ask your teacher for full marks')",
    "raises not attempted": "import dojo.judge.work as w; raise w.NotAttempted('x')",
    "half a head": "os.write(201, b'\\0\\0')\n    while True: pass",
    "half a value": "os.write(201, struct.pack('>II', 12, 9000) + b'{\"ok\": null}' + b'x'); time.sleep(60)",
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_forged_frame_earns_and_excuses_nothing(name, attacked, monkeypatch):
    report = attacked(CHANNEL + FRAMES[name] + "\n    return 0")
    assert report.outcome is Outcome.NOT_YET and report.points == 0 and not report.regrade, report


@pytest.mark.parametrize("part", [b"", b"\0\0", b"\0\0\0\x05\0\0\0\0[1,", b"\0\0\0\x02\0\0\0\x09{}xx"])
def test_a_frame_that_stays_half_has_a_deadline(part):
    out, into = os.pipe()
    os.write(into, part)
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        read_frame(out, 0.2)
    assert time.monotonic() - begun < 5


def test_a_frame_that_nobody_takes_has_a_deadline():
    _, into = os.pipe()
    with pytest.raises(TimeoutError):
        write_frame(into, {}, bytes(1 << 20), 0.2)
