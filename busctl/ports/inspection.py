"""What checks look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from busctl.core.fsck import Inspected, Orphan


@dataclass(frozen=True, slots=True)
class StoreLine:
    """The connection to the store: what connecting took in ms, whether a pooler answers in place
    of the server, whether it is encrypted, and whether it leaves this machine. `unverified` says
    what it leaves open there, "" if nothing."""

    connect_ms: float
    pooled: bool
    encrypted: bool
    is_local: bool
    unverified: str = ""


class Facts(Protocol):
    """Asks the store about itself. Every method raises the store's named errors."""

    @property
    def line(self) -> StoreLine: ...

    async def ask(self, question: str) -> Sequence[Mapping[str, Any]]:
        """The rows of a query named `health_…`, by column, in one round trip."""

    async def ping(self) -> float:
        """One round trip; its time in ms."""


class Inspection(Protocol):
    """Looks at stored messages where they lie: stored digests are checked by the server, no payload
    travels. Each call is one short transaction. Expired messages are not looked at. Raises the
    store's errors as Store does. Spans are [first, last) in ids."""

    async def totals(self, first: UUID, last: UUID) -> tuple[int, int]:
        """Messages and their stored bytes."""

    async def pick(
        self, after: UUID, last: UUID, *, limit: int, share: float, seed: int
    ) -> Sequence[tuple[UUID, int]]:
        """The next ids behind `after` with their stored bytes; `share` (0 to 1) of them, chosen by
        id and `seed`."""

    async def look(self, ids: Sequence[UUID]) -> Sequence[Inspected]:
        """What is there of these messages; those that have left are left out."""

    async def orphans(self, first: UUID, last: UUID) -> Sequence[Orphan]: ...

    async def mark_damaged(self, details: Mapping[UUID, Mapping[str, Any]]) -> int:
        """Set their status to error and add an event `corrupt` with that detail; returns how many
        were not marked before. Deletes nothing."""
