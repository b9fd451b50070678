"""Makes the course's Python environment from the hashed lock.

Runs as a script, before anything is installed: standard library only.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
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
SUPPORTED = ((3, 11), (3, 14))
"""The oldest and the newest Python the lock is made for."""
PROVEN = (3, 13)
"""The newest Python that the whole course was run on: on a newer one the packages must show that they work."""
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


def supported_in_words() -> str:
    """The Pythons the lock is made for, as text."""
    return f"{_dotted(SUPPORTED[0])} to {_dotted(SUPPORTED[1])}"


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _this_python() -> tuple[int, int]:
    return (sys.version_info[0], sys.version_info[1])


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


PIP_KEEPS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "client-cert"),
    *("timeout", "default-timeout", "retries", "keyring-provider", "cache-dir", "use-feature"),
)
"""The settings of pip that say how packages are had on this machine. No other one may decide what the course installs."""
UV_READS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "client-cert": "SSL_CLIENT_CERT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
    "keyring-provider": "UV_KEYRING_PROVIDER",
}
"""The same settings in the names uv reads."""
_EARLIER = {
    "UV_DEFAULT_INDEX": "UV_INDEX_URL",
    "UV_INDEX": "UV_EXTRA_INDEX_URL",
    "HTTP_PROXY": "ALL_PROXY",
    "HTTPS_PROXY": "ALL_PROXY",
}
"""Under which other name uv may have been told the same."""
UV_KEEPS = re.compile(
    r"UV_((DEFAULT_|EXTRA_)?INDEX(_.*)?|FIND_LINKS|INSECURE_HOST|KEYRING_PROVIDER|NATIVE_TLS|SYSTEM_CERTS|HTTP_.*|"
    r"REQUEST_TIMEOUT|CREDENTIALS_DIR|OFFLINE|(NO_)?CACHE(_DIR)?|LINK_MODE|CONCURRENT_.*|NO_PROGRESS|(NO_)?CONFIG(_FILE)?|"
    r"PYTHON_(INSTALL_.*|DOWNLOADS.*|CACHE_DIR))"
)
"""uv's own variables of that kind."""


def pip_settings(python: Path) -> dict[str, str]:
    """How pip gets packages on this machine, from its files and variables: {"index-url": "…"}; {} without a pip."""
    command = [str(python), "-I", "-m", "pip", "config", "list"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False).stdout
    except OSError:
        return {}
    order = ("global", "install", ":env:")
    said = re.findall(r"^(global|install|:env:)\.([a-z-]+)=(.*)$", listed, re.M)
    told = {}
    for _, key, text in sorted(said, key=lambda line: order.index(line[0])):
        with contextlib.suppress(ValueError, SyntaxError):
            told[key] = " ".join(str(ast.literal_eval(text)).split())
    return {key: value for key, value in told.items() if key in PIP_KEEPS and value}


def _environment(**more: str) -> dict[str, str]:
    """This process's environment without what would tell pip or uv to install other things, or elsewhere."""
    kept = {
        n: v for n, v in os.environ.items() if not n.upper().startswith(("PIP_", "UV_")) or UV_KEEPS.fullmatch(n.upper())
    }
    for name in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__"):
        kept.pop(name, None)
    return {**kept, **more}


def for_pip(python: Path) -> dict[str, str]:
    """The environment pip runs in: of this machine's settings those in PIP_KEEPS alone."""
    told = {"PIP_" + key.replace("-", "_").upper(): value for key, value in pip_settings(python).items()}
    return _environment(PIP_CONFIG_FILE=os.devnull, **told)


