"""The real tools that may run over a learner's files on either side of the wire, by name."""

from __future__ import annotations

import importlib
from typing import Any

_TOOLS = {"dbt": "dojo.tools.dbt", "act": "dojo.tools.act"}


def run(name: str, request: dict[str, Any]) -> Any:
    """Runs tool `name` on a plain request and returns its plain answer. KeyError for an unknown tool."""
    return importlib.import_module(_TOOLS[name]).session(request)


def warm(name: str) -> None:
    """Loads a tool ahead of its first use; holds nothing of any task."""
    importlib.import_module(_TOOLS[name]).warm()
