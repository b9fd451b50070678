"""The files under audit: a folder, a Git checkout, a bare repository or one file, read without touching any of it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from dataops_audit import history

T = TypeVar("T")
LARGEST_TEXT = 1_000_000
"""Bytes above which a file is not read as text."""
MOST_TEXT = 40_000_000
"""Bytes of text that are read of one tree, code and settings first. Counted, so that no slow machine changes a score."""
MOST_FOLLOWED = 50_000
"""Commands and calls of workflows that are followed to what they run: files that call each other never end otherwise."""
MOST_PARSED = 5_000_000
"""Bytes of tests that are taken apart."""
LONGEST_LINE = 20_000
"""Characters a line is cut to: minified and generated files have longer ones, people do not."""
MOST_FILES = 100_000
NOT_THEIRS = frozenset(
    [
        "node_modules",
        ".venv",
        "venv",
        "__pycache__",
        ".tox",
        ".nox",
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        "dbt_packages",
        "dbt_modules",
        ".terraform",
        "site-packages",
        ".ipynb_checkpoints",
        "third_party",
        "vendor",
        "bower_components",
        ".eggs",
    ]
)
"""Folders whose files somebody else wrote: never judged, and not walked outside Git."""
_NO_TEXT = re.compile(
    r"\.(?:png|jpe?g|gif|ico|webp|bmp|tiff?|pdf|zip|gz|bz2|xz|zst|7z|rar|tar|tgz|whl|jar|war|class|pyc|so|dylib|dll|exe|o|a"
    r"|parquet|avro|orc|feather|arrow|duckdb|wal|sqlite3?|db|mdb|accdb|rdb|xlsx?|docx?|pptx?|pkl|"
    r"pickle|npy|npz|h5|hdf5|pt|onnx"
    r"|bin|dat|mp[34]|mov|avi|wav|ogg|webm|woff2?|ttf|otf|eot|pack|idx)$",
    re.IGNORECASE,
)
"""Endings of files that hold no text."""
_TELLING = re.compile(
    (
        r"\.(?:ya?ml|env|ini|cfg|conf|properties|toml|sh|bash|zsh|tf|tfvars|hcl|sql|py|ipynb|md|rst)$|"
        r"(?:^|/)(?:\.[^/]+|[^/.]+)$"
    ),
    re.IGNORECASE,
)
"""Files that people write by hand, which are read before all others."""


class NothingToAudit(ValueError):
    """Nothing at the path can be judged; the text says what was expected."""


@dataclass(frozen=True)
class Entry:
    """One file: its path from the root with forward slashes, its size in bytes, and whether Git keeps it (None: no Git)."""

    path: str
    size: int
    tracked: bool | None = None
    executable: bool = False


@dataclass
class Tree:
    """What is audited: `entries` by path, texts on demand, and what was left out with the reason.

    `unread` are files of text, or that may be one, which nobody looked into, each with the reason.
    """

    name: str
    root: Path
    kind: str
    entries: dict[str, Entry]
    git: history.Git | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    unread: dict[str, str] = field(default_factory=dict)
    _texts: dict[str, str | None] = field(default_factory=dict)
    _cut: set[str] = field(default_factory=set)
    _followed: int = 0
    _ending: dict[tuple[str, ...], list[str]] = field(default_factory=dict)
    _made: dict[tuple[Callable[..., Any], tuple[str, ...]], Any] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The file's text with plain newlines, or None where there is none to read (missing, binary, too large, refused)."""
        if path not in self._texts:
            self._texts[path] = self._read(path)
        return self._texts[path]

    def _read(self, path: str) -> str | None:
        entry = self.entries.get(path)
        if entry is None or not entry.size:
            return None if entry is None else ""
        if entry.size > LARGEST_TEXT or path in self.unread:
            return None
        data = self.data(path)
        if data is None or (b"\0" in data[:8000] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))):
            return None
        whole = _decoded(data)
        text = _cut(whole)
        if text is not whole:
            self._cut.add(path)
        return text

    def whole(self, path: str) -> str | None:
        """The same with lines of any length, for readers that go through them once."""
        text = self.text(path)
        return text if path not in self._cut else _decoded(self.data(path) or b"")

    def data(self, path: str, most: int = LARGEST_TEXT) -> bytes | None:
        """The first `most` bytes of a file, or None with a note in `skipped`."""
        try:
            if self.kind == "bare":
                return self.git.blob(path)[:most] if self.git else None
            where = self.root if self.kind == "file" else self.root / path
            with where.open("rb") as file:
                return file.read(most)
        except OSError as error:
            self.leave(path, f"could not be read: {error.strerror or type(error).__name__}")
            return None

    def leave(self, path: str, why: str) -> None:
        """Notes a file as not read, once."""
        if path not in self.unread:
            self.unread[path] = why
            self.skipped.append((path, why))

    def bound(self) -> None:
        """Decides which files are read, by their sizes alone: none above LARGEST_TEXT, no more than MOST_TEXT together."""
        total = 0
        for path in sorted(self.paths, key=lambda one: (not _TELLING.search(one), one)):
            size = self.entries[path].size
            if _NO_TEXT.search(path):
                continue
            if size <= LARGEST_TEXT:
                total += size
                if total > MOST_TEXT:
                    self.leave(path, f"not read: no more than {MOST_TEXT / 1e6:g} MB of text are read of one tree")
            elif self._may_be_text(path):
                self.leave(
                    path, f"not read: {size / 1e6:,.1f} MB, and no more than {LARGEST_TEXT / 1e6:g} MB are read of a text"
                )

    def _may_be_text(self, path: str) -> bool:
        if self.kind == "bare":
            return True  # its bytes could only be had by unpacking all of it
        head = self.data(path, 8_000)
        return head is not None and b"\0" not in head

    def may_follow(self, commands: int = 1) -> bool:
        """Counts commands that are followed; no more than MOST_FOLLOWED are, and then that is said, once."""
        before, self._followed = self._followed, self._followed + commands
        if self._followed > MOST_FOLLOWED >= before:
            self.skipped.append(("(pipelines)", f"only the first {MOST_FOLLOWED:,} commands were followed to what they run"))
        return self._followed <= MOST_FOLLOWED

    def once(self, make: Callable[..., T], *about: str) -> T:
        """What a function makes of the tree (and of the files it is given), made at the first call and not to be changed."""
        if (make, about) not in self._made:
            self._made[make, about] = make(self, *about)
        return self._made[make, about]

    def lines(self, path: str) -> list[str]:
        """The lines of a text file, none of it where it is not text."""
        return (self.text(path) or "").split("\n")

    @cached_property
    def paths(self) -> list[str]:
        """Every path that is theirs (not vendored), in order."""
        return sorted(path for path in self.entries if not NOT_THEIRS.intersection(path.split("/")[:-1]))

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """Paths by lower-case file name."""
        found: dict[str, list[str]] = {}
        for path in self.paths:
            found.setdefault(path.rsplit("/", 1)[-1].lower(), []).append(path)
        return found

    def named(self, *names: str) -> list[str]:
        """Paths whose file name is one of `names`, whatever the case."""
        return [path for name in names for path in self.by_name.get(name.lower(), [])]

    def ending(self, *ends: str) -> list[str]:
        """Paths that end with one of `ends`, whatever the case, in order."""
        if ends not in self._ending:
            self._ending[ends] = [path for path in self.paths if path.lower().endswith(ends)]
        return list(self._ending[ends])

    def resolve(self, folder: str, target: str) -> str | None:
        """The path of a file that `target` names as seen from `folder`, or None where there is none in the tree."""
        parts: list[str] = []
        for part in (PurePosixPath(folder) / target).parts:
            if part == "..":
                if not parts:
                    return None
                parts.pop()
            elif part not in (".", "/"):
                parts.append(part)
        path = "/".join(parts)
        return path if path in self.entries else None

    def within_budget(self, paths: list[str], part: str) -> Iterator[str]:
        """The paths one by one, up to MOST_PARSED bytes of text; the rest is named among what was skipped."""
        total = 0
        for path in paths:
            total += self.entries[path].size if path not in self.unread else 0
            if total <= MOST_PARSED:
                yield path
            else:
                why = f"not read for its {part}: no more than {MOST_PARSED / 1e6:g} MB are taken apart for them"
                self.skipped.append((path, why))

    def has_folder(self, folder: str) -> bool:
        """Whether any file lies below `folder`."""
        start = folder.strip("/") + "/"
        return any(path.startswith(start) for path in self.entries)


