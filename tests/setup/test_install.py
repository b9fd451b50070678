"""The installer: once from the lock, again only when something changed, and never a traceback."""

from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from dojo import install, tryout

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


class Machine:
    """A machine as the installer finds it: which Python runs it, and the programs on its PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch):
        self.folder, self._monkeypatch = folder, monkeypatch
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder))

    def is_python(self, major: int, minor: int) -> None:
        """The installer is run by this version."""
        self._monkeypatch.setattr(install.sys, "version_info", (major, minor, 0, "final", 0))

    def program(self, name: str, script: str) -> None:
        """Puts a shell script on the PATH."""
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def python(self, name: str, version: str, status: int = 7) -> None:
        """A Python of that version ("3 12"; "": one that starts nothing), which says how the installer was run with it."""
        starts = f'test "$2" = -c && echo "{version} {self.folder / name}" && exit 0; echo "with $*"; exit {status}'
        self.program(name, starts if version else 'echo "command not found" >&2; exit 127')


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine with an empty PATH."""
    if os.name == "nt":
        pytest.skip("its programs are shell scripts")
    return Machine(tmp_path / "programs", monkeypatch)


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


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (3, 15), (4, 0)])
def test_another_python_is_refused_with_the_way_out_where_uv_brings_none(version, tmp_path: Path, machine, capsys) -> None:
    machine.is_python(*version)
    machine.program("uv", 'test "$1" = --version && exit 0; echo "no route to github.com" >&2; exit 2')
    assert install.main(["--environment", str(tmp_path / "env")]) == 1
    said = capsys.readouterr()
    assert f"This is Python {version[0]}.{version[1]}; the course runs on 3.11 to 3.14." in said.out
    assert "uv could not bring one either" in said.err and "UV_PYTHON_INSTALL_MIRROR" in said.err
    assert "make lab PYTHON=python3.12" in said.err


def test_where_not_even_uv_can_be_had_that_is_said_with_the_way_out(tmp_path: Path, machine, monkeypatch, capsys) -> None:
    machine.is_python(3, 10)

    def no_venv(*_: object) -> None:
        raise install.CannotInstall("Python could not make an environment.")

    monkeypatch.setattr(install, "create", no_venv)
    assert install.main(["--environment", str(tmp_path / "env")]) == 1
    said = capsys.readouterr().err
    assert "Python could not make an environment." in said and "make lab PYTHON=python3.12" in said


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_uv_brings_a_python_with_words_and_its_bar_and_the_installation_goes_on_with_it(
    version, tmp_path: Path, machine, capfd
) -> None:
    machine.is_python(*version)
    machine.python("brought", "3 13")
    machine.program("uv", f'echo "uv $@" >> {tmp_path}/journal; test "$2" = find && echo {machine.folder}/brought; exit 0')
    assert install.main(["--environment", str(tmp_path / "env"), "--browser"]) == 7
    said = capfd.readouterr().out
    assert "uv brings Python 3.13: about 35 MB from github.com" in said
    assert "uv python install 3.13" in (tmp_path / "journal").read_text()
    assert f"with -I {install.__file__} --environment {tmp_path / 'env'} --browser" in said


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3.11": "3 11", "python3.12": "3 12"}, "python3.12"),
        ({"python3.14": "3 14", "python3.12": "3 12"}, "python3.12"),
        ({"python3.14": "3 14"}, "python3.14"),
        ({"python3.13": "", "python3.11": "3 11"}, "python3.11"),
        ({"python3.13": "3 9", "python3.11": "3 11"}, "python3.11"),
    ],
    ids=["the newest", "the proven one", "the new one", "a stub that starts nothing", "another under its name"],
)
def test_a_python_on_the_path_is_taken_when_it_answers(there, chosen, tmp_path: Path, machine, capfd) -> None:
    machine.is_python(3, 9)
    for name, version in there.items():
        machine.python(name, version)
    assert install.main(["--environment", str(tmp_path / "env")]) == 7
    assert f"Going on with {machine.folder / chosen}" in capfd.readouterr().out


