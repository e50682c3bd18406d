"""Puts together what checks ask: the store, a daemon if one answers, this machine."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from busctl.adapters import embedded, tokenfile
from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.facts import PostgresFacts
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.spool import FileSpool
from busctl.adapters.sqlfiles import migrations, snapshot
from busctl.cli import alert_run
from busctl.connect import Bus, open_facts
from busctl.core.comparison import Comparison
from busctl.core.configuration.address import url_of
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, DaemonUnreachable
from busctl.core.operating.alert import ALERTS, Notice
from busctl.core.operating.finding import Report
from busctl.core.operating.health import Health, Kind
from busctl.ops import check as op
from busctl.ops import integrity, migrate
from busctl.ops.check import Canaries, Check, Surroundings
from busctl.ports import Extent

CANARY = "busctl.canary"
"""The tool name and the session of canaries, so that everybody sees what they are."""
CANARY_BYTES = (1_000, 1_000_000)
DIAL_SECS = 2.0


@asynccontextmanager
async def surroundings(
    settings: Settings,
) -> AsyncIterator[tuple[Surroundings, PostgresStore | None]]:
    """What checks ask, for the time of the block; a store that cannot be reached is told in it.
    With it the store on the same connections, None when it could not be reached."""
    async with AsyncExitStack() as stack:
        try:
            facts = await stack.enter_async_context(open_facts(settings))
        except (BusctlError, OSError) as error:
            failure = error if isinstance(error, BusctlError) else BusctlError(str(error))
            yield _around(settings, None, failure, None), None
            return
        store = _store(settings, facts)
        yield _around(settings, facts, None, store), store


def around_store(settings: Settings, store: PostgresStore) -> Surroundings:
    """What checks ask from inside a daemon, on its own connections. No canaries are sent."""
    facts = PostgresFacts.of(store.pool, settings.read_timeout_secs)
    # Its own row is in the store; it need not ask itself.
    return replace(_around(settings, facts, None, store), daemon=_nobody)


async def alerted(
    settings: Settings, checks: Sequence[Check], around: Surroundings, kinds: Mapping[str, Kind],
    store: PostgresStore | None,
) -> tuple[Health, Sequence[Notice]]:  # fmt: skip
    """The checks, and the alerts that came of them, delivered. What could not be delivered is a
    finding of the check of alerts, which is made last, whether it was asked for or not."""
    # The caller tells what is new, and the finding what was not delivered.
    logging.getLogger("busctl.alert").addHandler(logging.NullHandler())
    made = [one for one in checks if one.name != ALERTS]
    health = await op.check(made, around, kinds)
    every = op.kinds_of(op.CHECKS)
    alerting = alert_run.alerting_of(settings, every, seen_by=f"busctl check on {around.host}")
    fresh = await alert_run.look(alerting, settings, health, store)
    last = [one for one in op.CHECKS if one.name == ALERTS]
    told = await op.check(last, around, {**every, **kinds})
    whole = replace(
        health,
        judgements=(*health.judgements, *told.judgements),
        seconds=health.seconds + told.seconds,
    )
    return whole, fresh


def _around(
    settings: Settings, facts: PostgresFacts | None, failure: BusctlError | None,
    store: PostgresStore | None,
) -> Surroundings:  # fmt: skip
    return Surroundings(
        settings=settings,
        clock=SystemClock(),
        host=socket.gethostname(),
        facts=facts,
        failure=failure,
        schema=partial(_verify, facts),
        send_canaries=partial(_send_canaries, settings, facts),
        free_bytes=_free_bytes,
        spool=partial(_spool, settings),
        undelivered=partial(alert_run.undelivered, settings, store),
        daemon=partial(_daemon_health, settings),
        folders=_folders(settings),
    )


def _store(settings: Settings, facts: PostgresFacts) -> PostgresStore:
    return PostgresStore(
        facts.pool, write_timeout=settings.write_timeout_secs,
        read_timeout=settings.read_timeout_secs, verify=settings.verify_integrity,
    )  # fmt: skip


async def _verify(facts: PostgresFacts | None) -> Report:
    if facts is None:
        return Report(0, ())
    return await migrate.verify(facts, migrations(), snapshot())


def _folders(settings: Settings) -> Sequence[Path]:
    state = settings.state_dir or tokenfile.default_state_dir()
    if settings.database_url is not None:
        return (state,)
    return (state, settings.store_dir or embedded.default_home())


def _spool(settings: Settings) -> tuple[str, Extent]:
    spool = FileSpool.of(settings)
    return spool.place, spool.extent()


def _free_bytes(folder: Path) -> int:
    """Free space where that folder is, or would be made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


