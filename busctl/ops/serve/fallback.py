"""Where an answer is kept: in the store; while that takes none, in the spool; with the bus switched
off, nowhere. Decided here and nowhere else."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any
from uuid import UUID

from busctl.core.breaker import AWAY, FALLS_BACK, State
from busctl.core.envelope import (
    INCOMPLETE,
    ClaimCheck,
    Compression,
    Labels,
    MessageType,
    preview_of,
)
from busctl.core.errors import AnswerCut, BusctlError, FileFailed, SpoolFull
from busctl.core.labels import shortened
from busctl.core.operating.journal import Kind
from busctl.core.providers.conversation import CONVERSATION
from busctl.ops.bus import Bus
from busctl.ops.putting import MEMORY_BYTES, collected
from busctl.ops.sealing import too_large
from busctl.ops.serve.trail import Trail
from busctl.ports import Answer, Meter, Spool

log = logging.getLogger("busctl.serve")

LEAST_ROOM_BYTES = 64 * 1024
"""With less room than that, and no store, no tool is run: its answer would be lost."""
ERROR_OF = "error_of"
TOOL = "tool"
CUT = "cut"
"""The metadata that tells a tool's own error, whose payload is the tool's, and an answer that broke
off, whose payload is what came of it, from the daemon's errors."""
WHY = "error"
"""The metadata field that says of the latter what went wrong: code, message, remedy."""
ASK_SECS = 1.0
"""How long a store that has just failed is asked whether it has the message after all."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that is kept: its claim, its bytes if they are at hand still, and its metadata.
    `nowhere`: it passed only, and the claim redeems nothing. One of type error is what the tool
    itself calls an error, or what came of an answer that broke off, which `cut` tells; other errors
    are raised."""

    claim: ClaimCheck
    payload: bytes | None
    nowhere: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    cut: AnswerCut | None = None

    @property
    def conversation(self) -> Mapping[str, Any] | None:
        """The turn that it is, and what of the conversation its model did not get."""
        told = self.metadata.get(CONVERSATION)
        return told if isinstance(told, Mapping) else None


