"""The code cells of an .ipynb file, read in a process of its own that holds to limits: a notebook may be a bomb."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from dojo.judge import cells

MAX_BYTES = 50 * 1024 * 1024
MAX_CELLS = 5_000
MAX_CODE = 1024 * 1024
MAX_CELL = 256 * 1024
SECONDS = 20
"""Processor time that reading may take; an exercise takes a hundredth of it."""
WAIT = 120
"""Seconds of any clock after which a machine is too busy to read a notebook."""
MEMORY = 2 << 30
SOURCE = Path(__file__).resolve().parents[2]
OUT_OF_TIME = (-24, -9)
"""What a reader's status is when SIGXCPU or, a second later, SIGKILL ended it."""
TOO_MUCH = 3
"""Exit status of a reader that ran out of memory."""


class NotANotebook(ValueError):
    """The file cannot be judged; the message says what it is and what to hand in instead."""


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook: number from 1, source, tasks it is tagged with, and its cells.Reading as plain values.

    NotANotebook for anything that Jupyter could not open, and for what no exercise grows to.
    """
    if path.is_dir():
        raise NotANotebook(f"{path.name} is a folder. Give the path of an exercise notebook (.ipynb).")
    if not path.is_file():
        raise NotANotebook(f"There is no file {path.name}. Give the path of an exercise notebook (.ipynb).")
    if path.stat().st_size > MAX_BYTES:
        raise NotANotebook(
            f"{path.name} is larger than 50 MB. Clear its outputs (Kernel → Restart and Clear) and save it again."
        )
    if path.stat().st_size == 0:
        raise NotANotebook(f"{path.name} is empty. Save the exercise notebook again and hand that in.")
    return _told(_read_apart(path), path.name)


def _read_apart(path: Path) -> dict[str, Any]:
    """What the reading process said: {"cells": …} or {"refused": why}."""
    try:
        status, said = _forked(path) if sys.platform == "linux" else _started(path)
    except PermissionError:
        return {"refused": "may not be read by you. Change its permissions, or copy it where you may read"}
    except TimeoutError:
        return {"refused": f"was not read within {WAIT} s, because this machine is busy. Try again when it is quiet"}
    if status == 0:
        return json.loads(said)
    if status == TOO_MUCH:
        return {
            "refused": f"takes more than {MEMORY >> 20:,} MB of memory to read. Clear its outputs, delete what is not yours, and save it"
        }
    if status in OUT_OF_TIME:
        return {"refused": f"takes more than {SECONDS} s to read. Delete the cells that are not part of your answers"}
    return {"refused": "brought the process that reads it to an end. Copy your answers into a fresh exercise notebook"}


def _forked(path: Path) -> tuple[int, bytes]:
    """(exit status, output) of a reader that is forked: a start of Python would cost more than the reading."""
    from IPython.core import inputtransformer2  # noqa: F401 - loaded once, and not in every reader

    with path.open("rb") as file:
        back, out = os.pipe()
        with warnings.catch_warnings():  # the reader starts no thread and waits for none
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = _serve(file.fileno(), out, SECONDS, MEMORY)
            os._exit(status)
    os.close(out)
    ended, parts, until = False, [], time.monotonic() + WAIT
    try:
        while select.select([back], [], [], max(0.0, until - time.monotonic()))[0]:
            parts.append(os.read(back, 1 << 20))
            if not parts[-1]:
                ended = True
                break
    finally:
        os.close(back)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not ended:
        raise TimeoutError
    return status, b"".join(parts)


def _started(path: Path) -> tuple[int, bytes]:
    """(exit status, output) of a reader that is started anew, where a fork of a process with threads is not safe."""
    command = [sys.executable, "-P", "-m", "dojo.judge.notebook_file", str(SECONDS), str(MEMORY)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "ignore"}
    try:
        with path.open("rb") as file:
            done = subprocess.run(command, stdin=file, capture_output=True, timeout=WAIT, env=environment)
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return done.returncode, done.stdout


def _told(said: dict[str, Any], name: str) -> list[dict[str, Any]]:
    if "refused" in said:
        raise NotANotebook(f"{name} {said['refused']}.")
    if "cells" not in said:
        raise NotANotebook(
            f"{name} is not a notebook that Jupyter could open ({said['broken']}). "
            "Open the exercise in JupyterLab, save it (Ctrl+S) and hand in the .ipynb file."
        )
    return said["cells"]


# ---------------------------------------------------------------- the process that reads


def _limit(seconds: int, memory: int) -> None:
    with contextlib.suppress(ImportError):  # Windows has no such limits; its clock still runs
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if sys.platform == "linux":
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))


def opened(data: bytes) -> dict[str, Any]:
    """{"cells": …} of a notebook's bytes, or {"refused": …} or {"broken": …} with the reason."""
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
        found = _cells_of(notebook)
    except RecursionError:
        return {"broken": "its lists are nested too deep"}
    except UnicodeDecodeError:
        return {"broken": "it is not UTF-8 text"}
    except ValueError as error:
        return {"broken": str(error).split("\n")[0][:120]}
    found = [c for c in found if isinstance(c, dict) and c.get("cell_type") == "code"]
    if len(found) > MAX_CELLS:
        return {"refused": f"has {len(found):,} code cells; at most {MAX_CELLS:,} are read. Delete those that are not yours"}
    sources = [_source(c) for c in found]
    if sum(map(len, sources)) > MAX_CODE:
        return {"refused": "holds more than 1 MB of code. Keep data in files, and only your answers in its cells"}
    for number, source in enumerate(sources, 1):
        if len(source) > MAX_CELL:
            return {
                "refused": f"holds more than 256 kB in its code cell {number}. Keep data in files, and only your answers in cells"
            }
    return {
        "cells": [
            {"number": n, "source": source, "tasks": _tasks(cell), "reading": cells.read(source).as_json()}
            for n, (cell, source) in enumerate(zip(found, sources, strict=True), 1)
        ]
    }


def _cells_of(notebook: Any) -> list[Any]:
    """The cells of a notebook in any version of the format. ValueError says what there is instead."""
    if not isinstance(notebook, dict):
        raise ValueError(f"it holds a {type(notebook).__name__}")
    sheets = notebook.get("worksheets")
    if "cells" not in notebook and isinstance(sheets, list):  # format 3 and before
        parts = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        return [cell for part in parts if isinstance(part, list) for cell in part]
    if not isinstance(notebook.get("cells"), list):
        raise ValueError("it has no list of cells")
    return notebook["cells"]


def _source(cell: dict[str, Any]) -> str:
    """A cell's text, which stands in one piece or in a list of lines; what is neither is none."""
    source = cell.get("source", cell.get("input", ""))
    if isinstance(source, list):
        return "".join(part for part in source if isinstance(part, str))
    return source if isinstance(source, str) else ""


def _tasks(cell: dict[str, Any]) -> list[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    told = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return [m.group(1) for tag in told if (m := re.fullmatch(r"task-(i?\d+\.\d+)", tag.strip()))]


def _serve(inbox: int, outbox: int, seconds: int, memory: int) -> int:
    """Reads a notebook from one file and writes what `opened` makes of it to another. The exit status."""
    _limit(seconds, memory)
    try:
        with os.fdopen(os.dup(inbox), "rb") as file:
            said = json.dumps(opened(file.read())).encode()
        with os.fdopen(os.dup(outbox), "wb") as out:
            out.write(said)
    except MemoryError:
        return TOO_MUCH
    return 0


if __name__ == "__main__":
    sys.exit(_serve(0, 1, *map(int, sys.argv[1:])))
