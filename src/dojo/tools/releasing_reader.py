"""The reader who does not wait: a process that opens a published file for a moment, again and again. And what the system saw."""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from pathlib import Path

READER = """
import ctypes, json, queue, sys, threading
import duckdb

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # no process of the same user may write into this one's memory

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
            order = orders.get(timeout=None if path is None else 0.002)  # an order soon after needs no look of its own before
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

_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _DELETE = 0x2, 0x8, 0x40, 0x200
_WORDS = {
    _MOVED_FROM: "it was moved away",
    _DELETE: "it was deleted",
    _MODIFY: "it was written to",
    _CLOSE_WRITE: "it was open for writing",
}
_NONBLOCK = os.O_NONBLOCK


class Touches:
    """What the system saw happen to a file that readers open, whoever did it and however fast. A context manager.

    told: afterwards, in words, what was done to it except putting another file in its place in one step. Linux only;
    elsewhere nothing is told.
    """

    def __init__(self, path: Path):
        self.told: list[str] = []
        self._path, self._fd = path, -1

    def __enter__(self) -> Touches:
        if sys.platform == "linux":
            libc = ctypes.CDLL(None, use_errno=True)
            self._fd = libc.inotify_init1(_NONBLOCK)
            folder = os.fsencode(self._path.parent)
            self._folder = libc.inotify_add_watch(self._fd, folder, _CLOSE_WRITE | _MOVED_FROM | _DELETE)
            libc.inotify_add_watch(self._fd, os.fsencode(self._path.resolve()), _MODIFY | _CLOSE_WRITE)
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd < 0:
            return
        with contextlib.suppress(BlockingIOError):
            while events := os.read(self._fd, 1 << 16):
                self._read(events)
        os.close(self._fd)

    def _read(self, events: bytes) -> None:
        at = 0
        while at < len(events):
            watch, mask, _, length = struct.unpack_from("iIII", events, at)
            name = events[at + 16 : at + 16 + length].rstrip(b"\0")
            at += 16 + length
            if watch == self._folder and name != os.fsencode(self._path.name):
                continue
            self.told += [words for bit, words in _WORDS.items() if mask & bit and words not in self.told]