def test_a_stub_does_not_hide_the_python_behind_it(tmp_path: Path, machine, monkeypatch, capfd) -> None:
    machine.is_python(3, 9)
    machine.python("python3.12", "3 12")
    stubs = Machine(tmp_path / "shims", monkeypatch)
    stubs.python("python3.12", "")
    monkeypatch.setenv("PATH", f"{stubs.folder}{os.pathsep}{machine.folder}")
    assert install.main(["--environment", str(tmp_path / "env")]) == 7
    assert f"Going on with {machine.folder}/python3.12" in capfd.readouterr().out


def test_the_python_of_the_environment_goes_on_where_the_machine_s_own_has_moved_on(tmp_path: Path, machine, capfd) -> None:
    machine.is_python(3, 15)
    machine.python("python3.12", "3 12")
    machine.python("kept", "3 13")
    environment_of(tmp_path / "env", "3.13.1", str(tmp_path / "env"))
    install.python_of(tmp_path / "env").unlink()
    install.python_of(tmp_path / "env").symlink_to(machine.folder / "kept")
    assert install.main(["--environment", str(tmp_path / "env")]) == 7
    assert "Going on with" in capfd.readouterr().out


def test_a_newer_python_is_taken_when_what_was_installed_works(
    tmp_path: Path, lock: Path, steps, machine, monkeypatch
) -> None:
    machine.is_python(3, 14)
    monkeypatch.setattr(install, "COURSE", lock.parent)
    monkeypatch.setattr(install, "LOCK", lock.name)
    (lock.parent / "pyproject.toml").write_text("")
    assert install.main(["--environment", str(tmp_path / "env")]) == 0
    assert steps == ["create", "install", "course"]


def test_a_newer_python_with_which_they_do_not_work_gives_way_and_is_not_tried_again(
    tmp_path: Path, lock: Path, steps, machine, monkeypatch, capfd
) -> None:
    machine.is_python(3, 14)
    machine.python("python3.14", "3 14")
    machine.python("python3.12", "3 12", status=0)
    monkeypatch.setattr(install, "COURSE", lock.parent)
    monkeypatch.setattr(install, "LOCK", lock.name)
    (lock.parent / "pyproject.toml").write_text("")

    def refuses(_: Path) -> None:
        steps.append("tried")
        raise install.DoesNotWork("dbt cannot be imported: TypeError: unhashable")

    monkeypatch.setattr(install, "install_course", refuses)
    for _ in range(2):
        assert install.main(["--environment", str(tmp_path / "env")]) == 0
    said = capfd.readouterr()
    assert steps == ["create", "install", "tried"]
    assert "dbt cannot be imported" in said.err and said.out.count(f"Going on with {machine.folder}/python3.12") == 2
    lock.write_text(LOCK_TEXT + "# a newer dbt\n")
    install.main(["--environment", str(tmp_path / "env")])
    assert steps == ["create", "install", "tried"] * 2, "another lock may do"


def test_on_a_proven_python_what_does_not_work_is_said_and_nothing_is_brought(
    tmp_path: Path, lock: Path, steps, machine, monkeypatch, capsys
) -> None:
    machine.is_python(3, 13)
    monkeypatch.setattr(install, "COURSE", lock.parent)
    monkeypatch.setattr(install, "LOCK", lock.name)
    (lock.parent / "pyproject.toml").write_text("")
    monkeypatch.setattr(install, "install_course", lambda _: install.try_out(tmp_path / "env"))
    install.python_of(tmp_path / "env").parent.mkdir(parents=True)
    machine.program(
        "../env/bin/python", "echo 'a\nTraceback' >&2; echo 'duckdb cannot be imported: no such file' >&2; exit 1"
    )
    monkeypatch.setattr(install, "create", lambda *_: None)
    assert install.main(["--environment", str(tmp_path / "env")]) == 1
    assert "do not work with Python 3.13 on this machine: duckdb cannot be imported" in capsys.readouterr().err
    assert not (tmp_path / "env" / "course-stamp").exists()


