"""One run of `busctl bench`: what is measured, in which order, how often."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from busctl.core.samples import Kind, sample
from busctl.ops.bench.calls import Way, compare_calls
from busctl.ops.bench.compare import BATCH, compare, compare_batches
from busctl.ops.bench.prepared import SEED
from busctl.ops.bench.report import BenchReport
from busctl.ops.bench.streaming import compare_streaming
from busctl.ops.bench.subjects import BusSubject, Subject
from busctl.ops.bus import Bus
from busctl.ports import Clock

Path = Literal["store", "put_many", "claim", "websocket", "http"]
PATHS: tuple[Path, ...] = get_args(Path)
THROUGH_DAEMON: tuple[Path, ...] = ("claim", "websocket", "http")
JSONB_MAX_BYTES = 10_000_000
"""A JSONB of 100 MB takes 11 s and 1 GB of the backend's memory a round: never done here."""
STREAMED_FROM_BYTES = 1_000_000
BATCHED_UP_TO_BYTES = 10_000
_TIMED_BYTES = 60_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes in bytes, kinds of samples, paths, and how many rounds (None: by size)."""

    sizes: Sequence[int]
    contents: Sequence[Kind]
    paths: Sequence[Path]
    repeat: int | None = None
    quick: bool = False

    def rounds(self, size: int) -> int:
        """Small payloads often enough for a p99, large ones often enough for a median."""
        if self.repeat is not None:
            return self.repeat
        most, least = (50, 3) if self.quick else (300, 5)
        return max(least, min(most, _TIMED_BYTES // max(1, size)))


async def bench(
    bus: Bus, cleaner: Bus, baselines: Sequence[Subject], ways: Mapping[str, Way], plan: Plan,
    clock: Clock, step: Callable[[str], None],
) -> BenchReport:  # fmt: skip
    """Measure what `plan` says; `ways` are those of its paths that lead through a daemon. `cleaner`
    reaches the store of `bus` by a short way, to remove what was stored.

    `step` hears, once a round, what is being measured. Every message stored is removed again, but
    for the answers of the daemon (`remove_answers`). Raises MessageCorrupt if the bus gave back
    other bytes.
    """
    report = BenchReport()
    for content in plan.contents:
        for size in plan.sizes:
            await _measure(bus, cleaner, baselines, plan, content, size, clock, step, report)
            if ways:
                await _measure_calls(ways, plan, content, size, clock, step, report)
    return report


async def _measure(
    bus: Bus, cleaner: Bus, baselines: Sequence[Subject], plan: Plan, content: Kind, size: int,
    clock: Clock, step: Callable[[str], None], report: BenchReport,
) -> None:  # fmt: skip
    fitting = [one for one in baselines if one.name != "jsonb" or size <= JSONB_MAX_BYTES]
    subjects: list[Subject] = [BusSubject(bus, cleaner), *fitting]
    rounds = plan.rounds(size)
    payload = sample(content, size, SEED)

    def round_done() -> None:
        step(f"{content} {size:,} bytes")

    try:
        if "store" in plan.paths:
            report.rows += await compare(subjects, content, payload, rounds, clock, round_done)
            if size >= STREAMED_FROM_BYTES:
                report.rows += await compare_streaming(
                    bus, content, payload, rounds, clock, round_done
                )
        if "put_many" in plan.paths and size <= BATCHED_UP_TO_BYTES:
            payloads = [sample(content, size, seed) for seed in range(BATCH)]
            batching = [one for one in subjects if one.name != "jsonb"]
            report.rows += await compare_batches(
                batching, content, payloads, max(5, rounds // 5), clock, round_done
            )
    finally:
        for subject in subjects:
            await subject.empty()


async def _measure_calls(
    ways: Mapping[str, Way], plan: Plan, content: Kind, size: int, clock: Clock,
    step: Callable[[str], None], report: BenchReport,
) -> None:  # fmt: skip
    def round_done() -> None:
        step(f"calls, {content} {size:,} bytes")

    rows, left_out = await compare_calls(
        ways, content, sample(content, size, SEED), plan.rounds(size), clock, round_done
    )
    report.rows += rows
    report.left_out += left_out