def index_settings(python: Path) -> dict[str, str]:
    """Where and how pip gets packages on this machine, in the names uv reads; what uv is told itself wins."""
    told = pip_settings(python)
    found = {UV_READS[key]: value for key, value in told.items() if key in UV_READS}
    if "proxy" in told:
        proxy = told["proxy"] if "://" in told["proxy"] else f"http://{told['proxy']}"
        found.update(HTTPS_PROXY=proxy, HTTP_PROXY=proxy)
    given = {name.upper() for name in os.environ}
    found = {name: value for name, value in found.items() if not {name, _EARLIER.get(name, name)} & given}
    if "UV_INDEX" in found and "UV_INDEX_STRATEGY" not in given:
        # pip takes the best match of all indexes; the hashes of the lock make that safe.
        found["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = found["UV_FIND_LINKS"].replace(" ", ",")
    if found.get("UV_KEYRING_PROVIDER") not in (None, "disabled", "subprocess"):
        del found["UV_KEYRING_PROVIDER"]  # pip knows more of them
    return found


def _told_no_index(python: Path) -> list[str]:
    """uv's option for pip's `no-index`, which it reads from no variable."""
    return ["--no-index"] if pip_settings(python).get("no-index", "").lower() in ("1", "true", "yes", "on") else []


def _run(command: list[str], failure: str, environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, env=_environment() if environment is None else environment, check=False)
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
    same = version is not None and tuple(map(int, version.groups())) == _this_python()
    return same and made_here and python_of(environment).exists()


def create(environment: Path, lock: Path) -> None:
    """Makes an empty environment, unless a usable one is there, and puts the lock's uv into it."""
    if not usable(environment):
        _run(
            [sys.executable, "-I", "-m", "venv", "--clear", str(environment)],
            "Python could not make an environment. On Debian and Ubuntu its venv module is a package:\n"
            f"  sudo apt-get install python{_dotted(_this_python())}-venv",
        )
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder, "uv.txt")
        wanted.write_text(pinned(lock, "uv"), encoding="utf-8")
        pip = [str(python_of(environment)), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(
            [*pip, "--require-hashes", "--no-deps", "-r", str(wanted)],
            "uv, which installs the other packages, could not be fetched. Is a package index in reach?\n"
            "Behind a proxy, set it for pip (pip config set global.proxy …) and run the same command again.",
            for_pip(python_of(environment)),
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
        [*command, "--require-hashes", "--compile-bytecode", *_told_no_index(python_of(helper)), *requirements],
        "The packages could not be installed; the lines above say which one and why.\n"
        "The same command again goes on where it stopped.",
        _environment(**index_settings(python_of(helper))),
    )


class DoesNotWork(CannotInstall):
    """The packages are installed, and do not work with this Python; the text says which and why."""


def try_out(environment: Path) -> None:
    """Lets the packages show that they work with this Python. DoesNotWork with what they said."""
    command = [str(python_of(environment)), "-I", "-m", "dojo.tryout"]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["not a word was said"])[-1]
        raise DoesNotWork(
            f"The packages are here, but do not work with Python {_dotted(_this_python())} on this machine: {said}\n"
            "Once more from the beginning: make clean, then make lab. If it stays so, please tell the course."
        )


def install_course(environment: Path) -> None:
    """Installs the course itself, editable, with what the lock brought, and lets it all show that it works: no network."""
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
    _point_by_ascii(environment)
    compiled = [python, "-I", "-m", "compileall", "-q", str(COURSE / "src")]
    _run(compiled, "Some file in src/ is not valid Python; see above.")
    try_out(environment)


def _point_by_ascii(environment: Path) -> None:
    """Has the environment find the course from where it stands itself.

    Python 3.11 and older read the line by the locale, and end at the first sign of the path that it does not know.
    """
    source = COURSE / "src"
    for packages in (*environment.glob("lib/python*/site-packages"), environment / "Lib" / "site-packages"):
        for pointer in packages.glob("_editable_impl_*.pth"):
            if {*pointer.read_text(encoding="utf-8").split("\n")} - {""} != {str(source)}:
                continue
            with contextlib.suppress(ValueError):  # on another drive
                line = Path(os.path.relpath(source, packages)).as_posix()
                if line.isascii():
                    pointer.write_text(f"{line}\n", encoding="ascii")


def _check_machine(environment: Path) -> None:
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
    _say(3, f"the course itself, and a first try of it all with Python {_dotted(_this_python())}")
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


# ---------------------------------------------------------------- another Python, where this one does not serve