def _decoded(data: bytes) -> str:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cut(text: str) -> str:
    """The text with its lines cut to what people write."""
    if max(map(len, text.split("\n"))) <= LONGEST_LINE:
        return text
    return "\n".join(line[:LONGEST_LINE] for line in text.split("\n"))


def plant(path: str | Path) -> Tree:
    """The tree at a path. NothingToAudit where the path is missing, empty or of no known kind."""
    root = Path(path)
    try:
        mode = root.stat().st_mode
    except OSError as error:
        raise NothingToAudit(
            f"{root.name or path}: there is nothing here ({error.strerror}). Give a repository or a folder."
        ) from error
    name = Path(root).absolute().name or "root"
    if stat.S_ISREG(mode):
        size = root.stat().st_size
        if not size:
            raise NothingToAudit(f"{name} is an empty file. Give a repository, a folder or a file with something in it.")
        alone = Tree(name, root, "file", {name: Entry(name, size)})
        if alone.text(name) is None:
            raise NothingToAudit(f"{name} is not a text that can be read. Give a repository, a folder or a text file.")
        return alone
    if not stat.S_ISDIR(mode):
        raise NothingToAudit(f"{name} is neither a folder nor a file. Give a repository or a folder.")
    if (root / ".git").exists():
        tree = _checkout(name, root)
    elif (root / "HEAD").is_file() and (root / "objects").is_dir() and (root / "refs").is_dir():
        tree = _bare(name, root)
    else:
        tree = Tree(name, root, "folder", {})
        _walk(tree)
    if not tree.entries:
        what = (
            "repository without a single committed or waiting file" if tree.git else "folder without a single file to read"
        )
        raise NothingToAudit(f"{name} is a {what}. There is nothing to audit yet.")
    tree.bound()
    return tree


