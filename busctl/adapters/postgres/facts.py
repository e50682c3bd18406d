"""The Facts port on PostgreSQL: each question goes with its transaction in one round trip."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from psycopg import AsyncCursor

from busctl.adapters.postgres.catalog import catalog_lines
from busctl.adapters.postgres.pool import Pool, Revive, Session
from busctl.adapters.sqlfiles import queries
from busctl.core.errors import SchemaMissing
from busctl.core.migration import Recorded
from busctl.ports import StoreLine

Result = TypeVar("Result")

CATALOG_SECS = 60.0
OWN = frozenset({
    "health_connection", "health_quota", "health_clock", "health_cron_tables", "health_cron_jobs",
    "health_partition_faults", "doctor_server", "doctor_login", "doctor_extensions",
})  # fmt: skip
"""Questions that are asked as the login: they need no table of ours, and some of what they ask is
hidden from a role that it only borrows."""


class PostgresFacts:
    """Implements `busctl.ports.Facts`, and the Schema of `busctl.ops.migrate`. Unlike a store it
    opens on a database without our schema, too: that is one of the things to be told."""

    def __init__(self, pool: Pool, timeout: float) -> None:
        self.pool = pool
        self._timeout = timeout
        self._sql = queries()

    @classmethod
    async def open(
        cls, dsn: str, *, pool_size: int = 4, connect_timeout: float = 10, timeout: float = 5,
        revive: Revive | None = None,
    ) -> PostgresFacts:  # fmt: skip
        """Connect. `timeout` (seconds) bounds one question. Raises StoreUnreachable,
        StoreTimeout and ConfigurationError (libpq cannot read the DSN)."""
        pool = Pool(dsn, size=pool_size, connect_timeout=connect_timeout, revive=revive)
        try:
            pooled = await pool.run(_is_pooled, timeout=timeout)
        except BaseException:
            await pool.close()
            raise
        if pooled:
            pool.without_prepared_statements()
        return cls(pool, timeout)

    @classmethod
    def of(cls, pool: Pool, timeout: float) -> PostgresFacts:
        """On the connections of an open store."""
        return cls(pool, timeout)

    @property
    def line(self) -> StoreLine:
        """What the connection made last told; nothing that could be wrong before there was one."""
        if self.pool.made is None:
            return StoreLine(0.0, pooled=False, encrypted=False, is_local=True)
        seconds, connection = self.pool.made
        return StoreLine(
            connect_ms=seconds * 1000,
            pooled=self.pool.behind_pooler,
            encrypted=connection.encrypted,
            is_local=connection.is_local,
            unverified=connection.unverified,
        )

    async def ask(self, question: str) -> Sequence[Mapping[str, Any]]:
        role = "" if question in OWN else "; set local role bus_reader"
        text = f"begin{role};\n{self._sql[question]};\ncommit"

        async def put(session: Session) -> list[dict[str, Any]]:
            # Text and the simple protocol: the only way to send several statements at once.
            cursor = session.connection.cursor()
            await cursor.execute(text.encode(), prepare=False)
            return await _rows(cursor)

        return await self.pool.run(put, timeout=self._timeout)

    async def ping(self) -> float:
        async def put(session: Session) -> float:
            began = time.monotonic()
            await session.one(self._sql["ping"])
            return (time.monotonic() - began) * 1000

        return await self.pool.run(put, timeout=self._timeout)

    async def recorded(self) -> list[Recorded]:
        """The applied migrations, oldest first; empty where the schema is missing."""

        async def read(session: Session) -> list[Recorded]:
            return [Recorded(*row) for row in await session.all(self._sql["migration_list"])]

        try:
            return await self.pool.run(read, timeout=self._timeout)
        except SchemaMissing:
            return []

    async def catalog(self) -> list[str]:
        """What schema bus holds, as `busctl.adapters.postgres.catalog` tells it."""
        return await self._on_connection(lambda session: catalog_lines(session.connection))

    async def close(self) -> None:
        await self.pool.close()

    async def _on_connection(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        return await self.pool.run(work, timeout=max(self._timeout, CATALOG_SECS))


async def _is_pooled(session: Session) -> bool:
    (backend,) = await session.only("select pg_backend_pid()")
    return bool(backend != session.connection.info.backend_pid)


async def _rows(cursor: AsyncCursor[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The rows of the one statement among them that has any to give."""
    found: list[dict[str, Any]] = []
    while True:
        if cursor.description is not None:
            names = [column.name for column in cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
        if not cursor.nextset():
            return found
