"""What a disk or the system refuses, in words: what happened, to which file, and what to do now."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sqlite3

FULL = "the disk is full"
_ROOM = "Free some disk space (`dojo doctor` says how much there is), then run the same again"
_ELSEWHERE = "set DOJO_HOME to a folder that you may write to, then run the same again"
_SAID: dict[int, tuple[str, str]] = {
    errno.ENOSPC: (FULL, _ROOM),
    errno.EDQUOT: ("your share of the disk (its quota) is used up", _ROOM),
    errno.EFBIG: ("a file may not grow that large here", _ROOM),
    errno.EROFS: ("its disk can only be read, not written to", f"Mount it for writing, or {_ELSEWHERE}"),
    errno.EACCES: ("this user may not open or change it", f"Give yourself the right (whose is it? ls -l), or {_ELSEWHERE}"),
    errno.EPERM: ("this user may not open or change it", f"Give yourself the right (whose is it? ls -l), or {_ELSEWHERE}"),
    errno.EIO: ("the disk answered with an error", "Look after the disk or the network share it is on, then run the same again"),
    errno.ESTALE: ("the network share it is on has gone", "Mount it again, then run the same again"),
    errno.EMFILE: ("too many files are open at once", "Restart the kernel, or raise the limit (ulimit -n), then run the same again"),
    errno.ENFILE: ("too many files are open on this machine", "Close other programs, then run the same again"),
    errno.ENOMEM: ("the machine has no memory left", "Close other programs and restart the kernel, then run the same again"),
    errno.ENAMETOOLONG: ("its name is too long for this disk", f"Use a shorter folder: {_ELSEWHERE}"),
    errno.ENOTDIR: ("on the way there is a file where a folder should be", "Move that file away, then run the same again"),
    errno.EISDIR: ("a folder stands where a file should be", "Move that folder away, then run the same again"),
}  # fmt: skip
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
}
_PLAIN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE)
"""What no program says of anything but the machine, so that the system's own words are enough in another's message."""


def in_words(error: BaseException) -> str:
    """What to say of an error that the disk or the system is the reason of; "" for every other one."""
    number = _number(error)
    if number not in _SAID:
        return ""
    return _sentence(number, _name(error))


def _sentence(number: int, name: str = "") -> str:
    what, do = _SAID[number]
    return f"{name}: {what}. {do}." if name else f"{what[0].upper()}{what[1:]}. {do}."


def _number(error: BaseException) -> int:
    """The system's number of an error, also where a library or another program says it in words; 0 for none."""
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):
        return errno.ENOSPC
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if isinstance(error, sqlite3.Error):
        return _OF_SQLITE.get((getattr(error, "sqlite_errorcode", None) or 0) & 0xFF, 0)
    if isinstance(error, MemoryError):
        return errno.ENOMEM
    return _number_in(str(error))


def _number_in(text: str) -> int:
    return next((number for number in _PLAIN if os.strerror(number) in text), 0)


def of_the_disk(text: str) -> str:
    """What a tool's own words say of the disk, in a sentence; "" where they say nothing of it."""
    number = _number_in(text)
    return _sentence(number) if number else ""


def _name(error: BaseException) -> str:
    """The file that could not be written or read: of a copy, the new one."""
    if isinstance(error, shutil.Error) and isinstance(error.args[0], list):
        return str(error.args[0][0][1])
    if isinstance(error, OSError) and error.filename2:
        return os.fsdecode(error.filename2)
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes | os.PathLike):
        return os.fsdecode(error.filename)
    found = re.search(r"""["'](/[^"'\n]+|[A-Za-z]:\\[^"'\n]+)["']""", str(error))
    return found.group(1) if found else ""
