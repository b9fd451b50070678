"""A learner's workspace of one module: ShopFlow in the state that module needs, restored from a checkpoint."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dojo.judge import refusals
from dojo.locks import Held, one_at_a_time
from dojo.places import COURSE, home, told

MARKER = ".dojo.json"
SEED = 7


class WorkspaceError(RuntimeError):
    """The workspace cannot be made or used; the message says what happened and what to do."""


def build_company(root: Path) -> None:
    """The default state: 60 days of ShopFlow up to yesterday, loaded and built in dev and prod."""
    from shopflow import checkpoint

    checkpoint.build(root, seed=SEED)


def builder_of(key: str) -> Callable[[Path], None]:
    """What makes the state a module starts from: its own prepare(root), or the default company."""
    from dojo import tasks

    return tasks.module(key).prepare or build_company


@cache
def _fingerprint() -> str:
    """Changes whenever the company's code does, so that no old checkpoint is used."""
    digest = hashlib.sha256()
    for path in sorted((COURSE / "src" / "shopflow").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(COURSE).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def checkpoints() -> Path:
    """Where starting states are kept: $DOJO_CHECKPOINTS, else .checkpoints/ in the learner's folder."""
    return told("DOJO_CHECKPOINTS") or home() / ".checkpoints"


def _source_of(builder: Callable[[Path], None]) -> str:
    """Changes whenever the builder's own code does: its function, or all of its package where it has one."""
    import inspect

    file = Path(inspect.getsourcefile(builder) or "")
    if file.name != "__init__.py":
        return hashlib.sha256(inspect.getsource(builder).encode()).hexdigest()[:8]
    digest = hashlib.sha256()
    for path in sorted(p for p in file.parent.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        digest.update(path.relative_to(file.parent).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def checkpoint_of(key: str) -> Path:
    """The folder holding the module's starting state, built first where it is missing (seconds, once)."""
    builder = builder_of(key)
    name = "company" if builder is build_company else f"{key}-{_source_of(builder)}"
    name = f"{name}-{_fingerprint()}"
    folder = checkpoints() / name
    if not (folder / "ready").exists():
        with one_at_a_time(checkpoints() / f"{name}.lock"):
            if not (folder / "ready").exists():
                _make(folder, builder)
    return folder / "state"


def _make(folder: Path, builder: Callable[[Path], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        (folder / "state").mkdir(parents=True)
        builder(folder / "state")
        (folder / "ready").touch()
    except Exception as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not (isinstance(error, OSError) or refusals.in_words(error)):
            raise
        raise WorkspaceError(
            f"ShopFlow could not be set up. {_why(error)} It needs about 200 MB of free disk under {home().name}/."
        ) from error


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError) and error.filename:
        return (
            f"{error.filename}: there is no such place, and none can be made. DOJO_HOME ({home()}) and DOJO_CHECKPOINTS, where "
            "they are set, name folders that you may write to."
        )
    return refusals.in_words(error) or f"{error}."


def set_aside(folder: Path) -> Path:
    """Moves a folder or file to kept/ beside it under the next free number and returns where it is now."""
    kept = folder.parent / "kept"
    kept.mkdir(parents=True, exist_ok=True)
    number = 1
    while (target := kept / f"{folder.name}-{number}").exists():
        number += 1
    return folder.rename(target)


def open_workspace(key: str, *, fresh: bool = False) -> Shop:
    """The module's workspace as the learner left it, or restored from its checkpoint; `fresh` keeps the old one aside."""
    from dojo.places import stem

    folder = home() / stem(key)
    if (folder / MARKER).exists() and not fresh:  # it comes into being as a whole, and a full disk keeps nobody out of it
        return Shop(key, folder)
    try:
        with one_at_a_time(home() / f".{stem(key)}.lock"):
            kept = _restore(key, folder) if fresh or not (folder / MARKER).exists() else None
    except Held as error:
        raise WorkspaceError(str(error)) from None
    except OSError as error:
        raise WorkspaceError(f"The workspace of module {key} could not be opened. {_why(error)}") from error
    return Shop(key, folder, kept)


def _restore(key: str, folder: Path) -> Path | None:
    """Puts the module's starting state there, and returns where what stood there is kept: it goes once all is written."""
    state = checkpoint_of(key)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(state, part, symlinks=True)
        (part / MARKER).write_text(json.dumps({"module": key, "state": state.parent.name}) + "\n", encoding="utf-8")
        kept = set_aside(folder) if folder.exists() else None
        part.rename(folder)
        return kept
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise WorkspaceError(f"The workspace could not be written. {_why(error)}") from error


@dataclass(frozen=True)
class Rows:
    """The result of a query, held in memory: shows as a table; `.df()` and `.rows` give it to your code."""

    table: Any

    def df(self):
        """The rows as a pandas DataFrame."""
        return self.table.to_pandas()

    @property
    def rows(self) -> list[tuple]:
        """The rows as a list of tuples."""
        return [tuple(r.values()) for r in self.table.to_pylist()]

    @property
    def value(self) -> Any:
        """The first value of the first row."""
        return self.rows[0][0]

    def __len__(self) -> int:
        return self.table.num_rows

    def __repr__(self) -> str:
        return self._frame().to_string(index=False) if len(self) else "no rows"

    def _repr_html_(self) -> str:
        more = f"<p>{len(self):,} rows, the first 20 shown</p>" if len(self) > 20 else ""
        return self._frame().to_html(index=False, border=0, justify="left") + more if len(self) else "<p>no rows</p>"

    def _frame(self):
        frame = self.table.slice(0, 20).to_pandas(types_mapper=None)
        return frame.astype(object).where(frame.notna(), "")


class Morning:
    """One run of shopflow_daily as it shows in a notebook: a line an attempt, in Berlin time."""

    def __init__(self, run: Any):
        self.run = run
        self.published: bool = run.published

    def __repr__(self) -> str:
        from shopflow.runlog import to_berlin

        lines = [
            f"{to_berlin(r.started_at):%H:%M}–{to_berlin(r.finished_at):%H:%M}  {r.step:14} {r.status:8} {r.message}".rstrip()
            for r in self.run.results
        ]
        return "\n".join([*lines, "published" if self.published else "nothing published"])


@contextlib.contextmanager
def _explained(env: str) -> Iterator[None]:
    """Turns DuckDB's words about a locked file, and what the disk refuses, into what to do. WorkspaceError."""
    try:
        yield
    except Exception as error:
        if words := refusals.in_words(error):
            raise WorkspaceError(words) from None
        if "lock" in str(error).lower() and "IOException" in type(error).__name__:
            raise _held(env) from None
        raise


def _held(env: str) -> WorkspaceError:
    return WorkspaceError(
        f"Another program holds {env}.duckdb open (a dbt process, a second notebook, a database viewer). "
        "Close it and run the cell again; nothing was changed."
    )


@dataclass(frozen=True)
class Written:
    """What became of a file: whether it changed, where its earlier text is kept, whether work was spared from a stub."""

    changed: bool
    kept: str = ""
    spared: bool = False


class Shop:
    """ShopFlow as the learner holds it: its folder, its warehouse, its repository, its clock."""

    def __init__(self, key: str, path: Path, kept: Path | None = None):
        from shopflow.platform import Platform

        self.key, self.path, self.kept = key, path, kept
        self.platform = Platform(path)

    @property
    def today(self):
        """The company's date today; no other clock is read."""
        from shopflow.clock import TODAY

        return TODAY

    def scratch(self) -> Shop:
        """A second ShopFlow in the module's starting state, to be broken in a lesson: made anew at each call.

        The module's workspace, with your work in it, is not touched.
        """
        folder = self.path.with_name(f"{self.path.name}-lesson")
        with _explained("prod"), one_at_a_time(folder.with_name(f".{folder.name}.lock")):
            shutil.rmtree(folder, ignore_errors=True)
            _restore(self.key, folder)
        return Shop(self.key, folder)

    def sql(self, query: str, env: str = "prod") -> Rows:
        """Rows of a query on the warehouse of one environment. The connection is closed again at once."""
        from shopflow.platform import Platform

        with _explained(env):
            return Rows(Platform(self.path, env).sql(query))

    def run(self, day=None, env: str = "dev") -> Morning:
        """Runs shopflow_daily for one morning (default: today) in one environment and shows what each step did."""
        from shopflow.daily import run_day
        from shopflow.platform import Platform

        with _explained(env):
            return Morning(run_day(Platform(self.path, env), day or self.today))

    def dbt(self, *args: str, env: str = "dev"):
        """One dbt command on the workspace's project, for example shop.dbt("build", "--select", "fact_sales")."""
        from shopflow import transform
        from shopflow.platform import Platform

        platform = Platform(self.path, env)
        with _explained(env):
            done = transform.dbt(platform.project, list(args), warehouse=platform.warehouse, target=env)
            if "Could not set lock" in done.error:
                raise _held(env)
            return done

    def read(self, path: str) -> str:
        """The text of a file of the workspace."""
        return (self.path / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> bool:
        """Writes a file of the workspace; what stood there before is kept. True when something changed."""
        return self.put(path, text).changed

    def put(self, path: str, text: str, *, stub: bool = False) -> Written:
        """Writes a file of the workspace, to the byte, and says what became of it and of what stood there.

        stub: the text is an exercise's untouched stub, which never takes the place of work. WorkspaceError in words.
        """
        target = self._inside(path)
        try:
            if target.is_dir():
                raise WorkspaceError(f"`{path}` is a folder of the workspace {self.path.name}/; give the path of a file.")
            data = text.encode("utf-8")
            before = target.read_bytes() if target.is_file() else None
            if before == data:
                return Written(changed=False)
            if stub and before is not None and self._is_work(path, before):
                return Written(changed=False, spared=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            kept = self._keep(path, before)
            part = target.with_name(f".{target.name}.part")
            part.write_bytes(data)
            part.replace(target)
        except UnicodeEncodeError:
            raise WorkspaceError(f"`{path}` holds half of a character that no file can hold; type that line anew.") from None
        except OSError as error:
            raise WorkspaceError(
                f"`{path}` could not be written in the workspace {self.path.name}/: {error.strerror or error}. "
                "Nothing was changed. Make room or give yourself the right to write there, and run the cell again."
            ) from None
        return Written(changed=True, kept=kept)

    def _inside(self, path: str) -> Path:
        """The file a path means. WorkspaceError where it leads out of the workspace."""
        try:
            target = (self.path / path).resolve()
            within = target.is_relative_to(self.path.resolve()) and target != self.path.resolve()
        except (OSError, ValueError, RuntimeError):
            within = False
        if not within:
            raise WorkspaceError(f"`{path}` lies outside the workspace {self.path.name}/; give a path inside it.")
        return target

    def _is_work(self, path: str, data: bytes) -> bool:
        """Whether a file holds more than the workspace and its exercise began with."""
        from dojo.judge.cells import is_untouched

        began = checkpoint_of(self.key) / path
        if began.is_file() and began.read_bytes() == data:
            return False
        return not is_untouched(path, data.decode("utf-8", "replace"))

    def _keep(self, path: str, data: bytes | None) -> str:
        """Puts a copy of a file's text under the next free number in kept/ and returns its path, "" without a text."""
        if data is None:
            return ""
        kept = self.path / "kept" / path
        kept.parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while (copy := kept.with_name(f"{kept.name}.{number}")).exists():
            number += 1
        copy.write_bytes(data)
        return copy.relative_to(self.path).as_posix()

    def __repr__(self) -> str:
        aside = f" Your earlier work is kept in kept/{self.kept.name}." if self.kept else ""
        return f"ShopFlow, module {self.key}. Today is {self.today:%A} {self.today.day} {self.today:%B %Y}. Workspace: work/{self.path.name}/.{aside}"
