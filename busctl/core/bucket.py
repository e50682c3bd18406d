"""A token bucket: so many a second on average, a second's worth at once. Told the time."""

from __future__ import annotations


class Bucket:
    """Begins full. `rate` is how many a second; at least one may always come at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._left = self._most
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take one at the time `now` (monotonic, seconds) and return 0; or take none and return
        the seconds until there is one."""
        if self._at is not None:
            # A clock that stands still or goes back gives nothing.
            self._left = min(self._most, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        if self._left >= 1.0:
            self._left -= 1.0
            return 0.0
        return (1.0 - self._left) / self._rate