class Keeper:
    """Keeps the answers of one daemon; `spool` is None where falling back is not allowed."""

    def __init__(
        self, bus: Bus, spool: Spool | None, meter: Meter, trail: Trail, *, daemon: str
    ) -> None:
        self.bus = bus
        self.spool = spool
        self._meter = meter
        self._trail = trail
        self._daemon = daemon

    async def keep(
        self, answer: Answer, labels: Labels, transaction_id: UUID, *,
        away: BusctlError | None = None,
    ) -> Kept:  # fmt: skip
        """When this returns, the answer is committed, or on this host's disk. `away`: the store
        has just failed so, and is not waited for once more. Raises what `Bus.put` raises; the
        store's errors only without a spool; SpoolFull."""
        if not self.bus.settings.enabled:
            return await self.passed(answer, labels, transaction_id)
        if answer.payload is not None:
            labels = _labelled(labels, answer)
            return await self._keep(answer.payload, labels, transaction_id, away)
        async with _whole(answer, self.bus.settings.max_payload_bytes) as (source, cut):
            labels = _labelled(labels, answer, cut)
            kept = await self._keep(source, labels, transaction_id, away)
            return replace(kept, cut=cut)

    def check_room(self) -> None:
        """Raises SpoolFull when an answer could be kept nowhere: better before its tool runs."""
        away = self.bus.store.writes.state is State.OPEN
        if away and self.spool is not None and self.spool.room() < LEAST_ROOM_BYTES:
            raise SpoolFull(
                f"The store is away and the spool {self.spool.place} is full: no tool is run."
            )

    async def _keep(
        self, source: bytes | IO[bytes], labels: Labels, transaction_id: UUID,
        away: BusctlError | None,
    ) -> Kept:  # fmt: skip
        payload = source if isinstance(source, bytes) else None
        if away is not None and self.spool is not None:
            claim = await self._spool(source, labels, transaction_id, away)
            return Kept(claim, payload, metadata=labels.metadata)
        try:
            claim = await _put(self.bus, source, labels, transaction_id)
        except FALLS_BACK as error:
            if self.spool is None:
                raise
            claim = await self._known_after_all(transaction_id, error) or await self._spool(
                source, labels, transaction_id, error
            )
        return Kept(claim, payload, metadata=labels.metadata)

    async def _known_after_all(self, transaction_id: UUID, error: BusctlError) -> ClaimCheck | None:
        """The claim if the message was stored and only its acknowledgement got lost."""
        if not (isinstance(error, AWAY) and getattr(error, "asked", True)):
            return None
        try:
            async with asyncio.timeout(ASK_SECS):
                envelope = await self.bus.store.stat(transaction_id)
        except (BusctlError, TimeoutError) as unknown:
            # It may be stored or not: the spool takes it under the same id, reconciling finds it.
            log.debug("not known whether stored", extra={"error": str(unknown)})
            return None
        return None if envelope is None else envelope.claim()

    async def _spool(
        self, source: bytes | IO[bytes], labels: Labels, transaction_id: UUID, error: BusctlError
    ) -> ClaimCheck:
        assert self.spool is not None  # noqa: S101  # the caller has looked
        bus = self.bus
        sink = self.spool.sink(error.code, self._daemon)
        waiting = Bus(bus.store, bus.settings, bus.clock, hop=bus.hop, sink=sink)
        if not isinstance(source, bytes):
            source.seek(0)
        try:
            claim = await _put(waiting, source, labels, transaction_id)
        except (SpoolFull, FileFailed) as refused:
            log.critical("spool refused", extra={"error": refused.message})
            self._trail.note(Kind.SPOOL_REFUSED, id=str(transaction_id), error=refused.message)
            raise
        self._meter.fell_back(error.code, claim.payload_size_bytes)
        self._trail.count_fallback(error.code, claim.payload_size_bytes)
        log.warning(
            "fell back to the spool",
            extra={"bytes": claim.payload_size_bytes, "reason": error.code, "error": error.message},
        )
        return claim

    async def passed(self, answer: Answer, labels: Labels, transaction_id: UUID) -> Kept:
        """The answer, kept nowhere. Raises PayloadTooLarge."""
        most = self.bus.settings.max_payload_bytes
        payload, cut = answer.payload, None
        if payload is None:
            async with _whole(answer, most) as (source, cut):
                payload = source if isinstance(source, bytes) else source.read()
        labels = _labelled(labels, answer, cut)
        if len(payload) > most:
            raise too_large(len(payload), most)
        digest = await asyncio.to_thread(hashlib.sha256, payload)
        claim = ClaimCheck(
            transaction_id, len(payload), digest.hexdigest(), Compression.NONE,
            self.bus.clock.now(), labels.message_type, labels.content_type,
            preview_of(payload, labels.content_type), incomplete=labels.incomplete,
        )  # fmt: skip
        return Kept(claim, payload, nowhere=True, metadata=labels.metadata, cut=cut)


def _labelled(labels: Labels, answer: Answer, cut: AnswerCut | None = None) -> Labels:
    """What the answer itself adds: its content type, its metadata, that it is an error."""
    is_error = answer.is_error or cut is not None
    kind = MessageType.ERROR if is_error else labels.message_type
    known = {**answer.metadata, **labels.metadata}
    if is_error:
        known[ERROR_OF] = TOOL if cut is None else CUT
    if cut is not None:
        known.setdefault(INCOMPLETE, CUT)
        known[WHY] = {"code": cut.code, "message": cut.message, "remedy": cut.remedy}
    return replace(
        labels, content_type=answer.content_type, message_type=kind, metadata=shortened(known)
    )


@asynccontextmanager
async def _whole(
    answer: Answer, most: int
) -> AsyncIterator[tuple[bytes | IO[bytes], AnswerCut | None]]:
    """All pieces of a streamed answer, so that they can be put twice; and why they broke off, if
    they did."""
    came = _Came(answer.pieces)  # type: ignore[arg-type]  # the other of the two
    async with collected(came.pieces(), most) as (waiting, size):
        yield (waiting.read() if size <= MEMORY_BYTES else waiting), came.cut


class _Came:
    """The pieces of an answer up to where it broke off. With none before, it is no answer at all:
    AnswerCut goes on."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self.cut: AnswerCut | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        size = 0
        try:
            async for piece in self._pieces:
                size += len(piece)
                yield piece
        except AnswerCut as error:
            if not size:
                raise
            self.cut = error


async def _put(
    bus: Bus, source: bytes | IO[bytes], labels: Labels, transaction_id: UUID
) -> ClaimCheck:
    if isinstance(source, bytes):
        return await bus.put(source, labels, transaction_id=transaction_id)
    return await bus.put_file(source, labels, transaction_id=transaction_id)