def test_the_course_is_found_under_every_locale_in_a_folder_with_any_name(tmp_path: Path, monkeypatch) -> None:
    course = tmp_path / "Übung 1"
    packages = course / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    pointer = packages / "_editable_impl_dataops_dojo.pth"
    pointer.write_text(f"{course / 'src'}\n{course / 'src'}", encoding="utf-8")
    monkeypatch.setattr(install, "COURSE", course)
    install._point_by_ascii(course / ".venv")
    assert pointer.read_text(encoding="ascii") == "../../../../src\n"
    pointer.write_text("/somebody/else/src\n", encoding="utf-8")
    install._point_by_ascii(course / ".venv")
    assert pointer.read_text(encoding="utf-8") == "/somebody/else/src\n"


def test_an_environment_shows_that_it_works() -> None:
    install.try_out(Path(sys.prefix))


def test_a_package_that_does_not_import_and_a_check_that_does_not_pass_are_named(monkeypatch, capsys) -> None:
    monkeypatch.setattr(tryout, "PACKAGES", ("json", "no_such_package"))
    assert tryout.main() == 1
    assert "no_such_package cannot be imported: ModuleNotFoundError" in capsys.readouterr().err
    monkeypatch.setattr(tryout, "PACKAGES", ())
    monkeypatch.setattr(tryout, "TASK", "00.9")
    assert tryout.main() == 1
    assert "the check of 00.9 broke: UnknownTask" in capsys.readouterr().err


OLD = [p for n in ("3.8", "3.9", "3.10") for p in (Path.home() / ".pyenv" / "versions").glob(f"{n}*/bin/python3")]
OLD += [Path(p) for n in ("3.8", "3.9", "3.10") if (p := shutil.which(f"python{n}")) and install.answering(p)]


@pytest.mark.skipif(not OLD, reason="no Python 3.8 to 3.10 here")
@pytest.mark.parametrize("old", OLD, ids=lambda path: path.parents[1].name)
def test_an_old_python_comes_as_far_as_its_words(old: Path, tmp_path: Path, machine) -> None:
    machine.program("uv", 'test "$1" = --version')
    command = [str(old), "-I", install.__file__, "--environment", str(tmp_path / "env")]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the course runs on 3.11 to 3.14" in done.stdout and "make lab PYTHON=python3.12" in done.stderr


