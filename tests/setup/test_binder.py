"""What Binder would do after it has made the environment: the same steps, in 2 GB, without user namespaces, as an ordinary user if Python lies where one can reach it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from dojo.places import COURSE

LIMIT = 2_000_000_000
RUN = """
import sys, nbformat
from nbclient import NotebookClient
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": "."}}).execute()
    said = [o["data"]["text/plain"] for c in notebook.cells for o in c.get("outputs", []) if c.source.startswith("check(")]
    print(path, sum(": Passed (" in s.splitlines()[0] for s in said), "of", len(said), "checks passed")
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Binder runs Linux")


def _may_run(user: str) -> bool:
    """Whether that user reaches this Python at all; one that lies in root's home is closed to it."""
    try:
        return subprocess.run([sys.executable, "-c", ""], user=user, capture_output=True).returncode == 0
    except OSError:
        return False


class Replay:
    """A copy of what Git tracks, owned by an ordinary user; `run` runs a command there and remembers the peak of memory."""

    def __init__(self, folder: Path):
        self.folder, self.peak = folder / "course", 0
        tracked = subprocess.run(["git", "ls-files", "-z"], cwd=COURSE, capture_output=True, text=True, check=True).stdout
        for name in filter(None, tracked.split("\0")):
            if (COURSE / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(COURSE / name, self.folder / name)
        self.user = "nobody" if os.getuid() == 0 and _may_run("nobody") else None
        if self.user:
            for parent in (folder, *list(folder.parents)[:2]):
                parent.chmod(parent.stat().st_mode | 0o755)
            entry = pwd.getpwnam(self.user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as Binder's user with Binder's environment: no bubblewrap on the PATH, nothing of this machine's."""
        environment = {
            "HOME": str(self.folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LANG": "C.UTF-8",
        }
        process = subprocess.Popen(
            [str(self.folder / "start"), *command], cwd=self.folder, env=environment, user=self.user,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        watching = threading.Thread(target=self._watch, args=(process.pid,), daemon=True)
        watching.start()
        said, _ = process.communicate(timeout=600)
        return subprocess.CompletedProcess(command, process.returncode, said)

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
def replay(tmp_path_factory) -> Replay:
    return Replay(tmp_path_factory.mktemp("binder"))


def test_the_data_is_made_and_module_00_and_03_pass_within_2_gb(replay):
    made = replay.run(sys.executable, "-P", "-m", "dojo.prepare")
    assert made.returncode == 0, made.stdout[-2000:]
    added = replay.run(sys.executable, "-P", "-m", "dojo.cli", "tools", "add", "soda")
    assert added.returncode == 0, added.stdout[-2000:]
    books = ("notebooks/00-start-here.ipynb", "solutions/00-start-here.ipynb", "solutions/03-data-tests.ipynb")
    done = replay.run(sys.executable, "-P", "-c", RUN, *books)
    assert done.returncode == 0, done.stdout[-3000:]
    print(done.stdout, f"peak {replay.peak / 1e6:.0f} MB")
    for stem, tasks in (("00-start-here", 5), ("03-data-tests", 8)):
        assert f"solutions/{stem}.ipynb {tasks} of {tasks} checks passed" in done.stdout
    assert replay.peak < LIMIT, f"{replay.peak / 1e6:.0f} MB"


def test_binder_builds_from_the_one_environment():
    conda = yaml.safe_load((COURSE / "environment.yml").read_text("utf-8"))
    assert conda["name"] == "dataops-dojo"
    for name in ("postBuild", "start"):
        assert os.access(COURSE / name, os.X_OK), f"{name} is not executable"
    assert "dojo lab --setup-only" in (COURSE / "postBuild").read_text("utf-8")
    assert (COURSE / "start").read_text("utf-8").rstrip().endswith('exec "$@"')
