"""What one tool may take, where it differs from what the settings say for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MOST_SECS = 86_400.0
MOST_CALLS = 100_000
MOST_INLINE_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds for a call, calls at a time, and the bytes up to which an answer travels inline;
    None for what the settings say."""

    timeout_secs: float | None = None
    concurrency: int | None = None
    inline_max_bytes: int | None = None

    def over(self, other: Bounds) -> Bounds:
        """These, and for what they leave open the other ones."""
        return Bounds(*(
            getattr(other, each.name) if getattr(self, each.name) is None
            else getattr(self, each.name)
            for each in fields(self)
        ))  # fmt: skip


NONE = Bounds()
NAMES = tuple(each.name for each in fields(Bounds))


def faults_of(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with bounds by name, None meaning not given. Other names are passed over."""
    faults = []
    if not _is_number(given.get("timeout_secs"), 0.001, MOST_SECS):
        faults.append(f"timeout_secs must be a number of seconds up to {MOST_SECS:,.0f}")
    if not _is_whole(given.get("concurrency"), 1, MOST_CALLS):
        faults.append(f"concurrency must be a whole number from 1 to {MOST_CALLS:,}")
    if not _is_whole(given.get("inline_max_bytes"), 0, MOST_INLINE_BYTES):
        faults.append(f"inline_max_bytes must be a whole number up to {MOST_INLINE_BYTES:,}")
    return faults


def _is_number(value: Any, least: float, most: float) -> bool:
    if value is None:
        return True
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _is_whole(value: Any, least: int, most: int) -> bool:
    return value is None or (isinstance(value, int) and _is_number(value, least, most))
