"""Builds the starting states of all modules ahead of time, so that no first cell waits."""

from __future__ import annotations

import time

from dojo import tasks
from dojo.workspace import checkpoint_of


def main() -> int:
    """Builds what is missing, a line a module. Exit status 1 when a state could not be built."""
    for key in tasks.module_keys():
        begun = time.perf_counter()
        folder = checkpoint_of(key)
        took = time.perf_counter() - begun
        print(
            f"starting state of {tasks.module(key).STEM}: {'ready' if took < 0.5 else f'built in {took:.1f} s'} ({folder.parent.name})",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
