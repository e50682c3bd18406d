"""The file FILE.partial in which an archive grows until it is whole and takes its name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from busctl.core.errors import LockHeld

SUFFIX = ".partial"


def partial_of(target: Path) -> Path:
    """Where `target` grows."""
    return target.with_name(target.name + SUFFIX)


@contextmanager
def growing(target: Path) -> Iterator[IO[bytes]]:
    """Open FILE.partial, as it was left, for reading and writing, alone.

    It stays when the block ends: `settle` makes it the target. Raises LockHeld and OSError.
    """
    place = partial_of(target)
    place.touch(mode=0o600)
    with place.open("r+b", buffering=0) as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.fstat(opened.fileno()).st_ino == place.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            same = False
        if not same:
            raise LockHeld(
                f"Another export to {target} is under way.", remedy="Wait for it to end."
            )
        yield opened


def settle(opened: IO[bytes], target: Path) -> None:
    """To disk, and then under its own name."""
    opened.flush()
    os.fsync(opened.fileno())
    partial_of(target).replace(target)
