"""Samples of one timed thing, and what is said of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Series:
    """Durations in seconds, one a repetition."""

    samples: list[float] = field(default_factory=list)

    def add(self, seconds: float) -> None:
        self.samples.append(seconds)

    @property
    def median(self) -> float:
        return self.quantile(0.5)

    @property
    def p99(self) -> float:
        """The 99th percentile; of fewer than a hundred samples, the slowest."""
        return self.quantile(0.99)

    def quantile(self, share: float) -> float:
        """The nearest-rank quantile, for 0.5 of an even count the mean of the middle two."""
        ordered = sorted(self.samples)
        if share == 0.5 and len(ordered) % 2 == 0:
            middle = len(ordered) // 2
            return (ordered[middle - 1] + ordered[middle]) / 2
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]
