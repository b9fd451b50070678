"""dbt in a process that runs it often: what it would do again and again to the same end is left out."""

from __future__ import annotations

import sys
from typing import Any

_MOST = 4_000
"""So many texts of macros are kept: dbt's own are some 700."""


def prepare() -> None:
    """From now on dbt reads each macro once in this process, and makes no event or message that nobody hears."""
    _remember_macros()
    _make_no_unheard_event()
    _make_messages_when_read()
    _name_the_caller_by_its_frame()


def _remember_macros() -> None:
    """Reading its own macros, which never change, is two thirds of a parse, and dbt parses anew for another variable."""
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    parse = MacroFuzzEnvironment.parse
    if hasattr(parse, "kept"):
        return
    kept: dict[tuple, Any] = {}

    def remembered(self: Any, source: str, name: str | None = None, filename: str | None = None) -> Any:
        key = (source, name, filename, *sorted(self.extensions))
        if key not in kept:
            if len(kept) >= _MOST:
                kept.clear()
            kept[key] = parse(self, source, name, filename)
        return kept[key]

    remembered.kept = kept
    MacroFuzzEnvironment.parse = remembered


def _make_no_unheard_event() -> None:
    """An eighth of a run is spent on turning debug events into messages, also where no log takes them."""
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event
    if hasattr(fire, "made"):
        return
    quiet = (EventLevel.INFO, EventLevel.WARN, EventLevel.ERROR)

    def fire_event(self: Any, e: Any, level: Any = None, **more: Any) -> None:
        debug = (level or e.level_tag()) == EventLevel.DEBUG
        if debug and all(one.level in quiet for one in self.loggers) and not any(map(_may_want_debug, self.callbacks)):
            return
        fire(self, e, level, **more)

    fire_event.made = fire
    EventManager.fire_event = fire_event


def _make_messages_when_read() -> None:
    """An event's message is made when somebody reads it; most are debug events, which no log takes."""
    from dbt_common.events.base_types import BaseEvent

    made = BaseEvent.__init__
    if hasattr(made, "later"):
        return

    def later(self: Any, *args: Any, **kwargs: Any) -> None:
        self.__dict__["given"] = args, kwargs

    def read(self: Any, key: str) -> Any:
        if "given" in self.__dict__:
            args, kwargs = self.__dict__.pop("given")
            made(self, *args, **kwargs)
        return self.__dict__["pb_msg"] if key == "pb_msg" else getattr(self.__dict__["pb_msg"], key)

    def change(self: Any, key: str, value: Any) -> None:
        if key == "pb_msg":
            self.__dict__[key] = value
        else:
            setattr(read(self, "pb_msg"), key, value)

    later.later = made
    BaseEvent.__init__, BaseEvent.__getattr__, BaseEvent.__setattr__ = later, read, change


def _name_the_caller_by_its_frame() -> None:
    """At each start dbt asks which module made an adapter's flags, for each of them by reading all source files of the stack."""
    from dbt_common.behavior_flags import BehaviorFlagRendered

    own = BehaviorFlagRendered.__module__

    def caller() -> str:
        frame = sys._getframe(1)
        while frame is not None and frame.f_globals.get("__name__") == own:
            frame = frame.f_back
        return frame.f_globals.get("__name__", "Unknown") if frame else "Unknown"

    BehaviorFlagRendered._default_source = staticmethod(caller)


def _may_want_debug(callback: Any) -> bool:
    """A learner's own listener may; dbt's and ours wait for warnings and errors."""
    return not str(getattr(callback, "__module__", "")).startswith(("dbt.", "shopflow."))


def compare_without(folder: str) -> None:
    """dbt compares connections without this folder from now on: a database that moved with its project is no other one.

    Where it is another one, dbt parses the whole project anew. `target` in a model is told the real path.
    """
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    told = getattr(DuckDBCredentials.connection_info, "told", DuckDBCredentials.connection_info)

    def connection_info(self: Any, *, with_aliases: bool = False) -> Any:
        for key, value in told(self, with_aliases=with_aliases):
            compared = isinstance(value, str) and not with_aliases
            yield key, value.replace(folder, "") if compared else value

    connection_info.told = told
    DuckDBCredentials.connection_info = connection_info
