"""Sizes as one types and reads them. 1 KB is 1,000 bytes, 1 KiB is 1,024."""

from __future__ import annotations

import re

from busctl.core.errors import ConfigurationError

_SIZE = re.compile(r"\s*(\d[\d_,]*)\s*([kmg]?i?b)?\s*", re.IGNORECASE | re.ASCII)
_UNITS = {
    "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3,
}  # fmt: skip


def parse_size(text: str) -> int:
    """Bytes of "10MB", "64 KiB" or "1000". Raises ConfigurationError."""
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get((match[2] or "b").lower()) if match else None
    if match is None or unit is None:
        raise ConfigurationError(
            f"{text!r} is not a size.", remedy="Write bytes as 1000, 10KB, 64KiB, 10MB or 1GB."
        )
    return int(match[1].replace("_", "").replace(",", "")) * unit


def show_size(size: int) -> str:
    """A size in the largest decimal unit that leaves a whole number, else in bytes."""
    for unit in ("gb", "mb", "kb"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]:,} {unit.upper()}"
    return f"{size:,} bytes"
