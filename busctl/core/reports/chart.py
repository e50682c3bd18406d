"""Where the marks of a plot lie: both axes logarithmic, as sizes and times want it. Pixels only;
who draws them decides how they look."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 440, 260
LEFT, TOP, RIGHT, BOTTOM = 72, 12, 424, 226
"""Of the area inside the axes, in pixels."""
LEAST = 1e-4
"""What is smaller, nothing included, lies on this: a logarithm of 0 there is none."""
DENSE_DECADES = 2
"""Axes that span fewer have marks at 2 and 5 as well."""
MOST_TICKS = 7
Written = Callable[[float], str]
"""How a figure is written beside its axis."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (x, y) of one name; `joined` by a line, or dots alone."""

    name: str
    points: Sequence[tuple[float, float]]
    joined: bool = True


@dataclass(frozen=True, slots=True)
class Dot:
    """A point in pixels, and what it says when it is pointed at."""

    x: float
    y: float
    told: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A curve in pixels."""

    name: str
    dots: Sequence[Dot]
    joined: bool

    @property
    def path(self) -> str:
        """The `points` of an SVG polyline."""
        return " ".join(f"{dot.x:.1f},{dot.y:.1f}" for dot in self.dots)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis in pixels, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A whole plot. `level` is where a line across is to be drawn, in pixels."""

    title: str
    curves: Sequence[Drawn]
    across: Sequence[Tick]
    up: Sequence[Tick]
    level: float | None = None

    @property
    def spans(self) -> bool:
        """Whether there is more than one x."""
        return len({dot.x for one in self.curves for dot in one.dots}) > 1


def plot(
    title: str, curves: Sequence[Curve], x_as: Written, y_as: Written, level: float | None = None
) -> Plot:
    """The plot of `curves`; `level` is a y that is always shown. A curve without a point keeps its
    place among the others, so that a name looks the same in every plot."""
    across = _Axis([x for one in curves for x, _ in one.points], LEFT, RIGHT)
    wanted = [] if level is None else [level]
    up = _Axis([y for one in curves for _, y in one.points] + wanted, BOTTOM, TOP)
    drawn = [
        Drawn(
            one.name,
            [Dot(across(x), up(y), f"{one.name}, {x_as(x)}: {y_as(y)}")
             for x, y in (sorted(one.points) if one.joined else one.points)],
            one.joined,
        )
        for one in curves
    ]  # fmt: skip
    line = None if level is None else up(level)
    return Plot(title, drawn, across.ticks(x_as), up.ticks(y_as), line)


def worth_drawing(plots: Sequence[Plot]) -> list[Plot]:
    """Without those of a single size, which a table tells better; all, where there is no other."""
    return [one for one in plots if one.spans] or list(plots)


class _Axis:
    """From figures to pixels; the ends are a little beyond the outermost figures."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        logs = [_log(one) for one in values] or [0.0]
        room = max(0.15, (max(logs) - min(logs)) * 0.05)
        self._low, self._high = min(logs) - room, max(logs) + room
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        share = (_log(value) - self._low) / (self._high - self._low)
        return round(self._begin + share * (self._end - self._begin), 1)

    def ticks(self, written: Written) -> list[Tick]:
        """Marks at powers of ten, every second or third where they are too many, and at 2 and 5
        times where they are too few."""
        first, last = math.floor(self._low), math.ceil(self._high)
        dense = self._high - self._low < DENSE_DECADES
        step = max(1, -(-(last - first) // MOST_TICKS))
        figures = [
            factor * 10.0**power
            for power in range(first, last + 1, step)
            for factor in ((1, 2, 5) if dense else (1,))
        ]
        inside = [one for one in figures if self._low <= _log(one) <= self._high]
        return [Tick(self(one), written(one)) for one in inside]


def milliseconds(value: float) -> str:
    """Of a time in ms."""
    return f"{value:,.10g} ms"


def times(value: float) -> str:
    """Of a ratio."""
    return f"{value:,.10g} ×"


def _log(value: float) -> float:
    return math.log10(max(value, LEAST))
