"""Writing a file so that a reader finds the old content or the new, never a part."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from busctl.core.errors import FileFailed


def replace_file(path: Path, data: bytes, *, expected: bytes | None = None) -> None:
    """Put `data` in `path`'s place, with its mode and owner; a link stays one. With `expected`,
    only if that is what the file holds now. Raises FileFailed; the file is then as it was."""
    target = Path(os.path.realpath(path))
    try:
        if expected is not None and target.read_bytes() != expected:
            raise FileFailed(
                f"{path} was changed meanwhile; it was left alone.", remedy="Run the audit again."
            )
        _replace(target, data)
    except OSError as error:
        raise FileFailed(
            f"{path} could not be written: {error.strerror or error}. It is as it was."
        ) from error


def _replace(target: Path, data: bytes) -> None:
    number, name = tempfile.mkstemp(prefix=f".{target.name[:50]}.", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as file:
            _like(target, file.fileno())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _like(target: Path, number: int) -> None:
    """Mode and owner of the file that is there; of a new file those that `open` would give."""
    try:
        old = target.stat()
    except FileNotFoundError:
        mask = os.umask(0o077)
        os.umask(mask)
        os.fchmod(number, 0o666 & ~mask)
        return
    new = os.fstat(number)
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
        os.fchown(number, old.st_uid, old.st_gid)
    os.fchmod(number, stat.S_IMODE(old.st_mode))
