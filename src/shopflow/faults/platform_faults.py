"""Faults of the platform itself: what the code cannot help, and must live with."""

from __future__ import annotations

from shopflow.faults.base import PlatformFault

FAULTS = (
    PlatformFault(
        "source-down",
        "platform",
        "The shop's database does not answer",
        "Maintenance that was announced in a channel nobody reads.",
        "ingest_orders fails four times in 35 minutes; nothing is published.",
        lambda day: {"source-down": [str(day)]},
    ),
    PlatformFault(
        "slow-run",
        "platform",
        "Every step takes three times as long",
        "A neighbour on the same machine rebuilds its search index.",
        "Everything is green, and published after eight.",
        lambda day: {"slow-run": {str(day): 3}},
    ),
    PlatformFault(
        "killed-between-steps",
        "platform",
        "The run is killed after ingest_orders",
        "The machine is restarted for an update at 05:41.",
        "Rows are landed, nothing is built, no row in the log says so.",
        lambda day: {"killed-after": [str(day), "ingest_orders"]},
    ),
    PlatformFault(
        "expired-credential",
        "platform",
        "The payment provider refuses our key",
        "The key was valid for a year, and the person who made it has left.",
        "ingest_orders fails at once; trying again is no use.",
        lambda day: {"expired-credential": [str(day)]},
    ),
    PlatformFault(
        "disk-full",
        "platform",
        "The warehouse has reached its quota",
        "A copy for an experiment was never deleted.",
        "ingest_orders works, dbt_run stops.",
        lambda day: {"disk-full": [str(day)]},
    ),
    PlatformFault(
        "two-runs-at-once",
        "platform",
        "Two runs of the same morning overlap",
        "A colleague starts the run by hand while the scheduler retries it.",
        "Every day is loaded twice: harmless for an idempotent loader, double for any other.",
        lambda day: {"two-runs": [str(day)]},
    ),
)
"""Faults of the platform."""
