"""What flows over the bus, as dashboards show it: spans of time, steps in them, and sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from busctl.core.envelope import Envelope
from busctl.core.operating.alert import Alert
from busctl.core.operating.journal import DaemonState

MINUTE = timedelta(minutes=1)


class Window(StrEnum):
    """How far back to look. Each has about as many steps as a plot has room for."""

    QUARTER = "15m"
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"

    @property
    def span(self) -> timedelta:
        return _SPANS[self][0]

    @property
    def step(self) -> timedelta:
        return _SPANS[self][1]


_SPANS = {
    Window.QUARTER: (timedelta(minutes=15), MINUTE),
    Window.HOUR: (timedelta(hours=1), MINUTE),
    Window.DAY: (timedelta(days=1), timedelta(minutes=15)),
    Window.WEEK: (timedelta(days=7), timedelta(hours=2)),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a window: counts, bytes, and the store's own write time in ms (None where
    nothing was). `p95_ms` is the highest of any minute and tool in it."""

    at: datetime
    messages: int
    errors: int
    payload_bytes: int
    stored_bytes: int
    largest_bytes: int | None
    deliveries: int
    mean_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class ToolFlow:
    """What one tool stored within the window; `sizes` counts messages up to 1 KB, 10 KB, 100 KB,
    1 MB, 10 MB and over."""

    tool_name: str
    messages: int
    errors: int
    payload_bytes: int
    stored_bytes: int
    largest_bytes: int
    deliveries: int
    mean_ms: float | None
    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A window: its steps, the newest last, its tools, the busiest first, and how many messages
    fell back to spools and were reconciled."""

    window: Window
    steps: Sequence[Step]
    tools: Sequence[ToolFlow]
    fell_back: int = 0
    reconciled: int = 0

    @property
    def total(self) -> dict[str, int]:
        """Sums over the window."""
        names = ("messages", "errors", "payload_bytes", "stored_bytes", "deliveries")
        return {name: sum(getattr(one, name) for one in self.steps) for name in names}

    def rates(self, at: datetime) -> dict[str, float]:
        """What `total` sums, a second, over this minute and the one before, and the highest
        `p95_ms` of them (0: nothing was); of a window whose steps are minutes."""
        newest = [one for one in self.steps if one.at > at - 2 * MINUTE]
        seconds = max(1.0, (at - newest[0].at).total_seconds()) if newest else 1.0
        found = {name: sum(getattr(one, name) for one in newest) / seconds for name in self.total}
        return {**found, "p95_ms": max((one.p95_ms or 0.0 for one in newest), default=0.0)}

    @property
    def sizes(self) -> tuple[int, ...]:
        """Messages by size, as in ToolFlow."""
        return tuple(map(sum, zip(*(one.sizes for one in self.tools), strict=True)))


@dataclass(frozen=True, slots=True)
class Now:
    """All that the page *Now* shows. `daemons` are all that share the store; `here` is the daemon
    that was asked ({} without one), as it was `at`. `rates` are those of the last minute or two.
    `store_fault` says why the rest is old or empty."""

    flow: Flow
    daemons: Sequence[DaemonState]
    alerts: Sequence[Alert]
    recent: Sequence[Envelope]
    here: Mapping[str, Any] = field(default_factory=dict)
    store_fault: str = ""
    at: datetime | None = None
    rates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What takes longer to find out: the database's size in bytes, how many messages wait to be
    delivered (of `looked_at`, the oldest), how long the oldest has (s), and when cleanup last
    ended (s ago, None: never)."""

    database_bytes: int
    pending: int
    looked_at: int
    oldest_secs: float
    cleanup_secs: float | None
    followers: Mapping[str, float] = field(default_factory=dict)
    """How far each follower is behind, in seconds, by name; the first hundred."""
    quota_bytes: int | None = None
    """What the database may have (BUSCTL_DB_MAX_BYTES), None without a budget."""


def flow_shape(flow: Flow) -> dict[str, Any]:
    """The JSON shape of a window."""
    return {
        "window": flow.window.value, **flow.total, "fell_back": flow.fell_back,
        "reconciled": flow.reconciled, "sizes": list(flow.sizes),
        "steps": [asdict(one) for one in flow.steps],
        "tools": [asdict(one) for one in flow.tools],
    }  # fmt: skip
