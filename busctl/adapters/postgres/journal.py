"""The Journal port on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4, Int8

from busctl.adapters.postgres.pool import Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.operating.journal import DaemonState, Kind, SystemEvent

READER, WRITER = "bus_reader", "bus_writer"


class PostgresJournal:
    """Implements `busctl.ports.Journal` with the connections of a store."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def daemon_seen(self, state: DaemonState) -> None:
        await self._write("daemon_seen", {
            "daemon": state.daemon, "host": state.host, "pid": Int4(state.pid),
            "version": state.version, "started": state.started_at, "breaker": state.breaker,
            "since": state.breaker_since, "messages": Int4(state.spool_messages),
            "bytes": Int8(state.spool_bytes), "oldest": state.spool_oldest,
            "sessions_open": Int4(state.sessions), "inflight": Int4(state.inflight),
            "enabled": state.enabled, "fallback": state.fallback,
            "detail": Jsonb(dict(state.detail)),
        })  # fmt: skip

    async def daemon_left(self, daemon: str) -> None:
        await self._write("daemon_left", {"daemon": daemon})

    async def daemons(self) -> Sequence[DaemonState]:
        query = self._sql["daemon_list"]
        found = await self._store.as_role(READER, lambda session: session.all(query))
        return [DaemonState(*row) for row in found]

    async def record_system_events(self, events: Sequence[SystemEvent]) -> None:
        await self._write("system_event_insert", {
            "moments": [one.at for one in events],
            "daemons": [one.daemon for one in events],
            "kinds": [one.kind.value for one in events],
            "details": [Jsonb(dict(one.detail)) for one in events],
        })  # fmt: skip

    async def system_events(
        self, since: datetime, *, kinds: Sequence[Kind] = (), limit: int = 100
    ) -> Sequence[SystemEvent]:
        query = self._sql["system_event_list"]
        values = {
            "after_time": since, "kinds": [one.value for one in kinds] or None,
            "limit": Int4(limit),
        }  # fmt: skip
        found = await self._store.as_role(READER, lambda session: session.all(query, values))
        return [SystemEvent(row[0], row[1], Kind(row[2]), row[3]) for row in found]

    async def _write(self, name: str, values: dict[str, Any]) -> None:
        async def write(session: Session) -> None:
            await session.run(self._sql[name], values)

        await self._store.as_role(WRITER, write)
