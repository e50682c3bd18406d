"""A psycopg connection that can carry bulk in a thread.

An asynchronous connection wakes the event loop for every 200 kB that the kernel hands over, which
takes two thirds of the time of a large transfer (100 MB read: 230 ms of the client's CPU against 40
in one C loop, same run). With `bulk()` around a statement, psycopg's own waiting loop runs in a
thread until that statement is done; between statements the connection is as asynchronous as ever.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import AsyncConnection, generators, waiting
from psycopg.pq import TransactionStatus
from psycopg.waiting import Ready, Wait

from busctl.core.configuration import tls

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from psycopg.pq.abc import PGcancelConn

Result = TypeVar("Result")
CANCEL_SECONDS = 2.0
_LOOK_SECONDS = 0.1
_QUICK_SECONDS = 0.000_2
_LOOKS = 8
"""All others of the event loop wait meanwhile: together that is as long as a large row takes."""
_SELECTABLE = 1024
"""select(2) takes no descriptor from there on."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", ""})


class Connection(AsyncConnection[tuple[Any, ...]]):
    """An AsyncConnection whose statements inside `bulk()` are awaited in a thread."""

    _in_thread = False
    encrypted = False
    is_local = False
    unverified = ""
    """How it was made: with TLS; without leaving this machine; what is not known of the other end.
    Known after it is closed, too."""
    moved_at = float("-inf")
    """When the last statement, or step of one, ended well (time.monotonic)."""

    def tell_line(self) -> None:
        host = self.info.host
        self.encrypted = bool(self.pgconn.ssl_in_use)
        self.is_local = host.startswith("/") or host in LOCAL_HOSTS
        self.unverified = tls.unverified(self.info.get_parameters())

    @contextmanager
    def bulk(self) -> Iterator[None]:
        """Statements of this block carry much."""
        self._in_thread = True
        try:
            yield
        finally:
            self._in_thread = False

    async def wait(
        self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None, *,
        quick: bool = False,
    ) -> Result:  # fmt: skip
        """As psycopg's, in a thread inside `bulk()`. `quick`: a server on this machine has the
        answer sooner than the event loop would be back to see it."""
        if quick and self.is_local:
            try:
                self._look(gen)
            except StopIteration as ended:
                self.moved_at = time.monotonic()
                answer: Result = ended.value
                return answer
        waited = self._in_bulk if self._in_thread else self._waited
        result: Result = await waited(gen, interval, timeout)
        self.moved_at = time.monotonic()
        return result

    def _look(self, gen: PQGen[Any]) -> None:
        """Go on with it while what it waits for is there at once. Raises StopIteration at its end;
        otherwise it can be waited for as if it had not begun."""
        state, line = next(gen), self.pgconn.socket
        if line >= _SELECTABLE:
            return
        for _ in range(_LOOKS):
            writing = [line] if state & Wait.W else []
            readable, writable, _ = select.select([line], writing, [], _QUICK_SECONDS)
            ready = (Ready.R if readable else 0) | (Ready.W if writable else 0)
            if not ready:
                return
            state = gen.send(Ready(ready))

    async def _in_bulk(self, gen: PQGen[Result], interval: float, timeout: float | None) -> Result:
        moving = asyncio.ensure_future(
            asyncio.to_thread(waiting.wait, gen, self.pgconn.socket, interval, timeout)
        )
        try:
            return await asyncio.shield(moving)
        except asyncio.CancelledError:
            await self._end(moving)
            raise

    def cancel_soon(self) -> None:
        """Ask the server to give up what it does for us, and wait neither for its answer nor for
        that: one that is frozen gives none. The connection is not to be used again."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        with suppress(psycopg.Error):  # a libpq before 17 can only be asked in a thread
            server = self.pgconn.cancel_conn()
            server.start()  # now: it needs the connection, which is closed next
            asking = asyncio.ensure_future(_asked(server))
            _ASKING.add(asking)
            asking.add_done_callback(_ASKING.discard)

    async def _waited(self, gen: PQGen[Result], interval: float, timeout: float | None) -> Result:
        """As psycopg's, whose own waits up to ten seconds more for a statement that is given up."""
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=timeout
            )
        except asyncio.CancelledError:
            self.cancel_soon()
            raise

    async def _end(self, moving: asyncio.Future[Any]) -> None:
        """Stop the thread before anybody closes what it reads from: the line is cut."""
        self.cancel_soon()
        with socket.socket(fileno=os.dup(self.pgconn.socket)) as line, suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        with suppress(psycopg.Error):  # the cut line, reported to a caller who has left
            await moving


_ASKING: set[asyncio.Future[None]] = set()
"""Held here: the loop does not hold its tasks."""


async def all_asked() -> None:
    """Wait until every request to cancel has gone out, two seconds at most: for a process that is
    about to end."""
    loop = asyncio.get_running_loop()
    if mine := [one for one in _ASKING if one.get_loop() is loop]:
        await asyncio.wait(mine)


async def _asked(server: PGcancelConn) -> None:
    asking = generators.cancel(server)
    with suppress(psycopg.Error):  # a server that cannot be asked is left alone
        await waiting.wait_conn_async(asking, interval=_LOOK_SECONDS, timeout=CANCEL_SECONDS)
