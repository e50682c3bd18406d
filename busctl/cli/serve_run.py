"""The life of the daemon's process: put together, announced, told to stop, drained."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from busctl import __version__
from busctl.adapters import asgi, healthfile, logs, metrics, sd_notify
from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.postgres.tls import secured, unverified
from busctl.adapters.postgres.tokens import PostgresTokens
from busctl.adapters.spool import others_of
from busctl.adapters.tokenfile import Guard
from busctl.adapters.toolmodules import load_tools
from busctl.adapters.uvicorn_server import HttpServer
from busctl.cli import serve_alerts, serve_desk
from busctl.cli.running import emit_json, say
from busctl.connect import Bus
from busctl.core.errors import BusctlError, ConfigurationError
from busctl.core.settings import Settings
from busctl.ops.cleanup import CleanupReport, cleanup
from busctl.ops.serve import Daemon, upkeep
from busctl.ops.serve.context import about
from busctl.ops.serve.credentials import Credentials
from busctl.ops.serve.desk import LOAD_SECS
from busctl.ops.serve.desk import Desk as LocalDesk
from busctl.ops.serve.draining import drain_spool
from busctl.ops.tools import PythonTools
from busctl.ports import Desk, TokenGuard

log = logging.getLogger("busctl.serve")


@dataclass(frozen=True, slots=True)
class Files:
    """Where others read that the daemon serves, and how it is; None for nowhere. `on_stdout`
    tells them there too that it serves."""

    ready: Path | None
    health: Path | None
    on_stdout: bool = False


async def serve_until_told(settings: Settings, files: Files, *, until_eof: bool = False) -> None:
    """Serve until SIGTERM, SIGINT or, `until_eof`, the end of standard input. Raises the named
    errors of starting; afterwards none."""
    as_json = logs.configure(settings.log_level, settings.log_format, about)
    stop = _stop_on_signals()
    if until_eof:
        _stop_on_eof(stop)
    _tell_what_tls_leaves_open(settings)
    tools = _tools(settings)
    own = Guard(settings)
    server = HttpServer(settings)
    server.bind()
    try:
        async with Bus.serving(settings) as bus:
            meter = metrics.Metrics(__version__)
            tokens = PostgresTokens(cast(PostgresStore, bus.store.inner))
            guard = Credentials(own, tokens, settings, bus.clock)
            daemon = Daemon(bus, tools, guard, meter, name=_own_name(bus))
            desk = serve_desk.desk(daemon)
            await server.start(_app(daemon, guard, meter, desk))
            async with _upkeep(daemon, desk, files.health, server.url):
                _announce(settings, server, own, files, as_json=as_json)
                _warn_of_what_is_off(settings)
                await stop.wait()
                await _leave(daemon, server, files)
    finally:
        await server.stop()
    log.info("stopped")


def _tell_what_tls_leaves_open(settings: Settings) -> None:
    dsn = settings.database_dsn()
    if dsn and (left_open := unverified(secured(dsn, settings.sslrootcert))):
        log.warning("the line to the store is not secured", extra={"why": left_open})


def _tools(settings: Settings) -> PythonTools:
    if settings.tools:
        # Last, so that nothing in the working directory stands in for an installed module.
        sys.path.append(str(Path.cwd()))
    return PythonTools(load_tools(settings.tools))


def _own_name(bus: Bus) -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{bus.clock.new_id().hex[-8:]}"


def _app(daemon: Daemon, guard: TokenGuard, meter: metrics.Metrics, desk: Desk) -> Any:
    def rendered() -> tuple[bytes, str]:
        if daemon.settings.enabled:
            pool = cast(PostgresStore, daemon.bus.store.inner).pool
            meter.pool(pool.size, pool.busy)
        return meter.render(), metrics.CONTENT_TYPE

    health = asgi.Health(daemon.health, rendered)
    return asgi.make_app(daemon.settings, daemon.converse, daemon.bus, guard, meter, health, desk)


# --- signals -----------------------------------------------------------------------------------


def _stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def told(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)
    return stop


def _stop_on_eof(stop: asyncio.Event) -> None:
    """Set `stop` when nobody holds the other end of standard input any more: the kernel closes it
    for a parent that was killed. What is written there is passed over."""
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def readable() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            log.info("standard input ended")
            stop.set()

    try:
        loop.add_reader(stdin, readable)
    except PermissionError as error:  # epoll takes no files
        raise ConfigurationError(
            "--until-eof needs a pipe as standard input.", remedy="Leave it out."
        ) from error


# --- comings and goings ------------------------------------------------------------------------


def _announce(
    settings: Settings, server: HttpServer, guard: Guard, files: Files, *, as_json: bool
) -> None:
    store = "configured database" if settings.database_url else "embedded PostgreSQL"
    if not settings.enabled:
        store = "none, the bus is switched off"
    token = str(guard.path) if guard.path else "BUSCTL_TOKEN"
    if as_json:
        log.info(
            "serving",
            extra={"url": server.url, "store": store, "token_from": token, "pid": os.getpid()},
        )
    else:
        say(f"busctl {__version__} serves {server.url} (store: {store}, token: {token})")
    place = {"pid": os.getpid(), "host": settings.host, "port": server.port, "url": server.url}
    if files.ready is not None:
        healthfile.replace_json(files.ready, place)
    if files.on_stdout:
        emit_json(place)
        sys.stdout.flush()
    sd_notify.notify("READY=1")


def _warn_of_what_is_off(settings: Settings) -> None:
    for other in others_of(settings):
        log.warning("something waits for another store", extra={"spool": str(other)})
    if not settings.enabled:
        log.warning(
            "the bus is switched off: answers pass whole and are stored nowhere",
            extra={"setting": "MESSAGE_BUS_ENABLED=false"},
        )
    elif not settings.fallback_to_websocket:
        log.warning(
            "falling back is switched off: calls fail while the store is away",
            extra={"setting": "MESSAGE_BUS_FALLBACK_TO_WEBSOCKET=false"},
        )


async def _leave(daemon: Daemon, server: HttpServer, files: Files) -> None:
    log.info("stopping", extra={"inflight": daemon.calls.inflight})
    sd_notify.notify("STOPPING=1")
    server.stop_accepting()
    await daemon.drain()
    if daemon.settings.enabled:
        await _say_goodbye(daemon)
    for path in (files.ready, files.health):
        if path is not None:
            healthfile.remove(path)


async def _say_goodbye(daemon: Daemon) -> None:
    journal = _journal(daemon)
    store = daemon.bus.store
    try:
        await store.guarded(journal.daemon_left(daemon.name), store.writes)
        await store.guarded(daemon.trail.write(journal), store.writes)
    except BusctlError as error:
        # Whoever looks at the journal sees that it was not seen any more.
        log.warning("the journal was not told", extra={"error": error.message})


# --- upkeep ------------------------------------------------------------------------------------


@asynccontextmanager
async def _upkeep(
    daemon: Daemon, desk: LocalDesk, health: Path | None, url: str
) -> AsyncIterator[None]:
    """The daemon's own tasks, for the time of the block."""
    every = partial(upkeep.repeat, meter=daemon.meter)
    settings = daemon.settings
    alerts = settings.enabled and settings.alert_interval_secs
    alerting = serve_alerts.task(daemon) if alerts else None  # refuses a sink that is none
    tasks = []
    if settings.enabled:
        tasks += [
            every("store", daemon.ask_store, upkeep.LOOK_SECS),
            every("journal", partial(_tell, daemon), upkeep.LOOK_SECS),
            every("spool", partial(drain_spool, daemon), upkeep.SPOOL_SECS),
            every("partitions", daemon.bus.ensure_partitions, upkeep.PARTITIONS_SECS),
            every("load", desk.look, LOAD_SECS),
            every("traffic", serve_desk.rollup(daemon), upkeep.LOOK_SECS),
            every("tokens", daemon.check_tokens, max(1.0, settings.token_cache_secs)),
            every("cleanup", partial(_clean, daemon), settings.cleanup_interval_secs),
        ]
        if (admission := cast(PostgresStore, daemon.bus.store.inner).admission) is not None:
            tasks.append(every("quota", admission.look, settings.quota_interval_secs))
        if alerting is not None:
            pause = settings.alert_interval_secs
            tasks.append(every("alerts", alerting, pause, first=pause))
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


def _journal(daemon: Daemon) -> PostgresJournal:
    return PostgresJournal(cast(PostgresStore, daemon.bus.store.inner))


async def _tell(daemon: Daemon) -> None:
    """The daemon's row, then what has happened: an empty trail would tell nothing of the store."""
    journal, store = _journal(daemon), daemon.bus.store

    async def tell() -> None:
        await journal.daemon_seen(daemon.state(socket.gethostname(), __version__))
        await daemon.trail.write(journal)

    await store.guarded(tell(), store.writes)
    await daemon.bus.deliveries.flush()


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
