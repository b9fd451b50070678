"""Makes the course's Python environment from the hashed lock.

Runs as a script, before anything is installed: standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
SUPPORTED = ((3, 11), (3, 13))
"""The oldest and the newest Python the lock is made for."""
LOCK = "requirements.lock"
BROWSER_LOCK = "requirements-browser.lock"
ROOM_NEEDED = 3 << 30
"""Bytes to have free before installing: the packages, and the downloads beside them."""


class CannotInstall(Exception):
    """The environment cannot be made; the text says why and what to do."""


def programs(environment: Path) -> Path:
    """The folder of an environment's programs on this system."""
    return environment / ("Scripts" if os.name == "nt" else "bin")


def python_of(environment: Path) -> Path:
    """The Python of an environment."""
    return programs(environment) / ("python.exe" if os.name == "nt" else "python")


def supported(version: tuple[int, int]) -> bool:
    """Whether the lock is made for this (major, minor) version of Python."""
    return SUPPORTED[0] <= version <= SUPPORTED[1]


def fingerprints(locks: list[Path], environment: Path) -> list[str]:
    """What an environment is made from, one hash a lock: lock, package definition, Python, place."""
    definition = (COURSE / "pyproject.toml").read_bytes() + f"{sys.version_info[:2]} {environment}".encode()
    return [hashlib.sha256(lock.read_bytes() + definition).hexdigest() for lock in locks]


def pinned(lock: Path, name: str) -> str:
    """The lines of one package in a lock: its version, its marker and all its hashes.

    Raises CannotInstall when the lock does not hold the package.
    """
    block = re.search(rf"^{re.escape(name)}==.*?(?=^[a-zA-Z0-9]|\Z)", lock.read_text("utf-8"), re.M | re.S)
    if block is None:
        raise CannotInstall(f"{lock.name} holds no {name}. Restore it with: git checkout {lock.name}")
    return block.group(0)


def index_settings(python: Path) -> dict[str, str]:
    """Where pip looks for packages on this machine, in the names uv reads; what uv is told already wins."""
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False).stdout
    said = re.findall(r"^(global|install|:env:)\.([a-z-]+)='(.*)'$", listed, re.M)
    order = ("global", "install", ":env:")
    told = {key: value for _, key, value in sorted(said, key=lambda line: order.index(line[0]))}
    names = {"index-url": "UV_DEFAULT_INDEX", "find-links": "UV_FIND_LINKS", "cert": "SSL_CERT_FILE"}
    names["extra-index-url"] = "UV_INDEX"
    found = {names[key]: value for key, value in told.items() if key in names}
    found = {name: value for name, value in found.items() if name not in os.environ}
    if "UV_INDEX" in found:
        # pip takes the best match of all indexes; the hashes of the lock make that safe.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    return found


def _run(command: list[str], failure: str, settings: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env={**os.environ, **(settings or {})}, check=False)
    if done.returncode:
        raise CannotInstall(failure)


def usable(environment: Path) -> bool:
    """Whether an environment is one of this Python's version that was made where it stands."""
    try:
        settings = (environment / "pyvenv.cfg").read_text("utf-8")
        made_here = str(environment) in (programs(environment) / "activate").read_text("utf-8")
    except OSError:
        return False
    version = re.search(r"^version(?:_info)? = (\d+)\.(\d+)", settings, re.M)
    same = version is not None and tuple(map(int, version.groups())) == sys.version_info[:2]
    return same and made_here and python_of(environment).exists()


