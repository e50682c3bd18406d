"""Copies of files at providers and their texts on the bus: `bus.provider_file`, `bus.file_text`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.types.numeric import Float8, Int8

from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import READER, PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.files.manifest import Copy, CopyKey

WRITER = "bus_writer"


class PostgresCopies:
    """Implements `busctl.ports.Copies`."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def find(self, key: CopyKey) -> Copy | None:
        query, values = self._sql["provider_file_find"], _named(key)
        row = await self._store.as_role(READER, lambda session: session.one(query, values))
        return None if row is None else Copy(key, *row)

    async def begin(
        self, key: CopyKey, name: str, size: int, holder: str, lease: timedelta
    ) -> bool:
        values = {"name": name, "bytes": Int8(size), "holder": holder, "lease": _secs(lease)}
        return await self._happened("provider_file_begin", _named(key) | values)

    async def renew(self, key: CopyKey, holder: str, lease: timedelta) -> bool:
        values = {"holder": holder, "lease": _secs(lease)}
        return await self._happened("provider_file_renew", _named(key) | values)

    async def done(
        self, key: CopyKey, holder: str, file_id: str, lasting: timedelta | None
    ) -> bool:
        values = {"holder": holder, "file_id": file_id, "lasting": _secs(lasting)}
        return await self._happened("provider_file_done", _named(key) | values)

    async def free(self, key: CopyKey, holder: str) -> None:
        await self._run("provider_file_free", _named(key) | {"holder": holder})

    async def seen(self, provider: str, account: str, file_id: str) -> None:
        values = {"provider": provider, "account": account, "file_id": file_id}
        await self._run("provider_file_seen", values)

    async def forget(self, provider: str, account: str, file_id: str) -> bool:
        query = self._sql["provider_file_forget"]
        values = {"provider": provider, "account": account, "file_id": file_id}
        row = await self._store.as_role(
            WRITER, lambda session: session.only(query, values), read_write=True
        )
        return bool(row[0])

    async def list(self, provider: str | None = None) -> Sequence[Copy]:
        query, values = self._sql["provider_file_list"], {"provider": provider}
        found = await self._store.as_role(READER, lambda session: session.all(query, values))
        return [_copy(row) for row in found]

    async def _happened(self, name: str, values: dict[str, Any]) -> bool:
        query = self._sql[name]
        row = await self._store.as_role(WRITER, lambda session: session.one(query, values))
        return row is not None

    async def _run(self, name: str, values: dict[str, Any]) -> None:
        async def change(session: Session) -> None:
            await session.run(self._sql[name], values)

        await self._store.as_role(WRITER, change)


class PostgresTexts:
    """Implements `busctl.ports.Texts`."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def find(self, sha256: bytes, owner: str, source: str) -> UUID | None:
        query = self._sql["file_text_find"]
        values = {"sha256": sha256, "owner": owner, "source": source}
        row = await self._store.as_role(READER, lambda session: session.one(query, values))
        return None if row is None else row[0]

    async def keep(
        self, sha256: bytes, owner: str, source: str, transaction_id: UUID, until: datetime
    ) -> None:
        values = {
            "sha256": sha256, "owner": owner, "source": source, "id": transaction_id,
            "until": until,
        }  # fmt: skip

        async def put(session: Session) -> None:
            await session.run(self._sql["file_text_keep"], values)

        await self._store.as_role(WRITER, put)

    async def all_of(self, sha256: bytes) -> Sequence[tuple[str, str, UUID]]:
        query, values = self._sql["file_text_list"], {"sha256": sha256}
        found = await self._store.as_role(READER, lambda session: session.all(query, values))
        return [(row[0], row[1], row[2]) for row in found]


def _named(key: CopyKey) -> dict[str, Any]:
    return {
        "sha256": key.sha256, "provider": key.provider, "account": key.account,
        "purpose": key.purpose,
    }  # fmt: skip


def _secs(span: timedelta | None) -> Float8 | None:
    return None if span is None else Float8(span.total_seconds())


def _copy(row: Row) -> Copy:
    digest, provider, account, purpose, name, size, file_id, uploaded, seen, expires = row
    key = CopyKey(bytes.fromhex(digest), provider, account, purpose)
    return Copy(key, file_id, name, size, uploaded, seen, expires)
