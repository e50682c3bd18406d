"""Searching a payload: reading it ahead, while a thread looks at what has come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, TypeVar

from busctl.core.errors import InvalidPlace, SearchTimedOut
from busctl.core.reading.json_paths import Bounds, ValuesFound
from busctl.core.reading.search import Finder, Found, Search, clean_lines
from busctl.ops.bus import Bus
from busctl.ops.reading.recent import Recent
from busctl.ops.reading.source import Place, Source, opened
from busctl.ports.searching import JsonPaths

Result = TypeVar("Result")

THREADS = 2
"""Searches that look at the same time; the others wait for their next piece's turn. Threads of
their own: what a hostile pattern holds up must not be hashing or unpacking."""
AHEAD = 4
"""Parts that are looked at before the one that is finished."""
PLAIN_PARTS = 8
"""Not looked at ahead after one that was full of matches."""
LEAST_PART_BYTES = 256 * 1024
MOST_PART_BYTES = 4 << 20
IN_PLACE_BYTES = 100_000
IN_PLACE_STRETCHES = 8
"""A part of which no more is left to look at is finished in place: 0.3 ms."""
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
    on. Raises SearchTimedOut when that is nothing, InvalidPlace for an offset behind the end, and
    the outcomes of redeeming."""
    deadline = bus.clock.monotonic() + wanted.seconds
    looking = Search(
        finder, context=wanted.context, most=wanted.most, room=wanted.room, start=wanted.offset
    )

    def late() -> bool:
        return bus.clock.monotonic() >= deadline

    async with (
        opened(bus, place, recent=recent) as source,
        aclosing(_scouted(finder, source.pieces, late)) as parts,
    ):
        if source.size is not None and wanted.offset > source.size:
            raise InvalidPlace(
                f"Message {place.transaction_id} has {source.size:,} bytes; there is nothing to "
                f"search from {wanted.offset:,} on.",
                transaction_id=place.transaction_id,
            )
        async for part, clean in parts:
            looking.feed(part.piece, clean, part.begin, part.end)
            unclean = part.end - part.begin - sum(last - first for first, last in clean)
            if unclean < IN_PLACE_BYTES and len(clean) <= IN_PLACE_STRETCHES:
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


class _Part(NamedTuple):
    """piece[begin:end]."""

    piece: bytes
    begin: int
    end: int


async def _scouted(
    finder: Finder, pieces: AsyncIterator[bytes], late: Callable[[], bool]
) -> AsyncGenerator[tuple[_Part, list[tuple[int, int]]], None]:
    """All that the pieces hold, part by part, each with its lines in which nothing matches. The
    next ones are under way: those are looked at side by side, as many as there are threads.

    Where much matches nothing is looked at ahead: threads that go back to Python for each match
    wait for one another longer than looking takes.
    """
    waiting: deque[tuple[_Part, asyncio.Future[list[tuple[int, int]]]]] = deque()
    plainly = 1  # the first part: a search may be full with its matches
    ended = False

    def over() -> bool:
        return ended or late()

    try:
        async for part in _parts(pieces):
            while waiting and (plainly or len(waiting) > AHEAD or waiting[0][1].done()):
                first, looked = waiting.popleft()
                clean = await looked
                yield first, clean
                behind = clean[-1][1] if clean else first.begin
                if first.end - behind > (first.end - first.begin) // 2:
                    plainly = PLAIN_PARTS
            if plainly:
                plainly -= 1
                yield part, []
            else:
                waiting.append((part, _in_thread("scout", clean_lines, finder, *part, over)))
        for first, looked in waiting:
            yield first, await looked
    finally:
        ended = True


async def _parts(pieces: AsyncIterator[bytes]) -> AsyncGenerator[_Part, None]:
    """The pieces, in parts that are small at first."""
    size = LEAST_PART_BYTES
    async for piece in pieces:
        begin = 0
        while begin < len(piece):
            end = min(len(piece), begin + size)
            yield _Part(piece, begin, end)
            begin, size = end, min(2 * size, MOST_PART_BYTES)


@cache
def _pool(name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix=f"busctl-{name}")


def _in_thread(pool: str, work: Callable[..., Result], *values: object) -> asyncio.Future[Result]:
    return asyncio.get_running_loop().run_in_executor(_pool(pool), work, *values)


def _note(bus: Bus, place: Place, matches: int) -> None:
    bus.remark(
        place.transaction_id, SEARCHED, bus.hop,
        {"matches": matches, **({} if place.block is None else {"block": place.block})},
    )  # fmt: skip
