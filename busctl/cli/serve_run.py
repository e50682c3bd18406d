"""The life of the daemon's process: put together, announced, told to stop, drained."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from busctl import __version__
from busctl.adapters import asgi, healthfile, logs, metrics, sd_notify
from busctl.adapters.mcp_front.http import McpEndpoint
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.postgres.tls import secured, unverified
from busctl.adapters.postgres.tokens import PostgresTokens
from busctl.adapters.spool import others_of
from busctl.adapters.tokenfile import Guard
from busctl.adapters.tracing import Tracing
from busctl.adapters.uvicorn_server import HttpServer
from busctl.cli import serve_desk
from busctl.cli.running import emit_json, say
from busctl.cli.serve_tools import offering, tools_of
from busctl.cli.serve_upkeep import keeping_up, own_name, say_goodbye
from busctl.cli.serve_upstreams import upstreams_of
from busctl.cli.stopping import stop_on_eof, stop_on_signals
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.ops.serve import Daemon
from busctl.ops.serve.context import about
from busctl.ops.serve.credentials import Credentials
from busctl.ops.serve.gateway import McpGateway
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
    stop = stop_on_signals()
    if until_eof:
        stop_on_eof(stop)
    _tell_what_tls_leaves_open(settings)
    tools = tools_of(settings)
    upstreams = upstreams_of(settings)
    own = Guard(settings)
    server = HttpServer(settings)
    server.bind()
    try:
        meter = metrics.Metrics(__version__)
        async with (
            Tracing("busctl", __version__) as tracing,
            Bus.serving(settings) as bus,
            offering(tools, upstreams, bus, meter, name := own_name(bus)) as (hosts, offered),
        ):
            tokens = PostgresTokens(cast(PostgresStore, bus.store.inner))
            guard = Credentials(own, tokens, settings, bus.clock)
            daemon = Daemon(
                bus, hosts, guard, meter, name=name, tracer=tracing.tracer, upstreams=offered
            )
            desk = serve_desk.desk(daemon, bus)
            mcp = McpEndpoint(McpGateway(daemon), guard, settings, bus.clock, __version__)
            await server.start(_app(daemon, guard, meter, desk, mcp))
            if files.health is not None:
                # Once where it ends the start; later failures are told in the log.
                healthfile.replace_json(files.health, {**daemon.snapshot(), "url": server.url})
            async with keeping_up(daemon, desk, files.health, server.url):
                # Before it is ready: whoever waits for that reads the log up to there.
                _warn_of_what_is_off(settings)
                _announce(settings, server, own, files, as_json=as_json)
                await stop.wait()
                await _leave(daemon, server, mcp, files)
    finally:
        await server.stop()
    log.info("stopped")


def _tell_what_tls_leaves_open(settings: Settings) -> None:
    dsn = settings.database_dsn()
    if dsn and (left_open := unverified(secured(dsn, settings.sslrootcert))):
        log.warning("the line to the store is not secured", extra={"why": left_open})


def _app(
    daemon: Daemon, guard: TokenGuard, meter: metrics.Metrics, desk: Desk, mcp: McpEndpoint
) -> Any:
    def rendered() -> tuple[bytes, str]:
        if daemon.settings.enabled:
            pool = cast(PostgresStore, daemon.bus.store.inner).pool
            meter.pool(pool.size, pool.busy)
        if daemon.upstreams is not None:
            meter.upstreams(daemon.upstreams.states())
        return meter.render(), metrics.CONTENT_TYPE

    health = asgi.Health(daemon.health, rendered, daemon.refused)
    return asgi.make_app(
        daemon.settings, daemon.converse, daemon.bus, guard, meter, health, desk, mcp,
        tracer=daemon.tracer,
    )  # fmt: skip


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


async def _leave(daemon: Daemon, server: HttpServer, mcp: McpEndpoint, files: Files) -> None:
    log.info("stopping", extra={"inflight": daemon.calls.inflight})
    sd_notify.notify("STOPPING=1")
    server.stop_accepting()
    await daemon.drain()
    await mcp.close()
    if daemon.settings.enabled:
        await say_goodbye(daemon)
    for path in (files.ready, files.health):
        if path is not None:
            healthfile.remove(path)
