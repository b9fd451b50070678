"""The real tools that may run over a learner's files on either side of the wire, by name."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from dojo.judge import settings, waiting
from dojo.judge.work import NotCheckable
from dojo.tools.environments import NotAdded

_TOOLS = {
    "dbt": "dojo.tools.dbt",
    "act": "dojo.ci.act",
    "gitlab": "dojo.ci.gitlab",
    "jenkins": "dojo.ci.jenkins",
    "expectations": "dojo.tools.expectations",
    "soda": "dojo.tools.soda",
    "git": "dojo.tools.git",
    "hooks": "dojo.tools.hooks",
    "ingestion": "dojo.tools.ingestion",
    "delivery": "dojo.ci.delivery",
    "releasing": "dojo.tools.releasing",
}

LIBRARIES = {"pandera": "pandera.pandas"}
"""What learners' own code imports and takes a second and more to load: by name, the module that brings the whole of it."""

_LOADS = {"dbt": "dbt", "releasing": "dbt", "expectations": "Great Expectations", "soda": "Soda"}
"""Tools that say nothing of their progress themselves, and what takes seconds when they are first used."""
_USED: set[str] = set()


def run(name: str, request: dict[str, Any]) -> Any:
    """Runs tool `name` on a plain request and returns its plain answer, under settings that are nobody's own.

    KeyError for an unknown tool; NotCheckable, with the command that mends it, for one that is not on this machine.
    """
    if name in _LOADS and name not in _USED:
        waiting.tell(0, 1, f"loading {_LOADS[name]}")
    _USED.add(name)
    try:
        with settings.settled():
            return importlib.import_module(_TOOLS[name]).session(request)
    except NotAdded as missing:
        raise NotCheckable(str(missing)) from None


def warm(name: str) -> None:
    """Loads a tool, or a library, ahead of its first use; holds nothing of any task. A tool that is not here stays away."""
    if name in LIBRARIES:
        importlib.import_module(LIBRARIES[name])
        return
    with contextlib.suppress(NotAdded):
        importlib.import_module(_TOOLS[name]).warm()


def make_ready(name: str) -> None:
    """Begins what a tool's first use in this very process would wait for. Whatever is missing is said when it is used."""
    with contextlib.suppress(NotAdded, NotCheckable):
        tool = importlib.import_module(_TOOLS[name])
        getattr(tool, "make_ready", tool.warm)()
