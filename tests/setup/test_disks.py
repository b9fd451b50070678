"""Full disks, disks that can only be read, folders of others: every command, and a notebook, say so in words."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dojo import notebook, places, record, workspace
from dojo.judge import refusals
from dojo.judge.contract import Check
from dojo.judge.engine import judge
from dojo.judge.verdict import Outcome
from dojo.judge.work import KernelWork
from tests.dojo.conftest import TOY

READ_ONLY = "can only be read, not written to"
IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c"]


def _mounts() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*IN_A_NAMESPACE, "mount -t tmpfs none /mnt"], capture_output=True).returncode == 0


needs_mounts = pytest.mark.skipif(not _mounts(), reason="no user namespace in which a small disk could be mounted")
DISKS = {
    "full": "mount -t tmpfs -o size=128k none $H || exit 9; dd if=/dev/zero of=$H/fill bs=1k 2> /dev/null",
    "read-only": "mount -t tmpfs -o size=128k none $H && mount -o remount,ro $H || exit 9",
}
COMMANDS = {
    "hint": "-m dojo.cli hint 00.1",
    "progress": "-m dojo.cli progress",
    "check": "-m dojo.cli check 00.5",
    "check without a file": "-m dojo.cli check 00.1",
    "start": "-c \"from dojo import start; start('00')\"",
    "start, no state yet": "-c \"import os; os.environ.pop('DOJO_CHECKPOINTS'); from dojo import start; start('00')\"",
}


@needs_mounts
@pytest.mark.parametrize("disk", DISKS)
def test_a_disk_that_takes_nothing_is_told_by_every_command(tmp_path: Path, disk: str) -> None:
    states = workspace.checkpoint_of("00").parents[1]
    environment = {**os.environ, "DOJO_HOME": str(tmp_path), "H": str(tmp_path), "DOJO_CHECKPOINTS": str(states)}
    script = [DISKS[disk]]
    script += [f'echo "==== {name}"; "{sys.executable}" {command} 2>&1' for name, command in COMMANDS.items()]
    done = subprocess.run([*IN_A_NAMESPACE, "\n".join(script)], env=environment, capture_output=True, text=True, timeout=120)
    told = dict(part.split("\n", 1) for part in done.stdout.split("==== ")[1:])
    assert list(told) == list(COMMANDS), done.stdout + done.stderr
    for name, said in told.items():
        last = [line for line in said.splitlines() if not line.startswith(" ") and "Not attempted" not in line][-1]
        assert "the disk is full" in last.lower() if disk == "full" else READ_ONLY in last, f"{name}: {said}"
        assert "[Errno" not in last and ("Traceback" not in said or "start" in name), f"{name}: {said}"


@needs_mounts
def test_without_a_place_for_temporary_files_a_grade_is_a_regrade_and_an_audit_says_so(tmp_path: Path, course: Path) -> None:
    if any(places.COURSE.is_relative_to(folder) for folder in ("/tmp", "/var/tmp")):
        pytest.skip("this checkout stands in a folder for temporary files, which is hidden here")
    full = "mount -t tmpfs -o size=64k none {0} && dd if=/dev/zero of={0}/fill bs=1k 2> /dev/null;"
    script = "".join(full.format(folder) for folder in ("/tmp", "/var/tmp", "/usr/tmp", "$H"))
    script += (
        f' cd $H; "{sys.executable}" -m dojo.cli grade --json "{course}/exercises/00-start-here.ipynb"; echo "status $?";'
    )
    script += f' "{sys.executable}" -m dojo.cli audit "{course}/src/shopflow/clock.py"; echo "status $?"'
    home = places.COURSE / "work" / f".full-{os.getpid()}"  # not in the temporary folder, which is hidden here
    home.mkdir(parents=True)
    environment = {**os.environ, "H": str(home), "DOJO_HOME": str(home)} | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), "/tmp")
    try:
        done = subprocess.run([*IN_A_NAMESPACE, script], env=environment, capture_output=True, text=True, timeout=120)
    finally:
        shutil.rmtree(home)
    grade, audit, _ = done.stdout.split("status ")
    assert '"error": "00-start-here.ipynb could not be judged here: regrade.' in grade and "disk is full" in grade
    assert audit.startswith("3") and "disk is full" in done.stderr and "Traceback" not in done.stderr


@needs_mounts
def test_what_was_done_before_is_still_there_on_a_full_disk(tmp_path: Path) -> None:
    script = (
        "mount -t tmpfs -o size=64m none $H || exit 9\n"
        f"\"{sys.executable}\" -c \"from dojo import start; start('00').write('mine.md', 'mine')\"\n"
        f'"{sys.executable}" -m dojo.cli hint 00.1\n'
        "dd if=/dev/zero of=$H/fill bs=1k 2> /dev/null\n"
        f'"{sys.executable}" -m dojo.cli progress 00 || exit 8\n'
        f"\"{sys.executable}\" -c \"from dojo import start; print(start('00').read('mine.md')); start('00', fresh=True)\"\n"
        f"\"{sys.executable}\" -c \"from dojo import start; print('still', start('00').read('mine.md'))\"\n"
    )
    environment = {**os.environ, "H": str(tmp_path), "DOJO_HOME": str(tmp_path)}
    environment["DOJO_CHECKPOINTS"] = str(workspace.checkpoint_of("00").parents[1])
    done = subprocess.run([*IN_A_NAMESPACE, script], env=environment, capture_output=True, text=True, timeout=120)
    assert "00.1 The number finance reads: open" in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("mine\nstill mine\n") and "the disk is full" in done.stderr


@needs_mounts
def test_where_temporary_files_may_not_be_run_a_workflow_s_programs_stand_elsewhere(tmp_path: Path) -> None:
    script = (
        "import os; from dojo.ci import checkouts\n"
        "checkouts.Warm = lambda *_, **__: None; checkouts.write = lambda *_: None; checkouts._leave = lambda *_: None\n"
        "programs = [*(checkouts.runner_room() / 'bin').iterdir()]\n"
        "print(len(programs) > 3, all(os.access(p, os.X_OK) for p in programs))"
    )
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    mounted = f'mount -t tmpfs -o noexec none {tmp_path}/temporary && exec "{sys.executable}" -c "$SCRIPT"'
    environment = {
        **os.environ,
        "SCRIPT": script,
        "DOJO_HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
    }
    done = subprocess.run([*IN_A_NAMESPACE, mounted], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "True True\n", done.stderr
    assert list((tmp_path / "home" / ".rooms").iterdir())


# ---------------------------------------------------------------- the words


def _sqlite(code: int, text: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "The disk is full. Free"),
        (OSError(errno.ENOSPC, "No space left on device", "/w/x"), "/w/x: the disk is full. Free"),
        (OSError(errno.ENOSPC, "No space left on device", "/from/x", None, "/to/x"), "/to/x: the disk is full"),
        (shutil.Error([("/from/x", "/to/x", "[Errno 28] No space left on device")]), "/to/x: the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded", b"/w/x"), "/w/x: your share of the disk"),
        (OSError(errno.EROFS, "Read-only file system", "/w/x"), "/w/x: its disk can only be read"),
        (PermissionError(errno.EACCES, "Permission denied", "/w/x"), "/w/x: this user may not open or change it"),
        (NotADirectoryError(errno.ENOTDIR, "Not a directory", "/w/x"), "/w/x: on the way there is a file"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many files are open at once"),
        (MemoryError(), "The machine has no memory left"),
        (
            FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/x']"),
            "No folder of this machine takes temporary files",
        ),
        (_sqlite(sqlite3.SQLITE_FULL, "database or disk is full"), "The disk is full"),
        (_sqlite(sqlite3.SQLITE_READONLY | 1 << 8, "attempt to write a readonly database"), "Its disk can only be read"),
        (RuntimeError('IO Error: Could not write "/w/x.duckdb": No space left on device'), "/w/x.duckdb: the disk is full"),
        (RuntimeError("git add failed: fatal: No space left on device"), "The disk is full"),
        (ValueError("the number 28 is full"), ""),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/w/x"), ""),
        (workspace.WorkspaceError("the course's own words"), ""),
        (_sqlite(sqlite3.SQLITE_ERROR, "no such table: full"), ""),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else type(value).__name__,
)
def test_a_refusal_has_words_and_nothing_else_has(error: Exception, said: str) -> None:
    words = refusals.in_words(error)
    assert words.startswith(said) and bool(words) is bool(said)
    assert "Errno" not in words and (not words or words.endswith(", then run the same again."))


@pytest.mark.parametrize(("place", "suggested"), [("mine/x", True), ("../elsewhere/x", False)])
def test_another_home_is_advised_for_the_learners_own_folder_alone(learner: Path, place: str, suggested: bool) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", str((learner / place).resolve()))
    assert ("DOJO_HOME" in refusals.in_words(error)) is suggested


def test_a_full_temporary_disk_is_cured_by_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    words = refusals.in_words(OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "room/x.duckdb")))
    assert "set TMPDIR" in words and "DOJO_HOME" not in words
    assert "DOJO_HOME (for your work) or TMPDIR" in refusals.of_the_disk("IO Error: No space left on device")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (workspace.WorkspaceError("Close it."), "Close it."),
        (KeyError("raw.orders"), "raw.orders"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "x.ipynb"), "x.ipynb: No such file or directory."),
        (OSError("own words"), "own words"),
        (ZeroDivisionError("a fault of the course"), ""),
    ],
)
def test_a_command_has_words_for_what_is_no_fault_of_the_course(error: Exception, said: str) -> None:
    assert refusals.in_a_line(error) == said


def test_in_a_notebook_a_refusal_shows_as_its_words(learner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/w/x")

    monkeypatch.setattr(notebook, "open_workspace", full)
    monkeypatch.setattr(notebook.course_rooms, "rooms", full)
    for face in (lambda: notebook.start("00"), notebook.progress):
        with pytest.raises(OSError) as raised:
            face()
        assert raised.value._render_traceback_() == [refusals.in_words(raised.value)]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), MemoryError()])
def test_a_check_that_the_disk_stops_blames_neither_the_learner_nor_the_course(error: Exception) -> None:
    def stopped(work: object, data: object) -> str:
        raise error

    task = type(TOY)(**{**TOY.__dict__, "checks": (Check("needs room", stopped, expected=lambda d: d),)})
    (verdict,) = judge(task, KernelWork({}, None)).verdicts
    assert (verdict.outcome, verdict.cause) == (Outcome.NOT_CHECKABLE, "machine")
    assert verdict.said == refusals.in_words(error)


def test_a_learner_s_own_function_on_a_full_disk_gets_no_mark_and_no_blame() -> None:
    def double(n: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    first, second = judge(TOY, KernelWork({"double": double}, None)).verdicts
    assert (first.outcome, first.cause, first.said[:17]) == (Outcome.NOT_CHECKABLE, "machine", "The disk is full.")
    assert second.outcome is Outcome.NOT_JUDGED


def test_where_the_folder_cannot_be_written_the_record_says_so_and_not_that_a_file_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(record.NotSaved, match="n the way there is a file where a folder should be"):
        record.Progress(tmp_path / "file" / "progress.sqlite").next_hint("00.1", 3)
