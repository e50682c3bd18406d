"""Putting: payload in, claim check out, whatever its size and wherever it comes from."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from dataclasses import replace as replaced
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO
from uuid import UUID

from busctl.core import codec
from busctl.core.durations import check_ttl
from busctl.core.envelope import CHUNK_BYTES, ClaimCheck, Compression, Labels, preview_of
from busctl.core.errors import DigestMismatch, FileFailed, InvalidId, OutsideHorizon
from busctl.core.ids import UUID_VERSION, unix_ms_of
from busctl.core.labels import as_text, checked
from busctl.ops.access import Access, naming
from busctl.ops.cores import on_a_core
from busctl.ops.sealing import (
    Totals,
    read_file,
    read_pipe,
    sealed,
    size_of_file,
    slices,
    too_large,
    whole,
)
from busctl.ports import Draft, Stored

AHEAD = timedelta(days=1)
"""How far in the future an id may lie, and how far ahead partitions are made."""
AHEAD_MS = int(AHEAD.total_seconds() * 1000)
MEMORY_BYTES = 4 * CHUNK_BYTES
"""What a stream may hold in memory before it waits in a file."""
BATCH_BYTES = 4 * CHUNK_BYTES
INLINE_THREAD_BYTES = 64 * 1024
"""Smaller payloads are hashed and packed on the spot: a thread costs more than the work."""


PackedRow = tuple[int, Draft, bytes]
"""A place in the list given to `put_many`, and what is stored for it."""

PLAIN = Labels()
"""A tool response of unknown type, owned by the operator."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One payload of `put_many`."""

    payload: codec.Buffer
    labels: Labels = PLAIN
    transaction_id: UUID | None = None


