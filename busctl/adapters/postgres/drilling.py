"""What a drill does to the database itself, over a connection that no fault is in the way of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import psycopg
from psycopg.types.numeric import Int4

from busctl.adapters.postgres.errors import mapped
from busctl.adapters.sqlfiles import queries

CONNECT_SECS = 5


class Saboteur:
    """`async with Saboteur(dsn) as saboteur:`; connects anew for each deed, as the server may have
    been killed in between. Raises the store's named errors."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._sql = queries()
        self._taken: list[psycopg.AsyncConnection[Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self.free_slots()

    async def end_session(self, pid: int) -> bool:
        """pg_terminate_backend; False when there was no such session."""
        rows = await self._run("drill_end_session", {"pid": Int4(pid)})
        return bool(rows[0][0])

    async def read_only(self, wanted: bool) -> None:
        """Make the database read-only for sessions that begin from now on, or lift it."""
        await self._run("drill_read_only" if wanted else "drill_read_write", None)

    async def take_slots(self) -> int:
        """Open sessions until the server takes no more; returns how many we hold."""
        while True:
            try:
                self._taken.append(await self._connect())
            except psycopg.OperationalError:
                return len(self._taken)

    async def free_slots(self) -> None:
        """End them."""
        while self._taken:
            await self._taken.pop().close()

    async def foreign_messages(self) -> int:
        """How many messages are there that no drill has made."""
        return int((await self._run("drill_foreign", None))[0][0])

    async def events_of(self, ids: Sequence[UUID]) -> Mapping[UUID, Sequence[str]]:
        """The kinds of event that each of these messages has, oldest first."""
        return {row[0]: row[1] for row in await self._run("drill_paths", {"ids": list(ids)})}

    async def _run(self, name: str, values: dict[str, Any] | None) -> list[tuple[Any, ...]]:
        try:
            async with await self._connect() as connection:
                cursor = await connection.execute(self._sql[name].encode(), values, binary=True)
                return await cursor.fetchall() if cursor.description is not None else []
        except psycopg.Error as error:
            raise mapped(error) from error

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, connect_timeout=CONNECT_SECS,
            application_name="busctl drill", options="-c default_transaction_read_only=off",
        )  # fmt: skip
