"""Following: batches of new messages, as they come, for a follower with a name."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from typing import Any

from busctl.core.errors import BusctlError, ConfigurationError, StoreUnreachable
from busctl.core.operating.diagnosis import Mode
from busctl.core.watching.following import (
    BATCH_MESSAGES,
    FIRST_PAUSE_SECS,
    LEASE_SECS,
    LISTEN_SECS,
    LONGEST_PAUSE_SECS,
    Batch,
    Carried,
    gathering,
    longer,
)
from busctl.ports import Clock, Draft, Ear, Feed, Filter

ALL = Filter()

log = logging.getLogger("busctl.follow")


def refuse_what_moves(wanted: Filter) -> None:
    """Raises ConfigurationError for a filter by what changes later, or that a follower has a place
    for: it would be left out without a word."""
    for name in ("status", "until", "after", "request_id"):
        if getattr(wanted, name) is not None:
            raise ConfigurationError(
                f"A follower cannot filter by {name}.",
                remedy="Filter by type, tool, session or owner, and look at the rest yourself.",
            )


class Follower:
    """`async with` it, `async for batch in follower.batches()`, then `commit` each batch: with what
    is written for it, or not at all.

    A batch that is not committed comes again. Several under one name take turns at batches. What a
    filter leaves out is passed over for good.
    """

    def __init__(
        self, feed: Feed, name: str, wanted: Filter = ALL, *, clock: Clock,
        since: datetime | None = None, from_now: bool = False, most: int = BATCH_MESSAGES,
        carried: Carried = Carried.BODIES,
    ) -> None:  # fmt: skip
        """A new follower begins with the oldest message there is, with the first one not older than
        `since`, or `from_now`. One that is known goes on where it was."""
        self.name = name
        self.mode: Mode | None = None
        self._feed, self._wanted, self._clock = feed, wanted, clock
        self._since, self._from_now = since, from_now
        self._most, self._carried = most, carried
        self._holder = f"{os.getpid()}-{clock.new_id()}"
        self._ear: Ear | None = None
        self._staying: asyncio.Task[None] | None = None
        self._holds = False
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Follower:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._staying is not None:
            self._staying.cancel()
            await asyncio.wait([self._staying])
        await self._stack.aclose()

    async def wakened(self) -> Mode:
        """Find out whether NOTIFY reaches us, and listen if so. Raises the store's errors."""
        if self.mode is None:
            self.mode = await self._feed.mode()
            if self.mode is not Mode.TRANSACTION:
                self._ear = await self._stack.enter_async_context(self._feed.ear())
            by = "polling" if self._ear is None else "NOTIFY"
            log.info("following", extra={"follower": self.name, "by": by, "line": self.mode.value})
        return self.mode

    async def next(self) -> Batch | None:
        """The next batch, without waiting; None when there is nothing new, or another under this
        name has it. Raises the store's errors, and CursorForeign."""
        batch = await self._feed.claim(
            self.name, self._holder, self._wanted, most=self._most, carried=self._carried,
            since=self._since, from_now=self._from_now,
        )  # fmt: skip
        self._holds = batch is not None
        if self._holds and self._staying is None:
            self._staying = asyncio.create_task(self._stay())
        return batch

    async def batches(self, *, once: bool = False) -> AsyncIterator[Batch]:
        """Batches as they come; `once`, what is there, that of one who was killed included. A store
        that is away is waited for, unless it was never reached."""
        pause, linger, reached, is_free = FIRST_PAUSE_SECS, 0.0, False, False
        while True:
            try:
                if not once:
                    await self.wakened()
                batch = await self.next()
                reached = True
            except StoreUnreachable as error:
                if once or not reached:
                    raise
                log.warning("the store is away", extra={"error": error.message})
                await asyncio.sleep(LONGEST_PAUSE_SECS)
                continue
            if batch is None:
                if once and is_free:
                    return
                # Whoever has the next batch does it, or was killed and what it had comes again.
                is_free = once and not await self._feed.is_held(self.name, self._holder)
                if not is_free:
                    pause = FIRST_PAUSE_SECS if await self._called(pause) else longer(pause)
            elif batch.count:
                pause, linger, is_free = FIRST_PAUSE_SECS, gathering(batch, linger), False
                yield batch
                if batch.place.complete and not once:
                    await asyncio.sleep(linger)
            else:
                await self.commit(batch)

    async def commit(self, batch: Batch, messages: Sequence[tuple[Draft, bytes]] = ()) -> bool:
        """Move behind the batch and store `messages`, both or neither. False when that was not
        done, or is not known to be: another did the batch, or the store went away. Either way what
        was not done comes again."""
        try:
            return await self._feed.commit(batch, messages)
        except StoreUnreachable as error:
            log.warning("a batch was not committed", extra={"error": error.message})
            return False
        finally:
            self._holds = False

    def transaction(self, batch: Batch) -> AbstractAsyncContextManager[Any]:
        """A connection (psycopg's) whose transaction moves behind the batch: what is written on it
        is committed with that, at the end of the block. Raises CursorMoved."""
        return self._feed.transaction(batch)

    async def forget(self) -> bool:
        """Remove the follower: its name begins anew."""
        await self._feed.tidy()
        return await self._feed.forget(self.name)

    async def _called(self, pause: float) -> bool:
        if self._ear is None:
            await asyncio.sleep(pause)
            return False
        if self._staying is None:
            self._staying = asyncio.create_task(self._stay())
        try:
            # Who does not know yet that we listen does not call.
            return await self._ear.wait(pause)
        except StoreUnreachable as error:
            log.warning("not listening", extra={"error": error.message})
            await asyncio.sleep(LONGEST_PAUSE_SECS)
            return False

    async def _stay(self) -> None:
        """Keep what is held, and have writers know that we listen."""
        told = float("-inf")
        while True:
            now = self._clock.monotonic()
            renew = self._ear is not None and now - told > LISTEN_SECS / 4
            if renew or self._holds:
                try:
                    listens = LISTEN_SECS if self._ear is not None else None
                    await self._feed.stay(self.name, self._holder, listen_secs=listens)
                    told = now
                except BusctlError as error:  # one that lasts shows at the next batch
                    log.warning("not renewed", extra={"error": error.message})
            await asyncio.sleep(LEASE_SECS / 3)
