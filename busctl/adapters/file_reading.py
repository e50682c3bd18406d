"""Files that calls name: opened below the allowed roots without following a link, and read once.

The path is resolved first, so that a link that stays inside the roots may be used. It is then
opened part by part from the root's own descriptor, each part with O_NOFOLLOW: a link that is put
in its way in between is refused, not followed. What was read is a copy of our own, so that what is
hashed, uploaded and extracted are the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, cast

from busctl.core.errors import FileRefused
from busctl.core.files.manifest import Reason, name_of
from busctl.core.files.paths import below, checked_path, no_roots, outside, refusal
from busctl.ports import ReadFile

STEP_BYTES = 1 << 20
MEMORY_BYTES = 1 << 20
"""Copies up to here stay in memory, larger ones go to an unnamed file."""

_SPECIAL = (
    (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"),
)  # fmt: skip


class RootedFiles:
    """Implements `busctl.ports.Files` below `roots`; `max_bytes` of one file. Blocks: run it in a
    thread."""

    def __init__(self, roots: Sequence[str], max_bytes: int) -> None:
        self._roots = roots
        self._max_bytes = max_bytes

    def read(self, path: object, *, keep: bool) -> ReadFile:
        """The file, hashed; with a copy of its bytes if `keep`. Raises FileRefused."""
        asked = checked_path(path)
        if not self._roots:
            raise no_roots(asked)
        with _mapped(asked):
            # Roots are the operator's own and may be links; a missing one holds nothing.
            roots = [os.path.realpath(root) for root in self._roots]
            canonical = os.path.realpath(asked)
            root = below(canonical, roots)
            if root is None:
                raise outside(asked)
            number = _opened(root, canonical, asked)
            try:
                return self._copied(number, asked, canonical, keep=keep)
            finally:
                os.close(number)

    def _copied(self, number: int, asked: str, canonical: str, *, keep: bool) -> ReadFile:
        before = os.fstat(number)
        _refuse_special(before.st_mode, asked)
        if before.st_size > self._max_bytes:
            raise self._too_large(asked, before.st_size)
        digest, size = hashlib.sha256(), 0
        copy = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115  # ReadFile closes it
        try:
            while piece := os.read(number, STEP_BYTES):
                digest.update(piece)
                size += len(piece)
                if size > self._max_bytes:
                    raise self._too_large(asked, size)
                if keep:
                    copy.write(piece)
            if _identity(os.fstat(number)) != _identity(before) or size != before.st_size:
                raise refusal(
                    f"The file {asked!r} changed while it was read.",
                    Reason.CHANGED, "Call again when its writer has ended.",
                )  # fmt: skip
            copy.seek(0)
        except BaseException:
            copy.close()
            raise
        return ReadFile(
            asked, canonical, name_of(canonical), size, digest.hexdigest(),
            cast(IO[bytes], copy),
        )  # fmt: skip

    def _too_large(self, asked: str, size: int) -> FileRefused:
        return refusal(
            f"The file {asked!r} has {size:,} bytes or more; {self._max_bytes:,} are taken.",
            Reason.TOO_LARGE, "Name a smaller file, or raise BUSCTL_FILE_MAX_MB.",
        )  # fmt: skip


def _opened(root: str, canonical: str, asked: str) -> int:
    """A descriptor of the file, reached from the root's through folders that are no links."""
    parts = PurePosixPath(canonical).relative_to(root).parts
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        # What is no file is told before it is opened: a device may act on being opened.
        _refuse_special(os.lstat(parts[-1], dir_fd=folder).st_mode, asked)
        # O_NONBLOCK: a pipe that takes the file's place meanwhile must not be waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(parts[-1], flags, dir_fd=folder)
    finally:
        os.close(folder)


def _refuse_special(mode: int, asked: str) -> None:
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):  # a link is refused by its opening
        return
    what = next((word for test, word in _SPECIAL if test(mode)), "no regular file")
    raise refusal(f"{asked!r} is {what}.", Reason.NOT_A_FILE, "Name a regular file.")


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@contextmanager
def _mapped(asked: str) -> Iterator[None]:
    """Errors of the file system by their reasons."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise refusal(
                f"There is no file {asked!r}.", Reason.MISSING, "Check the path."
            ) from error
        # EINVAL: what was a link when it was looked at is none any more.
        if error.errno in (errno.ELOOP, errno.ENOTDIR, errno.EINVAL):
            raise refusal(
                f"The path {asked!r} leads through a link or a file where a folder was, or changed "
                "while it was opened.",
                Reason.CHANGED, "Name the file by a path of folders that stay as they are.",
            ) from error  # fmt: skip
        raise refusal(
            f"The file {asked!r} cannot be read: {error.strerror or error}.",
            Reason.UNREADABLE, "Let the daemon's user read it.",
        ) from error  # fmt: skip
