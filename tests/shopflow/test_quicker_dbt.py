"""dbt's parse in one process: what it remembers changes nothing of what it finds."""

from __future__ import annotations

import json

import pytest

from shopflow import quicker_dbt, transform

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nmodel-paths: [models]\nmacro-paths: [macros]\nvars: {as_of: '2025-12-01'}\n",
    "profiles.yml": (
        "shop: {target: dev, outputs: {dev: {type: duckdb, path: \"{{ env_var('SHOPFLOW_WAREHOUSE') }}\", threads: 1}}}\n"
    ),
    "macros/day.sql": "{% macro day() %}date '{{ var('as_of') }}'{% endmacro %}\n",
    "models/one.sql": "select {{ day() }} as day, '{{ target.path }}' as path\n",
}


@pytest.fixture
def project(tmp_path):
    return lay(tmp_path / "project")


def lay(folder):
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def manifest(folder, **variables):
    done = transform.dbt(folder, ["compile"], warehouse=folder / "shop.duckdb", variables=variables)
    assert done.success, done
    found = json.loads((folder / "target" / "manifest.json").read_text())
    return {kind: {key: stripped(one) for key, one in found[kind].items()} for kind in ("nodes", "macros")}


def stripped(one):
    return {k: v for k, v in one.items() if k not in ("created_at", "compiled_path", "root_path")}


def compiled(folder, **variables):
    return manifest(folder, **variables)["nodes"]["model.shop.one"]["compiled_code"]


def test_macros_that_were_read_before_are_parsed_to_the_same(project):
    first = manifest(project, as_of="2025-12-02")
    assert manifest(project, as_of="2025-12-03") != first
    assert manifest(project, as_of="2025-12-02") == first


def test_a_macro_that_changed_is_read_anew(project):
    assert "date '2025-12-01'" in compiled(project)
    (project / "macros" / "day.sql").write_text("{% macro day() %}timestamp '{{ var('as_of') }}'{% endmacro %}\n")
    assert "timestamp '2025-12-01'" in compiled(project)


def test_no_more_texts_are_kept_than_said(project, monkeypatch):
    manifest(project)
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    monkeypatch.setattr(quicker_dbt, "_MOST", 3)
    (project / "macros" / "day.sql").write_text(PROJECT["macros/day.sql"] + "{% macro new() %}one{% endmacro %}\n")
    manifest(project)
    assert len(MacroFuzzEnvironment.parse.kept) <= 3


def test_a_project_that_moved_keeps_its_parse_and_its_models_are_told_the_new_path(project, tmp_path, monkeypatch):
    transform.warm_up()
    from dbt.adapters.duckdb.credentials import DuckDBCredentials
    from dbt.parser import manifest as dbt_manifest

    monkeypatch.setattr(DuckDBCredentials, "connection_info", DuckDBCredentials.connection_info)
    quicker_dbt.compare_without(str(project))
    compiled(project)
    moved = project.rename(tmp_path / "moved")
    read_anew = []
    monkeypatch.setattr(dbt_manifest, "UnableToPartialParse", lambda **why: read_anew.append(why))
    quicker_dbt.compare_without(str(moved))
    (moved / "models" / "one.sql").write_text(PROJECT["models/one.sql"] + "-- moved\n")
    assert f"'{moved / 'shop.duckdb'}'" in compiled(moved)
    assert read_anew == []


@pytest.mark.parametrize(("level", "told"), [("info", False), ("debug", True)])
def test_a_log_of_debug_events_gets_them_and_another_one_loses_nothing(project, monkeypatch, level, told):
    monkeypatch.setitem(transform.QUIET, "DBT_LOG_LEVEL_FILE", level)
    monkeypatch.chdir(project)
    (project / "models" / "two.sql").write_text("select 1 as a, nothing_of_the_kind as b\n")
    done = transform.dbt(project, ["build"], warehouse=project / "shop.duckdb")
    assert [r.name for r in done.failed()] == ["two"]
    assert any("nothing_of_the_kind" in line for line in done.log)
    said = (project / "logs" / "dbt.log").read_text()
    assert "nothing_of_the_kind" in said
    assert ("On model.shop.one" in said) == told


def test_a_listener_of_the_learner_s_own_hears_everything(project, monkeypatch):
    from dbt.cli.main import dbtRunner

    quicker_dbt.prepare()
    heard = []
    monkeypatch.setenv("SHOPFLOW_WAREHOUSE", str(project / "shop.duckdb"))
    monkeypatch.chdir(project)
    dbtRunner(callbacks=[lambda event: heard.append(event.info.level)]).invoke(
        ["--log-level", "none", "--log-level-file", "none", "run", "--project-dir", ".", "--profiles-dir", "."]
    )
    assert {"debug", "info"} <= set(heard)


def test_an_event_s_message_is_the_same_when_it_is_made_later():
    quicker_dbt.prepare()
    from dbt.events.types import ParseInlineNodeError
    from dbt_common.events.base_types import BaseEvent
    from dbt_common.events.types import Formatting, Note

    at_once = BaseEvent.__init__.later
    for kind, args, given in ((Note, (), {"msg": 7}), (Formatting, ("-",), {}), (ParseInlineNodeError, (), {"exc": "no"})):
        event, twin = kind(*args, **given), kind.__new__(kind)
        at_once(twin, *args, **given)
        assert event.to_dict() == twin.to_dict() and event.message() == twin.message()
    note = Note(msg="before")
    note.msg = "after"
    assert note.message() == "after"
    with pytest.raises(AttributeError):
        note.nothing  # noqa: B018


def test_a_flag_is_said_to_come_from_the_module_that_made_it():
    quicker_dbt.prepare()
    from dbt_common.behavior_flags import Behavior

    flags = Behavior([{"name": "new", "default": False, "docs_url": "https://example.org"}], {})
    assert flags.new._behavior_change_event.flag_source == __name__
