"""Verify: read whole payloads, check every digest of theirs, and name everything that is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from busctl.core.envelope import CHUNK_BYTES, ClaimCheck
from busctl.core.errors import ClaimError, MessageCorrupt
from busctl.core.fsck import REMEDY
from busctl.core.hops import measured
from busctl.core.operating.finding import Finding
from busctl.ops.bus import Bus, Opened

Read = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one id: the claim when its envelope is there, and what is wrong with it."""

    transaction_id: UUID
    claim: ClaimCheck | None
    findings: tuple[Finding, ...]

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return self.claim.payload_size_bytes if self.claim else 0


async def verify(
    bus: Bus, transaction_id: UUID, *, reader: Callable[[str], Read | None] | None = None
) -> Verified:
    """Read a message from its beginning to its end without delivering it.

    `reader` is told the content type and says who is given the raw bytes, as far as they are
    whole. Missing, expired and denied messages are findings; an unreachable store is raised.
    """
    try:
        opened = await bus.peek(transaction_id)
        read = None if reader is None else reader(opened.claim.content_type)
        findings = await _damage(bus, opened, read)
    except ClaimError as error:
        if error.exit_code != 1:
            raise
        gone = Finding(error.code.lower(), str(transaction_id), error.message, error.remedy)
        return Verified(transaction_id, None, (gone,))
    detail = measured(opened.claim.payload_size_bytes)
    if not findings:
        # Taken of what was read here: the last piece comes only if it is the payload's.
        detail["checksum"] = opened.claim.checksum
    bus.passed(transaction_id, "verified", bus.hop, {**detail, "ok": not findings})
    return Verified(transaction_id, opened.claim, tuple(findings))


async def _damage(bus: Bus, opened: Opened, read: Read | None) -> list[Finding]:
    """Each damaged chunk is one finding: reading goes on behind it."""
    findings: list[Finding] = []
    while True:
        try:
            async for piece in opened.pieces:
                if read is not None and not findings:
                    await asyncio.to_thread(read, piece)
        except MessageCorrupt as error:
            findings.append(_finding(error))
            await bus.note(opened.claim.transaction_id, "corrupt", _place(error))
            if error.chunk is None:
                return findings
            behind = (error.chunk + 1) * CHUNK_BYTES
            if behind >= opened.claim.payload_size_bytes:
                return findings
            opened = await bus.peek(opened.claim.transaction_id, offset=behind)
        else:
            return findings


def _place(error: MessageCorrupt) -> dict[str, object]:
    return {"chunk": error.chunk, "bytes": list(error.byte_range or ())}


def _finding(error: MessageCorrupt) -> Finding:
    kind = "payload_altered" if error.chunk is None else "chunk_altered"
    return Finding(kind, str(error.transaction_id), error.message, REMEDY)
