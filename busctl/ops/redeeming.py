"""From a found envelope to verified raw bytes, chunk by chunk.

The last piece of a stream is held back until the digest of the whole payload has been checked, so
a reader that got everything has got the right bytes, and one that did not gets a named error.
No connection is held while the reader is slow: each batch of chunks is a statement of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from busctl.core.codec import CodecError, Decoder
from busctl.core.envelope import CHUNK_BYTES, Chunk, Compression
from busctl.core.errors import InvalidPlace, MessageCorrupt
from busctl.ops.access import naming
from busctl.ops.ahead import ahead
from busctl.ops.cores import on_a_core
from busctl.ports import Found, Store

WORKERS = 2
BATCH_BYTES = 4 << 20
BATCH_CHUNKS = 16
LAG_CHUNKS = 2
GROUP_CHUNKS = 2
"""A thread does that much at a time: handing over a single chunk costs a tenth of its work."""


@dataclass(frozen=True, slots=True)
class Span:
    """Chunks first … last (inclusive) and the half-open byte range of the payload wanted."""

    first: int
    last: int
    start: int
    stop: int


def span_of(found: Found, offset: int, length: int | None) -> Span:
    """The part of a payload that a range asks for, cut to the payload's end. Raises
    InvalidPlace for a negative offset or length."""
    if offset < 0 or (length is not None and length < 0):
        raise InvalidPlace(
            f"A range of message {found.transaction_id} has a negative offset or length.",
            transaction_id=found.transaction_id,
            remedy="Count bytes from the payload's beginning, the first is 0.",
        )
    size = found.payload_size_bytes
    start = min(offset, size)
    stop = size if length is None else min(size, start + length)
    if found.chunk_count == 0 or stop == start:
        return Span(0, -1, start, stop)
    return Span(start // CHUNK_BYTES, (stop - 1) // CHUNK_BYTES, start, stop)


def raw_size_of(found: Found, seq: int) -> int:
    """How many raw bytes chunk `seq` holds: 1 MiB, less for the last."""
    return min(CHUNK_BYTES, found.payload_size_bytes - seq * CHUNK_BYTES)


def corrupt(found: Found, what: str, seq: int | None = None) -> MessageCorrupt:
    """The error that names the message, the chunk and its byte range."""
    if seq is None:
        span, place = (0, found.payload_size_bytes), "its body"
    else:
        span = (seq * CHUNK_BYTES, seq * CHUNK_BYTES + raw_size_of(found, seq))
        place = f"chunk {seq} (bytes {span[0]}-{span[1]})"
    return MessageCorrupt(
        f"Message {found.transaction_id} is corrupt: {place} {what}.",
        transaction_id=found.transaction_id,
        chunk=seq,
        byte_range=span,
    )


def open_row(found: Found, *, verify: bool) -> bytes:
    """The raw payload of an in-row message. Raises MessageCorrupt."""
    body = found.body if found.body is not None else b""
    try:
        raw = Decoder(found.compression).decode(body, found.payload_size_bytes)
    except CodecError as error:
        raise corrupt(found, str(error)) from error
    if verify and hashlib.sha256(raw).digest() != found.checksum:
        raise corrupt(found, "does not match its SHA-256")
    return raw


class Redemption:
    """One pass over the chunks of a message; `duration_ms` sums the server's time."""

    def __init__(self, store: Store, found: Found, span: Span, *, verify: bool) -> None:
        self._store = store
        self._found = found
        self._span = span
        self._whole = span.start == 0 and span.stop == found.payload_size_bytes
        self._verify = verify
        self._digest = hashlib.sha256()
        self._unhashed: list[bytes] = []
        self._hashing: asyncio.Task[None] | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """Verified raw bytes in order. Raises MessageCorrupt before the last piece is given."""
        held: bytes | None = None
        async for seq, raw in self._decoded():
            if held is not None:
                yield held
            held = self._cut(seq, raw)
        if self._verify and self._whole and self._digest.digest() != self._found.checksum:
            raise await self._diagnose()
        if held is not None:
            yield held

    async def stored(self) -> AsyncIterator[bytes]:
        """The stored bytes of each chunk as they are: frames that follow one another. Each is
        checked against its own stored digest before it is given, the whole before the last."""
        held: bytes | None = None
        async for chunk in self._chunks():
            if await on_a_core(_digest, chunk.body) != chunk.stored_checksum:
                raise corrupt(self._found, "does not match its stored SHA-256", chunk.seq)
            await on_a_core(self._digest.update, chunk.body)
            if held is not None:
                yield held
            held = chunk.body
        if self._digest.digest() != self._found.stored_checksum:
            raise corrupt(self._found, "does not match its stored SHA-256, each chunk its own")
        if held is not None:
            yield held

    async def _decoded(self) -> AsyncIterator[tuple[int, bytes]]:
        """Raw chunks in order, hashed as they pass."""
        stored_raw = self._found.compression is Compression.NONE and self._whole
        async for each in self._as_stored() if stored_raw else self._unpacked():
            yield each

    async def _as_stored(self) -> AsyncIterator[tuple[int, bytes]]:
        decoder = Decoder(Compression.NONE)
        async for group in self._groups():
            async for each in self._passed(group[0].seq, self._open_all(decoder, group)):
                yield each
        await self._hashed(0)

    async def _unpacked(self) -> AsyncIterator[tuple[int, bytes]]:
        decoders = [Decoder(self._found.compression) for _ in range(WORKERS)]
        begun: deque[tuple[int, asyncio.Task[list[bytes]]]] = deque()
        async for group in self._groups():
            if len(begun) == WORKERS:
                first, earlier = begun.popleft()
                async for each in self._passed(first, await earlier):
                    yield each
            decoders.reverse()
            opening = ahead(on_a_core(self._open_all, decoders[0], group))
            begun.append((group[0].seq, opening))
        while begun:
            first, earlier = begun.popleft()
            async for each in self._passed(first, await earlier):
                yield each
        await self._hashed(0)

    async def _passed(self, first: int, raws: list[bytes]) -> AsyncIterator[tuple[int, bytes]]:
        """The chunks from `first` on. Hashing may lag behind by a few: meanwhile they are read."""
        if self._verify and self._whole:
            self._unhashed += raws
            await self._hashed(LAG_CHUNKS)
        for place, raw in enumerate(raws):
            yield first + place, raw

    async def _hashed(self, lag: int) -> None:
        """Hash what has come while a thread was hashing; wait until at most `lag` chunks remain."""
        while self._unhashed:
            if self._hashing is not None and not self._hashing.done():
                if len(self._unhashed) <= lag:
                    return
                await self._hashing
            raws, self._unhashed = self._unhashed, []
            self._hashing = ahead(on_a_core(self._hash_all, raws))
        if self._hashing is not None and not lag:
            await self._hashing

    def _hash_all(self, raws: Sequence[bytes]) -> None:
        for raw in raws:
            self._digest.update(raw)

    def _open_all(self, decoder: Decoder, group: Sequence[Chunk]) -> list[bytes]:
        return [self._open(decoder, chunk) for chunk in group]

    def _open(self, decoder: Decoder, chunk: Chunk) -> bytes:
        """Decode one chunk; a part of a payload is verified by the digests of its chunks."""
        try:
            raw = decoder.decode(chunk.body, raw_size_of(self._found, chunk.seq))
        except CodecError as error:
            raise corrupt(self._found, str(error), chunk.seq) from error
        if self._verify and not self._whole and _digest(raw) != chunk.raw_checksum:
            raise corrupt(self._found, "does not match its SHA-256", chunk.seq)
        return raw

    async def _chunks(self) -> AsyncIterator[Chunk]:
        async for group in self._groups():
            for chunk in group:
                yield chunk

    async def _groups(self) -> AsyncIterator[Sequence[Chunk]]:
        """What one hop to a thread is worth: the chunks of a batch, a few at a time."""
        found, last = self._found, self._span.last
        average = max(1, found.stored_size_bytes // found.chunk_count)
        step = max(1, min(BATCH_CHUNKS, BATCH_BYTES // average))
        wanted = self._span.first
        if wanted > last:
            return
        coming = ahead(self._batch(wanted, min(last, wanted + step - 1)))
        try:
            while wanted <= last:
                batch = await coming
                following = wanted + step
                if following <= last:
                    coming = ahead(self._batch(following, min(last, following + step - 1)))
                while batch:  # what has been given is not held here any longer
                    group, batch = batch[:GROUP_CHUNKS], batch[GROUP_CHUNKS:]
                    yield group
                wanted = following
        finally:
            coming.cancel()

    async def _batch(self, first: int, last: int) -> Sequence[Chunk]:
        with naming(self._found.transaction_id):
            batch = await self._store.chunks(self._found.transaction_id, first, last)
        if [chunk.seq for chunk in batch] != list(range(first, last + 1)):
            present = {chunk.seq for chunk in batch}
            gone = min(set(range(first, last + 1)) - present)
            raise corrupt(self._found, "is not in the store", gone)
        return batch

    def _cut(self, seq: int, raw: bytes) -> bytes:
        start = max(0, self._span.start - seq * CHUNK_BYTES)
        stop = self._span.stop - seq * CHUNK_BYTES
        return raw if start == 0 and stop >= len(raw) else raw[start:stop]

    async def _diagnose(self) -> MessageCorrupt:
        """Which chunk it was: read again, each against its own digest."""
        by_chunk = Redemption(self._store, self._found, self._span, verify=True)
        by_chunk._whole = False
        try:
            async for _ in by_chunk.pieces():
                pass
        except MessageCorrupt as error:
            return error
        return corrupt(self._found, "does not match its SHA-256, though each chunk matches its own")


def stored_row(found: Found) -> bytes:
    """The stored bytes of an in-row message. Raises MessageCorrupt."""
    body = found.body if found.body is not None else b""
    if _digest(body) != found.stored_checksum:
        raise corrupt(found, "does not match its stored SHA-256")
    return body


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()
