"""The table of metrics in docs/observability.md, from the metrics themselves:
`python -m tests.docs.metrics_table` writes it, `make docs` runs that."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client.metrics_core import Metric

from busctl.adapters.metrics import Metrics
from busctl.core.operating.flow import Load

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
MARKED = re.compile(r"(<!-- metrics -->\n).*?(<!-- /metrics -->)", re.DOTALL)
NOTHING = Load(0, 0, 0, 0.0, 0.0, quota_bytes=1)


def metrics() -> list[Metric]:
    """Every metric there is; the labels of one that nothing was counted by yet are asked of it."""
    found = Metrics("1")
    found.load(NOTHING, 0.0)
    return sorted(found.registry.collect(), key=lambda one: one.name)


def table() -> str:
    found = Metrics("1")
    found.load(NOTHING, 0.0)
    labels = {
        name: collector._labelnames  # type: ignore[attr-defined]  # told nowhere else
        for collector, names in found.registry._collector_to_names.items()
        for name in names
    }
    rows = ["| metric | type | labels | what |", "|---|---|---|---|"]
    for one in metrics():
        name = f"{one.name}_total" if one.type == "counter" else one.name
        told = ", ".join(labels.get(one.name, ())) or "–"
        rows.append(f"| `{name}` | {one.type} | {told} | {one.documentation} |")
    return "\n".join(rows) + "\n"


def page() -> str:
    text = PAGE.read_text("utf-8")
    assert MARKED.search(text), f"{PAGE} has no place for the table"
    return MARKED.sub(lambda match: match[1] + table() + match[2], text)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
