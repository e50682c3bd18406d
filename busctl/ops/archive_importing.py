"""Import: the messages of an archive into a store, or only verified."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from busctl.core.archive import Recorded
from busctl.core.errors import (
    ArchiveError,
    BusctlError,
    DigestMismatch,
    InvalidLabel,
    MessageCorrupt,
    MessageExpired,
    OutsideHorizon,
    PayloadTooLarge,
    TransactionConflict,
)
from busctl.ops.archive import Problem, Tell
from busctl.ops.archive_reading import ArchiveReader, Payload
from busctl.ops.bus import Bus
from busctl.ops.sealing import too_large


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


async def verify_archive(source: IO[bytes], *, tell: Tell) -> tuple[Imported, ArchiveError | None]:
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


async def _store(bus: Bus, recorded: Recorded, payload: Payload, ttl: timedelta | None) -> None:
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
