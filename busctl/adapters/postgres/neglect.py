"""The Neglect port on PostgreSQL: what nobody has redeemed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from psycopg.types.numeric import Float8, Int4

from busctl.adapters.postgres import rows
from busctl.adapters.postgres.pool import Row, Session
from busctl.adapters.postgres.store import READER, PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.ids import first_id
from busctl.core.watching.observation import Stage
from busctl.ports import Neglected

BEHIND = timedelta(minutes=10)
"""Looked at again before where the last sweep ended: a message may be stored later than its id
says."""
_QUERIES = {Stage.UNREDEEMED: "neglected_since", Stage.EXPIRY_AHEAD: "neglected_ahead"}
_NOW = 22
"""The column with the time of the look."""


class PostgresNeglect:
    """Implements `busctl.ports.Neglect` for one watcher with the connections of a store."""

    def __init__(self, store: PostgresStore, watcher: str) -> None:
        self._store = store
        self._watcher = watcher
        self._sql = queries()

    async def tokens_today(self) -> int:
        """What analyses have taken since midnight UTC, whichever watcher's."""
        query = self._sql["analysis_tokens"]
        row = await self._store.as_role(READER, lambda session: session.only(query))
        return int(row[0])

    async def begin(self) -> tuple[datetime, datetime | None]:
        query, values = self._sql["swept_until"], {"follower": self._watcher}
        row = await self._store.as_role(READER, lambda session: session.only(query, values))
        return row[0], row[1]

    async def end(self, began: datetime) -> None:
        query, values = self._sql["swept"], {"at": began - BEHIND, "follower": self._watcher}
        await self._store.as_role(READER, lambda session: session.run(query, values))

    async def pages(
        self, stage: Stage, behind: datetime | None, after: timedelta, ahead: timedelta, most: int
    ) -> AsyncIterator[Sequence[Neglected]]:
        last = first_id(0)
        while True:
            found = await self._store.as_role(READER, partial(_all, self._sql[_QUERIES[stage]], {
                "behind": behind, "age": Float8(after.total_seconds()),
                "ahead": Float8(ahead.total_seconds()), "beyond": last, "most": Int4(most),
            }))  # fmt: skip
            if found:
                yield [Neglected(rows.envelope(row), row[2] - row[_NOW]) for row in found]
                last = found[-1][0]
            if len(found) < most:
                return


async def _all(query: str, values: dict[str, Any], session: Session) -> list[Row]:
    return await session.all(query, values)
