"""What is measured: the bus, and whatever keeps bytes the same way, to measure it against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from busctl.core.envelope import Labels
from busctl.ops.bus import Bus, Outgoing

LABELS = Labels(content_type="application/json", tool_name="busctl.bench")


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
    """The bus itself, hashing and verifying as always."""

    name = "bus"

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._stored: list[UUID] = []

    async def store(self, id: UUID, payload: bytes) -> None:
        self._stored.append(id)
        await self._bus.put(payload, LABELS, transaction_id=id)

    async def store_many(self, ids: Sequence[UUID], payloads: Sequence[bytes]) -> None:
        self._stored.extend(ids)
        await self._bus.put_many(
            [Outgoing(payload, LABELS, one) for one, payload in zip(ids, payloads, strict=True)]
        )

    async def fetch(self, id: UUID) -> bytes:
        return await self._bus.get(id)

    async def settle(self) -> None:
        await self._bus.deliveries.flush()

    async def empty(self) -> None:
        stored, self._stored = self._stored, []
        for one in stored:
            await self._bus.remove(one)
