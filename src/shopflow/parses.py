"""dbt parses a whole project anew where a variable, a target or a connection changed; this makes that rarer, and cheaper."""

from __future__ import annotations

from typing import Any

_MOST = 4_000
"""So many texts of macros are kept: dbt's own are some 700."""


def remember_macros() -> None:
    """From now on this process reads each text of a macro once: dbt's own, two thirds of a parse, never change in it."""
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


def hold_without(folder: str) -> None:
    """dbt compares connections without this folder from now on: a database that moved with its project is no other one.

    Only that comparison changes; `target` in a model is told the real path.
    """
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    told = getattr(DuckDBCredentials.connection_info, "told", DuckDBCredentials.connection_info)

    def connection_info(self: Any, *, with_aliases: bool = False) -> Any:
        for key, value in told(self, with_aliases=with_aliases):
            compared = isinstance(value, str) and not with_aliases
            yield key, value.replace(folder, "") if compared else value

    connection_info.told = told
    DuckDBCredentials.connection_info = connection_info
