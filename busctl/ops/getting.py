"""Getting: claim check in, the same bytes out, or one of the named outcomes."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.errors import AccessDenied, BusctlError, MessageCorrupt, MessageExpired
from busctl.core.hops import measured
from busctl.ops.access import CLIENT, Access, naming
from busctl.ops.redeeming import Redemption, Span, open_row, span_of, stored_row
from busctl.ops.replacing import replacing
from busctl.ports import Delivery, Found

log = logging.getLogger("busctl.bus")


@dataclass(frozen=True, slots=True)
class Opened:
    """A message about to be read: its claim, and its bytes as an async iterator."""

    claim: ClaimCheck
    start: int
    stop: int
    stored_checksum: bytes
    stored_size_bytes: int
    pieces: AsyncIterator[bytes]


class Getting(Access):
    """The reading half of the bus."""

    async def get(
        self,
        transaction_id: UUID,
        *,
        offset: int = 0,
        length: int | None = None,
        principal: str | None = None,
    ) -> bytes:
        """The payload, or the byte range [offset, offset + length) of it, verified.

        Raises MessageMissing, MessageExpired, MessageCorrupt (names the chunk), AccessDenied
        (`principal` given and not the owner) or StoreUnreachable. Never fewer bytes than asked
        for, except past the payload's end.
        """
        found = await self._find(transaction_id, principal)
        span = span_of(found, offset, length)
        if found.chunk_count == 0:
            raw = await self._opened_row(found)
            self._deliver(found, span, found.duration_ms)
            return raw[span.start : span.stop]
        assembled = io.BytesIO()
        async for piece in self._pieces(found, span):
            assembled.write(piece)
        return assembled.getvalue()

    async def open(
        self,
        transaction_id: UUID,
        *,
        offset: int = 0,
        length: int | None = None,
        principal: str | None = None,
        delivers: bool = True,
    ) -> Opened:
        """Find a message and return its claim with its pieces, up to 1 MiB each, not yet read.

        Finding raises as `get` does; reading the pieces raises MessageCorrupt before the last
        piece is given, so a reader that saw the end has verified bytes. Without `delivers` no
        delivery is recorded: for who looks through a payload and hands nothing of it on.
        """
        found = await self._find(transaction_id, principal)
        span = span_of(found, offset, length)
        return Opened(
            claim=_found_claim(found), start=span.start, stop=span.stop,
            stored_checksum=found.stored_checksum, stored_size_bytes=found.stored_size_bytes,
            pieces=self._pieces(found, span, delivers=delivers),
        )  # fmt: skip

    async def open_stored(self, transaction_id: UUID, *, principal: str | None = None) -> Opened:
        """As `open`, but the stored (compressed) bytes: frames that follow one another."""
        found = await self._find(transaction_id, principal)
        return Opened(
            claim=_found_claim(found), start=0, stop=found.stored_size_bytes,
            stored_checksum=found.stored_checksum, stored_size_bytes=found.stored_size_bytes,
            pieces=self._stored_pieces(found),
        )  # fmt: skip

    async def peek(
        self, transaction_id: UUID, *, offset: int = 0, length: int | None = None
    ) -> Opened:
        """As `open`, for the operator: an expired message that is still there is read too, the
        digests are always checked, and no delivery is recorded."""
        with naming(transaction_id):
            found = await self.store.find(transaction_id)
        if found is None:
            raise await self.absent(transaction_id)
        span = span_of(found, offset, length)
        return Opened(
            claim=_found_claim(found), start=span.start, stop=span.stop,
            stored_checksum=found.stored_checksum, stored_size_bytes=found.stored_size_bytes,
            pieces=self._peeked(found, span),
        )  # fmt: skip

    async def stream(
        self, transaction_id: UUID, *, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The pieces of `open` alone."""
        opened = await self.open(transaction_id, offset=offset, length=length)
        async for piece in opened.pieces:
            yield piece

    async def get_file(self, transaction_id: UUID, target: Path) -> ClaimCheck:
        """Write the payload to `target`, which appears only whole and verified."""
        opened = await self.open(transaction_id)
        with replacing(target) as out:
            async for piece in opened.pieces:
                await asyncio.to_thread(out.write, piece)
        return opened.claim

    def handed_on(self, claim: ClaimCheck, start: int, stop: int, *, via: str) -> None:
        """Record as delivered the bytes [start, stop) of a message that was opened without that."""
        if claim.spooled and self.hop == CLIENT:
            return
        detail = {"verified": self.settings.checksum_enabled, "via": via,
                  "offset": start, "length": stop - start}  # fmt: skip
        delivery = Delivery(claim.transaction_id, self.clock.now(), 0.0, self.hop, detail)
        self.deliveries.add(delivery, spooled=claim.spooled)

    async def _find(self, transaction_id: UUID, principal: str | None) -> Found:
        self.require_enabled(transaction_id)
        with naming(transaction_id):
            found = await self.store.find(transaction_id)
        if found is None:
            raise await self.absent(transaction_id)
        if principal is not None and found.owner != principal:
            await self.note_denied(transaction_id, {"principal": principal})
            raise AccessDenied(
                f"Message {transaction_id} belongs to another principal.",
                transaction_id=transaction_id,
            )
        if not found.live:
            raise MessageExpired(
                f"Message {transaction_id} expired at {found.expires_at.isoformat()}.",
                transaction_id=transaction_id,
            )
        return found

    async def _pieces(
        self, found: Found, span: Span, *, delivers: bool = True
    ) -> AsyncIterator[bytes]:
        if found.chunk_count == 0:
            yield (await self._opened_row(found))[span.start : span.stop]
            if delivers:
                self._deliver(found, span, found.duration_ms)
            return
        redemption = Redemption(self.store, found, span, verify=self.settings.checksum_enabled)
        began = self.clock.monotonic()
        try:
            async for piece in redemption.pieces():
                yield piece
        except MessageCorrupt as error:
            await self._note_corrupt(found, error)
            raise
        if delivers:
            self._deliver(found, span, (self.clock.monotonic() - began) * 1000)

    async def _peeked(self, found: Found, span: Span) -> AsyncIterator[bytes]:
        if found.chunk_count == 0:
            yield open_row(found, verify=True)[span.start : span.stop]
        elif span.stop > span.start:
            try:
                async for piece in Redemption(self.store, found, span, verify=True).pieces():
                    yield piece
            except MessageCorrupt as error:
                if await self._is_gone(found.transaction_id):
                    raise await self.absent(found.transaction_id) from error
                raise

    async def _stored_pieces(self, found: Found) -> AsyncIterator[bytes]:
        span = span_of(found, 0, None)
        try:
            if found.chunk_count == 0:
                yield stored_row(found)
            else:
                async for body in Redemption(self.store, found, span, verify=True).stored():
                    yield body
        except MessageCorrupt as error:
            await self._note_corrupt(found, error)
            raise
        self._deliver(found, span, found.duration_ms, stored=True)

    async def _opened_row(self, found: Found) -> bytes:
        try:
            return open_row(found, verify=self.settings.checksum_enabled)
        except MessageCorrupt as error:
            await self._note_corrupt(found, error)
            raise

    async def _note_corrupt(self, found: Found, error: MessageCorrupt) -> None:
        """Raises MessageExpired in its place for a message that was removed while it was read."""
        if found.chunk_count and await self._is_gone(found.transaction_id):
            raise await self.absent(found.transaction_id) from error
        place = {"chunk": error.chunk, "bytes": list(error.byte_range or ())}
        await self.note(found.transaction_id, "corrupt", place)

    async def _is_gone(self, transaction_id: UUID) -> bool:
        try:
            return await self.store.find(transaction_id) is None
        except BusctlError as error:
            # It accompanies an error already, which must reach the caller in its place.
            log.warning("message %s not looked at again: %s", transaction_id, error)
            return False

    def _deliver(
        self, found: Found, span: Span, duration_ms: float, *, stored: bool = False
    ) -> None:
        """With `stored` the stored bytes were read: their digest was checked, not the payload's.

        A command that reads what waits in the spool does not wait for the store to note that.
        """
        if found.spooled and self.hop == CLIENT:
            return
        verified = stored or self.settings.checksum_enabled
        detail: dict[str, Any] = {"verified": verified}
        if stored:
            detail |= {"coding": found.compression.value, "coded_size": found.stored_size_bytes}
        elif span.start != 0 or span.stop != found.payload_size_bytes:
            detail |= {"offset": span.start, "length": span.stop - span.start}
        elif self.settings.trace_hops:
            # Equal to what was read, which was hashed to see that: a measurement of its own.
            detail |= measured(found.payload_size_bytes, found.checksum.hex() if verified else None)
        now = self.clock.now()
        delivery = Delivery(found.transaction_id, now, duration_ms, self.hop, detail)
        self.deliveries.add(delivery, spooled=found.spooled)


def _found_claim(found: Found) -> ClaimCheck:
    return ClaimCheck(
        found.transaction_id, found.payload_size_bytes, found.checksum.hex(), found.compression,
        found.expires_at, found.message_type, found.content_type, "",
        spooled=found.spooled, incomplete=found.incomplete,
    )  # fmt: skip
