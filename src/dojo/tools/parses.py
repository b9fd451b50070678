"""dbt's own parse of a project, still good where the same project stands in another folder."""

from __future__ import annotations


def hold_without(folder: str) -> None:
    """dbt compares connections without this folder from now on: a database that moved with its project is no other one.

    dbt parses a whole project anew where its connection is not the one it was parsed under. Only that comparison changes;
    `target` in a model is told the real path.
    """
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    told = getattr(DuckDBCredentials.connection_info, "told", DuckDBCredentials.connection_info)

    def connection_info(self, *, with_aliases: bool = False):
        for key, value in told(self, with_aliases=with_aliases):
            compared = isinstance(value, str) and not with_aliases
            yield key, value.replace(folder, "") if compared else value

    connection_info.told = told
    DuckDBCredentials.connection_info = connection_info
