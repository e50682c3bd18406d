"""The report of `busctl bench` for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from busctl.core.sizes import show_size
from busctl.ops.bench.report import BenchReport, Row

TEXT_COLUMNS = 4


def lines_of(report: BenchReport, rtt_ms: float) -> Iterator[str]:
    """A table of times, then what was counted besides."""
    yield from _table(report.rows, rtt_ms)
    if report.round_trips:
        yield ""
        yield "Round trips after connecting: " + ", ".join(
            f"{one.operation} {show_size(one.size)} {one.count:g}" for one in report.round_trips
        )
    for peak in report.memory:
        yield (
            f"Memory above idle, {peak.operation} of {show_size(peak.size)} streamed: "
            f"client {_megabytes(peak.client)}, server backend {_megabytes(peak.backend)}"
        )
    for one in report.left_out:
        yield f"Not measured, {one.path} of {one.content} {show_size(one.size)}: {one.why}"


def _table(rows: Sequence[Row], rtt_ms: float) -> Iterator[str]:
    head = ["what", "content", "size", "by", "p50 ms", "p99 ms", "MB/s", "msg/s"]
    lines = [[*head, *(["RTT"] if rtt_ms else []), "against"]]
    lines += [_cells(row, rtt_ms) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(
            text.ljust(width)
            if place < TEXT_COLUMNS or place == len(widths) - 1
            else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()


def _cells(row: Row, rtt_ms: float) -> list[str]:
    """What the baselines are to each other is in the JSON alone."""
    ratios = row.against if row.subject == "bus" else {}
    median_ms = row.series.median * 1000
    return [
        row.operation if row.path == "store" else row.path,
        row.content,
        show_size(row.size),
        row.subject,
        _short(median_ms),
        _short(row.series.p99 * 1000),
        _short(row.megabytes_per_second),
        f"{row.messages_per_second:.0f}",
        *([f"{median_ms / rtt_ms:.2f}"] if rtt_ms else []),
        ", ".join(f"{ratio:.2f} x {name}" for name, ratio in ratios.items()),
    ]


def _short(value: float) -> str:
    """Three digits or more: 0.43, 12.3, 1407."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _megabytes(size: int | None) -> str:
    return "unseen" if size is None else f"{size / 1e6:.1f} MB"
