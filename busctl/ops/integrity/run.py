"""Running an integrity test: every case on every path, alone and many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from busctl.core.comparison import Case, Comparison, Verdict, difference
from busctl.core.errors import BusctlError, CallFailed, MessageExpired, MessageMissing
from busctl.core.samples import Kind, sample
from busctl.ops.bus import Bus
from busctl.ops.integrity.paths import Path, Sent

COULD_NOT_LOOK = 3
"""The exit code of errors after which nothing is known about the bytes."""
IN_FLIGHT_BYTES = 256_000_000
"""Most payload bytes on their way at once; each is held twice, to be compared."""
UNKNOWN = frozenset({"STORE_UNAVAILABLE", "STORE_TIMEOUT", "OVER_CAPACITY", "TIMEOUT"})
Told = Callable[[Comparison], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes in bytes; `concurrency` 1 leaves out the part with many at once."""

    sizes: Sequence[int]
    kinds: Sequence[Kind]
    concurrency: int
    keep: bool = False
    first_seed: int = 0
    tries: int = 20
    """How often a daemon that is busy is asked again, each time when it says."""


def cases_of(plan: Plan) -> list[Case]:
    """Every kind in every size, each with a seed of its own."""
    pairs = [(kind, size) for kind in plan.kinds for size in plan.sizes]
    return [Case(kind, size, plan.first_seed + at) for at, (kind, size) in enumerate(pairs)]


class Comparer:
    """Sends cases along paths. `bus` looks up what was stored and removes it; None when the
    store behind the paths cannot be reached from here."""

    def __init__(self, plan: Plan, bus: Bus | None, told: Told) -> None:
        self.plan = plan
        self.left_behind = 0
        self._bus = bus
        self._told = told
        self._next_seed = plan.first_seed

    async def test(self, path: Path) -> list[Comparison]:
        """All cases, one after the other, then all again with several on their way at once."""
        alone = [await self.compare(path, case, 1) for case in self._seeded(cases_of(self.plan))]
        return alone + await self._together(path)

    async def compare(self, path: Path, case: Case, concurrency: int) -> Comparison:
        """One case. Never raises a named error: it is in the verdict."""
        expected = await asyncio.to_thread(sample, case.kind, case.size, case.seed)
        outcome = Comparison(path.name, case, concurrency, Verdict.NOT_TRIED)
        try:
            sent = await self._send(path, case, expected)
        except BusctlError as error:
            outcome = replace(
                outcome, verdict=_verdict_of(error), transaction_id=error.transaction_id,
                note=f"{getattr(error, 'error_code', error.code)}: {error.message}",
            )  # fmt: skip
        else:
            found = await asyncio.to_thread(difference, expected, sent.payload)
            outcome = replace(
                outcome, verdict=Verdict.DIFFERENT if found else Verdict.IDENTICAL,
                difference=found, transaction_id=sent.transaction_id, put_ms=sent.put_ms,
                get_ms=sent.get_ms, note=sent.note,
            )  # fmt: skip
        outcome = await self._looked_up(outcome)
        self._told(outcome)
        return outcome

    def not_tried(self, name: str, why: str) -> list[Comparison]:
        """The rows of a path that could not be tried at all."""
        rows = [
            Comparison(name, case, 1, Verdict.NOT_TRIED, note=why) for case in cases_of(self.plan)
        ]
        for row in rows:
            self._told(row)
        return rows

    def planned(self) -> int:
        """Payload bytes of one path, to show progress against."""
        return sum(case.size for case in cases_of(self.plan) + self._round())

    # --- inside ----------------------------------------------------------------------------

    async def _together(self, path: Path) -> list[Comparison]:
        cases = self._seeded(self._round())
        if not cases:
            return []
        together = self._how_many()
        free = asyncio.Semaphore(together)

        async def one(case: Case) -> Comparison:
            async with free:
                return await self.compare(path, case, together)

        return list(await asyncio.gather(*(one(case) for case in cases)))

    def _round(self) -> list[Case]:
        """The cases with many at once: small ones beside large ones, enough to fill the line."""
        if self.plan.concurrency < 2:
            return []
        once = cases_of(self.plan)
        return once * max(1, -(-self.plan.concurrency // len(once)))

    def _how_many(self) -> int:
        fitting = IN_FLIGHT_BYTES // max(1, *self.plan.sizes)
        return min(self.plan.concurrency, max(2, fitting))

    def _seeded(self, cases: Iterable[Case]) -> list[Case]:
        """The same cases with seeds that no other case of this run has."""
        seeded = []
        for case in cases:
            seeded.append(replace(case, seed=self._next_seed))
            self._next_seed += 1
        return seeded

    async def _send(self, path: Path, case: Case, expected: bytes) -> Sent:
        for _ in range(self.plan.tries):
            try:
                return await path.send(case, expected)
            except CallFailed as error:
                # A daemon that is not ours may be busy; it says when to come again.
                if error.error_code != "OVER_CAPACITY" or error.retry_after is None:
                    raise
                await asyncio.sleep(error.retry_after)
        return await path.send(case, expected)

    async def _looked_up(self, outcome: Comparison) -> Comparison:
        """With its stored size, and removed, unless it is to be kept or something is wrong.

        A daemon that is not ours may have another store: then its messages expire by themselves.
        """
        known = outcome.transaction_id
        if known is None:
            return outcome
        try:
            stored = await self._stored_size(known)
            if stored is not None and outcome.verdict is Verdict.IDENTICAL and not self.plan.keep:
                await self._bus_remove(known)
                return replace(outcome, stored_size=stored)
        except BusctlError as error:
            note = f"{outcome.note} (looked up in the store: {error.message})".strip()
            stored, outcome = None, replace(outcome, note=note)
        self.left_behind += 1
        return replace(outcome, stored_size=stored)

    async def _stored_size(self, known: UUID) -> int | None:
        if self._bus is None:
            return None
        try:
            return (await self._bus.stat(known)).stored_size_bytes
        except (MessageMissing, MessageExpired):
            return None

    async def _bus_remove(self, known: UUID) -> None:
        if self._bus is not None:
            await self._bus.remove(known)


def _verdict_of(error: BusctlError) -> Verdict:
    """After a time-out or without a connection nothing is known about the bytes."""
    code = getattr(error, "error_code", error.code)
    unknown = error.exit_code == COULD_NOT_LOOK or code in UNKNOWN
    return Verdict.NOT_TRIED if unknown else Verdict.FAILED
