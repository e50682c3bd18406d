"""From raw bytes to sealed chunks: split, compress and hash, a few chunks ahead of the store.

Memory stays at a few chunks whatever the payload's size: the source is asked for the next chunk
only when the store has taken an earlier one.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import select
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import IO, Any

from busctl.core.codec import Buffer, Encoder
from busctl.core.envelope import CHUNK_BYTES, Chunk, Compression
from busctl.core.errors import PayloadTooLarge, SizeMismatch
from busctl.ops.ahead import ahead
from busctl.ops.cores import on_a_core

AHEAD = 3
"""Chunks begun and not yet taken: enough to keep the threads busy while the store writes."""


class Totals:
    """What is known of a payload once its last chunk is sealed: sizes in bytes and digests."""

    def __init__(self, compression: Compression) -> None:
        self.compression = compression
        self.raw_size = 0
        self.stored_size = 0
        self.chunks = 0
        self._raw = hashlib.sha256()
        self._stored = hashlib.sha256()

    def add_raw(self, raw: Buffer) -> None:
        self._raw.update(raw)
        self.raw_size += len(raw)

    def add_stored(self, chunk: Chunk) -> None:
        if self.compression is not Compression.NONE:
            self._stored.update(chunk.body)
        self.stored_size += len(chunk.body)
        self.chunks += 1

    @property
    def checksum(self) -> bytes:
        return self._raw.digest()

    @property
    def stored_checksum(self) -> bytes:
        return self.checksum if self.compression is Compression.NONE else self._stored.digest()


async def sealed(
    raws: AsyncIterator[Buffer], totals: Totals, max_bytes: int
) -> AsyncGenerator[Chunk, None]:
    """Chunks in order, with `totals` complete once the last has been taken.

    Chunks to be packed are begun while the store is busy with an earlier one; once it is closed
    nothing is read from the source any more. Raises PayloadTooLarge as soon as the source has
    given more than `max_bytes`.
    """
    making = _hashed if totals.compression is Compression.NONE else _packed
    async with aclosing(making(_within(raws, max_bytes), totals)) as chunks:
        async for chunk in chunks:
            yield chunk


async def _within(raws: AsyncIterator[Buffer], max_bytes: int) -> AsyncIterator[Buffer]:
    given = 0
    async for raw in raws:
        given += len(raw)
        if given > max_bytes:
            raise too_large(given, max_bytes)
        yield raw


async def _hashed(raws: AsyncIterator[Buffer], totals: Totals) -> AsyncGenerator[Chunk, None]:
    """One after the other: threads that hash ahead take the core on which the server writes what
    was sent (10 MB on two cores: 48 ms against 36)."""
    encoder = Encoder(totals.compression)

    def seal(raw: Buffer) -> Chunk:
        chunk = encoder.chunk(totals.chunks, raw)
        totals.add_raw(chunk.body)
        totals.add_stored(chunk)
        return chunk

    async for raw in raws:
        yield await on_a_core(seal, raw)


async def _packed(raws: AsyncIterator[Buffer], totals: Totals) -> AsyncGenerator[Chunk, None]:
    begun: asyncio.Queue[_Sealing | None] = asyncio.Queue()
    room = asyncio.Semaphore(AHEAD)
    feeding = ahead(_feed(raws, totals, begun, room))
    try:
        while (sealing := await begun.get()) is not None:
            chunk = await sealing.chunk
            await sealing.hashed
            totals.add_stored(chunk)
            room.release()
            yield chunk
        await feeding
    finally:
        feeding.cancel()
        await asyncio.wait([feeding])


@dataclass(frozen=True, slots=True)
class _Sealing:
    """A chunk in the making, and the hashing of the whole payload up to its end."""

    chunk: asyncio.Task[Chunk]
    hashed: asyncio.Task[None]


async def _feed(
    raws: AsyncIterator[Buffer], totals: Totals, begun: asyncio.Queue[_Sealing | None],
    room: asyncio.Semaphore,
) -> None:  # fmt: skip
    """Begin one chunk after the other, `AHEAD` of them at a time; None ends them."""
    encoders = [Encoder(totals.compression) for _ in range(AHEAD)]
    hashed: asyncio.Task[None] | None = None
    seq = 0
    try:
        async for raw in raws:
            await room.acquire()
            seal = encoders[seq % AHEAD].chunk
            hashed = ahead(_hash(totals, raw, hashed))
            begun.put_nowait(_Sealing(ahead(on_a_core(seal, seq, raw)), hashed))
            seq += 1
    finally:
        begun.put_nowait(None)


async def _hash(totals: Totals, raw: Buffer, before: asyncio.Task[None] | None) -> None:
    """The whole payload is hashed in order, beside the sealing of its chunks."""
    if before is not None:
        await before
    await on_a_core(totals.add_raw, raw)


def too_large(size: int, max_bytes: int) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"The payload has {size:,} bytes or more; at most {max_bytes:,} are taken.",
        remedy="Raise MESSAGE_BUS_MAX_PAYLOAD_MB; nothing was stored.",
    )


async def slices(payload: Buffer) -> AsyncIterator[Buffer]:
    """The chunks of a payload in memory, without copying it."""
    view = memoryview(payload)
    for start in range(0, len(view), CHUNK_BYTES):
        yield view[start : start + CHUNK_BYTES]


async def read_file(source: IO[bytes]) -> AsyncIterator[Buffer]:
    """The chunks of an open binary file. A short one is the last, even if more has been written
    behind it since: in the middle of a message it would be damage."""
    while piece := await _settled(asyncio.to_thread(_read_exactly, source, CHUNK_BYTES)):
        yield piece
        if len(piece) < CHUNK_BYTES:
            return


async def whole(chunks: AsyncIterator[Buffer], size: int) -> AsyncIterator[Buffer]:
    """The same chunks. Raises SizeMismatch at their end when they are fewer than `size` bytes: a
    file that shrank meanwhile. One that grows is stored as far as it was read."""
    came = 0
    async for chunk in chunks:
        came += len(chunk)
        yield chunk
    if came < size:
        raise SizeMismatch(
            f"The file had {size:,} bytes when reading began, {came:,} were there to be read."
        )


async def read_pipe(source: IO[bytes]) -> AsyncIterator[Buffer]:
    """As `read_file`; cancelling does not wait for a pipe, which may never give anything."""
    while piece := await asyncio.to_thread(_read_exactly, source, CHUNK_BYTES):
        yield piece
        if len(piece) < CHUNK_BYTES:
            return


async def _settled(reading: Coroutine[Any, Any, bytes]) -> bytes:
    """The bytes read. A thread cannot be stopped, so cancelling waits for it: one that reads on
    would move the file under a caller who rewinds it to try again."""
    read = asyncio.ensure_future(reading)
    try:
        return await asyncio.shield(read)
    except asyncio.CancelledError:
        await asyncio.wait([read])
        raise


def _read_exactly(source: IO[bytes], size: int) -> bytes:
    """`size` bytes, fewer only at the end: a pipe gives less at a time than was asked for."""
    piece = _read(source, size)
    if not piece or len(piece) == size:
        return piece
    parts = [piece]
    left = size - len(piece)
    while left and (piece := _read(source, left)):
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts)


def _read(source: IO[bytes], size: int) -> bytes:
    """Some bytes, b"" at the end. A pipe that does not block says None when it has nothing yet:
    taken for its end that would cut the payload."""
    piece: bytes | None = source.read(size)
    while piece is None:
        select.select([source], [], [])
        piece = source.read(size)
    return piece


def size_of_file(source: IO[bytes]) -> int | None:
    """Bytes left in a regular file; None for pipes and the like."""
    try:
        return os.fstat(source.fileno()).st_size - source.tell()
    except OSError:  # a pipe, a socket, an object that only looks like a file: size unknown
        return None
