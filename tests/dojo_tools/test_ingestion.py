"""A learner's dlt load, tried from outside: what it imports, loads and forgets, and what it does to those who try it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from uuid import uuid4

import psutil
import pytest

from dojo.judge import waiting
from dojo.tools import ingestion

ROWS = {
    "orders": [{"order_id": 1, "updated_at": "2025-11-24T08:00:00Z"}, {"order_id": 2, "updated_at": "2025-11-25T08:00:00Z"}]
}
LOAD = """
import dlt

def run(read, warehouse):
    pipeline = dlt.pipeline("mine", destination=dlt.destinations.duckdb(warehouse), dataset_name="raw")
    pipeline.run(read("orders", None), table_name="orders", write_disposition="append")
"""


def tried(load: str, **asked) -> dict:
    files = {"ingest/__init__.py": "", "ingest/load.py": load}
    return ingestion.session({"files": files, "tries": [{"module": "ingest.load", **asked}]})[0]


def test_each_delivery_is_loaded_on_the_same_warehouse_by_a_machine_that_remembers_nothing():
    deliveries = tried(LOAD, do="loads", deliveries=[ROWS, ROWS])["deliveries"]
    assert [len(d["tables"]["orders"]) for d in deliveries] == [2, 4]
    assert list(deliveries[0]["tables"]["orders"][0]) == ["order_id", "updated_at"]


SHADOWS = """
    con = __import__("duckdb").connect(warehouse)
    con.execute("create macro count(x) as 7; create macro duckdb_tables() as table select 1 as schema_name")
    con.execute("create view duckdb_columns as select 1 as a; create macro duckdb_views() as table select 1 as b")
    con.close()
"""


def test_macros_in_the_warehouse_have_no_say_in_what_is_seen_of_it():
    delivery = tried(LOAD + SHADOWS, do="loads", deliveries=[ROWS])["deliveries"][0]
    assert (delivery["raised"], len(delivery["tables"]["orders"])) == ("", 2)


@pytest.mark.parametrize(
    ("load", "raised"),
    [
        ("import os\nos._exit(0)\n", "ProcessLookupError"),
        ("raise RuntimeError('no')\n", "RuntimeError: no"),
        ("def run(read):\n    pass\n", "TypeError"),
        ("x = 1\n", "AttributeError: ingest.load has no function run"),
    ],
)
def test_a_load_that_breaks_is_told_and_breaks_nobody_else(load, raised):
    assert raised in tried(load, do="loads", deliveries=[ROWS])["deliveries"][0]["raised"]


def test_an_import_that_looks_for_the_network_finds_none_and_is_told():
    got = tried("import urllib.request\nurllib.request.urlopen('http://api.example/')\n", do="import")
    assert got["hosts"] == ["api.example"]
    assert got["made"] == []


def test_the_api_answers_who_brings_the_token_and_tells_who_asked():
    with ingestion.api(ROWS, "right") as (address, asked):
        good = urllib.request.Request(f"{address}/orders?since=2025-11-25", headers={"Authorization": "Bearer right"})
        assert [r["order_id"] for r in json.load(urllib.request.urlopen(good))] == [2]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"{address}/orders")
    assert asked == [("orders", "2025-11-25", True), ("orders", "", False)]


def test_a_warehouse_that_another_process_is_still_letting_go_of_is_waited_for(tmp_path):
    path = tmp_path / "w.duckdb"
    code = "import sys, time, duckdb; c = duckdb.connect(sys.argv[1]); c.execute('create schema raw; create table raw.t as select 1 as a; checkpoint'); print(1, flush=True); time.sleep(0.2)"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        assert ingestion.tables(path, "raw") == {"t": [{"a": 1}]}


def test_a_load_that_never_ends_is_cut_off_twice_with_all_it_started(monkeypatch, tmp_path):
    monkeypatch.setattr(ingestion, "SECONDS", 3)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(ingestion.tempfile, "tempdir", str(tmp_path))
    name = f"left-{uuid4()}"
    load = f"import subprocess, time\nsubprocess.Popen(['sh', '-c', 'sleep 300; echo {name}'])\ntime.sleep(300)\n"
    got = tried(load, do="loads", deliveries=[ROWS])
    assert "cut off twice" in got["busy"] and not got["raised"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if name in " ".join(p.info["cmdline"] or [])]
    assert not list(tmp_path.glob("ingestion-*"))


def test_whoever_waits_is_told_within_the_first_second(monkeypatch):
    told = []
    monkeypatch.setattr(waiting, "_listeners", [lambda *said: told.append(said)])
    tried("x = 1\n", do="import")
    assert told[0] == (0, 1, "loading dlt") and told[-1][:2] == (1, 1)
