"""What the daemon's metrics tell of the store itself: sizes there, what waits, connections."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, Histogram

from busctl.core.operating.flow import Load

SIZES = (1e3, 1e4, 64 * 1024, 1e5, 1e6, 1e7, 1e8)
SECONDS = (0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60)


class StoreGauges:
    """Part of `busctl.adapters.metrics.Metrics`. Gauges of the store are as old as its last look,
    half a minute; until the first they are not there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._stored = Histogram(
            "busctl_stored_bytes", "Size of messages as stored, compressed.", buckets=SIZES,
            registry=registry,
        )  # fmt: skip
        self._verified = Histogram(
            "busctl_verify_seconds", "Time to read a message whole and check it.", ["ok"],
            buckets=SECONDS, registry=registry,
        )  # fmt: skip
        for ok in ("true", "false"):
            self._verified.labels(ok)
        self._pool_size = Gauge(
            "busctl_pool_connections_limit", "Connections to the store allowed.", registry=registry
        )
        self._pool_busy = Gauge(
            "busctl_pool_connections_busy", "Connections to the store in use.", registry=registry
        )
        self._lag = Gauge(
            "busctl_follower_lag_seconds", "Age of the oldest message before a follower.",
            ["follower"], registry=registry,
        )  # fmt: skip
        self._of_store: dict[str, Gauge] = {}

    def took(self, stored_bytes: int) -> None:
        self._stored.observe(stored_bytes)

    def verified(self, ok: bool, seconds: float) -> None:
        self._verified.labels(str(ok).lower()).observe(seconds)

    def pool(self, size: int, busy: int) -> None:
        self._pool_size.set(size)
        self._pool_busy.set(busy)

    def load(self, load: Load, now: float) -> None:
        self._set("busctl_database_bytes", "Size of the database.", load.database_bytes)
        if load.quota_bytes is not None:
            self._set(
                "busctl_quota_bytes",
                "Size that the database may have, where there is a budget (BUSCTL_DB_MAX_BYTES).",
                load.quota_bytes,
            )
        self._set(
            "busctl_backlog_messages", "Messages not yet redeemed, of the oldest 100,000.",
            load.pending,
        )  # fmt: skip
        self._set(
            "busctl_oldest_pending_seconds", "Age of the oldest message not yet redeemed.",
            load.oldest_secs,
        )  # fmt: skip
        if load.cleanup_secs is not None:
            self._set(
                "busctl_last_cleanup_timestamp_seconds", "When a cleanup last ended.",
                now - load.cleanup_secs,
            )  # fmt: skip

        self._lag.clear()
        for name, seconds in load.followers.items():
            self._lag.labels(name).set(seconds)

    def _set(self, name: str, told: str, value: float) -> None:
        if name not in self._of_store:
            self._of_store[name] = Gauge(name, told, registry=self._registry)
        self._of_store[name].set(value)
