"""What this deployment carries: the largest payload, latency and rate of each path, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.sizes import show_size
from busctl.ops.bench.report import Row
from busctl.ops.integrity import Limit

INTRODUCTION = """\
# Limits

Measured by `busctl limits`, which writes this page. Run it on your own deployment: figures do not
travel. Payloads up to the sizes below came back identical, byte for byte; 1 KB is 1,000 bytes.
"""
SIZES = """\
## Maximum safe sizes

The content does not compress (random bytes): what compresses is no harder. A path that the
configured maximum stopped carries more if MESSAGE_BUS_MAX_PAYLOAD_MB is raised.

| path | largest payload | in bytes | stopped by |
|---|---|---|---|
"""
SPEEDS = """\
## Latency and rate

One message at a time, over and over, unless the row says how many; JSON as tools answer with.

| path | payload | operation | median ms | p99 ms | messages a second |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """`machine` is what it was measured on, by name; `not_tried` says why a path was left out."""

    machine: Mapping[str, str]
    largest: Sequence[Limit]
    rows: Sequence[Row]
    not_tried: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """1 when bytes came back changed, 3 when a path could not be tried."""
        if any(one.is_wrong for one in self.largest):
            return 1
        return 3 if self.not_tried or not self.largest else 0

    def shape(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "ok": self.exit_code == 0,
            "machine": dict(self.machine),
            "maximum_safe_sizes": {one.path: one.largest_bytes for one in self.largest},
            "limits": [one.shape() for one in self.largest],
            "rows": [_row(one) for one in self.rows],
            "not_tried": dict(self.not_tried),
        }

    def markdown(self) -> str:
        """A page for the documentation."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield INTRODUCTION
        yield "| measured on | |\n|---|---|"
        for name, value in self.machine.items():
            yield f"| {name} | {_cell(value)} |"
        yield f"\n{SIZES.rstrip()}"
        for one in self.largest:
            why = f"{one.why} at {show_size(one.failed_bytes)}" if one.failed_bytes else one.why
            yield (
                f"| {one.path} | {_about(one.largest_bytes)} | {one.largest_bytes:,} | "
                f"{_cell(why)} |"
            )
        for path, why in self.not_tried.items():
            yield f"| {path} | not tried | - | {_cell(why)} |"
        yield f"\n{SPEEDS.rstrip()}"
        for row in self.rows:
            series = row.series
            many = f" of {row.messages}" if row.messages > 1 else ""
            yield (
                f"| {row.path} | {show_size(row.size)} | {row.operation}{many} | "
                f"{series.median * 1000:,.1f} | {series.p99 * 1000:,.1f} | "
                f"{row.messages_per_second:,.0f} |"
            )


def _row(row: Row) -> dict[str, Any]:
    shape = row.shape()
    return {name: each for name, each in shape.items() if name not in ("against", "subject")}


def _about(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1_000_000 else f"{size / 1e3:,.1f} KB"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "/")
