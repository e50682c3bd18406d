"""Searching a payload: reading it ahead, while a thread looks at what has come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache

from busctl.core.errors import SearchTimedOut
from busctl.core.json_paths import Bounds, ValuesFound
from busctl.core.search import Finder, Found, Search
from busctl.ops.ahead import ahead
from busctl.ops.bus import Bus
from busctl.ops.reading.source import Place, Source, opened
from busctl.ports.searching import JsonPaths

THREADS = 2
"""Searches that look at the same time; the others wait for their next piece's turn. Threads of
their own: what a hostile pattern holds up must not be hashing or unpacking."""
SEARCHED = "searched"
"""The event of a search, whatever it has found."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much a search may tell and take: matches, lines around each, bytes of lines, seconds.
    `offset` is where it begins (bytes)."""

    most: int
    context: int
    room: int
    seconds: float
    offset: int = 0


async def search(bus: Bus, place: Place, finder: Finder, wanted: Wanted) -> tuple[Found, Source]:
    """Where the payload matches. Its time over, it tells what it has found by then, and where to go
    on. Raises SearchTimedOut when that is nothing, and the outcomes of redeeming."""
    deadline = bus.clock.monotonic() + wanted.seconds
    looking = Search(
        finder, context=wanted.context, most=wanted.most, room=wanted.room, start=wanted.offset
    )

    def late() -> bool:
        return bus.clock.monotonic() >= deadline

    async with opened(bus, place) as source, aclosing(_read_ahead(source.pieces)) as pieces:
        async for piece in pieces:
            looking.feed(piece)
            await _in_thread(_looked, looking, late)
            if looking.done:
                break
        else:
            looking.end()
            await _in_thread(_looked, looking, late)
    found = looking.found
    _note(bus, place, found.matches)
    if looking.stopped_early and not found.matches:
        raise SearchTimedOut(
            f"The search in message {place.transaction_id} found nothing in "
            f"{wanted.seconds:g} s; it came to byte {found.looked_at:,}.",
            transaction_id=place.transaction_id,
        )
    return found, source


async def query(
    bus: Bus, place: Place, paths: JsonPaths, path: str, bounds: Bounds
) -> tuple[ValuesFound, Source]:
    """The values that a JSONPath selects. Raises as `search` does, InvalidPattern and NotJson."""
    async with opened(bus, place) as source:
        found = await paths.query(path, source.pieces, bounds)
    _note(bus, place, len(found.values))
    return found, source


def _looked(looking: Search, late: Callable[[], bool]) -> None:
    while looking.step():
        if late():
            looking.give_up()
            return


async def _read_ahead(pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The same pieces, the next one always under way."""
    coming = ahead(_next(pieces))
    try:
        while (piece := await coming) is not None:
            coming = ahead(_next(pieces))
            yield piece
    finally:
        coming.cancel()
        await asyncio.wait([coming])


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="busctl-search")


async def _in_thread(work: Callable[..., None], *values: object) -> None:
    await asyncio.get_running_loop().run_in_executor(_pool(), work, *values)


def _note(bus: Bus, place: Place, matches: int) -> None:
    bus.remark(
        place.transaction_id, SEARCHED, bus.hop,
        {"matches": matches, **({} if place.block is None else {"block": place.block})},
    )  # fmt: skip
