"""The reader who does not wait: the program of a process that opens a published file for a moment, again and again."""

from __future__ import annotations

READER = """
import json, queue, sys, threading
import duckdb

orders = queue.Queue()

def listen():
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(["end"])

def look(path, query):
    try:
        con = duckdb.connect(path, read_only=True)
        try:
            return ["rows", [[str(v) for v in row] for row in con.execute(query).fetchall()]]
        finally:
            con.close()
    except Exception as error:
        return ["error", str(error).splitlines()[0][:200]]

def main():
    path = query = None
    seen, line = [], ""
    while True:
        try:
            order = orders.get(block=path is None)
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
            print(json.dumps(seen if order[0] == "stop" else len(seen)), flush=True)

threading.Thread(target=listen, daemon=True).start()
main()
"""
"""Run by `python -c`. Orders come in on standard input, a line each: watch (path, query), look (a line of code), stop, end."""
