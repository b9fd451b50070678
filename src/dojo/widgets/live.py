"""What all widgets have in common: JavaScript for a page that is alive, a still for one that is not, and one style sheet."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Protocol

from dojo import palette

HERE = Path(__file__).parent
DARK = '[data-jp-theme-light="false"] .dojo-live, [data-theme="dark"] .dojo-live, .vscode-dark .dojo-live'
"""Where a widget stands on dark paper: JupyterLab, the book, VS Code."""

State = dict[str, Any]


class Still(Protocol):
    """What stands where nothing can run: its HTML, and as text what a terminal says."""

    def _repr_html_(self) -> str: ...


def live(
    name: str,
    still: Callable[[State], Still],
    *,
    keep: Callable[[State], None] | None = None,
    key: str = "",
    alone: State | None = None,
    **state: Any,
) -> Any:
    """A widget with the module NAME.js and this state, synced by name; `still` makes what shows without JavaScript.

    A saved notebook, GitHub and print show the still. keep: told of the state after each change a learner makes; key: what
    the state is kept under where no kernel is; alone: what the state begins with there, where it is not the same.
    """
    import anywidget
    import traitlets

    def now(self: Any) -> State:
        return {trait: getattr(self, trait) for trait in state}

    def bundle(self: Any, **kwargs: Any) -> dict[str, Any]:
        made = super(kind, self)._repr_mimebundle_(**kwargs)
        found = dict(made[0] if isinstance(made, tuple) else made or {})
        shown = still(now(self))
        markup = _mountable(name, key, {**now(self), **(alone or {})}, shown._repr_html_())
        return {**found, "text/html": markup, "text/plain": repr(shown)}

    traits = {trait: _trait(traitlets, value).tag(sync=True) for trait, value in state.items()}
    body = {
        "_esm": script(name),
        "_css": css(),
        "_repr_mimebundle_": bundle,
        "__repr__": lambda self: repr(still(now(self))),
    }
    kind = type(name, (anywidget.AnyWidget,), {**body, **traits})
    made = kind(**state)
    if keep is not None:
        made.observe(lambda _: keep(now(made)), list(state))
    return made


def _trait(traitlets: Any, value: Any) -> Any:
    kinds = {
        bool: traitlets.Bool,
        int: traitlets.Int,
        float: traitlets.Float,
        str: traitlets.Unicode,
        list: traitlets.List,
        dict: traitlets.Dict,
    }
    return kinds[type(value)]()


def _mountable(name: str, key: str, state: State, still: str) -> str:
    """The still, with all that a page without a kernel needs to bring it to life."""
    told = json.dumps(state, ensure_ascii=False).replace("&", "&amp;").replace("'", "&#39;").replace("<", "&lt;")
    return f'<div class="dojo-widget" data-widget="{name}" data-key="{escape(key)}" data-state=\'{told}\'>{still}</div>'


@functools.cache
def script(name: str) -> str:
    """A widget's JavaScript, a module that needs nothing else: live.js, which all share, and its own NAME.js."""
    return "".join((HERE / f"{part}.js").read_text("utf-8") for part in ("live", name))


@functools.cache
def css() -> str:
    """The one style sheet of all widgets: the course's colours, for light and dark paper, then live.css."""
    return palette.css(".dojo-live", DARK) + (HERE / "live.css").read_text("utf-8")
