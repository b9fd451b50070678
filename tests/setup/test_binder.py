"""What Binder would do after it has made the environment: the same steps, in 2 GB, without user namespaces, as an ordinary user."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from dojo.bench import tracked_copy
from dojo.places import COURSE

LIMIT = 2_000_000_000
CGROUP = Path("/sys/fs/cgroup/memory")
"""Where root may set a limit of memory for a group of processes, in the first version of control groups."""
WALLS = ("bwrap", "unshare")
"""Programs that make user namespaces: Binder's machines have none of them to offer."""
RUN = """
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
    said = ["\\n".join(o["data"]["text/plain"] for o in c.outputs) for c in notebook.cells if c.source.startswith("check(")]
    print(path, sum(": Passed (" in s for s in said), "of", len(said), "checks passed")
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Binder runs Linux")


def _ordinary_user() -> str | None:
    """Whom root hands the replay to; None for somebody who is an ordinary user already."""
    return "nobody" if os.getuid() == 0 else None


def _may_run(user: str, program: str) -> bool:
    """Whether that user reaches a program at all; a Python that lies in root's home is closed to others."""
    try:
        return subprocess.run([program, "-c", ""], user=user, capture_output=True).returncode == 0
    except OSError:
        return False


def _systems_python() -> str | None:
    """The system's own Python if it is of this version, so that the packages here, compiled ones too, serve it."""
    program = shutil.which("python3", path="/usr/bin")
    asked = [program or "", "-c", "import sys, venv; print(*sys.version_info[:2])"]
    with contextlib.suppress(OSError):
        told = subprocess.run(asked, capture_output=True, text=True).stdout.split()
        return program if told == [str(part) for part in sys.version_info[:2]] else None
    return None


def _twin(folder: Path, python: str) -> Path:
    """This environment once more, of hard links where the disk allows, on another Python; gives its Python."""
    shutil.copytree(sys.prefix, folder, symlinks=True, copy_function=_link)
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        (folder / "bin" / name).unlink(missing_ok=True)
        (folder / "bin" / name).symlink_to(python)
    settings = folder / "pyvenv.cfg"
    settings.unlink()
    settings.write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nexecutable = {python}\n", encoding="utf-8")
    ours = f"{Path(sys.prefix) / 'bin'}/python".encode()
    for script in (folder / "bin").iterdir():
        if script.is_file() and not script.is_symlink() and script.read_bytes()[:2] == b"#!":
            text, mode = script.read_bytes(), script.stat().st_mode
            script.unlink()  # a hard link: writing into it would change the environment under test
            script.write_bytes(text.replace(ours, f"{folder}/bin/python".encode()))
            script.chmod(mode)
    return folder / "bin" / "python"


def _link(one: str, other: str) -> str:
    try:
        os.link(one, other)
    except OSError:
        shutil.copy2(one, other)
    return other


