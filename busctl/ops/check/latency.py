"""How long the store takes."""

from __future__ import annotations

from statistics import median

from busctl.core.operating.health import Kind, Measure, Seen, Threshold
from busctl.ops.check.surroundings import Check, Surroundings

PINGS = 3
KINDS = {
    "latency.ping_ms": Kind(
        "Use a server or pooler nearer by; look at its load.", Threshold(250, 1000, "ms")
    ),
    "latency.write_ms": Kind(
        "Look at the server's disk, locks (pg_stat_activity) and size of plan.",
        Threshold(1000, 5000, "ms"),
    ),
    "latency.read_ms": Kind(
        "Look at the server's disk and load, and at clients that read slowly.",
        Threshold(1000, 5000, "ms"),
    ),
}


async def look(around: Surroundings) -> Seen:
    """A round trip, and what the server took for the messages of the last quarter of an hour."""
    ping = median([await around.store.ping() for _ in range(PINGS)])
    (row,) = await around.store.ask("health_latency")
    measures = [Measure("latency.ping_ms", ping, f"A round trip takes {ping:.1f} ms")]
    recent = "no message in the last 15 minutes"
    if row["messages"]:
        write, read = row["write_ms"], row["read_ms"]
        told = f"19 of 20 recent messages were written within {write:.0f} ms"
        measures.append(Measure("latency.write_ms", write, told))
        told = f"19 of 20 recent messages were read within {read:.0f} ms"
        measures.append(Measure("latency.read_ms", read, told))
        recent = f"writes {write:.1f} ms and reads {read:.1f} ms on the server (p95)"
    return Seen(f"Round trip {ping:.1f} ms; {recent}.", tuple(measures))


CHECK = Check("latency", "the store answers in time", KINDS, look, local=True)
