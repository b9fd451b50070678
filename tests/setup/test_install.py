"""The installer: once from the lock, again only when something changed, and never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dojo import install

LOCK_TEXT = """\
uv==0.9.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.in
uvicorn==0.30.0 \\
    --hash=sha256:cc
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A small lock."""
    path = tmp_path / "small.lock"
    path.write_text(LOCK_TEXT, encoding="utf-8")
    return path


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The steps that were taken, in place of taking them."""
    taken: list[str] = []

    def create(environment: Path, lock: Path) -> None:
        taken.append("create")
        python = install.python_of(environment)
        python.parent.mkdir(parents=True, exist_ok=True)
        python.touch()

    monkeypatch.setattr(install, "create", create)
    monkeypatch.setattr(install, "install", lambda *_: taken.append("install"))
    monkeypatch.setattr(install, "install_course", lambda *_: taken.append("course"))
    return taken


def test_a_pin_is_taken_with_all_its_hashes_and_nothing_else(lock: Path) -> None:
    block = install.pinned(lock, "uv")
    assert block.startswith("uv==0.9.1") and "sha256:aa" in block and "sha256:bb" in block
    assert "uvicorn" not in block and "sha256:cc" not in block


def test_a_lock_without_the_pin_says_how_to_restore_it(lock: Path) -> None:
    with pytest.raises(install.CannotInstall, match=r"git checkout small\.lock"):
        install.pinned(lock, "pip")


def test_the_second_time_nothing_is_done(tmp_path: Path, lock: Path, steps: list[str]) -> None:
    assert install.make_environment(tmp_path / "env", [lock]) is True
    assert install.make_environment(tmp_path / "env", [lock]) is False
    assert steps == ["create", "install", "course"]


def test_a_changed_lock_installs_again(tmp_path: Path, lock: Path, steps: list[str]) -> None:
    install.make_environment(tmp_path / "env", [lock])
    lock.write_text(LOCK_TEXT + "zipp==1 \\\n    --hash=sha256:dd\n", encoding="utf-8")
    assert install.make_environment(tmp_path / "env", [lock]) is True


def test_a_moved_environment_installs_again(tmp_path: Path, lock: Path, steps: list[str]) -> None:
    install.make_environment(tmp_path / "env", [lock])
    (tmp_path / "env").rename(tmp_path / "moved")
    assert install.make_environment(tmp_path / "moved", [lock]) is True


def test_the_lab_takes_what_the_tests_installed(tmp_path: Path, lock: Path, steps: list[str]) -> None:
    more = tmp_path / "browser.lock"
    more.write_text("greenlet==1 \\\n    --hash=sha256:ee\n", encoding="utf-8")
    install.make_environment(tmp_path / "env", [lock])
    assert install.make_environment(tmp_path / "env", [lock, more]) is True
    assert install.make_environment(tmp_path / "env", [lock]) is False
    assert install.make_environment(tmp_path / "env", [lock, more]) is False


def test_an_interrupted_install_is_not_taken_for_a_whole_one(
    tmp_path: Path, lock: Path, steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise install.CannotInstall("no network")

    monkeypatch.setattr(install, "install_course", fails)
    for _ in range(2):
        with pytest.raises(install.CannotInstall):
            install.make_environment(tmp_path / "env", [lock])


def environment_of(folder: Path, version: str, place: str) -> Path:
    """The files that tell an environment's Python and where it was made."""
    python = install.python_of(folder)
    python.parent.mkdir(parents=True)
    python.touch()
    (python.parent / "activate").write_text(f"VIRTUAL_ENV='{place}'\n", encoding="utf-8")
    (folder / "pyvenv.cfg").write_text(f"home = /x\nversion = {version}\n", encoding="utf-8")
    return folder


HERE = ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize(("version", "moved", "usable"), [(HERE, False, True), ("3.8.1", False, False), (HERE, True, False)])
def test_an_environment_of_another_python_or_place_is_made_anew(
    tmp_path: Path, lock: Path, version: str, moved: bool, usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "env"
    environment_of(folder, version, "/elsewhere" if moved else str(folder))
    commands: list[list[str]] = []
    monkeypatch.setattr(install, "_run", lambda command, *_: commands.append(command))
    install.create(folder, lock)
    assert (not any("venv" in command for command in commands)) is usable


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14)])
def test_another_python_is_refused_with_the_way_out(version, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(install.sys, "version_info", (*version, 0, "final", 0))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install.main(["--environment", str(tmp_path / "env")]) == 1
    said = capsys.readouterr().err
    assert f"This is Python 3.{version[1]}" in said and "PYTHON=python3.12" in said


def test_too_little_room_is_said_before_anything_is_made(tmp_path: Path, lock: Path, steps, monkeypatch) -> None:
    monkeypatch.setattr(install, "ROOM_NEEDED", 1 << 60)
    with pytest.raises(install.CannotInstall, match="GB are needed"):
        install.make_environment(tmp_path / "env", [lock])
    assert steps == []


def test_uv_looks_where_pip_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "global.index-url='https://a.test/x'\n:env:.index-url='https://b.test/x'\nglobal.cert='/c.pem'\n"
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said))
    for name in ("UV_DEFAULT_INDEX", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = install.index_settings(Path("python"))
    assert found == {"UV_DEFAULT_INDEX": "https://b.test/x", "SSL_CERT_FILE": "/c.pem"}


def test_what_uv_is_told_itself_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "global.index-url='https://a.test/x'\n"
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said))
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://own.test/x")
    assert install.index_settings(Path("python")) == {}


def test_the_installer_runs_on_the_standard_library_alone(course: Path) -> None:
    command = [sys.executable, "-I", "-S", str(course / "src" / "dojo" / "install.py"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
