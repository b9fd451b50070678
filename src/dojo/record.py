"""What the learner has done: one SQLite file that survives crashes and two kernels at once."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dojo.judge import refusals
from dojo.judge.verdict import TaskReport

_SCHEMA = """
create table if not exists attempt (
    number integer primary key, task text not null, outcome text not null, points real not null, out_of integer not null);
create table if not exists shown (task text primary key, before_solving integer not null);
create table if not exists hint (task text primary key, level integer not null);
create table if not exists kept (what text primary key, state text not null);
"""


class NotSaved(OSError):
    """Progress could not be written; the message says why and what to do. The verdict itself stands."""


@dataclass(frozen=True)
class Standing:
    """Where a learner stands with one task. state: "solved", "shown" (solution opened first), "tried" or "open"; hints: opened."""

    task: str
    state: str
    best: float
    tries: int
    hints: int


class Progress:
    """The progress file. Every method opens it, does one transaction and closes it again."""

    def __init__(self, path: Path):
        self.path = path

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect()
            try:
                with connection:
                    yield connection
            finally:
                connection.close()
        except (sqlite3.Error, OSError) as error:
            raise NotSaved(self._in_words(error)) from None

    def _in_words(self, error: sqlite3.Error | OSError) -> str:
        said = error.strerror if isinstance(error, OSError) else str(error)
        do = refusals.in_words(self._reason(error)) or (
            "Free some disk space or mend the folder's permissions, then run the same again."
        )
        return f"Your progress could not be written to {self.path.name} ({said or error}). {do}"

    def _reason(self, error: sqlite3.Error | OSError) -> Exception:
        """What the system says, where SQLite says no more than that it cannot open a file."""
        try:
            with tempfile.TemporaryFile(dir=self.path.parent):
                return error if isinstance(error, sqlite3.Error) else OSError(error.errno, error.strerror)
        except OSError as reason:
            return OSError(reason.errno, reason.strerror)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=10)
        try:
            connection.executescript(_SCHEMA)
        except sqlite3.OperationalError:
            connection.close()
            raise
        except sqlite3.DatabaseError:
            connection.close()
            self._set_aside()
            connection = sqlite3.connect(self.path, timeout=10)
            connection.executescript(_SCHEMA)
        return connection

    def _set_aside(self) -> None:
        """Keeps a file that is no progress file under another name, so that nothing is lost and work goes on."""
        number = 1
        while (kept := self.path.with_suffix(f".unreadable-{number}")).exists():
            number += 1
        self.path.rename(kept)

    def record(self, report: TaskReport) -> None:
        """Keeps one attempt. NotSaved when the disk refuses."""
        row = (report.task, str(report.outcome), report.points, report.out_of)
        with self._open() as con:
            con.execute("insert into attempt (task, outcome, points, out_of) values (?, ?, ?, ?)", row)

    def attempted(self, task: str) -> bool:
        """Whether a check of the task ever found something to judge."""
        with self._open() as con:
            found = con.execute("select 1 from attempt where task = ? and outcome <> 'not attempted' limit 1", (task,))
            return found.fetchone() is not None

    def show(self, task: str) -> None:
        """Remembers that the solution was opened, and whether the task was solved before that."""
        with self._open() as con:
            solved = con.execute("select 1 from attempt where task = ? and outcome = 'passed'", (task,)).fetchone()
            con.execute("insert or ignore into shown values (?, ?)", (task, 0 if solved else 1))

    def next_hint(self, task: str, most: int) -> int:
        """Moves on to the next hint and returns its number, from 1 to `most`."""
        with self._open() as con:
            row = con.execute("select level from hint where task = ?", (task,)).fetchone()
            level = min(most, (row[0] if row else 0) + 1)
            con.execute("insert or replace into hint values (?, ?)", (task, level))
            return level

    def keep(self, what: str, state: dict[str, Any]) -> None:
        """Keeps what a prediction or a quiz was set to, as JSON under a name; the latest counts."""
        with self._open() as con:
            con.execute("insert or replace into kept values (?, ?)", (what, json.dumps(state)))

    def kept(self, what: str) -> dict[str, Any]:
        """What was kept under a name; {} for nothing."""
        with self._open() as con:
            row = con.execute("select state from kept where what = ?", (what,)).fetchone()
        return json.loads(row[0]) if row else {}

    def standing(self, task: str) -> Standing:
        """Where the learner stands with a task. A solution opened before solving stays "shown" for good."""
        with self._open() as con:
            tries, best, solved = con.execute(
                "select count(*), coalesce(max(points), 0), coalesce(max(outcome = 'passed'), 0) from attempt where task = ?",
                (task,),
            ).fetchone()
            shown = con.execute("select before_solving from shown where task = ?", (task,)).fetchone()
            (hints,) = con.execute("select coalesce(max(level), 0) from hint where task = ?", (task,)).fetchone()
        if shown and shown[0]:
            return Standing(task, "shown", 0.0, tries, hints)
        return Standing(task, "solved" if solved else "tried" if tries else "open", best, tries, hints)
