"""Where things are: the course's own folders and the learner's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
"""The checkout that holds notebooks/, exercises/ and solutions/."""
EXECUTED = ("notebooks", "solutions")
"""Its folders of notebooks that are kept with their outputs."""


def told(variable: str) -> Path | None:
    """The folder that a variable names, the same from every working directory; None where it names none.

    `~` is one's own folder also where no shell has put it in; a relative path is one in the course. OSError for the
    folder of a user who does not exist.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return None
    try:
        return (COURSE / Path(text).expanduser()).resolve()
    except RuntimeError:
        raise OSError(
            f"{variable} is {text!r}, and there is no such user here. Give a path that begins with / or ~/."
        ) from None


def home() -> Path:
    """The learner's folder: $DOJO_HOME, else work/ in the course. Holds workspaces, checkpoints and progress."""
    return told("DOJO_HOME") or (COURSE / "work").resolve()


def tools() -> Path:
    """Where tools with environments of their own are kept: $DOJO_TOOLS, else .tools/ in the learner's folder."""
    return told("DOJO_TOOLS") or home() / ".tools"


def for_programs() -> str | None:
    """Where temporary folders go whose programs are run: None for the usual place, else one whose disk allows it."""
    mounted = os.statvfs(tempfile.gettempdir()).f_flag if hasattr(os, "statvfs") else 0
    if not mounted & getattr(os, "ST_NOEXEC", 0):
        return None
    folder = home() / ".rooms"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def stem(key: str) -> str:
    """The file stem of a module, for example "11-slo", by its key "11"."""
    from dojo import tasks

    return tasks.module(key).stem
