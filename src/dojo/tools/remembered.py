"""What a tool of a CI step did to the same files before: its words, its exit status and what it left, handed back again.

Fourteen pull requests against one repository make a workflow run dbt on the same project, the same rows and the same
settings again and again while the learner works on the workflow. What dbt reads is known here (its project, a profile of
the course's own, the files that the profile's variables name), so the same input gets the earlier output. Whatever is not
known in this way runs anew: another profile, another loader, a path elsewhere, a load from an API. A result is one zip
file; half a file is none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from dojo.tools import beside

FOLDER = "DOJO_REMEMBERED"
"""The variable that names the folder of kept results; runs without it remember nothing."""
ORIGINALS = "originals"
"""The folder beside the pool with the repositories that the course itself wrote: where one has another profile, loader or
tests than these, nothing is known about what dbt, the load or pytest read."""
LOADERS = {"run-script": ("ci/load_sample.py",), "run-module": ("ingest/shop_api.py",)}
"""The files of a load, by the program that runs them."""
PIPELINES = (".git", ".github", ".gitlab-ci.yml", "Jenkinsfile", "Makefile", "logs")
"""What these tools do not read; names at the top of a repository."""
KEPT = 256 << 20
"""So many bytes of results are kept; those that were not used for longest go."""
_DATABASE = (".duckdb", ".wal")
_LARGE = 64 << 20
_LOAD_MARK = "_dlt"
"""How dlt's own tables and columns begin. No project that reads one of them is remembered."""
_OTHER_FILES = re.compile(
    rb"read_|_scan\s*\(|\bglob\s*\(|\battach\b|\bcopy\b|(from|join)\s*\(?\s*'|\.(csv|tsv|jsonl?|parquet)", re.I
)
"""What a dbt project says that reads files outside of it."""
_VARIABLES = re.compile(rb"env_var\(\s*['\"](\w+)")
_STORE = threading.Lock()


def run(program: str, arguments: list[str], pool: Path, command: Callable[[], int]) -> int:
    """The command's exit status: from the same command on the same files before, else by running it."""
    folder = os.environ.get(FOLDER)
    given = _Given.of(program, arguments, pool.parent / ORIGINALS) if folder else None
    if given is None:
        return command()
    kept = Path(folder, f"{given.key()}.zip")
    with contextlib.suppress(OSError, ValueError, KeyError, zipfile.BadZipFile):
        return given.replayed(kept)
    before, notes = given.state(), set(_notes())
    with _heard() as said:
        code = command()
    given.keep(kept, code, said, before, [p for p in _notes() if p not in notes])
    return code


