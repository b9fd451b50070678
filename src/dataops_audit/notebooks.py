"""Notebooks: their cells, and the line of the file on which a row of a cell stands."""

from __future__ import annotations

import json
from typing import Any


def cells(text: str) -> list[dict[str, Any]]:
    """The cells of a notebook, none where it is no notebook."""
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = notebook.get("cells") if isinstance(notebook, dict) else None
    return [cell for cell in found if isinstance(cell, dict)] if isinstance(found, list) else []


def joined(value: Any) -> str:
    """A source or an output as one text: notebooks keep either a text or its lines."""
    return "".join(str(one) for one in value) if isinstance(value, list) else str(value or "")


class Lines:
    """Finds rows of cells in the file, cell after cell, so that the file is read once however many are asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.start, self.line = 0, 1
        self.furthest = 0

    def next_cell(self) -> None:
        """What is asked for from now on stands below what was found so far."""
        self.line += self.text.count("\n", self.start, self.furthest)
        self.start = self.furthest

    def of(self, row: str) -> int:
        """The line of a row of this cell, or the line where the search began if it is not there."""
        for ascii_only in (False, True):
            wanted = json.dumps(row.strip(), ensure_ascii=ascii_only)[1:-1]
            place = self.text.find(wanted, self.start) if wanted else -1
            if place >= 0:
                self.furthest = max(self.furthest, place)
                return self.line + self.text.count("\n", self.start, place)
        return self.line
