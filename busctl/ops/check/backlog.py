"""Whether messages are fetched at all."""

from __future__ import annotations

from busctl.core.operating.health import Kind, Measure, Seen, Threshold
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings

HOUR = 3600.0
KINDS = {
    "backlog.messages": Kind(
        "See who should fetch them (`busctl ls --status pending`), or shorten "
        "MESSAGE_BUS_TTL_HOURS.",
        Threshold(10_000, 100_000),
    ),
    # No threshold of its own: a claim that nobody redeems is no fault of the bus.
    "backlog.oldest_hours": Kind(
        "See who should fetch it (`busctl ls --status pending --oldest`).", Threshold(unit="h")
    ),
}


async def look(around: Surroundings) -> Seen:
    """Undelivered messages among the oldest 100,000, and the age of the oldest."""
    (row,) = await around.store.ask("health_backlog")
    count, hours = row["pending"], row["age"] / HOUR
    measures = (
        Measure("backlog.messages", count, f"{counted(count, 'message')} never fetched"),
        Measure("backlog.oldest_hours", hours, f"The oldest of them is {hours:.1f} hours old"),
    )
    looked = f"{counted(row['looked_at'], 'message')} looked at"
    return Seen(f"{count:,} undelivered, the oldest {hours:.1f} hours old; {looked}.", measures)


CHECK = Check("backlog", "messages are fetched", KINDS, look)
