"""A page that tells what was measured: figures in tables, the same in plots, and the JSON they are
from. Who writes it decides how it looks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from busctl.core.reports.chart import Plot

Cell = str | int | float | bool | None
FOLDED_FROM = 40
LEAST = 1e-4
"""Less is written as a power of ten."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under names. Figures are those of the JSON, which has all their digits."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""

    @property
    def folded(self) -> bool:
        """Whether it is opened only when asked for."""
        return len(self.rows) >= FOLDED_FROM

    def is_figures(self, column: int) -> bool:
        """Whether a column holds figures, which stand to the right."""
        kinds = {type(row[column]) for row in self.rows} - {type(None)}
        return bool(kinds) and kinds <= {int, float}


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that is told by its length beside others; `told` is how it is written."""

    name: str
    value: float
    told: str


@dataclass(frozen=True, slots=True)
class Page:
    """`verdict` is whether all is well and a sentence; `shape` the JSON shape of it all."""

    title: str
    lead: str
    verdict: tuple[bool, str]
    facts: Mapping[str, str]
    plots: Sequence[Plot]
    tables: Sequence[Table]
    shape: Mapping[str, Any]
    bars: Sequence[Bar] = ()
    bars_title: str = ""


def table_of(title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> Table:
    """The table of a list of JSON objects that have the same names; objects inside are written
    `name value`."""
    head = list(rows[0]) if rows else []
    return Table(
        title, [_heading(name) for name in head],
        [[_cell(row[name]) for name in head] for row in rows], note,
    )  # fmt: skip


def written(cell: Cell) -> str:
    """A cell as text, thousands apart. Of what was measured, the digits that say something: three,
    and all those before the point."""
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        if not cell or not LEAST <= abs(cell) < math.inf:
            return f"{cell:.3g}"
        return f"{cell:,.{max(0, 2 - math.floor(math.log10(abs(cell))))}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _heading(name: str) -> str:
    return name.replace("_per_s", "/s").replace("mb/", "MB/").replace("_", " ")


def _cell(value: Any) -> Cell:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {written(one)}" for name, one in value.items())
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)
