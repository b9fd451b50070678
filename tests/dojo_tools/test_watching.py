"""A watched file: what moves over it is no moment without it, what writes to it is."""

from __future__ import annotations

import os
import shutil

import pytest

from dojo.tools import watching


def moved_over(file, new):
    new.replace(file)


def copied_over(file, new):
    shutil.copyfile(new, file)


def taken_away_first(file, new):
    file.unlink()
    new.replace(file)


def moved_back(file, new):
    aside = file.with_name("aside")
    shutil.copy(file, aside)
    copied_over(file, new)
    aside.replace(file)


def folder_away(file, new):
    aside = file.parent.with_name("folder-aside")
    file.parent.rename(aside)
    aside.rename(file.parent)


@pytest.mark.parametrize("events", [True, False], ids=["inotify", "looking"])
@pytest.mark.parametrize(
    ("change", "gone", "written"),
    [
        (moved_over, False, False),
        (copied_over, False, True),
        (taken_away_first, True, False),
        (moved_back, False, True),
        (folder_away, True, False),
    ],
)
def test_what_a_reader_would_have_met(tmp_path, monkeypatch, change, gone, written, events):
    if not events:
        monkeypatch.setattr(watching, "_events_of", lambda folder: None)
        if change in (taken_away_first, moved_back, folder_away):
            pytest.skip("a moment between two looks is not seen where the system reports no events")
    file, new = tmp_path / "prod.duckdb", tmp_path / "next"
    file.write_bytes(b"old" * 1000)
    new.write_bytes(b"new" * 2000)
    with watching.Watch(file, tmp_path / "held") as watch:
        change(file, new)
    assert (watch.moments.gone, watch.moments.written) == (gone, written)
    if change is moved_over:
        assert [p.read_bytes()[:3] for p in watch.moments.shown] == [b"new"]


def test_reading_and_copying_are_nothing(tmp_path):
    file = tmp_path / "prod.duckdb"
    file.write_bytes(b"old")
    with watching.Watch(file, tmp_path / "held") as watch:
        shutil.copy(file, tmp_path / "copy")
        os.utime(file)
        file.read_bytes()
    assert not watch.moments.gone and not watch.moments.shown
