"""Whether the store can be reached, over what kind of line, and with how much room left."""

from __future__ import annotations

from busctl.core.errors import BusctlError, StoreUnreachable
from busctl.core.operating.health import Fault, Grade, Kind, Measure, Seen, Threshold
from busctl.ops.check.surroundings import Check, Surroundings

UNREACHABLE = "connection.unreachable"
KINDS = {
    UNREACHABLE: Kind(
        "Check DATABASE_URL (`busctl config show`), the server and the network between."
    ),
    "connection.disabled": Kind("Set MESSAGE_BUS_ENABLED=true, or remove it from the environment."),
    "connection.plain": Kind(
        "Remove sslmode from DATABASE_URL: verify-full is the default off this machine."
    ),
    "connection.unverified": Kind(
        "Remove sslmode from DATABASE_URL, or write verify-full; BUSCTL_SSLROOTCERT names the "
        "certificate of an authority of your own."
    ),
    "connection.connect_ms": Kind(
        "Use a server or pooler nearer by; look at its load and at name resolution.",
        Threshold(3000, 10000, "ms"),
    ),
    "connection.slots_used": Kind(
        "Lower BUSCTL_POOL_MAX_SIZE, close idle sessions (pg_stat_activity), use a pooler, or "
        "raise max_connections.",
        Threshold(0.85, 0.95),
    ),
}


async def look(around: Surroundings) -> Seen:
    """The line, its encryption, and the share of the server's connections in use."""
    faults = []
    if not around.settings.enabled:
        told = "MESSAGE_BUS_ENABLED is false: every put and get is refused."
        faults.append(Fault("connection.disabled", Grade.CRITICAL, told, "configuration"))
    if around.facts is None:
        failure = around.failure or BusctlError("The store was not asked.")
        return Seen("The store cannot be reached.", faults=(*faults, _unreachable(around, failure)))
    try:
        (row,) = await around.facts.ask("health_connection")
    except StoreUnreachable as error:  # a daemon's connections, while its store is away
        return Seen("The store cannot be reached.", faults=(*faults, _unreachable(around, error)))
    line = around.facts.line  # now: a daemon's connection may have been made by the question
    if not (line.encrypted or line.is_local):
        told = "The connection leaves this machine without TLS."
        faults.append(Fault("connection.plain", Grade.WARNING, told))
    elif line.unverified:
        faults.append(Fault("connection.unverified", Grade.WARNING, line.unverified))
    share = row["used"] / max(1, row["slots"])
    way = "through a pooler" if line.pooled else "direct"
    cover = "TLS" if line.encrypted else "no TLS"
    summary = f"PostgreSQL {row['version']}, {way}, {cover}, connected in {line.connect_ms:.0f} ms."
    measures = (
        Measure(
            "connection.connect_ms", line.connect_ms, f"Connecting took {line.connect_ms:.0f} ms"
        ),
        Measure(
            "connection.slots_used", share,
            f"{row['used']} of {row['slots']} connections of the server are in use",
        ),
    )  # fmt: skip
    return Seen(summary, measures, tuple(faults))


def _unreachable(around: Surroundings, failure: BusctlError) -> Fault:
    # The host is in it: each machine that cannot reach the store is a trouble of its own.
    return Fault(
        UNREACHABLE, Grade.CRITICAL, failure.message, f"store from {around.host}",
        failure.remedy,
    )  # fmt: skip


CHECK = Check(
    "connection", "the store is reached, encrypted, with connections left", KINDS, look, local=True
)
