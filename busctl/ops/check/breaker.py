"""Whether the daemons try the store at all."""

from __future__ import annotations

from busctl.core.health import Fault, Grade, Kind, Measure, Seen
from busctl.ops.check.surroundings import Check, Surroundings

KINDS = {
    "breaker.open": Kind(
        "Look at the daemon's log for what failed; it tries the store again by itself after "
        "MESSAGE_BUS_CIRCUIT_BREAKER_TIMEOUT_SECS."
    ),
    "breaker.half_open": Kind("Wait for its trial; look at the daemon's log if it opens again."),
    "breaker.disabled": Kind("Set MESSAGE_BUS_ENABLED=true for that daemon and restart it."),
    "breaker.fallback_off": Kind(
        "Set MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=true: while the store is away calls fail."
    ),
    "breaker.daemons": Kind("Start it with `busctl serve`."),
}


async def look(around: Surroundings) -> Seen:
    """What each daemon last said of its breaker and of what is switched off."""
    rows = await around.store.ask("health_daemons")
    faults = []
    for row in rows:
        subject = f"daemon {row['daemon']}"
        if row["breaker"] == "open":
            told = f"Its breaker is open since {row['breaker_age']:.0f} s: the store is not tried."
            faults.append(Fault("breaker.open", Grade.CRITICAL, told, subject))
        elif row["breaker"] == "half_open":
            told = "Its breaker is half open: one trial decides whether the store is tried."
            faults.append(Fault("breaker.half_open", Grade.WARNING, told, subject))
        if not row["enabled"]:
            told = "It runs with MESSAGE_BUS_ENABLED=false."
            faults.append(Fault("breaker.disabled", Grade.CRITICAL, told, subject))
        if not row["fallback"]:
            told = "It runs with MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=false."
            faults.append(Fault("breaker.fallback_off", Grade.WARNING, told, subject))
    closed = sum(row["breaker"] == "closed" for row in rows)
    summary = f"{closed} of {len(rows)} breakers closed." if rows else "No daemon reports here."
    measure = Measure("breaker.daemons", len(rows), f"{len(rows)} daemons report here")
    return Seen(summary, (measure,), tuple(faults))


CHECK = Check("breaker", "the daemons try the store, and may fall back", KINDS, look)
