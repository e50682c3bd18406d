"""Puts alerting together: sinks from the settings, and the book that can be written now."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from busctl.adapters import tokenfile
from busctl.adapters.alertfile import AlertFile
from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.alerts import PostgresAlerts
from busctl.adapters.postgres.store import PostgresStore
from busctl.core.configuration.dsn import store_key
from busctl.core.configuration.settings import Settings
from busctl.core.errors import StoreUnreachable
from busctl.core.operating.alert import Alert, Notice, merged
from busctl.core.operating.health import Health, Kind
from busctl.ops.alerting import Alerting, patience_of
from busctl.ports import AlertSink


def sinks_of(settings: Settings) -> list[AlertSink]:
    """Every sink that is configured. Raises ConfigurationError."""
    found: list[AlertSink] = []
    if settings.alert_webhook_url is not None:
        # Each library is loaded for its own sink alone.
        from busctl.adapters.webhook import Webhook

        secret = settings.alert_webhook_secret
        found.append(Webhook(
            settings.alert_webhook_url.get_secret_value(),
            None if secret is None else secret.get_secret_value(),
        ))  # fmt: skip
    if settings.alert_command is not None:
        from busctl.adapters.alert_command import AlertCommand

        found.append(AlertCommand(shlex.split(settings.alert_command)))
    if settings.alert_apprise_urls is not None:
        from busctl.adapters.apprise_sink import AppriseSink

        found.append(AppriseSink(settings.alert_apprise_urls.get_secret_value().split()))
    return found


def alerting_of(settings: Settings, kinds: Mapping[str, Kind], *, seen_by: str) -> Alerting:
    """Alerting from this machine."""
    return Alerting(
        sinks_of(settings), kinds, patience_of(settings), SystemClock(),
        host=socket.gethostname(), seen_by=seen_by,
    )  # fmt: skip


def file_of(settings: Settings) -> AlertFile:
    """What this machine keeps while the store is away."""
    dsn = settings.database_dsn()
    key = store_key(f"host={settings.store_dir or ''}" if dsn is None else dsn)
    return AlertFile(settings.state_dir or tokenfile.default_state_dir(), key)


def book_of(settings: Settings, store: PostgresStore) -> PostgresAlerts:
    """What all machines share."""
    return PostgresAlerts(store, keep=timedelta(days=settings.keep_events_days))


async def look(
    alerting: Alerting, settings: Settings, health: Health, store: PostgresStore | None
) -> Sequence[Notice]:
    """One look's alerts: kept in the store, or in this machine's file while that is away, which
    goes into the store when it is back. Returns what was new."""
    kept_here = file_of(settings)
    if store is not None and health.reached:
        alerts, notices = await kept_here.take()
        try:
            adopted = partial(_with, alerts)
            return await alerting.look(book_of(settings, store), health, adopted, notices)
        except StoreUnreachable:
            await kept_here.turn(lambda _: (alerts, notices))
            raise
    return await alerting.look(kept_here, health, list)


def _with(kept_here: Sequence[Alert], stored: Sequence[Alert]) -> list[Alert]:
    return merged(stored, kept_here)


async def undelivered(settings: Settings, store: PostgresStore | None) -> Sequence[Notice]:
    """What a sink did not take, in the store and here."""
    here = await file_of(settings).undelivered()
    there = await book_of(settings, store).undelivered() if store is not None else []
    return [*there, *here]
