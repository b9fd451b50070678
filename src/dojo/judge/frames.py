"""Frames on a pipe between the judge and the process that runs answers: two lengths, a JSON message, a value's bytes."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

from dojo.judge import plain

MAX_MESSAGE = 16 << 20
MAX_VALUE = plain.MAX_BYTES + (1 << 20)


def read_frame(fd: int) -> tuple[Any, bytes]:
    """One frame from a pipe: (message, value); EOFError when the other side is gone; ValueError for what is no frame."""
    head, body = struct.unpack(">II", _read_exactly(fd, 8))
    if head > MAX_MESSAGE or body > MAX_VALUE:
        raise ValueError("frame too large")
    return json.loads(_read_exactly(fd, head)), _read_exactly(fd, body)


def write_frame(fd: int, message: Any, value: bytes = b"") -> None:
    """Writes one frame. BrokenPipeError when the other side is gone."""
    head = json.dumps(message).encode()
    for part in (struct.pack(">II", len(head), len(value)) + head, value):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(fd, rest) :]


def _read_exactly(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
