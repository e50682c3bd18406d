"""A disk that can be filled: a small tmpfs where we may mount one, else a limit on file sizes.

Linux only. The limit meets the server's sessions (RLIMIT_FSIZE, like `ulimit -f`): PostgreSQL then
cannot extend a table file, which it reports as it reports a full disk, but its log of changes and
its checkpoints go on.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from busctl.core.errors import BusctlError

BALLAST = "ballast"
_BLOCK = 1 << 20
LIMIT_BYTES = 17 << 20
"""Just over one segment of the log of changes (16 MiB)."""


def may_mount() -> bool:
    """Whether this process may mount a file system."""
    return sys.platform == "linux" and os.geteuid() == 0 and Path("/bin/mount").exists()


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
    """No session of that server, now or later, makes a file larger than that; None lifts it."""
    import resource

    none = resource.RLIM_INFINITY
    wanted = (none if size_bytes is None else size_bytes, none)
    for pid in [postmaster, *_children(postmaster)]:
        try:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, wanted)
        except ProcessLookupError:  # it has left meanwhile
            continue


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def _run(*command: object) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise BusctlError(f"{' '.join(str(each) for each in command)}: {done.stderr.strip()}")
