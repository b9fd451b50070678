"""What Git tells of a repository: files, commits, authors and tags, asked so that nothing of the repository runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

SECONDS = 600
"""After this long Git hangs. It then has no answer, and no score is made of what is missing."""
MOST_COMMITS = 20_000
_QUIET = [
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.untrackedCache=false",
    "core.quotePath=false",
    "core.pager=cat",
    "log.showSignature=false",
    "protocol.allow=never",
    "core.attributesFile=/dev/null",
    "diff.external=",
    "submodule.recurse=false",
    "core.sshCommand=false",
    "credential.helper=",
]


@dataclass(frozen=True)
class Commit:
    """One commit: id, author's address, time of the author in ISO form, first line of the message."""

    id: str
    author: str
    when: str
    subject: str


@dataclass
class Git:
    """A repository's Git folder; every question is read-only, without hooks, filters, network or anybody's settings.

    `hung` are the questions that Git never answered.
    """

    folder: Path
    work: Path | None
    hung: list[str] = field(default_factory=list)

    def ask(self, *arguments: str, feed: bytes | None = None) -> bytes:
        """Git's answer, or nothing where it failed."""
        return self._run(arguments, feed)[1]

    def _run(self, arguments: tuple[str, ...], feed: bytes | None = None) -> tuple[int, bytes, str]:
        program = shutil.which("git")
        if program is None:
            return 127, b"", "git is not installed"
        settings = [part for one in _QUIET for part in ("-c", one)]
        places = [f"--git-dir={self.folder}"] + ([f"--work-tree={self.work}"] if self.work else [])
        try:
            done = subprocess.run(
                [program, "--no-pager", *settings, *places, *arguments],
                input=feed,
                stdin=None if feed is not None else subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                cwd=self.work or self.folder,
                env=_environment(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            self.hung.append(arguments[0])
            return 124, b"", f"no answer within {SECONDS} seconds"
        except OSError as error:
            return 124, b"", type(error).__name__
        trouble = done.stderr.decode("utf-8", "replace").strip().split("\n")[0][:160]
        return done.returncode, done.stdout, trouble

    @cached_property
    def _first_answer(self) -> tuple[int, bytes, str]:
        return self._run(("rev-parse", "--git-dir"))

    @property
    def here(self) -> bool:
        """Whether Git can read it at all."""
        return self._first_answer[0] == 0

    @property
    def trouble(self) -> str:
        """What Git said where it could not."""
        said = self._first_answer[2].removeprefix("fatal: ")
        return "not a Git repository" if "not a git repository" in said else said or "no answer"

    def tracked(self) -> list[tuple[str, str]]:
        """Mode and path of each file in the index."""
        found = []
        for row in self.ask("ls-files", "-s", "-z").split(b"\0"):
            head, _, path = row.partition(b"\t")
            if path and head.endswith(b" 0"):
                found.append((head[:6].decode(), os.fsdecode(path)))
        return found

    def untracked(self) -> list[str]:
        """Files that Git neither keeps nor ignores."""
        rows = self.ask("ls-files", "--others", "--exclude-standard", "-z").split(b"\0")
        return [os.fsdecode(row) for row in rows if row]

    def tree_of_head(self) -> list[tuple[str, int, str]]:
        """Mode, size in bytes and path of each file in the last commit."""
        found = []
        for row in self.ask("ls-tree", "-r", "-l", "-z", "HEAD").split(b"\0"):
            head, _, path = row.partition(b"\t")
            parts = head.decode().split()
            if path and len(parts) == 4:
                name = os.fsdecode(path)
                self._objects[name] = parts[2]
                found.append((parts[0], int(parts[3]) if parts[3].isdigit() else 0, name))
        return found

    @cached_property
    def _objects(self) -> dict[str, str]:
        return {}

    def blob(self, path: str) -> bytes:
        """The bytes of a file in the last commit of a bare repository."""
        if path not in self._blobs:
            self._read_blobs(path)
        return self._blobs.pop(path, b"") if path in self._blobs else b""

    @cached_property
    def _blobs(self) -> dict[str, bytes]:
        return {}

    def _read_blobs(self, path: str) -> None:
        """Fetches the wanted file and the next two hundred in one call: one process a file would take minutes."""
        names = list(self._objects)
        if path not in self._objects:
            return
        at = names.index(path)
        wanted = [name for name in names[at : at + 200] if name not in self._blobs]
        answer = self.ask("cat-file", "--batch", feed="".join(f"{self._objects[name]}\n" for name in wanted).encode())
        place = 0
        for name in wanted:
            end = answer.find(b"\n", place)
            head = answer[place:end].split()
            if end < 0 or len(head) != 3:
                return
            size = int(head[2])
            self._blobs[name] = answer[end + 1 : end + 1 + size]
            place = end + 2 + size

    @cached_property
    def commits(self) -> list[Commit]:
        """The commits of HEAD, newest first, at most MOST_COMMITS."""
        rows = self.ask(
            "log",
            f"--max-count={MOST_COMMITS}",
            "--no-show-signature",
            "-z",
            "--format=%H%x1f%ae%x1f%aI%x1f%s",
            "HEAD",
            "--",
        )
        found = []
        for row in rows.decode("utf-8", "replace").split("\0"):
            parts = row.split("\x1f")
            if len(parts) == 4:
                found.append(Commit(*parts))
        return found

    @cached_property
    def tags(self) -> list[str]:
        """Names of the tags."""
        return self.ask("for-each-ref", "--format=%(refname:short)", "refs/tags").decode("utf-8", "replace").split()

    @cached_property
    def branch(self) -> str:
        """The branch that is checked out, or an empty text."""
        return self.ask("symbolic-ref", "--quiet", "--short", "HEAD").decode("utf-8", "replace").strip()

    @cached_property
    def shallow(self) -> bool:
        """Whether older history was left behind when it was copied here."""
        return self.ask("rev-parse", "--is-shallow-repository").strip() == b"true"


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TEMP", "TMP", "HOME") if name in os.environ}
    return {
        **kept,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C",
    }


def open_checkout(root: Path) -> Git:
    """The repository of a folder that holds `.git` (a folder, or a file that points to one)."""
    where = Path(root).absolute()
    return Git(where / ".git", where)


def open_bare(root: Path) -> Git:
    """A repository without a checkout."""
    return Git(Path(root).absolute(), None)
