"""A byte budget: how near a size is to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """FINE, NEAR (worth a warning) or OVER (nothing more is taken)."""

    FINE = "fine"
    NEAR = "near"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes that may be used, and from which shares on it is a warning or too much."""

    max_bytes: int
    warn_share: float
    critical_share: float

    def level(self, size: int) -> Level:
        """Where `size` bytes stand."""
        share = size / self.max_bytes
        if share >= self.critical_share:
            return Level.OVER
        return Level.NEAR if share >= self.warn_share else Level.FINE
