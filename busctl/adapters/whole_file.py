"""Files that others read while we rewrite them: each read sees one whole version."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def replace(path: Path, content: bytes) -> None:
    """Write `content` to `path` (mode 0644) in one step. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        # Whatever ended it, the half-written file must not stay.
        Path(temporary).unlink(missing_ok=True)
        raise
