"""`dojo audit`: the maturity card of DataOps, filled in for anybody's repository, read-only."""

from __future__ import annotations

import sys
from pathlib import Path

from dataops_audit import printable
from dataops_audit.report import Report
from dataops_audit.tree import NothingToAudit

__all__ = ["NothingToAudit", "Report", "audit", "main"]


def audit(path: str | Path, run: bool = False) -> Report:
    """The report on a repository, a folder or a file. Nothing of it is run unless `run` is given, nothing is written to it.

    NothingToAudit where the path is missing, empty or holds nothing that can be judged.
    """
    from dataops_audit import report

    return report.make(path, run)


def main(path: str, as_json: bool = False, html: str | None = None, run: bool = False) -> int:
    """Prints the report (or writes the page) and returns the exit status: 0 audited, 2 nothing to audit."""
    try:
        report = audit(path, run)
    except NothingToAudit as error:
        print(printable.shown(str(error)), file=sys.stderr)
        return 2
    if html:
        target = Path(html)
        try:
            inside = Path(path).is_dir() and target.resolve().is_relative_to(Path(path).resolve())
            if inside:
                print(
                    f"{html} lies inside the audited folder, which is never written to. Give a place outside.",
                    file=sys.stderr,
                )
                return 2
            target.write_text(report.html(), encoding="utf-8")
        except OSError as error:
            print(f"{html} could not be written: {error.strerror}", file=sys.stderr)
            return 2
    print(report.json() if as_json else report.text())
    return 0
