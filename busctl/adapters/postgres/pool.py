"""A small pool of asynchronous connections.

psycopg_pool hides why a connection could not be made until its time-out has passed, and cannot
take over the connection that proved the address: each command would connect twice. See
docs/decisions/0005-own-connection-pool.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import AsyncCursor
from psycopg.pq import TransactionStatus

from busctl.adapters.postgres.calling import Call, Statements, Values
from busctl.adapters.postgres.connection import Connection, all_asked
from busctl.adapters.postgres.copying import CopiedRow, copied
from busctl.adapters.postgres.errors import mapped, not_connected
from busctl.adapters.postgres.piping import Pipe, numbered
from busctl.core.errors import InvalidLabel, StoreTimeout, StoreUnreachable

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGresult

Result = TypeVar("Result")
Row = tuple[Any, ...]


_PREPARED_IN_VAIN = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.FeatureNotSupported)
"""SQLSTATE 26000, and 0A000 "cached plan must not change result type"."""

_ROOM = "select octet_length(repeat('-', (6000000 + 0 * random())::integer));"
"""Tells the allocator of the server's process to keep what a chunk frees for the next one: glibc
keeps twice the largest piece it has had, which without this is too little, and each chunk is
faulted in anew (storing 10 MB: 51 ms against 40). `random` is there so that the planner does not
compute it first, which takes three such pieces."""

Revive = Callable[[], Awaitable[None]]
Prove = Callable[["Session"], Awaitable[bool]]
"""Looks at the first connection before it is used: whether a pooler stands between; raises when it
is not fit."""


class Session:
    """One connection and the binary cursor that all its statements use."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cursor: AsyncCursor[Row] = connection.cursor(binary=True)
        self.used = False
        self._roomy = False
        self.statements = Statements(connection.prepare_threshold)

    def prepare_after(self, threshold: int | None) -> None:
        """Prepare statements from that many uses on; None: never."""
        self.connection.prepare_threshold = threshold
        self.statements.threshold = threshold

    async def call(self, wanted: Call, values: Values, *, timeout: float | None = None) -> PGresult:
        """The row of a hot call, in binary; `Statements` says how. TimeoutError after `timeout`
        seconds."""
        try:
            return await self._called(wanted, values, timeout)
        except _PREPARED_IN_VAIN:
            # A pooler or a migration came between; outside a transaction nothing was done yet.
            self.statements.forget()
            return await self._called(wanted, values, timeout)

    async def _called(self, wanted: Call, values: Values, timeout: float | None) -> PGresult:
        running = self.statements.run(self.connection.pgconn, wanted, values)
        try:
            return await self.connection.wait(running, timeout=timeout, quick=wanted.quick)
        except psycopg.errors._WaitTimeout as error:
            self.connection.cancel_soon()
            raise TimeoutError from error

    async def one(self, query: str, values: Any = None) -> Row | None:
        await self.cursor.execute(query, values)
        return await self.cursor.fetchone()

    async def only(self, query: str, values: Any = None) -> Row:
        """The row of a statement that always has one."""
        row = await self.one(query, values)
        if row is None:
            raise psycopg.InternalError("a statement that always has a row returned none")
        return row

    async def all(self, query: str, values: Any = None) -> list[Row]:
        await self.cursor.execute(query, values)
        return await self.cursor.fetchall()

    async def copied(self, query: str) -> list[CopiedRow]:
        """The rows of a COPY … TO STDOUT (FORMAT BINARY): for what is large."""
        with self.connection.bulk():
            return await self.connection.wait(copied(self.connection.pgconn, self.with_room(query)))

    def with_room(self, text: str) -> str:
        """These statements, which begin something large, with what the first such need before."""
        if self._roomy:
            return text
        self._roomy = True
        return _ROOM + text

    async def command(self, text: str) -> None:
        """Several statements without parameters in one round trip (simple query protocol)."""
        await self.connection.execute(text, prepare=False)

    async def run(self, query: str, values: Any = None) -> int:
        """Execute for the effect; returns the number of rows it touched."""
        await self.cursor.execute(query, values)
        return self.cursor.rowcount

    def pipe(self, query: str) -> Pipe:
        """Executes one statement over and over, each carrying much; see `carry`."""
        return Pipe(self.connection.pgconn, numbered(query))

    async def carry(self, step: PQGen[None]) -> None:
        """A step of a `pipe`, in one go of a thread."""
        with self.connection.bulk():
            await self.connection.wait(step)


