"""`dojo lab`: a free port, the start page, a URL with its token, and notebooks that stay what they are."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

from dojo import doctor, lab


@pytest.fixture
def busy() -> Iterator[int]:
    """A port that someone else listens on."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        yield door.getsockname()[1]


def test_a_busy_port_gives_way_to_the_next_free_one(busy: int) -> None:
    chosen = lab.free_port(busy)
    assert busy < chosen < busy + 50


def test_when_no_port_is_free_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "port_is_free", lambda port: False)
    with pytest.raises(OSError, match="--port"):
        lab.free_port(8888)


@pytest.mark.parametrize(
    ("given", "environment", "wanted"),
    [(None, "", 8888), (None, "9001", 9001), (9002, "9001", 9002), (None, "x", 8888)],
)
def test_the_port_is_the_option_or_the_variable_or_8888(given, environment, wanted, monkeypatch) -> None:
    served: list[int] = []
    monkeypatch.setenv("PORT", environment)
    monkeypatch.setattr(lab, "prepare", lambda: True)
    monkeypatch.setattr(doctor, "port_is_free", lambda port: True)
    monkeypatch.setattr(lab, "serve", lambda port, browser: served.append(port) or 0)
    assert lab.main(given, browser=False) == 0
    assert served == [wanted]


def test_the_token_is_not_on_the_command_line() -> None:
    assert "token" not in " ".join(lab.command(8888, browser=False)).lower()
    assert lab.environment("secret-token")["JUPYTER_TOKEN"] == "secret-token"


@pytest.mark.parametrize(("user", "allowed"), [(0, True), (1000, False)])
def test_root_is_allowed_only_when_it_is_root(user: int, allowed: bool, monkeypatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user, raising=False)
    assert ("--allow-root" in lab.command(8888, browser=True)) is allowed


