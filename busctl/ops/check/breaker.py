"""Whether the daemons try the store at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from busctl.core.errors import BusctlError, DaemonUnreachable
from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen
from busctl.core.text import counted
from busctl.ops.check.surroundings import Check, Surroundings

UNKNOWN = "breaker.unknown"
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
    """What each daemon last said of its breaker and of what is switched off. One that stores
    nothing writes no row, and none can while the store is away: the one of this configuration is
    asked itself."""
    faults = []
    if not around.settings.enabled:
        told = "MESSAGE_BUS_ENABLED is false: nothing is stored from here."
        faults.append(Fault("breaker.disabled", Grade.CRITICAL, told, "configuration"))
    here = await _here(around)
    try:
        rows = await around.store.ask("health_daemons")
    except BusctlError as error:
        if here is None:
            raise
        rows = []
        told = f"Only this configuration's daemon was asked: {error.message}"
        faults.append(Fault(UNKNOWN, Grade.UNKNOWN, told, "daemons of other hosts"))
    if here is not None:
        rows = [*(row for row in rows if not _is_same(row, here)), here]
    for row in rows:
        faults += _faults(row)
    closed = sum(row["breaker"] == "closed" for row in rows)
    summary = f"{closed} of {len(rows)} breakers closed." if rows else "No daemon reports here."
    measure = Measure(
        "breaker.daemons", len(rows), f"{counted(len(rows), 'daemon')} reporting here"
    )
    return Seen(summary, (measure,), tuple(faults))


async def _here(around: Surroundings) -> Mapping[str, Any] | None:
    """The daemon of this configuration as its row would tell it."""
    try:
        health = await around.daemon()
    except DaemonUnreachable:  # none need be here
        return None
    return {
        "daemon": f"{around.host}:{health['pid']}", "host": around.host, "breaker_age": None,
        **{name: health[name] for name in ("pid", "breaker", "enabled", "fallback")},
    }  # fmt: skip


def _is_same(row: Mapping[str, Any], here: Mapping[str, Any]) -> bool:
    return (row["host"], row["pid"]) == (here["host"], here["pid"])


def _faults(row: Mapping[str, Any]) -> Iterator[Fault]:
    subject = f"daemon {row['daemon']}"
    if row["breaker"] == "open":
        age = row["breaker_age"]
        since = "" if age is None else f" since {age:.0f} s"
        told = f"Its breaker is open{since}: the store is not tried."
        yield Fault("breaker.open", Grade.CRITICAL, told, subject)
    elif row["breaker"] == "half_open":
        told = "Its breaker is half open: one trial decides whether the store is tried."
        yield Fault("breaker.half_open", Grade.WARNING, told, subject)
    if not row["enabled"]:
        told = "It runs with MESSAGE_BUS_ENABLED=false: what it answers is stored nowhere."
        yield Fault("breaker.disabled", Grade.CRITICAL, told, subject)
    elif not row["fallback"]:
        told = "It runs with MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=false."
        yield Fault("breaker.fallback_off", Grade.WARNING, told, subject)


CHECK = Check("breaker", "the daemons try the store, and may fall back", KINDS, look)
