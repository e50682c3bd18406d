"""Reading an archive from a file or a pipe, front to back, checking everything on the way."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from busctl.core import archive
from busctl.core.archive import BLOCK_BYTES, Entry, Recorded
from busctl.core.envelope import CHUNK_BYTES
from busctl.core.errors import ArchiveError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Payload(io.RawIOBase):
    """The payload of one message as a binary stream that ends where the payload does.

    `lines` are what SHA256SUMS has to say of this message. Reading raises ArchiveError where the
    archive ends too early.
    """

    def __init__(
        self, reader: ArchiveReader, entry: Entry, recorded: Recorded, lines: bytes
    ) -> None:
        self.entry = entry
        self.lines = lines
        self._reader = reader
        self._wanted = recorded.checksum
        self._left = entry.size
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer) -> int:
        view = memoryview(target).cast("B")
        if not self._left or not len(view):
            return 0
        piece = self._reader.some(min(self._left, len(view)), f"inside {self.entry.name}")
        view[: len(piece)] = piece
        self._digest.update(piece)
        self._left -= len(piece)
        return len(piece)

    def drain(self) -> ArchiveError | None:
        """Read what is left; the error if the whole was not what its envelope says."""
        while self.read(CHUNK_BYTES):
            pass
        if self._digest.hexdigest() == self._wanted:
            return None
        return archive.damaged(self.entry, "does not match its SHA-256")


@dataclass(frozen=True, slots=True)
class Totals:
    """What has been read whole."""

    count: int = 0
    payload_bytes: int = 0


class ArchiveReader:
    """`begin()`, then `next_message()` until it returns None: then the whole has been verified.

    Blocking: call it in a thread. Every fault is an ArchiveError that names entry and offset.
    """

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._sums = hashlib.sha256()
        self._payload: Payload | None = None
        self.offset = 0
        self.totals = Totals()

    def begin(self) -> dict[str, Any]:
        """The archive's own header. Raises ArchiveError if this is no archive."""
        try:
            entry = self._entry()
        except ArchiveError as error:
            if self.offset <= BLOCK_BYTES:
                raise archive.not_ours() from error
            raise
        if entry is None or entry.name != archive.HEADER_NAME:
            raise archive.not_ours()
        value = archive.read_json(self._body(entry), entry)
        archive.check_header(value)
        return value

    def next_message(self) -> tuple[Recorded, Payload] | None:
        """The next message, the one before drained; None once SHA256SUMS and index.json agree."""
        self.finish_message()
        entry = self._required()
        if entry.name == archive.SUMS_NAME:
            self._finish(entry)
            return None
        body = self._body(entry)
        recorded = archive.read_record(archive.read_json(body, entry), entry)
        self._expect(entry, archive.json_name(recorded.transaction_id))
        line = archive.sum_line(entry.name, hashlib.sha256(body).hexdigest())
        self._payload = self._payload_of(recorded, line)
        return recorded, self._payload

    def finish_message(self) -> ArchiveError | None:
        """Read the current payload to its end; the error if it was not what it should be."""
        if self._payload is None:
            return None
        payload, self._payload = self._payload, None
        fault = payload.drain()
        self._padding(payload.entry)
        self.totals = Totals(self.totals.count + 1, self.totals.payload_bytes + payload.entry.size)
        return fault

    def some(self, size: int, inside: str) -> bytes:
        """1 to `size` bytes. Raises ArchiveError at the end of the archive."""
        piece = self._source.read(size)
        if not piece:
            raise archive.truncated(self.offset, inside)
        self.offset += len(piece)
        return piece

    def _payload_of(self, recorded: Recorded, line: bytes) -> Payload:
        entry = self._required()
        self._expect(entry, archive.payload_name(recorded.transaction_id))
        if entry.size != recorded.payload_size_bytes:
            raise archive.damaged(
                entry, f"has {entry.size:,} bytes, its envelope {recorded.payload_size_bytes:,}"
            )
        lines = line + archive.sum_line(entry.name, recorded.checksum)
        self._sums.update(lines)
        return Payload(self, entry, recorded, lines)

    def _finish(self, sums: Entry) -> None:
        digest = hashlib.sha256()
        left = sums.size
        while left:
            piece = self.some(min(left, CHUNK_BYTES), f"inside {sums.name}")
            digest.update(piece)
            left -= len(piece)
        self._padding(sums)
        if digest.digest() != self._sums.digest():
            raise archive.damaged(sums, "does not list the entries before it")
        index = self._required()
        self._expect(index, archive.INDEX_NAME)
        told = archive.read_json(self._body(index), index)
        seen = (self.totals.count, self.totals.payload_bytes, digest.hexdigest())
        if (told.get("count"), told.get("payload_bytes"), told.get("sha256sums_sha256")) != seen:
            raise archive.damaged(index, "does not agree with the entries before it")
        if self._entry() is not None:
            raise archive.damaged(replace(index, offset=self.offset), "is followed by more")

    # --- blocks ----------------------------------------------------------------------------

    def _required(self) -> Entry:
        entry = self._entry()
        if entry is None:
            raise archive.truncated(self.offset, f"before its {archive.INDEX_NAME}")
        return entry

    def _entry(self) -> Entry | None:
        began, digest = self.offset, ""
        while True:
            header = archive.read_tar_header(self._exactly(BLOCK_BYTES, "between entries"), began)
            if header is None:
                return None
            entry, is_pax = header
            if not is_pax:
                return replace(entry, offset=began, digest=digest)
            digest = archive.pax_digest(self._body(entry))

    def _body(self, entry: Entry) -> bytes:
        if entry.size > archive.MAX_JSON_BYTES:
            raise archive.damaged(entry, f"claims {entry.size:,} bytes")
        body = self._exactly(entry.size, f"inside {entry.name}")
        self._padding(entry)
        if entry.digest and hashlib.sha256(body).hexdigest() != entry.digest:
            raise archive.damaged(entry, "does not match its SHA-256")
        return body

    def _padding(self, entry: Entry) -> None:
        self._exactly(-entry.size % BLOCK_BYTES, f"behind {entry.name}")

    def _exactly(self, size: int, inside: str) -> bytes:
        parts = io.BytesIO()
        while parts.tell() < size:
            parts.write(self.some(size - parts.tell(), inside))
        return parts.getvalue()

    @staticmethod
    def _expect(entry: Entry, name: str) -> None:
        if entry.name != name:
            raise archive.damaged(entry, f"stands where {name} should")


@dataclass(frozen=True, slots=True)
class Whole:
    """What of an unfinished archive is good: the messages `ids`, up to byte `end`."""

    selection: dict[str, Any]
    end: int
    ids: frozenset[UUID]
    totals: Totals


def scan(source: IO[bytes], sums: IO[bytes]) -> Whole | None:
    """How much of an interrupted export is whole, its SHA256SUMS so far written to `sums`.

    None when not even its header is there. Blocking.
    """
    reader = ArchiveReader(source)
    try:
        selection = reader.begin().get("selection", {})
    except ArchiveError:  # the finding: nothing to go on from
        return None
    end, ids, totals = reader.offset, set[UUID](), reader.totals
    try:
        while (message := reader.next_message()) is not None:
            recorded, payload = message
            if reader.finish_message() is not None:
                break
            sums.write(payload.lines)
            end, totals = reader.offset, reader.totals
            ids.add(recorded.transaction_id)
    except ArchiveError:  # the finding: the archive is whole up to `end`
        pass
    return Whole(selection, end, frozenset(ids), totals)
