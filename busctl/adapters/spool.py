"""The spool: a folder of files, one a message that the store could not take.

A file is written beside its name, synced, renamed, and its folder synced: under its name it is
whole. Writers and drainers lock the files they work on, so several processes may share the folder;
what a process that died has left half-written is swept by the next one.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TypeVar
from uuid import UUID

from busctl.adapters import spool_file
from busctl.adapters.aside import ASIDE, aside, known_sizes, make_folder, sizes, sync_folder
from busctl.adapters.spool_file import Damaged, Leaf
from busctl.adapters.tokenfile import default_state_dir
from busctl.core.configuration.dsn import store_key
from busctl.core.configuration.settings import MB, Settings
from busctl.core.envelope import CHUNK_BYTES, Chunk, Envelope, Event
from busctl.core.errors import ConfigurationError, FileFailed, InvalidId, SpoolDamaged, SpoolFull
from busctl.core.hops import measured
from busctl.core.ids import parse_id, time_of
from busctl.ports import Draft, Extent, Found, Request, Sink, Stored, Waiting

Result = TypeVar("Result")

SUFFIX = ".msg"
PARTIAL = ".part"
HOP = "spool"
COUNT_SECS = 1.0
"""How long a count of what the folder holds is good for, our own writing added to it."""


def path_of(settings: Settings) -> Path:
    """Where the spool of these settings is, or would be. Each store has one of its own: what waits
    for one database must not go into another."""
    if settings.spool_dir is not None:
        return settings.spool_dir
    dsn = settings.database_dsn()
    key = store_key(f"host={settings.store_dir or ''}" if dsn is None else dsn)
    return (settings.state_dir or default_state_dir()) / "spool" / key


def others_of(settings: Settings) -> list[Path]:
    """Spools in the same state folder in which something waits for another store."""
    own = path_of(settings)
    if settings.spool_dir is not None:
        return []
    found = {path.parent for path in own.parent.glob(f"*/*{SUFFIX}")}
    return sorted(found - {own})


class FileSpool:
    """Implements `busctl.ports.Spool` on the folder `path`, which is made when it is first written
    to, for its owner alone."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._names = f"{path}{os.sep}{{}}{SUFFIX}".format
        self._max_bytes = max_bytes
        self._used = 0
        self._counted_at = float("-inf")
        self._requests: dict[UUID, Request | None] = {}

    @classmethod
    def of(cls, settings: Settings) -> FileSpool:
        """The spool of these settings. Raises ConfigurationError for a folder that others may
        write to or read, or that is none."""
        spool = cls(path_of(settings), round(settings.spool_max_mb * MB))
        try:
            mode = spool.path.stat().st_mode
        except FileNotFoundError:
            return spool
        except OSError as error:
            raise ConfigurationError(f"The spool {spool.path} cannot be used: {error}.") from error
        if not spool.path.is_dir() or mode & 0o077:
            raise ConfigurationError(
                f"The spool {spool.path} must be a folder of mode 0700: it holds payloads.",
                remedy=f"chmod 700 {spool.path}, or set BUSCTL_SPOOL_DIR to another folder.",
            )
        return spool

    @property
    def place(self) -> str:
        return str(self.path)

    # --- writing ---------------------------------------------------------------------------

    def sink(self, reason: str, daemon: str) -> Sink:
        return _Writer(self, reason, daemon)

    def room(self) -> int:
        now = time.monotonic()
        if now - self._counted_at > COUNT_SECS:
            # What is being written, by us or by others, takes its room as well.
            waiting = sum(
                size for name, size in sizes(self.path) if _id_of(name) or _is_partial(name)
            )
            self._used = waiting + sum(size for _, size in sizes(self.path / ASIDE))
            self._counted_at = now
        return self._max_bytes - self._used

    def take_room(self, size: int, transaction_id: UUID, begun: int) -> None:
        """Raises SpoolFull unless there is room for so many bytes more of a message, `begun` of
        which are written already."""
        if size > self.room():
            raise SpoolFull(
                f"The spool {self.path} holds {max(0, self._used - begun):,} bytes of at most "
                f"{self._max_bytes:,}: message {transaction_id} of {begun + size:,} bytes or more "
                "is not taken.",
                transaction_id=transaction_id,
            )
        self._used += size

    def give_room(self, size: int) -> None:
        """What was taken is free again."""
        self._used = max(0, self._used - size)

    def begin(self, partial: Path) -> IO[bytes]:
        """A file that grows beside its name, locked."""
        make_folder(self.path)
        while True:
            opened = os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")
            # A sweeper may have come before the lock: it took the file for one left behind.
            fcntl.flock(opened, fcntl.LOCK_EX)
            if partial.exists():
                return opened
            opened.close()

    def settle(self, opened: IO[bytes], partial: Path, transaction_id: UUID) -> None:
        """Under its own name, and on the disk."""
        opened.flush()
        os.fsync(opened.fileno())
        partial.replace(self.path_of(transaction_id))
        sync_folder(self.path)

    def path_of(self, transaction_id: UUID) -> Path:
        """The file of a message that waits."""
        return self.path / f"{transaction_id}{SUFFIX}"

    # --- looking ---------------------------------------------------------------------------

    def holds(self, transaction_id: UUID) -> bool:
        # Asked at every read, so without making a Path: a quarter of the time.
        return os.path.exists(self._names(transaction_id))  # noqa: PTH110  # as said

    def ids(self) -> Sequence[UUID]:
        return sorted(found for found, _ in self._files())

    def extent(self) -> Extent:
        files = list(self._files())
        oldest = min((found for found, _ in files), default=None)
        set_aside = [size for _, size in known_sizes(self.path)]
        return Extent(
            len(files),
            sum(size for _, size in files),
            None if oldest is None else time_of(oldest),
            len(set_aside),
            sum(set_aside),
        )

    def sweep(self) -> int:
        swept = 0
        for path in self.path.glob(f".*{PARTIAL}"):
            with suppress(FileNotFoundError), path.open("rb") as left:
                if _locked(left):
                    path.unlink()
                    swept += 1
        return swept

    async def find(self, transaction_id: UUID) -> Found | None:
        return await asyncio.to_thread(self._read, transaction_id, _found)

    async def chunks(self, transaction_id: UUID, first: int, last: int) -> Sequence[Chunk] | None:
        def some(source: IO[bytes], leaf: Leaf) -> list[Chunk]:
            until = min(last + 1, len(leaf.pieces))
            return [spool_file.read_chunk(source, leaf, seq) for seq in range(first, until)]

        return await asyncio.to_thread(self._read, transaction_id, some)

    async def stat(self, transaction_id: UUID) -> Envelope | None:
        return await asyncio.to_thread(self._read, transaction_id, _envelope)

    async def events(self, transaction_id: UUID) -> Sequence[Event]:
        return await asyncio.to_thread(self._read, transaction_id, _events) or []

    async def answer_of(self, request: Request) -> UUID | None:
        return await asyncio.to_thread(self._answer_of, request)

    # --- draining --------------------------------------------------------------------------

    @asynccontextmanager
    async def hold(self, transaction_id: UUID) -> AsyncIterator[_Held | None]:
        path = self.path_of(transaction_id)
        try:
            source = path.open("rb")
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise _unreadable(path, transaction_id, error) from error
        with source:
            # The name may have gone meanwhile, or be another file's: then this one was drained.
            if not (_locked(source) and _is_still(source, path)):
                yield None
                return
            with _readable(path, transaction_id):
                leaf = await asyncio.to_thread(spool_file.read_leaf, source)
            yield _Held(self, path, source, leaf)

    async def set_aside(self, transaction_id: UUID, why: str) -> str:
        return str(await asyncio.to_thread(_put_aside, self.path_of(transaction_id), why))

    def forget(self, transaction_id: UUID, size: int) -> None:
        """A file has left."""
        self.give_room(size)
        self._requests.pop(transaction_id, None)

    # --- inside ----------------------------------------------------------------------------

    def _files(self) -> Sequence[tuple[UUID, int]]:
        """Our own files: whatever else somebody has put there is left alone."""
        return [
            (found, size) for name, size in sizes(self.path) if (found := _id_of(name)) is not None
        ]

    def _read(
        self, transaction_id: UUID, look: Callable[[IO[bytes], Leaf], Result]
    ) -> Result | None:
        path = self.path_of(transaction_id)
        try:
            with path.open("rb") as source, _known_damage(path, transaction_id):
                return look(source, spool_file.read_leaf(source))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(path, transaction_id, error) from error

    def _answer_of(self, request: Request) -> UUID | None:
        there = set(self.ids())
        for gone in self._requests.keys() - there:
            del self._requests[gone]
        for found in there - self._requests.keys():
            try:
                self._requests[found] = self._read(found, _request)
            except (SpoolDamaged, FileFailed):  # draining it says so
                self._requests[found] = None
        return next((found for found, known in self._requests.items() if known == request), None)