def answering(*python: str) -> tuple[str, tuple[int, int]] | None:
    """The Python that a program really is, behind an environment or a link, and its version; None where it does not answer.

    What stands on the PATH may be a stub that starts nothing: pyenv's for a version that is not chosen, Windows' for its store.
    """
    question = "import sys; print(*sys.version_info[:2], getattr(sys, '_base_executable', '') or sys.executable)"
    try:
        done = subprocess.run(
            [*python, "-I", "-c", question], capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
        major, minor, base = done.stdout.strip().split(" ", 2)
        return (base, (int(major), int(minor))) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def other_python(environment: Path, newest: tuple[int, int]) -> str | None:
    """A Python from the oldest supported to `newest` that is here: the one of the environment, or one on the PATH."""
    proven_first = sorted(range(SUPPORTED[0][1], newest[1] + 1), key=lambda minor: (minor > PROVEN[1], -minor))
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    on_path = [[found] for n in proven_first for f in folders if (found := shutil.which(f"python3.{n}", path=f))]
    launcher = shutil.which("py") if os.name == "nt" else None
    on_path += [[launcher, f"-3.{minor}"] for minor in proven_first if launcher]
    for candidate in ([str(python_of(environment))], *on_path):
        found = answering(*candidate)
        if found and SUPPORTED[0] <= found[1] <= newest:
            return found[0]
    return None


def bring_python(environment: Path, lock: Path) -> str:
    """A Python that uv downloads, with a bar, and keeps apart from those of this machine. CannotInstall says what to do."""
    wanted = _dotted(PROVEN)
    print(
        f"uv brings Python {wanted}: about 35 MB from github.com. The Pythons of this machine stay as they are …", flush=True
    )
    with tempfile.TemporaryDirectory() as folder:
        uv = _any_uv(environment, Path(folder, "uv"), lock)
        settings = _environment(UV_PYTHON_INSTALL_BIN="0", **index_settings(Path(sys.executable)))
        if subprocess.run([uv, "python", "install", wanted], env=settings, check=False).returncode == 0:
            find = [uv, "python", "find", "--managed-python", "--no-python-downloads", wanted]
            found = subprocess.run(find, env=settings, capture_output=True, text=True, check=False).stdout.strip()
            if found and answering(found):
                return found
    raise CannotInstall(
        "uv could not bring one either (its lines above say why; a mirror of its own it reads from UV_PYTHON_INSTALL_MIRROR)."
    )


def _any_uv(environment: Path, folder: Path, lock: Path) -> str:
    """uv: that of the environment, that on the PATH, or one that this Python's pip puts into a folder for the moment."""
    for there in (str(_uv(environment)), shutil.which("uv")):
        with contextlib.suppress(OSError):
            if there and subprocess.run([there, "--version"], capture_output=True, check=False).returncode == 0:
                return there
    create(folder, lock)
    return str(_uv(folder))


def _refused(environment: Path) -> Path:
    """Where an environment keeps which newer Pythons it was tried with in vain, so that it is not tried each time."""
    return environment / "course-refused"


def _serves(environment: Path, locks: list[Path]) -> bool:
    """Whether this Python is one to install with: supported, and not found wanting with these very locks."""
    if not supported(_this_python()):
        return False
    try:
        return not set(fingerprints(locks, environment)) & set(_refused(environment).read_text("utf-8").split())
    except OSError:
        return True


def _with_another(environment: Path, lock: Path, arguments: list[str], why: str) -> int:
    """Starts again with a Python that serves. CannotInstall, from `why` to what to do, where none can be had."""
    newest = PROVEN if supported(_this_python()) else SUPPORTED[1]
    print(why, flush=True)
    try:
        python = other_python(environment, newest) or bring_python(environment, lock)
    except CannotInstall as error:
        raise CannotInstall(
            f"{why} {error}\nInstall one of {supported_in_words()}, from your system or from "
            "https://www.python.org/downloads/, and say which: make lab PYTHON=python3.12"
        ) from None
    print(f"Going on with {python}", flush=True)
    return subprocess.run([python, "-I", __file__, *arguments], check=False).returncode


def browser() -> str | None:
    """A Chromium on this machine, which the browser test drives; None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def main(arguments: list[str] | None = None) -> int:
    """Makes the environment; exit status 1 with a plain message when that cannot be done."""
    parser = argparse.ArgumentParser(prog="install.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--environment", type=Path, default=COURSE / ".venv", help="folder; default .venv")
    parser.add_argument("--browser", action="store_true", help="add what tests drive Chromium with")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):
            stream.reconfigure(errors="replace")  # a terminal that knows no … must not stop the installation
    locks = [COURSE / LOCK]
    if options.browser and browser():
        locks.append(COURSE / BROWSER_LOCK)
    try:
        return _install(options.environment.absolute(), locks, arguments)
    except CannotInstall as error:
        print(f"\nNot installed. {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(
            f"\nNot installed. {where}{error.strerror or error}. Mend that, and run the same command again.", file=sys.stderr
        )
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command again goes on from here.", file=sys.stderr)
        return 130


def _install(environment: Path, locks: list[Path], arguments: list[str]) -> int:
    here = f"This is Python {_dotted(_this_python())}"
    if not supported(_this_python()):
        return _with_another(environment, locks[0], arguments, f"{here}; the course runs on {supported_in_words()}.")
    if not _serves(environment, locks):
        return _with_another(environment, locks[0], arguments, f"{here}, with which the packages did not work before.")
    try:
        make_environment(environment, locks)
    except DoesNotWork as error:
        if _this_python() <= PROVEN:
            raise
        print(f"\n{error}", file=sys.stderr, flush=True)
        status = _with_another(environment, locks[0], arguments, f"{here}, newer than what the course was tried with.")
        if status == 0:
            _refused(environment).write_text("\n".join(fingerprints(locks, environment)), encoding="utf-8")
        return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
