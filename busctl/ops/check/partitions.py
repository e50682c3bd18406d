"""Whether there are partitions for what comes, and nothing that keeps new ones from being made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.core.retention import CHUNKS, EVENTS, MESSAGES
from busctl.ops.check.surroundings import Check, Surroundings

HOUR = 3600.0
KINDS = {
    "partitions.missing": Kind(
        "Run `busctl cleanup` or `busctl migrate up`, and see that the daemon or cron runs it."
    ),
    "partitions.ahead_hours": Kind(
        "Run `busctl cleanup` (the daemon and cron do); it makes partitions a day ahead.",
        Threshold(6, 1, "h", low=True),
    ),
    "partitions.count": Kind(
        "Run `busctl cleanup`; shorten MESSAGE_BUS_TTL_HOURS or MESSAGE_BUS_KEEP_EVENTS_DAYS; "
        "`busctl ls` shows what is pinned.",
        Threshold(2000, 5000),
    ),
    "partitions.default": Kind(
        "Move its rows out and drop it: a default partition blocks new partitions and removal."
    ),
    "partitions.half_removed": Kind("Run `busctl cleanup`, which finishes the removal."),
}


async def look(around: Surroundings) -> Seen:
    """How far ahead partitions reach, how many there are, and which are not whole."""
    rows = await around.store.ask("health_partitions")
    loose = await around.store.ask("health_partition_faults")
    ahead = {parent: _ahead(rows, parent) for parent in (MESSAGES, CHUNKS, EVENTS)}
    faults = [
        Fault("partitions.missing", Grade.CRITICAL, f"{parent} has no partition for now.", parent)
        for parent, hours in ahead.items()
        if hours == 0
    ]
    faults += [_fault(row) for row in loose]
    least = min(ahead.values())
    measures = (
        Measure(
            "partitions.ahead_hours", least, f"Partitions reach {least:.1f} hours into the future"
        ),
        Measure("partitions.count", len(rows), f"There are {len(rows)} partitions"),
    )
    return Seen(f"{len(rows)} partitions, {least:.1f} hours ahead.", measures, tuple(faults))


def _ahead(rows: Sequence[Mapping[str, Any]], parent: str) -> float:
    """Hours from now that are covered without a gap; 0 where now itself is not."""
    reach = 0.0
    for row in rows:  # oldest first
        if row["parent"] == parent and row["lower"] <= reach < row["upper"]:
            reach = row["upper"]
    return reach / HOUR


def _fault(row: Mapping[str, Any]) -> Fault:
    if row["fault"] == "default":
        told = f"{row['parent']} has a default partition, {row['partition']}."
        return Fault("partitions.default", Grade.CRITICAL, told, row["partition"])
    told = f"The removal of {row['partition']} was interrupted."
    return Fault("partitions.half_removed", Grade.WARNING, told, row["partition"])


CHECK = Check("partitions", "partitions for what comes, none half removed", KINDS, look)
