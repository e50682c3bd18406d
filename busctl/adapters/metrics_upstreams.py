"""What the daemon's metrics tell of the MCP servers behind it."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Gauge

from busctl.ports import Condition, UpstreamState


class UpstreamGauges:
    """Part of `busctl.adapters.metrics.Metrics`, by the names of the servers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, told: str) -> Gauge:
            return Gauge(f"busctl_upstream_{name}", told, ["upstream"], registry=registry)

        self._ready = gauge(
            "ready", "1 for an MCP server that can be called, 0 for one that is away."
        )
        self._starts = gauge("starts", "How often it was started or reached anew.")
        self._tools = gauge("tools", "Tools that it offers.")

    def show(self, states: Sequence[UpstreamState]) -> None:
        for state in states:
            self._ready.labels(state.name).set(state.condition is Condition.READY)
            self._starts.labels(state.name).set(state.starts)
            self._tools.labels(state.name).set(state.tools)
