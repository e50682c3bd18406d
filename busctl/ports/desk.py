"""What dashboards are told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from busctl.core.envelope import Envelope, Event
from busctl.core.operating.alert import Notice
from busctl.core.operating.finding import Finding
from busctl.core.operating.flow import Flow, Load, Now, Window
from busctl.core.operating.health import Health
from busctl.core.trace import Trace
from busctl.core.watching.watch import Watch
from busctl.ports.store import Filter


class Traffic(Protocol):
    """The roll-up of messages by the minute. Raises the store's errors as Store does."""

    async def refresh(self, first: datetime, last: datetime) -> int:
        """Count the minutes [first, last) anew; returns how many lines of them changed. Doing it
        again changes nothing, and what was removed meanwhile stays counted."""

    async def flow(self, window: Window, owner: str | None) -> Flow:
        """What flowed in the window, of one owner or (None) of all."""

    async def load(self) -> Load: ...
    async def watch(self, limit: int) -> Watch:
        """Followers, and at most so many of the newest observations of a day and of the findings
        that are warnings or worse."""

    async def observed(self, transaction_id: UUID) -> Watch:
        """What watchers saw of one message, and all that they found; no followers."""


class Desk(Protocol):
    """What dashboards are told. `owner` limits it to the messages of one principal, None does not.
    However many ask, the store is asked once a second. Raises the store's errors and those of
    claims: MessageMissing, MessageExpired, MessageCorrupt, AccessDenied."""

    @property
    def draining(self) -> bool:
        """Whether the daemon is about to stop."""

    async def now(self, window: Window, owner: str | None) -> Now:
        """Raises nothing of the store's: `store_fault` tells why there is little to see."""

    def load(self) -> Load | None:
        """As it was within the last half minute; None while it is not known yet."""

    async def listing(self, wanted: Filter) -> Sequence[Envelope]: ...
    async def envelope(self, transaction_id: UUID, owner: str | None) -> Envelope: ...
    async def events(self, transaction_id: UUID, owner: str | None) -> Sequence[Event]: ...
    async def trace(self, transaction_id: UUID, owner: str | None) -> Trace: ...
    async def piece(
        self, transaction_id: UUID, offset: int, length: int, owner: str | None
    ) -> bytes:
        """Verified bytes of a payload, without that being a delivery."""

    async def verify(self, transaction_id: UUID, owner: str | None) -> Sequence[Finding]:
        """Read it all and check every digest; what is wrong."""

    async def health(self) -> Health:
        """Every check but the canaries, as it was within the last ten seconds."""

    async def watch(self) -> Watch:
        """What followers and watchers have done."""

    async def observed(self, transaction_id: UUID, owner: str | None) -> Watch:
        """What watchers saw of one message."""

    async def notices(self) -> Sequence[Notice]:
        """The newest alerts raised and cleared, newest first."""