class Putting(Access):
    """The writing half of the bus."""

    async def put(
        self,
        payload: codec.Buffer | str,
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        created_at: datetime | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store one payload held in memory; a str is stored as its UTF-8 text.

        Idempotent by `transaction_id` (made here when None): the same payload again returns the
        same claim. `ttl` defaults to MESSAGE_BUS_TTL_HOURS. `checksum` (SHA-256, hex), when
        given, must be the payload's. Raises PayloadTooLarge, DigestMismatch, OutsideHorizon,
        TransactionConflict, InvalidLabel, ConfigurationError (`ttl`) and the store's errors.
        """
        labels = checked(labels or PLAIN)
        if created_at is None:
            check_ttl(ttl)
        if isinstance(payload, str):
            payload, labels = as_text(payload, labels)
        raw = memoryview(payload).cast("B") if not isinstance(payload, bytes) else payload
        chosen = self._checked_id(transaction_id)
        if len(raw) > self.settings.max_payload_bytes:
            raise too_large(len(raw), self.settings.max_payload_bytes)
        if len(raw) > CHUNK_BYTES:
            head = preview_of(raw[: CHUNK_BYTES // 16], labels.content_type)
            return await self._put_chunks(
                chosen, labels, slices(raw), raw[:CHUNK_BYTES], head, ttl, created_at, checksum
            )
        draft, body = await self._sealed_row(chosen, labels, raw, ttl, created_at)
        _same_digest(chosen, draft.checksum, checksum)
        with naming(chosen):
            stored = await self.sink.put(draft, body)
        self.waking.stored()
        return _claim(draft, stored, preview_of(raw, labels.content_type))

    async def put_file(
        self,
        source: Path | IO[bytes],
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        created_at: datetime | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store a file or an open binary stream in bounded memory; otherwise as `put`.

        A pipe may be slow, so it is stored as `put_stream` does. Raises SizeMismatch for a file
        that shrinks while it is read; nothing is stored then.
        """
        if isinstance(source, Path):
            with source.open("rb") as opened:
                return await self.put_file(
                    opened, labels, transaction_id=transaction_id, ttl=ttl,
                    created_at=created_at, checksum=checksum,
                )  # fmt: skip
        size = size_of_file(source)
        if size is None:
            return await self.put_stream(
                read_pipe(source), labels, transaction_id=transaction_id, ttl=ttl,
                created_at=created_at, checksum=checksum,
            )  # fmt: skip
        if size > self.settings.max_payload_bytes:
            raise too_large(size, self.settings.max_payload_bytes)
        chunks = whole(read_file(source), size)
        head = await anext(chunks, b"")
        following = await anext(chunks, b"")
        if not following:
            return await self.put(
                head, labels, transaction_id=transaction_id, ttl=ttl,
                created_at=created_at, checksum=checksum,
            )  # fmt: skip
        labels = checked(labels or PLAIN)
        if created_at is None:
            check_ttl(ttl)
        chosen = self._checked_id(transaction_id)
        preview = preview_of(head, labels.content_type)
        raws = _chain(head, following, chunks)
        return await self._put_chunks(
            chosen, labels, raws, head, preview, ttl, created_at, checksum
        )

    async def put_stream(
        self,
        source: AsyncIterator[codec.Buffer],
        labels: Labels | None = None,
        *,
        transaction_id: UUID | None = None,
        ttl: timedelta | None = None,
        created_at: datetime | None = None,
        checksum: str | None = None,
    ) -> ClaimCheck:
        """Store what an async iterator gives, in pieces of any size and in bounded memory.

        A slow producer must not hold a connection, so what is over 4 MiB waits in a temporary
        file until the producer has ended; then it is stored like a file.
        """
        async with collected(source, self.settings.max_payload_bytes) as (waiting, size):
            if size <= MEMORY_BYTES:
                return await self.put(
                    waiting.read(), labels, transaction_id=transaction_id, ttl=ttl,
                    created_at=created_at, checksum=checksum,
                )  # fmt: skip
            return await self.put_file(
                waiting, labels, transaction_id=transaction_id, ttl=ttl,
                created_at=created_at, checksum=checksum,
            )  # fmt: skip

    async def put_many(
        self, messages: Iterable[Outgoing | codec.Buffer], *, ttl: timedelta | None = None
    ) -> list[ClaimCheck]:
        """Store many payloads, the small ones (up to 64 KiB) in statements of up to 4 MiB.

        Larger ones are stored one by one after them. Claims come in the order given. Ids known
        already, or twice in the list, are checked to be the same payload, as in `put`.
        """
        check_ttl(ttl)
        wanted = [_outgoing(one) for one in messages]
        largest = max((len(one.payload) for one in wanted), default=0)
        if largest > self.settings.max_payload_bytes:
            raise too_large(largest, self.settings.max_payload_bytes)
        for labels in {id(one.labels): one.labels for one in wanted}.values():
            checked(labels)
        kept = self.settings.ttl if ttl is None else ttl
        small = [(place, *self._packed_row(wanted[place], kept)) for place in _small_places(wanted)]
        claims: dict[int, ClaimCheck] = {}
        for batch in _batches(small):
            fresh = await self.store.put_many([(draft, body) for _, draft, body in batch])
            for place, draft, body in batch:
                if (created := fresh.get(draft.transaction_id)) is not None:
                    # The store's time: it is by that that the message expires.
                    stored = Stored(True, created, created + draft.ttl)
                else:
                    with naming(draft.transaction_id):
                        stored = await self.store.put(draft, body)
                one = wanted[place]
                claims[place] = _claim(
                    draft, stored, preview_of(one.payload, one.labels.content_type)
                )
        if claims:
            self.waking.stored()
        for place, one in enumerate(wanted):
            if place not in claims:
                claims[place] = await self.put(
                    one.payload, one.labels, transaction_id=one.transaction_id, ttl=ttl
                )
        return [claims[place] for place in range(len(wanted))]

    async def _put_chunks(
        self, chosen: UUID, labels: Labels, raws: AsyncIterator[codec.Buffer], head: codec.Buffer,
        preview: str, ttl: timedelta | None, created_at: datetime | None, checksum: str | None,
    ) -> ClaimCheck:  # fmt: skip
        compression = await on_a_core(codec.choose, self.settings.compression, memoryview(head))
        totals = Totals(compression)

        def seal() -> Draft:
            _same_digest(chosen, totals.checksum, checksum)
            return Draft(
                chosen, labels, totals.raw_size, totals.checksum, compression,
                totals.stored_size, totals.stored_checksum, totals.chunks,
                self.settings.ttl if ttl is None else ttl, created_at,
            )  # fmt: skip

        sealing = sealed(raws, totals, self.settings.max_payload_bytes)
        async with aclosing(sealing) as chunks:
            with naming(chosen):
                stored = await self.sink.put_chunks(chosen, chunks, seal)
            if not stored.fresh:
                # The store stopped at the first chunk: the rest is hashed to see that it is the
                # same.
                async for _ in chunks:
                    pass
        self.waking.stored()
        return _claim(seal(), stored, preview)

    async def _sealed_row(
        self, chosen: UUID, labels: Labels, raw: codec.Buffer,
        ttl: timedelta | None, created_at: datetime | None,
    ) -> tuple[Draft, bytes]:  # fmt: skip
        if len(raw) <= INLINE_THREAD_BYTES:
            draft, body = self._packed(chosen, labels, raw, ttl)
        else:
            draft, body = await on_a_core(self._packed, chosen, labels, raw, ttl)
        return (replaced(draft, created_at=created_at) if created_at else draft), body

    def drafted(self, one: Outgoing) -> tuple[Draft, bytes]:
        """What is stored for a small payload under the id it has, which may be of any time."""
        chosen = one.transaction_id or self.clock.new_id()
        return self._packed(chosen, checked(one.labels), one.payload, None)

    def _packed_row(self, one: Outgoing, ttl: timedelta | None) -> tuple[Draft, bytes]:
        chosen = self._checked_id(one.transaction_id)
        return self._packed(chosen, one.labels, one.payload, ttl)

    def _packed(
        self, chosen: UUID, labels: Labels, raw: codec.Buffer, ttl: timedelta | None
    ) -> tuple[Draft, bytes]:
        compression = codec.choose(self.settings.compression, raw)
        checksum = hashlib.sha256(raw).digest()
        if compression is Compression.NONE:
            body, stored_checksum = bytes(raw), checksum
        else:
            body = codec.Encoder(compression).encode(raw)
            stored_checksum = hashlib.sha256(body).digest()
        return Draft(
            chosen, labels, len(raw), checksum, compression, len(body),
            stored_checksum, 0, self.settings.ttl if ttl is None else ttl,
        ), body  # fmt: skip

    @cached_property
    def _horizon_ms(self) -> int:
        return int(self.settings.horizon.total_seconds() * 1000)

    def _checked_id(self, transaction_id: UUID | None) -> UUID:
        self.require_enabled(transaction_id)
        if transaction_id is None:
            return self.clock.new_id()
        if transaction_id.version != UUID_VERSION:
            raise InvalidId(
                f"{transaction_id} is not a UUIDv7, so it is no transaction id.",
                transaction_id=transaction_id,
                remedy="Leave it out, or make one with `busctl.core.ids.make_id`.",
            )
        now = self.clock.unix_ms()
        if not now - self._horizon_ms <= unix_ms_of(transaction_id) <= now + AHEAD_MS:
            raise OutsideHorizon(
                f"Id {transaction_id} is of another time: ids from {self.settings.horizon} ago "
                "to one day ahead are taken.",
                transaction_id=transaction_id,
            )
        return transaction_id


@asynccontextmanager
async def collected(
    source: AsyncIterator[codec.Buffer], max_bytes: int
) -> AsyncIterator[tuple[IO[bytes], int]]:
    """All that an async iterator gives, in a temporary file at its beginning, and its size: over
    4 MiB it is on the disk. Raises PayloadTooLarge and FileFailed."""
    size = 0
    with tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES) as waiting:
        async for piece in source:
            size += memoryview(piece).nbytes
            if size > max_bytes:
                raise too_large(size, max_bytes)
            await asyncio.to_thread(_wait_in, waiting, piece)
        waiting.seek(0)
        yield waiting, size


