"""Interleaved timing for the comparisons with other systems: `make bench`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from statistics import median

Operation = Callable[[], Awaitable[object]]


async def medians(
    operations: Mapping[str, Operation], rounds: int, warm_up: int = 6
) -> dict[str, float]:
    """Seconds by name: every round lets each of them run once, so that noise hits all."""
    samples: dict[str, list[float]] = {name: [] for name in operations}
    for number in range(-warm_up, rounds):
        for name, operation in operations.items():
            began = time.perf_counter()
            await operation()
            if number >= 0:
                samples[name].append(time.perf_counter() - began)
    return {name: median(times) for name, times in samples.items()}
