"""The Inspection port on PostgreSQL: stored bytes are hashed where they lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from psycopg.types.numeric import Int4, Int8

from busctl.adapters.postgres.pool import Row
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.envelope import Compression
from busctl.core.fsck import Inspected, Orphan

MILLION = 1_000_000
STEP_SECS = 120.0
"""Longest wait for one batch: hashing 32 MB takes a small server a second."""
ORPHANS = 1000
"""Most orphans told of one span."""


class PostgresInspection:
    """Implements `busctl.ports.Inspection` over the store's own connections."""

    def __init__(self, store: PostgresStore) -> None:
        self._store = store
        self._sql = queries()

    async def totals(self, first: UUID, last: UUID) -> tuple[int, int]:
        (row,) = await self._rows("inspection_totals", {"first": first, "last": last})
        return row[0], row[1]

    async def pick(
        self, after: UUID, last: UUID, *, limit: int, share: float, seed: int
    ) -> Sequence[tuple[UUID, int]]:
        rows = await self._rows("inspection_pick", {
            "after": after, "last": last, "limit": Int4(limit), "seed": Int8(seed),
            "share": Int4(round(share * MILLION)),
        })  # fmt: skip
        return [(row[0], row[1]) for row in rows]

    async def look(self, ids: Sequence[UUID]) -> Sequence[Inspected]:
        return [_inspected(row) for row in await self._rows("inspection_look", {"ids": list(ids)})]

    async def orphans(self, first: UUID, last: UUID) -> Sequence[Orphan]:
        values = {"first": first, "last": last, "limit": Int4(ORPHANS)}
        return [Orphan(*row) for row in await self._rows("inspection_orphans", values)]

    async def mark_damaged(self, details: Mapping[UUID, Mapping[str, Any]]) -> int:
        values = {
            "ids": list(details), "details": [Jsonb(dict(one)) for one in details.values()],
        }  # fmt: skip
        row = await self._store.pool.run(
            lambda session: session.only(self._sql["mark_damaged"], values), timeout=STEP_SECS
        )
        return int(row[0])

    async def _rows(self, name: str, values: dict[str, Any]) -> list[Row]:
        query = self._sql[name]
        return await self._store.as_role(
            "bus_reader", lambda session: session.all(query, values), timeout=STEP_SECS
        )


def _inspected(row: Row) -> Inspected:
    return Inspected(
        transaction_id=row[0], payload_size_bytes=row[1], stored_size_bytes=row[2],
        chunk_count=row[3], compression=Compression(row[4]), checksum=row[5],
        stored_checksum=row[6], body_size=row[7], body_digest=row[8], chunk_bytes=row[9],
        present=row[10], wrong=row[11], odd=row[12], trail=row[13] or {},
    )  # fmt: skip
