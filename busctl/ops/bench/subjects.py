"""What is measured: the bus, and whatever keeps bytes the same way, to measure it against."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from busctl.core.envelope import Labels
from busctl.core.errors import MessageExpired, MessageMissing
from busctl.core.samples import KEPT
from busctl.ops.bus import Bus, Outgoing

LABELS = Labels(content_type="application/json", tool_name="busctl.bench")
REMOVED_AT_ONCE = 8


class Subject(Protocol):
    """A way to keep bytes by id. `settle` does, untimed, what was left for later; `empty` throws
    away what was stored."""

    name: str

    async def store(self, id: UUID, payload: bytes) -> None: ...
    async def store_many(self, ids: Sequence[UUID], payloads: Sequence[bytes]) -> None: ...
    async def fetch(self, id: UUID) -> bytes: ...
    async def settle(self) -> None: ...
    async def empty(self) -> None: ...


class BusSubject:
    """The bus itself, hashing and verifying as always. `cleaner` reaches the same store, without
    a proxy that would make removing slow."""

    name = "bus"

    def __init__(self, bus: Bus, cleaner: Bus) -> None:
        self._bus = bus
        self._cleaner = cleaner
        self._stored: list[UUID] = []

    async def store(self, id: UUID, payload: bytes) -> None:
        self._stored.append(id)
        await self._bus.put(payload, LABELS, transaction_id=id, ttl=KEPT)

    async def store_many(self, ids: Sequence[UUID], payloads: Sequence[bytes]) -> None:
        self._stored.extend(ids)
        await self._bus.put_many(
            [Outgoing(payload, LABELS, one) for one, payload in zip(ids, payloads, strict=True)],
            ttl=KEPT,
        )

    async def fetch(self, id: UUID) -> bytes:
        return await self._bus.get(id)

    async def settle(self) -> None:
        await self._bus.deliveries.flush()

    async def empty(self) -> None:
        stored, self._stored = self._stored, []
        await remove_all(self._cleaner, stored)


async def remove_all(bus: Bus, ids: Sequence[UUID]) -> None:
    """Remove these messages, several at once."""
    for start in range(0, len(ids), REMOVED_AT_ONCE):
        await asyncio.gather(*(remove(bus, one) for one in ids[start : start + REMOVED_AT_ONCE]))


async def remove(bus: Bus, id: UUID) -> None:
    """Remove a message, if it is there: a run that was stopped may not have stored it yet."""
    try:
        await bus.remove(id)
    except (MessageMissing, MessageExpired):
        return
