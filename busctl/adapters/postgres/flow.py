"""The Traffic port on PostgreSQL: plots from the roll-up by the minute, never from messages."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from psycopg.types.numeric import Int4

from busctl.adapters.postgres.facts import PostgresFacts
from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.ids import first_id, unix_ms_of
from busctl.core.operating.flow import Flow, Load, Step, ToolFlow, Window
from busctl.core.watching.watch import FollowerState, Observed, Remark, Watch

READER, KEEPER = "bus_reader", "bus_janitor"
FOLLOWERS = 100
PLAIN = 8
"""Columns of a tool before those that count by size."""


class PostgresTraffic:
    """Implements `busctl.ports.Traffic` with the connections of a store."""

    def __init__(
        self, store: PostgresStore, *, timeout: float, quota_bytes: int | None = None
    ) -> None:
        self._store = store
        self._timeout = timeout
        self._quota_bytes = quota_bytes
        self._sql = queries()

    async def refresh(self, first: datetime, last: datetime) -> int:
        values = {"first": first, "last": last}
        row = await self._store.as_role(
            KEEPER, lambda session: session.one(self._sql["traffic_refresh"], values)
        )
        return 0 if row is None else int(row[0])

    async def flow(self, window: Window, owner: str | None) -> Flow:
        values = {"span": window.span, "step": window.step, "owner": owner}

        async def read(session: Session) -> Flow:
            steps = await session.all(self._sql["flow_steps"], values)
            tools = await session.all(
                self._sql["flow_tools"], {"span": window.span, "owner": owner}
            )
            told = await session.all(self._sql["flow_fallbacks"], {"span": window.span})
            fates: dict[str, int] = dict(told)
            return Flow(
                window,
                [Step(*row) for row in steps],
                [_tool(row) for row in tools],
                fates.get("fell_back", 0),
                fates.get("reconciled", 0),
            )

        return await self._store.as_role(READER, read)

    async def watch(self, limit: int) -> Watch:
        async def read(session: Session) -> Watch:
            values = {"limit": Int4(limit)}
            followers = await session.all(self._sql["watch_followers"])
            observations = await session.all(self._sql["watch_observations"], values)
            remarks = await session.all(self._sql["watch_findings"], values)
            return Watch(
                [FollowerState(*row) for row in followers],
                [Observed(*row) for row in observations],
                [Remark(*row) for row in remarks],
            )

        return await self._store.as_role(READER, read)

    async def observed(self, transaction_id: UUID) -> Watch:
        own = unix_ms_of(transaction_id)
        values = {"id": transaction_id, "low": first_id(own), "high": first_id(own + 1)}

        async def read(session: Session) -> Watch:
            observations = await session.all(self._sql["observed_of"], values)
            remarks = await session.all(self._sql["findings_of"], values)
            return Watch(
                [], [Observed(*row) for row in observations], [Remark(*row) for row in remarks]
            )

        return await self._store.as_role(READER, read)

    async def load(self) -> Load:
        facts = PostgresFacts.of(self._store.pool, self._timeout)
        (quota,) = await facts.ask("health_quota")
        (backlog,) = await facts.ask("health_backlog")
        (expiry,) = await facts.ask("health_expiry")
        values = {"limit": Int4(FOLLOWERS)}
        behind = await self._store.as_role(
            READER, lambda session: session.all(self._sql["watch_lags"], values)
        )
        lags: dict[str, float] = dict(behind)
        return Load(
            quota["bytes"], backlog["pending"], backlog["looked_at"], backlog["age"],
            expiry["cleanup_age"], lags, self._quota_bytes,
        )  # fmt: skip


def _tool(row: Row) -> ToolFlow:
    told, sizes = row[:PLAIN], row[PLAIN:]
    return ToolFlow(*told, tuple(sizes))  # type: ignore[call-arg]  # as many as it has fields
