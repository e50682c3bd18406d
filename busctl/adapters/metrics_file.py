"""Metrics of a command that ends, in a file for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from busctl.core.errors import FileFailed


def write(target: Path, values: Mapping[str, tuple[str, float]]) -> None:
    """Replace `target` by these gauges: name to (help, value). The collector never reads half of
    it. Raises FileFailed."""
    registry = CollectorRegistry()
    for name, (told, value) in values.items():
        Gauge(name, told, registry=registry).set(value)
    try:
        write_to_textfile(str(target), registry)
        target.chmod(0o644)  # the collector is another user
    except OSError as error:
        raise FileFailed(f"{target} cannot be written: {error.strerror}.") from error
