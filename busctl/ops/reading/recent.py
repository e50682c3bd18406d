"""Answers of late, kept unpacked: who is told an answer by its id reads on in it, and who searches
it searches again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from uuid import UUID

from busctl.core.envelope import ClaimCheck

IDLE_SECS = 60.0
"""Nothing is kept for longer than that after the last use."""

_Key = tuple[UUID, str]


class Recent:
    """The pieces of whole, verified payloads, `most` bytes in all, those used last. Whether a
    message is there still, and whose it is, is the bus's to say each time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._known: OrderedDict[_Key, Sequence[bytes]] = OrderedDict()
        self._forgetting: asyncio.TimerHandle | None = None

    @property
    def size(self) -> int:
        """Bytes kept."""
        return self._size

    async def through(
        self, claim: ClaimCheck, pieces: AsyncIterator[bytes]
    ) -> AsyncGenerator[bytes, None]:
        """The pieces of the whole payload of a claim just found: those that are known, or the given
        ones, which are then known if they come to their verified end."""
        key = (claim.transaction_id, claim.checksum)
        known = self._known.get(key)
        self._wait_again()
        if known is not None:
            self._known.move_to_end(key)
            for piece in known:
                yield piece
            return
        fits = claim.payload_size_bytes <= self._most
        passed: list[bytes] = []
        async with aclosing(pieces) as reading:  # type: ignore[type-var]  # the bus gives a generator
            async for piece in reading:
                if fits:
                    passed.append(piece)
                yield piece
        if fits:
            self._remember(key, passed)

    def remember(self, claim: ClaimCheck, payload: bytes) -> None:
        """The payload that was just stored under this claim."""
        self._wait_again()
        if 0 < len(payload) <= self._most:
            self._remember((claim.transaction_id, claim.checksum), (payload,))

    def forget(self) -> None:
        """Let go of everything."""
        self._known.clear()
        self._size = 0

    def _remember(self, key: _Key, pieces: Sequence[bytes]) -> None:
        if key in self._known:  # another search was as fast
            return
        self._known[key] = pieces
        self._size += sum(map(len, pieces))
        while self._size > self._most:
            _, oldest = self._known.popitem(last=False)
            self._size -= sum(map(len, oldest))

    def _wait_again(self) -> None:
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._forgetting = asyncio.get_running_loop().call_later(IDLE_SECS, self.forget)
