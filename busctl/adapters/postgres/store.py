"""The Store port on PostgreSQL 15 and later.

What is called often is one statement and one round trip: functions that run as the least role.
Everything else is a short transaction that begins with SET LOCAL ROLE.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg.types.numeric import Float8

from busctl.adapters.postgres import rows
from busctl.adapters.postgres.calling import Values, call
from busctl.adapters.postgres.errors import is_no_partition, mapped
from busctl.adapters.postgres.listing import listing
from busctl.adapters.postgres.pool import Pool, Revive, Row, Session
from busctl.adapters.postgres.retrying import patiently
from busctl.adapters.postgres.verifying import CHUNKS_A_STEP, digests_of, verify
from busctl.adapters.sqlfiles import migrations, queries
from busctl.core import migration
from busctl.core.envelope import Chunk, Envelope, Event
from busctl.core.errors import (
    SchemaMissing,
    StoreFailed,
    StoreTimeout,
    TransactionConflict,
)
from busctl.core.ids import time_of
from busctl.ports import (
    Admission,
    Delivery,
    Draft,
    Filter,
    Found,
    Lease,
    Partition,
    Request,
    Stored,
)

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

Result = TypeVar("Result")

READER = "bus_reader"
"""What runs under this role changes nothing, so it may be done twice."""


class PostgresStore:
    """Implements `busctl.ports.Store`. Made by `PostgresStore.open`."""

    def __init__(
        self, pool: Pool, *, write_timeout: float, read_timeout: float, verify: bool
    ) -> None:
        self.pool = pool
        self._write_timeout = write_timeout
        self._read_timeout = read_timeout
        self._verify = verify
        self._sql = queries()
        self._put = call(self._sql["message_put"])
        self._wake = call(self._sql["wake"])
        self._get = call(self._sql["message_get"], quick=True)
        self._hours: set[datetime] = set()
        self.admission: Admission | None = None
        """Asked before each put."""

    @classmethod
    async def open(
        cls, dsn: str, *, pool_size: int = 4, connect_timeout: float = 10,
        write_timeout: float = 10, read_timeout: float = 5, verify: bool = False,
        revive: Revive | None = None, lazily: bool = False,
    ) -> PostgresStore:  # fmt: skip
        """Connect, prove what kind of connection it is, and check the schema, in one round trip
        after connecting; `lazily`, all of that when it is first needed. `revive` starts a server
        of our own again that has died. Raises StoreUnreachable, SchemaMissing, SchemaOutdated."""
        pool = Pool(dsn, size=pool_size, connect_timeout=connect_timeout, revive=revive)
        store = cls(pool, write_timeout=write_timeout, read_timeout=read_timeout, verify=verify)
        pool.prove = store._prove
        try:
            if not lazily:
                await pool.reach()
        except BaseException:
            await pool.close()
            raise
        return store

    async def _prove(self, session: Session) -> bool:
        """Before anything else on the first connection: whether it leads through a pooler."""
        async with asyncio.timeout(self._read_timeout):
            row = await session.only(self._sql["schema_probe"])
        check_version(row[1])
        return bool(row[0] != session.connection.info.backend_pid)

    # --- put -------------------------------------------------------------------------------

    async def put(self, draft: Draft, body: bytes) -> Stored:
        await self._admitted()
        values = rows.put_values(draft, body)
        return await self._with_partition(
            draft.transaction_id, draft.transaction_id,
            lambda: patiently(lambda: self._put_row(draft, values)),
        )  # fmt: skip

    async def _put_row(self, draft: Draft, values: Values) -> Stored:
        if not self._verify:
            return _stored(
                draft, await self.pool.call(self._put, values, timeout=self._write_timeout)
            )

        async def transaction(session: Session) -> Stored:
            await session.command("begin")
            stored = _stored(draft, await session.call(self._put, values))
            if stored.fresh:
                await verify(session, draft, [])
            await session.command("commit")
            return stored

        return await self.pool.run(transaction, timeout=self._write_timeout)

    async def put_many(self, drafts: Sequence[tuple[Draft, bytes]]) -> Mapping[UUID, datetime]:
        await self._admitted()
        values = rows.put_many_values(drafts)
        ids = [draft.transaction_id.int for draft, _ in drafts]
        first, last = UUID(int=min(ids)), UUID(int=max(ids))

        async def insert(session: Session) -> Mapping[UUID, datetime]:
            return dict(await session.all(self._sql["message_put_many"], values))

        return await self._with_partition(
            first,
            last,
            lambda: patiently(lambda: self.pool.run(insert, timeout=self._write_timeout)),
        )

    async def put_chunks(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        await self._admitted()
        await self._ensure_partition(transaction_id)
        try:
            begin = "begin; set local role bus_writer"
            async with self.pool.begun(begin, timeout=self._write_timeout, large=True) as session:
                stored: Stored | None = None
                try:
                    stored = await self._insert_and_seal(session, transaction_id, chunks, seal)
                except psycopg.errors.UniqueViolation:
                    # The same id, stored or being stored by somebody else just now.
                    await session.connection.rollback()
            if stored is None:
                stored = await self._recognise(transaction_id, chunks, seal)
            return stored
        except TimeoutError as error:
            raise StoreTimeout(
                f"Storing {transaction_id} made no progress for {self._write_timeout:g} s.",
                transaction_id=transaction_id,
            ) from error
        except psycopg.Error as error:
            raise mapped(error, transaction_id) from error

    async def _insert_and_seal(
        self, session: Session, transaction_id: UUID, chunks: AsyncIterator[Chunk],
        seal: Callable[[], Draft],
    ) -> Stored:  # fmt: skip
        pipe = session.pipe(self._sql["chunk_insert"])
        sent: list[bytes] = []
        async for chunk in chunks:
            sent.append(digests_of(chunk))
            values = rows.chunk_values(transaction_id, chunk)
            await self._within(session.carry(pipe.send(values)))
        await self._within(session.carry(pipe.finish()))
        draft = seal()
        put = session.call(self._put, rows.put_values(draft, None))
        stored = _stored(draft, await self._within(put))
        if self._verify and stored.fresh:
            async with asyncio.timeout(self._write_timeout * (1 + len(sent) // CHUNKS_A_STEP)):
                await verify(session, draft, sent)
        await self._within(session.command("commit"))
        return stored

    async def _within(self, step: Awaitable[Result]) -> Result:
        """The time-out bounds one statement or chunk, never the transfer as a whole."""
        async with asyncio.timeout(self._write_timeout):
            return await step

    async def _recognise(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        """The id is taken: hash the rest of the payload and compare it with what is stored."""
        async for _ in chunks:
            pass
        draft = seal()
        known = await self.find(transaction_id)
        if known is None or known.checksum != draft.checksum:
            raise _conflict(transaction_id)
        return Stored(fresh=False, created_at=time_of(transaction_id), expires_at=known.expires_at)

    # --- get -------------------------------------------------------------------------------

    async def find(self, transaction_id: UUID) -> Found | None:
        values = {"id": transaction_id.bytes}
        row = await patiently(lambda: self.pool.call(self._get, values, timeout=self._read_timeout))
        return rows.found(transaction_id, row)

    async def chunks(self, transaction_id: UUID, first: int, last: int) -> Sequence[Chunk]:
        # COPY takes no parameters; these are a UUID and two numbers.
        query = self._sql["chunk_get"].format(id=transaction_id, first=first, last=last)
        # The time-out is per chunk: a batch over a thin line may take as long as it moves.
        allowed = self._read_timeout * (last - first + 1)
        return await patiently(
            lambda: self.pool.run(lambda session: self._copied(session, query), timeout=allowed)
        )

    @staticmethod
    async def _copied(session: Session, query: str) -> list[Chunk]:
        return [rows.chunk(row) for row in await session.copied(query)]

    async def record_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        values = {
            "ids": [one.transaction_id for one in deliveries],
            "moments": [one.at for one in deliveries],
            "durations": [one.duration_ms for one in deliveries],
            "hops": [one.hop for one in deliveries],
            "details": [Jsonb(dict(one.detail)) for one in deliveries],
        }
        ids = [one.transaction_id for one in deliveries]
        await self._noting(
            ids, lambda: self._write_one("record_deliveries", values, repeatable=False)
        )

    async def record_events(self, events: Sequence[Event], *, durable: bool = True) -> None:
        values = {
            "ids": [one.transaction_id for one in events],
            "moments": [one.at for one in events],
            "kinds": [one.kind for one in events],
            "hops": [one.hop for one in events],
            "details": [rows.json_or_null(one.detail) for one in events],
        }
        ids = [one.transaction_id for one in events]
        if not durable:
            await self._noting(
                ids, lambda: self._write_one("record_events", values, repeatable=False)
            )
            return

        async def insert(session: Session) -> None:
            await session.run(self._sql["event_insert"], values)

        await self._noting(ids, lambda: self.as_role("bus_writer", insert))

    async def record_reconciled(
        self, fell_back: Event, reconciled: Event, request: Request | None, ttl: timedelta
    ) -> bool:
        values = {
            "id": fell_back.transaction_id, "fell_back": fell_back.at, "hop": fell_back.hop,
            "detail": rows.json_or_null(fell_back.detail), "reconciled_hop": reconciled.hop,
            "reconciled_detail": rows.json_or_null(reconciled.detail),
            "owner": request and request.owner, "session": request and request.session_id,
            "request": request and request.request_id, "ttl": Float8(ttl.total_seconds()),
        }  # fmt: skip
        row = await self._noting(
            [fell_back.transaction_id], lambda: self._write_one("message_reconciled", values)
        )
        return bool(row[0])

    async def stat(self, transaction_id: UUID) -> Envelope | None:
        row = await self.as_role(
            "bus_reader",
            lambda session: session.one(self._sql["message_stat"], {"id": transaction_id}),
        )
        return None if row is None else rows.envelope(row)

    async def events(self, transaction_id: UUID) -> Sequence[Event]:
        found = await self.as_role(
            "bus_reader",
            lambda session: session.all(self._sql["event_list"], {"id": transaction_id}),
        )
        return [rows.event(row) for row in found]

    async def list(self, wanted: Filter) -> Sequence[Envelope]:
        query, values = listing(self._sql["message_list"], wanted)
        found = await self.as_role("bus_reader", lambda session: session.all(query, values))
        return [rows.envelope(row) for row in found]

    # --- keeping ---------------------------------------------------------------------------

    async def retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope | None:
        seconds = None if ttl is None else Float8(ttl.total_seconds())
        values = {"id": transaction_id, "pinned": pinned, "ttl": seconds}
        kind = "extended" if pinned is None else "pinned" if pinned else "unpinned"

        async def change(session: Session) -> bool:
            if await session.one(self._sql["message_retain"], values) is None:
                return False
            await session.run(self._sql["event_insert"], _event(transaction_id, kind, None))
            return True

        changed = await self._noting([transaction_id], lambda: self.as_role("bus_janitor", change))
        return await self.stat(transaction_id) if changed else None

    async def remove(self, transaction_id: UUID) -> bool:
        async def delete(session: Session) -> bool:
            row = await session.one(self._sql["message_remove"], {"id": transaction_id})
            if row is None:
                return False
            await session.run(self._sql["chunk_remove"], {"id": transaction_id})
            detail = Jsonb({"size": row[0], "checksum": row[1]})
            await session.run(self._sql["event_insert"], _event(transaction_id, "removed", detail))
            return True

        return await self._noting([transaction_id], lambda: self.as_role("bus_janitor", delete))

    async def ensure_partitions(self, first: datetime, last: datetime) -> int:
        row = await self._write_one("ensure_partitions", {"first": first, "last": last})
        return int(row[0])

    async def partitions(self) -> Sequence[Partition]:
        found = await self.as_role(
            "bus_reader", lambda session: session.all(self._sql["partition_list"])
        )
        return [Partition(*row) for row in found]

    async def request_begin(
        self, owner: str, session_id: str, request_id: str, transaction_id: UUID, *,
        daemon: str, lease: timedelta, ttl: timedelta,
    ) -> Lease:  # fmt: skip
        row = await self._write_one("request_begin", {
            "owner": owner, "session": session_id, "request": request_id, "id": transaction_id,
            "daemon": daemon, "lease": Float8(lease.total_seconds()),
            "ttl": Float8(ttl.total_seconds()),
        })  # fmt: skip
        return Lease(mine=row[0], transaction_id=row[1], done=row[2])

    async def request_renew(
        self, owner: str, session_id: str, request_id: str, *,
        daemon: str, lease: timedelta, answered: bool,
    ) -> bool:  # fmt: skip
        row = await self._write_one("request_renew", {
            "owner": owner, "session": session_id, "request": request_id, "daemon": daemon,
            "lease": Float8(lease.total_seconds()), "answered": answered,
        })  # fmt: skip
        return bool(row[0])

    async def ping(self) -> float:
        began = time.monotonic()
        await self._read_one("ping", {})
        return (time.monotonic() - began) * 1000

    async def wake(self) -> bool:
        heard = await self.pool.call(self._wake, {}, timeout=self._read_timeout)
        return heard.get_value(0, 0) == b"\x01"

    async def close(self) -> None:
        await self.pool.close()

    async def database_bytes(self) -> int:
        """What the whole database takes on the server's disk."""
        return int((await self._read_one("database_bytes", {}))[0])

    # --- inside ----------------------------------------------------------------------------

    async def _admitted(self) -> None:
        if self.admission is not None:
            await self.admission.admit()

    async def _read_one(self, name: str, values: dict[str, Any]) -> Row:
        query, timeout = self._sql[name], self._read_timeout
        return await patiently(
            lambda: self.pool.run(lambda session: session.only(query, values), timeout=timeout)
        )

    async def _write_one(
        self, name: str, values: dict[str, Any], *, repeatable: bool = True
    ) -> Row:
        query, timeout = self._sql[name], self._write_timeout
        return await patiently(
            lambda: self.pool.run(lambda session: session.only(query, values), timeout=timeout),
            repeatable=repeatable,
        )

    async def as_role(
        self, role: str, work: Callable[[Session], Awaitable[Result]], *, read_write: bool = False,
        timeout: float | None = None,
    ) -> Result:  # fmt: skip
        """One transaction under `role`. `read_write` asks for one where the default is read-only,
        as in a Supabase project over its quota. `timeout` (seconds) defaults to the one of
        writing."""
        mode = " read write" if read_write else ""

        async def transaction(session: Session) -> Result:
            await session.command(f"begin{mode}; set local role {role}")
            result = await work(session)
            await session.command("commit")
            return result

        within = timeout or self._write_timeout
        return await patiently(
            lambda: self.pool.run(transaction, timeout=within), repeatable=role == READER
        )

    async def _with_partition(
        self, first: UUID, last: UUID, work: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Run `work`; if a partition for those ids is missing, make it and run once more."""
        try:
            return await work()
        except StoreFailed as error:
            if not _lacks_partition(error):
                raise
        await self.ensure_partitions(time_of(first), time_of(last))
        return await work()

    async def with_partitions(
        self, messages: Sequence[tuple[Draft, bytes]], work: Callable[[], Awaitable[Result]]
    ) -> Result:
        """Run `work`, which stores those messages, and once more when partitions were missing."""
        ids = [draft.transaction_id.int for draft, _ in messages]
        return await self._with_partition(UUID(int=min(ids)), UUID(int=max(ids)), work)

    async def _noting(self, ids: Sequence[UUID], work: Callable[[], Awaitable[Result]]) -> Result:
        """Run what adds events. Those of a message that is kept for long may have left already:
        then their partitions are made again."""
        try:
            return await work()
        except StoreFailed as error:
            if not _lacks_partition(error):
                raise
        for moment in sorted({_hour(one) for one in ids}):
            await self.ensure_partitions(moment, moment)
        return await work()

    async def _ensure_partition(self, transaction_id: UUID) -> None:
        """Before chunks are sent, which cannot be sent twice; asked once per hour of ids, and each
        time for a past hour, whose partition may have left since."""
        hour = _hour(transaction_id)
        is_past = hour + timedelta(hours=1) <= datetime.now(UTC)
        if is_past or hour not in self._hours:
            await self.ensure_partitions(hour, hour)
            self._hours.add(hour)


def _lacks_partition(error: StoreFailed) -> bool:
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and is_no_partition(cause)


def _hour(transaction_id: UUID) -> datetime:
    """The hour of an id's own time; partitions begin with an hour."""
    return time_of(transaction_id).replace(minute=0, second=0, microsecond=0)


def check_version(version: str | None) -> None:
    """Raises SchemaMissing or SchemaOutdated unless the schema is the one this busctl ships."""
    if version is None:
        raise SchemaMissing("The database has no bus schema.")
    migration.check_version(version, migrations()[-1].version)


def _stored(draft: Draft, row: PGresult) -> Stored:
    fresh, created, expires, known = rows.stored(row)
    if not fresh and known != draft.checksum:
        raise _conflict(draft.transaction_id)
    return Stored(fresh=fresh, created_at=created, expires_at=expires)


def _conflict(transaction_id: UUID) -> TransactionConflict:
    return TransactionConflict(
        f"Another payload is stored under {transaction_id}.", transaction_id=transaction_id
    )


def _event(transaction_id: UUID, kind: str, detail: Jsonb | None) -> dict[str, Any]:
    return {
        "ids": [transaction_id], "moments": [datetime.now().astimezone()], "kinds": [kind],
        "hops": ["store"], "details": [detail],
    }  # fmt: skip
