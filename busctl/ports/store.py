"""Where messages are kept."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from busctl.core.envelope import Chunk, Compression, Envelope, Event, Labels, MessageType, Status
from busctl.core.retention import Partition


@dataclass(frozen=True, slots=True)
class Draft:
    """An envelope before the store has given it its times. `created_at` None means now.

    `created_at` is only for messages that are older than their storing: imports, reconciling.
    """

    transaction_id: UUID
    labels: Labels
    payload_size_bytes: int
    checksum: bytes
    compression: Compression
    stored_size_bytes: int
    stored_checksum: bytes
    chunk_count: int
    ttl: timedelta
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The store's answer to a put. `fresh` is False when the same payload was there already,
    `spooled` True when it waits in the spool for the store."""

    fresh: bool
    created_at: datetime
    expires_at: datetime
    spooled: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The part of an envelope that reading needs, and the body when it is in the row."""

    transaction_id: UUID
    payload_size_bytes: int
    stored_size_bytes: int
    chunk_count: int
    compression: Compression
    content_type: str
    owner: str
    checksum: bytes
    stored_checksum: bytes
    live: bool
    expires_at: datetime
    message_type: MessageType
    duration_ms: float
    body: bytes | None
    spooled: bool = False
    incomplete: str = ""
    """As `Labels.incomplete`."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One redemption to be recorded; `hop` is where it happened, `duration_ms` server-side."""

    transaction_id: UUID
    at: datetime
    duration_ms: float
    hop: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which messages to list. `after` continues a listing below that id (newest first)."""

    message_type: MessageType | None = None
    tool_name: str | None = None
    session_id: str | None = None
    request_id: str | None = None
    owner: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: UUID | None = None
    limit: int = 50
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """Who runs a request: `mine` to run it now, else `done` tells whether it was answered."""

    mine: bool
    transaction_id: UUID
    done: bool


@dataclass(frozen=True, slots=True)
class Request:
    """What names one call of one client."""

    owner: str
    session_id: str
    request_id: str


class Sink(Protocol):
    """Where a put goes: the store, or the spool while that is away."""

    async def put(self, draft: Draft, body: bytes) -> Stored:
        """Store a message whose body is in the row. Raises TransactionConflict, OutsideHorizon."""

    async def put_chunks(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        """Store chunks as they come and the envelope last, all in one transaction."""


class Store(Sink, Protocol):
    """Keeps and finds envelopes. Every method raises the named errors of core.errors:
    StoreUnreachable, StoreTimeout, StoreReadOnly, StoreFull, AccessDenied, SchemaMissing,
    StoreFailed."""

    async def put_many(self, drafts: Sequence[tuple[Draft, bytes]]) -> Mapping[UUID, datetime]:
        """Store many in-row messages in one statement; returns the ids that were new, with the
        store's own time of it."""

    async def find(self, transaction_id: UUID) -> Found | None: ...

    async def chunks(self, transaction_id: UUID, first: int, last: int) -> Sequence[Chunk]:
        """Chunks first … last (inclusive) in order; fewer when some are not there."""

    async def record_deliveries(self, deliveries: Sequence[Delivery]) -> None: ...
    async def record_events(self, events: Sequence[Event], *, durable: bool = True) -> None:
        """Add to the audit trail; without `durable` in one round trip that does not wait for the
        disk."""

    async def record_reconciled(
        self, fell_back: Event, reconciled: Event, request: Request | None, ttl: timedelta
    ) -> bool:
        """Both events of one message, unless it has them; and that its request was answered."""

    async def stat(self, transaction_id: UUID) -> Envelope | None: ...
    async def events(self, transaction_id: UUID) -> Sequence[Event]: ...
    async def list(self, wanted: Filter) -> Sequence[Envelope]: ...

    async def retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope | None:
        """Pin, unpin or give a new time to live from now; None when there is no such message."""

    async def remove(self, transaction_id: UUID) -> bool: ...
    async def ensure_partitions(self, first: datetime, last: datetime) -> int: ...
    async def partitions(self) -> Sequence[Partition]: ...
    async def request_begin(
        self, owner: str, session_id: str, request_id: str, transaction_id: UUID, *,
        daemon: str, lease: timedelta, ttl: timedelta,
    ) -> Lease: ...  # fmt: skip
    async def request_renew(
        self, owner: str, session_id: str, request_id: str, *,
        daemon: str, lease: timedelta, answered: bool,
    ) -> bool: ...  # fmt: skip
    async def ping(self) -> float:
        """One round trip; its time in milliseconds."""

    async def wake(self) -> bool:
        """Call those who wait for new messages; False when nobody does."""

    async def close(self) -> None: ...
