"""Waking those who follow: one NOTIFY for many messages, never in a writer's transaction."""

from __future__ import annotations

import asyncio
import logging

from busctl.core.errors import BusctlError
from busctl.ports import Clock, Store

GAP_SECS = 0.005
"""Between two calls: 32 writers that called each time would store half as much (measured)."""
LONGEST_GAP_SECS = 0.05
"""Where messages come without a pause, the gaps grow to this: followers then look in batches."""
QUIET_SECS = 1.0
"""How long nobody is called after nobody listened."""
CLOSE_SECS = 0.5
FIRST_SECS = 0.2
"""A command that stores one message and leaves calls nobody; followers look by themselves, too."""

log = logging.getLogger("busctl.waking")


class Waking:
    """`stored()` after each put. Costs it nothing: the call is another connection's."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._more = self._calling = False
        self._quiet_until = clock.monotonic() + FIRST_SECS

    def stored(self) -> None:
        self._more = True
        if self._task is None and self._clock.monotonic() >= self._quiet_until:
            self._task = asyncio.create_task(self._wake())

    async def close(self) -> None:
        task = self._task
        if task is not None:
            if self._calling:
                # Cut off while it connects, it would leave half a connection behind.
                await asyncio.wait([task], timeout=CLOSE_SECS)
            task.cancel()
            await asyncio.wait([task])

    async def _wake(self) -> None:
        try:
            gap = GAP_SECS
            while self._more:
                self._more, self._calling = False, True
                heard = await self._store.wake()
                self._calling = False
                if not heard:
                    self._quiet_until = self._clock.monotonic() + QUIET_SECS
                    return
                await asyncio.sleep(gap)
                gap = min(2 * gap, LONGEST_GAP_SECS)
        except BusctlError as error:
            # They look by themselves; the message is stored.
            log.info("followers not woken", extra={"error": error.message})
            self._quiet_until = self._clock.monotonic() + QUIET_SECS
        finally:
            self._task, self._calling = None, False
