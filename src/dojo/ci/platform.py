"""ShopFlow's repository on main as CI finds it: what the learner has in the workspace, and what a runner is rehearsed on."""

from __future__ import annotations

from functools import cache
from pathlib import Path

GROUNDWORK = Path(__file__).parent / "groundwork"
NAMES = {"gitignore": ".gitignore", "secrets.baseline": ".secrets.baseline"}
"""Files that would be hidden, by the name they have here."""


@cache
def main_branch() -> dict[str, str]:
    """The template of the platform, the groundwork for CI, and a sample of the extracts, by path."""
    from shopflow import sample
    from shopflow.history import TEMPLATE

    files = {}
    for root in (TEMPLATE, GROUNDWORK):
        for path in sorted(root.rglob("*")):
            name = path.relative_to(root).as_posix()
            parts = path.relative_to(root).parts
            if path.is_file() and not any(part in ("__pycache__", "target", "logs") or part[0] == "." for part in parts):
                files[NAMES.get(name, name)] = path.read_text(encoding="utf-8")
    files |= {f"ci/sample/{name}": text for name, text in sample.files().items() if name.endswith(".csv")}
    return files
