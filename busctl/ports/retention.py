"""What a message costs and when it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from busctl.core.retention import Contents, Holding, Partition


@dataclass(frozen=True, slots=True)
class Deleted:
    """One batch of rows that cleanup removed, and where the next one continues (None: the end).

    `stored_bytes` are reusable by the database, not returned to the disk."""

    rows: int
    payload_bytes: int
    stored_bytes: int
    last_id: UUID | None


@dataclass(frozen=True, slots=True)
class Dropped:
    """Partitions that left whole: their messages, payload bytes, and bytes given to the disk."""

    rows: int
    payload_bytes: int
    returned_bytes: int


class Admission(Protocol):
    """Decides whether the store takes a put."""

    async def admit(self) -> None:
        """Raises StoreOverBudget when nothing more is taken."""

    async def look(self) -> int:
        """Measure now what `admit` goes by; in bytes. Raises the store's errors."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of what ended long ago were deleted."""

    system_events: int
    tokens: int


class Retention(Protocol):
    """What cleanup asks of the store. Each call is short and stands for itself. All of them work
    where the database is read-only by default. `now` is the run's own moment: what expires after
    it stays. Raises the store's errors as Store does."""

    async def lock(self) -> bool:
        """Take the cleanup lock until `unlock`; False when another run holds it."""

    async def unlock(self) -> None: ...
    async def now(self) -> datetime: ...

    async def partitions(self) -> Sequence[Partition]:
        """All partitions, those included that an interrupted removal left detached."""

    async def contents(self, partition: Partition, now: datetime) -> Contents:
        """What an attached message partition holds."""

    async def expired_in(self, partition: Partition, now: datetime) -> Deleted:
        """How much of a message partition has expired (`last_id` is None)."""

    async def delete_expired(
        self, partition: Partition, *, now: datetime, after: UUID | None, batch: int
    ) -> Deleted:
        """Delete the next `batch` expired rows with their chunks; rows in use are passed over."""

    async def drop(self, partitions: Sequence[Partition], now: datetime) -> Dropped | None:
        """Detach and drop partitions of one time span, or finish doing so. None, and all is as
        before, when a message there has not expired after all. StoreTimeout when somebody used
        one for longer than the lock timeout."""

    async def count_requests(self, now: datetime) -> int: ...
    async def delete_requests(self, now: datetime, batch: int) -> int: ...
    async def count_forgettable(self, before: datetime) -> Forgotten:
        """What `forget` would delete."""

    async def forget(self, before: datetime) -> Forgotten:
        """Delete system events older than that, tokens that were revoked or expired before it, and
        daemons not seen for a day."""

    async def ensure_partitions(self, first: datetime, last: datetime) -> int: ...

    async def database_bytes(self) -> int: ...

    async def holding(self, partition: Partition) -> Holding:
        """How much an attached message partition holds, and how much of it may go."""

    async def drop_unexpired(self, partitions: Sequence[Partition]) -> Dropped | None:
        """As `drop`, whatever has expired: only a pinned message keeps it. The event says so."""

    async def delete_oldest(self, partition: Partition, *, delivered: bool, batch: int) -> Deleted:
        """Delete up to `batch` of the oldest messages that are not pinned, with their chunks:
        those that were delivered, or the others. `last_id` is None when none are left."""

    async def give_back(self, partitions: Sequence[Partition]) -> None:
        """Return to the disk what lies free at the end of those tables."""

    async def record_run(self, detail: Mapping[str, Any]) -> None:
        """Note that a cleanup has ended now, for `busctl check expiry`."""
