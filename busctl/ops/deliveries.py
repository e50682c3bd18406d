"""Recording beside the way of payloads, coalesced, off their round trip, never failing them:
redemptions, which count, and what the hops have seen."""

from __future__ import annotations

import asyncio
import logging

from busctl.core.envelope import Event
from busctl.core.errors import BusctlError, StoreUnreachable
from busctl.ports import Delivery, Spool, Store

FLUSH_SECONDS = 0.02
RETRY_SECONDS = 1.0
"""Between two tries while the store is away."""
MAX_BATCH = 500
MAX_KEPT = 10_000
"""Lines of either sort kept for a store that is away; the oldest give way."""

log = logging.getLogger("busctl.deliveries")


class Deliveries:
    """Collects deliveries and events and writes them in batches; `unrecorded` counts what could
    not be. Events wait for a store that is away. Deliveries do only while it cannot have counted
    them: one whose recording was cut off may have been. Those of what is in the spool wait until
    it has left that, as there is no row before."""

    def __init__(self, store: Store, spool: Spool | None = None) -> None:
        self._store = store
        self._spool = spool
        self._waiting: list[Delivery] = []
        self._spooled: list[Delivery] = []
        self._noted: list[Event] = []
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._away = False
        self.unrecorded = 0

    def add(self, delivery: Delivery, *, spooled: bool = False) -> None:
        """`spooled`: what was delivered was read from the spool."""
        (self._spooled if spooled else self._waiting).append(delivery)
        self._wake()

    def note(self, event: Event) -> None:
        """An event that a crash of the server may lose, unlike one that is recorded at once."""
        self._noted.append(event)
        self._wake()

    async def flush(self) -> None:
        """Write what waits now. Losing a record is logged and counted, never raised."""
        async with self._writing:
            # What comes while this is written waits for its own turn: else a busy reader would
            # have each of its deliveries written alone.
            waiting, self._waiting = self._waiting + self._drained(), []
            noted, self._noted = self._noted, []
            self._away = False
            self._waiting[:0] = await self._record(waiting)
            self._noted[:0] = await self._record_events(noted)

    async def close(self) -> None:
        # Flushed first: to cancel a batch that is being written would lose it.
        await self.flush()
        for left in (self._waiting, self._spooled, self._noted):
            if left:
                self._lost(left, "the store is away")
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _drained(self) -> list[Delivery]:
        """Those of messages that have left the spool."""
        held: list[Delivery] = []
        drained: list[Delivery] = []
        for one in self._spooled[-MAX_KEPT:]:
            is_held = self._spool is not None and self._spool.holds(one.transaction_id)
            (held if is_held else drained).append(one)
        if self._spooled[:-MAX_KEPT]:
            self._lost(self._spooled[:-MAX_KEPT], "too many wait in the spool")
        self._spooled = held
        return drained

    async def _record(self, waiting: list[Delivery]) -> list[Delivery]:
        """Write them; returns those that are to be tried again."""
        for start in range(0, len(waiting), MAX_BATCH):
            batch = waiting[start : start + MAX_BATCH]
            try:
                await self._store.record_deliveries(batch)
            except BusctlError as error:
                if getattr(error, "asked", True):
                    self._lost(batch, str(error))
                    continue
                self._away = True
                left = waiting[start:]
                if len(left) > MAX_KEPT:
                    self._lost(left[:-MAX_KEPT], "the store has been away for long")
                return left[-MAX_KEPT:]
        return []

    async def _record_events(self, noted: list[Event]) -> list[Event]:
        """As `_record`."""
        for start in range(0, len(noted), MAX_BATCH):
            batch = noted[start : start + MAX_BATCH]
            try:
                await self._store.record_events(batch, durable=False)
            except StoreUnreachable:
                self._away = True
                left = noted[start:]
                if len(left) > MAX_KEPT:
                    self._lost(left[:-MAX_KEPT], "the store has been away for long")
                return left[-MAX_KEPT:]
            except BusctlError as error:
                self._lost(batch, str(error))
        return []

    def _lost(self, lines: list[Delivery] | list[Event], why: str) -> None:
        self.unrecorded += len(lines)
        log.warning(
            "deliveries not recorded: %d, first of %s: %s",
            len(lines), lines[0].transaction_id, why,
        )  # fmt: skip

    def _wake(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush_soon())

    async def _flush_soon(self) -> None:
        while self._waiting or self._noted or self._spooled:
            soon = (self._waiting or self._noted) and not self._away
            await asyncio.sleep(FLUSH_SECONDS if soon else RETRY_SECONDS)
            await self.flush()
