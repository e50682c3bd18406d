"""A ZIP file of texts, whole or not there at all."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from busctl.core.errors import FileFailed


def write(target: Path, texts: Mapping[str, str]) -> None:
    """Write `texts` by their names into a new archive of mode 0600. Raises FileFailed."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as out, zipfile.ZipFile(
                out, "w", zipfile.ZIP_DEFLATED
            ) as archive:  # fmt: skip
                for member, text in texts.items():
                    archive.writestr(member, text)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise FileFailed(f"{target} cannot be written: {error.strerror}.") from error
