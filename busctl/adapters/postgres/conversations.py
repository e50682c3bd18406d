"""The Conversations port on PostgreSQL: `bus.conversation` and its parts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8

from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import READER, PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.providers.conversation import Part, Role
from busctl.ports import Floor, Spoken, Thread

WRITER, KEEPER = "bus_writer", "bus_janitor"


class PostgresConversations:
    """Implements `busctl.ports.Conversations`."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def begin(
        self, thread: Thread, holder: str, lease: timedelta, ttl: timedelta
    ) -> Floor | None:
        values = {
            "holder": holder, "lease": Float8(lease.total_seconds()),
            "ttl": Float8(ttl.total_seconds()),
        }  # fmt: skip
        row = await self._one("conversation_begin", _named(thread) | values)
        return None if row is None else Floor(*row)

    async def renew(self, thread: Thread, holder: str, lease: timedelta) -> bool:
        values = {"holder": holder, "lease": Float8(lease.total_seconds())}
        return await self._one("conversation_renew", _named(thread) | values) is not None

    async def free(self, thread: Thread, holder: str) -> None:
        values = _named(thread) | {"holder": holder}

        async def change(session: Session) -> None:
            await session.run(self._sql["conversation_free"], values)

        await self._store.as_role(WRITER, change)

    async def parts(self, thread: Thread) -> Sequence[Part]:
        query, values = self._sql["conversation_parts"], _named(thread)
        found = await self._store.as_role(READER, lambda session: session.all(query, values))
        return [Part(turn, Role(role), named, detail) for turn, role, named, detail in found]

    async def prolong(self, thread: Thread, ttl: timedelta) -> None:
        values = _named(thread) | {"ttl": Float8(ttl.total_seconds())}

        async def change(session: Session) -> None:
            await session.run(self._sql["conversation_prolong"], values)

        await self._store.as_role(KEEPER, change)

    async def add(
        self, thread: Thread, holder: str, spoken: Sequence[Spoken], provider: str, ttl: timedelta
    ) -> int | None:
        values = {
            "holder": holder, "provider": provider, "ttl": Float8(ttl.total_seconds()),
            "roles": [one.role.value for one in spoken],
            "ids": [one.transaction_id for one in spoken],
            "details": [Jsonb(dict(one.detail)) for one in spoken],
        }  # fmt: skip
        row = await self._one("conversation_add", _named(thread) | values)
        return None if row is None else int(row[0])

    async def _one(self, name: str, values: dict[str, Any]) -> Row | None:
        query = self._sql[name]
        return await self._store.as_role(WRITER, lambda session: session.one(query, values))


def _named(thread: Thread) -> dict[str, Any]:
    return {"owner": thread.owner, "conversation": thread.conversation_id}
