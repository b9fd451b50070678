"""The runs of one workflow as a lesson shows them: a table, the steps of a run, what they said and what they left."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from dojo.ci.pull_requests import Tried


class Trial:
    """The runs of one workflow: shows as a table; `.steps(kind)` and `.output(kind, step)` look into one of them."""

    def __init__(self, rows: list[Tried]):
        self.rows = rows

    def _lines(self) -> list[tuple[str, str, str, str]]:
        return [(r.pull.title, r.pull.kind, r.result["colour"], r.result["decided"].split(" / ")[-1]) for r in self.rows]

    def __repr__(self) -> str:
        return "\n".join(f"{c:6} {t:40} {k:12} {s}".rstrip() for t, k, c, s in self._lines())

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th style="text-align:left">{h}</th>' for h in ("pull request", "what is the matter", "run", "decided by")
        )
        rows = "".join(
            "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in line) + "</tr>"
            for line in self._lines()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _result(self, kind: str) -> dict[str, Any]:
        return next(r.result for r in self.rows if r.pull.kind == kind)

    def steps(self, kind: str) -> None:
        """Prints each step of a run with its own outcome."""
        for step in sorted(self._result(kind)["steps"], key=lambda s: s["cell"]):
            print(f"{step['job']:8} {step['result']:8} {step['name'].split('@')[0]}")

    def output(self, kind: str, step: str, holding: str = "") -> None:
        """Prints what a step said, or those of its lines that hold a text, each once."""
        said = next(s["said"] for s in self._result(kind)["steps"] if s["name"] == step)
        print("\n".join(dict.fromkeys(plain(line) for line in said.splitlines() if holding in line)))

    def models(self, kind: str) -> list[str]:
        """Names of the models that dbt built in a run."""
        nodes = [n for c in self._result(kind)["commands"] for n in c["nodes"] or []]
        return sorted(n[0].split(".")[2] for n in nodes if n[0].startswith("model."))

    def kept(self, kind: str) -> list[str]:
        """Files that outlived a run."""
        return self._result(kind)["artefacts"]


def plain(line: str) -> str:
    """A line without colours, clock times and seconds, which differ from run to run."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"^\d\d:\d\d:\d\d\s+", "", line)
    return re.sub(r" in [0-9.]+s\b| \[.* in [0-9.]+s\]", "", line).rstrip()
