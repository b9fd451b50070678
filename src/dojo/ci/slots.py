"""At most two runs at a time on one machine, whoever asks: each holds one of two locks, which the system frees with its process."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

PLACES = tuple(Path(__file__).parent / "actions" / name / "action.yml" for name in ("cache", "upload-artifact"))
"""Two files that every process here can open, walled in or not; what is in them is of no matter."""
PATIENCE = 60.0
"""Seconds after which a run begins all the same: whoever holds the locks is not to be relied on."""
HELD = {errno.EAGAIN, errno.EWOULDBLOCK}
"""How the system says that another one holds a lock."""


@contextlib.contextmanager
def one() -> Iterator[None]:
    """Waits for a free place and holds it for the block."""
    held = _wait()
    try:
        yield
    finally:
        if held is not None:
            os.close(held)


def _wait() -> int | None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for place in PLACES:
            try:
                return _taken(place)
            except OSError as error:
                if error.errno not in HELD:  # this file system knows no locks: there is nothing to wait for
                    return None
        time.sleep(0.02)
    return None


def _taken(place: Path) -> int:
    """The descriptor that holds the lock of a place. OSError where another holds it."""
    import fcntl

    held = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        raise
    return held
