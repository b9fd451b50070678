"""A program that serves this process, and ends with it: one of a kind, since it takes longer to start than to serve."""

from __future__ import annotations

import atexit
import contextlib
import os
import subprocess
import sys
from typing import Any, ClassVar, Self


class Companion:
    """An interpreter of our own with pipes to it. What it printed to standard error is not kept."""

    _kept: ClassVar[Self | None] = None

    def __init__(self, *arguments: str, **options: Any) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen([sys.executable, *arguments], **pipes, **options)
        self._owner = os.getpid()
        atexit.register(self.end)

    @classmethod
    def here(cls) -> Self:
        """This process's own: a new one where there is none, where it has ended, and after a fork."""
        if cls._kept is None or not cls._kept._serves():
            cls._kept = cls()
        return cls._kept

    def _serves(self) -> bool:
        return self._owner == os.getpid() and self._process.poll() is None

    def end(self) -> None:
        """Ends it, where it is this process's."""
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
