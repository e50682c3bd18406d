"""The machine's clock and randomness."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
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