class OneFile(FileSpool):
    """A single file that lies elsewhere, read as one that waits."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.parent, 0)
        self._file = path

    def path_of(self, transaction_id: UUID) -> Path:
        return self._file

    def holds(self, transaction_id: UUID) -> bool:
        return True


class _Writer:
    """Puts messages into a spool, and says why they are there."""

    def __init__(self, spool: FileSpool, reason: str, daemon: str) -> None:
        self._spool = spool
        self._reason = reason
        self._daemon = daemon

    async def put(self, draft: Draft, body: bytes) -> Stored:
        waiting = self._waiting(draft)

        def write() -> None:
            with _File(self._spool, draft.transaction_id) as out:
                out.write(body)
                out.settle(spool_file.envelope_bytes(waiting, []))

        await asyncio.to_thread(write)
        return _stored(waiting)

    async def put_chunks(
        self, transaction_id: UUID, chunks: AsyncIterator[Chunk], seal: Callable[[], Draft]
    ) -> Stored:
        sizes: list[tuple[int, int, bytes, bytes]] = []
        with _File(self._spool, transaction_id) as out:
            async for chunk in chunks:
                sizes.append(
                    (len(chunk.body), chunk.raw_size, chunk.raw_checksum, chunk.stored_checksum)
                )
                await asyncio.to_thread(out.write, chunk.body)
            waiting = self._waiting(seal())
            await asyncio.to_thread(out.settle, spool_file.envelope_bytes(waiting, sizes))
        return _stored(waiting)

    def _waiting(self, draft: Draft) -> Waiting:
        now = datetime.now(UTC)
        return Waiting(
            replace(draft, created_at=draft.created_at or now), now, self._reason, self._daemon
        )


class _File:
    """A message being written; what is not settled leaves nothing behind."""

    def __init__(self, spool: FileSpool, transaction_id: UUID) -> None:
        self._spool = spool
        self._id = transaction_id
        unique = f"{os.getpid()}-{os.urandom(4).hex()}"
        self._partial = spool.path / f".{transaction_id}-{unique}{PARTIAL}"
        self._opened: IO[bytes] | None = None
        self._taken = 0

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        if self._opened is not None:
            self._partial.unlink(missing_ok=True)
            with suppress(OSError):  # what could not be written was told when it was tried
                self._opened.close()
        self._spool.give_room(self._taken)

    def write(self, body: bytes) -> None:
        size = len(body) + (0 if self._opened else len(spool_file.MAGIC))
        self._spool.take_room(size, self._id, self._taken)
        self._taken += size
        with self._naming():
            self._begun().write(body)

    def settle(self, envelope: bytes) -> None:
        self.write(envelope)
        with self._naming():
            self._spool.settle(self._begun(), self._partial, self._id)
        self._taken = 0  # it stays

    def _begun(self) -> IO[bytes]:
        if self._opened is None:
            self._opened = self._spool.begin(self._partial)
            self._opened.write(spool_file.MAGIC)
        return self._opened

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            place, said = self._spool.path, error.strerror or str(error)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise SpoolFull(
                    f"The disk of the spool {place} is full ({said}): message {self._id} is not "
                    "taken.",
                    transaction_id=self._id,
                    remedy="Free space there, or set BUSCTL_SPOOL_DIR to another disk.",
                ) from error
            raise FileFailed(
                f"Message {self._id} cannot be written to the spool {place}: {said}.",
                transaction_id=self._id,
            ) from error


class _Held:
    """Implements `busctl.ports.Held`. A file whose envelope cannot be read has none to show."""

    def __init__(self, spool: FileSpool, path: Path, source: IO[bytes], leaf: Leaf) -> None:
        self._spool = spool
        self._path = path
        self._source = source
        self._leaf = leaf

    @property
    def waiting(self) -> Waiting:
        return self._leaf.waiting

    async def put_into(self, sink: Sink) -> Stored:
        draft = self.waiting.draft
        if draft.chunk_count:
            return await sink.put_chunks(draft.transaction_id, self._chunks(), lambda: draft)
        return await sink.put(draft, await asyncio.to_thread(self._body))

    async def done(self) -> None:
        # Somebody may have taken it away by hand: it is stored all the same.
        await asyncio.to_thread(self._path.unlink, missing_ok=True)
        self._left()

    async def set_aside(self, why: str) -> str:
        target = await asyncio.to_thread(_put_aside, self._path, why)
        self._left()
        return str(target)

    def _left(self) -> None:
        size = os.fstat(self._source.fileno()).st_size
        self._spool.forget(self.waiting.draft.transaction_id, size)

    def _body(self) -> bytes:
        with _readable(self._path, self.waiting.draft.transaction_id):
            return spool_file.read_body(self._source, self._leaf)

    def _chunk(self, seq: int) -> Chunk:
        with _readable(self._path, self.waiting.draft.transaction_id):
            return spool_file.read_chunk(self._source, self._leaf, seq)

    async def _chunks(self) -> AsyncIterator[Chunk]:
        for seq in range(len(self._leaf.pieces)):
            yield await asyncio.to_thread(self._chunk, seq)


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(PARTIAL)


def _id_of(name: str) -> UUID | None:
    """The message whose file has that name; None for a name that we did not give."""
    stem, mark, rest = name.partition(SUFFIX)
    if not mark or rest:
        return None
    try:
        found = parse_id(stem)
        time_of(found)
    except InvalidId:
        return None
    return found if str(found) == stem else None


def _locked(opened: IO[bytes]) -> bool:
    """Take the lock of an open file, unless somebody else has it."""
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(opened: IO[bytes], path: Path) -> bool:
    """Whether that name is the open file's."""
    try:
        return os.path.samestat(os.fstat(opened.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _put_aside(path: Path, why: str) -> Path:
    try:
        return aside(path, why)
    except OSError as error:
        raise FileFailed(f"{path} cannot be set aside: {error.strerror or error}.") from error


def _unreadable(path: Path, transaction_id: UUID, error: OSError) -> FileFailed:
    return FileFailed(
        f"Message {transaction_id} cannot be read from {path}: {error.strerror or error}.",
        transaction_id=transaction_id,
    )


@contextmanager
def _readable(path: Path, transaction_id: UUID) -> Iterator[None]:
    """As `_known_damage`, for a file that is open: what the disk does not give is named too."""
    try:
        with _known_damage(path, transaction_id):
            yield
    except OSError as error:
        raise _unreadable(path, transaction_id, error) from error


@contextmanager
def _known_damage(path: Path, transaction_id: UUID) -> Iterator[None]:
    try:
        yield
    except Damaged as error:
        raise SpoolDamaged(
            f"Message {transaction_id} is damaged in the spool ({path}): {error}.",
            transaction_id=transaction_id, chunk=error.chunk,
            byte_range=None if error.chunk is None
            else (error.chunk * CHUNK_BYTES, (error.chunk + 1) * CHUNK_BYTES),
        ) from error  # fmt: skip


def _stored(waiting: Waiting) -> Stored:
    draft = waiting.draft
    created = draft.created_at or waiting.at
    return Stored(True, created, created + draft.ttl, spooled=True)


def _found(source: IO[bytes], leaf: Leaf) -> Found:
    draft, stored = leaf.waiting.draft, _stored(leaf.waiting)
    body = None if draft.chunk_count else spool_file.read_body(source, leaf)
    return Found(
        draft.transaction_id, draft.payload_size_bytes, draft.stored_size_bytes,
        draft.chunk_count, draft.compression, draft.labels.content_type, draft.labels.owner,
        draft.checksum, draft.stored_checksum, stored.expires_at > datetime.now(UTC),
        stored.expires_at, draft.labels.message_type, 0.0, body, spooled=True,
        incomplete=draft.labels.incomplete,
    )  # fmt: skip


def _envelope(_: IO[bytes], leaf: Leaf) -> Envelope:
    draft, stored = leaf.waiting.draft, _stored(leaf.waiting)
    return Envelope(
        draft.transaction_id, stored.created_at, stored.expires_at, draft.labels,
        draft.payload_size_bytes, draft.checksum, draft.compression, draft.stored_size_bytes,
        draft.stored_checksum, draft.chunk_count, spooled=True,
    )  # fmt: skip


def _events(_: IO[bytes], leaf: Leaf) -> list[Event]:
    waiting = leaf.waiting
    detail = {
        "reason": waiting.reason, "daemon": waiting.daemon,
        **measured(waiting.draft.payload_size_bytes, waiting.draft.checksum.hex()),
    }  # fmt: skip
    return [Event(waiting.draft.transaction_id, waiting.at, "fell_back", HOP, detail)]


def _request(_: IO[bytes], leaf: Leaf) -> Request | None:
    return request_of(leaf.waiting.draft)


def request_of(draft: Draft) -> Request | None:
    """The request that a message answers, when its client named one."""
    labels = draft.labels
    if labels.session_id is None or labels.request_id is None:
        return None
    return Request(labels.owner, labels.session_id, labels.request_id)
