"""Every drill there is, in the order they are played."""

from __future__ import annotations

from busctl.ops.drill import (
    client_corrupted,
    client_cut,
    client_stalled,
    clock_skewed,
    connections_used_up,
    daemon_killed,
    disk_full,
    pooler_restarted,
    postgres_killed,
    read_only,
    session_ended,
    store_corrupted,
    store_cut,
    store_stalled,
)

DRILLS = tuple(
    module.DRILL
    for module in (
        session_ended, store_cut, store_stalled, read_only, connections_used_up, client_cut,
        client_stalled, client_corrupted, clock_skewed, postgres_killed, daemon_killed,
        store_corrupted, disk_full, pooler_restarted,
    )
)  # fmt: skip
