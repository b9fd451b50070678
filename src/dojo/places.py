"""Where things are: the course's own folders and the learner's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

COURSE = Path(__file__).resolve().parents[2]
"""The checkout that holds notebooks/, exercises/ and solutions/."""


def home() -> Path:
    """The learner's folder: $DOJO_HOME, else work/ in the course. Holds workspaces, checkpoints and progress."""
    return Path(os.environ.get("DOJO_HOME") or COURSE / "work").resolve()


def tools() -> Path:
    """Where tools with environments of their own are kept: $DOJO_TOOLS, else .tools/ in the learner's folder."""
    return Path(os.environ.get("DOJO_TOOLS") or home() / ".tools").resolve()


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
