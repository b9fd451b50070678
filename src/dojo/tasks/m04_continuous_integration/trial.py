"""What the lesson calls: a workflow tried on some of the prepared pull requests, and a command of the shell with its exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

from dojo.tasks.m04_continuous_integration.gate import Tried
from dojo.tasks.m04_continuous_integration.pull_requests import PullRequest, _variants, request


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
        print("\n".join(dict.fromkeys(_plain(line) for line in said.splitlines() if holding in line)))

    def models(self, kind: str) -> list[str]:
        """Names of the models that dbt built in a run."""
        nodes = [n for c in self._result(kind)["commands"] for n in c["nodes"] or []]
        return sorted(n[0].split(".")[2] for n in nodes if n[0].startswith("model."))

    def kept(self, kind: str) -> list[str]:
        """Files that outlived a run."""
        return self._result(kind)["artefacts"]


def trial(workflow: str, *kinds: str, baseline: bool = False, title: str = "", system: str = "act") -> Trial:
    """Executes a workflow's text on the prepared pull requests of these kinds (see pull_requests.ORDER).

    baseline: whether main's last run left its cache; title: another title for all of them; system: "act" for GitHub's
    workflows, "jenkins" for a Jenkinsfile.
    """
    from dojo.judge import toolbox

    pulls = [_variants(kind)[int(kind == "contract")] for kind in kinds]
    pulls = [PullRequest(p.kind, title or p.title, p.colour, p.changes) for p in pulls]
    asked = request(workflow, tuple(pulls), baseline=baseline)
    results = toolbox.run(system, asked if system == "act" else {**asked, "pipeline": workflow})
    return Trial([Tried(p, r) for p, r in zip(pulls, results, strict=True)])


def shell(shop: Any, command: str, *, holding: str = "", last: int = 12) -> None:
    """Runs a command in the workspace's repository; prints the end of what it said and its exit status."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    quiet = {"NO_COLOR": "1", "RUFF_NO_CACHE": "true", "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        command, cwd=shop.path / "repo", shell=True, env={**os.environ, **quiet, "PATH": path}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=110,
    )  # fmt: skip
    lines = [_plain(line) for line in done.stdout.splitlines() if line.strip() and holding in line]
    print("\n".join([*lines[-last:], f"exit status {done.returncode}"]))


def _plain(line: str) -> str:
    """A line without colours, clock times and seconds, which differ from run to run."""
    line = re.sub(r"\x1b\[[0-9;]*m", "", line)
    line = re.sub(r"^\d\d:\d\d:\d\d\s+", "", line)
    return re.sub(r" in [0-9.]+s\b| \[.* in [0-9.]+s\]", "", line).rstrip()
