"""Whether the MCP servers behind the daemons are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from busctl.core.errors import BusctlError, DaemonUnreachable
from busctl.core.operating.health import Fault, Grade, Kind, Seen
from busctl.ops.check.surroundings import Check, Surroundings

UNKNOWN = "upstreams.unknown"
KINDS = {
    "upstreams.away": Kind(
        "Look at the server's standard error in that daemon's log, and at its entry in "
        "BUSCTL_MCP_CONFIG; it is started again by itself."
    ),
    "upstreams.left_out": Kind(
        "Tell its maker: the MCP server lists what is not as the protocol has it; the rest is "
        "offered."
    ),
}


async def look(around: Surroundings) -> Seen:
    """What each daemon last said of its servers; the one of this configuration is asked itself."""
    faults: list[Fault] = []
    by_daemon: dict[tuple[str, int], Sequence[Mapping[str, Any]]] = {}
    here = await _here(around)
    try:
        for row in await around.store.ask("health_daemons"):
            by_daemon[row["host"], row["pid"]] = row["upstreams"]
    except BusctlError as error:
        if here is None:
            raise
        told = f"Only this configuration's daemon was asked: {error.message}"
        faults.append(Fault(UNKNOWN, Grade.UNKNOWN, told, "daemons of other hosts"))
    if here is not None:
        by_daemon[around.host, here["pid"]] = here.get("upstreams", ())
    for (host, pid), servers in by_daemon.items():
        faults += _faults(servers, f"daemon {host}:{pid}")
    servers = [each for found in by_daemon.values() for each in found]
    ready = sum(each["condition"] == "ready" for each in servers)
    summary = f"{ready} of {len(servers)} MCP servers are ready." if servers else "There are none."
    return Seen(summary, (), tuple(faults))


async def _here(around: Surroundings) -> Mapping[str, Any] | None:
    try:
        return await around.daemon()
    except DaemonUnreachable:  # none need be here
        return None


def _faults(servers: Sequence[Mapping[str, Any]], daemon: str) -> Iterator[Fault]:
    for each in servers:
        if each["condition"] == "waiting":
            told = f"The MCP server {each['name']!r} is away: {each['error']}"
            yield Fault("upstreams.away", Grade.WARNING, told, daemon)
        if each.get("left_out"):
            told = f"Of the MCP server {each['name']!r} is left out: {'; '.join(each['left_out'])}"
            yield Fault("upstreams.left_out", Grade.WARNING, told, daemon)


CHECK = Check("upstreams", "the MCP servers behind the daemons are there", KINDS, look)
