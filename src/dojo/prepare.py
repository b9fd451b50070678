"""Builds the starting states of all modules ahead of time, so that no first cell waits; lets Jupyter show the pictures."""

from __future__ import annotations

import shutil
import sys
import time
import traceback

from dojo import tasks
from dojo.judge import refusals
from dojo.places import COURSE, EXECUTED, home
from dojo.workspace import checkpoint_of, checkpoints

LOG = "prepare.log"
"""Where the whole story of a failure goes, in the learner's folder."""


def main() -> int:
    """Builds what is missing, a line a module. Exit status 1 when a state could not be built; the others are built."""
    failed = [key for key in tasks.module_keys() if not _built(key)]
    if not failed:
        clear_old()
    try:
        trust()
    except Exception as error:
        print(f"The lessons' pictures show once their cells have run. {_said(error)}", file=sys.stderr, flush=True)
    return 1 if failed else 0


def clear_old() -> None:
    """Deletes the starting states of earlier versions of the course: about 190 MB each time it was updated."""
    current = {checkpoint_of(key).parent for key in tasks.module_keys()}
    for folder in checkpoints().iterdir():
        if folder not in current and (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)


def trust() -> None:
    """Signs the course's own executed notebooks: Jupyter hides a picture in a notebook that nobody here has run or signed."""
    import nbformat
    from nbformat.sign import NotebookNotary

    notary = NotebookNotary()
    for folder in EXECUTED:
        for path in sorted((COURSE / folder).glob("*.ipynb")):
            notary.sign(nbformat.read(path, as_version=4))


def _built(key: str) -> bool:
    name, begun = key, time.perf_counter()
    try:
        name = tasks.module(key).stem
        folder = checkpoint_of(key)
    except Exception as error:
        print(f"starting state of {name}: not built. {_said(error)}", file=sys.stderr, flush=True)
        return False
    took = time.perf_counter() - begun
    print(
        f"starting state of {name}: {'ready' if took < 0.5 else f'built in {took:.1f} s'} ({folder.parent.name})", flush=True
    )
    return True


def _said(error: Exception) -> str:
    """The error in one line, and where its whole story was written."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or ["no more is known"]
    own = type(error).__module__.startswith("dojo.")
    words = refusals.in_words(error) or (lines[0] if own else f"{type(error).__name__}: {lines[0]}")
    try:
        home().mkdir(parents=True, exist_ok=True)
        with (home() / LOG).open("a", encoding="utf-8") as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return words
    return f"{words} (the whole story: {home().name}/{LOG})"


if __name__ == "__main__":
    raise SystemExit(main())
