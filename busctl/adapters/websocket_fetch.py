"""The receiving end of one fetch: parts in order, counted and hashed, or a named error."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar
from uuid import UUID

from busctl.core.envelope import ClaimCheck
from busctl.core.errors import BusctlError, DaemonUnreachable, MessageCorrupt
from busctl.core.hops import Measure
from busctl.core.replies import Part, read_claim, read_error

STALL_SECS = 60.0
"""Longest wait for the next frame of a fetch; never for a whole transfer."""
AHEAD_PARTS = 2
"""Parts that may wait while the ones before them are written: at most 2 MiB."""


Frame = TypeVar("Frame")


class Sink(Protocol):
    """Where raw bytes go, in order. Called in a thread."""

    def write(self, piece: memoryview, /) -> object: ...


class Memory:
    """The bytes in memory, once: BytesIO gives up its buffer without a copy."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()

    def write(self, piece: memoryview) -> int:
        return self._buffer.write(piece)

    def value(self) -> bytes:
        return self._buffer.getvalue()


class Receipt:
    """One fetch under way. The connection's reader gives it frames, `receive` takes them out."""

    def __init__(self, request_id: str, transaction_id: UUID, offset: int) -> None:
        self.request_id = request_id
        self.transaction_id = transaction_id
        self.ended = asyncio.Event()
        self._offset = offset
        self._head: asyncio.Future[ClaimCheck] = asyncio.get_running_loop().create_future()
        self._length = 0
        self._parts: asyncio.Queue[Part | None] = asyncio.Queue(AHEAD_PARTS)
        self._checksum: str | None = None
        self._error: BusctlError | None = None
        self._left = False
        self.taken = Measure()

    # --- the reader's side -------------------------------------------------------------------

    def begin(self, frame: Mapping[str, Any]) -> None:
        """fetch_res."""
        if "error" in frame:
            self.fail(read_error(frame["error"]))
            return
        claim = read_claim(frame)
        self._length = int(frame["length"])
        if not self._head.done():
            self._head.set_result(claim)

    async def add(self, part: Part) -> None:
        """A binary frame; waits while the ones before it are written."""
        if not self._left:
            await self._parts.put(part)

    async def end(self, frame: Mapping[str, Any]) -> None:
        """fetch_end."""
        if "error" in frame:
            self.fail(read_error(frame["error"]))
            return
        self._checksum = str(frame["checksum"]).lower()
        if not self._left:
            await self._parts.put(None)
        self.ended.set()

    def fail(self, error: BusctlError) -> None:
        """Nothing more will come."""
        self._error = error
        self.ended.set()
        self._drop()
        self._parts.put_nowait(None)
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # looked at: whoever waited may have left

    # --- the caller's side -------------------------------------------------------------------

    async def receive(self, sink: Sink, length: int | None, claim: ClaimCheck | None) -> ClaimCheck:
        """Take all bytes into `sink`, verified: their places, their number, their SHA-256.

        `length` is what was asked for, `claim` what must come if it is known. Raises the daemon's
        errors, and MessageCorrupt naming the first offset that did not come as promised.
        """
        told = await self._next(self._head)
        self._check_promise(told, length, claim)
        taken, at = self.taken, self._offset
        while (part := await self._next(self._parts.get())) is not None:
            if part.offset != at:
                raise self._corrupt(f"bytes from {part.offset:,} came in place of {at:,}")
            await asyncio.to_thread(_take, sink, taken, part.raw)
            at += len(part.raw)
        if self._error is not None:
            raise self._error
        if at != self._offset + self._length:
            raise self._corrupt(f"they end at {at:,}, not at {self._offset + self._length:,}")
        found = taken.checksum
        whole = self._offset == 0 and self._length == told.payload_size_bytes
        if found != self._checksum or (whole and found != told.checksum):
            raise self._corrupt(f"the SHA-256 from {self._offset:,} on is {found}")
        return told

    async def _next(self, frame: Awaitable[Frame]) -> Frame:
        try:
            async with asyncio.timeout(STALL_SECS):
                return await frame
        except TimeoutError as error:
            raise DaemonUnreachable(
                f"Nothing more of message {self.transaction_id} came for {STALL_SECS:g} s.",
                transaction_id=self.transaction_id,
                remedy="Fetch it again; nothing was lost.",
            ) from error

    def leave(self) -> None:
        """Whatever still comes is dropped."""
        self._left = True
        self._drop()

    def _check_promise(
        self, told: ClaimCheck, length: int | None, claim: ClaimCheck | None
    ) -> None:
        if claim is not None and (told.checksum, told.payload_size_bytes) != (
            claim.checksum,
            claim.payload_size_bytes,
        ):
            raise self._corrupt("its size or SHA-256 is not that of the claim")
        rest = max(0, told.payload_size_bytes - self._offset)
        wanted = rest if length is None else min(length, rest)
        if self._length != wanted:
            raise self._corrupt(
                f"{self._length:,} bytes from {self._offset:,} on were promised, not {wanted:,}"
            )

    def _corrupt(self, why: str) -> MessageCorrupt:
        return MessageCorrupt(
            f"Message {self.transaction_id} did not come as it is stored: {why}.",
            transaction_id=self.transaction_id,
            remedy="Fetch it again; `busctl get` reads it from the store itself.",
            came=(self.taken.size, self.taken.checksum),
        )

    def _drop(self) -> None:
        while not self._parts.empty():
            self._parts.get_nowait()


def _take(sink: Sink, taken: Measure, raw: memoryview) -> None:
    taken.add(raw)
    sink.write(raw)
