"""Export and import: messages with their bytes to and from one archive, verified both ways."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from busctl.core.archive import Recorded
from busctl.core.envelope import Envelope, Event
from busctl.core.errors import (
    ArchiveError,
    BusctlError,
    ClaimError,
    ConfigurationError,
    DigestMismatch,
    InvalidLabel,
    MessageCorrupt,
    MessageExpired,
    MessageMissing,
    OutsideHorizon,
    PayloadTooLarge,
    StoreUnreachable,
    TransactionConflict,
)
from busctl.ops.archive_reading import ArchiveReader, Payload
from busctl.ops.archive_writing import ArchiveWriter, Out
from busctl.ops.bus import Bus
from busctl.ops.partial import growing, partial_of, settle
from busctl.ops.sealing import too_large
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


@dataclass(slots=True)
class Imported:
    """Counts of messages: each read is in one of them. `payload_bytes` were imported."""

    imported: int = 0
    already: int = 0
    expired: int = 0
    beyond_horizon: int = 0
    failed: int = 0
    verified: int = 0
    payload_bytes: int = 0


async def export_file(
    bus: Bus, target: Path, selection: Selection, *, tell: Tell, moved: Moved
) -> Exported:
    """Write `target`, which appears only whole; until then FILE.partial grows beside it, and the
    same call goes on from there. A message that cannot be read is told and left out.

    Raises LockHeld, ConfigurationError (FILE.partial is of another selection), the store's errors.
    """
    if target.is_symlink():
        target = target.resolve()
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


async def import_archive(
    bus: Bus, source: IO[bytes], *, ttl: timedelta | None, tell: Tell
) -> tuple[Imported, ArchiveError | None]:
    """Store every message of an archive that is not there yet, with its id, labels and times.

    `ttl` gives each a new time to live from now. Messages that cannot be stored are told one by
    one. The second value says where the archive is damaged beyond going on, or ends too early:
    what came before is stored, and importing again stores nothing twice. Raises the store's errors.
    """
    done = Imported()

    async def take(recorded: Recorded, payload: Payload) -> None:
        await _import_one(bus, recorded, payload, ttl, done)

    return done, await _each(source, take, done, tell)


async def verify_archive(
    source: IO[bytes], *, tell: Tell
) -> tuple[Imported, ArchiveError | None]:
    """Read an archive to its end and check everything in it; nothing is stored."""
    done = Imported()

    async def take(recorded: Recorded, payload: Payload) -> None:
        fault = await asyncio.to_thread(payload.drain)
        if fault is None:
            done.verified += 1
            done.payload_bytes += recorded.payload_size_bytes

    return done, await _each(source, take, done, tell)


async def _each(
    source: IO[bytes],
    take: Callable[[Recorded, Payload], Awaitable[None]],
    done: Imported,
    tell: Tell,
) -> ArchiveError | None:
    """`take` for every message, its refusals counted and told; the fault that ended it early."""
    reader = ArchiveReader(source)
    try:
        await asyncio.to_thread(reader.begin)
        while (message := await asyncio.to_thread(reader.next_message)) is not None:
            recorded, payload = message
            refusal = await _refusal(take(recorded, payload))
            # Damage explains every other refusal, and only the reader knows its place.
            damage = await asyncio.to_thread(reader.finish_message)
            if (error := damage or refusal) is not None:
                _count(done, error)
                tell(Problem(recorded.transaction_id, error))
    except ArchiveError as fault:
        return fault
    return None


async def _refusal(taking: Awaitable[None]) -> BusctlError | None:
    """What speaks against one message alone; anything else ends the import."""
    try:
        await taking
    except (
        DigestMismatch, InvalidLabel, MessageCorrupt, MessageExpired, OutsideHorizon,
        PayloadTooLarge, TransactionConflict,
    ) as error:  # fmt: skip
        return error
    return None


def _count(done: Imported, error: BusctlError) -> None:
    match error:
        case OutsideHorizon():
            done.beyond_horizon += 1
        case MessageExpired():
            done.expired += 1
        case _:
            done.failed += 1


async def _import_one(
    bus: Bus, recorded: Recorded, payload: Payload, ttl: timedelta | None, done: Imported
) -> None:
    one = recorded.transaction_id
    known = await bus.store.stat(one)
    if known is None:
        await _store(bus, recorded, payload, ttl)
        done.imported += 1
        done.payload_bytes += recorded.payload_size_bytes
    elif known.checksum.hex() != recorded.checksum:
        raise TransactionConflict(f"Another payload is stored under {one}.", transaction_id=one)
    else:
        done.already += 1
    if recorded.pinned and not (known and known.pinned):
        await bus.pin(one)


async def _store(
    bus: Bus, recorded: Recorded, payload: Payload, ttl: timedelta | None
) -> None:
    one, now = recorded.transaction_id, bus.clock.now()
    if recorded.payload_size_bytes > bus.settings.max_payload_bytes:
        raise too_large(recorded.payload_size_bytes, bus.settings.max_payload_bytes)
    if ttl is None and not recorded.pinned and recorded.expires_at <= now:
        raise MessageExpired(
            f"Message {one} expired at {recorded.expires_at.isoformat(timespec='seconds')}.",
            transaction_id=one,
            remedy="--ttl gives it a new life, unless its id is beyond the horizon.",
        )
    expires_at = recorded.expires_at if ttl is None else now + ttl
    await bus.put_file(
        payload,  # type: ignore[arg-type]  # a RawIOBase is an IO[bytes] in all but name
        recorded.labels, transaction_id=one, ttl=expires_at - recorded.created_at,
        created_at=recorded.created_at, checksum=recorded.checksum,
    )  # fmt: skip