class _Given:
    """What a command is given: the repository it stands in, and files elsewhere that its variables and options name."""

    def __init__(
        self,
        program: str,
        arguments: list[str],
        repo: Path,
        folder: Path,
        names: set[str],
        reads: tuple[Path, ...] | None = None,
    ):
        self.program, self.arguments, self.repo, self.folder, self.reads = program, arguments, repo, folder, reads
        self.variables = {n: os.environ[n] for n in sorted(names) if n in os.environ}
        self.elsewhere = {f"${n}": Path(v) for n, v in self.variables.items() if Path(v).is_absolute() and self._outside(v)}
        self.elsewhere |= {f"{n}.wal": p.with_name(p.name + ".wal") for n, p in list(self.elsewhere.items())}

    @classmethod
    def of(cls, program: str, arguments: list[str], originals: Path) -> _Given | None:
        """None where more could matter than is known here."""
        here = Path.cwd()
        repo = next((p for p in (here, *here.parents) if (p / ".git").exists()), None)
        if repo is None or any(Path(a).is_absolute() and not Path(a).is_relative_to(repo) for a in _paths(arguments)):
            return None
        written = [p for p in originals.iterdir() if p.is_dir()] if originals.is_dir() else []
        original = next((one for one in written if _known(program, arguments, here, repo, one)), None)
        if original is None:
            return None
        reads = _folders_of_dbt(arguments, here, repo, original) if program == "dbt" else None
        names = {n for n in os.environ if n.startswith(("SHOPFLOW_", "SHOP_", "DBT_", "SQLFLUFF_"))}
        for path in _files(repo):
            if path.suffix in (".sql", ".yml", ".yaml"):
                text = path.read_bytes()
                names |= {name.decode() for name in _VARIABLES.findall(text)}
                if program == "dbt" and path.suffix == ".sql" and _LOAD_MARK.encode() in text:
                    return None
        return cls(program, arguments, repo, here, names, reads)

    def _outside(self, path: str) -> bool:
        return not Path(path).is_relative_to(self.repo)

    def _neutral(self, data: bytes) -> bytes:
        return data.replace(os.fsencode(self.repo), b"<repository>")

    def _found(self) -> Iterator[tuple[str, Path]]:
        for path in _files(self.repo):
            yield path.relative_to(self.repo).as_posix(), path
        for name, path in self.elsewhere.items():
            for file in [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path] if path.is_file() else []:
                yield f"{name}/{file.relative_to(path).as_posix()}", file

    def _may_read(self, path: Path) -> bool:
        known = self.reads is None or not path.is_relative_to(self.repo) or path.suffix in _DATABASE
        return known or any(path.is_relative_to(root) for root in self.reads)

    def _place(self, name: str) -> Path:
        if not name.startswith("$"):
            return self.repo / name
        root, _, below = name.partition("/")
        return self.elsewhere[root] if below == "." else self.elsewhere[root] / below

    def key(self) -> str:
        """The same for the same command on the same input, wherever its repository stands."""
        outside = {str(path): name for name, path in self.elsewhere.items()}
        asked = [self.program, self.arguments, self.folder.relative_to(self.repo).as_posix()]
        told = hashlib.sha256(json.dumps(asked).encode())
        for name, value in self.variables.items():
            told.update(f"{name}={outside.get(value, value)}\0".encode().replace(os.fsencode(self.repo), b"<repository>"))
        for name, path in sorted((name, path) for name, path in self._found() if self._may_read(path)):
            held = _rows(path) if path.suffix == ".duckdb" else b""
            told.update(name.encode() + b"\0" + hashlib.sha256(held or self._neutral(path.read_bytes())).digest())
        return told.hexdigest()[:32]

    def state(self) -> dict[str, tuple[int, int, int]]:
        """What tells whether a file was written."""
        return {name: (s.st_mtime_ns, s.st_size, s.st_ino) for name, p in self._found() for s in [p.stat()]}

    def keep(self, kept: Path, code: int, said: list[tuple[int, bytes]], before: dict, notes: list[Path]) -> None:
        """Keeps what the command said and left; nothing where the disk has no room."""
        after = self.state()
        written = sorted(name for name, state in after.items() if before.get(name) != state)
        part = kept.with_suffix(f".{secrets.token_hex(8)}")
        told = {
            "exit": code,
            "repository": os.fspath(self.repo),
            "said": [[fd, data.decode("latin-1")] for fd, data in said],
            "written": written,
            "gone": sorted(set(before) - set(after)),
            "notes": [p.read_text(encoding="utf-8") for p in notes],
        }
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for number, name in enumerate(written):
                    archive.write(self._place(name), str(number))
                archive.writestr("told.json", json.dumps(told))
            part.replace(kept)
            _make_room(kept.parent)
        except OSError:  # no room, or a folder that is only lent
            with contextlib.suppress(OSError):
                part.unlink()

    def replayed(self, kept: Path) -> int:
        """Leaves and says what was left and said before, for a repository that stands here."""
        with zipfile.ZipFile(kept) as archive:
            told = json.loads(archive.read("told.json"))
            left = [(self._place(name), archive.read(str(number))) for number, name in enumerate(told["written"])]
        there, here = os.fsencode(told["repository"]), os.fsencode(self.repo)
        for path, data in left:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data if path.suffix in _DATABASE else data.replace(there, here))
        for name in told["gone"]:
            self._place(name).unlink(missing_ok=True)
        for fd, text in told["said"]:
            _write(fd, text.encode("latin-1").replace(there, here))
        for text in told["notes"]:
            folder = Path(os.environ["DOJO_JOURNAL"])
            (folder / f"{len(_notes()):03}-{os.getpid()}.json").write_text(text, encoding="utf-8")
        with contextlib.suppress(OSError):
            os.utime(kept)
        return told["exit"]


_HERE = f"database_name = {beside.text(beside.NAME)}"
_OTHERS = f"""
select schema_name, view_name as name, sql from duckdb_views() where not internal and {_HERE}
union all
select schema_name, function_name, macro_definition from duckdb_functions() where not internal and {_HERE}
order by all
"""
_COLUMNS = f"""
select schema_name, table_name, column_name, data_type, is_nullable, column_default
from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name)
where {_HERE} order by schema_name, table_name, column_index
"""


def _rows(path: Path) -> bytes:
    """What a warehouse holds, without the ids and times with which dlt marks each load; b"" where it cannot be told."""
    import duckdb

    if path.with_name(f"{path.name}.wal").exists() or path.stat().st_size > _LARGE:
        return b""
    try:
        with beside.attached(path) as con:
            held = con.execute(_OTHERS).fetchall()
            described = con.execute(_COLUMNS).fetchall()  # without parameters: for these DuckDB would import pandas
            for (schema, table), found in groupby(described, itemgetter(0, 1)):
                columns = [column[2:] for column in found]
                names = [n for n, *_ in columns if not table.startswith(_LOAD_MARK) and not n.startswith(_LOAD_MARK)]
                listed = ", ".join(f'"{name}"' for name in names)
                query = (
                    f'select count(*), bit_xor(hash({listed})), sum(hash({listed})) from {beside.NAME}."{schema}"."{table}"'
                )
                held.append((schema, table, columns, con.execute(query).fetchone() if names else None))
    except duckdb.Error:
        return b""
    return repr(held).encode()


