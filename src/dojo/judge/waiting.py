"""How far a long check is: tools say it, and whoever waits for the verdict may show it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from html import escape

_listeners: list[Callable[[int, int, str], None]] = []


def tell(done: int, of: int, doing: str) -> None:
    """Says that `done` of `of` parts are through, and what came last. Nobody listening is fine; call it in the main thread."""
    for listener in _listeners:
        listener(done, of, doing)


@contextlib.contextmanager
def shown_in_notebook() -> Iterator[None]:
    """While it is open, a bar stands under the cell as soon as a tool tells of its progress; afterwards it is gone.

    $DOJO_PROGRESS=off keeps it away where outputs are compared.
    """
    if os.environ.get("DOJO_PROGRESS") == "off":
        yield
        return
    from IPython.display import HTML, display

    handle = []

    def listener(done: int, of: int, doing: str) -> None:
        said = f"{done} of {of} · {doing}"
        bar = HTML(
            f'<div role="status"><progress value="{done}" max="{of}" aria-label="How far the check is"'
            f' style="width:14em;vertical-align:middle"></progress> {escape(said)}</div>'
        )
        if handle:
            handle[0].update(bar)
        else:
            handle.append(display(bar, display_id=True))

    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)
        if handle:
            handle[0].update(HTML(""))
