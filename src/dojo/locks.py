"""One process at a time: locks that the system frees with their owner, which say who holds them and are not waited for without end."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import psutil

PATIENCE = 300.0
"""Seconds another process may take: a workspace is made in twenty, on a slow machine in a hundred."""
SILENCE = 3.0
"""Seconds after which whoever waits is told for whom."""
WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK}
"""How a file system says that it knows no locks: some network and user-space file systems do not."""


class Held(OSError):
    """Another process held a lock for longer than it may; the message says which one and what to do."""


@contextlib.contextmanager
def one_at_a_time(path: Path, *, patience: float | None = None) -> Iterator[None]:
    """Holds the lock of that name for the block; waits `patience` seconds (default PATIENCE), and says so after a few.

    A killed owner leaves nothing that blocks: the system frees its lock. Where a file system knows no locks, a file that
    names its owner (process, start, machine) serves instead. Held when the owner is still there after that time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _taken(path, PATIENCE if patience is None else patience)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows deletes no open file: the next owner uses it again
            path.unlink()
        lock.release()


def _taken(path: Path, patience: float) -> filelock.BaseFileLock:
    lock: filelock.BaseFileLock = filelock.FileLock(path, on_acquired=_sign)
    try:
        return _waited_for(lock, path, patience)
    except OSError as error:
        if isinstance(error, filelock.Timeout | Held) or error.errno not in WITHOUT_LOCKS:
            raise
    path.unlink(missing_ok=True)
    return _waited_for(filelock.SoftFileLock(path.with_name(f"{path.name}.owner")), path, patience)


def _waited_for(lock: filelock.BaseFileLock, path: Path, patience: float) -> filelock.BaseFileLock:
    with contextlib.suppress(filelock.Timeout):
        lock.acquire(timeout=min(SILENCE, patience))
        return lock
    print(f"Waiting for {_owner(path)}: it is at work on the same folder …", file=sys.stderr, flush=True)
    with contextlib.suppress(filelock.Timeout):
        lock.acquire(timeout=max(0.0, patience - SILENCE))
        return lock
    owner = _owner(path)
    raise Held(
        f"{owner[0].upper()}{owner[1:]} has been at work on the same folder for more than {patience:.0f} s. Nothing was "
        "changed. Close the notebook or the terminal it belongs to, or end it, and run the same again. "
        f"If there is no such process any more, delete {lock.lock_file}."
    )


def _sign(held: int) -> None:
    """Writes into the open file of a lock who holds it: for those who wait, the lock itself is the system's."""
    with contextlib.suppress(OSError):  # a full disk: nobody can be named, and the lock is held all the same
        os.ftruncate(held, 0)
        os.lseek(held, 0, os.SEEK_SET)
        os.write(held, json.dumps(_me()).encode())


def _me() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "host": socket.gethostname(),
        "since": time.time(),
    }


def _owner(path: Path) -> str:
    """Who holds a lock, as far as it says and as far as that is still true."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        since = time.strftime("%H:%M", time.localtime(told["since"]))
        if told["host"] != socket.gethostname():
            return f"process {told['pid']} on the machine {told['host']} (since {since})"
        process = psutil.Process(told["pid"])
        if process.create_time() == told["started"]:
            return f"process {told['pid']}, {process.name()} (since {since})"
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        pass
    return "another process"
