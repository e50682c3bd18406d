"""The report of `busctl limits` as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from busctl.core.reports.chart import Curve, Plot, milliseconds, plot
from busctl.core.reports.page import Bar, Page, table_of
from busctl.core.sizes import show_size

LEAD = (
    "Payloads up to the largest came back identical, byte for byte; they do not compress. Figures "
    "do not travel: measure your own deployment. 1 KB is 1,000 bytes."
)
Row = Mapping[str, Any]


def page_of(shape: Mapping[str, Any]) -> Page:
    """The page of what `busctl limits --json` prints."""
    largest: Mapping[str, int] = shape["maximum_safe_sizes"]
    said = _said(largest)
    tables = [table_of("Largest payloads", shape["limits"]), table_of("Times", shape["rows"])]
    if shape["not_tried"]:
        left = [{"path": path, "why": why} for path, why in shape["not_tried"].items()]
        tables.insert(0, table_of("Not tried", left))
    return Page(
        title="busctl limits",
        lead=LEAD,
        verdict=(shape["ok"], said),
        facts=shape["machine"],
        bars=[Bar(path, size, show_size(size)) for path, size in largest.items()],
        bars_title="Largest payload that came back identical",
        plots=list(_times(shape["rows"])),
        tables=tables,
        shape=shape,
    )


def _said(largest: Mapping[str, int]) -> str:
    if not largest:
        return "No path was measured."
    least = min(largest.values())
    paths = [path for path, size in largest.items() if size == least]
    by = "" if len(paths) == len(largest) else f"; the least by {', '.join(paths)}"
    return f"Every path carries {show_size(least)}{by}."


def _times(rows: Sequence[Row]) -> Iterator[Plot]:
    """One plot of medians, one of the 99th percentiles, a curve a path and operation."""
    for field, title in (("median_ms", "Median time"), ("p99_ms", "99th percentile")):
        named: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            name = row["path"] if row["operation"] == "call" else row["operation"]
            named.setdefault(name, []).append((row["size_bytes"], row[field]))
        curves = [Curve(name, points) for name, points in named.items()]
        yield plot(title, curves, lambda size: show_size(round(size)), milliseconds)
