"""Streamed reading with verification, against SHA-256 of the same bytes alone."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

from busctl.core.errors import MessageCorrupt
from busctl.core.samples import KEPT
from busctl.ops.bench.compare import timed
from busctl.ops.bench.report import Row, ratios
from busctl.ops.bench.series import Series
from busctl.ops.bench.subjects import LABELS, remove
from busctl.ops.bus import Bus
from busctl.ports import Clock


async def compare_streaming(
    bus: Bus, content: str, payload: bytes, repeat: int, clock: Clock, step: Callable[[], None]
) -> list[Row]:
    """Times of reading one message in pieces that nobody keeps."""
    series = {"bus": Series(), "sha256": Series()}
    chosen = clock.new_id()
    try:
        await bus.put(payload, LABELS, transaction_id=chosen, ttl=KEPT)
        for number in range(-1, repeat):
            streamed, size = await timed(_read(bus, chosen), clock)
            _same_size(chosen, len(payload), size)
            await bus.deliveries.flush()
            hashed, _ = await timed(_hash(payload), clock)
            if number >= 0:
                series["bus"].add(streamed)
                series["sha256"].add(hashed)
            step()
    finally:
        await remove(bus, chosen)
    return [
        Row("store", content, len(payload), "stream", name, series[name],
            against=ratios(name, series))
        for name in series
    ]  # fmt: skip


def _same_size(id: UUID, wanted: int, found: int) -> None:
    if found != wanted:
        raise MessageCorrupt(
            f"Message {id} came back with {found} bytes, not {wanted}.",
            transaction_id=id,
            byte_range=(min(found, wanted), max(found, wanted)),
        )


async def _read(bus: Bus, transaction_id: UUID) -> int:
    size = 0
    async for piece in bus.stream(transaction_id):
        size += len(piece)
    return size


async def _hash(payload: bytes) -> bytes:
    return sha256(payload).digest()
