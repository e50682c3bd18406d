"""The bus and the baselines doing the same, turn and turn about.

Each round lets every subject store (then fetch) the same payload once, the order moving on by one
each round, so that a noisy moment of the machine falls on all of them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

from busctl.core.errors import MessageCorrupt
from busctl.ops.bench.report import Row, ratios
from busctl.ops.bench.series import Series
from busctl.ops.bench.subjects import Subject
from busctl.ports import Clock

Result = TypeVar("Result")
WARM_UP_ROUNDS = 6
"""psycopg prepares a statement at its sixth execution: measured is what comes after."""
SETTLED_BYTES = 20_000_000
"""Large payloads leave the caches as they were: one round is warm-up enough."""
BATCH = 100


async def compare(
    subjects: Sequence[Subject], content: str, payload: bytes, repeat: int, clock: Clock,
    step: Callable[[], None],
) -> list[Row]:  # fmt: skip
    """Times of one store and one fetch by every subject, `repeat` rounds after a warm-up.

    `step` is called once a round. Raises MessageCorrupt if the bus gave back other bytes.
    """
    stores = {subject.name: Series() for subject in subjects}
    fetches = {subject.name: Series() for subject in subjects}
    warm_up = 1 if len(payload) > SETTLED_BYTES else WARM_UP_ROUNDS
    for number in range(-warm_up, repeat):
        chosen = clock.new_id()
        for subject in in_turn(subjects, number):
            seconds, _ = await timed(subject.store(chosen, payload), clock)
            await subject.settle()
            if number >= 0:
                stores[subject.name].add(seconds)
        for subject in in_turn(subjects, number):
            seconds, fetched = await timed(subject.fetch(chosen), clock)
            if subject.name == "bus":
                same_bytes(chosen, payload, fetched)
            await subject.settle()
            if number >= 0:
                fetches[subject.name].add(seconds)
        step()
    return [
        Row("store", content, len(payload), operation, name, series[name],
            against=ratios(name, series))
        for operation, series in (("store", stores), ("fetch", fetches))
        for name in series
    ]  # fmt: skip


async def compare_batches(
    subjects: Sequence[Subject], content: str, payloads: Sequence[bytes], repeat: int,
    clock: Clock, step: Callable[[], None],
) -> list[Row]:  # fmt: skip
    """Times of storing all `payloads` (of one size) in one call."""
    series = {subject.name: Series() for subject in subjects}
    for number in range(-WARM_UP_ROUNDS, repeat):
        for subject in in_turn(subjects, number):
            ids = [clock.new_id() for _ in payloads]
            seconds, _ = await timed(subject.store_many(ids, payloads), clock)
            if number >= 0:
                series[subject.name].add(seconds)
        step()
    return [
        Row("put_many", content, len(payloads[0]), "store", name, series[name],
            messages=len(payloads), against=ratios(name, series))
        for name in series
    ]  # fmt: skip


def in_turn(all_of_them: Sequence[Result], number: int) -> Iterator[Result]:
    """Each once, beginning one further each round."""
    for place in range(len(all_of_them)):
        yield all_of_them[(place + number) % len(all_of_them)]


async def timed(work: Awaitable[Result], clock: Clock) -> tuple[float, Result]:
    """Seconds, and what came of it."""
    began = clock.monotonic()
    result = await work
    return clock.monotonic() - began, result


def same_bytes(id: UUID, payload: bytes, fetched: bytes) -> None:
    """Raises MessageCorrupt unless they are equal."""
    if fetched != payload:
        raise MessageCorrupt(
            f"Message {id} came back as other bytes (SHA-256 {sha256(fetched).hexdigest()}).",
            transaction_id=id,
            byte_range=(0, len(payload)),
        )
