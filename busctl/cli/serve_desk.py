"""Puts together what the daemon tells dashboards, on its own connections."""

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
from busctl.core.health import Health
from busctl.ops import check as op
from busctl.ops.check.registry import configured
from busctl.ops.serve import Daemon
from busctl.ops.serve.desk import Desk, Sources
from busctl.ops.serve.rollup import Rollup
from busctl.ports import Traffic


def desk(daemon: Daemon) -> Desk:
    """The desk of that daemon."""
    store = _store(daemon)
    sources = Sources(
        _traffic(daemon), PostgresJournal(store), alert_run.book_of(daemon.settings, store),
        PostgresInspection(store), partial(_look, daemon, store),
    )  # fmt: skip
    return Desk(daemon, sources)


def rollup(daemon: Daemon) -> Rollup:
    """Upkeep of what it plots."""
    return Rollup(_traffic(daemon), daemon.bus.store, daemon.bus.clock)


async def _look(daemon: Daemon, store: PostgresStore) -> Health:
    daemon.bus.require_enabled(None)
    checks = [one for one in op.CHECKS if one.name not in LEFT_OUT]
    kinds = configured(op.kinds_of(op.CHECKS), daemon.settings)
    return await op.check(checks, around_store(daemon.settings, store), kinds)


def _traffic(daemon: Daemon) -> Traffic:
    return PostgresTraffic(_store(daemon), timeout=daemon.settings.read_timeout_secs)


def _store(daemon: Daemon) -> PostgresStore:
    return cast(PostgresStore, daemon.bus.store.inner)
