"""Streamed reading with verification, against SHA-256 of the same bytes alone."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from uuid import UUID

from busctl.core.errors import MessageCorrupt
from busctl.ops.bench.compare import timed
from busctl.ops.bench.report import Row, ratios
from busctl.ops.bench.series import Series
from busctl.ops.bench.subjects import LABELS
from busctl.ops.bus import Bus
from busctl.ports import Clock


async def compare_streaming(
    bus: Bus, content: str, payload: bytes, repeat: int, clock: Clock, step: Callable[[], None]
) -> list[Row]:
    """Times of reading one message in pieces that nobody keeps."""
    series = {"bus": Series(), "sha256": Series()}
    claim = await bus.put(payload, LABELS)
    for number in range(-1, repeat):
        streamed, size = await timed(_read(bus, claim.transaction_id), clock)
        if size != len(payload):
            raise MessageCorrupt(
                f"Message {claim.transaction_id} came back with {size} bytes, not {len(payload)}.",
                transaction_id=claim.transaction_id,
                byte_range=(min(size, len(payload)), len(payload)),
            )
        await bus.deliveries.flush()
        hashed, _ = await timed(_hash(payload), clock)
        if number >= 0:
            series["bus"].add(streamed)
            series["sha256"].add(hashed)
        step()
    await bus.remove(claim.transaction_id)
    return [
        Row("store", content, len(payload), "stream", name, series[name],
            against=ratios(name, series))
        for name in series
    ]  # fmt: skip


async def _read(bus: Bus, transaction_id: UUID) -> int:
    size = 0
    async for piece in bus.stream(transaction_id):
        size += len(piece)
    return size


async def _hash(payload: bytes) -> bytes:
    return sha256(payload).digest()
