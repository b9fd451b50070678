"""The reader who does not wait: a process that opens a published file for a moment, again and again."""

from __future__ import annotations

READER = """
import ctypes, sys

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # no process of the same user may write into this one's memory

import json, queue, threading
import duckdb

orders = queue.Queue()

def listen():
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put([0, "end"])

con = duckdb.connect()  # to start a DuckDB takes twenty times as long as to open a file with it

def look(path, query):
    try:
        con.execute("attach '" + path.replace("'", "''") + "' as dashboards (read_only)")
        try:
            con.execute("use dashboards")
            return ["rows", [[str(v) for v in row] for row in con.execute(query).fetchall()]]
        finally:
            con.execute("use memory")
            con.execute("detach dashboards")
    except Exception as error:
        return ["error", str(error).splitlines()[0][:200]]

def main():
    path = query = None
    seen, line = [], ""
    while True:
        try:
            number, *order = orders.get(timeout=None if path is None else 0.002)  # soon after needs no look of its own before
        except queue.Empty:
            order = ["free"]
        if order[0] == "end":
            return
        if order[0] == "watch":
            path, query = order[1:]
            seen, line = [], ""
        if order[0] == "look":
            line = order[1]
        if order[0] in ("watch", "look", "free"):
            state = look(path, query)
            if not seen or seen[-1][1] != state:
                seen.append([line, state])
        if order[0] == "stop":
            path = None
        if order[0] != "free":
            print(json.dumps([number, seen if order[0] == "stop" else len(seen)]), flush=True)

threading.Thread(target=listen, daemon=True).start()
main()
"""
"""Run by `python -c`. Orders come in on standard input, a line each, with a number that the answer repeats:
begin, watch (path, query), look (a line of code), stop."""
