"""`dojo selftest --changed`: a task stands until a file that it is made of changes."""

from __future__ import annotations

import pytest

from dojo import selftest_cache
from dojo.places import COURSE


@pytest.fixture
def cache(dojo_home):
    """An empty record, and nothing remembered of files."""
    for remembered in (
        selftest_cache._print_of_files,
        selftest_cache._made_of,
        selftest_cache._imports,
        selftest_cache._beside,
    ):
        remembered.cache_clear()
    return selftest_cache


def made_of(task_module):
    return {path.relative_to(COURSE).as_posix() for path in selftest_cache._made_of(task_module)}


def test_a_task_stands_when_it_was_kept_and_another_does_not(cache):
    assert not cache.stands("00.1")
    cache.keep(["00.1"])
    assert cache.stands("00.1") and not cache.stands("11.1")


def test_a_task_is_made_of_what_it_imports_of_what_lies_beside_it_and_of_nothing_else(cache):
    lesson = made_of("dojo.tasks.m00_start_here")
    assert {"src/dojo/tasks/answers.py", "src/dojo/judge/contract.py", "src/shopflow/sources.py"} <= lesson
    assert not any("m04_" in name or "m11_" in name for name in lesson)
    workflows = made_of("dojo.tasks.m04_continuous_integration.writing")
    assert "src/dojo/tasks/m04_continuous_integration/legacy.yml" in workflows


def test_a_changed_file_makes_it_fall(cache, monkeypatch, tmp_path):
    cache.keep(["00.1"])
    more = tmp_path / "more.py"
    more.write_text("x = 1\n", encoding="utf-8")
    cache._print_of_files.cache_clear()
    monkeypatch.setattr(cache, "_made_of", lambda module: frozenset({more}))
    monkeypatch.setattr(cache, "COURSE", tmp_path)
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "00-start-here.md").write_text("", encoding="utf-8")
    (tmp_path / "requirements.lock").write_text("", encoding="utf-8")
    cache.keep(["00.1"])
    assert cache.stands("00.1")
    more.write_text("x = 2\n", encoding="utf-8")
    cache._print_of_files.cache_clear()
    assert not cache.stands("00.1")


def test_a_broken_record_counts_as_none(cache, dojo_home):
    dojo_home.mkdir(parents=True)
    (dojo_home / "selftest.json").write_text("{half", encoding="utf-8")
    assert not cache.stands("00.1")
