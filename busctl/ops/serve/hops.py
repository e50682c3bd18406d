"""What the daemon measures of an answer between the tool and the bus, beside its way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from uuid import UUID

from busctl.core.envelope import INCOMPLETE, ClaimCheck
from busctl.core.hops import ACCEPTED, PRODUCED, Hop, Measure, differs, measured
from busctl.core.watching.truncation import PROVIDER_KINDS, TRUNCATION, Suspicion, TruncationScan
from busctl.ops.bus import Bus
from busctl.ports import Answer, Meter

log = logging.getLogger("busctl.serve")

ON_THE_SPOT_BYTES = 16 * 1024
"""Larger pieces are hashed in a thread."""
COUNTED_BYTES = 2 << 20
"""Larger JSON is judged by its last character. Counting its brackets holds the GIL: with it a call
of 10 MB took 1.23 times as long as without (measured)."""


class Passage:
    """One answer on its way from the tool to the bus: `answer` is the same answer, watched."""

    def __init__(self, bus: Bus, meter: Meter, answer: Answer, transaction_id: UUID) -> None:
        self._bus = bus
        self._meter = meter
        self._id = transaction_id
        self._measure = Measure()
        self._hashing: asyncio.Task[None] | None = None
        self._declared = answer.declared_size
        self._metadata = answer.metadata
        self._scan = TruncationScan(answer.content_type, json_limit=COUNTED_BYTES)
        self._on = bus.settings.trace_hops
        self._scans = bus.settings.detect_truncation and self._scan.looks
        wanted = self._on or self._scans or self._declared is not None
        self.answer = self._watched(answer) if wanted else answer

    async def measured(self) -> None:
        """Wait until all of what has passed is measured, and note it."""
        if self._hashing is not None:
            await self._hashing
        self._bus.passed(self._id, PRODUCED, Hop.TOOL, self._measure.as_detail())

    def accepted(self, claim: ClaimCheck) -> None:
        """The bus has taken the answer under that size and digest, which it took by itself."""
        self._suspect()
        if not self._on:
            return
        given = measured(claim.payload_size_bytes, claim.checksum)
        self._bus.passed(self._id, ACCEPTED, Hop.DAEMON, given)
        if differs(self._measure.as_detail(), given):
            self._meter.hop_mismatch(Hop.DAEMON)
            log.error(
                "answer changed between the tool and the bus",
                extra={"transaction_id": str(self._id), "produced": self._measure.as_detail(),
                       "accepted": given},
            )  # fmt: skip

    def _suspect(self) -> None:
        """Note, log and count the signs that the tool has cut its answer, which is stored as it
        is."""
        for one in self._suspicions():
            self._meter.truncation_suspected(one.kind)
            self._bus.remark(self._id, TRUNCATION, Hop.DAEMON, {"kind": one.kind, **one.detail})
            log.warning(
                "answer may be truncated",
                extra={"transaction_id": str(self._id), "kind": one.kind, **one.detail},
            )

    def _suspicions(self) -> Iterator[Suspicion]:
        known = self._metadata.get(INCOMPLETE)
        if known in PROVIDER_KINDS:
            yield Suspicion(PROVIDER_KINDS[known], {"size": self._measure.size})
        if self._declared is not None and self._declared != self._measure.size:
            yield Suspicion(
                "size_differs_from_declared",
                {"declared": self._declared, "size": self._measure.size},
            )
        if self._scans:
            yield from self._scan.suspicions()

    def _look(self, piece: bytes) -> None:
        self._measure.add(piece)
        if self._scans:
            self._scan.add(piece)

    def _watched(self, answer: Answer) -> Answer:
        if answer.pieces is not None:
            return replace(answer, pieces=self._passing(answer.pieces))
        payload = answer.payload or b""
        if len(payload) <= ON_THE_SPOT_BYTES:
            self._look(payload)
        else:
            # Beside the store's own work: it reads the same bytes meanwhile.
            self._hashing = asyncio.create_task(asyncio.to_thread(self._look, payload))
        return answer

    async def _passing(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async with aclosing(pieces) as passing:  # type: ignore[type-var]  # tools give generators
            async for piece in passing:
                if len(piece) <= ON_THE_SPOT_BYTES:
                    self._look(piece)
                else:
                    await asyncio.to_thread(self._look, piece)
                yield piece
