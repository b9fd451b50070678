"""The judge's own settings: what a notebook set for itself decides neither a verdict nor what a real tool does."""

from __future__ import annotations

import contextlib
import decimal
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator

INHERITED = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "TEMP", "TMP", "TZ"),
        *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA"),
        *("DOJO_HOME", "DOJO_TOOLS", "DOJO_CHECKPOINTS", "DOJO_PROGRESS", "DOJO_LENT"),
        *("GIT_CONFIG_NOSYSTEM", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "OMP_NUM_THREADS", "DO_NOT_TRACK"),
    )
)
"""The variables that a tool's process takes over from ours: the machine's, and none that tells a tool what to do."""

_DECIMALS = decimal.Context(
    prec=28,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-999999,
    Emax=999999,
    capitals=1,
    clamp=0,
    flags=[],
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""Python's own defaults, whatever decimal.DefaultContext says by now."""


def inherited() -> dict[str, str]:
    """Our environment as far as a tool may see it."""
    return {name: text for name, text in os.environ.items() if name.upper() in INHERITED}


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """For the block, the settings of this process are as a new one's: environment, decimals, warnings, working directory."""
    in_a_folder()
    before = dict(os.environ)
    kept = inherited()
    for name in set(before) - set(kept):
        del os.environ[name]
    try:
        with decimal.localcontext(_DECIMALS.copy()), warnings.catch_warnings(), _numpy(), validating():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name in set(before) - set(kept):
            os.environ.setdefault(name, before[name])


def _numpy() -> contextlib.AbstractContextManager:
    numpy = sys.modules.get("numpy")
    return numpy.errstate(divide="warn", over="warn", under="ignore", invalid="warn") if numpy else contextlib.nullcontext()


def validating() -> contextlib.AbstractContextManager:
    """For the block, Pandera validates, although a variable may have told it not to when it was imported."""
    config = sys.modules.get("pandera.config")
    return config.config_context(validation_enabled=True) if config else contextlib.nullcontext()


def in_a_folder() -> None:
    """Leaves a working directory that was deleted: DuckDB ends the process that it is opened in without one."""
    try:
        os.getcwd()
    except OSError:
        with contextlib.suppress(OSError):
            os.chdir(tempfile.gettempdir())
            return
        os.chdir(os.path.abspath(os.sep))


_asked_to_stop: list[list[int]] = []
"""The interrupts of each block that is open, the innermost last."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """An interrupt is raised at the end of the block where somebody in it swallowed it or made another error of it.

    Inside, `stop_if_asked` raises it earlier.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def interrupt(number: int, _: object) -> None:
        asked.append(number)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    _asked_to_stop.append(asked)
    try:
        yield
    except Exception:
        if not asked:
            raise
    finally:
        _asked_to_stop.remove(asked)
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def stop_if_asked() -> None:
    """KeyboardInterrupt where an interrupt came that a library made another error of, as DuckDB does."""
    if any(_asked_to_stop):
        raise KeyboardInterrupt
