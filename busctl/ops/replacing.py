"""A file that appears only whole: written beside its place under another name, then moved there."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """`with replacing(path) as out:`; whatever ends the block early leaves `target` as it was.

    A link is followed, not replaced. A device or pipe is written to directly: moving a file over
    /dev/null would destroy it. Raises OSError.
    """
    # Asked of the name itself: what /dev/stdout resolves to is no path when it is a pipe.
    if _is_special(target):
        with target.open("wb") as out:
            yield out
        return
    place = target.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{place.name[:200]}.", dir=place.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        partial.chmod(_mode(place))
        partial.replace(place)
    except BaseException:
        # Whatever ended it, half a file must not stay.
        partial.unlink(missing_ok=True)
        raise


def _is_special(place: Path) -> bool:
    try:
        return not stat.S_ISREG(place.stat().st_mode)
    except FileNotFoundError:
        return False


def _mode(place: Path) -> int:
    """The permissions of the file that is replaced, else what a new file gets."""
    try:
        return stat.S_IMODE(place.stat().st_mode)
    except FileNotFoundError:
        umask = os.umask(0)
        os.umask(umask)
        return 0o666 & ~umask