def _known(program: str, arguments: list[str], here: Path, repo: Path, original: Path) -> bool:
    """Whether a command in `here` of a repository reads nothing but what stands there, as far as this original of it tells."""

    def same(path: Path) -> bool:
        place = path.resolve()
        return place.is_relative_to(repo.resolve()) and _same(path, original / place.relative_to(repo.resolve()))

    if program == "dbt":
        return same(_profile(arguments, here))
    if program == "pytest":
        names = [sorted(p.name for p in (root / "tests").glob("*")) for root in (repo, original)]
        own = names[0] and names[0] == names[1] and all(same(repo / "tests" / name) for name in names[0])
        return bool(own) and not any(repo.glob("**/conftest.py"))
    if program in LOADERS:
        asked = arguments[0].replace(".", "/") + ".py" if program == "run-module" else arguments[0]
        place = (here / asked).resolve()
        loads = [path for path in LOADERS[program] if place == (repo / path).resolve()]
        return len(arguments) == 1 and bool(loads) and same(here / asked) and "://" not in os.environ.get("SHOP_API_URL", "")
    return program == "sqlfluff" and "fix" not in arguments and "format" not in arguments


def _folders_of_dbt(arguments: list[str], here: Path, repo: Path, original: Path) -> tuple[Path, ...] | None:
    """What of a repository dbt reads, its databases aside; None where a setting or a model may lead it elsewhere."""
    project = (here / (option(arguments, "--project-dir") or os.environ.get("DBT_PROJECT_DIR") or ".")).resolve()
    settings = project / "dbt_project.yml"
    if not settings.is_relative_to(repo.resolve()) or not _same(settings, original / settings.relative_to(repo.resolve())):
        return None
    for path in project.rglob("*"):
        if path.suffix == ".py" or (path.suffix in (".sql", ".yml", ".yaml") and _OTHER_FILES.search(path.read_bytes())):
            return None
    named = [here / argument for argument in _paths(arguments) if (here / argument).exists()]
    return tuple(path.resolve() for path in (project, _profile(arguments, here), *named))


def _profile(arguments: list[str], here: Path) -> Path:
    """The profiles.yml that dbt reads."""
    return here / (option(arguments, "--profiles-dir") or os.environ.get("DBT_PROFILES_DIR") or ".") / "profiles.yml"


def _make_room(folder: Path) -> None:
    """Deletes what was not used for longest until the rest is no more than is kept."""
    held = 0
    for path, at in sorted(((p, p.stat()) for p in folder.iterdir()), key=lambda one: -one[1].st_mtime):
        held += at.st_size
        if held > KEPT:
            path.unlink(missing_ok=True)


def _files(repo: Path) -> Iterator[Path]:
    for top in sorted(repo.iterdir()):
        if top.name not in PIPELINES:
            yield from (
                p for p in ([top] if top.is_file() else sorted(top.rglob("*"))) if p.is_file() and "logs" not in p.parts
            )


def _paths(arguments: list[str]) -> list[str]:
    return [a.split("=", 1)[-1] for a in arguments]


def option(arguments: list[str], name: str) -> str | None:
    """The value of an option in a command's arguments, written `--name value` or `--name=value`."""
    for at, argument in enumerate(arguments):
        if argument == name and at + 1 < len(arguments):
            return arguments[at + 1]
        if argument.startswith(name + "="):
            return argument.split("=", 1)[1]
    return None


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def _notes() -> list[Path]:
    folder = os.environ.get("DOJO_JOURNAL")
    return sorted(Path(folder).iterdir()) if folder else []


def _write(fd: int, data: bytes) -> None:
    with open(fd, "wb", closefd=False) as out:
        out.write(data)


@contextlib.contextmanager
def _heard() -> Iterator[list[tuple[int, bytes]]]:
    """Hands on what is written to standard output and error within the block, and keeps it as (descriptor, bytes)."""
    said: list[tuple[int, bytes]] = []
    threads, opened = [], []
    for fd in (1, 2):
        out, inbox = os.dup(fd), os.pipe()
        os.dup2(inbox[1], fd)
        os.close(inbox[1])
        threads.append(threading.Thread(target=_handed_on, args=(inbox[0], out, fd, said), daemon=True))
        threads[-1].start()
        opened.append((fd, out))
    try:
        yield said
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, out in opened:
            os.dup2(out, fd)
        for thread in threads:
            thread.join(5)  # a process that the command left behind may hold its end


def _handed_on(inbox: int, out: int, fd: int, said: list[tuple[int, bytes]]) -> None:
    while data := os.read(inbox, 1 << 16):
        with _STORE:
            said.append((fd, data))
            with contextlib.suppress(OSError):
                _write(out, data)
