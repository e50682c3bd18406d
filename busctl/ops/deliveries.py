"""Recording beside the way of payloads, coalesced, off their round trip, never failing them:
redemptions, which count, and what the hops have seen."""

from __future__ import annotations

import asyncio
import logging

from busctl.core.envelope import Event
from busctl.core.errors import BusctlError, StoreUnreachable
from busctl.ports import Delivery, Store

FLUSH_SECONDS = 0.02
RETRY_SECONDS = 1.0
"""Between two tries while the store is away."""
MAX_BATCH = 500
MAX_KEPT = 10_000
"""Lines of either sort kept for a store that is away; the oldest give way."""

log = logging.getLogger("busctl.deliveries")


class Deliveries:
    """Collects deliveries and events and writes them in batches; `unrecorded` counts what could
    not be. Events wait for a store that is away. Deliveries do only where the breaker is open:
    one whose recording was cut off may have been counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Delivery] = []
        self._noted: list[Event] = []
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._away = False
        self.unrecorded = 0

    def add(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
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
            waiting, self._waiting = self._waiting, []
            noted, self._noted = self._noted, []
            self._away = False
            self._waiting[:0] = await self._record(waiting)
            self._noted[:0] = await self._record_events(noted)

    async def close(self) -> None:
        # Flushed first: to cancel a batch that is being written would lose it.
        await self.flush()
        for left in (self._waiting, self._noted):
            if left:
                self._lost(left, "the store is away")
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _record(self, waiting: list[Delivery]) -> list[Delivery]:
        """Write them; returns those that are to be tried again."""
        for start in range(0, len(waiting), MAX_BATCH):
            batch = waiting[start : start + MAX_BATCH]
            try:
                await self._store.record_deliveries(batch)
            except BusctlError as error:
                if getattr(error, "retry_after", None) is None:
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
        while self._waiting or self._noted:
            await asyncio.sleep(RETRY_SECONDS if self._away else FLUSH_SECONDS)
            await self.flush()