class Replay:
    """A copy of what Git tracks, owned by an ordinary user; `run` runs a command there and remembers the peak of memory."""

    def __init__(self, folder: Path):
        self.folder, self.peak, self.python = tracked_copy(folder / "course"), 0, sys.executable
        self.user = _ordinary_user()
        if self.user:
            folder.chmod(0o755)
            if not _may_run(self.user, self.python) and (system := _systems_python()):
                self.python = str(_twin(folder / "environment", system))
            if not _may_run(self.user, self.python):
                pytest.skip("no Python of this version here that an ordinary user can run; start the tests as one")
            entry = pwd.getpwnam(self.user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        self.programs = self._without_walls(folder / "programs")
        self.group = self._group(f"dojo-{os.getpid()}")

    def _without_walls(self, folder: Path) -> Path:
        """The system's programs but for those that make user namespaces, as links."""
        folder.mkdir()
        for place in map(Path, ("/usr/bin", "/bin")):
            for program in place.iterdir() if place.is_dir() else ():
                if program.name not in WALLS and not (folder / program.name).is_symlink():
                    (folder / program.name).symlink_to(program)
        return folder

    def _group(self, name: str) -> Path | None:
        """A control group that holds to the limit; None where this user may not make one."""
        group = CGROUP / name
        with contextlib.suppress(OSError):
            group.mkdir()
            (group / "memory.limit_in_bytes").write_text(str(LIMIT))
            return group
        with contextlib.suppress(OSError):
            group.rmdir()
        return None

    @property
    def told(self) -> str:
        """Who ran it, on which Python, under which limit, and how much memory it took."""
        limit = f"held to {LIMIT / 1e9:.0f} GB by a control group" if self.group else "measured, not held"
        who = self.user or pwd.getpwuid(os.getuid()).pw_name
        return f"as {who}, Python {os.path.realpath(self.python)}, memory {limit}, peak {self.peak / 1e6:.0f} MB"

    def close(self) -> None:
        """Gives the group back."""
        if self.group:
            with contextlib.suppress(OSError):
                self.group.rmdir()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as Binder's user with Binder's environment: no bubblewrap on the PATH, nothing of this machine's."""
        environment = {
            "HOME": str(self.folder),
            "PATH": f"{Path(self.python).parent}{os.pathsep}{self.programs}",
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
        process = subprocess.Popen(
            ["/bin/sh", "-c", 'read go && exec "$@"', "sh", str(self.folder / "start"), *command],
            cwd=self.folder,
            env=environment,
            user=self.user,
            group=self._group_of_user(),
            extra_groups=[] if self.user else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if self.group:
            (self.group / "cgroup.procs").write_text(str(process.pid))
        watching = threading.Thread(target=self._watch, args=(process.pid,), daemon=True)
        watching.start()
        said, _ = process.communicate("go\n", timeout=900)
        return subprocess.CompletedProcess(command, process.returncode, said)

    def _group_of_user(self) -> int | None:
        return pwd.getpwnam(self.user).pw_gid if self.user else None

    def _watch(self, pid: int) -> None:
        while psutil.pid_exists(pid):
            try:
                top = psutil.Process(pid)
                held = [p.memory_info().rss for p in (top, *top.children(recursive=True))]
                self.peak = max(self.peak, sum(held))
            except psutil.Error:
                pass
            time.sleep(0.25)


@pytest.fixture(scope="module")
def replay():
    with tempfile.TemporaryDirectory(prefix="dojo-binder-", ignore_cleanup_errors=True) as folder:
        made = Replay(Path(folder))
        yield made
        made.close()


def test_binders_user_is_an_ordinary_one_without_user_namespaces(replay):
    said = replay.run(
        "python", "-c", "import os, shutil; print(os.getuid(), shutil.which('bwrap'), shutil.which('unshare'))"
    )
    user, *walls = said.stdout.split()
    assert int(user) != 0 and walls == ["None", "None"], said.stdout
    if replay.group:
        assert f"memory:/{replay.group.name}" in replay.run("cat", "/proc/self/cgroup").stdout
    assert replay.run("dojo", "doctor").stdout.count("missing Sandbox") == 1


def test_the_data_is_made_and_module_00_and_03_pass_within_2_gb(replay):
    made = replay.run("python", "-P", "-m", "dojo.prepare")
    assert made.returncode == 0, made.stdout[-2000:]
    added = replay.run("dojo", "tools", "add", "soda")
    assert added.returncode == 0, added.stdout[-2000:]
    books = ("notebooks/00-start-here.ipynb", "solutions/00-start-here.ipynb", "solutions/03-data-tests.ipynb")
    done = replay.run("python", "-P", "-c", RUN, *books)
    print(done.stdout, replay.told)
    assert done.returncode == 0, done.stdout[-3000:]
    for stem, tasks in (("00-start-here", 5), ("03-data-tests", 8)):
        assert f"solutions/{stem}.ipynb {tasks} of {tasks} checks passed" in done.stdout
    assert replay.peak < LIMIT, replay.told


def test_start_gives_jupyter_the_courses_settings_and_signs_its_pictures(replay):
    asked = (
        "import os, time, pathlib; print(os.environ['JUPYTER_CONFIG_PATH'], os.environ['OMP_NUM_THREADS']); time.sleep(8)"
    )
    settings, threads = replay.run("python", "-c", asked).stdout.split()
    assert settings == str(replay.folder / "src" / "dojo" / "jupyter") and threads == "2"
    assert (replay.folder / ".local" / "share" / "jupyter" / "nbsignatures.db").exists()


def test_binder_builds_from_the_one_environment():
    conda = yaml.safe_load((COURSE / "environment.yml").read_text("utf-8"))
    assert conda["name"] == "dataops-dojo"
    for name in ("postBuild", "start"):
        assert os.access(COURSE / name, os.X_OK), f"{name} is not executable"
    assert "dojo lab --setup-only" in (COURSE / "postBuild").read_text("utf-8")
    assert (COURSE / "start").read_text("utf-8").rstrip().endswith('exec "$@"')
