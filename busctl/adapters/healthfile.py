"""Small JSON files that others read while we rewrite them: each read sees one whole version."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def replace_json(path: Path, shape: Mapping[str, Any]) -> None:
    """Write `shape` to `path` (mode 0644) in one step. Raises OSError."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(shape, out)
            out.write("\n")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        # Whatever ended it, the half-written file must not stay.
        Path(temporary).unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Take the file away, if it is there."""
    path.unlink(missing_ok=True)
