"""A store behind its breaker, with what waits in the spool beside it.

Reads and writes have a breaker each: a store that takes no writes (read-only, full) is still read.
What tells either that the store is away, or back, tells the other too.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from busctl.core.breaker import AWAY, Breaker, Outcome, Permit, State, outcome_of
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Chunk, Envelope, Event
from busctl.core.errors import BusctlError, StoreUnreachable
from busctl.ports import (
    Clock,
    Delivery,
    Draft,
    Filter,
    Found,
    Lease,
    Partition,
    Request,
    Spool,
    Store,
    Stored,
)

Result = TypeVar("Result")
Changed = Callable[[Breaker, State], None]
"""Told of a transition: the breaker as it is now, and the state it was in."""


class NoStore:
    """In place of a store that is not to be had (the bus is switched off): whatever it is asked is
    refused with `why`."""

    def __init__(self, why: BusctlError) -> None:
        self._why = why

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def refuse(*_: object, **__: object) -> Any:
            if name != "close":
                raise self._why

        return refuse


class GuardedStore:
    """Implements `busctl.ports.Store` around one. A message in the spool is read from there; when
    a breaker is open, a call raises StoreUnreachable at once, with `retry_after`."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, spool: Spool | None = None
    ) -> None:
        self.inner = store
        self.spool = spool
        self._clock = clock
        threshold, seconds = (
            settings.circuit_breaker_threshold, settings.circuit_breaker_timeout_secs,
        )  # fmt: skip
        now = clock.monotonic()
        self.reads = Breaker(threshold, seconds, now)
        self.writes = Breaker(threshold, seconds, now)
        self.on_change: Changed | None = None
        self.on_put: Callable[[Draft], None] | None = None
        """Told of each message that the store took."""

    # --- writing ---------------------------------------------------------------------------

    async def put(self, draft: Draft, body: bytes) -> Stored:
        stored = await self.guarded(self.inner.put(draft, body), self.writes)
        self._tell_put(draft)
        return stored

    async def put_many(self, drafts: Sequence[tuple[Draft, bytes]]) -> Mapping[UUID, datetime]:
        return await self._write(self.inner.put_many(drafts))

    async def put_chunks(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        sealed: list[Draft] = []

        def noted() -> Draft:
            sealed.append(seal())
            return sealed[-1]

        stored = await self._write(self.inner.put_chunks(transaction_id, chunks, noted))
        self._tell_put(sealed[-1])
        return stored

    def _tell_put(self, draft: Draft) -> None:
        if self.on_put is not None:
            self.on_put(draft)

    async def record_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        await self._write(self.inner.record_deliveries(deliveries))

    async def record_events(self, events: Sequence[Event], *, durable: bool = True) -> None:
        await self._write(self.inner.record_events(events, durable=durable))

    async def record_reconciled(
        self, fell_back: Event, reconciled: Event, request: Request | None, ttl: timedelta
    ) -> bool:
        return await self._write(self.inner.record_reconciled(fell_back, reconciled, request, ttl))

    async def retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope | None:
        return await self._write(self.inner.retain(transaction_id, pinned=pinned, ttl=ttl))

    async def remove(self, transaction_id: UUID) -> bool:
        return await self._write(self.inner.remove(transaction_id))

    async def ensure_partitions(self, first: datetime, last: datetime) -> int:
        return await self._write(self.inner.ensure_partitions(first, last))

    async def request_begin(
        self, owner: str, session_id: str, request_id: str, transaction_id: UUID, *,
        daemon: str, lease: timedelta, ttl: timedelta,
    ) -> Lease:  # fmt: skip
        return await self._write(self.inner.request_begin(
            owner, session_id, request_id, transaction_id, daemon=daemon, lease=lease, ttl=ttl
        ))  # fmt: skip

    async def request_renew(
        self, owner: str, session_id: str, request_id: str, *,
        daemon: str, lease: timedelta, answered: bool,
    ) -> bool:  # fmt: skip
        return await self._write(self.inner.request_renew(
            owner, session_id, request_id, daemon=daemon, lease=lease, answered=answered
        ))  # fmt: skip

    # --- reading ---------------------------------------------------------------------------

    async def find(self, transaction_id: UUID) -> Found | None:
        # The spool first: a message goes from there into the store, never the other way.
        if self.spool is not None and self.spool.holds(transaction_id):
            waiting = await self.spool.find(transaction_id)
            if waiting is not None:
                return waiting
        return await self._seek(self.inner.find(transaction_id))

    async def chunks(self, transaction_id: UUID, first: int, last: int) -> Sequence[Chunk]:
        if self.spool is not None and self.spool.holds(transaction_id):
            waiting = await self.spool.chunks(transaction_id, first, last)
            if waiting is not None:
                return waiting
        return await self._seek(self.inner.chunks(transaction_id, first, last))

    async def stat(self, transaction_id: UUID) -> Envelope | None:
        if self.spool is not None and self.spool.holds(transaction_id):
            waiting = await self.spool.stat(transaction_id)
            if waiting is not None:
                return waiting
        return await self._seek(self.inner.stat(transaction_id))

    async def events(self, transaction_id: UUID) -> Sequence[Event]:
        if self.spool is not None and self.spool.holds(transaction_id):
            waiting = await self.spool.events(transaction_id)
            if waiting:
                return waiting
        return await self._read(self.inner.events(transaction_id))

    async def list(self, wanted: Filter) -> Sequence[Envelope]:
        return await self._read(self.inner.list(wanted))

    async def partitions(self) -> Sequence[Partition]:
        return await self._read(self.inner.partitions())

    async def ping(self) -> float:
        return await self._read(self.inner.ping())

    async def wake(self) -> bool:
        """Past the breakers: a courtesy that fails says nothing of reads or writes."""
        return self.reads.state is State.CLOSED and await self.inner.wake()

    async def close(self) -> None:
        await self.inner.close()

    # --- the breakers ----------------------------------------------------------------------

    async def _write(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await self.guarded(work, self.writes)

    async def _read(self, work: Coroutine[Any, Any, Result]) -> Result:
        return await self.guarded(work, self.reads)

    async def _seek(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Of one message, which is nowhere else: it is a trial soon after the last failure."""
        return await self.guarded(work, self.reads, urgent=True)

    async def guarded(
        self, work: Coroutine[Any, Any, Result], breaker: Breaker, *, urgent: bool = False
    ) -> Result:
        """Do the work if the breaker lets it through, and tell it how that went."""
        before = breaker.state
        permit = breaker.admit(self._clock.monotonic(), urgent=urgent)
        if permit is None:
            work.close()
            raise self._left_alone(breaker, urgent=urgent)
        if breaker.state is not before:
            self._changed(breaker, before)
        try:
            result = await work
        except BaseException as error:
            self._ended(breaker, permit, error)
            raise
        if breaker.failures or breaker.state is not State.CLOSED:
            self._ended(breaker, permit, None)
        return result

    def _ended(self, breaker: Breaker, permit: Permit, error: BaseException | None) -> None:
        outcome = outcome_of(error)
        self._settle(breaker, lambda *told: breaker.settle(permit, outcome, *told), error)
        other = self.writes if breaker is self.reads else self.reads
        if isinstance(error, AWAY) and outcome is Outcome.FAILURE:
            self._settle(other, lambda *told: other.witness(outcome, *told), error)
        elif breaker.state is State.CLOSED:
            other.hasten(self._clock.monotonic())

    def _settle(
        self, breaker: Breaker, settle: Callable[[float, float, str], None],
        error: BaseException | None,
    ) -> None:  # fmt: skip
        before = breaker.state
        reason = error.message if isinstance(error, BusctlError) else ""
        settle(self._clock.monotonic(), random.random(), reason)  # noqa: S311  # spreads, hides nothing
        if breaker.state is not before:
            self._changed(breaker, before)

    def _changed(self, breaker: Breaker, before: State) -> None:
        if self.on_change is not None:
            self.on_change(breaker, before)

    def _left_alone(self, breaker: Breaker, *, urgent: bool) -> StoreUnreachable:
        wait = breaker.wait(self._clock.monotonic(), urgent=urgent)
        then = f"in {wait:.1f} s" if wait else "just now by another call"
        error = StoreUnreachable(
            f"The store failed {breaker.failures} times in a row and is left alone; it is tried "
            f"again {then}. Last failure: {breaker.reason}"
        )
        error.retry_after = max(wait, 0.1)
        error.asked = False
        return error
