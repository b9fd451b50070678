"""Two places on a machine: a third run waits for one, and not for ever."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from dojo.ci import slots


def test_at_most_two_run_at_a_time():
    running, most, lock = [], [], threading.Lock()

    def run():
        with slots.one():
            with lock:
                running.append(1)
                most.append(len(running))
            time.sleep(0.05)
            with lock:
                running.pop()

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 6 and max(most) <= 2


def test_whoever_waits_too_long_goes_on(monkeypatch):
    monkeypatch.setattr(slots, "PATIENCE", 0.1)
    with slots.one(), slots.one():
        begun = time.monotonic()
        with slots.one():
            assert time.monotonic() - begun < 5


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EIO])
def test_on_a_file_system_without_locks_nobody_waits(monkeypatch, number):
    def refused(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refused)
    begun = time.monotonic()
    with slots.one(), slots.one(), slots.one():
        assert time.monotonic() - begun < 5
