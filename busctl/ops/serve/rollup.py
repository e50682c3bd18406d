"""Keeps the traffic by the minute that dashboards plot: at each run the newest minutes, and one
older hour in turn, where messages may have come late (from a spool, an import) or been redeemed.
"""

from __future__ import annotations

from datetime import timedelta

from busctl.core.operating.flow import MINUTE, Window
from busctl.ops.guarding import GuardedStore
from busctl.ports import Clock, Traffic

HOUR = timedelta(hours=1)
HOURS_BACK = Window.WEEK.span // HOUR


class Rollup:
    """Call it every few seconds. Each call is bounded: two minutes and one hour of messages."""

    def __init__(self, traffic: Traffic, store: GuardedStore, clock: Clock) -> None:
        self._traffic = traffic
        self._store = store
        self._clock = clock
        self._back = 0

    async def __call__(self) -> int:
        """Raises the store's errors. Counts the minutes that were written."""
        now = self._clock.now()
        minute = now.replace(second=0, microsecond=0)
        hour = minute.replace(minute=0) - self._back * HOUR
        guarded, refresh = self._store.guarded, self._traffic.refresh
        written = await guarded(refresh(minute - MINUTE, minute + MINUTE), self._store.writes)
        written += await guarded(refresh(hour, min(hour + HOUR, minute)), self._store.writes)
        self._back = (self._back + 1) % (HOURS_BACK + 1)
        return written
