"""Puts together what dashboards are told, on the connections of a bus."""

from __future__ import annotations

from functools import partial
from typing import cast

from busctl.adapters.postgres.flow import PostgresTraffic
from busctl.adapters.postgres.inspection import PostgresInspection
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.store import PostgresStore
from busctl.cli import alert_run
from busctl.cli.check_run import around_store
from busctl.cli.serve_alerts import LEFT_OUT
from busctl.core.operating.health import Health
from busctl.ops import check as op
from busctl.ops.bus import Bus
from busctl.ops.check.registry import configured
from busctl.ops.serve.desk import Desk, Host, Sources
from busctl.ops.serve.rollup import Rollup
from busctl.ports import Traffic


def desk(host: Host, bus: Bus) -> Desk:
    """The desk of that host."""
    store = _store(bus)
    sources = Sources(
        _traffic(bus), PostgresJournal(store), alert_run.book_of(bus.settings, store),
        PostgresInspection(store), partial(_look, bus, store),
    )  # fmt: skip
    return Desk(host, bus, sources)


def rollup(bus: Bus) -> Rollup:
    """Upkeep of what it plots."""
    return Rollup(_traffic(bus), bus.store, bus.clock)


async def _look(bus: Bus, store: PostgresStore) -> Health:
    bus.require_enabled(None)
    checks = [one for one in op.CHECKS if one.name not in LEFT_OUT]
    kinds = configured(op.kinds_of(op.CHECKS), bus.settings)
    return await op.check(checks, around_store(bus.settings, store), kinds)


def _traffic(bus: Bus) -> Traffic:
    settings = bus.settings
    return PostgresTraffic(
        _store(bus), timeout=settings.read_timeout_secs, quota_bytes=settings.db_max_bytes
    )


def _store(bus: Bus) -> PostgresStore:
    return cast(PostgresStore, bus.store.inner)
