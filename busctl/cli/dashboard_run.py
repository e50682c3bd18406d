"""The dashboard on its own: a store, no daemon."""

from __future__ import annotations

import asyncio
import os
import sys
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

from busctl import __version__
from busctl.adapters import logs, metrics
from busctl.adapters.asgi import make_dashboard
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.postgres.tokens import PostgresTokens
from busctl.adapters.tokenfile import Guard
from busctl.adapters.uvicorn_server import HttpServer
from busctl.cli import serve_desk
from busctl.cli.running import emit_json, say
from busctl.cli.stopping import stop_on_signals
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.operating.standing import is_heard
from busctl.ops.serve import upkeep
from busctl.ops.serve.credentials import Credentials
from busctl.ops.serve.desk import LOAD_SECS, Desk, Onlooker


async def serve_until_told(settings: Settings, *, browser: bool, as_json: bool) -> None:
    """Serve pages until SIGTERM or SIGINT. Raises the named errors of starting."""
    logs.configure(settings.log_level, settings.log_format, dict)
    stop = stop_on_signals()
    own = Guard(settings)
    server = HttpServer(settings)
    server.bind()
    try:
        async with Bus.serving(settings, hop="dashboard") as bus:
            onlooker = Onlooker(metrics.Metrics(__version__))
            tokens = PostgresTokens(cast(PostgresStore, bus.store.inner))
            guard = Credentials(own, tokens, settings, bus.clock)
            desk = serve_desk.desk(onlooker, bus)
            await server.start(make_dashboard(settings, bus, guard, onlooker.meter, desk))
            async with _upkeep(bus, desk, onlooker):
                _announce(
                    server.url, "BUSCTL_TOKEN" if own.path is None else str(own.path), as_json
                )
                if browser:
                    webbrowser.open(server.url)
                await stop.wait()
                onlooker.draining = True
    finally:
        await server.stop()


def _announce(url: str, token: str, as_json: bool) -> None:
    if as_json:
        emit_json({"url": url, "token_from": token, "pid": os.getpid()})
        sys.stdout.flush()
        return
    print(url, flush=True)
    say(f"busctl {__version__} shows the store at {url}. Log in with the token in {token}.")


@asynccontextmanager
async def _upkeep(bus: Bus, desk: Desk, onlooker: Onlooker) -> AsyncIterator[None]:
    """What the pages need to have known."""
    every = partial(upkeep.repeat, meter=onlooker.meter)
    tasks = []
    if bus.settings.enabled:
        tasks = [
            asyncio.create_task(every("load", desk.look, LOAD_SECS)),
            asyncio.create_task(every("traffic", _rollup(bus), upkeep.LOOK_SECS)),
        ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _rollup(bus: Bus) -> upkeep.Task:
    """Keeps what is plotted for as long as no daemon does."""
    turn = serve_desk.rollup(bus)
    journal = PostgresJournal(cast(PostgresStore, bus.store.inner))

    async def unless_a_daemon_does() -> int:
        daemons = await bus.store.guarded(journal.daemons(), bus.store.reads)
        if any(is_heard(one, bus.clock.now()) for one in daemons):
            return 0
        return await turn()

    return unless_a_daemon_does
