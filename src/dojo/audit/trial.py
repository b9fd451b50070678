"""`--run`: the project's own quick checks, tried on a copy. Only on request: this runs other people's code."""

from __future__ import annotations

from pathlib import Path

from dojo.audit.found import Seen
from dojo.audit.tree import Tree


def run(tree: Tree, seen: Seen, folder: Path) -> None:
    """Tries them."""
