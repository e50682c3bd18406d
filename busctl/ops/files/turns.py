"""One turn of a conversation: taken, held while the model answers, added whole or not at all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from busctl.core.errors import BusctlError, ConversationBusy
from busctl.ops.access import Access
from busctl.ports import Conversations, Floor, Spoken, Thread

LEASE = timedelta(seconds=30)
RENEW_SECS = 10.0
AGAIN_SECS = 2.0
"""When a client that came too early is told to come again."""

log = logging.getLogger("busctl.files")


@dataclass(slots=True)
class Turn:
    """A turn that is ours. `until` bounds its renewal (the monotonic clock's seconds): a turn whose
    call has got lost ends by itself."""

    bus: Access
    conversations: Conversations
    thread: Thread
    holder: str
    floor: Floor
    until: float
    _renewing: asyncio.Task[None] = field(init=False)

    @classmethod
    async def taken(
        cls, bus: Access, conversations: Conversations, thread: Thread, holder: str
    ) -> Turn:
        """Raises ConversationBusy while another turn is being answered, and the store's errors."""
        begin = conversations.begin(thread, holder, LEASE, bus.settings.ttl)
        floor = await bus.store.guarded(begin, bus.store.writes)
        if floor is None:
            raise ConversationBusy(
                f"Another turn of the conversation {thread.conversation_id!r} is being answered.",
                retry_after=AGAIN_SECS,
            )
        until = bus.clock.monotonic() + bus.settings.call_timeout_secs
        turn = cls(bus, conversations, thread, holder, floor, until)
        turn._renewing = asyncio.create_task(turn._renew())
        return turn

    @property
    def number(self) -> int:
        return self.floor.turns + 1

    async def add(self, spoken: Sequence[Spoken], provider: str) -> bool:
        """Add the turn and give it back; False when it was lost to somebody else meanwhile. Raises
        the store's errors."""
        await self._stop()
        store = self.bus.store
        ttl = self.bus.settings.ttl
        add = self.conversations.add(self.thread, self.holder, spoken, provider, ttl)
        return await store.guarded(add, store.writes) is not None

    async def free(self) -> None:
        """Give it back: nothing was said."""
        await self._stop()
        store = self.bus.store
        try:
            await store.guarded(self.conversations.free(self.thread, self.holder), store.writes)
        except BusctlError as error:
            # It ends by itself.
            log.warning("turn not given back", extra={"error": error.message})

    async def _stop(self) -> None:
        self._renewing.cancel()
        await asyncio.wait([self._renewing])

    async def _renew(self) -> None:
        store = self.bus.store
        while self.bus.clock.monotonic() < self.until:
            await asyncio.sleep(RENEW_SECS)
            try:
                renew = self.conversations.renew(self.thread, self.holder, LEASE)
                await store.guarded(renew, store.writes)
            except BusctlError as error:
                # Adding the turn tells whether it was lost.
                log.warning("turn not renewed", extra={"error": error.message})
