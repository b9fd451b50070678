"""The doctor tells what is missing, what that costs and what mends it, whatever the machine does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from dojo import doctor

KINDS = ["debian", "fedora", "macos", "windows", "other"]


def need(probe, **more) -> doctor.Need:
    """A need with this probe."""
    return doctor.Need("thing", "Thing", probe, "a lesson", {"debian": "apt", "other": "else"}, **more)


def fake(folder: Path, name: str, script: str) -> None:
    """Puts a program on a folder that serves as the PATH."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the whole PATH."""
    if os.name == "nt":
        pytest.skip("the fake programs are shell scripts")
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_report_of_this_machine_follows_the_schema() -> None:
    told = json.loads(doctor.examine().as_json())
    jsonschema.validate(told, doctor.SCHEMA)
    assert [item["key"] for item in told["items"]] == [n.key for n in doctor.NEEDS]


def test_the_schema_refuses_what_is_not_a_report() -> None:
    told = json.loads(doctor.examine(()).as_json())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told, "ready": "yes"}, doctor.SCHEMA)


@pytest.mark.parametrize("wanted", doctor.NEEDS, ids=lambda n: n.key)
@pytest.mark.parametrize("kind", KINDS)
def test_each_need_says_what_it_costs_and_what_mends_it(wanted: doctor.Need, kind: str) -> None:
    assert wanted.costs
    assert wanted.mend.get(kind) or wanted.mend["other"]


def test_lessons_00_03_11_and_i01_need_only_what_is_required() -> None:
    affected = {module for n in doctor.NEEDS for module in n.modules}
    assert not affected & {"00", "03", "11", "i01"}
    assert {n.key for n in doctor.NEEDS if n.required} == {"python", "environment", "git", "disk"}


def test_an_item_that_is_there_costs_nothing() -> None:
    (item,) = doctor.examine((need(lambda: doctor.Finding("ok", "1.2"), modules=("07",)),)).items
    assert (item.costs, item.mend, item.modules) == ("", "", [])


@pytest.mark.parametrize(("kind", "mend"), [("debian", "apt"), ("macos", "else")])
def test_the_mend_is_the_one_for_this_system(kind: str, mend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "system", lambda: kind)
    (item,) = doctor.examine((need(lambda: doctor.Finding("missing")),)).items
    assert item.mend == mend


def test_a_probe_that_breaks_is_reported_and_breaks_nothing() -> None:
    def broken() -> doctor.Finding:
        raise PermissionError("the kernel said no\nand more")

    report = doctor.examine((need(broken),))
    assert report.items[0].state == "missing"
    assert "the kernel said no" in report.items[0].detail and "and more" not in report.as_text()


@pytest.mark.parametrize(
    ("state", "required", "ready"),
    [("ok", True, True), ("weak", True, True), ("missing", True, False), ("missing", False, True)],
)
def test_only_a_missing_requirement_makes_a_machine_not_ready(state: str, required: bool, ready: bool) -> None:
    assert doctor.examine((need(lambda: doctor.Finding(state), required=required),)).ready is ready


def test_exit_status_1_when_the_course_cannot_run(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    blind = doctor.examine((need(lambda: doctor.Finding("missing"), required=True),))
    monkeypatch.setattr(doctor, "examine", lambda: blind)
    assert doctor.main() == 1
    assert "Not ready: Thing" in capsys.readouterr().out


def test_on_an_empty_path_everything_is_missing_and_nothing_breaks(programs: Path) -> None:
    states = {item.key: item.state for item in doctor.examine().items}
    for key in ("git", "make", "containers", "node", "chromium"):
        assert states[key] == "missing"


def test_a_container_client_without_an_engine_does_not_count(programs: Path) -> None:
    fake(programs, "docker", 'echo "Cannot connect to the daemon" >&2; exit 1')
    (item,) = doctor.examine(tuple(n for n in doctor.NEEDS if n.key == "containers")).items
    assert item.state == "missing"
    assert item.detail == "docker found, but no engine answers"
    assert item.modules == ["07", "i04"]


def test_a_client_that_exits_well_but_names_no_server_does_not_count(programs: Path) -> None:
    fake(programs, "docker", "exit 0")
    assert doctor._engine().state == "missing"


def test_the_next_engine_is_asked_when_the_first_is_silent(programs: Path) -> None:
    fake(programs, "docker", "exit 1")
    fake(programs, "podman", "echo 4.3.1")
    assert doctor._engine() == doctor.Finding("ok", "4.3.1", "podman")


def test_a_program_that_hangs_counts_as_not_reachable(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    fake(programs, "node", "exec /bin/sleep 30")
    (item,) = doctor.examine(tuple(n for n in doctor.NEEDS if n.key == "node")).items
    assert item.state == "missing"


def test_bubblewrap_without_user_namespaces_does_not_count(programs: Path, monkeypatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    fake(programs, "bwrap", 'test "$1" = --version && echo bubblewrap 0.8.0 && exit 0; exit 1')
    found = doctor._sandbox()
    assert (found.state, found.version) == ("missing", "0.8.0")
    assert "user namespaces" in found.detail


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("2.17.1", "missing"),
        ("2.28.0", "missing"),
        ("2.31.8", "missing"),
        ("2.32.0", "ok"),
        ("2.39.5", "ok"),
        ("3.0.1", "ok"),
    ],
)
def test_git_must_be_new_enough(programs: Path, version: str, state: str) -> None:
    fake(programs, "git", f"echo git version {version}")
    assert doctor._git().state == state


def test_a_busy_port_is_seen() -> None:
    import socket

    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        assert not doctor.port_is_free(door.getsockname()[1])


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "missing"), ((3, 11), "ok"), ((3, 14), "ok"), ((3, 15), "missing")]
)
def test_the_pythons_that_serve_are_the_installers(version, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (*version, 0, "final", 0))
    found = doctor._python()
    assert found.state == state
    assert found.detail == ("" if state == "ok" else "3.11 to 3.14 are supported")


def test_a_folder_that_cannot_be_written_is_no_disk(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda path, _: Path(path) != learner)
    found = doctor._disk()
    assert (found.state, found.detail) == ("missing", f"no place to write {learner.name}/ to: {learner}")


def test_the_fuller_of_both_disks_is_told(learner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = {str(learner): 70e9, str(tmp_path): 0.06e9}
    monkeypatch.setattr(doctor.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: SimpleNamespace(free=free[str(path)]))
    found = doctor._disk()
    assert found.state == "missing" and "TMPDIR" in found.detail and str(tmp_path) in found.detail


def test_a_python_without_docstrings_is_told_what_to_unset() -> None:
    code = "from dojo import doctor; print(doctor._environment())"
    done = subprocess.run([sys.executable, "-OO", "-P", "-c", code], capture_output=True, text=True, check=True)
    assert "Unset it" in done.stdout and "missing" in done.stdout


def test_no_place_for_temporary_files_is_no_disk(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(doctor.tempfile, "gettempdir", nowhere)
    assert doctor._disk() == doctor.Finding("missing", detail="no place to write temporary files to")