def create(environment: Path, lock: Path) -> None:
    """Makes an empty environment, unless a usable one is there, and puts the lock's uv into it."""
    if not usable(environment):
        _run(
            [sys.executable, "-m", "venv", "--clear", str(environment)],
            "Python could not make an environment. On Debian and Ubuntu its venv module is a package:\n"
            f"  sudo apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv",
        )
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "uv.txt")
        wanted.write_text(pinned(lock, "uv"), encoding="utf-8")
        pip = [str(python_of(environment)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(
            [*pip, "--require-hashes", "--no-deps", "-r", str(wanted)],
            "uv, which installs the other packages, could not be fetched. Is a package index in reach?\n"
            "Behind a proxy, set it for pip (pip config set global.proxy …) and run the same command again.",
        )


def _uv(environment: Path) -> Path:
    return programs(environment) / ("uv.exe" if os.name == "nt" else "uv")


def install(environment: Path, locks: list[Path], helper: Path) -> None:
    """Installs locks into an environment, every file checked against its hash and compiled.

    helper: the environment whose uv does it, and whose pip knows where this machine finds packages.
    """
    requirements = [part for lock in locks for part in ("-r", str(lock))]
    command = [str(_uv(helper)), "pip", "install", "--python", str(python_of(environment))]
    _run(
        [*command, "--require-hashes", "--compile-bytecode", *requirements],
        "The packages could not be installed; the lines above say which one and why.\n"
        "The same command again goes on where it stopped.",
        index_settings(python_of(helper)),
    )


def install_course(environment: Path) -> None:
    """Installs the course itself, editable, with what the lock brought: no network."""
    python = str(python_of(environment))
    command = [
        str(_uv(environment)),
        "pip",
        "install",
        "--python",
        python,
        "--quiet",
        "--offline",
        "--no-deps",
    ]
    failure = "The course itself could not be installed; the lines above say why."
    _run([*command, "--no-build-isolation", "-e", str(COURSE)], failure)
    compiled = [python, "-m", "compileall", "-q", str(COURSE / "src")]
    _run(compiled, "Some file in src/ is not valid Python; see above.")


def _check_machine(environment: Path) -> None:
    version = (sys.version_info[0], sys.version_info[1])
    if not supported(version):
        raise CannotInstall(
            f"This is Python {version[0]}.{version[1]}; "
            f"3.{SUPPORTED[0][1]} to 3.{SUPPORTED[1][1]} are supported.\n"
            "Install one from https://www.python.org/downloads/ and say which: make lab PYTHON=python3.12"
        )
    free = shutil.disk_usage(environment.parent).free
    if free < ROOM_NEEDED and not environment.exists():
        raise CannotInstall(
            f"{free / 1e9:.1f} GB are free here, {ROOM_NEEDED / 1e9:.1f} GB are needed to install. "
            "Make room, or clone the course on another disk."
        )


def make_environment(environment: Path, locks: list[Path]) -> bool:
    """Makes or renews an environment; says each step. Returns False when it was already up to date."""
    stamp = environment / "course-stamp"
    wanted = fingerprints(locks, environment)
    made = stamp.read_text("utf-8").split() if stamp.exists() and python_of(environment).exists() else []
    if set(wanted) <= set(made):
        return False
    _check_machine(environment)
    stamp.unlink(missing_ok=True)
    count = sum(len(re.findall(r"^[a-zA-Z0-9].*==", lock.read_text("utf-8"), re.M)) for lock in locks)
    begun = time.monotonic()
    _say(1, f"an empty environment in {environment.name}, and uv to fill it")
    create(environment, locks[0])
    names = " and ".join(lock.name for lock in locks)
    _say(2, f"{count} packages from {names}, each checked against its hash")
    install(environment, locks, environment)
    _say(3, "the course itself")
    install_course(environment)
    kept = made if wanted[0] in made else []
    stamp.write_text("\n".join([*kept, *wanted]), encoding="utf-8")
    print(f"Environment ready after {time.monotonic() - begun:.0f} s.", flush=True)
    return True


def make_tool_environment(environment: Path, lock: Path) -> None:
    """Makes an environment for one tool from its lock, with this environment's uv. Raises CannotInstall."""
    helper = Path(sys.prefix)
    if not _uv(helper).exists():
        raise CannotInstall("uv is missing from the course's environment. Mend it with: make setup")
    _run(
        [str(_uv(helper)), "venv", "--quiet", "--python", sys.executable, str(environment)],
        "Its environment could not be made; the lines above say why.",
    )
    install(environment, [lock], helper)


def make_node_environment(environment: Path, lock: Path) -> None:
    """Makes a folder of Node packages from a package-lock.json, running none of their scripts. Raises CannotInstall."""
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("It is a Node program, and npm is not on the PATH (Debian: apt-get install nodejs npm).")
    environment.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(lock.parent / name, environment / name)
    _run(
        [npm, "ci", "--prefix", str(environment), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        "Its packages could not be had; the lines above say why.",
    )


def _say(step: int, what: str) -> None:
    print(f"[{step}/3] {what} …", flush=True)


def other_python() -> str | None:
    """A supported Python on the PATH, for when this one is too old or too new; None if this one serves."""
    if supported((sys.version_info[0], sys.version_info[1])):
        return None
    for minor in range(SUPPORTED[1][1], SUPPORTED[0][1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            return found
    return None


def browser() -> str | None:
    """A Chromium on this machine, which the browser test drives; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def main(arguments: list[str] | None = None) -> int:
    """Makes the environment; exit status 1 with a plain message when that cannot be done."""
    parser = argparse.ArgumentParser(prog="install.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--environment", type=Path, default=COURSE / ".venv", help="folder; default .venv")
    parser.add_argument("--browser", action="store_true", help="add what tests drive Chromium with")
    options = parser.parse_args(arguments)
    better = other_python()
    if better:
        return subprocess.run([better, "-I", __file__, *(arguments or sys.argv[1:])], check=False).returncode
    locks = [COURSE / LOCK]
    if options.browser and browser():
        locks.append(COURSE / BROWSER_LOCK)
    try:
        make_environment(options.environment.absolute(), locks)
    except CannotInstall as error:
        print(f"\nNot installed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command again goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
