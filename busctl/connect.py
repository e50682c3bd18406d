"""Where adapters and operations are put together: `Bus.connect(settings)`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import cast
from uuid import UUID

from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.adapters.malloc import keep_freed_memory
from busctl.adapters.postgres.facts import PostgresFacts
from busctl.adapters.postgres.following import PostgresFeed
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.postgres.store import PostgresStore
from busctl.adapters.postgres.tls import secured
from busctl.adapters.spool import FileSpool
from busctl.adapters.sqlfiles import migrations
from busctl.core.configuration.settings import Settings
from busctl.core.errors import (
    BusDisabled,
    EmbeddedStoreError,
    SchemaMissing,
    SchemaOutdated,
    StoreUnreachable,
)
from busctl.core.migration import State, standings
from busctl.core.watching.following import Carried, most_of
from busctl.ops import bus as operations
from busctl.ops.following import ALL, Follower, refuse_what_moves
from busctl.ops.guarding import GuardedStore, NoStore
from busctl.ops.quota import QuotaGuard
from busctl.ports import Filter, Store

log = logging.getLogger("busctl.connect")


class Bus(operations.Bus):
    """The bus of `busctl.ops.bus.Bus`, with a way to reach its store."""

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, settings: Settings | None = None, *, hop: str = "client", lazily: bool = False
    ) -> AsyncIterator[Bus]:
        """`async with Bus.connect(settings) as bus:`; settings None reads the environment.

        Without a DSN the embedded store is started (and migrated) if need be, and stopped when its
        last user has left. A configured database is never migrated here: SchemaMissing and
        SchemaOutdated say what to run. Raises StoreUnreachable and EmbeddedStoreError too.

        `lazily`: the store is first asked when it is first needed, and raises there. That is for
        what waits in the spool: an embedded store is started, but not migrated.
        """
        if settings is None:
            from busctl.adapters.environment import load

            settings = load().settings
        async with AsyncExitStack() as stack:
            store = await _entered(stack, settings, lazily=lazily)
            clock = SystemClock()
            guarded = GuardedStore(store, settings, clock, FileSpool.of(settings))
            bus = cls(guarded, settings, clock, hop=hop)
            try:
                yield bus
            finally:
                await bus.waking.close()
                await bus.deliveries.close()

    def follow(
        self, name: str, filters: Filter | None = None, *, since: datetime | None = None,
        from_now: bool = False, most: int | None = None, carried: Carried = Carried.BODIES,
    ) -> Follower:  # fmt: skip
        """A follower of that name: `async with bus.follow(name) as follower`, then `async for batch
        in follower.batches()` and `await follower.commit(batch)`. A new name begins with the oldest
        message there is, unless `since` or `from_now` says otherwise. Raises ConfigurationError for
        filters that say more than type, tool, session, owner and since."""
        self.require_enabled(None)
        wanted = filters or ALL
        refuse_what_moves(wanted)
        inner = cast(PostgresStore, self.store.inner)
        feed = PostgresFeed(inner, timeout=self.settings.write_timeout_secs)
        return Follower(
            feed, name, wanted, clock=self.clock, since=since or wanted.since, from_now=from_now,
            most=most or most_of(carried), carried=carried,
        )  # fmt: skip

    @classmethod
    @asynccontextmanager
    async def serving(cls, settings: Settings, *, hop: str = "daemon") -> AsyncIterator[Bus]:
        """The bus of a daemon, which starts although a configured database is away if it may fall
        back to the spool, and without any when the bus is switched off. Raises as `connect`."""
        if not settings.enabled:
            yield cls(cast(Store, NoStore(_switched_off())), settings, SystemClock(), hop=hop)
            return
        async with AsyncExitStack() as stack:
            try:
                bus = await stack.enter_async_context(cls.connect(settings, hop=hop))
            except StoreUnreachable as error:
                if not (settings.fallback_to_websocket and settings.database_url):
                    raise
                log.warning("starting without the store", extra={"error": error.message})
                away = cls.connect(settings, hop=hop, lazily=True)
                bus = await stack.enter_async_context(away)
            yield bus


def _switched_off() -> BusDisabled:
    return BusDisabled("The bus is switched off (MESSAGE_BUS_ENABLED=false).")


async def _entered(stack: AsyncExitStack, settings: Settings, *, lazily: bool) -> Store:
    """The store; lazily, in place of an embedded one that does not start, what says why."""
    try:
        return await stack.enter_async_context(open_store(settings, lazily=lazily))
    except EmbeddedStoreError as error:
        if not lazily:
            raise
        return cast(Store, NoStore(error))


def waits_here(settings: Settings, transaction_id: UUID) -> bool:
    """Whether the message waits in the spool of this host: the store need not be asked for it."""
    return FileSpool.of(settings).holds(transaction_id)


@asynccontextmanager
async def store_dsn(settings: Settings) -> AsyncIterator[tuple[str, bool]]:
    """The store's DSN and whether it is the embedded one, which runs for the time of the block."""
    dsn = settings.database_dsn()
    if dsn is not None:
        yield secured(dsn, settings.sslrootcert), False
        return
    lease = await asyncio.to_thread(embedded.acquire, _home(settings), bin_dir=settings.pg_bin)
    try:
        yield lease.server.dsn, True
    finally:
        await asyncio.to_thread(lease.release)


