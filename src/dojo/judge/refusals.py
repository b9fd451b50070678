"""What a disk or the system refuses, in words: what happened, to which file, and what to do now."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path

from dojo.places import home

_ROOM = "Free some disk space (`dojo doctor` says how much there is)"
_RIGHT = "Give yourself the right (whose is it? ls -l)"
_SAID: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("your share of the disk (its quota) is used up", _ROOM),
    errno.EFBIG: ("a file may not grow that large here", _ROOM),
    errno.EROFS: ("its disk can only be read, not written to", "Mount it for writing"),
    errno.EACCES: ("this user may not open or change it", _RIGHT),
    errno.EPERM: ("this user may not open or change it", _RIGHT),
    errno.EIO: ("the disk answered with an error", "Look after the disk or the network share it is on"),
    errno.ESTALE: ("the network share it is on has gone", "Mount it again"),
    errno.EMFILE: ("too many files are open at once", "Restart the kernel, or raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many files are open on this machine", "Close other programs"),
    errno.ENOMEM: ("the machine has no memory left", "Close other programs and restart the kernel"),
    errno.ENAMETOOLONG: ("its name is too long for this disk", "Use a shorter name"),
    errno.ENOTDIR: ("on the way there is a file where a folder should be", "Move that file away"),
    errno.EISDIR: ("a folder stands where a file should be", "Move that folder away"),
}
_NO_TEMPORARY = (
    "No folder of this machine takes temporary files: the disk is full, or this user may not write to it. "
    f"{_ROOM}, or set TMPDIR to a folder that you may write to, then run the same again."
)
_CURED_ELSEWHERE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
"""What another place for the learner's folder would mend, too."""
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_PERM: errno.EACCES,
}
_PLAIN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""What no program says of anything but the machine, so that the system's own words are enough in another's message."""


def in_words(error: BaseException) -> str:
    """What to say of an error that the disk or the system is the reason of; "" for every other one."""
    if isinstance(error, FileNotFoundError) and "No usable temporary directory" in str(error):
        return _NO_TEMPORARY
    number = _number(error)
    return _sentence(number, _name(error)) if number in _SAID else ""


def in_a_line(error: BaseException) -> str:
    """What a command says of a mistake, of the machine or of what the course refuses; "" for a fault of the course's own."""
    if words := in_words(error):
        return words
    if isinstance(error, OSError) and error.errno and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    if isinstance(error, LookupError | OSError | ValueError) or type(error).__module__.startswith("dojo."):
        return str(error.args[0] if isinstance(error, KeyError) and error.args else error)
    return ""


def _sentence(number: int, name: str = "") -> str:
    what, do = _SAID[number]
    if number in _CURED_ELSEWHERE and (settings := _settings_of(name)):
        do += f", or set {settings} to a folder on another disk that you may write to"
    said = f"{name}: {what}" if name else f"{what[0].upper()}{what[1:]}"
    return f"{said}. {do}, then run the same again."


def _settings_of(name: str) -> str:
    """The variables that lead a file elsewhere; where no file is known it may be one of the learner's or a temporary one."""
    if not name:
        return "DOJO_HOME (for your work) or TMPDIR (for temporary files)"
    for variable, folder in (("DOJO_HOME", home), ("TMPDIR", tempfile.gettempdir)):
        with contextlib.suppress(OSError):  # what the variable names is itself what is wrong
            if Path(name).is_relative_to(folder()):
                return variable
    return ""


def _number(error: BaseException) -> int:
    """The system's number of an error, also where a library or another program says it in words; 0 for none."""
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
