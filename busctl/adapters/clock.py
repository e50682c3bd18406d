"""The machine's clock and randomness."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from busctl.core.ids import RANDOM_BYTES, make_id


class SystemClock:
    """Implements `busctl.ports.Clock`."""

    def unix_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def new_id(self) -> UUID:
        return make_id(self.unix_ms(), os.urandom(RANDOM_BYTES))


class SkewedClock(SystemClock):
    """The machine's clock as it would be if it were off by `skew`: for rehearsals."""

    def __init__(self, skew: timedelta) -> None:
        self._skew = skew

    def unix_ms(self) -> int:
        return super().unix_ms() + round(self._skew.total_seconds() * 1000)

    def now(self) -> datetime:
        return super().now() + self._skew