@asynccontextmanager
async def open_store(settings: Settings, *, lazily: bool = False) -> AsyncIterator[PostgresStore]:
    """The store of these settings, connected and with its schema checked; `lazily`, by whoever
    first needs it. An embedded server that dies meanwhile is started again when it
    is next needed."""
    keep_freed_memory()
    async with store_dsn(settings) as (dsn, is_embedded):
        store = await _open(settings, dsn, is_embedded=is_embedded, lazily=lazily)
        store.admission = QuotaGuard.of(settings, SystemClock(), store.database_bytes)
        try:
            yield store
        finally:
            await store.close()


@asynccontextmanager
async def open_facts(settings: Settings) -> AsyncIterator[PostgresFacts]:
    """What can be asked of the store about itself, whatever its schema is. An embedded store is
    started and migrated as `open_store` does. Raises StoreUnreachable and EmbeddedStoreError."""
    async with store_dsn(settings) as (dsn, is_embedded):
        facts = await PostgresFacts.open(
            dsn,
            pool_size=settings.pool_max_size,
            connect_timeout=settings.connect_timeout_secs,
            timeout=settings.read_timeout_secs,
        )
        try:
            if is_embedded and await _is_behind(facts):
                async with await Migrator.connect(dsn) as migrator:
                    await migrator.up()
            yield facts
        finally:
            await facts.close()


async def _is_behind(facts: PostgresFacts) -> bool:
    found = standings(migrations(), await facts.recorded())
    return any(one.state is State.PENDING for one in found)


async def _open(settings: Settings, dsn: str, *, is_embedded: bool, lazily: bool) -> PostgresStore:
    async def start_again() -> None:
        await asyncio.to_thread(embedded.start, _home(settings), bin_dir=settings.pg_bin)

    async def attempt() -> PostgresStore:
        return await PostgresStore.open(
            dsn,
            pool_size=settings.pool_max_size,
            connect_timeout=settings.connect_timeout_secs,
            write_timeout=settings.write_timeout_secs,
            read_timeout=settings.read_timeout_secs,
            verify=settings.verify_integrity,
            revive=start_again if is_embedded else None,
            lazily=lazily,
        )

    try:
        return await attempt()
    except (SchemaMissing, SchemaOutdated):
        if not is_embedded:
            raise
        async with await Migrator.connect(dsn) as migrator:
            await migrator.up()
        return await attempt()


def _home(settings: Settings) -> Path:
    return settings.store_dir or embedded.default_home()