class Pool:
    """At most `size` connections, made when needed, the last used taken first."""

    def __init__(
        self, dsn: str, *, size: int, connect_timeout: float, revive: Revive | None = None
    ) -> None:
        """`revive` brings back a server of our own that no longer answers."""
        self._dsn = dsn
        self._revive = revive
        self._connect_timeout = connect_timeout
        self._free = asyncio.Semaphore(size)
        self.size = size
        self.busy = 0
        """Connections in use."""
        self._idle: list[Session] = []
        self._lent: set[Session] = set()
        self._closed = False
        self.prove: Prove | None = None
        self.prepare_threshold: int | None = 5
        self.behind_pooler = False
        self.made: tuple[float, Connection] | None = None
        """The connection that was made last, and the seconds that took."""

    @property
    def idle(self) -> int:
        """Connections that nobody uses at the moment."""
        return len(self._idle)

    @property
    def backend_pids(self) -> list[int]:
        """The server's process numbers of the idle connections."""
        return [session.connection.info.backend_pid for session in self._idle]

    async def call(self, wanted: Call, values: Values, *, timeout: float) -> PGresult:
        """As `run` with a hot call, without what that costs: one connection, one wait."""
        with _Named(timeout):
            while True:
                await self._take()
                try:
                    session = await self._lend()
                    reused, session.used = session.used, True
                    try:
                        return await session.call(wanted, values, timeout=timeout)
                    except psycopg.OperationalError:
                        if not (reused and session.connection.closed):
                            raise
                    finally:
                        await self._give_back(session)
                finally:
                    self._release()

    async def run(
        self, work: Callable[[Session], Awaitable[Result]], *, timeout: float | None
    ) -> Result:
        """Run `work` on a connection, again on a new one if an idle one turns out to be dead.

        `work` must be safe to repeat. `timeout` bounds it as a whole (None: it bounds itself).
        Raises the mapped errors; psycopg.Error passes only through `borrow`.
        """
        with _Named(timeout):
            while True:
                async with self.borrow() as session:
                    reused = session.used
                    session.used = True
                    try:
                        async with asyncio.timeout(timeout):
                            return await work(session)
                    except psycopg.OperationalError:
                        # A server that restarted leaves dead idle connections behind.
                        if reused and session.connection.closed:
                            continue
                        raise

    @asynccontextmanager
    async def borrow(self) -> AsyncIterator[Session]:
        """A connection for the time of the block; put back only if it is fit for the next one."""
        await self._take()
        try:
            session = await self._lend()
            try:
                yield session
            except BaseException:
                await self._discard(session)
                raise
            else:
                await self._give_back(session)
        finally:
            self._release()

    async def _take(self) -> None:
        if self._free.locked():
            await self._wait_for_one()
        else:
            await self._free.acquire()
        self.busy += 1

    async def _lend(self) -> Session:
        session = self._idle.pop() if self._idle else await self._connect()
        self._lent.add(session)
        return session

    def _release(self) -> None:
        self.busy -= 1
        self._free.release()

    async def _wait_for_one(self) -> None:
        try:
            async with asyncio.timeout(self._connect_timeout):
                await self._free.acquire()
        except TimeoutError as error:
            busy = StoreUnreachable(
                f"No connection became free within {self._connect_timeout:g} s.",
                remedy="Raise BUSCTL_POOL_MAX_SIZE or lower the load.",
            )
            busy.asked = False
            since = time.monotonic() - self._connect_timeout
            busy.busy = any(session.connection.moved_at > since for session in self._lent)
            raise busy from error

    @asynccontextmanager
    async def begun(
        self, begin: str, *, timeout: float, large: bool = False
    ) -> AsyncIterator[Session]:
        """As `borrow`, with the command `begin` run, which must be safe to repeat: on a new
        connection if an idle one turns out to be dead; `large`: with room for chunks. TimeoutError
        after `timeout` seconds."""
        while True:
            async with self.borrow() as session:
                reused = session.used
                session.used = True
                try:
                    async with asyncio.timeout(timeout):
                        await session.command(session.with_room(begin) if large else begin)
                except psycopg.OperationalError:
                    if reused and session.connection.closed:
                        continue
                    raise
                yield session
                return

    def sibling(self, size: int) -> Pool:
        """Another pool to the same store, for work that must not use up this one's connections."""
        other = Pool(
            self._dsn, size=size, connect_timeout=self._connect_timeout, revive=self._revive
        )
        other.prepare_threshold, other.behind_pooler = self.prepare_threshold, self.behind_pooler
        other.prove = self.prove
        return other

    async def reach(self) -> None:
        """See that there is a connection. Raises as `run` does."""

        async def nothing(_: Session) -> None:
            return

        await self.run(nothing, timeout=None)

    async def close(self) -> None:
        self._closed = True
        while self._idle:
            await self._idle.pop().connection.close()
        await all_asked()

    async def _connect(self) -> Session:
        if self._closed:
            # Not only untidy: an embedded server would be started that nobody stops.
            closed = StoreUnreachable(
                "The store was closed at the end of its block.",
                remedy="Do this inside `async with Bus.connect()`.",
            )
            closed.asked = False
            raise closed
        try:
            return await self._connect_once()
        except StoreUnreachable:
            if self._revive is None:
                raise
        await self._revive()
        return await self._connect_once()

    async def _connect_once(self) -> Session:
        began = time.monotonic()
        try:
            connection = await Connection.connect(
                self._dsn,
                autocommit=True,
                prepare_threshold=self.prepare_threshold,
                connect_timeout=max(2, int(self._connect_timeout)),
                application_name="busctl",
            )
        except psycopg.Error as error:
            raise not_connected(error) from error
        connection.tell_line()
        self.made = (time.monotonic() - began, connection)
        session = Session(connection)
        if self.prove is not None:
            await self._proved(session, self.prove)
        # What was learned while this one was connecting holds for it too.
        session.prepare_after(self.prepare_threshold)
        return session

    async def _proved(self, session: Session, prove: Prove) -> None:
        try:
            if await prove(session):
                self.without_prepared_statements()
        except TimeoutError as error:
            await self._discard(session)
            raise StoreTimeout("The store did not answer its first question in time.") from error
        except BaseException:
            await self._discard(session)
            raise
        self.prove = None

    async def _give_back(self, session: Session) -> None:
        self._lent.discard(session)
        # A closed connection's status is UNKNOWN.
        status = session.connection.pgconn.transaction_status
        if self._closed or status != TransactionStatus.IDLE:
            await self._discard(session)
        else:
            self._idle.append(session)

    async def _discard(self, session: Session) -> None:
        self._lent.discard(session)
        # A half-done statement or transaction must not meet the next user.
        await session.connection.close()

    def without_prepared_statements(self) -> None:
        """For a transaction pooler, where they meet other clients' (auto-prepare breaks there)."""
        self.behind_pooler = True
        self.prepare_threshold = None
        for session in self._idle:
            session.prepare_after(None)


class _Named:
    """Foreign errors of the block by their own names; `timeout` is the one that they may tell of.
    (A class, not a generator: it stands around every statement.)"""

    __slots__ = ("_timeout",)

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        match error:
            case TimeoutError():
                raise StoreTimeout(
                    f"The store made no progress for {self._timeout:g} s."
                ) from error
            case psycopg.Error():
                raise mapped(error) from error
            case UnicodeEncodeError():
                raise InvalidLabel("A text holds a lone surrogate.") from error
