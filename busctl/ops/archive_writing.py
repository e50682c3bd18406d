"""Writing an archive, to a file that can be taken back to an earlier length or to a pipe."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import IO, Any, Protocol
from uuid import UUID

from busctl.core import archive
from busctl.core.codec import Buffer
from busctl.core.envelope import CHUNK_BYTES, Envelope
from busctl.ops.archive_reading import Totals, scan


class Out(Protocol):
    """Where an archive goes; `write` takes all it is given."""

    def write(self, piece: Buffer, /) -> int: ...


class ArchiveWriter:
    """`begin()` or `resume()`, `add()` for each message, `finish()`. Blocking where it writes."""

    def __init__(self, out: Out) -> None:
        self._out = out
        # A line a message, so on disk once it is more than a little.
        # Open for as long as the archive is written, so no `with` here.
        self._sums = tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES)  # noqa: SIM115  # closed with the archive
        self.offset = 0
        self.totals = Totals()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sums.close()

    def begin(self, selection: dict[str, Any], made: datetime) -> None:
        """The header of a new archive."""
        self._small(archive.HEADER_NAME, archive.header_json(selection, made), made)

    def resume(self, partial: IO[bytes]) -> tuple[dict[str, Any], frozenset[UUID]] | None:
        """Go on behind the last whole message of `partial`, which is also `out`.

        Returns its selection and the ids it holds; None if it has to begin anew (it is emptied).
        """
        partial.seek(0)
        whole = scan(partial, self._sums)
        self.offset = whole.end if whole else 0
        self.totals = whole.totals if whole else Totals()
        self.back_to(partial, self.offset)
        return (whole.selection, whole.ids) if whole else None

    @staticmethod
    def back_to(partial: IO[bytes], offset: int) -> None:
        """Forget what is behind `offset`."""
        partial.truncate(offset)
        partial.seek(offset)

    def open_message(self, envelope: Envelope) -> bytes:
        """ID.json and the header of ID.payload. Returns the message's lines of SHA256SUMS."""
        one = envelope.transaction_id
        body = archive.record_json(envelope)
        digest = hashlib.sha256(body).hexdigest()
        made = envelope.created_at
        self._small(archive.json_name(one), body, made, digest)
        name = archive.payload_name(one)
        self.write(archive.tar_header(name, envelope.payload_size_bytes, made))
        return archive.sum_line(archive.json_name(one), digest) + archive.sum_line(
            name, envelope.checksum.hex()
        )

    def close_message(self, envelope: Envelope, lines: bytes) -> None:
        """The end of a payload that was written whole."""
        size = envelope.payload_size_bytes
        self.write(archive.padding(size))
        self._sums.write(lines)
        self.totals = Totals(self.totals.count + 1, self.totals.payload_bytes + size)

    def finish(self, made: datetime) -> None:
        """SHA256SUMS, index.json and the end mark."""
        self._sums.seek(0)
        digest = hashlib.file_digest(self._sums, "sha256").hexdigest()
        size = self._sums.tell()
        self._sums.seek(0)
        self.write(archive.tar_header(archive.SUMS_NAME, size, made))
        shutil.copyfileobj(self._sums, _Through(self.write), CHUNK_BYTES)
        self.write(archive.padding(size))
        index = archive.index_json(self.totals.count, self.totals.payload_bytes, digest)
        self._small(archive.INDEX_NAME, index, made)
        self.write(archive.END)

    def write(self, piece: Buffer) -> None:
        """All of `piece`: an unbuffered file may take less at a time."""
        view = memoryview(piece)
        while view:
            written = self._out.write(view)
            self.offset += written
            view = view[written:]

    def _small(self, name: str, body: bytes, made: datetime, digest: str = "") -> None:
        header = archive.tar_header(name, len(body), made, digest)
        self.write(header + body + archive.padding(len(body)))


class _Through:
    """A write method as a file for shutil."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write
