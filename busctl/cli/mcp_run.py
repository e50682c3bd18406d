"""The life of `busctl mcp`: a daemon that listens nowhere, for the one client that has started it.

The client waits for its handshake, so that is answered while the store is still being reached.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from busctl import __version__
from busctl.adapters import logs, metrics, tokenfile
from busctl.adapters.clock import SystemClock
from busctl.cli.serve_tools import offering, tools_of
from busctl.cli.serve_upkeep import keeping_up, own_name, say_goodbye
from busctl.cli.serve_upstreams import upstreams_of
from busctl.cli.stopping import stop_on_signals
from busctl.connect import Bus
from busctl.core.configuration.address import url_of
from busctl.core.configuration.settings import Settings
from busctl.core.principal import OPERATOR
from busctl.ops.serve import Daemon
from busctl.ops.serve.context import about
from busctl.ops.serve.credentials import NoTokens
from busctl.ops.serve.gateway import McpGateway

STDIO = "busctl.adapters.mcp_front.stdio"
RELAY = "busctl.adapters.mcp_front.relay"

log = logging.getLogger("busctl.mcp")


async def serve_client(settings: Settings, command: Sequence[str]) -> None:
    """Serve until standard input ends, or SIGTERM or SIGINT comes. Raises the named errors of
    starting once the client, which is told of them too, has left."""
    logs.configure(settings.log_level, settings.log_format, about)
    told_to_stop, left = stop_on_signals(), asyncio.Event()
    ready: asyncio.Future[McpGateway] = asyncio.get_running_loop().create_future()
    loading = asyncio.create_task(asyncio.to_thread(importlib.import_module, STDIO))
    daemon = asyncio.create_task(_keep(settings, command, ready, left, loading))
    daemon.add_done_callback(lambda _: _told_why(daemon, ready))

    async def gateway() -> McpGateway:
        return await asyncio.shield(ready)

    try:
        stdio = await asyncio.shield(loading)
        await stdio.serve_stdio(
            gateway, OPERATOR, SystemClock().new_id().hex, told_to_stop,
            version=__version__, max_message_bytes=settings.max_message_bytes,
        )  # fmt: skip
    finally:
        left.set()
        if not ready.done():
            daemon.cancel()
        await asyncio.wait([daemon])
    if not daemon.cancelled():
        daemon.result()


async def relay_client(settings: Settings, url: str | None) -> None:
    """Lead the client to a running daemon, that of the settings unless `url` says another. Raises
    DaemonUnreachable and Unauthorized."""
    logs.configure(settings.log_level, settings.log_format, about)
    stop = stop_on_signals()
    token = tokenfile.read(settings)
    address = re.sub(r"^ws(?=s?://)", "http", url or url_of(settings)).rstrip("/")
    relay = await asyncio.to_thread(importlib.import_module, RELAY)
    await relay.relay_stdio(address, token, stop, max_message_bytes=settings.max_message_bytes)


@asynccontextmanager
async def _after(loading: asyncio.Task[Any]) -> AsyncIterator[None]:
    """The SDK's packages import each other in a circle: two threads must not load them at once."""
    await asyncio.shield(loading)
    yield


def _told_why(daemon: asyncio.Task[None], ready: asyncio.Future[McpGateway]) -> None:
    """A daemon that did not get ready tells why to whoever waits for it."""
    if ready.done() or daemon.cancelled():
        return
    error = daemon.exception()
    log.critical("cannot serve", extra={"error": str(error)})
    ready.set_exception(error or EOFError())
    ready.exception()  # perhaps nobody waits


async def _keep(
    settings: Settings, command: Sequence[str], ready: asyncio.Future[McpGateway],
    left: asyncio.Event, loading: asyncio.Task[Any],
) -> None:  # fmt: skip
    """The daemon, from when it is `ready` until its client has `left`."""
    upstreams = upstreams_of(settings, command)
    # Around one server's entry nothing may stand in for what that server offers: `echo`, say.
    tools = tools_of(settings, demo=not upstreams)
    meter = metrics.Metrics(__version__)
    async with (
        Bus.serving(settings) as bus,
        _after(loading),
        offering(tools, upstreams, bus, meter, name := own_name(bus)) as (hosts, offered),
    ):
        daemon = Daemon(bus, hosts, NoTokens(), meter, name=name, upstreams=offered)
        async with keeping_up(daemon):
            ready.set_result(McpGateway(daemon))
            log.info("serving", extra={"over": "stdio"})
            await left.wait()
            await daemon.drain()
            if settings.enabled:
                await say_goodbye(daemon)
