"""Looks at a production file while somebody changes it: every moment at which a reader would have found none, or half of one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import struct
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
_HEAD = struct.Struct("iIII")
EVERY = 0.02
"""Seconds between two looks where the system does not report events."""


@dataclass
class Moments:
    """What a reader would have met, in order.

    gone: whether there was a moment without the file; written: whether the file that readers had open was written to in
    place; shown: paths of what stood there, each new file once, held so that it can be read afterwards.
    """

    gone: bool = False
    written: bool = False
    shown: list[Path] = field(default_factory=list)


class Watch:
    """Watches one file from another thread, as a context manager; `moments` is complete once it is closed.

    held: a folder on the same file system in which each file that stood there is kept by a second link; None keeps none.
    """

    def __init__(self, file: Path, held: Path | None = None):
        self._file, self._held = file, held
        self.moments = Moments()
        if held is not None:
            held.mkdir(exist_ok=True)
        self._stop = threading.Event()
        self._seen: tuple[int, int, int] | None = self._state()
        self._events = _events_of(file.parent)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        self._look()
        if self._events is not None:
            self._hear()
            os.close(self._events)

    def _follow(self) -> None:
        while not self._stop.wait(0 if self._events is not None else EVERY):
            if self._events is None:
                self._look()
            elif select.select([self._events], [], [], EVERY)[0]:
                self._hear()
            if self._state() is None:
                self.moments.gone = True

    def _hear(self) -> None:
        """Every event that waits."""
        while events := _read(self._events):
            for kind, name in events:
                if kind & (MOVE_SELF | DELETE_SELF):
                    self.moments.gone = True  # the folder, or one that it stands in
                elif name == self._file.name:
                    self._heard(kind)

    def _heard(self, kind: int) -> None:
        if kind & (MOVED_FROM | DELETE):
            self.moments.gone = True
        if kind & (MODIFY | CREATE):
            self.moments.written = True
        if kind & (MOVED_TO | CREATE):
            self._keep()

    def _look(self) -> None:
        """The state of the file held against the last one that was seen: what no event told."""
        now = self._state()
        if now is None:
            self.moments.gone = True
        elif self._seen is not None and now[0] == self._seen[0] and now != self._seen:
            self.moments.written = True
        elif self._seen is None or now[0] != self._seen[0]:
            self._keep()
        self._seen = now

    def _state(self) -> tuple[int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def _keep(self) -> None:
        """A second link to the file that stands there now."""
        if self._held is None:
            return
        with contextlib.suppress(OSError):
            inode = self._file.stat().st_ino
            kept = self._held / f"{inode}.duckdb"
            if not kept.exists():
                os.link(self._file, kept)
                self.moments.shown.append(kept)


def _events_of(folder: Path) -> int | None:
    """A descriptor that tells what happens to the files of a folder; None where the system has no inotify."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if descriptor < 0:
        return None
    mask = MODIFY | MOVED_FROM | MOVED_TO | CREATE | DELETE
    if libc.inotify_add_watch(descriptor, os.fsencode(folder), mask | MOVE_SELF | DELETE_SELF) < 0:
        os.close(descriptor)
        return None
    for above in folder.parents:  # no more than is allowed: what cannot be watched cannot be moved either
        libc.inotify_add_watch(descriptor, os.fsencode(above), MOVE_SELF | DELETE_SELF)
    return descriptor


def _read(descriptor: int) -> list[tuple[int, str]]:
    """(kind, name of the file) of the events that wait."""
    try:
        data = os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return []
    found, at = [], 0
    while at + _HEAD.size <= len(data):
        _, kind, _, length = _HEAD.unpack_from(data, at)
        name = data[at + _HEAD.size : at + _HEAD.size + length].split(b"\0", 1)[0]
        found.append((kind, name.decode(errors="replace")))
        at += _HEAD.size + length
    return found
