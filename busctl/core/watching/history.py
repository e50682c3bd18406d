"""What a tool's answers are like, and which of them stand out: sizes, latencies, repetitions."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from busctl.core.envelope import Envelope
from busctl.core.ids import time_of
from busctl.core.watching.observation import Remark, Rule, Severity

ENOUGH = 30
"""Answers that a tool must have given before one can stand out."""
DEVIATIONS = 4.0
FACTOR = 5.0
"""An outlier is so many times the usual, or that part of it, and so many deviations away."""
LEAST_LATENCY_MS = 100.0
RECENT = 50
REPEATS = 3
TOOLS = 1000
_LEAST_DEVIATION = 0.1
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(slots=True)
class Spread:
    """Mean and deviation of logarithms (Welford): sizes and times differ by factors."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        at = math.log1p(value)
        self.count += 1
        step = at - self.mean
        self.mean += step / self.count
        self.squares += step * (at - self.mean)

    def usual(self) -> float:
        return math.expm1(self.mean)

    def outlies(self, value: float) -> float | None:
        """How many deviations away an outlier is; None for what is none."""
        if self.count < ENOUGH:
            return None
        away = abs(math.log1p(value) - self.mean)
        deviation = max(_LEAST_DEVIATION, math.sqrt(self.squares / (self.count - 1)))
        far = away / deviation
        return far if far >= DEVIATIONS and away >= math.log(FACTOR) else None


@dataclass(slots=True)
class _Tool:
    sizes: Spread = field(default_factory=Spread)
    latencies: Spread = field(default_factory=Spread)
    recent: deque[tuple[UUID, bytes]] = field(default_factory=deque)
    times: Counter[bytes] = field(default_factory=Counter)
    is_rewound: bool = False

    def remember(self, envelope: Envelope) -> None:
        self.recent.append((envelope.transaction_id, envelope.checksum))
        self.times[envelope.checksum] += 1
        if len(self.recent) > RECENT:
            self._forget(self.recent.popleft()[1])

    def rewind(self, transaction_id: UUID) -> None:
        """Forget that answer and later ones, which were recalled before it was their turn: an
        answer repeats those before it."""
        while not self.is_rewound and self.recent:
            found, checksum = self.recent.pop()
            self._forget(checksum)
            self.is_rewound = found == transaction_id
        self.is_rewound = True

    def _forget(self, checksum: bytes) -> None:
        self.times[checksum] -= 1
        if not self.times[checksum]:
            del self.times[checksum]


class Histories:
    """Of every tool, as far as this watcher has seen or was told it; the least recent go first."""

    def __init__(self) -> None:
        self._tools: OrderedDict[str, _Tool] = OrderedDict()
        self._recalled: set[UUID] = set()

    def recall(self, envelope: Envelope) -> None:
        """Part of the history already; when it is its turn it is only judged."""
        self.add(envelope)
        self._recalled.add(envelope.transaction_id)

    def add(self, envelope: Envelope) -> list[Remark]:
        """What stands out in an answer, which then is part of the history."""
        tool = self._tool(envelope.labels.tool_name or "")
        size, latency = envelope.payload_size_bytes, latency_ms(envelope)
        found = [*_size(tool.sizes, size), *_latency(tool.latencies, latency)]
        if envelope.transaction_id in self._recalled:
            self._recalled.discard(envelope.transaction_id)
            tool.rewind(envelope.transaction_id)
        else:
            tool.sizes.add(size)
            tool.latencies.add(latency)
        tool.remember(envelope)
        return [*found, *_repeated(tool, envelope.checksum)]

    def _tool(self, name: str) -> _Tool:
        tool = self._tools.get(name)
        if tool is None:
            tool = self._tools[name] = _Tool()
            if len(self._tools) > TOOLS:
                self._tools.popitem(last=False)
        self._tools.move_to_end(name)
        return tool


def latency_ms(envelope: Envelope) -> float:
    """From the making of the id, at the beginning of a call, to the storing of its answer."""
    return max(0.0, (envelope.created_at - time_of(envelope.transaction_id)) / _MILLISECOND)


def _size(sizes: Spread, size: int) -> Iterator[Remark]:
    far = sizes.outlies(size)
    if far is not None:
        yield Remark(
            Rule.SIZE_OUTLIER, Severity.INFO, _confidence(far),
            f"Its {size:,} bytes are far from the tool's usual {sizes.usual():,.0f}.",
            {"size": size, "usual": round(sizes.usual()), "deviations": round(far, 1)},
        )  # fmt: skip


def _latency(latencies: Spread, latency: float) -> Iterator[Remark]:
    far = latencies.outlies(latency)
    if far is not None and latency >= LEAST_LATENCY_MS and latency > latencies.usual():
        yield Remark(
            Rule.LATENCY_OUTLIER, Severity.INFO, _confidence(far),
            f"It took {latency:,.0f} ms; usual for the tool are {latencies.usual():,.0f}.",
            {"ms": round(latency), "usual": round(latencies.usual()), "deviations": round(far, 1)},
        )  # fmt: skip


def _repeated(tool: _Tool, checksum: bytes) -> Iterator[Remark]:
    times = tool.times[checksum]
    if times >= REPEATS:
        yield Remark(
            Rule.REPEATED, Severity.INFO, 0.6,
            f"The same answer {times} times in the tool's last {len(tool.recent)}.",
            {"times": times, "of": len(tool.recent)},
        )  # fmt: skip


def _confidence(far: float) -> float:
    """Chebyshev: at most 1/far² of anything lies so far away."""
    return round(1 - 1 / far**2, 3)
