"""Databases lent to answers: every call finds the tables as they were given, whatever the call before it did."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dojo.judge import lending, plain
from dojo.judge.work import KernelWork
from dojo.submission import Answer

TABLES = {"raw.orders": pa.table({"order_id": [1, 2, 3], "status": ["paid", "paid", "placed"]})}
GIVEN = plain.Database(TABLES)

SPOILERS = {
    "deletes the rows": "con.execute('delete from raw.orders')",
    "drops the table": "con.execute('drop table raw.orders')",
    "leaves a table behind": "con.execute('create table raw.mine as select 1 as a')",
    "leaves a temporary table behind": "con.execute('create temp table mine as select 1 as a')",
    "leaves a transaction open": "con.begin(); con.execute('delete from raw.orders')",
    "opens and ends a transaction": "con.begin(); con.execute('delete from raw.orders'); con.commit()",
    "closes the connection": "con.close()",
    "keeps a second cursor": "global kept; kept = con.cursor(); kept.execute('select 1')",
    "attaches a database": "con.execute(\"attach ':memory:' as mine; create table mine.t as select 1 as a\")",
    "detaches its own": "con.execute(\"attach ':memory:' as mine; use mine; detach memory\")",
    "changes a setting for all": "con.execute('set global threads = 2')",
    "changes a setting of its own": "con.execute(\"set timezone = 'Asia/Tokyo'\")",
    "registers a function": "con.create_function('twice', lambda n: 2 * n, ['BIGINT'], 'BIGINT')",
    "registers one where nobody looks": "getattr(con, 'create_function')('thrice', lambda n: 3 * n, ['BIGINT'], 'BIGINT')",
    "fails": "con.execute('select nothing from nowhere')",
}

LOOKS = """
def looks(con):
    tables = [t for t, in con.execute("select table_name from duckdb_tables() order by all").fetchall()]
    rows = con.execute("select count(*) from raw.orders").fetchone()[0]
    settings = con.execute("select current_setting('threads'), current_setting('timezone'), current_database()").fetchone()
    return [tables, rows, *settings]
"""


def works(sandbox, transport, source):
    if transport == "grader":
        return sandbox.task([("cell 1", source)], {})
    names: dict = {}
    exec(compile(source, "<answer cell 1>", "exec"), names)
    return _Open(KernelWork(names, None))


class _Open:
    def __init__(self, work):
        self.work = work

    def __enter__(self):
        return self.work

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("transport", ["kernel", "grader"])
@pytest.mark.parametrize("name", SPOILERS)
def test_no_call_meets_the_traces_of_another(name, transport, sandbox):
    source = (
        f"{LOOKS}\ndef spoils(con):\n    try:\n        {SPOILERS[name]}\n    except Exception:\n        pass\n    return 1\n"
    )
    with works(sandbox, transport, source) as work:
        before = work.call("looks", GIVEN)
        assert before[0] == ["orders"] and before[1] == 3 and before[4] == "memory"
        assert [work.call("spoils", GIVEN), work.call("spoils", GIVEN)] == [1, 1]
        assert work.call("looks", GIVEN) == before


@pytest.mark.parametrize("transport", ["kernel", "grader"])
def test_a_function_of_the_answer_s_own_can_be_registered_at_every_call(transport, sandbox):
    source = "def twice(con):\n    con.create_function('f', lambda n: 2 * n, ['BIGINT'], 'BIGINT')\n    return con.execute('select sum(f(order_id)) from raw.orders').fetchone()[0]"
    with works(sandbox, transport, source) as work:
        assert work.calls("twice", [(GIVEN,), (GIVEN,)]) == [12, 12]


@pytest.mark.parametrize("transport", ["kernel", "grader"])
def test_two_databases_in_one_call_do_not_meet(transport, sandbox):
    source = "def moved(a, b):\n    b.execute('delete from raw.orders')\n    return [c.execute('select count(*) from raw.orders').fetchone()[0] for c in (a, b)]"
    with works(sandbox, transport, source) as work:
        assert work.call("moved", GIVEN, GIVEN) == [3, 0]


def test_one_instance_serves_all_calls_that_leave_no_trace():
    with lending.lent(TABLES) as con:
        con.execute("delete from raw.orders")
    kept = lending._shared[0]
    with lending.lent(TABLES) as con:
        assert con.execute("select count(*) from raw.orders").fetchone() == (3,)
        con.execute("set global threads = 2")
    assert kept not in lending._shared


@pytest.mark.parametrize(
    ("source", "speaks"),
    [
        ("def answer(con): return con.execute('select 1')", False),
        ("def answer(con): con.create_function('f', abs)", True),
        (
            "def answer(con): return helper(con)\ndef helper(con): return [getattr(con, 'create_function') for _ in 'a']",
            True,
        ),
        ("from functools import partial\nanswer = partial(print)", True),
    ],
    ids=["plain", "itself", "by another function", "no plain function"],
)
def test_answers_that_may_register_functions_are_known_by_their_code(source, speaks):
    names: dict = {}
    exec(source, names)
    assert lending.registers_functions(names["answer"]) is speaks


def test_a_table_goes_over_the_wire_once():
    sent, got = plain.Sent(), plain.Sent()
    wide = plain.Database({"t": pa.table({"n": list(range(10_000))})})
    first, again = plain.dumps([wide, 1], sent), plain.dumps([wide, 2], sent)
    assert len(again) < 300 < len(first)
    for data in (first, again):
        assert plain.loads(data, got)[0].tables["t"].equals(wide.tables["t"])


@pytest.mark.parametrize(
    "data", [b"", b"\0\0\0\x04[1,2", b"\0\0\0\x02{}", b"\xff" * 90], ids=["nothing", "half", "no list", "noise"]
)
def test_what_is_no_value_is_refused(data):
    from dojo.judge.sandbox import SandboxWork
    from dojo.judge.work import Stopped

    with pytest.raises(Stopped, match="not a value"):
        SandboxWork._value(data)


def test_an_answer_is_judged_alike_whichever_process_takes_it(toy, tmp_path):
    from dojo import grading
    from dojo.submission import Cell, Submission

    made = Submission((Cell(1, "def double(n):\n    return 2 * n", (toy.id,)),), toy.module)
    assert isinstance(made.answer(toy), Answer)
    with grading.warm_sandboxes() as pair:
        processes = [one._process.pid for one in pair]
        for _ in range(4):
            assert grading.grade(made, "x", *pair).points == toy.points
        assert [one._process.pid for one in pair] == processes, "a warm process must outlive the thread that used it"
