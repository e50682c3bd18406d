"""The daemon's health as a small JSON file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from busctl.adapters import whole_file


def replace_json(path: Path, shape: Mapping[str, Any]) -> None:
    """Write `shape` to `path` (mode 0644) in one step. Raises OSError."""
    whole_file.replace(path, f"{json.dumps(shape)}\n".encode())


def remove(path: Path) -> None:
    """Take the file away, if it is there."""
    path.unlink(missing_ok=True)