def _wait_in(waiting: IO[bytes], piece: codec.Buffer) -> None:
    try:
        waiting.write(piece)
    except OSError as error:
        raise FileFailed(
            f"The folder for temporary files ({tempfile.tempdir or 'none can be used'}) took no "
            f"more of the payload: {error.strerror or error}.",
            remedy="Free space there, or set TMPDIR to a folder that has some; nothing was stored.",
        ) from error


def _outgoing(given: Outgoing | codec.Buffer) -> Outgoing:
    """As given, a view of wider items (an array of integers, say) as the bytes it is made of."""
    one = given if isinstance(given, Outgoing) else Outgoing(given)
    if isinstance(one.payload, memoryview):
        return replaced(one, payload=one.payload.cast("B"))
    return one


def _small_places(wanted: Sequence[Outgoing]) -> Iterator[int]:
    """Where the small payloads are; of several under one id only the first."""
    seen: set[UUID] = set()
    for place, one in enumerate(wanted):
        if one.transaction_id in seen or len(one.payload) > INLINE_THREAD_BYTES:
            continue
        if one.transaction_id is not None:
            seen.add(one.transaction_id)
        yield place


def _batches(small: Iterable[PackedRow]) -> Iterator[list[PackedRow]]:
    """Cut where a statement would carry too much: one parameter holds all bodies."""
    batch: list[PackedRow] = []
    held = 0
    for row in small:
        if held + len(row[2]) > BATCH_BYTES:
            yield batch
            batch, held = [], 0
        batch.append(row)
        held += len(row[2])
    if batch:
        yield batch


async def _chain(
    head: codec.Buffer, following: codec.Buffer, rest: AsyncIterator[codec.Buffer]
) -> AsyncIterator[codec.Buffer]:
    yield head
    yield following
    async for piece in rest:
        yield piece


def _claim(draft: Draft, stored: Stored, preview: str) -> ClaimCheck:
    return ClaimCheck(
        draft.transaction_id, draft.payload_size_bytes, draft.checksum.hex(), draft.compression,
        stored.expires_at, draft.labels.message_type, draft.labels.content_type, preview,
        spooled=stored.spooled, incomplete=draft.labels.incomplete,
    )  # fmt: skip


def _same_digest(transaction_id: UUID, checksum: bytes, announced: str | None) -> None:
    if announced is not None and announced.lower() != checksum.hex():
        raise DigestMismatch(
            f"The payload for {transaction_id} has SHA-256 {checksum.hex()}, not {announced}.",
            transaction_id=transaction_id,
        )
