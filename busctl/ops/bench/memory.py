"""Peak memory while one payload is streamed in and out, above what an idle bus takes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from busctl.core.samples import KEPT
from busctl.ops.bench.report import Memory
from busctl.ops.bench.subjects import LABELS, remove
from busctl.ops.bus import Bus

WARM_UP_BYTES = 3_000_000


class Peaks(Protocol):
    """Peak bytes above the beginning, known once the block has ended; None: not to be seen."""

    client: int | None
    backend: int | None


async def measure_memory(
    bus: Bus, source: Path, watch: Callable[[], AbstractContextManager[Peaks]]
) -> list[Memory]:
    """Store `source` as a stream, then read it as one. Run it in a process that did nothing else,
    or memory that was freed but not returned hides the peak."""
    await _warm_up(bus)
    chosen = bus.clock.new_id()
    try:
        with watch() as storing:
            claim = await bus.put_file(source, LABELS, transaction_id=chosen, ttl=KEPT)
        with watch() as fetching:
            async for _ in bus.stream(chosen):
                pass
    finally:
        await remove(bus, chosen)
    size = claim.payload_size_bytes
    return [
        Memory("store", size, storing.client, storing.backend),
        Memory("fetch", size, fetching.client, fetching.backend),
    ]


async def _warm_up(bus: Bus) -> None:
    """Connections, threads, modules and caches are there before the first look."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(WARM_UP_BYTES // 3)

    chosen = bus.clock.new_id()
    try:
        await bus.put_stream(pieces(), LABELS, transaction_id=chosen, ttl=KEPT)
        async for _ in bus.stream(chosen):
            pass
    finally:
        await remove(bus, chosen)
