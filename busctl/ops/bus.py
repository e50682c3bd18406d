"""The bus: put a payload and get a claim check, redeem the claim and get the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from busctl.core import codec
from busctl.core.envelope import (
    CHUNK_BYTES,
    ClaimCheck,
    Compression,
    Envelope,
    Event,
    Labels,
    preview_of,
)
from busctl.core.errors import (
    AccessDenied,
    BusDisabled,
    DigestMismatch,
    InvalidLabel,
    MessageExpired,
    MessageMissing,
    OutsideHorizon,
)
from busctl.core.ids import first_id, time_of, unix_ms_of
from busctl.core.settings import Settings
from busctl.ops.deliveries import Deliveries
from busctl.ops.redeeming import Redemption, Span, open_row, span_of
from busctl.ops.sealing import Totals, read_file, sealed, size_of_file, slices, too_large
from busctl.ports import Clock, Delivery, Draft, Filter, Found, Store, Stored

AHEAD = timedelta(days=1)
"""How far in the future an id may lie, and how far ahead partitions are made."""
INLINE_THREAD_BYTES = 64 * 1024
"""Smaller payloads are hashed and packed on the spot: a thread costs more than the work."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One payload of `put_many`."""

    payload: codec.Buffer
    labels: Labels = Labels()
    transaction_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A message about to be read: its claim, and its bytes as an async iterator."""

    claim: ClaimCheck
    start: int
    stop: int
    stored_checksum: bytes
    stored_size_bytes: int
    pieces: AsyncIterator[bytes]


class Bus:
    """`put(payload) -> ClaimCheck`, `get(id) -> bytes`, verified.

    `hop` names where this bus runs in the audit trail. Raises the named errors of
    `busctl.core.errors`, each with the transaction id in it; BusDisabled when
    MESSAGE_BUS_ENABLED is false.
    """

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, *, hop: str = "client"
    ) -> None:
        self.store = store
        self.settings = settings
        self.clock = clock
        self.hop = hop
        self.deliveries = Deliveries(store)

    # --- putting ---------------------------------------------------------------------------

    async def put(
        self,
        payload: codec.Buffer | str,
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        created_at: datetime | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store one payload held in memory; a str is stored as its UTF-8 text.

        Idempotent by `transaction_id` (made here when None): the same payload again returns the
        same claim. `ttl` defaults to MESSAGE_BUS_TTL_HOURS. `checksum` (SHA-256, hex), when
        given, must be the payload's. Raises PayloadTooLarge, DigestMismatch, OutsideHorizon,
        TransactionConflict, InvalidLabel and the store's errors.
        """
        labels = self._checked_labels(labels)
        if isinstance(payload, str):
            payload, labels = _as_text(payload, labels)
        raw = memoryview(payload).cast("B") if not isinstance(payload, bytes) else payload
        chosen = self._checked_id(transaction_id)
        if len(raw) > self.settings.max_payload_bytes:
            raise too_large(len(raw), self.settings.max_payload_bytes)
        if len(raw) > CHUNK_BYTES:
            head = preview_of(raw[: CHUNK_BYTES // 16], labels.content_type)
            return await self._put_chunks(
                chosen, labels, slices(raw), raw[:CHUNK_BYTES], head, ttl, created_at, checksum
            )
        draft, body = await self._sealed_row(chosen, labels, raw, ttl, created_at)
        _same_digest(chosen, draft.checksum, checksum)
        stored = await self.store.put(draft, body)
        return _claim(draft, stored, preview_of(raw, labels.content_type))

    async def put_file(
        self,
        source: Path | IO[bytes],
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        created_at: datetime | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store a file or an open binary stream in bounded memory; otherwise as `put`."""
        if isinstance(source, Path):
            with source.open("rb") as opened:
                return await self.put_file(
                    opened, labels, transaction_id=transaction_id, ttl=ttl,
                    created_at=created_at, checksum=checksum,
                )  # fmt: skip
        size = size_of_file(source)
        if size is not None and size > self.settings.max_payload_bytes:
            raise too_large(size, self.settings.max_payload_bytes)
        chunks = read_file(source)
        head = await anext(chunks, b"")
        if len(head) < CHUNK_BYTES:
            return await self.put(
                head, labels, transaction_id=transaction_id, ttl=ttl,
                created_at=created_at, checksum=checksum,
            )  # fmt: skip
        labels = self._checked_labels(labels)
        chosen = self._checked_id(transaction_id)
        preview = preview_of(head, labels.content_type)
        following = _chain(head, chunks)
        return await self._put_chunks(
            chosen, labels, following, head, preview, ttl, created_at, checksum
        )

    async def put_stream(
        self,
        source: AsyncIterator[codec.Buffer],
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store what an async iterator gives, in pieces of any size and in bounded memory.

        A slow producer must not hold a connection, so what is over 4 MiB waits in a temporary
        file until the producer has ended; then it is stored like a file.
        """
        size = 0
        with tempfile.SpooledTemporaryFile(max_size=4 * CHUNK_BYTES) as waiting:
            async for piece in source:
                size += len(piece)
                if size > self.settings.max_payload_bytes:
                    raise too_large(size, self.settings.max_payload_bytes)
                await asyncio.to_thread(waiting.write, piece)
            waiting.seek(0)
            return await self.put_file(
                waiting, labels, transaction_id=transaction_id, ttl=ttl, checksum=checksum  # type: ignore[arg-type]  # SpooledTemporaryFile is an IO[bytes] in all but name
            )

    async def put_many(
        self, messages: Iterable[Outgoing | codec.Buffer], *, ttl: timedelta | None = None
    ) -> list[ClaimCheck]:
        """Store many payloads, the small ones (up to 64 KiB) in one statement and transaction.

        Larger ones are stored one by one after them. Claims come in the order given. Ids known
        already are checked to be the same payload, as in `put`.
        """
        wanted = [one if isinstance(one, Outgoing) else Outgoing(one) for one in messages]
        small = [
            (place, *self._packed_row(one, ttl))
            for place, one in enumerate(wanted)
            if len(one.payload) <= INLINE_THREAD_BYTES
        ]
        claims: dict[int, ClaimCheck] = {}
        if small:
            now = self.clock.now()
            fresh = await self.store.put_many([(draft, body) for _, draft, body in small])
            for place, draft, body in small:
                if draft.transaction_id in fresh:
                    stored = Stored(fresh=True, created_at=now, expires_at=now + draft.ttl)
                else:
                    stored = await self.store.put(draft, body)
                one = wanted[place]
                claims[place] = _claim(
                    draft, stored, preview_of(memoryview(one.payload), one.labels.content_type)
                )
        for place, one in enumerate(wanted):
            if place not in claims:
                claims[place] = await self.put(
                    one.payload, one.labels, transaction_id=one.transaction_id, ttl=ttl
                )
        return [claims[place] for place in range(len(wanted))]

    # --- getting ---------------------------------------------------------------------------

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
            raw = open_row(found, verify=self.settings.checksum_enabled)
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
    ) -> Opened:
        """Find a message and return its claim with its pieces, up to 1 MiB each, not yet read.

        Finding raises as `get` does; reading the pieces raises MessageCorrupt before the last
        piece is given, so a reader that saw the end has verified bytes.
        """
        found = await self._find(transaction_id, principal)
        span = span_of(found, offset, length)
        return Opened(
            claim=_found_claim(found), start=span.start, stop=span.stop,
            stored_checksum=found.stored_checksum, stored_size_bytes=found.stored_size_bytes,
            pieces=self._pieces(found, span),
        )  # fmt: skip

    async def open_stored(
        self, transaction_id: UUID, *, principal: str | None = None
    ) -> Opened:
        """As `open`, but the stored (compressed) bytes: frames that follow one another."""
        found = await self._find(transaction_id, principal)
        return Opened(
            claim=_found_claim(found), start=0, stop=found.stored_size_bytes,
            stored_checksum=found.stored_checksum, stored_size_bytes=found.stored_size_bytes,
            pieces=self._stored_pieces(found),
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
        handle, name = await asyncio.to_thread(
            tempfile.mkstemp, prefix=f".{target.name}.", dir=target.parent
        )
        try:
            with os.fdopen(handle, "wb") as out:
                async for piece in opened.pieces:
                    await asyncio.to_thread(out.write, piece)
            umask = os.umask(0)
            os.umask(umask)
            await asyncio.to_thread(os.chmod, name, 0o666 & ~umask)
            await asyncio.to_thread(os.replace, name, target)
        except BaseException:
            # Whatever ended it, half a file must not stay.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            raise
        return opened.claim

    # --- looking and keeping ---------------------------------------------------------------

    async def stat(self, transaction_id: UUID) -> Envelope:
        """The envelope, also of an expired message still there. Raises MessageMissing/Expired."""
        await self.deliveries.flush()
        envelope = await self.store.stat(transaction_id)
        if envelope is None:
            raise await self._absent(transaction_id)
        return envelope

    async def events(self, transaction_id: UUID) -> Sequence[Event]:
        """The audit trail of one message, oldest first; empty when nothing is known of it."""
        await self.deliveries.flush()
        return await self.store.events(transaction_id)

    async def list(self, wanted: Filter | None = None) -> Sequence[Envelope]:
        """Envelopes that match, newest first."""
        await self.deliveries.flush()
        return await self.store.list(wanted or Filter())

    async def pin(self, transaction_id: UUID) -> Envelope:
        """Keep a message until it is unpinned."""
        return await self._retain(transaction_id, pinned=True)

    async def unpin(self, transaction_id: UUID) -> Envelope:
        """Let a message expire again; one past its time gets a whole TTL from now."""
        envelope = await self._retain(transaction_id, pinned=False)
        if envelope.expires_at <= self.clock.now():
            return await self._retain(transaction_id, ttl=self.settings.ttl)
        return envelope

    async def extend(self, transaction_id: UUID, ttl: timedelta) -> Envelope:
        """Give a message a new time to live, counted from now."""
        return await self._retain(transaction_id, ttl=ttl)

    async def remove(self, transaction_id: UUID) -> None:
        """Delete a message at once; its events stay. Raises MessageMissing/Expired."""
        if not await self.store.remove(transaction_id):
            raise await self._absent(transaction_id)

    async def ensure_partitions(self) -> int:
        """Make the partitions from now until a day ahead; returns how many were made."""
        now = self.clock.now()
        return await self.store.ensure_partitions(now, now + AHEAD)

    async def close(self) -> None:
        await self.deliveries.close()
        await self.store.close()

    # --- inside ----------------------------------------------------------------------------

    async def _put_chunks(
        self, chosen: UUID, labels: Labels, raws: AsyncIterator[codec.Buffer], head: codec.Buffer,
        preview: str, ttl: timedelta | None, created_at: datetime | None, checksum: str | None,
    ) -> ClaimCheck:  # fmt: skip
        compression = await asyncio.to_thread(
            codec.choose, self.settings.compression, memoryview(head)
        )
        totals = Totals(compression)

        def seal() -> Draft:
            _same_digest(chosen, totals.checksum, checksum)
            return Draft(
                chosen, labels, totals.raw_size, totals.checksum, compression,
                totals.stored_size, totals.stored_checksum, totals.chunks,
                self.settings.ttl if ttl is None else ttl, created_at,
            )  # fmt: skip

        chunks = sealed(raws, totals, self.settings.max_payload_bytes)
        stored = await self.store.put_chunks(chosen, chunks, seal)
        if not stored.fresh:
            # The store stopped at the first chunk: the rest is hashed to see that it is the same.
            async for _ in chunks:
                pass
        return _claim(seal(), stored, preview)

    async def _sealed_row(
        self, chosen: UUID, labels: Labels, raw: codec.Buffer,
        ttl: timedelta | None, created_at: datetime | None,
    ) -> tuple[Draft, bytes]:  # fmt: skip
        one = Outgoing(raw, labels, chosen)
        if len(raw) <= INLINE_THREAD_BYTES:
            draft, body = self._packed_row(one, ttl)
        else:
            draft, body = await asyncio.to_thread(self._packed_row, one, ttl)
        return (replaced(draft, created_at=created_at) if created_at else draft), body

    def _packed_row(self, one: Outgoing, ttl: timedelta | None) -> tuple[Draft, bytes]:
        chosen = self._checked_id(one.transaction_id)
        raw = one.payload
        compression = codec.choose(self.settings.compression, raw)
        body = codec.Encoder(compression).encode(raw) if compression is not Compression.NONE else bytes(raw)
        checksum = hashlib.sha256(raw).digest()
        stored_checksum = (
            checksum if compression is Compression.NONE else hashlib.sha256(body).digest()
        )
        return Draft(
            chosen, self._checked_labels(one.labels), len(raw), checksum, compression, len(body),
            stored_checksum, 0, self.settings.ttl if ttl is None else ttl,
        ), body  # fmt: skip

    def _checked_id(self, transaction_id: UUID | None) -> UUID:
        if not self.settings.enabled:
            raise BusDisabled(
                "The bus is switched off (MESSAGE_BUS_ENABLED=false).", transaction_id=transaction_id
            )
        if transaction_id is None:
            return self.clock.new_id()
        now = self.clock.unix_ms()
        horizon = int(self.settings.horizon.total_seconds() * 1000)
        ahead = int(AHEAD.total_seconds() * 1000)
        if not now - horizon <= unix_ms_of(transaction_id) <= now + ahead:
            raise OutsideHorizon(
                f"Id {transaction_id} is of another time: ids from {self.settings.horizon} ago "
                "to one day ahead are taken.",
                transaction_id=transaction_id,
            )
        return transaction_id

    @staticmethod
    def _checked_labels(labels: Labels | None) -> Labels:
        if labels is None:
            return Labels()
        for name in ("content_type", "tool_name", "session_id", "request_id", "owner"):
            _check_text(name, getattr(labels, name))
        if labels.metadata:
            _check_metadata(labels.metadata)
        return labels

    async def _find(self, transaction_id: UUID, principal: str | None) -> Found:
        found = await self.store.find(transaction_id)
        if found is None:
            raise await self._absent(transaction_id)
        if principal is not None and found.owner != principal:
            now = self.clock.now()
            await self.store.record_events(
                [Event(transaction_id, now, "denied", self.hop, {"principal": principal})]
            )
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

    async def _absent(self, transaction_id: UUID) -> MessageExpired | MessageMissing:
        """What became of an id that is not in the store: its events and its own time tell."""
        events = await self.store.events(transaction_id)
        made = time_of(transaction_id)
        if events:
            last = events[-1]
            why = f"it was {last.kind} at {last.at.isoformat()}" if last.kind != "stored" else (
                f"stored at {last.at.isoformat()}, gone since with its partition"
            )
            return MessageExpired(
                f"Message {transaction_id} is no longer there: {why}.",
                transaction_id=transaction_id,
            )
        if first_id(self.clock.unix_ms()).int - transaction_id.int > self._horizon_span():
            return MessageExpired(
                f"Id {transaction_id} is from {made.isoformat()}, before the horizon of "
                f"{self.settings.horizon}: whatever it named has expired.",
                transaction_id=transaction_id,
            )
        return MessageMissing(
            f"No message {transaction_id} was ever stored here.", transaction_id=transaction_id
        )

    def _horizon_span(self) -> int:
        return int(self.settings.horizon.total_seconds() * 1000) << 80

    async def _pieces(self, found: Found, span: Span) -> AsyncIterator[bytes]:
        verify = self.settings.checksum_enabled
        began = self.clock.monotonic()
        if found.chunk_count == 0:
            yield open_row(found, verify=verify)[span.start : span.stop]
            self._deliver(found, span, found.duration_ms)
            return
        if span.stop > span.start:
            async for piece in Redemption(self.store, found, span, verify=verify).pieces():
                yield piece
        self._deliver(found, span, (self.clock.monotonic() - began) * 1000)

    async def _stored_pieces(self, found: Found) -> AsyncIterator[bytes]:
        span = span_of(found, 0, None)
        if found.chunk_count == 0:
            yield found.body or b""
        else:
            async for chunk in Redemption(self.store, found, span, verify=True).stored():
                yield chunk
        self._deliver(found, span, found.duration_ms)

    def _deliver(self, found: Found, span: Span, duration_ms: float) -> None:
        whole = span.start == 0 and span.stop == found.payload_size_bytes
        detail: dict[str, Any] = {"verified": self.settings.checksum_enabled}
        if not whole:
            detail |= {"offset": span.start, "length": span.stop - span.start}
        now = self.clock.now()
        self.deliveries.add(
            Delivery(found.transaction_id, now, duration_ms, self.hop, detail)
        )

    async def _retain(
        self, transaction_id: UUID, *, pinned: bool | None = None, ttl: timedelta | None = None
    ) -> Envelope:
        envelope = await self.store.retain(transaction_id, pinned=pinned, ttl=ttl)
        if envelope is None:
            raise await self._absent(transaction_id)
        return envelope


async def _chain(
    head: codec.Buffer, rest: AsyncIterator[codec.Buffer]
) -> AsyncIterator[codec.Buffer]:
    yield head
    async for piece in rest:
        yield piece


def _claim(draft: Draft, stored: Stored, preview: str) -> ClaimCheck:
    return ClaimCheck(
        draft.transaction_id, draft.payload_size_bytes, draft.checksum.hex(), draft.compression,
        stored.expires_at, draft.labels.message_type, draft.labels.content_type, preview,
    )  # fmt: skip


def _found_claim(found: Found) -> ClaimCheck:
    return ClaimCheck(
        found.transaction_id, found.payload_size_bytes, found.checksum.hex(), found.compression,
        found.expires_at, found.message_type, found.content_type, "",
    )  # fmt: skip


def _same_digest(transaction_id: UUID, checksum: bytes, announced: str | None) -> None:
    if announced is not None and announced.lower() != checksum.hex():
        raise DigestMismatch(
            f"The payload for {transaction_id} has SHA-256 {checksum.hex()}, not {announced}.",
            transaction_id=transaction_id,
        )


def _as_text(payload: str, labels: Labels) -> tuple[bytes, Labels]:
    try:
        raw = payload.encode()
    except UnicodeEncodeError as error:
        raise InvalidLabel(
            "The text holds a lone surrogate, which has no UTF-8 form.",
            remedy="Encode it yourself and put the bytes.",
        ) from error
    if labels.content_type == Labels().content_type:
        labels = replaced(labels, content_type="text/plain; charset=utf-8")
    return raw, labels


def _check_text(name: str, value: str | None) -> None:
    if value is None:
        return
    if "\x00" in value or not _encodable(value):
        raise InvalidLabel(f"{name} {value!r} holds a NUL or a lone surrogate.")


def _encodable(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value) if not value.isascii() else True


def _check_metadata(metadata: Any) -> None:
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InvalidLabel(f"metadata is not JSON: {error}.") from error
    if "\\u0000" in text:
        raise InvalidLabel("metadata holds a NUL, which PostgreSQL's jsonb refuses.")
