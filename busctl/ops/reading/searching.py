"""Searching a payload: reading it ahead, while a thread looks at what has come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from busctl.core.errors import SearchTimedOut
from busctl.core.reading.json_paths import Bounds, ValuesFound
from busctl.core.reading.search import Finder, Found, Search, clean_lines
from busctl.ops.ahead import ahead
from busctl.ops.bus import Bus
from busctl.ops.reading.recent import Recent
from busctl.ops.reading.source import Place, Source, opened
from busctl.ports.searching import JsonPaths

Result = TypeVar("Result")

THREADS = 2
"""Searches that look at the same time; the others wait for their next piece's turn. Threads of
their own: what a hostile pattern holds up must not be hashing or unpacking."""
AHEAD = 4
"""Pieces that are read before the one that is looked at."""
MOSTLY = 0.9
"""A piece of which so much was looked at already is finished in place: 0.3 ms."""
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


async def search(
    bus: Bus, place: Place, finder: Finder, wanted: Wanted, recent: Recent | None = None
) -> tuple[Found, Source]:
    """Where the payload matches. Its time over, it tells what it has found by then, and where to go
    on. Raises SearchTimedOut when that is nothing, and the outcomes of redeeming."""
    deadline = bus.clock.monotonic() + wanted.seconds
    looking = Search(
        finder, context=wanted.context, most=wanted.most, room=wanted.room, start=wanted.offset
    )

    def late() -> bool:
        return bus.clock.monotonic() >= deadline

    async with (
        opened(bus, place, recent=recent) as source,
        aclosing(_scouted(finder, source.pieces)) as pieces,
    ):
        async for piece, clean in pieces:
            looking.feed(piece, clean)
            if clean[1] - clean[0] > len(piece) * MOSTLY:
                _looked(looking, late)
            else:
                await _in_thread("search", _looked, looking, late)
            if looking.done:
                break
        else:
            looking.end()
            await _in_thread("search", _looked, looking, late)
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


async def _scouted(
    finder: Finder, pieces: AsyncIterator[bytes]
) -> AsyncGenerator[tuple[bytes, tuple[int, int]], None]:
    """The same pieces, each with its lines in which nothing matches. The next ones are under way:
    those are looked at side by side, as many as there are threads."""
    waiting: deque[asyncio.Task[tuple[bytes, tuple[int, int]] | None]] = deque()
    before: asyncio.Task[bytes | None] | None = None
    try:
        for _ in range(AHEAD):
            before = ahead(_next(pieces, before))
            waiting.append(ahead(_looked_at(finder, before)))
        while (scouted := await waiting.popleft()) is not None:
            before = ahead(_next(pieces, before))
            waiting.append(ahead(_looked_at(finder, before)))
            yield scouted
    finally:
        begun = [each for each in (before, *waiting) if each is not None]
        for each in begun:
            each.cancel()
        await asyncio.wait(begun)


async def _next(
    pieces: AsyncIterator[bytes], before: asyncio.Task[bytes | None] | None
) -> bytes | None:
    """One after the other, although they are asked for together."""
    if before is not None and await before is None:
        return None
    return await anext(pieces, None)


async def _looked_at(
    finder: Finder, coming: asyncio.Task[bytes | None]
) -> tuple[bytes, tuple[int, int]] | None:
    piece = await coming
    if piece is None:
        return None
    return piece, await _in_thread("scout", clean_lines, finder, piece)


@cache
def _pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix=f"busctl-{name}")


async def _in_thread(pool: str, work: Callable[..., Result], *values: object) -> Result:
    return await asyncio.get_running_loop().run_in_executor(_pool(pool), work, *values)


def _note(bus: Bus, place: Place, matches: int) -> None:
    bus.remark(
        place.transaction_id, SEARCHED, bus.hop,
        {"matches": matches, **({} if place.block is None else {"block": place.block})},
    )  # fmt: skip