def _checkout(name: str, root: Path) -> Tree:
    git = history.open_checkout(root)
    tree = Tree(name, root, "checkout", {}, git)
    if git.here and not git.tracked() and (root / ".git").is_dir() and git.commits:
        return _bare(name, root / ".git")
    if not git.here:
        tree.skipped.append((".git", f"not a repository that Git can read ({git.trouble}); audited as a folder"))
        tree.git, tree.kind = None, "folder"
        _walk(tree)
        return tree
    for mode, path in git.tracked():
        if mode == "160000":
            tree.skipped.append((path, "a submodule: somebody else's repository, not entered"))
            continue
        _add(tree, path, tracked=True)
    for path in git.untracked():
        _add(tree, path, tracked=False)
    return tree


def _bare(name: str, root: Path) -> Tree:
    git = history.open_bare(root)
    tree = Tree(name.removesuffix(".git") or name, root, "bare", {}, git)
    for mode, size, path in git.tree_of_head():
        if mode == "160000":
            tree.skipped.append((path, "a submodule: somebody else's repository, not entered"))
        elif mode == "120000":
            tree.skipped.append((path, "a symbolic link: not followed"))
        elif len(tree.entries) < MOST_FILES:
            tree.entries[path] = Entry(path, size, True, mode == "100755")
        else:
            tree.leave("...", f"only the first {MOST_FILES:,} files are looked at")
    return tree


def _add(tree: Tree, path: str, tracked: bool | None) -> None:
    """Notes one file, unless it is a link, a device or gone: links are never followed, so loops cannot arise."""
    if len(tree.entries) >= MOST_FILES:
        tree.leave("...", f"only the first {MOST_FILES:,} files are looked at")
        return
    try:
        found = os.lstat(tree.root / path)
    except (OSError, ValueError):
        if tracked:
            tree.leave(path, "tracked by Git but not in the folder")
        return
    if stat.S_ISLNK(found.st_mode):
        tree.skipped.append((path, "a symbolic link: not followed"))
    elif stat.S_ISREG(found.st_mode):
        tree.entries[path] = Entry(path, found.st_size, tracked, bool(found.st_mode & 0o111))
    elif not stat.S_ISDIR(found.st_mode):
        tree.skipped.append((path, "not a plain file"))


def _walk(tree: Tree) -> None:
    todo = [""]
    while todo:
        if len(tree.entries) >= MOST_FILES:
            tree.leave("...", f"only the first {MOST_FILES:,} files are looked at")
            return
        folder = todo.pop()
        try:
            with os.scandir(tree.root / folder) as inside:
                found = sorted(inside, key=lambda one: one.name)
        except OSError as error:
            tree.leave(folder or ".", f"could not be opened: {error.strerror or type(error).__name__}")
            continue
        below = []
        for one in found:
            path = f"{folder}/{one.name}" if folder else one.name
            if one.is_dir(follow_symlinks=False):
                if one.name != ".git" and one.name not in NOT_THEIRS:
                    below.append(path)
            else:
                _add(tree, path, None)
        todo.extend(reversed(below))
