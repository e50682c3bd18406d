"""What waits on disk for the store: on this host, and on those whose daemons report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from busctl.core.errors import BusctlError
from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings
from busctl.ports import Extent

UNKNOWN = "spool.unknown"
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
    "spool.used_share": Kind(
        "Bring the store back and run `busctl reconcile`, or raise BUSCTL_SPOOL_MAX_MB: a full "
        "spool refuses answers.",
        Threshold(0.8, 0.95),
        local=True,
    ),
    "spool.aside": Kind(
        "Look at them with `busctl aside ls` on that host, save what is of use (`busctl aside "
        "get`), then remove them (`busctl aside rm`)."
    ),
}


async def look(around: Surroundings) -> Seen:
    """Messages, bytes and age of each spool; daemons of one host may share one."""
    faults = []
    if not around.settings.fallback_to_websocket:
        told = "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET is false: nothing is spooled."
        faults.append(Fault("spool.off", Grade.WARNING, told, "configuration"))
    place, here = around.spool()
    spools = {(around.host, place): _of(here, around)}
    try:
        for row in await around.store.ask("health_daemons"):
            spools.setdefault((row["host"], row["spool"]), row)
    except BusctlError as error:
        told = f"Only this host's spool was looked at: {error.message}"
        faults.append(Fault(UNKNOWN, Grade.UNKNOWN, told, "spools of other hosts"))
    measures = [one for (host, _), row in spools.items() for one in _measures(host, row)]
    most = around.settings.spool_max_mb * 1_000_000
    used = here.size_bytes + here.aside_bytes
    told = f"It has {used:,} of {most:,.0f} bytes"
    told += f", {here.aside_bytes:,} of them set aside" if here.aside_bytes else ""
    subject = f"spool of {around.host}"
    measures.append(Measure("spool.used_share", used / most, told, subject))
    faults += [
        Fault(
            "spool.aside",
            Grade.WARNING,
            f"{counted(row['aside'], 'file')} set aside.",
            f"spool of {host}",
        )
        for (host, _), row in spools.items()
        if row["aside"]
    ]
    waiting = sum(row["spool_messages"] for row in spools.values())
    return Seen(
        f"{counted(waiting, 'message')} waiting for the store.", tuple(measures), tuple(faults)
    )


def _of(here: Extent, around: Surroundings) -> Mapping[str, Any]:
    """This host's own spool, as a daemon would report it."""
    age = (around.clock.now() - here.oldest).total_seconds() if here.oldest else 0.0
    return {
        "spool_messages": here.messages, "spool_bytes": here.size_bytes, "spool_age": age,
        "aside": here.aside,
    }  # fmt: skip


def _measures(host: str, row: Mapping[str, Any]) -> list[Measure]:
    subject = f"spool of {host}"
    count, size, age = row["spool_messages"], row["spool_bytes"], row["spool_age"] or 0.0
    return [
        Measure(
            "spool.messages", count, f"{counted(count, 'message')} waiting for the store", subject
        ),
        Measure("spool.bytes", size, f"{size:,} bytes wait there", subject),
        Measure("spool.oldest_secs", age, f"The oldest has waited {age:.0f} s", subject),
    ]


CHECK = Check("spool", "nothing waits on disk for the store", KINDS, look)
