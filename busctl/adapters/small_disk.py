"""A disk that can be filled: a small tmpfs where we may mount one, else a limit on file sizes.

Linux only. The limit meets the server's sessions (RLIMIT_FSIZE, like `ulimit -f`): PostgreSQL then
cannot extend a table file, which it reports as it reports a full disk, but its log of changes and
its checkpoints go on.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from busctl.core.errors import BusctlError

BALLAST = "ballast"
_BLOCK = 1 << 20
LIMIT_BYTES = 17 << 20
"""Just over one segment of the log of changes (16 MiB)."""


def may_mount() -> bool:
    """Whether this process may mount a file system: root in a container often may not."""
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory(prefix="busctl-mount-") as folder:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4096", "busctl-drill", folder],  # noqa: S607  # on PATH
            capture_output=True, check=False,
        )  # fmt: skip
        if tried.returncode == 0:
            _run("umount", folder)
        return tried.returncode == 0


@contextmanager
def mounted(folder: Path, size_bytes: int) -> Iterator[Path]:
    """A tmpfs of that size at `folder`, which is made, for the time of the block."""
    folder.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0755", "busctl-drill", folder)
    try:
        yield folder
    finally:
        # Lazily: whatever still has a file open there must not keep the mount for ever.
        _run("umount", "-l", folder)
        folder.rmdir()


def unmount(folder: Path) -> None:
    """Take away the one that was left mounted at `folder`; if none was, nothing."""
    if folder.is_mount():
        _run("umount", "-l", folder)


def fill(folder: Path) -> int:
    """Leave no room on the file system of `folder`; returns the bytes it took."""
    taken = 0
    with (folder / BALLAST).open("wb", buffering=0) as ballast:
        for size in (_BLOCK, 4096):
            try:
                while True:
                    taken += ballast.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return taken


def empty(folder: Path) -> None:
    """Give the room back."""
    (folder / BALLAST).unlink(missing_ok=True)


def limit_files(postmaster: int, size_bytes: int | None) -> None:
    """No session of that server, now or later, makes a file larger than that; None lifts it.
    Raises BusctlError where it may not be done."""
    size = "unlimited" if size_bytes is None else str(size_bytes)
    for pid in [postmaster, *_children(postmaster)]:
        try:
            owner = Path(f"/proc/{pid}").stat()
        except FileNotFoundError:  # it has left meanwhile
            continue
        # As the server's own user: root in a container may often not do it to others.
        own = owner.st_uid == os.geteuid()
        user, group = (None, None) if own else (owner.st_uid, owner.st_gid)
        _run("prlimit", f"--pid={pid}", f"--fsize={size}:", user=user, group=group)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def _run(*command: object, user: int | None = None, group: int | None = None) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd="/", user=user, group=group,
        extra_groups=None if user is None else [],
    )  # fmt: skip
    if done.returncode != 0:
        raise BusctlError(f"{' '.join(words)}: {done.stderr.strip()}")
