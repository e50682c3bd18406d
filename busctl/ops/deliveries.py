"""Recording redemptions beside the reads: coalesced, off their round trip, never failing them."""

from __future__ import annotations

import asyncio
import logging

from busctl.core.errors import BusctlError
from busctl.ports import Delivery, Store

FLUSH_SECONDS = 0.02
MAX_BATCH = 500

log = logging.getLogger("busctl.deliveries")


class Deliveries:
    """Collects deliveries and writes them in batches; `unrecorded` counts what could not be."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[Delivery] = []
        self._task: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self.unrecorded = 0

    def add(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._flush_soon())

    async def flush(self) -> None:
        """Write what waits now. Losing a record is logged and counted, never raised."""
        async with self._writing:
            # What comes while this is written waits for its own turn: else a busy reader would
            # have each of its deliveries written alone.
            waiting, self._waiting = self._waiting, []
            for start in range(0, len(waiting), MAX_BATCH):
                batch = waiting[start : start + MAX_BATCH]
                try:
                    await self._store.record_deliveries(batch)
                except BusctlError as error:
                    self.unrecorded += len(batch)
                    log.warning(
                        "deliveries not recorded: %d, first of %s: %s",
                        len(batch), batch[0].transaction_id, error,
                    )  # fmt: skip

    async def close(self) -> None:
        # Flushed first: to cancel a batch that is being written would lose it.
        await self.flush()
        if self._task is not None:
            self._task.cancel()

    async def _flush_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()
