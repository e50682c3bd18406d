"""What a daemon does by itself, put together: its upkeep, and what the journal is told of it."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from busctl import __version__
from busctl.adapters import healthfile
from busctl.adapters.clock import SystemClock
from busctl.adapters.events_file import EventsFile, has_ended
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.spool import path_of
from busctl.cli import serve_alerts, serve_desk
from busctl.connect import Bus
from busctl.core.errors import BusctlError
from busctl.ops.cleanup import CleanupReport, cleanup
from busctl.ops.serve import Daemon, upkeep
from busctl.ops.serve.desk import LOAD_SECS, Desk
from busctl.ops.serve.draining import drain_spool

log = logging.getLogger("busctl.serve")

DEAD_AFTER = timedelta(seconds=30)
"""Six times as long as a daemon that lives is ever silent; its leases have ended, too."""
Every = Callable[..., Coroutine[Any, Any, None]]


def own_name(bus: Bus) -> str:
    """What a daemon of this process is called in the journal."""
    return f"{socket.gethostname()}:{os.getpid()}:{bus.clock.new_id().hex[-8:]}"


@asynccontextmanager
async def keeping_up(
    daemon: Daemon, desk: Desk | None = None, health: Path | None = None, url: str = ""
) -> AsyncIterator[None]:
    """The daemon's own tasks, for the time of the block. Without a desk it serves the one client
    that has started it: what dashboards and tokens want is left out, and alerts."""
    every = partial(upkeep.repeat, meter=daemon.meter)
    tasks = []
    if daemon.settings.enabled:
        tasks += _of_the_store(daemon, every)
        if desk is not None:
            tasks += _of_serving(daemon, desk, every)
    if health is not None:
        write = partial(_write_health, daemon, health, url)
        tasks.append(every("health file", write, upkeep.LOOK_SECS))
    running = [asyncio.create_task(task) for task in tasks]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _of_the_store(daemon: Daemon, every: Every) -> list[Coroutine[Any, Any, None]]:
    settings = daemon.settings
    events = EventsFile(path_of(settings), daemon.name)
    daemon.trail.take_over(events.left_behind())
    tasks = [
        every("store", daemon.ask_store, upkeep.LOOK_SECS),
        every("journal", partial(_tell, daemon, events), upkeep.LOOK_SECS),
        every("daemons", partial(_forget_dead, daemon), upkeep.DAEMONS_SECS),
        every("spool", partial(drain_spool, daemon), upkeep.SPOOL_SECS),
        every("partitions", daemon.bus.ensure_partitions, upkeep.PARTITIONS_SECS),
        every("cleanup", partial(_clean, daemon), settings.cleanup_interval_secs),
    ]
    if (admission := cast(PostgresStore, daemon.bus.store.inner).admission) is not None:
        tasks.append(every("quota", admission.look, settings.quota_interval_secs))
    return tasks


def _of_serving(daemon: Daemon, desk: Desk, every: Every) -> list[Coroutine[Any, Any, None]]:
    settings = daemon.settings
    tasks = [
        every("load", desk.look, LOAD_SECS),
        every("traffic", serve_desk.rollup(daemon.bus), upkeep.LOOK_SECS),
        every("tokens", daemon.check_tokens, max(1.0, settings.token_cache_secs)),
    ]
    if pause := settings.alert_interval_secs:
        tasks.append(every("alerts", serve_alerts.task(daemon), pause, first=pause))
    return tasks


def _journal(daemon: Daemon) -> PostgresJournal:
    return PostgresJournal(cast(PostgresStore, daemon.bus.store.inner))


async def _tell(daemon: Daemon, events: EventsFile) -> None:
    """The daemon's row, then what has happened: an empty trail would tell nothing of the store.
    What the store does not take is kept on the disk."""
    journal, store = _journal(daemon), daemon.bus.store

    async def tell() -> None:
        await journal.daemon_seen(daemon.state(socket.gethostname(), __version__))
        await daemon.trail.write(journal)

    try:
        await store.guarded(tell(), store.writes)
    except BusctlError:
        _keep(daemon, events)
        raise
    events.keep([])
    await daemon.bus.deliveries.flush()


async def _forget_dead(daemon: Daemon) -> int:
    """Take away the rows of daemons that died on this host: nobody else does for a day, and checks
    call them silent meanwhile. How many there were. One that was seen lately may live all the same:
    containers may share a host's name without seeing each other's processes."""
    journal, store = _journal(daemon), daemon.bus.store
    before = daemon.bus.clock.now() - DEAD_AFTER
    known = await store.guarded(journal.daemons(), store.reads)
    dead = [one.daemon for one in known if one.seen_at < before and has_ended(one.daemon)]
    for name in dead:
        await store.guarded(journal.daemon_left(name), store.writes)
        log.warning("a daemon died here", extra={"daemon": name})
    return len(dead)


def _keep(daemon: Daemon, events: EventsFile) -> None:
    """Where falling back is allowed: else nothing is to be written to this host's disk."""
    if daemon.keeper.spool is not None:
        events.keep(daemon.trail.pending())


async def _write_health(daemon: Daemon, path: Path, url: str) -> None:
    healthfile.replace_json(path, {**daemon.snapshot(), "url": url})


async def _clean(daemon: Daemon) -> CleanupReport:
    settings = daemon.settings
    store = cast(PostgresStore, daemon.bus.store.inner)
    async with PostgresRetention(store) as retention:
        report = await cleanup(
            retention,
            keep_events=timedelta(days=settings.keep_events_days),
            clock=SystemClock(),
            max_seconds=settings.cleanup_interval_secs,
        )
    if report.messages:
        log.info("cleaned up", extra={"messages": report.messages, "bytes": report.payload_bytes})
    return report


async def say_goodbye(daemon: Daemon) -> None:
    """Tell the journal that the daemon has left; a store that is away is told nothing."""
    journal = _journal(daemon)
    store = daemon.bus.store
    events = EventsFile(path_of(daemon.settings), daemon.name)
    try:
        await store.guarded(journal.daemon_left(daemon.name), store.writes)
        await store.guarded(daemon.trail.write(journal, last=True), store.writes)
        events.keep([])
    except BusctlError as error:
        # The next daemon here tells it.
        log.warning("the journal was not told", extra={"error": error.message})
        _keep(daemon, events)
