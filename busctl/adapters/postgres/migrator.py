"""Applying and undoing the shipped migrations on one database, and reading what it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg

from busctl.adapters.postgres.catalog import catalog_lines
from busctl.adapters.postgres.errors import DENIED, MISSING, first_line, mapped, not_connected
from busctl.adapters.sqlfiles import migrations, queries
from busctl.core.errors import MigrationFailed, StoreFailed
from busctl.core.migration import (
    ADVISORY_LOCK,
    LOCK_TIMEOUT,
    MAKE_PARTITIONS,
    OLDEST_SERVER,
    Migration,
    Recorded,
    record_sql,
    to_apply,
    to_undo,
)

Result = TypeVar("Result")
ROLE_RACES = 8
"""Attempts where two databases of one cluster create or grant the roles at once."""


class Migrator:
    """One autocommit connection used for migrations. `async with await Migrator.connect(dsn)`."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, dsn: str, *, timeout: float = 10) -> Migrator:
        """`timeout` in seconds. Raises StoreUnreachable, ConfigurationError (libpq cannot read
        the DSN), MigrationFailed (server too old)."""
        try:
            connection = await psycopg.AsyncConnection.connect(
                dsn, autocommit=True, prepare_threshold=None, connect_timeout=max(2, int(timeout)),
                application_name="busctl migrate",
            )  # fmt: skip
        except psycopg.Error as error:
            raise not_connected(error) from error
        number = connection.info.server_version
        if number < OLDEST_SERVER:
            await connection.close()
            raise MigrationFailed(
                f"The server is PostgreSQL {number // 10000}; busctl needs 15 or later.",
                remedy="Upgrade the server, or name another one in DATABASE_URL.",
            )
        return cls(connection)

    async def __aenter__(self) -> Migrator:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def recorded(self) -> list[Recorded]:
        """What bus.migration holds, oldest first; empty where there is none.

        Raises StoreFailed (this login may not read it), StoreUnreachable.
        """
        return await self._asked(self._recorded)

    async def catalog(self) -> list[str]:
        """The lines of `busctl.adapters.postgres.catalog`. Raises StoreUnreachable, StoreFailed."""
        return await self._asked(lambda: catalog_lines(self._connection))

    async def pending(self) -> list[Migration]:
        """What `up` would apply. Raises SchemaOutdated where the database is newer."""
        return to_apply(migrations(), await self.recorded())

    async def up(self) -> list[Migration]:
        """Apply what is pending, each in its own transaction under one lock, and make the
        partitions of today and tomorrow; returns what this call applied.

        Safe beside another `up`. Raises MigrationFailed, SchemaOutdated (the database is newer).
        """
        applied = [one for one in await self.pending() if await self._attempted(one, self._apply)]
        await self._make_partitions()
        return applied

    async def down(self, target: str) -> list[Migration]:
        """Undo what came after `target` ('0': all), newest first, each in its own transaction;
        returns what was undone. Raises as `to_undo`, and MigrationFailed."""
        undone = to_undo(migrations(), await self.recorded(), target)
        return [one for one in undone if await self._attempted(one, self._undo)]

    async def _apply(self, migration: Migration) -> bool:
        async with self._connection.transaction():
            await self._lock()
            if migration.version in {one.version for one in await self._recorded()}:
                return False
            await self._connection.execute(migration.up.encode())
            await self._connection.execute(record_sql(migration).encode())
        return True

    async def _undo(self, migration: Migration) -> bool:
        async with self._connection.transaction():
            await self._lock()
            if migration.version not in {one.version for one in await self._recorded()}:
                return False
            # First, because the oldest migration takes the table of records with it.
            await self._connection.execute(
                queries()["migration_forget"].encode(), {"version": migration.version}
            )
            await self._connection.execute(migration.down.encode())
        return True

    async def _lock(self) -> None:
        """One migration at a time; only then a time-out, or waiting for another `up` would fail."""
        await self._connection.execute(ADVISORY_LOCK.encode())
        await self._connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'".encode())

    async def _recorded(self) -> list[Recorded]:
        cursor = await self._connection.execute(queries()["migration_table"].encode())
        row = await cursor.fetchone()
        if not row or not row[0]:
            return []
        cursor = await self._connection.execute(queries()["migration_list"].encode())
        return [Recorded(*row) for row in await cursor.fetchall()]

    async def _make_partitions(self) -> None:
        try:
            await self._connection.execute(MAKE_PARTITIONS.encode())
        except psycopg.Error as error:
            raise MigrationFailed(
                f"Today's partitions could not be made: {_said(error)}.", remedy=_remedy(error)
            ) from error

    async def _attempted(
        self, migration: Migration, step: Callable[[Migration], Awaitable[bool]]
    ) -> bool:
        for attempt in range(1, ROLE_RACES + 1):
            try:
                return await step(migration)
            except psycopg.Error as error:
                if not _is_role_race(error) or attempt == ROLE_RACES:
                    raise MigrationFailed(
                        f"Migration {migration.title} failed: {_said(error)}.",
                        remedy=_remedy(error),
                    ) from error
                await asyncio.sleep(0.05 * attempt)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _asked(self, question: Callable[[], Awaitable[Result]]) -> Result:
        try:
            return await question()
        except psycopg.Error as error:
            if error.sqlstate == DENIED:
                raise StoreFailed(
                    f"This login may not read the record of migrations: {_said(error)}.",
                    remedy="Use the login that ran `busctl migrate up`, or grant it bus_reader.",
                ) from error
            raise mapped(error) from error


def _is_role_race(error: psycopg.Error) -> bool:
    """Roles belong to the cluster, so the lock of one database does not keep the others away."""
    said = str(error)
    return "tuple concurrently" in said or (error.sqlstate == "23505" and "pg_auth" in said)


def _said(error: psycopg.Error) -> str:
    return first_line(error) + (f" [SQLSTATE {error.sqlstate}]" if error.sqlstate else "")


def _remedy(error: psycopg.Error) -> str:
    again = "Nothing of it was applied; {} and run the same command again."
    match error.sqlstate:
        case state if state == DENIED and "role" in str(error):
            return again.format(
                "let this login have CREATEROLE, or have an administrator run `create role "
                "bus_writer nologin; create role bus_reader nologin; create role bus_janitor "
                "nologin;` where they are missing and `grant bus_writer, bus_reader, bus_janitor "
                "to` this login"
            )
        case state if state == DENIED:
            return again.format(
                "use the login that owns schema bus, or one that may create in this database"
            )
        case "55P03":
            return again.format("end the transaction that holds the table (pg_stat_activity)")
        case "25006":
            return again.format("make the database writable")
        case state if state in MISSING:
            return again.format("look at `busctl migrate verify`")
        case _:
            return again.format("mend the cause")
