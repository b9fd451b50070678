"""Git over a learner's work: repositories made from a stream, scripts run in them, and what came of it, as objects.

A request has an `op`:
    make     stream, branch → {path}: a checkout of a branch (main), made by `git fast-import`, in a folder of its own
    folders  trees [{path: text}] → {paths}: folders that hold these files, without Git
    run      stream, script, arguments → {exit, said, …state}: the script run by bash in a checkout of main
    state    path → state: {branch, doing, dirty, bundle, ids}: the repository as it is now
`bundle` holds every object that a branch or tag reaches. Whoever judges opens it in a process of its own (`opened`): Git
checks each object against its id, so a bundle cannot claim what it does not hold.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.judge import settings
from dojo.judge.work import NotCheckable
from shopflow.history import CONFIG, git

LEARNER = ("You", "you@shopflow.example")
SECONDS = 20


class NoSuchObject(ValueError):
    """The repository holds no such commit or file; the message says which."""


def warm() -> None:
    """Git starts in a few milliseconds: there is nothing to load."""


def session(request: dict[str, Any]) -> Any:
    """Carries out one request; see the module's first lines. NotCheckable, with the cure, where Git or bash is missing."""
    for program, wanted in (("git", True), ("bash", request["op"] == "run")):
        if wanted and shutil.which(program) is None:
            raise NotCheckable(
                f"There is no {program} on the PATH here. Install it (Debian: apt-get install {program}) and check again."
            )
    return _OPERATIONS[request["op"]](request)


def _room() -> Path:
    """A new folder that is gone when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="dojo-git-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def make(folder: Path, stream: str) -> None:
    """Makes a repository in an empty folder from a stream for `git fast-import`, and checks main out."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main", "--object-format=sha1")
    for key, value in (
        ("user.name", LEARNER[0]),
        ("user.email", LEARNER[1]),
        ("core.autocrlf", "false"),
        ("gc.auto", "0"),
        ("advice.detachedHead", "false"),
    ):
        git(folder, "config", key, value)
    feed(folder, stream)
    git(folder, "reset", "--quiet", "--hard", "main")


def feed(folder: Path, stream: str) -> None:
    """Adds the commits of a stream to a repository. RuntimeError carries Git's words."""
    done = subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=folder,
        env=environment(),
        input=stream.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"git fast-import failed: {done.stderr.decode(errors='replace')[:400]}")


def environment() -> dict[str, str]:
    """Variables for Git and what it starts: nothing of the machine's configuration, no editor, no questions."""
    inherited = settings.inherited()
    tools = str(Path(sys.executable).parent)
    return {
        **inherited,
        "PATH": tools + os.pathsep + inherited.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": str(CONFIG),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        "GIT_PAGER": "cat",
        "LC_ALL": "C.UTF-8",
    }


def _make(request: dict[str, Any]) -> dict[str, Any]:
    if not os.access(
        "/etc", os.X_OK
    ):  # walled in: Git, called by the learner's code, would stop at a configuration it may not read
        os.environ["GIT_CONFIG_NOSYSTEM"] = "1"
    folder = _room() / "repo"
    make(folder, request["stream"])
    if request.get("branch", "main") != "main":
        git(folder, "switch", "--quiet", request["branch"])
    return {"path": str(folder)}


def _folders(request: dict[str, Any]) -> dict[str, Any]:
    made = []
    for tree in request["trees"]:
        folder = _room()
        for path, text in tree.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        made.append(str(folder))
    return {"paths": made}


