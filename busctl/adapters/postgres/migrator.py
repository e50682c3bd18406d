"""Applying, undoing and checking the shipped migrations on one database."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg

from busctl.adapters.postgres.errors import first_line
from busctl.adapters.sqlfiles import MigrationFile, migrations
from busctl.core.errors import MigrationFailed, StoreUnreachable

LOCK = "select pg_advisory_xact_lock(hashtext('busctl.migrate'))"
ROLE_RACES = 5
"""Two databases of one cluster creating roles at once: "tuple concurrently updated"."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One row of bus.migration."""

    version: str
    name: str
    checksum: str
    applied_at: str


class Migrator:
    """One autocommit connection used for migrations. `async with Migrator.connect(dsn) as m`."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, dsn: str, *, timeout: float = 10) -> Migrator:
        """Raises StoreUnreachable."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, prepare_threshold=None, connect_timeout=max(2, int(timeout))
            )
        except psycopg.Error as error:
            raise StoreUnreachable(f"The store did not let us in: {first_line(error)}.") from error
        return cls(connection)

    async def __aenter__(self) -> Migrator:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def recorded(self) -> list[Recorded]:
        """What bus.migration holds, oldest first; empty where the schema is missing."""
        try:
            cursor = await self._connection.execute(
                "select version, name, checksum, applied_at::text from bus.migration order by 1"
            )
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return []
        return [Recorded(*map(str, row)) for row in await cursor.fetchall()]

    async def pending(self) -> list[MigrationFile]:
        known = {one.version for one in await self.recorded()}
        return [one for one in migrations() if one.version not in known]

    async def up(self) -> list[MigrationFile]:
        """Apply what is pending, each in its own transaction under one lock, and make today's
        partitions. Safe beside another `up`. Raises MigrationFailed."""
        applied = [one for one in await self.pending() if await self._apply(one)]
        await self._make_partitions()
        return applied

    async def _apply(self, migration: MigrationFile) -> bool:
        for attempt in range(ROLE_RACES):
            try:
                return await self._apply_once(migration)
            except psycopg.errors.InternalError_ as error:
                if "tuple concurrently updated" not in str(error) or attempt == ROLE_RACES - 1:
                    raise self._failed(migration, error) from error
                await asyncio.sleep(0.05 * (attempt + 1))
            except psycopg.Error as error:
                raise self._failed(migration, error) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _apply_once(self, migration: MigrationFile) -> bool:
        async with self._connection.transaction():
            await self._connection.execute(LOCK)
            if migration.version in {one.version for one in await self._recorded_inside()}:
                return False
            await self._connection.execute(migration.up.encode())
            await self._connection.execute(
                "insert into bus.migration (version, name, checksum) values (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
        return True

    async def _recorded_inside(self) -> list[Recorded]:
        """As `recorded`, inside a transaction, where a failed statement would end it."""
        cursor = await self._connection.execute("select to_regclass('bus.migration') is not null")
        row = await cursor.fetchone()
        return await self.recorded() if row and row[0] else []

    async def _make_partitions(self) -> None:
        async with self._connection.transaction():
            await self._connection.execute("set local role bus_janitor")
            await self._connection.execute(
                "select bus.ensure_partitions(now(), now() + interval '1 day')"
            )

    @staticmethod
    def _failed(migration: MigrationFile, error: psycopg.Error) -> MigrationFailed:
        state = f" [SQLSTATE {error.sqlstate}]" if error.sqlstate else ""
        return MigrationFailed(
            f"Migration {migration.version}_{migration.name} failed: {first_line(error)}{state}.",
            remedy="Nothing of it was applied; mend the cause and run `busctl migrate up` again.",
        )