def test_the_installer_holds_no_syntax_that_python_3_8_does_not_know() -> None:
    ast.parse(Path(install.__file__).read_text("utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "latin-1"])
def test_a_terminal_without_an_ellipsis_stops_nothing(encoding: str, tmp_path: Path) -> None:
    script = (
        "import io, sys; from dojo import install\n"
        f"sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding={encoding!r})\n"
        "install._install = lambda *_: install._say(1, 'an empty environment') or 0\n"
        "sys.exit(install.main([]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_disk_that_refuses_is_told_in_a_line(tmp_path: Path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/w/env")

    monkeypatch.setattr(install, "_install", full)
    assert install.main([]) == 1
    assert (
        capsys.readouterr().err
        == "\nNot installed. /w/env: No space left on device. Mend that, and run the same command again.\n"
    )


def test_too_little_room_is_said_before_anything_is_made(tmp_path: Path, lock: Path, steps, monkeypatch) -> None:
    monkeypatch.setattr(install, "ROOM_NEEDED", 1 << 60)
    with pytest.raises(install.CannotInstall, match="GB are needed"):
        install.make_environment(tmp_path / "env", [lock])
    assert steps == []


# ---------------------------------------------------------------- what this machine tells pip and uv


def wheel(folder: Path, name: str) -> str:
    """A wheel of one module in a folder; returns its pin with its hash."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
    return f"{name}==1.0 \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_only_where_packages_come_from_is_heeded_of_what_the_machine_tells_pip_and_uv(tmp_path: Path, monkeypatch) -> None:
    """For real: pip puts uv's pin into an empty environment, uv another package, against settings that lead elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "wheels").mkdir()
    (tmp_path / "constraints.txt").write_text("uv==0.1\nthing==0.1\n")
    lock = tmp_path / "small.lock"
    lock.write_text(wheel(tmp_path / "wheels", "uv") + wheel(tmp_path / "wheels", "thing"))
    elsewhere, constraints = str(tmp_path / "elsewhere"), str(tmp_path / "constraints.txt")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nno-index = true\nconstraint = {constraints}\n[install]\ntarget = {elsewhere}\nuser = true\n"
    )
    told = {"PIP_CONFIG_FILE": str(tmp_path / "pip.conf"), "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    told |= {
        "PIP_USER": "1",
        "PIP_PREFIX": elsewhere,
        "PIP_DRY_RUN": "1",
        "PIP_ROOT": elsewhere,
        "PIP_CONSTRAINT": constraints,
    }
    told |= {"PIP_REPORT": "-", "PIP_NO_BINARY": ":all:", "PIP_ONLY_BINARY": ":none:", "PIP_IGNORE_INSTALLED": "1"}
    told |= {
        "UV_CONSTRAINT": constraints,
        "UV_OVERRIDE": constraints,
        "UV_EXCLUDE_NEWER": "2001-01-01",
        "UV_SYSTEM_PYTHON": "1",
    }
    told |= {"UV_NO_BINARY": ":all:", "UV_NO_VERIFY_HASHES": "1", "PYTHONPATH": elsewhere, "PYTHONHOME": elsewhere}
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_NO_INDEX", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    environment = tmp_path / "env"
    install.create(environment, lock)
    uv = install._uv(Path(sys.prefix))
    monkeypatch.setattr(install, "_uv", lambda _: uv)
    install.install(environment, [lock], environment)
    (site,) = environment.glob("lib/python*/site-packages") if os.name != "nt" else [environment / "Lib" / "site-packages"]
    assert {"uv.py", "thing.py"} <= {path.name for path in site.iterdir()}
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("global.proxy='http://p.test:3128'", {"HTTPS_PROXY": "http://p.test:3128", "HTTP_PROXY": "http://p.test:3128"}),
        (
            "global.proxy='me@p.test:3128'",
            {"HTTPS_PROXY": "http://me@p.test:3128", "HTTP_PROXY": "http://me@p.test:3128"},
        ),
        ("global.trusted-host='a.test\\nb.test'", {"UV_INSECURE_HOST": "a.test b.test"}),
        ("global.client-cert='/c.pem'", {"SSL_CLIENT_CERT": "/c.pem"}),
        ("global.cert='C:\\\\certs\\\\c.pem'", {"SSL_CERT_FILE": "C:\\certs\\c.pem"}),
        ('global.cert="/it\'s/c.pem"', {"SSL_CERT_FILE": "/it's/c.pem"}),
        ("global.timeout='60'\n:env:.default-timeout='70'", {"UV_HTTP_TIMEOUT": "70"}),
        ("install.find-links='/a /b'", {"UV_FIND_LINKS": "/a,/b"}),
        (
            "global.extra-index-url='\\nhttps://a.test/x\\nhttps://b.test/x'",
            {"UV_INDEX": "https://a.test/x https://b.test/x", "UV_INDEX_STRATEGY": "unsafe-best-match"},
        ),
        ("global.keyring-provider='subprocess'", {"UV_KEYRING_PROVIDER": "subprocess"}),
        ("global.keyring-provider='import'", {}),
        ("global.user='true'\ninstall.target='/x'\n:env:.constraint='/c'\nglobal.quiet='1'", {}),
        ("a warning that is no setting\nglobal.proxy=unreadable", {}),
    ],
)
def test_what_pip_is_told_of_the_way_to_packages_uv_is_told_too(
    said: str, wanted: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (*install.UV_READS.values(), *install._EARLIER, *install._EARLIER.values(), "UV_INDEX_STRATEGY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said))
    assert install.index_settings(Path("python")) == wanted


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("https_proxy", "global.proxy='p.test:1'"),
        ("ALL_PROXY", "global.proxy='p.test:1'"),
        ("UV_INDEX_URL", "global.index-url='https://a.test/x'"),
        ("UV_EXTRA_INDEX_URL", "global.extra-index-url='https://a.test/x'"),
    ],
)
def test_what_uv_is_told_under_another_name_wins_too(told: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "UV_DEFAULT_INDEX", "UV_INDEX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(told, "own.test")
    monkeypatch.setattr(install.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, said))
    assert {
        n: v for n, v in install.index_settings(Path("python")).items() if n != "HTTP_PROXY" or told != "https_proxy"
    } == {}


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
