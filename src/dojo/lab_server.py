"""JupyterLab as `dojo lab` starts it: it ends when the `dojo lab` that opened it is gone, however that went.

The opener holds the other end of standard input. A process that is killed cannot say goodbye, but its end of a pipe
closes, on every system; then JupyterLab is told to stop, as by Ctrl-C in its terminal, and takes its kernels with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

GRACE = 10
"""Seconds JupyterLab may take to stop its kernels before it is ended without asking."""


def _stop_with(opener: int) -> None:
    """Waits for the opener's end of the pipe to close, then stops this process."""
    while os.read(opener, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


def main() -> None:
    """Runs JupyterLab with this process's arguments until it is stopped or its opener is gone."""
    opener = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # nobody types here, and no kernel may hold the pipe
    threading.Thread(target=_stop_with, args=(opener,), daemon=True).start()
    from jupyterlab.labapp import main as jupyterlab

    # Not on the command line, which everybody here can read; as an option, so that a person's own settings do not win.
    sys.exit(jupyterlab([*sys.argv[1:], f"--PasswordIdentityProvider.token={os.environ['JUPYTER_TOKEN']}"]))


if __name__ == "__main__":
    main()
