"""Test suites."""

from dojo.audit.found import Seen
from dojo.audit.tree import Tree


def read(tree: Tree, seen: Seen) -> None:
    """Reads."""
