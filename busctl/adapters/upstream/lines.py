"""Lines from a pipe, of any length up to a bound, without a copy of what is long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

READ_BYTES = 256 * 1024
EDGE_BYTES = 4096
"""What is kept of the beginning and of the end of a line that is too long."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line over the bound: its length, its beginning and its end."""

    size: int
    head: bytes
    tail: bytes


async def lines(source: asyncio.StreamReader, most: int) -> AsyncIterator[bytearray | TooLong]:
    """Each line without its end, as it comes; what follows the last one when the pipe ends is no
    line. The reader owns the bytearray."""
    line = _Line(most)
    while chunk := await source.read(READ_BYTES):
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            line.add(memoryview(chunk)[start:end])
            yield line.done()
            line = _Line(most)
            start = end + 1
        line.add(memoryview(chunk)[start:])


class _Line:
    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept = bytearray()
        self._head = b""

    def add(self, piece: memoryview) -> None:
        self._size += len(piece)
        self._kept += piece
        if self._size <= self._most:
            return
        if not self._head:
            self._head = bytes(self._kept[:EDGE_BYTES])
        # A new one: the memory of a bytearray that shrinks stays with it.
        self._kept = bytearray(self._kept[-EDGE_BYTES:])

    def done(self) -> bytearray | TooLong:
        if self._size <= self._most:
            return self._kept
        return TooLong(self._size, self._head, bytes(self._kept))
