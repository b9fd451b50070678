"""Locks: one at a time, freed with their owner, waited for with words and not without end, on every kind of file system."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import filelock
import psutil
import pytest

from dojo import locks, notebook
from dojo.locks import Held, one_at_a_time
from dojo.workspace import WorkspaceError

HOLDS = (
    "import sys, time; from pathlib import Path; from dojo import locks\n"
    "if sys.argv[2:]: {broken}\n"
    "with locks.one_at_a_time(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
)
NO_FLOCK = "\n    import fcntl\n    def refused(*_): raise OSError(95, 'Operation not supported')\n    fcntl.flock = refused"


@pytest.fixture
def holder():
    """Starts a process that holds a lock; ends it."""
    started = []

    def start(path, *more):
        command = [sys.executable, "-c", HOLDS.format(broken=NO_FLOCK if more else "pass"), str(path), *more]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def impatient(monkeypatch):
    """Waits are told after a moment."""
    monkeypatch.setattr(locks, "SILENCE", 0.05)


@pytest.fixture(params=["flock", *([errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK] if os.name != "nt" else [])])
def file_system(request, monkeypatch):
    """The machine's own locks, and file systems that know none, each by its way of saying so."""
    if request.param == "flock":
        return "locks"

    def refused(*_):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr("fcntl.flock", refused)
    return "no locks"


def test_many_at_once_are_one_at_a_time(tmp_path, file_system):
    running, most = [], []

    def work():
        with one_at_a_time(tmp_path / "a.lock"):
            running.append(1)
            most.append(len(running))
            time.sleep(0.02)
            running.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8 and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "left",
    [
        "",
        "4711",
        str(os.getpid()),
        "1",
        "{",
        "\0" * 30,
        json.dumps({"pid": 1, "started": 1.0, "host": "elsewhere", "since": 1.0}),
    ],
    ids=["nobody", "a number", "our own number", "a number that runs", "half", "zeros", "another machine"],
)
def test_what_a_power_cut_or_an_earlier_version_left_blocks_nobody(tmp_path, left, file_system):
    (tmp_path / "a.lock").write_text(left)
    begun = time.monotonic()
    with one_at_a_time(tmp_path / "a.lock"):
        assert time.monotonic() - begun < 5


def test_no_hard_link_is_wanted(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused, raising=False)
    with one_at_a_time(tmp_path / "a.lock"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows ends processes in another way")
@pytest.mark.parametrize("knows", [(), ("no locks",)], ids=["locks", "no locks"])
def test_a_killed_owner_s_lock_is_free_at_once(tmp_path, holder, knows, monkeypatch):
    process = holder(tmp_path / "a.lock", *knows)
    if knows:
        monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    with pytest.raises(Held), one_at_a_time(tmp_path / "a.lock", patience=0.1):
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    with one_at_a_time(tmp_path / "a.lock", patience=5):
        pass


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody read a locked file")
def test_whoever_waits_is_told_for_whom_and_not_for_ever(tmp_path, holder, impatient, capsys):
    process = holder(tmp_path / "a.lock")
    with pytest.raises(Held) as held, one_at_a_time(tmp_path / "a.lock", patience=0.2):
        pass
    name = psutil.Process(process.pid).name()
    said = str(held.value)
    assert re.match(rf"Process {process.pid}, {re.escape(name)} \(since \d\d:\d\d\) has been at work", said)
    assert "Nothing was changed" in said and "run the same again" in said
    assert f"Waiting for process {process.pid}, {name}" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="Windows lets nobody read a locked file")
@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        ({"started": 1.0}, "another process"),
        ({"pid": 2**22 + 1}, "another process"),
        ({"host": "elsewhere"}, "process 77 on the machine elsewhere (since "),
        ({"since": "today"}, "another process"),
    ],
)
def test_nobody_is_named_who_may_not_be_the_owner(tmp_path, changed, owner):
    told = {**locks._me(), **({"pid": 77} if "host" in changed else {}), **changed}
    (tmp_path / "a.lock").write_text(json.dumps(told))
    assert locks._owner(tmp_path / "a.lock").startswith(owner)
    assert locks._me()["host"] == socket.gethostname()


def test_an_error_in_the_block_and_a_full_disk_free_the_lock_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(locks.os, "write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ZeroDivisionError), one_at_a_time(tmp_path / "a.lock"):
        raise ZeroDivisionError
    with one_at_a_time(tmp_path / "a.lock", patience=0):
        pass


def test_a_notebook_says_who_is_at_its_workspace(dojo_home, monkeypatch, impatient):
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    dojo_home.mkdir()
    with filelock.FileLock(dojo_home / ".00-start-here.lock", on_acquired=locks._sign):
        failed = []

        def start():
            try:
                notebook.start("00")
            except WorkspaceError as error:
                failed.append(error)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
    assert "has been at work on the same folder" in str(failed[0])
    assert failed[0]._render_traceback_() == [str(failed[0])]
