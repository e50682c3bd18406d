"""The Feed port on PostgreSQL: batches of messages and the cursor behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.types.numeric import Float8, Int8

from busctl.adapters.postgres import binary, rows
from busctl.adapters.postgres.calling import call
from busctl.adapters.postgres.errors import mapped
from busctl.adapters.postgres.modes import prove_mode
from busctl.adapters.postgres.pool import Session
from busctl.adapters.postgres.store import READER, PostgresStore
from busctl.adapters.sqlfiles import queries
from busctl.core.envelope import Labels
from busctl.core.errors import CursorHeld, CursorMoved, StoreTimeout
from busctl.core.operating.diagnosis import Mode
from busctl.core.watching.following import BODY_BYTES, LEASE_SECS, Batch, Carried, Followed, Place
from busctl.ports import Draft, Filter

if TYPE_CHECKING:
    from psycopg import abc
    from psycopg.pq.abc import PGresult

CHANNEL = "bus_message"
_CONTROL = 6
"""Columns of `follow_claim` before the envelope."""
_ENVELOPE = 23


class PostgresFeed:
    """Implements `busctl.ports.Feed` with the connections of a store."""

    def __init__(self, store: PostgresStore, *, timeout: float) -> None:
        self._store = store
        self._timeout = timeout
        self._sql = queries()
        # Without a connection: UTF-8, and times in UTC. Kept: it finds out once how types are read.
        self._loading: abc.Transformer = Transformer()
        self._claim = call(self._sql["follow_claim"])
        self._lines = call(self._sql["follow_lines"])
        self._move = call(self._sql["follow_commit"])

    async def mode(self) -> Mode:
        """How the connections reach the server: through a transaction pooler nothing wakes."""
        pool = self._store.pool
        await pool.reach()
        return await prove_mode(pool) if pool.behind_pooler else Mode.DIRECT

    async def claim(
        self, follower: str, holder: str, wanted: Filter, *, most: int, carried: Carried,
        since: datetime | None, from_now: bool,
    ) -> Batch | None:  # fmt: skip
        kind = wanted.message_type
        values = {
            "follower": follower.encode(), "holder": holder.encode(),
            "lease": binary.DOUBLE.pack(LEASE_SECS), "most": binary.INT4.pack(most),
            "body_bytes": binary.INT8.pack(BODY_BYTES if carried is Carried.BODIES else -1),
            "starting": None if since is None else binary.moment(since),
            "from_now": bytes([from_now]), "kind": kind.value.encode() if kind else None,
            "tool": binary.text(wanted.tool_name), "session": binary.text(wanted.session_id),
            "owner": binary.text(wanted.owner),
        }  # fmt: skip
        try:
            if carried is Carried.LINES:
                row = await self._store.pool.call(self._lines, values, timeout=self._timeout)
                return _lines(follower, row)
            found = await self._store.pool.call(self._claim, values, timeout=self._timeout)
        except CursorHeld:
            return None
        return _batch(follower, self._loading, found)

    async def commit(self, batch: Batch, messages: Sequence[tuple[Draft, bytes]] = ()) -> bool:
        if not messages:
            place = batch.place
            moved = await self._store.pool.call(self._move, {
                "follower": batch.follower.encode(), "moves": binary.INT8.pack(place.moves),
                "goal": place.goal.encode(), "complete": bytes([place.complete]),
                "place_xid": place.xid.encode(), "place_seq": binary.INT8.pack(place.seq),
            }, timeout=self._timeout)  # fmt: skip
            return moved.get_value(0, 0) == b"\x01"
        try:
            await self._store.with_partitions(messages, lambda: self._both(batch, messages))
        except CursorMoved:
            return False
        return True

    async def _both(self, batch: Batch, messages: Sequence[tuple[Draft, bytes]]) -> None:
        async with self._moved(batch) as session:
            values = rows.put_many_values(messages)
            async with asyncio.timeout(self._timeout):
                await session.all(self._sql["message_put_many"], values)

    @asynccontextmanager
    async def transaction(self, batch: Batch) -> AsyncIterator[Any]:
        """A psycopg connection in the transaction that moves the cursor; it commits at the end of
        the block. Raises CursorMoved when another has done this batch."""
        async with self._moved(batch) as session:
            yield session.connection

    @asynccontextmanager
    async def _moved(self, batch: Batch) -> AsyncIterator[Session]:
        try:
            async with self._store.pool.begun("begin", timeout=self._timeout) as session:
                async with asyncio.timeout(self._timeout):
                    values = _place_values(batch)
                    (moved,) = await session.only(self._sql["follow_commit"], values)
                if not moved:
                    raise CursorMoved(f"Another has done this batch of {batch.follower!r}.")
                yield session
                async with asyncio.timeout(self._timeout):
                    await session.command("commit")
        except TimeoutError as error:
            raise StoreTimeout(f"The store made no progress for {self._timeout:g} s.") from error
        except psycopg.Error as error:
            raise mapped(error) from error

    async def stay(self, follower: str, holder: str, *, listen_secs: float | None) -> None:
        query = self._sql["follow_stay"]
        values = {
            "follower": follower, "holder": holder, "lease": Float8(LEASE_SECS),
            "listen": None if listen_secs is None else Float8(listen_secs),
        }  # fmt: skip
        await self._store.pool.run(
            lambda session: session.only(query, values), timeout=self._timeout
        )

    async def is_held(self, follower: str, holder: str) -> bool:
        query, values = self._sql["follow_held"], {"follower": follower, "holder": holder}
        row = await self._store.as_role(READER, lambda session: session.only(query, values))
        return bool(row[0])

    async def forget(self, follower: str) -> bool:
        query = self._sql["follow_forget"]
        return await self._store.as_role(
            "bus_reader", lambda session: _touched(session, query, {"follower": follower})
        )

    async def tidy(self) -> None:
        """Remove what tails without a name have left that were killed."""
        query = self._sql["follow_tidy"]
        await self._store.as_role("bus_reader", lambda session: _touched(session, query, {}))

    def ear(self) -> Ear:
        """What hears of new messages: a connection of its own, made when it is first waited on."""
        return Ear(self._store)


class Ear:
    """Waits for NOTIFY. Implements `busctl.ports.Ear`."""

    def __init__(self, store: PostgresStore) -> None:
        self._pool = store.pool.sibling(1)
        self._stack = AsyncExitStack()
        self._session: Session | None = None

    async def wait(self, seconds: float) -> bool:
        """Whether somebody called within that time; at once where somebody called before. Raises
        the store's errors; the next wait connects anew."""
        try:
            if self._session is None:
                self._session = await self._stack.enter_async_context(self._pool.borrow())
                await self._session.command(f"listen {CHANNEL}")
                return True  # what came before is not told: look
            heard = self._session.connection.notifies(timeout=seconds, stop_after=1)
            return [each async for each in heard] != []
        except psycopg.Error as error:
            await self._drop()
            raise mapped(error) from error

    async def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.connection.close()
        await self._stack.aclose()

    async def __aenter__(self) -> Ear:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._drop()
        await self._pool.close()


