"""Tools in environments of their own: for pins that fight with ours, for weight, for another licence."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dojo import install, places
from dojo.locks import one_at_a_time

LOCKS = Path(__file__).parent / "locks"
SECONDS = 1800
"""What making an environment may take on a slow line, and what another one waits for it."""
QUIET = {"DO_NOT_TRACK": "1", "PYTHONNOUSERSITE": "1"}
"""Set for every tool: none of them reports home."""


class UnknownTool(LookupError):
    """No such tool; the message names those there are."""


class CannotAdd(OSError):
    """A tool's environment could not be made; the message says what to do."""


class NotAdded(OSError):
    """A tool is used before its environment was made; the message gives the command."""


@dataclass(frozen=True)
class Tool:
    """A tool: what it is for, why it stands apart, its megabytes on disk, the settings it runs under."""

    name: str
    purpose: str
    apart: str
    megabytes: int
    settings: dict[str, str] = field(default_factory=dict)
    node: bool = False

    @property
    def lock(self) -> Path:
        """The hashed lock its environment is made from: Python packages, or `node` ones beside their package.json."""
        return LOCKS / self.name / "package-lock.json" if self.node else LOCKS / f"{self.name}.lock"

    @property
    def folder(self) -> Path:
        """Its environment."""
        return places.tools() / self.name


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "soda",
            "Soda Core on DuckDB, for module 03",
            "its licence is not an open one",
            110,
            {"SODA_CORE_TELEMETRY_ENABLED": "false"},
        ),
        Tool(
            "gitlab-ci-local",
            "a local runner of GitLab pipelines, for task 04.6; uses Node.js 18 to 20 and rsync",
            "it is not a Python program",
            20,
            node=True,
        ),
        Tool("nbgrader", "nbgrader, the yardstick of the benchmark", "it brings a Jupyter of its own", 690),
        Tool(
            "binder",
            "repo2docker, JupyterHub, KubeSpawner and nbgitpuller, for the tests of Binder and JupyterHub",
            "only those tests use it",
            250,
        ),
        Tool("book", "Sphinx and the rest of what makes the book", "only `make book` uses it", 265),
    )
}


def get(name: str) -> Tool:
    """A tool by its name. UnknownTool names those there are."""
    try:
        return TOOLS[name]
    except KeyError:
        raise UnknownTool(f"There is no tool {name!r}. These can be added: {', '.join(TOOLS)}.") from None


def _stamp(tool: Tool) -> Path:
    return tool.folder / "made-from"


def _wanted(tool: Tool) -> str:
    made_from = f"{sys.version_info[:2]} {tool.folder}".encode() + tool.lock.read_bytes()
    return hashlib.sha256(made_from).hexdigest()


def is_added(name: str) -> bool:
    """Whether the tool's environment is here and made from today's lock."""
    tool = get(name)
    stamp = _stamp(tool)
    return stamp.exists() and stamp.read_text("utf-8") == _wanted(tool)


def add(name: str) -> Path:
    """Makes the tool's environment unless it is up to date, saying each step; returns its folder.

    Raises UnknownTool, and CannotAdd when a package cannot be had.
    """
    tool = get(name)
    if is_added(name):
        print(f"{name} is here already.")
        return tool.folder
    with one_at_a_time(places.tools() / f".{name}.lock", patience=SECONDS):  # a notebook and a terminal may want it at once
        return tool.folder if is_added(name) else _made(tool)


def _made(tool: Tool) -> Path:
    name = tool.name
    room = shutil.disk_usage(next(path for path in tool.folder.parents if path.exists())).free
    if room < 2 * tool.megabytes * 1_000_000:
        raise CannotAdd(f"{name} needs {2 * tool.megabytes} MB to install; {room // 1_000_000} MB are free.")
    shutil.rmtree(tool.folder, ignore_errors=True)
    print(f"Adding {name}: about {tool.megabytes} MB on disk, in an environment of its own.", flush=True)
    try:
        make = install.make_node_environment if tool.node else install.make_tool_environment
        make(tool.folder, tool.lock)
    except install.CannotInstall as error:
        shutil.rmtree(tool.folder, ignore_errors=True)
        raise CannotAdd(f"{name} was not added. {error}") from None
    _stamp(tool).write_text(_wanted(tool), encoding="utf-8")
    print(f"{name} is here.", flush=True)
    return tool.folder


def remove(name: str) -> None:
    """Deletes the tool's environment; nothing happens if there is none."""
    tool = get(name)
    there = tool.folder.exists()
    shutil.rmtree(tool.folder, ignore_errors=True)
    print(f"{name} is removed." if there else f"{name} was not here.")


def program(name: str, wanted: str) -> Path:
    """A program of the tool's environment, for example "python". NotAdded gives the command to type.

    Raises FileNotFoundError when the environment holds no such program.
    """
    tool = get(name)
    if not is_added(name):
        raise NotAdded(f"{name} is not here yet. Add it with: dojo tools add {name}")
    folder = tool.folder / "node_modules" / ".bin" if tool.node else install.programs(tool.folder)
    found = shutil.which(wanted, path=str(folder))
    if found is None:
        raise FileNotFoundError(f"The environment of {name} holds no program {wanted!r} in {folder}.")
    return Path(found)


def run(
    name: str, command: Sequence[str], *, cwd: Path | None = None, seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Runs a program of the tool's environment under the tool's settings; output is captured as text.

    command: ["soda", "--help"] or ["python", "script.py"]. Raises NotAdded, FileNotFoundError, and
    subprocess.TimeoutExpired after `seconds`.
    """
    settings = {**os.environ, **QUIET, **get(name).settings}
    settings.pop("PYTHONPATH", None)
    full = [str(program(name, command[0])), *command[1:]]
    return subprocess.run(full, cwd=cwd, env=settings, capture_output=True, text=True, timeout=seconds, check=False)


def as_text() -> str:
    """All tools, one a line: here or not, what for, why apart."""
    width = max(map(len, TOOLS))
    return "\n".join(
        f"{tool.name:<{width}}  {'here   ' if is_added(tool.name) else 'not yet'}  {tool.purpose}; "
        f"apart because {tool.apart} (about {tool.megabytes} MB)"
        for tool in TOOLS.values()
    )
