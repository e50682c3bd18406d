"""What waits on disk for the store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from busctl.core.envelope import Chunk, Envelope, Event
from busctl.ports.store import Draft, Found, Request, Sink, Stored


@dataclass(frozen=True, slots=True)
class Extent:
    """What a spool holds. `aside` are files that were not stored and wait for a person; their
    bytes take room in the spool, too."""

    messages: int
    size_bytes: int
    oldest: datetime | None
    aside: int
    aside_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in the spool: its envelope with its own times, when and why it came there."""

    draft: Draft
    at: datetime
    reason: str
    daemon: str


class Held(Protocol):
    """A message of the spool, locked: nobody else drains it meanwhile."""

    @property
    def waiting(self) -> Waiting: ...
    async def put_into(self, sink: Sink) -> Stored:
        """Store it as it is. Raises SpoolDamaged, and the sink's errors."""

    async def done(self) -> None:
        """It is stored: take it out."""

    async def set_aside(self, why: str) -> str:
        """It will not be stored: keep its file where it no longer waits; returns that place."""


class Spool(Protocol):
    """Keeps on this host's disk what the store could not take. Raises SpoolFull, FileFailed, and
    SpoolDamaged for a damaged file. Processes may share one."""

    @property
    def place(self) -> str: ...
    def sink(self, reason: str, daemon: str) -> Sink: ...
    def room(self) -> int:
        """Bytes that it takes yet."""

    def holds(self, transaction_id: UUID) -> bool: ...
    def ids(self) -> Sequence[UUID]:
        """What waits, oldest first."""

    def extent(self) -> Extent: ...
    def sweep(self) -> int:
        """Remove what a writer that died has left half-written; counts the files."""

    async def find(self, transaction_id: UUID) -> Found | None: ...
    async def chunks(
        self, transaction_id: UUID, first: int, last: int
    ) -> Sequence[Chunk] | None: ...
    async def stat(self, transaction_id: UUID) -> Envelope | None: ...
    async def events(self, transaction_id: UUID) -> Sequence[Event]: ...
    async def answer_of(self, request: Request) -> UUID | None:
        """The message that waits and answers this request."""

    def hold(self, transaction_id: UUID) -> AbstractAsyncContextManager[Held | None]:
        """Lock a message; None when another drains it, or it no longer waits. Raises
        SpoolDamaged for a file without a readable envelope."""

    async def set_aside(self, transaction_id: UUID, why: str) -> str:
        """As of one that is held, for a file that cannot be."""
