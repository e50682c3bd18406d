"""Export: messages with their bytes into one archive, verified as they are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from busctl.core.envelope import Envelope, Event
from busctl.core.errors import (
    BusctlError,
    ClaimError,
    ConfigurationError,
    MessageExpired,
    MessageMissing,
    StoreUnreachable,
)
from busctl.ops.archive_writing import ArchiveWriter, Out
from busctl.ops.bus import Bus
from busctl.ops.partial import growing, partial_of, settle
from busctl.ports import Filter

PAGE = 200
log = logging.getLogger("busctl.archive")


@dataclass(frozen=True, slots=True)
class Problem:
    """A message that was not exported or imported, and why."""

    transaction_id: UUID
    error: BusctlError


Tell = Callable[[Problem], None]
Moved = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Selection:
    """What to export: the ids, or everything the filter finds. `typed` is how it was asked for;
    an interrupted export goes on only with the same."""

    typed: dict[str, Any] = field(default_factory=dict)
    ids: tuple[UUID, ...] = ()
    filter: Filter = field(default_factory=Filter)


@dataclass(slots=True)
class Exported:
    """Counts of messages; `resumed` were in the interrupted archive already. Sizes in bytes."""

    exported: int = 0
    resumed: int = 0
    failed: int = 0
    payload_bytes: int = 0
    archive_bytes: int = 0


async def export_file(
    bus: Bus, target: Path, selection: Selection, *, tell: Tell, moved: Moved
) -> Exported:
    """Write `target`, which appears only whole; until then FILE.partial grows beside it, and the
    same call goes on from there. A message that cannot be read is told and left out.

    Raises LockHeld, ConfigurationError (FILE.partial is of another selection), the store's errors.
    """
    with growing(target) as partial, ArchiveWriter(partial) as writer:
        known = await asyncio.to_thread(writer.resume, partial)
        if known is None:
            writer.begin(selection.typed, bus.clock.now())
        elif known[0] != selection.typed:
            raise ConfigurationError(
                f"{partial_of(target)} is of an export of something else.",
                remedy=f"Give the same ids and filters as then, or remove {partial_of(target)}.",
            )
        there = known[1] if known else frozenset()
        export = _Export(bus, writer, partial, tell, moved)
        done = await export.run(selection, there)
        await asyncio.to_thread(settle, partial, target)
        return done


async def export_stream(
    bus: Bus, out: Out, selection: Selection, *, tell: Tell, moved: Moved
) -> Exported:
    """Write the archive to a pipe. What has been written cannot be taken back there, so a large
    message that turns out to be corrupt on the way ends the export (MessageCorrupt)."""
    with ArchiveWriter(out) as writer:
        await asyncio.to_thread(writer.begin, selection.typed, bus.clock.now())
        return await _Export(bus, writer, None, tell, moved).run(selection, frozenset())


class _Export:
    """One run; `partial` is the file that is written, None for a pipe."""

    def __init__(
        self, bus: Bus, writer: ArchiveWriter, partial: IO[bytes] | None, tell: Tell, moved: Moved
    ) -> None:
        self._bus = bus
        self._writer = writer
        self._partial = partial
        self._tell = tell
        self._moved = moved
        self._events: list[Event] = []
        self._done = Exported()

    async def run(self, selection: Selection, there: frozenset[UUID]) -> Exported:
        done = self._done
        done.resumed = len(there)
        async for envelope in self._wanted(selection):
            if envelope.transaction_id not in there:
                await self._add(envelope)
        await self._record()
        await asyncio.to_thread(self._writer.finish, self._bus.clock.now())
        done.archive_bytes = self._writer.offset
        return done

    async def _wanted(self, selection: Selection) -> AsyncIterator[Envelope]:
        if not selection.ids:
            async for envelope in self._matching(replace(selection.filter, oldest_first=True)):
                yield envelope
        for one in sorted(selection.ids):
            try:
                envelope = await self._bus.stat(one)
            except (MessageExpired, MessageMissing) as error:
                self._fail(one, error)
            else:
                yield envelope

    async def _matching(self, wanted: Filter) -> AsyncIterator[Envelope]:
        wanted = replace(wanted, limit=PAGE)
        while page := await self._bus.list(wanted):
            for envelope in page:
                yield envelope
            wanted = replace(wanted, after=page[-1].transaction_id)

    async def _add(self, envelope: Envelope) -> None:
        began = self._writer.offset
        try:
            await self._write(envelope)
        except StoreUnreachable:
            raise
        except ClaimError as error:
            if self._partial is None and self._writer.offset != began:
                error.remedy = "Export to a file: there the message is left out and the rest kept."
                raise
            if self._partial is not None:
                self._writer.offset = began
                self._writer.back_to(self._partial, began)
            self._fail(envelope.transaction_id, error)
            return
        self._done.exported += 1
        self._done.payload_bytes += envelope.payload_size_bytes
        event = Event(envelope.transaction_id, self._bus.clock.now(), "exported", self._bus.hop)
        self._events.append(event)
        if len(self._events) >= PAGE:
            await self._record()

    async def _write(self, envelope: Envelope) -> None:
        opened = await self._bus.peek(envelope.transaction_id)
        async with aclosing(opened.pieces) as pieces:  # type: ignore[type-var]  # a generator
            # The first piece before the header: a message of one piece is so verified beforehand.
            first = await anext(pieces, b"")
            lines = await asyncio.to_thread(self._writer.open_message, envelope)
            await self._piece(first)
            async for piece in pieces:
                await self._piece(piece)
        await asyncio.to_thread(self._writer.close_message, envelope, lines)

    async def _piece(self, piece: bytes) -> None:
        await asyncio.to_thread(self._writer.write, piece)
        self._moved(len(piece))

    async def _record(self) -> None:
        """What was read is in the audit trail; not being able to say so fails no export."""
        events, self._events = self._events, []
        if not events:
            return
        try:
            await self._bus.store.record_events(events)
        except BusctlError as error:
            log.warning("%d exports not recorded: %s", len(events), error)

    def _fail(self, one: UUID, error: BusctlError) -> None:
        self._done.failed += 1
        self._tell(Problem(one, error))
