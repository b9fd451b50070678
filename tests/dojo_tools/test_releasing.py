"""Deliveries as the judge runs them: what a warehouse holds, who sees what, and dbt on any file of an environment."""

from __future__ import annotations

import json
import sys
import textwrap

import duckdb
import pyarrow as pa
import pytest

from dojo.judge.work import LearnerError, NotAttempted, NotCheckable
from dojo.tools import releasing, releasing_dbt

ROWS = pa.table({"n": [1, 2, 3]})


def write(path, statement):
    with duckdb.connect(str(path)) as con:
        con.execute(statement)


def test_contents_tell_rows_and_not_their_order_or_the_file(tmp_path):
    write(tmp_path / "a.duckdb", "create table t as from (values (1), (2)) as v(n)")
    write(tmp_path / "b.duckdb", "create table t as from (values (2), (1)) as v(n)")
    write(tmp_path / "c.duckdb", "create table t as from (values (2), (3)) as v(n)")
    a, b, c = (releasing.contents(tmp_path / f"{name}.duckdb") for name in "abc")
    assert a == b != c


def test_contents_name_a_view_that_lost_its_database(tmp_path):
    write(tmp_path / "green.duckdb", "create table t as select 1 as n; create view v as from green.main.t")
    (tmp_path / "green.duckdb").rename(tmp_path / "prod.duckdb")
    assert "main.v" in releasing.contents(tmp_path / "prod.duckdb")
    assert "broken" in releasing.contents(tmp_path / "prod.duckdb")


SHADOWS = """
create macro duckdb_tables() as table select 'main' as schema_name, 't' as table_name, current_database() as database_name;
create macro hash(x) as 1; create macro bit_xor(x) as 1; create macro count_star() as 1; create macro current_database() as 'x'
"""


def test_no_macro_of_a_file_answers_for_what_it_holds(tmp_path):
    for name, rows in (("a", 1), ("b", 2)):
        write(tmp_path / f"{name}.duckdb", f"create schema raw; create table raw.t as select {rows} as n; {SHADOWS}")
    a, b = (releasing.contents(tmp_path / f"{name}.duckdb") for name in "ab")
    assert a != b and "raw.t table" in a
    assert {"raw.t", "main.hash (macro)"} <= set(releasing.holds(tmp_path / "a.duckdb"))


@pytest.mark.parametrize(
    "more",
    [
        "create view v as select 1",
        "create macro m(x) as x",
        "create macro m(x) as table select x",
        "create sequence s",
        "create type mood as enum ('good')",
        "create table u (n int)",
        "alter table t rename column n to m",
        'create table "a b\nc" (n int)',
    ],
)
def test_whatever_a_file_holds_more_is_told(tmp_path, more):
    write(tmp_path / "a.duckdb", "create table t as select 1 as n")
    before = releasing.contents(tmp_path / "a.duckdb")
    write(tmp_path / "a.duckdb", more)
    after = releasing.contents(tmp_path / "a.duckdb")
    assert after != before and all(line.split()[0].startswith("main.") for line in after.splitlines())


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def publish(:", LearnerError),
        ("import nothing_of_this_name", LearnerError),
        ("other = 1", NotAttempted),
        ("def publish(built, served):\n    raise NotImplementedError", NotAttempted),
    ],
)
def test_a_file_that_cannot_be_tried_says_so(text, error):
    with pytest.raises(error):
        watch(text)


def watch(text, **more):
    return watching(text, **more)[0]


def watching(text, **more):
    return releasing.session(
        {
            "op": "watched",
            "text": text,
            "entry": "publish",
            "arguments": ["built.duckdb", "served.duckdb"],
            "served": "served.duckdb",
            "query": "from serving.t order by all",
            "mornings": [{"tables": {"marts.t": ROWS.slice(0, 2)}, "in_log": {"marts.t": ROWS}}],
            "warehouses": {more.get("served", "served.duckdb"): {"serving.t": ROWS.slice(0, 1)}},
            **more,
        }
    )["mornings"]


IN_ONE_STEP = """
import os, duckdb
def publish(built, served):
    aside = served.with_name("aside.duckdb")
    con = duckdb.connect(str(aside))
    con.execute(f"attach '{built}' as built (read_only)")
    con.execute("create schema serving; create table serving.t as from built.marts.t")
    con.close()
    os.replace(aside, served)
"""


IN_A_THREAD = """
import os, duckdb, threading
def publish(built, served):
    one = threading.Thread(target=work, args=(served,))
    one.start(); one.join()
def work(served):
"""