def script(repo: Path, text: str, arguments: list[str], seconds: float = SECONDS) -> tuple[int, str]:
    """Runs a bash script in a checkout: (exit status, what it said). 124 when it took longer than `seconds`."""
    path = repo.parent / "script.sh"
    path.write_text(text.replace("\r\n", "\n"), encoding="utf-8")
    process = subprocess.Popen(
        ["bash", str(path), *arguments],
        cwd=repo,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
        return process.returncode, said.decode("utf-8", "replace")[-6000:]
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return 124, f"still running after {seconds:g} s: stopped"


def _run(request: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="dojo-git-", ignore_cleanup_errors=True) as room:
        folder = Path(room) / "repo"
        make(folder, request["stream"])
        exit_status, said = script(folder, request["script"], request["arguments"])
        return {"exit": exit_status, "said": said, **state(folder)}


def state(repo: Path) -> dict[str, Any]:
    """branch ("" when HEAD is on none), doing (revert, merge, rebase, bisect… in progress), dirty paths, and the bundle."""
    folder = repo / ".git"
    marks = {
        "REVERT_HEAD": "revert",
        "MERGE_HEAD": "merge",
        "CHERRY_PICK_HEAD": "cherry-pick",
        "rebase-merge": "rebase",
        "rebase-apply": "rebase",
        "BISECT_LOG": "bisect",
    }
    head = (folder / "HEAD").read_text(encoding="utf-8").strip() if (folder / "HEAD").is_file() else ""
    try:
        dirty = [line[3:] for line in git(repo, "status", "--porcelain").splitlines()]
        git(repo, "bundle", "create", "--quiet", str(folder / "handed-in"), "--branches", "--tags")
        bundle = (folder / "handed-in").read_bytes()
    except RuntimeError:
        dirty, bundle = [], b""
    return {
        "branch": head.removeprefix("ref: refs/heads/") if head.startswith("ref:") else "",
        "doing": next((word for mark, word in marks.items() if (folder / mark).exists()), ""),
        "dirty": dirty,
        "bundle": bundle,
    }


def _state(request: dict[str, Any]) -> dict[str, Any]:
    return state(Path(request["path"]))


# ---------------------------------------------------------------- reading objects


@dataclass(frozen=True)
class Repository:
    """A repository to read: commits, trees and what reaches what."""

    path: Path

    def commit(self, revision: str) -> str:
        """The full id of a commit. NoSuchObject when there is none of that name."""
        try:
            return git(self.path, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}").strip()
        except RuntimeError:
            raise NoSuchObject(f"no commit {revision!r}") from None

    def text(self, revision: str, path: str) -> str | None:
        """The text of a file at a commit, None where the commit has none of that name."""
        try:
            return git(self.path, "show", f"{revision}:{path}")
        except RuntimeError:
            return None

    def paths(self, revision: str) -> list[str]:
        """The files of a commit's tree."""
        return git(self.path, "ls-tree", "-r", "--name-only", "-z", revision).rstrip("\0").split("\0")

    def changed(self, old: str, new: str) -> list[str]:
        """Files that differ between two commits."""
        return [p for p in git(self.path, "diff", "--name-only", "-z", "--no-renames", old, new).split("\0") if p]

    def reaches(self, revision: str, commit: str) -> bool:
        """Whether a commit is in the history of another, or is it."""
        try:
            return bool(git(self.path, "merge-base", revision, commit).strip() == self.commit(commit))
        except (RuntimeError, NoSuchObject):
            return False

    def ids(self) -> dict[str, str]:
        """Every commit that is reachable: its id and the first line of its message."""
        log = git(self.path, "log", "--all", "--format=%H%x09%s")
        return dict(line.split("\t", 1) for line in log.splitlines())


@contextlib.contextmanager
def opened(bundle: bytes) -> Iterator[Repository]:
    """A repository handed in as a bundle, to read. NoSuchObject when the bundle is none."""
    folder = Path(tempfile.mkdtemp(prefix="dojo-bundle-"))
    try:
        (folder / "handed-in").write_bytes(bundle)
        try:
            git(folder, "clone", "--quiet", "--bare", "--no-hardlinks", str(folder / "handed-in"), "repo.git")
        except RuntimeError as error:
            raise NoSuchObject(f"the repository cannot be read: {error}") from None
        yield Repository(folder / "repo.git")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_OPERATIONS = {"make": _make, "folders": _folders, "run": _run, "state": _state}
