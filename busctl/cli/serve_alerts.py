"""The daemon's own looks at its deployment, and the alerts that come of them."""

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable
from typing import cast

from busctl.adapters.postgres.store import PostgresStore
from busctl.cli import alert_run
from busctl.cli.check_run import around_store
from busctl.core.operating.health import Health
from busctl.ops import check as op
from busctl.ops.check.registry import configured
from busctl.ops.serve import Daemon

LEFT_OUT = frozenset({"integrity", "alerts"})
"""Canaries write a megabyte each time: they are for `busctl check`, at a pace of one's own."""


def task(daemon: Daemon) -> Callable[[], Awaitable[Health]]:
    """One look, its alerts raised, cleared and delivered. Raises ConfigurationError for a sink."""
    settings = daemon.settings
    checks = [one for one in op.CHECKS if one.name not in LEFT_OUT]
    kinds = configured(op.kinds_of(op.CHECKS), settings)
    name = f"{socket.gethostname()}:{os.getpid()}"
    alerting = alert_run.alerting_of(settings, kinds, seen_by=f"daemon {name}")
    store = cast(PostgresStore, daemon.bus.store.inner)
    around = around_store(settings, store)

    async def look() -> Health:
        health = await op.check(checks, around, kinds)
        await alert_run.look(alerting, settings, health, store)
        return health

    return look
