"""The report of `busctl test-integrity` as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from busctl.core.reports.chart import Curve, Plot, milliseconds, plot
from busctl.core.reports.page import Page, Table, table_of
from busctl.core.sizes import show_size
from busctl.core.text import counted

LEAD = (
    "Each payload went along each path alone, then all of them at once, and what came back was "
    "compared byte for byte. 1 KB is 1,000 bytes."
)
TIMES = {"put_ms": "Time to put, alone", "get_ms": "Time to get, alone"}
Row = Mapping[str, Any]


def page_of(shape: Mapping[str, Any], summary: str) -> Page:
    """The page of what `busctl test-integrity --json` prints; `summary` is its verdict."""
    rows: Sequence[Row] = shape["comparisons"]
    tables = [_verdicts(rows), table_of("Comparisons", rows)]
    if shape["findings"]:
        tables.insert(0, table_of("What is wrong", shape["findings"]))
    if shape["limits"]:
        tables.insert(1, table_of("Largest payloads", shape["limits"]))
    return Page(
        title="busctl test-integrity",
        lead=LEAD,
        verdict=(shape["exit_code"] == 0, summary),
        facts={
            "compared": counted(shape["checked"], "comparison"),
            "identical": f"{shape['compared_bytes']:,} bytes",
            "not tried": f"{shape['not_tried']:,}",
        },
        plots=list(_times(rows)),
        tables=tables,
        shape=shape,
    )


def _verdicts(rows: Sequence[Row]) -> Table:
    """Of each path and content, how many comparisons came to what."""
    counts = Counter((row["path"], row["content"], row["verdict"]) for row in rows)
    return Table(
        "Verdicts", ("path", "content", "verdict", "comparisons"),
        [(*key, count) for key, count in counts.items()],
    )  # fmt: skip


def _times(rows: Sequence[Row]) -> Iterator[Plot]:
    """A dot a comparison: what goes alone is timed, at once they wait for one another."""
    alone = [row for row in rows if row["concurrency"] == 1]
    for field, title in TIMES.items():
        named: dict[str, list[tuple[float, float]]] = {row["path"]: [] for row in rows}
        for row in alone:
            if row[field] is not None:
                named[row["path"]].append((row["size_bytes"], row[field]))
        if any(named.values()):
            curves = [Curve(name, points, joined=False) for name, points in named.items()]
            yield plot(title, curves, lambda size: show_size(round(size)), milliseconds)
