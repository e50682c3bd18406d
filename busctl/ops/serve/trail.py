"""What happened to the system, waiting to be written to the journal: the store may be away."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from busctl.core.operating.journal import Kind, SystemEvent
from busctl.ports import Clock, Journal

MOST = 10_000
"""Events that wait; when there are more the oldest go, and an event says how many."""
BATCH = 500
REFUSALS_EVERY = timedelta(minutes=1)
"""Refused clients are one event in that time: whoever tries tokens must not fill the journal."""


class Trail:
    """Collects the events of one daemon; each keeps the time it happened."""

    def __init__(self, clock: Clock, daemon: str) -> None:
        self._clock = clock
        self._daemon = daemon
        self._waiting: deque[SystemEvent] = deque()
        self._dropped = 0
        self._fallen: Counter[str] = Counter()
        self._fallen_bytes = 0
        self._fallen_since: datetime | None = None
        self._refused: Counter[str] = Counter()
        self._refused_since: datetime | None = None
        self._refused_told: datetime | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def note(self, kind: Kind, **detail: Any) -> None:
        """It happened now."""
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(SystemEvent(self._clock.now(), self._daemon, kind, detail))

    def count_fallback(self, reason: str, size_bytes: int) -> None:
        """One answer fell back; many of them are one event, with how many and why."""
        self._fallen_since = self._fallen_since or self._clock.now()
        self._fallen[reason] += 1
        self._fallen_bytes += size_bytes

    def count_refusal(self, via: str, reason: str) -> None:
        """One client was turned away; many of them are one event, with how many and why."""
        self._refused_since = self._refused_since or self._clock.now()
        self._refused[f"{via} {reason}"] += 1

    async def write(self, journal: Journal, *, last: bool = False) -> None:
        """Write what waits, oldest first; the `last` time also what is written once in a while
        only. Raises the store's errors; nothing is lost then."""
        self._sum_up(last=last)
        while self._waiting:
            batch = [self._waiting[place] for place in range(min(BATCH, len(self._waiting)))]
            await journal.record_system_events(batch)
            for one in batch:
                # More may have come meanwhile, and the oldest may have been dropped for it.
                if self._waiting and self._waiting[0] is one:
                    self._waiting.popleft()

    def pending(self) -> Sequence[SystemEvent]:
        """What is not written yet, counts as they stand now; nothing is changed."""
        now = self._clock.now()
        sums = [SystemEvent(now, self._daemon, *each) for each in self._sums(last=True)]
        return [*self._waiting, *sums]

    def take_over(self, events: Sequence[SystemEvent]) -> None:
        """What an earlier daemon could not write any more comes first."""
        self._waiting.extendleft(reversed(events))

    def _sum_up(self, *, last: bool) -> None:
        sums = list(self._sums(last=last))
        self._fallen, self._fallen_bytes, self._fallen_since = Counter(), 0, None
        self._dropped = 0
        for kind, detail in sums:
            if kind is Kind.CLIENTS_REFUSED:
                self._refused, self._refused_since = Counter(), None
                self._refused_told = self._clock.now()
            self.note(kind, **detail)

    def _sums(self, *, last: bool) -> Iterator[tuple[Kind, dict[str, Any]]]:
        """What has been counted, as the events it will be."""
        if self._fallen:
            yield Kind.FELL_BACK, {
                "messages": self._fallen.total(), "bytes": self._fallen_bytes,
                "reasons": dict(self._fallen), "since": str(self._fallen_since),
            }  # fmt: skip
        told = self._refused_told
        due = last or told is None or self._clock.now() - told >= REFUSALS_EVERY
        if self._refused and due:
            yield Kind.CLIENTS_REFUSED, {
                "clients": self._refused.total(), "reasons": dict(self._refused),
                "since": str(self._refused_since),
            }  # fmt: skip
        if self._dropped:
            yield Kind.EVENTS_DROPPED, {"events": self._dropped}
