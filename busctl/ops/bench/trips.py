"""Round trips of single operations, counted on the line and not guessed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from statistics import fmean

from busctl.core.samples import KEPT
from busctl.ops.bench.compare import WARM_UP_ROUNDS
from busctl.ops.bench.report import RoundTrips
from busctl.ops.bench.subjects import LABELS, remove
from busctl.ops.bus import Bus
from busctl.ports import Clock

COUNTED = 5


async def count_round_trips(
    bus: Bus, payload: bytes, clock: Clock, so_far: Callable[[], int]
) -> list[RoundTrips]:
    """Round trips of put and get after connecting; `so_far` reads the line's counter, which must
    see this bus alone. What is recorded after a get is not part of it."""
    puts: list[int] = []
    gets: list[int] = []
    for number in range(WARM_UP_ROUNDS + COUNTED):
        chosen = clock.new_id()
        try:
            put = await _counted(bus.put(payload, LABELS, transaction_id=chosen, ttl=KEPT), so_far)
            got = await _counted(bus.get(chosen), so_far)
            await bus.deliveries.flush()
        finally:
            await remove(bus, chosen)
        if number >= WARM_UP_ROUNDS:
            puts.append(put)
            gets.append(got)
    return [
        RoundTrips("put", len(payload), fmean(puts)),
        RoundTrips("get", len(payload), fmean(gets)),
    ]


async def _counted(work: Awaitable[object], so_far: Callable[[], int]) -> int:
    before = so_far()
    await work
    return so_far() - before
