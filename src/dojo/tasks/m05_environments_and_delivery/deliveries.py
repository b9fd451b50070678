"""ShopFlow's deliveries so far, as the delivery job wrote them down: an annotated tag on each commit that it took to prod."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

from shopflow.clock import HQ
from shopflow.history import git

TIMES = (
    ("2025-10-10 16:40", 4),
    ("2025-10-24 16:55", 11),
    ("2025-11-07 17:10", 13),
    ("2025-11-11 10:20", 14),
    ("2025-11-18 10:05", 15),
    ("2025-11-25 09:50", 16),
    ("2025-12-01 09:40", 17),
)
"""When something went to prod (Berlin), and how many of the repository's commits were in it."""


def write_down(repo: Path) -> None:
    """Tags the deliveries as prod/1, prod/2 and so on, with the time they were made."""
    commits = git(repo, "rev-list", "--reverse", "HEAD").split()
    for number, (at, count) in enumerate(TIMES, 1):
        stamp = dt.datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(HQ)).isoformat()
        who = {
            "GIT_COMMITTER_NAME": "delivery job",
            "GIT_COMMITTER_EMAIL": "delivery@shopflow.example",
            "GIT_COMMITTER_DATE": stamp,
        }
        git(
            repo,
            "tag",
            "--annotate",
            f"prod/{number}",
            commits[count - 1],
            "--message",
            f"Delivery {number}",
            environment=who,
        )
