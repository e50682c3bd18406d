"""What one run of `busctl bench` found: rows of times, round trips, memory; their JSON shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from busctl.ops.bench.series import Series


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one subject on one kind of payload, `messages` of them at a time.

    `against` holds the median's ratio to other subjects' medians: below 1 is faster than they.
    """

    path: str
    content: str
    size: int
    operation: str
    subject: str
    series: Series
    messages: int = 1
    against: Mapping[str, float] = field(default_factory=dict)

    @property
    def megabytes_per_second(self) -> float:
        """Payload bytes, 1 MB = 1,000,000."""
        return self.size * self.messages / 1e6 / self.series.median

    @property
    def messages_per_second(self) -> float:
        return self.messages / self.series.median

    def shape(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "content": self.content,
            "size_bytes": self.size,
            "operation": self.operation,
            "subject": self.subject,
            "messages": self.messages,
            "repeats": len(self.series.samples),
            "median_ms": round(self.series.median * 1000, 4),
            "p99_ms": round(self.series.p99 * 1000, 4),
            "mb_per_s": round(self.megabytes_per_second, 3),
            "messages_per_s": round(self.messages_per_second, 3),
            "against": {name: round(ratio, 3) for name, ratio in self.against.items()},
        }


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Round trips of one operation after connecting, counted on the line."""

    operation: str
    size: int
    count: float

    def shape(self) -> dict[str, Any]:
        return {"operation": self.operation, "size_bytes": self.size, "round_trips": self.count}


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak memory above idle, in bytes, while one payload was streamed; None where the system
    does not show it (no /proc, a server on another machine)."""

    operation: str
    size: int
    client: int | None
    backend: int | None

    def shape(self) -> dict[str, Any]:
        return {
            "operation": self.operation,
            "size_bytes": self.size,
            "client_bytes": self.client,
            "backend_bytes": self.backend,
        }


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that cannot carry payloads of that size, and why."""

    path: str
    content: str
    size: int
    why: str

    def shape(self) -> dict[str, Any]:
        return {
            "path": self.path, "content": self.content, "size_bytes": self.size, "why": self.why,
        }  # fmt: skip


@dataclass(slots=True)
class BenchReport:
    """Everything one run measured."""

    rows: list[Row] = field(default_factory=list)
    round_trips: list[RoundTrips] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    def shape(self) -> dict[str, Any]:
        return {
            "rows": [row.shape() for row in self.rows],
            "round_trips": [count.shape() for count in self.round_trips],
            "memory": [peak.shape() for peak in self.memory],
            "left_out": [one.shape() for one in self.left_out],
        }


def ratios(name: str, series: Mapping[str, Series]) -> dict[str, float]:
    """The median of `name` divided by every other subject's."""
    mine = series[name].median
    return {other: mine / one.median for other, one in series.items() if other != name}
