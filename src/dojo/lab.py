"""Opens the course: sample data, what this machine can run, and JupyterLab on the start page."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from dojo import doctor
from dojo.judge import refusals
from dojo.places import COURSE, EXECUTED, home

START_PAGE = Path("notebooks", "00-start-here.ipynb")
FIRST_PORT = 8888
SETTINGS = Path(__file__).parent / "jupyter"
"""JupyterLab's settings for the course: plain notebooks stay plain, and nothing is fetched from outside."""
OURS = (
    *("--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", "--ServerApp.base_url=/", "--ServerApp.sock="),
    *("--ServerApp.certfile=", "--ServerApp.keyfile=", "--ServerApp.client_ca=", "--ServerApp.ssl_options={}"),
    "--ServerApp.identity_provider_class=jupyter_server.auth.identity.PasswordIdentityProvider",
    "--ServerApp.login_handler_class=jupyter_server.auth.login.LegacyLoginHandler",
    "--ServerApp.authorizer_class=jupyter_server.auth.authorizer.AllowAllAuthorizer",
    "--ServerApp.contents_manager_class=jupyter_server.services.contents.largefilemanager.AsyncLargeFileManager",
    *("--PasswordIdentityProvider.hashed_password=", "--PasswordIdentityProvider.password_required=False"),
)
"""What decides under which address JupyterLab answers, to whom, and with which files: a person's own settings of Jupyter, made
for another server, do not. They keep the rest: theme, keys, extensions."""
FOLDERS = ("ServerApp.root_dir", "FileContentsManager.root_dir", "FileContentsManager.preferred_dir")
PATIENCE = 90
"""Seconds JupyterLab has to answer."""


def free_port(wanted: int) -> int:
    """The wanted port, or the next free one above it. Raises OSError when fifty in a row are taken."""
    for port in range(wanted, min(wanted + 50, 65536)):
        if doctor.port_is_free(port):
            return port
    raise OSError(f"No free port from {wanted} to {wanted + 49}. Choose another with --port.")


def _sources() -> str:
    """What is prepared depends on this, as a hash: what makes the company and its checkpoints, and the notebooks to trust."""
    digest = hashlib.sha256()
    folders = [COURSE / "src" / "shopflow", COURSE / "src" / "dojo" / "tasks"]
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    files += [path for folder in EXECUTED for path in sorted((COURSE / folder).glob("*.ipynb"))]
    for path in [*files, COURSE / "src" / "dojo" / "workspace.py", COURSE / "requirements.lock"]:
        if path.suffix != ".pyc" and path.exists():
            digest.update(path.relative_to(COURSE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def prepare() -> bool:
    """Makes sample data and checkpoints unless they are up to date. Returns False if that failed.

    A failure is told and is not the end: a lesson makes what it misses when it is opened.
    """
    if importlib.util.find_spec("dojo.prepare") is None:
        return True
    stamp = home() / "prepared"
    wanted = _sources()
    if stamp.exists() and stamp.read_text("utf-8") == wanted:
        return True
    print("ShopFlow's data, and a checkpoint for each module …", flush=True)
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-m", "dojo.prepare"], cwd=COURSE, check=False)
    if done.returncode:
        print("Not all data could be prepared (see above). Lessons make what they miss; that takes seconds.")
        return False
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(wanted, encoding="utf-8")
    except OSError as error:
        print(f"Lessons open, but nothing can be kept here. {refusals.in_words(error) or error}", file=sys.stderr)
        return False
    print(f"Data ready after {time.monotonic() - begun:.0f} s.", flush=True)
    return True


def command(port: int, browser: bool) -> list[str]:
    """The command line that starts JupyterLab on the course."""
    options = [f"--ServerApp.port={port}", *OURS, *(f"--{name}={COURSE}" for name in FOLDERS), "--log-level=WARN"]
    if (COURSE / START_PAGE).exists():
        options.append(f"--LabApp.default_url=/lab/tree/{START_PAGE.as_posix()}")
    if not browser:
        options.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    return [sys.executable, "-m", "dojo.lab_server", *options]


def environment(token: str) -> dict[str, str]:
    """The environment JupyterLab starts in. The token goes here because command lines are public."""
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH", "")]
    told = {"JUPYTER_TOKEN": token, "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths))}
    return {**os.environ, **told}


def can_show() -> bool:
    """Whether a browser can open on this machine's own screen."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Waits until JupyterLab answers; False when it ended or stayed silent for PATIENCE seconds."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            if direct.open(f"http://127.0.0.1:{port}/api", timeout=5).status == 200:
                return True
        time.sleep(0.2)
    return False


@contextlib.contextmanager
def _signals_reach(server: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C or a termination of this process ends JupyterLab too, with its kernels."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = [signal.SIGTERM, signal.SIGINT]

    def stop(number: int, frame: object) -> None:
        with contextlib.suppress(OSError):
            server.terminate()

    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve(port: int, browser: bool) -> int:
    """Runs JupyterLab until it is stopped; prints its URL as soon as it answers. Returns an exit status."""
    token = secrets.token_urlsafe(24)
    # A session of its own: Ctrl-C in the terminal is handled here once, without Jupyter asking back.
    # It reads the other end of this pipe, and ends when this process does (see dojo.lab_server).
    server = subprocess.Popen(
        command(port, browser), env=environment(token), cwd=COURSE, start_new_session=os.name != "nt", stdin=subprocess.PIPE
    )
    with _signals_reach(server):
        if not answers(port, server):
            if server.poll() is None:
                server.terminate()
                print(f"JupyterLab did not answer within {PATIENCE} s. Once more: dojo lab", file=sys.stderr)
            else:
                print("JupyterLab ended before it answered; its lines above say why.", file=sys.stderr)
            server.wait()
            return 1
        page = f"lab/tree/{START_PAGE.as_posix()}" if (COURSE / START_PAGE).exists() else "lab"
        print(f"\nDataOps Dojo is open at\n\n    http://127.0.0.1:{port}/{page}?token={token}\n", flush=True)
        print("Stop it with Ctrl-C. Your work is kept.", flush=True)
        server.wait()
    print("JupyterLab has stopped.")
    return 0


def main(port: int | None = None, browser: bool = True, setup_only: bool = False) -> int:
    """Prepares what is missing, says what this machine can run, and opens JupyterLab.

    port: the first one to try, default $PORT or 8888; browser: open one if this machine has a screen;
    setup_only: stop before JupyterLab. Returns an exit status.
    """
    prepare()
    report = doctor.examine()
    print(report.as_text() if not report.ready else f"{report.summary()} More: dojo doctor", flush=True)
    if setup_only or not report.ready:
        return 0 if report.ready else 1
    given = os.environ.get("PORT", "")
    wanted = port or (int(given) if given.isdigit() else FIRST_PORT)
    try:
        chosen = free_port(wanted)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    if chosen != wanted:
        print(f"Port {wanted} is in use; taking {chosen}.")
    return serve(chosen, browser and can_show())
