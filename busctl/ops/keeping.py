"""Looking at messages, and deciding how long they stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from busctl.core.durations import check_ttl
from busctl.core.envelope import Envelope, Event
from busctl.ops.access import Access
from busctl.ops.putting import AHEAD
from busctl.ports import Filter


class Keeping(Access):
    """The part of the bus that sees envelopes, not payloads."""

    async def stat(self, transaction_id: UUID) -> Envelope:
        """The envelope, also of an expired message still there. Raises MessageMissing/Expired."""
        await self.deliveries.flush()
        envelope = await self.store.stat(transaction_id)
        if envelope is None:
            raise await self.absent(transaction_id)
        return envelope

    async def events(self, transaction_id: UUID) -> Sequence[Event]:
        """The audit trail of one message, oldest first; empty when nothing is known of it."""
        await self.deliveries.flush()
        return await self.store.events(transaction_id)

    async def list(self, wanted: Filter | None = None) -> Sequence[Envelope]:
        """Envelopes that match, newest first."""
        await self.deliveries.flush()
        return await self.store.list(wanted or Filter())

    async def pin(self, transaction_id: UUID) -> Envelope:
        """Keep a message until it is unpinned."""
        return await self._retain(transaction_id, pinned=True)

    async def unpin(self, transaction_id: UUID) -> Envelope:
        """Let a message expire again; one past its time gets a whole TTL from now."""
        envelope = await self._retain(transaction_id, pinned=False)
        if envelope.expires_at <= self.clock.now():
            return await self._retain(transaction_id, ttl=self.settings.ttl)
        return envelope

    async def extend(self, transaction_id: UUID, ttl: timedelta) -> Envelope:
        """Give a message a new time to live, counted from now. Raises ConfigurationError for one
        that would end at once, or never."""
        check_ttl(ttl)
        return await self._retain(transaction_id, ttl=ttl)

    async def remove(self, transaction_id: UUID) -> None:
        """Delete a message at once; its events stay. Raises MessageMissing/Expired."""
        if not await self.store.remove(transaction_id):
            raise await self.absent(transaction_id)

    async def ensure_partitions(self) -> int:
        """Make the partitions from now until a day ahead; returns how many were made."""
        now = self.clock.now()
        return await self.store.ensure_partitions(now, now + AHEAD)

    async def _retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope:
        envelope = await self.store.retain(transaction_id, pinned=pinned, ttl=ttl)
        if envelope is None:
            raise await self.absent(transaction_id)
        return envelope
