"""What waits on disk for the store."""

from __future__ import annotations

from busctl.core.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "spool.off": Kind(
        "Set MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=true: while the store is away calls fail.",
        local=True,
    ),
    "spool.messages": Kind(
        "Wait for the daemon to drain it, or run `busctl reconcile` on that host.",
        Threshold(1, 1000),
    ),
    "spool.oldest_secs": Kind(
        "Run `busctl reconcile` on that host; what waits past MESSAGE_BUS_HORIZON_HOURS is lost to "
        "the store.",
        Threshold(600, 86400, "s"),
    ),
    "spool.bytes": Kind(
        "Run `busctl reconcile` on that host, or give the spool more room.", Threshold(unit="B")
    ),
}


async def look(around: Surroundings) -> Seen:
    """Messages, bytes and age of each spool; daemons of one host may share one."""
    rows = await around.store.ask("health_daemons")
    spools = {(row["host"], row["spool"]): row for row in rows}
    measures, faults = [], []
    if not around.settings.fallback_to_websocket:
        told = "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET is false: nothing is spooled."
        faults.append(Fault("spool.off", Grade.WARNING, told, "configuration"))
    for (host, _), row in spools.items():
        subject = f"spool of {host}"
        count, size, age = row["spool_messages"], row["spool_bytes"], row["spool_age"] or 0.0
        told = f"{count} messages ({size:,} bytes) wait for the store"
        measures.append(Measure("spool.messages", count, told, subject))
        measures.append(Measure("spool.bytes", size, f"{size:,} bytes wait there", subject))
        told = f"The oldest has waited {age:.0f} s"
        measures.append(Measure("spool.oldest_secs", age, told, subject))
    waiting = sum(row["spool_messages"] for row in spools.values())
    summary = f"{waiting} messages wait in {len(spools)} spools."
    return Seen(
        summary if spools else "No daemon reports a spool here.", tuple(measures), tuple(faults)
    )


CHECK = Check("spool", "nothing waits on disk for the store", KINDS, look)
