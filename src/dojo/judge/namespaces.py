"""Namespaces of Linux for one task: processes, files and shared memory that begin and end with it, and no privileges."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterator

TMP_BYTES, SHM_BYTES = 1 << 30, 256 << 20
"""What a task may keep in /tmp and /dev/shm, which are memory."""
INNER_UID = 64321
"""What a task of an ordinary user is told to be: a user that owns nothing."""

_NEWNS, _NEWIPC, _NEWUSER, _NEWPID = 0x00020000, 0x08000000, 0x10000000, 0x20000000
_NOSUID, _NODEV, _NOEXEC, _REC, _PRIVATE, _REMOUNT, _BIND, _RDONLY = 2, 4, 8, 0x4000, 0x40000, 32, 4096, 1
_PDEATHSIG, _DUMPABLE, _SUBREAPER = 1, 4, 36
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
judging = False
"""Whether this process runs what a learner handed in, apart from the learner's own session: the runner says so."""
WARM = "/warm"
"""Where the warm parent keeps what tasks may read and not write."""


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _must(result: int, what: str) -> None:
    if result:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def keep_memory_private() -> None:
    """No other process of this user may read this one's memory (Linux; elsewhere that is the system's rule)."""
    if sys.platform == "linux":
        _libc().prctl(_DUMPABLE, 0, 0, 0, 0)


def drop_privileges() -> None:
    """Gives up every capability: a user namespace hands them all to whoever opens it."""
    number = _SYS_CAPSET.get(os.uname().machine)
    if number:
        _must(_libc().syscall(number, struct.pack("=Ii", 0x20080522, 0), bytes(24)), "capset")


def fork_here(serve: Callable[[], None]) -> int:
    """A forked process that runs `serve` in a process group of its own, and dies with this one. Its pid."""
    pid = os.fork()
    if pid == 0:
        _run(serve, lambda: (os.setsid(), die_with_parent()))
    return pid


def die_with_parent() -> None:
    """This process is killed when the one that forked it ends (Linux)."""
    if sys.platform == "linux":
        _libc().prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def fork_apart(serve: Callable[[], None]) -> int:
    """A forked process that runs `serve` as the first of new namespaces, with an empty /tmp and /dev/shm. Its pid here.

    OSError where the system does not allow it, with its words.
    """
    _libc().prctl(_SUBREAPER, 1, 0, 0, 0)
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(told)
        try:
            _unshare()
            pid = os.fork()  # the first process after an unshare is the first of the new namespace
            if pid == 0:
                _run(serve, lambda: (_lay_out(), os.write(tell, b"laid"), os.close(tell)))
            os.write(tell, struct.pack(">I", pid))
        except OSError as error:
            os.write(tell, str(error).encode())
        os._exit(0)
    os.close(tell)
    os.waitpid(between, 0)
    said = b""
    while part := os.read(told, 4096):
        said += part
    os.close(told)
    if len(said) != 8 or b"laid" not in said:
        raise OSError(f"a task gets no namespaces of its own: {said[4:].decode(errors='replace') or 'not a word'}")
    return struct.unpack(">I", said.replace(b"laid", b"", 1))[0]


def _run(serve: Callable[[], None], first: Callable[[], object]) -> None:
    try:
        first()
        serve()
    except BaseException as error:
        with contextlib.suppress(BaseException):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(0)


def _unshare() -> None:
    libc, uid, gid = _libc(), os.geteuid(), os.getegid()
    own = _NEWNS | _NEWIPC | _NEWPID
    if uid == 0:
        _must(libc.unshare(own), "unshare")
        return
    libc.prctl(_DUMPABLE, 1, 0, 0, 0)  # the map of users belongs to whom this process belongs to
    _must(libc.unshare(own | _NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{INNER_UID} {uid} 1"), ("gid_map", f"{INNER_UID} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    libc.prctl(_DUMPABLE, 0, 0, 0, 0)


def _lay_out() -> None:
    """The room's own /tmp, /dev/shm and /proc; what the warm parent holds can be read only."""
    _mount("none", "/", "", _REC | _PRIVATE, "")
    for place, size in (("/tmp", TMP_BYTES), ("/dev/shm", SHM_BYTES)):
        _mount("tmpfs", place, "tmpfs", _NOSUID | _NODEV, f"mode=1777,size={size}")
    with contextlib.suppress(OSError):  # a container hides parts of /proc and allows no new one: the sandbox's own stays
        _mount("proc", "/proc", "proc", _NOSUID | _NODEV | _NOEXEC, "")
    if os.path.isdir(WARM):
        _mount(WARM, WARM, "", _BIND, "")
        _mount("none", WARM, "", _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV, "")
    os.chdir("/tmp")


def _mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    words = [w.encode() or None for w in (source, target, kind)]
    _must(_libc().mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def hold(number: int) -> None:
    """In the first process of a new namespace: gives the pid of the process that was forked to one that only waits.

    Libraries and tools know their own process by its pid; in a new namespace the same number would come again.
    """
    while True:
        pid = os.fork()
        if pid == 0:
            if os.getpid() == number:
                os.closerange(0, 4096)
                while True:
                    signal.pause()
            os._exit(0)
        if pid >= number:
            return


def end(pid: int) -> None:
    """Kills a process of `fork_here` or `fork_apart` with what hangs on it, and waits for its end."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def remove_tree(path: str) -> None:
    """Deletes a file or a folder however deep it is, without following links; what cannot be deleted stays.

    Folders are lifted to the top before they are emptied, so that depth costs neither stack nor the length of a path.
    """
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            number = itertools.count()
            _emptied(top, top, number)
            while folders := os.listdir(top):
                before = len(folders)
                for name in folders:
                    with contextlib.suppress(OSError):
                        os.chmod(name, 0o700, dir_fd=top)
                        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
                        try:
                            lifted = _emptied(below, top, number)
                        finally:
                            os.close(below)
                        os.rmdir(name, dir_fd=top)
                        before = -1 if lifted else before
                if before == len(os.listdir(top)):
                    break
        finally:
            os.close(top)
        os.rmdir(path)


def _emptied(folder: int, top: int, number: Iterator[int]) -> bool:
    """Deletes the files of a folder and lifts its folders to the top; whether there were any."""
    lifted = False
    for entry in list(os.scandir(folder)):
        with contextlib.suppress(OSError):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
                continue
            os.chmod(entry.name, 0o700, dir_fd=folder)
            os.rename(entry.name, f".dojo-{os.getpid()}-{next(number)}", src_dir_fd=folder, dst_dir_fd=top)
            lifted = True
    return lifted
