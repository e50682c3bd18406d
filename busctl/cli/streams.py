"""Standard streams and files as sources and sinks that Ctrl-C can end.

A thread that is blocked in read(2) or write(2) cannot be cancelled, and Python waits for it when
it leaves. So the thread waits in select(2) beside a pipe of our own, and only then moves bytes.
"""

from __future__ import annotations

import io
import os
import select
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from busctl.core.errors import ConfigurationError, FileFailed

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from busctl.core.codec import Buffer

STANDARD = "-"
PIPE_STEP = 4_096
"""What a pipe that select(2) calls writable surely takes without blocking (PIPE_BUF)."""


class Interrupted(OSError):
    """The wait was ended by `stop`; whoever waited has been cancelled already."""


class Waits:
    """Waiting for a file descriptor until `stop` is called from another thread."""

    def __init__(self) -> None:
        self._woken, self._wake = os.pipe()

    def stop(self) -> None:
        """End every wait, now and later."""
        os.write(self._wake, b".")

    def readable(self, fd: int) -> None:
        self._wait([fd], [])

    def writable(self, fd: int) -> None:
        self._wait([], [fd])

    def _wait(self, reads: list[int], writes: list[int]) -> None:
        if self._woken in select.select([*reads, self._woken], writes, [])[0]:
            raise Interrupted("interrupted")


class Source(io.RawIOBase):
    """Bytes from a descriptor; `moved` is told how many each read gave."""

    def __init__(self, fd: int, waits: Waits, moved: Callable[[int], None]) -> None:
        self._fd = fd
        self._waits = waits
        self._moved = moved

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def tell(self) -> int:
        """Raises OSError for a pipe."""
        return os.lseek(self._fd, 0, os.SEEK_CUR)

    def readinto(self, target: WriteableBuffer) -> int:
        self._waits.readable(self._fd)
        got = os.readv(self._fd, [target])
        self._moved(got)
        return got


class Sink:
    """Bytes to a descriptor, all of them."""

    def __init__(self, fd: int, waits: Waits) -> None:
        self._fd = fd
        self._waits = waits
        self._step = PIPE_STEP if not stat.S_ISREG(os.fstat(fd).st_mode) else 1 << 20

    def write(self, piece: Buffer) -> int:
        view = memoryview(piece)
        for start in range(0, len(view), self._step):
            part = view[start : start + self._step]
            while part:
                self._waits.writable(self._fd)
                part = part[os.write(self._fd, part) :]
        return len(view)


@contextmanager
def source(name: str, moved: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """Open FILE, or standard input for `-`. Raises ConfigurationError if it cannot be opened."""
    with _waits() as waits, _reading(name):
        if name == STANDARD:
            yield cast("IO[bytes]", Source(sys.stdin.fileno(), waits, moved))
            return
        with _opened(name) as opened:
            yield cast("IO[bytes]", Source(opened.fileno(), waits, moved))


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Names what could not be read on the way."""
    try:
        yield
    except Interrupted:
        raise
    except OSError as error:
        place = "Standard input" if name == STANDARD else name
        raise FileFailed(
            f"{place} could not be read: {error.strerror or error}.",
            remedy="Name a file that can be read, or give standard input by a pipe or <.",
        ) from error


@contextmanager
def standard_output() -> Iterator[Sink]:
    """Standard output for bytes; what was printed before comes first."""
    sys.stdout.flush()
    with _waits() as waits:
        yield Sink(sys.stdout.fileno(), waits)


@contextmanager
def _waits() -> Iterator[Waits]:
    waits = Waits()
    try:
        yield waits
    finally:
        # Not closed: a thread may still be in select(2), and the process ends soon.
        waits.stop()


def _opened(name: str) -> IO[bytes]:
    remedy = "Name a file that can be read, or - for stdin."
    if not name:
        raise ConfigurationError("The name of the file is empty.", remedy=remedy)
    try:
        return Path(name).open("rb", buffering=0)
    except OSError as error:
        raise ConfigurationError(f"{name}: {error.strerror}.", remedy=remedy) from error
