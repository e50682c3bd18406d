"""Prometheus metrics of the daemon, in a registry of their own. Names end in their unit."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from busctl.adapters.metrics_store import SECONDS as _SECONDS
from busctl.adapters.metrics_store import SIZES as _SIZES
from busctl.adapters.metrics_store import StoreGauges
from busctl.adapters.metrics_upstreams import UpstreamGauges
from busctl.core.breaker import FALLS_BACK, State
from busctl.core.errors import ClaimError, StoreTimeout, StoreUnreachable, Unauthorized
from busctl.core.fate import SETTLED
from busctl.core.hops import Hop
from busctl.core.operating.flow import Load
from busctl.core.watching.truncation import KINDS
from busctl.ports import UpstreamState

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_TOOLS = 100
"""Tools counted by name; the calls of any further ones are counted under "other"."""


class Metrics:
    """Implements `busctl.ports.Meter`."""

    def __init__(self, version: str) -> None:
        # Without it each counter has a second series that nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs
        own = self.registry = CollectorRegistry()
        self._stored = Histogram(
            "busctl_store_seconds", "Time to store an answer.", buckets=_SECONDS, registry=own
        )
        self._sizes = Histogram(
            "busctl_payload_bytes", "Size of stored answers.", buckets=_SIZES, registry=own
        )
        self._fetched = Histogram(
            "busctl_fetch_seconds", "Time to deliver a redeemed message.", ["via"],
            buckets=_SECONDS, registry=own,
        )  # fmt: skip
        self._fetched_bytes = Counter(
            "busctl_fetched_bytes", "Bytes of redeemed messages.", ["via"], registry=own
        )
        self._fetch_failures = Counter(
            "busctl_fetch_failures", "Redemptions that failed.", ["via", "code"], registry=own
        )
        self._calls = Counter(
            "busctl_calls", "Calls that ended, by tool and outcome.", ["tool", "outcome"],
            registry=own,
        )  # fmt: skip
        self._call_seconds = Histogram(
            "busctl_call_seconds", "Time from a call to its stored answer.", buckets=_SECONDS,
            registry=own,
        )  # fmt: skip
        self._inflight = Gauge("busctl_calls_inflight", "Calls running.", registry=own)
        self._sessions = Gauge("busctl_sessions", "WebSocket sessions open.", registry=own)
        self._upkeep = Counter(
            "busctl_upkeep_runs", "Runs of the daemon's own tasks.", ["task", "ok"], registry=own
        )
        self._mismatches = Counter(
            "busctl_hop_mismatch", "Payloads that were not the same at a hop as before it.",
            ["hop"], registry=own,
        )  # fmt: skip
        self._truncations = Counter(
            "busctl_truncation_suspected", "Answers that look as if a tool had cut them.",
            ["kind"], registry=own,
        )  # fmt: skip
        self._breaker = Gauge(
            "busctl_breaker_state", "1 for the state that the breaker is in.", ["side", "state"],
            registry=own,
        )  # fmt: skip
        for side in ("reads", "writes"):
            self.breaker(side, State.CLOSED)
        self._spool_messages = Gauge(
            "busctl_spool_messages", "Messages that wait in the spool.", registry=own
        )
        self._spool_bytes = Gauge("busctl_spool_bytes", "Bytes of their files.", registry=own)
        self._spool_aside = Gauge(
            "busctl_spool_aside_files", "Files set aside that were not stored.", registry=own
        )
        self._fell_back = Counter(
            "busctl_fell_back", "Answers that went into the spool.", ["reason"], registry=own
        )
        self._fell_back_bytes = Counter(
            "busctl_fell_back_bytes", "Bytes of answers that went into the spool.", registry=own
        )
        self._reconciled = Counter(
            "busctl_reconciled", "Messages drained from the spool, by fate.", ["fate"],
            registry=own,
        )  # fmt: skip
        self._refused = Counter(
            "busctl_refused", "Clients turned away, such as those with a wrong token.",
            ["via", "reason"], registry=own,
        )  # fmt: skip
        self._holds = StoreGauges(own)
        self._upstreams = UpstreamGauges(own)
        Gauge("busctl_build_info", "Version.", ["version"], registry=own).labels(version).set(1)
        self._tools: set[str] = set()
        self._begin()

    def _begin(self) -> None:
        """Counters that somebody is alerted by are there from the start, at zero: to Prometheus a
        series that begins with 1 has not increased."""
        for hop in Hop:
            self._mismatches.labels(hop)
        for kind in KINDS:
            self._truncations.labels(kind)
        for via in ("websocket", "http"):
            for error in ClaimError.__subclasses__():
                self._fetch_failures.labels(via, error.code)
            self._refused.labels(via, Unauthorized.code.lower())
        self._refused.labels("dashboard", Unauthorized.code.lower())
        for away in (*FALLS_BACK, StoreTimeout):
            self._fell_back.labels(away.code)
        for fate in SETTLED:
            self._reconciled.labels(fate)

    def stored(self, size_bytes: int, seconds: float) -> None:
        self._stored.observe(seconds)
        self._sizes.observe(size_bytes)

    def took(self, stored_bytes: int) -> None:
        self._holds.took(stored_bytes)

    def verified(self, ok: bool, seconds: float) -> None:
        self._holds.verified(ok, seconds)

    def upstreams(self, states: Sequence[UpstreamState]) -> None:
        """How the MCP servers behind the daemon are."""
        self._upstreams.show(states)

    def load(self, load: Load, now: float) -> None:
        self._holds.load(load, now)

    def pool(self, size: int, busy: int) -> None:
        self._holds.pool(size, busy)

    def fetched(self, via: str, size_bytes: int, seconds: float) -> None:
        self._fetched.labels(via).observe(seconds)
        self._fetched_bytes.labels(via).inc(size_bytes)

    def fetch_failed(self, via: str, code: str) -> None:
        self._fetch_failures.labels(via, code).inc()

    def call_ended(self, tool: str, outcome: str, seconds: float) -> None:
        if tool not in self._tools and len(self._tools) >= MAX_TOOLS:
            tool = "other"
        if tool not in self._tools:
            self._tools.add(tool)
            self._calls.labels(tool, StoreUnreachable.code)
        self._calls.labels(tool, outcome).inc()
        self._call_seconds.observe(seconds)

    def inflight(self, count: int) -> None:
        self._inflight.set(count)

    def sessions(self, count: int) -> None:
        self._sessions.set(count)

    def upkeep(self, task: str, ok: bool) -> None:
        for each in (True, False):
            self._upkeep.labels(task, str(each).lower()).inc(each is ok)

    def hop_mismatch(self, hop: str) -> None:
        self._mismatches.labels(hop).inc()

    def truncation_suspected(self, kind: str) -> None:
        self._truncations.labels(kind).inc()

    def breaker(self, side: str, state: str) -> None:
        for known in State:
            self._breaker.labels(side, known.value).set(known == state)

    def spool(self, messages: int, size_bytes: int, aside: int) -> None:
        self._spool_messages.set(messages)
        self._spool_bytes.set(size_bytes)
        self._spool_aside.set(aside)

    def fell_back(self, reason: str, size_bytes: int) -> None:
        self._fell_back.labels(reason).inc()
        self._fell_back_bytes.inc(size_bytes)

    def reconciled(self, outcome: str) -> None:
        self._reconciled.labels(outcome).inc()

    def refused(self, via: str, reason: str) -> None:
        self._refused.labels(via, reason).inc()

    def render(self) -> bytes:
        """The text exposition."""
        return generate_latest(self.registry)
