"""The report of `busctl bench` as a page: ratios to plain SQL first, then times by size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from busctl.core.reports.chart import Curve, Plot, milliseconds, plot, times, worth_drawing
from busctl.core.reports.page import Page, table_of
from busctl.core.sizes import show_size
from busctl.core.text import counted

LEAD = (
    "Every round lets the bus and plain SQL do the same, one after the other, with integrity "
    "always on. Milliseconds do not travel between machines; ratios of one run do. "
    "1 KB is 1,000 bytes."
)
TABLES = {
    "rows": ("Times", "Against: the ratio of medians; below 1 the bus is the faster one."),
    "round_trips": ("Round trips", "Counted on the line, after connecting."),
    "memory": ("Memory", "Above idle, while one payload was streamed."),
    "left_out": ("Not measured", ""),
}
PLAIN_SQL = ("raw", "jsonb")
Row = Mapping[str, Any]
Points = list[tuple[float, float]]


def page_of(shape: Mapping[str, Any]) -> Page:
    """The page of what `busctl bench --json` prints."""
    rows: Sequence[Row] = shape["rows"]
    ratios = [ratio for row in rows for _, ratio in _to_sql(row)]
    won = sum(ratio < 1 for ratio in ratios)
    said = f"Faster than plain SQL in {won:,} of {counted(len(ratios), 'comparison')}."
    added = f"{shape['rtt_ms']:g} ms" if shape["rtt_ms"] else "none"
    return Page(
        title="busctl bench",
        lead=LEAD,
        verdict=(True, said if ratios else "Measured without plain SQL beside it."),
        facts={"store": shape["store"], "round-trip time added": added},
        plots=worth_drawing([*_ratios(rows), *_store_times(rows), *_call_times(rows)]),
        tables=[
            table_of(title, shape[name], note)
            for name, (title, note) in TABLES.items()
            if shape[name]
        ],
        shape=shape,
    )


def _ratios(rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot a content; below the line the bus is faster."""
    grouped: dict[str, dict[str, Points]] = {}
    for row in rows:
        for other, ratio in _to_sql(row):
            named = grouped.setdefault(f"Ratio to plain SQL, {row['content']}", {})
            named.setdefault(f"{_what(row)} / {other}", []).append((row["size_bytes"], ratio))
    for title, named in grouped.items():
        yield plot(title, _curves(named), _size, times, level=1)


def _to_sql(row: Row) -> list[tuple[str, float]]:
    """What the bus took against each of them: below 1 it was faster."""
    if row["subject"] != "bus":
        return []
    return [(name, row["against"][name]) for name in PLAIN_SQL if name in row["against"]]


def _store_times(rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot an operation and content, a curve a subject."""
    yield from _times(
        [row for row in rows if row["operation"] != "call"], _what, lambda row: row["subject"]
    )


def _call_times(rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot a content, a curve a path."""
    calls = [row for row in rows if row["operation"] == "call"]
    yield from _times(calls, lambda _: "a call", lambda row: row["path"])


def _times(
    rows: Sequence[Row], what: Callable[[Row], str], name: Callable[[Row], str]
) -> Iterator[Plot]:
    grouped: dict[str, dict[str, Points]] = {}
    for row in rows:
        curves = grouped.setdefault(f"Median time, {what(row)}, {row['content']}", {})
        curves.setdefault(name(row), []).append((row["size_bytes"], row["median_ms"]))
    for title, named in grouped.items():
        yield plot(title, _curves(named), _size, milliseconds)


def _curves(named: Mapping[str, Points]) -> list[Curve]:
    return [Curve(name, points) for name, points in named.items()]


def _what(row: Row) -> str:
    return str(row["operation"] if row["path"] == "store" else row["path"])


def _size(value: float) -> str:
    return show_size(round(value))