def test_prepared_data_is_not_prepared_again(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(lab.subprocess, "run", run)
    assert lab.prepare() and lab.prepare()
    assert len(calls) == 1


def test_a_lesson_that_came_with_an_update_is_prepared_again(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    lesson = learner / "course" / "notebooks" / "00-start-here.ipynb"
    lesson.parent.mkdir(parents=True)
    lesson.write_text("{}", "utf-8")

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(lab, "COURSE", learner / "course")
    monkeypatch.setattr(lab.subprocess, "run", run)
    assert lab.prepare()
    lesson.write_text('{"metadata": {}}', "utf-8")
    assert lab.prepare() and lab.prepare()
    assert len(calls) == 2, "Jupyter trusts what was signed, and not what came since"


def test_failed_preparation_is_told_and_tried_again(learner: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(lab.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(lab.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 1))
    assert not lab.prepare()
    assert "Not all data could be prepared" in capsys.readouterr().out
    assert not (learner / "prepared").exists()


def test_a_jupyterlab_that_does_not_start_ends_with_a_plain_message(monkeypatch, capfd) -> None:
    monkeypatch.setattr(lab, "command", lambda port, browser: [sys.executable, "-c", "raise SystemExit(3)"])
    assert lab.serve(1, browser=False) == 1
    assert "its lines above say why" in capfd.readouterr().err


class Opened:
    """A real `dojo lab`: its process, address and token."""

    def __init__(self, folder: Path, **environment: str):
        script = (
            "import sys; from pathlib import Path; from dojo import lab; lab.COURSE = Path(sys.argv[1]); "
            "lab.prepare = lambda: True; sys.exit(lab.serve(lab.free_port(8950), browser=False))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, str(folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = re.search(r"(http://127\.0\.0\.1:\d+)/(\S+)\?token=(\S+)", line)
            if found:
                self.address, self.page, self.token = found.groups()
                return
        raise AssertionError("dojo lab ended without a URL")

    def end(self) -> None:
        """As by Ctrl-C in its terminal."""
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0, "a terminated dojo lab ends well, and JupyterLab with it"

    def ask(self, path: str, method: str = "GET", body: object = None) -> dict:
        """One request to the server's API."""
        request = urllib.request.Request(
            f"{self.address}/{path}", method=method, data=json.dumps(body).encode() if body else None
        )
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Opened, Path]]:
    """JupyterLab on two notebooks that ask for a text file beside them; one of them has it."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "notebooks").mkdir()
    page = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1", id="one")])
    page.metadata["jupytext"] = {"formats": "ipynb,md:myst"}
    nbformat.write(page, folder / "notebooks" / "00-start-here.ipynb")
    nbformat.write(page, folder / "notebooks" / "with-text.ipynb")
    (folder / "notebooks" / "with-text.md").write_text("the one source\n", encoding="utf-8")
    server = Opened(folder)
    yield server, folder
    server.end()


def test_the_url_leads_to_the_start_page(opened: tuple[Opened, Path]) -> None:
    server, _ = opened
    assert server.page == "lab/tree/notebooks/00-start-here.ipynb"
    assert server.ask("api/contents/notebooks/00-start-here.ipynb")["type"] == "notebook"


def test_saving_a_notebook_writes_that_notebook_alone(opened: tuple[Opened, Path]) -> None:
    server, folder = opened
    path = "api/contents/notebooks/00-start-here.ipynb"
    before = {file.name for file in (folder / "notebooks").iterdir() if file.is_file()}
    model = server.ask(path)
    model["content"]["cells"][0]["source"] = "2 + 2"
    server.ask(path, "PUT", {"type": "notebook", "format": "json", "content": model["content"]})
    assert "2 + 2" in (folder / "notebooks" / "00-start-here.ipynb").read_text("utf-8")
    assert {file.name for file in (folder / "notebooks").iterdir() if file.is_file()} == before


def test_opening_a_notebook_shows_its_own_cells_not_the_text_files(opened: tuple[Opened, Path]) -> None:
    server, _ = opened
    cells = server.ask("api/contents/notebooks/with-text.ipynb")["content"]["cells"]
    assert [cell["source"] for cell in cells] == ["1 + 1"]


def test_nothing_is_fetched_from_outside(opened: tuple[Opened, Path]) -> None:
    server, _ = opened
    request = urllib.request.Request(f"{server.address}/lab", headers={"Authorization": f"token {server.token}"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    page = direct.open(request, timeout=30).read().decode()
    assert "@jupyterlab/apputils-extension:announcements" in page
    assert re.findall(r'(?:src|href)="https?://(?!127\.0\.0\.1)[^"]+"', page) == []


def _listens(address: str) -> bool:
    with socket.socket() as door:
        return door.connect_ex(("127.0.0.1", int(address.rsplit(":", 1)[1]))) == 0


def _family(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_a_killed_dojo_lab_leaves_no_jupyterlab_behind_and_the_next_one_opens(opened: tuple[Opened, Path]) -> None:
    _, folder = opened
    first = Opened(folder)
    kernel = first.ask("api/kernels", "POST", {"name": "python3"})
    assert kernel["id"]
    left = _family(first.process.pid)
    assert len(left) >= 2, "JupyterLab and a kernel"
    first.process.kill()
    first.process.wait(timeout=30)
    assert not psutil.wait_procs(left, timeout=30)[1]
    assert not _listens(first.address)
    second = Opened(folder)
    assert second.ask("api/contents/notebooks/00-start-here.ipynb")["type"] == "notebook"
    second.end()


SOMEBODY_S = {
    "ServerApp": {
        "base_url": "/me/",
        "certfile": "/none/cert.pem",
        "keyfile": "/none/key.pem",
        "client_ca": "/none/ca.pem",
        "ssl_options": {"certfile": "/none/cert.pem"},
        "ip": "0.0.0.0",
        "port": 7777,
        "sock": "/none/socket",
        "root_dir": "/",
        "preferred_dir": "/",
        "default_url": "/tree",
        "open_browser": True,
        "token": "",
        "password": "argon2:x",  # pragma: allowlist secret
        "contents_manager_class": "no.such.Manager",
        "authorizer_class": "no.such.Authorizer",
        "identity_provider_class": "no.such.Provider",
        "login_handler_class": "no.such.Handler",
    },
    "IdentityProvider": {"token": ""},
    "PasswordIdentityProvider": {
        "token": "theirs",
        "hashed_password": "argon2:x",  # pragma: allowlist secret
        "password_required": True,
    },
    "FileContentsManager": {"root_dir": "/", "preferred_dir": "/"},
}
"""Settings of Jupyter made for another server: each ends a `dojo lab`, or opens it at another address or to others."""


def test_settings_that_a_person_has_for_another_jupyter_leave_address_token_and_folder_alone(
    opened: tuple[Opened, Path], tmp_path: Path
) -> None:
    _, folder = opened
    (tmp_path / "jupyter_server_config.json").write_text(json.dumps(SOMEBODY_S), encoding="utf-8")
    (tmp_path / "jupyter_notebook_config.py").write_text(
        "c.NotebookApp.base_url = '/they/'\nc.NotebookApp.certfile = '/none/cert.pem'\n", encoding="utf-8"
    )
    server = Opened(folder, JUPYTER_CONFIG_DIR=str(tmp_path), JUPYTER_TOKEN="theirs")
    try:
        assert server.ask("api/contents/notebooks/00-start-here.ipynb")["type"] == "notebook"
        for token in ("theirs", ""):
            server.token = token
            with pytest.raises(urllib.error.HTTPError, match="403"):
                server.ask("api/contents/notebooks/00-start-here.ipynb")
    finally:
        server.end()
