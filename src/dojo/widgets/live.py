"""What all widgets have in common: JavaScript for a page that is alive, a picture for one that is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dojo.charts import Picture

HERE = Path(__file__).parent


def live(name: str, still: Callable[[dict[str, Any]], Picture], **state: Any) -> Any:
    """A widget with the module NAME.js and this state, synced by name; `still` draws its picture from the state.

    The picture is what a saved notebook, GitHub and print show. Its text form is the picture's alternative text.
    """
    import anywidget
    import traitlets

    def bundle(self: Any, **kwargs: Any) -> dict[str, Any]:
        made = super(kind, self)._repr_mimebundle_(**kwargs)
        picture = still({key: getattr(self, key) for key in state})
        found = dict(made[0] if isinstance(made, tuple) else made or {})
        return {**found, "text/html": picture.svg, "text/plain": repr(picture)}

    traits = {key: _trait(traitlets, value).tag(sync=True) for key, value in state.items()}
    kind = type(name, (anywidget.AnyWidget,), {"_esm": HERE / f"{name}.js", "_repr_mimebundle_": bundle, **traits})
    return kind(**state)


def _trait(traitlets: Any, value: Any) -> Any:
    kinds = {bool: traitlets.Bool, int: traitlets.Int, float: traitlets.Float, str: traitlets.Unicode, list: traitlets.List}
    return kinds[type(value)]()
