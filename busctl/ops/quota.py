"""The quota guard: puts are refused by name before a hosted database turns read-only.

The size is measured in upkeep, never for a put: a process without upkeep measures when what it
knows is too old, which is once in an interval.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, StoreOverBudget
from busctl.core.operating.quota import Budget, Level
from busctl.ports import Clock

log = logging.getLogger("busctl.quota")

STALE = 2.0
"""After how many intervals a put looks for itself: upkeep, where there is any, comes first."""


class QuotaGuard:
    """Knows how near the database is to its budget. `size_bytes` is what was measured last."""

    def __init__(
        self, budget: Budget, interval: float, clock: Clock, measure: Callable[[], Awaitable[int]]
    ) -> None:
        """`interval` in seconds; `measure` gives the bytes of the database."""
        self.budget = budget
        self.level = Level.FINE
        self.size_bytes = 0
        self._interval = interval
        self._clock = clock
        self._measure = measure
        self._looked: float | None = None

    @classmethod
    def of(
        cls, settings: Settings, clock: Clock, measure: Callable[[], Awaitable[int]]
    ) -> QuotaGuard | None:
        """The guard of these settings; None where there is no budget."""
        if settings.db_max_bytes is None:
            return None
        budget = Budget(
            settings.db_max_bytes, settings.quota_warn_share, settings.quota_critical_share
        )
        return cls(budget, settings.quota_interval_secs, clock, measure)

    async def look(self) -> int:
        """Measure now; a change of level is logged. Raises the store's errors."""
        self._looked = self._clock.monotonic()
        self.size_bytes = await self._measure()
        before, self.level = self.level, self.budget.level(self.size_bytes)
        if self.level is not before:
            told = {"bytes": self.size_bytes, "budget": self.budget.max_bytes}
            tell = log.info if self.level is Level.FINE else log.warning
            tell(f"database is {self.level.value} its budget", extra=told)
        return self.size_bytes

    async def admit(self) -> None:
        """Raises StoreOverBudget at the critical share."""
        if self._is_stale():
            try:
                await self.look()
            except BusctlError as error:
                # The put itself will tell what is wrong with the store.
                log.warning("database not measured", extra={"error": error.message})
        if self.level is Level.OVER:
            raise StoreOverBudget(
                f"The database has {self.size_bytes:,} bytes, "
                f"{self.size_bytes / self.budget.max_bytes:.0%} of BUSCTL_DB_MAX_BYTES "
                f"({self.budget.max_bytes:,})."
            )

    def _is_stale(self) -> bool:
        if self._looked is None:
            return True
        return self._clock.monotonic() - self._looked > self._interval * STALE
