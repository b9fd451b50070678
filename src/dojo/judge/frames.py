"""Frames on a pipe between the judge and the process that runs answers: two lengths, a JSON message, a value's bytes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import struct
import time
from collections.abc import Iterator
from typing import Any

from dojo.judge import plain

MAX_REPLY = 1 << 20
"""The largest message that may come back from an answer, in bytes."""
MAX_REQUEST = 64 << 20
"""The largest message the judge sends: it carries the learner's own cells."""
MAX_VALUE = plain.MAX_BYTES + (1 << 20)
FRAME_SECONDS = 15.0
"""A frame that has begun must be whole within this time."""
PATIENCE = 3
"""So many times the processor seconds of a question may pass by the clock: a busy machine must not decide."""


def read_frame(fd: int, seconds: float | None = None, *, largest: int = MAX_REQUEST) -> tuple[Any, bytes]:
    """One frame from a pipe: (message, value).

    seconds: how long it may take to be whole, None for ever. EOFError when the other side is gone, TimeoutError when it
    is late, ValueError for what is no frame.
    """
    until = None if seconds is None else time.monotonic() + seconds
    head, body = struct.unpack(">II", _read_exactly(fd, 8, until))
    if head > largest or body > MAX_VALUE:
        raise ValueError("frame too large")
    message, value = _read_exactly(fd, head, until), _read_exactly(fd, body, until)
    try:
        return json.loads(message), value
    except RecursionError:
        raise ValueError("message nested too deeply") from None


def write_frame(fd: int, message: Any, value: bytes = b"", seconds: float | None = None) -> None:
    """Writes one frame. BrokenPipeError when the other side is gone, TimeoutError when it does not take it in time."""
    head = json.dumps(message).encode()
    until = None if seconds is None else time.monotonic() + seconds
    with _patient(fd, until):
        for part in (struct.pack(">II", len(head), len(value)) + head, value):
            rest = memoryview(part)
            while rest:
                _wait(fd, until, to_write=True)
                with contextlib.suppress(BlockingIOError):
                    rest = rest[os.write(fd, rest) :]


@contextlib.contextmanager
def _patient(fd: int, until: float | None) -> Iterator[None]:
    """While a deadline counts, a write takes what fits and comes back."""
    if until is None:
        yield
        return
    os.set_blocking(fd, False)
    try:
        yield
    finally:
        os.set_blocking(fd, True)


def _wait(fd: int, until: float | None, *, to_write: bool = False) -> None:
    if until is None:
        return
    left = until - time.monotonic()
    if left <= 0 or not any(select.select([] if to_write else [fd], [fd] if to_write else [], [], left)):
        raise TimeoutError


def _read_exactly(fd: int, size: int, until: float | None) -> bytes:
    parts = []
    while size:
        _wait(fd, until)
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
