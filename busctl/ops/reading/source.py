"""Where reading on reads: the bytes of a message, or those of one block of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

from busctl.core.content_type import MCP_RESULT, TEXT, plain
from busctl.core.envelope import ClaimCheck
from busctl.core.errors import InvalidPlace, MessageCorrupt
from busctl.core.reading.block_text import BlockDecoder
from busctl.core.reading.blocks import Block, blocks_of, result_scan
from busctl.ops.bus import Bus
from busctl.ops.reading.recent import Recent


@dataclass(frozen=True, slots=True)
class Place:
    """Whose bytes are meant: `block` None is the payload itself, else offsets are those of the
    block's own bytes, read out of the payload. `principal` None reads everybody's."""

    transaction_id: UUID
    principal: str | None = None
    block: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Bytes from `start` on, in pieces; `size` (bytes in all) is None where only reading tells."""

    claim: ClaimCheck
    content_type: str
    size: int | None
    start: int
    pieces: AsyncIterator[bytes]


@asynccontextmanager
async def opened(
    bus: Bus, place: Place, *, offset: int = 0, length: int | None = None,
    recent: Recent | None = None,
) -> AsyncIterator[Source]:  # fmt: skip
    """The bytes of a place for the time of the block; no delivery is recorded. Raises the outcomes
    of redeeming, and InvalidPlace for a block that is not there.

    `recent` remembers the pieces of what was read whole: whoever may read a message gets them from
    there when it is opened again.
    """
    if place.block is None:
        found = await bus.open(
            place.transaction_id, offset=offset, length=length, principal=place.principal,
            delivers=False,
        )  # fmt: skip
        claim = found.claim
        if recent is not None:
            found = replace(found, pieces=recent.through(claim, found.pieces))
        async with aclosing(found.pieces) as pieces:  # type: ignore[type-var]  # the bus gives a generator
            yield Source(claim, claim.content_type, claim.payload_size_bytes, found.start, pieces)
        return
    claim, block = await _block(bus, place, place.block)
    found = await bus.open(
        place.transaction_id, offset=block.start, length=block.stop - block.start,
        principal=place.principal, delivers=False,
    )  # fmt: skip
    kind = block.mime_type or (TEXT if not block.encoded else "")
    async with (
        aclosing(_decoded(found.pieces, block, claim.transaction_id)) as decoded,
        aclosing(_within(decoded, offset, length)) as pieces,
    ):
        yield Source(claim, kind, None, offset, pieces)


async def _block(bus: Bus, place: Place, index: int) -> tuple[ClaimCheck, Block]:
    opened = await bus.open(place.transaction_id, principal=place.principal, delivers=False)
    if plain(opened.claim.content_type) != MCP_RESULT:
        raise InvalidPlace(
            f"Message {place.transaction_id} has no blocks: it is {opened.claim.content_type}.",
            transaction_id=place.transaction_id, remedy="Leave the block out.",
        )  # fmt: skip
    scan = result_scan()
    async with aclosing(opened.pieces) as pieces:  # type: ignore[type-var]  # the bus gives a generator
        async for piece in pieces:
            await asyncio.to_thread(scan.add, piece)
    blocks = {block.index: block for block in blocks_of(scan.finish())}
    found = blocks.get(index)
    if found is None:
        raise InvalidPlace(
            f"Message {place.transaction_id} has no block {index}; it has {len(blocks)}, "
            "counted from 0.",
            transaction_id=place.transaction_id, remedy="`bus_info` lists them.",
        )  # fmt: skip
    return opened.claim, found


async def _decoded(
    pieces: AsyncIterator[bytes], block: Block, transaction_id: UUID
) -> AsyncGenerator[bytes, None]:
    if not block.is_string:
        async for piece in pieces:
            yield piece
        return
    decoder = BlockDecoder(encoded=block.encoded)
    try:
        async for piece in pieces:
            yield await asyncio.to_thread(decoder.add, piece)
        yield decoder.finish()
    except ValueError as error:
        raise MessageCorrupt(
            f"Block {block.index} of message {transaction_id} cannot be read: {error}.",
            transaction_id=transaction_id, remedy="Read the payload itself, without a block.",
        ) from error  # fmt: skip


async def _within(
    pieces: AsyncIterator[bytes], offset: int, length: int | None
) -> AsyncGenerator[bytes, None]:
    at, stop = 0, None if length is None else offset + length
    async for piece in pieces:
        first = max(0, offset - at)
        last = len(piece) if stop is None else min(len(piece), stop - at)
        if first < last:
            yield piece[first:last]
        at += len(piece)
        if stop is not None and at >= stop:
            return