async def _touched(session: Session, query: str, values: dict[str, Any]) -> bool:
    return await session.run(query, values) > 0


def _place_values(batch: Batch) -> dict[str, Any]:
    place = batch.place
    return {
        "follower": batch.follower, "moves": Int8(place.moves), "goal": place.goal,
        "complete": place.complete, "place_xid": place.xid, "place_seq": Int8(place.seq),
    }  # fmt: skip


def _batch(follower: str, loading: abc.Transformer, result: PGresult) -> Batch | None:
    if result.ntuples == 0:
        return None
    loading.set_pgresult(result, format=Format.BINARY)
    found = loading.load_rows(0, result.ntuples, tuple)
    moves, goal, complete, xid, seq, _ = found[-1][:_CONTROL]
    known: dict[tuple[Any, ...], Labels] = {}
    messages = tuple(
        Followed(
            rows.envelope(row[_CONTROL : _CONTROL + _ENVELOPE], known), row[-1], row[3], row[4]
        )
        for row in found if row[_CONTROL - 1]
    )  # fmt: skip
    return Batch(follower, Place(moves, goal, complete, xid, seq), len(messages), messages)


def _lines(follower: str, row: PGresult) -> Batch | None:
    """From `follow_lines`, whose fields are NULL when there is nothing new."""
    moves, goal, complete, xid, seq, count, lines = (row.get_value(0, at) for at in range(7))
    if moves is None or goal is None or xid is None or seq is None or count is None:
        return None
    place = Place(
        binary.INT8.unpack(moves)[0], goal.decode(), complete == b"\x01", xid.decode(),
        binary.INT8.unpack(seq)[0],
    )  # fmt: skip
    return Batch(follower, place, binary.INT8.unpack(count)[0], lines=(lines or b"").decode())
