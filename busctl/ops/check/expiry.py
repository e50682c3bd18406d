"""Whether what has expired leaves."""

from __future__ import annotations

from busctl.core.operating.health import Kind, Measure, Seen, Threshold
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings

HOUR = 3600.0
KINDS = {
    # Rows whose partition goes whole within its six hours are left for that on purpose.
    "expiry.overdue_hours": Kind(
        "Run `busctl cleanup`, and see that the daemon, cron or pg_cron runs it "
        "(`busctl generate cron`).",
        Threshold(8, 24, "h"),
    ),
    "expiry.overdue": Kind(
        "Run `busctl cleanup`; run it more often, or with `--eager`.", Threshold(100_000)
    ),
    "expiry.cleanup_hours": Kind("Run `busctl cleanup`.", Threshold(unit="h")),
}


async def look(around: Surroundings) -> Seen:
    """Expired messages that are still there, and how long the oldest of them has been due."""
    (row,) = await around.store.ask("health_expiry")
    count, hours = row["overdue"], row["age"] / HOUR
    since = row["cleanup_age"]
    measures = [
        Measure("expiry.overdue_hours", hours, f"An expired message was due {hours:.1f} hours ago"),
        Measure("expiry.overdue", count, f"{counted(count, 'expired message')} still there"),
    ]
    last = "no cleanup is on record"
    if since is not None:
        last = f"the last cleanup was {since / HOUR:.1f} hours ago"
        measures.append(Measure("expiry.cleanup_hours", since / HOUR, last[0].upper() + last[1:]))
    return Seen(f"{counted(count, 'expired message')} still there; {last}.", tuple(measures))


CHECK = Check("expiry", "expired messages leave", KINDS, look)