@pytest.mark.parametrize(
    "moves",
    [
        "old = served.parent.with_name('old'); served.parent.rename(old); old.rename(served.parent)",
        "old = served.with_name('old'); served.rename(old); old.rename(served)",
        "up = served.parent.parent; old = up.with_name(up.name + '-old'); up.rename(old); old.rename(up)",
    ],
)
def test_a_moment_without_the_file_is_noticed_wherever_it_went(moves):
    request = {"served": "there/served.duckdb", "arguments": ["built.duckdb", "there/served.duckdb"]}
    assert watch(f"{IN_A_THREAD}    {moves}\n", **request)["gone"]


STOPPED = """
import os, signal, time
def publish(built, served):
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            words = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        if "as dashboards (read_only)" in words and os.getppid() in (int(open(f"/proc/{pid}/stat").read().split()[3]), pid):
            os.kill(pid, signal.SIGSTOP); time.sleep(0.1); os.kill(pid, signal.SIGCONT)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks for the process in /proc")
def test_a_reader_who_was_stopped_for_a_while_has_not_seen_all():
    with pytest.raises(LearnerError, match="stopped for a while"):
        watch(STOPPED)
    assert watch(IN_ONE_STEP)["raised"] == ""


def test_an_answer_that_was_not_asked_for_is_nobodys():
    reader = releasing.Reader.here()
    reader._process.stdin.write('[0, "begin"]\n')
    with pytest.raises(LearnerError, match="spoke in its place"):
        reader.order("begin")
    assert releasing.Reader.here().order("begin") == 0


def test_a_publish_that_is_killed_leaves_what_it_was_doing_and_the_next_one_runs():
    mornings = [{"tables": {"marts.t": ROWS}, "killed": killed} for killed in (0, 0.5, 0)]
    done = watching(
        IN_ONE_STEP.replace("    con = duck", "    aside.unlink(missing_ok=True)\n    con = duck"), mornings=mornings
    )
    assert [d["raised"].split(" (")[0] for d in done] == ["", "the function ended its process", ""]
    assert 0 < done[1]["looks"] < done[0]["looks"] == done[2]["looks"]


def test_a_reader_in_another_process_sees_the_old_file_then_the_new_one_with_what_stood_in_the_log():
    states = [state for _, state in watch(IN_ONE_STEP)["seen"]]
    assert states == [["rows", [["1"]]], ["rows", [["1"], ["2"], ["3"]]]]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ("    served.unlink()\n    built.rename(served)", "does not exist"),
        ("    shutil.copyfile(built, served)", ""),
        ("    con = duckdb.connect(str(served))\n    con.execute('select 1')\n    con.close()", "lock"),
    ],
)
def test_a_reader_meets_what_happens_between_two_lines_or_is_in_the_way_himself(body, word):
    done = watch(f"import duckdb, shutil\ndef publish(built, served):\n{body}\n    return True\n")
    met = [state[1] for _, state in done["seen"] if state[0] == "error"] + [w for w in (done["met"], done["raised"]) if w]
    assert met and word in met[0].lower()


def test_another_session_sees_nothing_of_a_transaction_until_its_end():
    text = "def move(con):\n    con.execute('begin')\n    con.execute('delete from t')\n    con.execute('insert into t values (9)')\n    con.execute('commit')\n"
    tables = {"main.t": ROWS.slice(0, 1)}
    morning = {"tables": {}, "arguments": []}
    request = {
        "op": "inside",
        "text": text,
        "entry": "move",
        "tables": tables,
        "query": "from t",
        "queries": {},
        "mornings": [morning],
    }
    assert [state for _, state in releasing.session(request)["mornings"][0]["seen"]] == [
        ["rows", [["1"]]],
        ["rows", [["9"]]],
    ]
    request["text"] = text.replace("    con.execute('begin')\n", "").replace("    con.execute('commit')\n", "")
    assert ["rows", []] in [state for _, state in releasing.session(request)["mornings"][0]["seen"]]


@pytest.mark.parametrize("call", ["execute", "sql", "query"])
def test_another_session_reads_after_each_statement_of_one_text(call):
    body = f"con.{call}('delete from t; insert into t values (9)')\nreturn con.execute('pivot t on n using sum(n); from t').fetchall()[0][0]"
    done = inside(body)
    assert done["returned"] == 9, done
    assert [state for _, state in done["seen"]] == [["rows", [["1"]]], ["rows", []], ["rows", [["9"]]]]


@pytest.mark.parametrize("value", ["union_value(n := 2)", "[n]", "'1'::varint", "interval 1 day", "'infinity'::date"])
def test_a_table_of_any_type_comes_back_as_rows_or_words(value):
    body = f'con.execute("create table u as select {value} as n from t")'
    rows = inside(body, queries={"u": "from u"})["rows"]["u"]
    assert isinstance(rows, str | pa.Table)


def inside(body, **more):
    """What a function with this body made of a session with the table t (one row, 1)."""
    text = f"import duckdb, pandas as pd\ndef work(con):\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    request = {"op": "inside", "text": text, "entry": "work", "tables": {"main.t": ROWS.slice(0, 1)}, "query": "from t"}
    return releasing.session({**request, "queries": {}, "mornings": [{"tables": {}, "arguments": []}], **more})["mornings"][
        0
    ]


@pytest.mark.parametrize(
    ("body", "returned"),
    [
        ("return con.execute('select n + ? from t', [1]).fetchone()[0]", 2),
        ("return len(con.execute('from t').df())", 1),
        ("return con.execute('from t').arrow().read_all().num_rows", 1),
        ("return con.sql('from t').filter('n = 1').aggregate('sum(n)').fetchall()[0][0]", 1),
        ("new = pd.DataFrame({'n': [4, 5]})\nreturn con.execute('select sum(n) from new').fetchone()[0]", 9),
        ("con.register('mine', con.execute('from t').df())\nreturn con.sql('from mine').fetchone()[0]", 1),
        ("with con.cursor() as other:\n    return other.execute('from t').description[0][0]", "n"),
        (
            "try:\n    con.execute('from nothing')\nexcept duckdb.CatalogException as error:\n    return 'nothing' in str(error)",
            True,
        ),
        ("return con.execute('from t').fetch_df()['n'].iloc[0].item()", 1),
    ],
)
def test_a_session_answers_as_duckdb_does(body, returned):
    done = inside(body)
    assert (done["returned"], done["raised"]) == (returned, "")


def test_what_runs_python_in_the_database_cannot_be_tried_here():
    with pytest.raises(NotCheckable, match="create_function"):
        inside("con.create_function('f', lambda x: x)")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("con.nothing()", "AttributeError"),
        ("con._query()", "AttributeError"),
        ("con.execute()", "TypeError"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "the function ended its process (exit status 3)"),
    ],
)
def test_what_a_function_raises_is_told(body, words):
    assert words in inside(body)["raised"]


def test_names_of_the_judge_are_nobodys_tables():
    assert "Catalog" in inside("con.execute('from request')")["raised"]


def delivered(body, **more):
    """What a function with this body made of a dbt, a repository with the slice, and a warehouse called prod."""
    text = f"import os, shutil\ndef deliver(dbt, folder, repo):\n{textwrap.indent(textwrap.dedent(body), '    ')}"
    request = {
        "op": "session",
        "text": text,
        "entry": "deliver",
        "arguments": ["dbt", "folder", "repo"],
        "files": releasing_dbt.slice_of_shopflow(),
        "warehouses": {"warehouse/prod.duckdb": {"marts.t": ROWS}},
    }
    return releasing.session({**request, **more})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ("dbt()", "no command"),
        ("dbt(target='dev')", "no command"),
        ("dbt('clean')", "clean"),
        ("dbt('ls', '--target', 'prod')", "--target"),
        ("dbt('ls', '--profiles-dir=/tmp')", "--profiles-dir=/tmp"),
    ],
)
def test_what_is_no_command_of_a_delivery_is_an_error_of_the_function(call, words):
    done = delivered(call)
    assert done["raised"].startswith("TypeError") and words in done["raised"] and not done["calls"]


def test_a_target_is_named_as_target_or_as_in_a_notebook_and_whether_it_was_is_told():
    calls = delivered("dbt('parse', env='staging'); dbt('parse', target='prod'); dbt('parse')")["calls"]
    assert [(c["target"], c["named"]) for c in calls] == [("staging", True), ("prod", True), ("dev", False)]


MODEL = "(repo / 'dbt' / 'models' / 'evil.py').write_text('def model(dbt, session):\\n    raise SystemExit')\n"
PYTHON_IN_SQL = """
text = "{% materialization evil, default %}{% call statement('main', language='python') %}open('FILE', 'w'){% endcall %}"
text += "{{ return({'relations': []}) }}{% endmaterialization %}"
(repo / "dbt" / "macros" / "evil.sql").write_text(text.replace("FILE", str(folder / "ran")))
(repo / "dbt" / "models" / "evil.sql").write_text("{{ config(materialized='evil') }} select 1 as a")
done = dbt("run", "--select", "evil")
return f"{(folder / 'ran').exists()} {done.success} {done.error}{done.results}"
"""
PROFILE = "(repo / 'dbt' / 'profiles.yml').write_text('shopflow: {}')\n"


@pytest.mark.parametrize(("change", "words"), [(MODEL, "models/evil.py"), (PROFILE, "profiles.yml")])
def test_a_project_with_python_or_connections_of_its_own_is_refused_in_words(change, words):
    (call,) = delivered(change + "dbt('run', '--select', 'evil')")["calls"]
    assert words in call["said"] and not call["success"]


def test_a_materialization_cannot_hand_python_to_the_judges_dbt():
    told = delivered(PYTHON_IN_SQL)["returned"]
    assert told.startswith("False False") and "runs no Python" in told


def test_prod_is_looked_at_after_a_command_on_any_file_and_told_apart_from_another_file():
    body = "green = folder / 'green.duckdb'\nshutil.copyfile(folder / 'prod.duckdb', green)\n"
    away = delivered(
        body
        + "os.rename(folder / 'prod.duckdb', folder / 'x')\ndbt('parse')\nos.rename(folder / 'x', folder / 'prod.duckdb')"
    )
    assert away["calls"][0]["state"] == "no file" and not away["replaced"]
    assert delivered(body + "os.replace(green, folder / 'prod.duckdb')")["replaced"]
    assert not delivered(body + "shutil.copyfile(green, folder / 'prod.duckdb')")["replaced"]


def test_a_macro_of_a_warehouse_does_not_answer_for_duckdb(tmp_path):
    write(tmp_path / "a.duckdb", "create table t as select 1 as n")
    before = releasing.contents(tmp_path / "a.duckdb")
    for name in ("hash", "bit_xor", "count_star", "current_database", "md5"):
        write(tmp_path / "a.duckdb", f"create macro {name}(x) as 1")
    write(tmp_path / "a.duckdb", "create macro duckdb_tables() as table select 1 as schema_name; update t set n = 2")
    after = releasing.contents(tmp_path / "a.duckdb")
    assert {line.split()[0] for line in after.splitlines()} >= {"main.t", "main.hash", "main.duckdb_tables"}
    assert next(line for line in after.splitlines() if line.startswith("main.t ")) != before


def test_a_name_of_a_table_is_one_word_of_one_line(tmp_path):
    write(
        tmp_path / "a.duckdb", 'create table "a\nmarts.b table 1 2" as select 1 as n; create table "c""d" as select 1 as n'
    )
    lines = releasing.contents(tmp_path / "a.duckdb").splitlines()
    assert len(lines) == 2 and all(len(line.split()) == 5 and "broken" not in line for line in lines)


def test_a_project_is_text_inside_the_repository():
    assert "is no text" in delivered("(repo / 'dbt' / 'x.sql').write_bytes(b'\\xff')\ndbt('parse')")["raised"]
    assert "leads out" in delivered("(repo / 'dbt' / 'x.sql').symlink_to('/etc/hostname')\ndbt('parse')")["raised"]


def test_a_message_that_is_no_question_ends_the_function():
    assert "the pipe that leads to the judge" in delivered("dbt._line.say('nonsense')")["raised"]


def reading(target):
    """How dbt connects by a profile with one target."""
    target = {"type": "duckdb", "path": "/x/dev.duckdb", **target}
    return releasing_dbt.resolved(json.dumps({"shopflow": {"target": "dev", "outputs": {"dev": target}}}), None, {})


@pytest.mark.parametrize(
    "more",
    [
        {"settings": {"threads = 1; copy (select 1) to '/tmp/x'": "1"}},
        {"plugins": [{"module": "evil"}], "module_paths": ["/tmp"]},
        {"extensions": ["httpfs"], "secrets": [{"type": "s3"}], "filesystems": [{"fs": "evil"}]},
        {"attach": [{"path": "/x/prod.duckdb"}, {"path": "a", "read_only": True, "options": {"x": 1}}]},
    ],
)
def test_a_profile_is_tried_without_what_the_adapter_would_run(more):
    found = reading(more)
    assert found.said == "" and found.profile == reading({}).profile


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"path": "md:prod"}, "md:prod"),
        ({"path": "{% raw %}{{ env_var('HOME') }}{% endraw %}"}, "cannot be tried here"),
        ({"type": "postgres"}, "another database"),
        ({"attach": [{"path": "/x/prod.duckdb", "alias": "p; drop table t", "read_only": True}]}, "is not a name"),
    ],
)
def test_a_profile_that_leads_to_no_file_of_this_machine_is_refused_in_words(more, words):
    assert words in reading(more).said