# --- the daemon of this configuration ----------------------------------------------------------


async def _daemon_health(settings: Settings) -> Mapping[str, Any]:
    url = url_of(settings)
    if nobody := await absence(url):
        return await _nobody(nobody)
    # Here: loading it takes longer than all the checks that need no daemon.
    from busctl.adapters.daemon_health import health_of

    patience = settings.read_timeout_secs + DIAL_SECS
    return await health_of(url.replace("ws", "http", 1), timeout=patience)


async def _nobody(why: str = "") -> Mapping[str, Any]:
    raise DaemonUnreachable(why)


# --- canaries ----------------------------------------------------------------------------------


async def _send_canaries(
    settings: Settings, facts: PostgresFacts | None, tries: int = 2
) -> Canaries:
    if facts is None:
        return Canaries((), "The store was not reached.")
    bus, clock = Bus(_store(settings, facts), settings, SystemClock(), hop="check"), SystemClock()
    plan = integrity.Plan(
        CANARY_BYTES, ("json",), 1, first_seed=secrets.randbelow(1 << 40), tries=tries
    )
    comparer = integrity.Comparer(plan, bus, _unheard)
    stored = integrity.StorePath(bus, clock, tool_name=CANARY)
    try:
        async with AsyncExitStack() as stack:
            daemon = await _daemon_paths(stack, settings, clock)
            # All paths at once: a hosted store is mostly waited for.
            each = await asyncio.gather(*(comparer.test(path) for path in (stored, *daemon.paths)))
            found = [one for some in each for one in some]
        if daemon.refused:
            found += comparer.not_tried("daemon", daemon.refused)[:1]
        return Canaries(found, daemon.absent)
    finally:
        await bus.deliveries.close()


def _unheard(_: Comparison) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True, slots=True)
class _Daemon:
    """The paths through a daemon; else `absent` (none is there) or `refused` (it may not be
    looked at) says why there are none."""

    paths: Sequence[integrity.Path] = ()
    absent: str = ""
    refused: str = ""


async def _daemon_paths(stack: AsyncExitStack, settings: Settings, clock: SystemClock) -> _Daemon:
    # Here: loading them takes longer than all the checks that need no daemon.
    from busctl.adapters.http_redemption import HttpRedemption
    from busctl.adapters.websocket import BusClient

    url = url_of(settings)
    if nobody := await absence(url):
        return _Daemon(absent=nobody)
    try:
        token = await asyncio.to_thread(tokenfile.read, settings)
        connect = partial(BusClient.connect, url, token, session_id=CANARY)
        claims = await stack.enter_async_context(connect())
        whole = await stack.enter_async_context(connect(accepts_claims=False))
        http = await stack.enter_async_context(
            HttpRedemption.connect(url.replace("ws", "http", 1), token)
        )
    except DaemonUnreachable as error:
        return _Daemon(absent=error.message)
    except BusctlError as error:
        return _Daemon(refused=f"{error.message} {error.remedy}".strip())
    return _Daemon((
        integrity.WebsocketPath(whole, claims, clock), integrity.ClaimPath(claims, clock),
        integrity.HttpPath(claims, http, "identity", clock),
    ))  # fmt: skip


async def absence(url: str) -> str:
    """Why nobody can be there: nobody listens, or the port is not fixed. "" when somebody is."""
    place = urlsplit(url)
    nobody = f"No daemon answers at {url}"
    if not place.port:
        return f"{nobody}: its port is not fixed."
    try:
        async with asyncio.timeout(DIAL_SECS):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
    except (OSError, TimeoutError) as error:
        return f"{nobody}: {os.strerror(error.errno) if error.errno else 'timed out'}."
    writer.close()
    return ""
