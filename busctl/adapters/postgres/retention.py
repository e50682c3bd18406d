"""The Retention port on PostgreSQL: what cleanup needs, on connections of its own.

Every transaction begins READ WRITE, because a Supabase project over its quota is read-only by
default and must still be cleaned.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4

from busctl.adapters.postgres import detaching
from busctl.adapters.postgres.errors import first_line, mapped
from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.errors import StoreTimeout
from busctl.core.retention import Contents, Holding
from busctl.ports import Deleted, Dropped, Forgotten, Partition

Result = TypeVar("Result")
NEVER = datetime(9000, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(milliseconds=1)
_CONNECTIONS = 2
"""One holds the lock, one works."""


class PostgresRetention:
    """Implements `busctl.ports.Retention`. `async with PostgresRetention(store) as retention:`.

    `lock_timeout` (seconds) bounds how long a removal waits for those who use a partition;
    through a transaction pooler others wait behind it, so it is `pooled_lock_timeout` there.
    `step_timeout` bounds any one statement.
    """

    def __init__(
        self, store: PostgresStore, *, lock_timeout: float = 2.0,
        pooled_lock_timeout: float = 0.25, step_timeout: float = 120.0,
    ) -> None:  # fmt: skip
        self._pool = store.pool.sibling(_CONNECTIONS)
        self._concurrently = not self._pool.behind_pooler
        wait = lock_timeout if self._concurrently else pooled_lock_timeout
        self._lock_ms = round(wait * 1000)
        self._step_timeout = step_timeout
        self._sql = queries()
        self._held = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._held.aclose()
        await self._pool.close()

    # --- the lock ----------------------------------------------------------------------------

    async def lock(self) -> bool:
        try:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(self._pool.borrow())
                await session.command("begin read write")
                stack.push_async_callback(_rolled_back, session)
                await session.all(self._sql["retention_lock_lives"])
                row = await session.one(self._sql["retention_lock"])
                if not (row and row[0]):
                    return False
                # The portal of the last statement keeps its snapshot; a simple query ends it.
                await session.command("set local lock_timeout = 0")
                self._held = stack.pop_all()
                return True
        except psycopg.Error as error:
            raise mapped(error) from error

    async def unlock(self) -> None:
        try:
            await self._held.aclose()
        except psycopg.Error as error:
            raise mapped(error) from error

    # --- looking -----------------------------------------------------------------------------

    async def now(self) -> datetime:
        row = await self._one("retention_now")
        found: datetime = row[0]
        return found

    async def partitions(self) -> Sequence[Partition]:
        query = self._sql["retention_partitions"]
        found = await self._as_janitor(lambda session: session.all(query))
        return [Partition(*row) for row in found]

    async def contents(self, partition: Partition, now: datetime) -> Contents:
        values = {"now": now, "later": now + partition.width}
        return Contents(*await self._one("retention_contents", values, span=_span(partition)))

    async def expired_in(self, partition: Partition, now: datetime) -> Deleted:
        row = await self._one("expired_count", {"now": now}, span=_span(partition))
        return Deleted(rows=row[0], payload_bytes=row[1], stored_bytes=row[2], last_id=None)

    # --- single rows -------------------------------------------------------------------------

    async def delete_expired(
        self, partition: Partition, *, now: datetime, after: UUID | None, batch: int
    ) -> Deleted:
        if after is None:
            days = {"first": partition.lower, "last": partition.upper - _INSTANT}
            await self._one("events_ready", days)
        values = {"now": now, "after": after or UUID(int=0), "batch": Int4(batch)}
        return Deleted(*await self._one("expired_delete", values, span=_span(partition)))

    async def count_requests(self, now: datetime) -> int:
        return int((await self._one("request_count", {"now": now}))[0])

    async def delete_requests(self, now: datetime, batch: int) -> int:
        return int((await self._one("request_delete", {"now": now, "batch": Int4(batch)}))[0])

    async def count_forgettable(self, before: datetime) -> Forgotten:
        return Forgotten(*await self._one("forgettable_count", {"before": before}))

    async def forget(self, before: datetime) -> Forgotten:
        return Forgotten(*await self._one("forget", {"before": before}))

    async def database_bytes(self) -> int:
        return int((await self._one("database_bytes"))[0])

    async def holding(self, partition: Partition) -> Holding:
        return Holding(*await self._one("partition_holding", span=_span(partition)))

    async def delete_oldest(self, partition: Partition, *, delivered: bool, batch: int) -> Deleted:
        days = {"first": partition.lower, "last": partition.upper - _INSTANT}
        await self._one("events_ready", days)
        values = {"delivered": delivered, "batch": Int4(batch)}
        return Deleted(*await self._one("oldest_delete", values, span=_span(partition)))

    async def give_back(self, partitions: Sequence[Partition]) -> None:
        async def vacuum(session: Session) -> None:
            await session.command(
                "set default_transaction_read_only = off; set role bus_janitor; "
                f"set lock_timeout = {self._lock_ms}"
            )
            for partition in partitions:
                await session.command(f"vacuum (truncate) bus.{partition.name}")
            await session.command(
                "reset lock_timeout; reset role; reset default_transaction_read_only"
            )

        await self._pool.run(vacuum, timeout=self._step_timeout)

    async def record_run(self, detail: Mapping[str, Any]) -> None:
        values = {"task": "cleanup", "detail": Jsonb(dict(detail))}
        await self._one("upkeep_done", values)

    # --- partitions --------------------------------------------------------------------------

    async def ensure_partitions(self, first: datetime, last: datetime) -> int:
        return int((await self._one("ensure_partitions", {"first": first, "last": last}))[0])

    async def drop(self, partitions: Sequence[Partition], now: datetime) -> Dropped | None:
        return await self._drop(partitions, detaching.Group(partitions, now, self._sql))

    async def drop_unexpired(self, partitions: Sequence[Partition]) -> Dropped | None:
        # By then everything has expired that is not pinned.
        return await self._drop(
            partitions, detaching.Group(partitions, NEVER, self._sql, "byte budget")
        )

    async def _drop(
        self, partitions: Sequence[Partition], group: detaching.Group
    ) -> Dropped | None:
        try:
            await self._as_janitor(group.count)
            if self._concurrently:
                for partition in partitions:
                    await self._detach(partition)
            return await self._as_janitor(group.drop_or_restore)
        except StoreTimeout as error:
            names = ", ".join(one.name for one in partitions)
            raise StoreTimeout(
                f"Partition {names} could not be had within {self._lock_ms} ms: {error.message}",
                remedy="Run `busctl cleanup` again; `pg_stat_activity` shows who uses it.",
            ) from error

    async def _detach(self, partition: Partition) -> None:
        """DETACH CONCURRENTLY runs in no transaction block: the role and the time-out are the
        session's, and reset; a session on which that failed is thrown away with its settings."""

        async def detach(session: Session) -> None:
            await session.command(
                "set default_transaction_read_only = off; set role bus_janitor; "
                f"set lock_timeout = {self._lock_ms}"
            )
            try:
                await detaching.detach(session, partition, self._sql)
            except psycopg.errors.ObjectNotInPrerequisiteState as error:
                # The server detaches one partition of a table at a time.
                raise StoreTimeout(f"The store said: {first_line(error)}.") from error
            await session.command(
                "reset lock_timeout; reset role; reset default_transaction_read_only"
            )

        await self._pool.run(detach, timeout=self._step_timeout)

    # --- inside ------------------------------------------------------------------------------

    async def _one(self, name: str, values: dict[str, Any] | None = None, **parts: str) -> Row:
        query = self._sql[name].format(**parts) if parts else self._sql[name]
        return await self._as_janitor(lambda session: session.only(query, values))

    async def _as_janitor(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        return await self._pool.run(self._transaction(work), timeout=self._step_timeout)

    def _transaction(
        self, work: Callable[[Session], Awaitable[Result]]
    ) -> Callable[[Session], Awaitable[Result]]:
        async def transaction(session: Session) -> Result:
            # What a crash undoes here the next run does again: no need to wait for the disk.
            await session.command(
                "begin read write; set local role bus_janitor; set local synchronous_commit = off; "
                f"set local lock_timeout = {self._lock_ms}"
            )
            try:
                result = await work(session)
            except psycopg.errors.DeadlockDetected as error:
                raise StoreTimeout(f"The store said: {first_line(error)}.") from error
            await session.command("commit")
            return result

        return transaction


async def _rolled_back(session: Session) -> None:
    """Unless a statement of it was given up: such a connection takes no other, and is closed."""
    if session.connection.pgconn.transaction_status != TransactionStatus.ACTIVE:
        await session.command("rollback")


def _span(partition: Partition) -> str:
    return detaching.span(partition.lower, partition.upper)
