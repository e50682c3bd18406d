"""What daemons say of themselves, written and read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import open_store
from busctl.core.configuration.settings import Settings
from busctl.core.operating.journal import DaemonState, Kind, SystemEvent
from busctl.ops.cleanup import cleanup
from tests.adapters.bus_sql import sql


async def test_a_daemon_is_seen_again_and_leaves(settings: Settings) -> None:
    now = datetime.now(UTC)
    first = DaemonState("host:1:a", "host", 1, "0.1", now, now, "closed", now)
    async with open_store(settings) as store:
        journal = PostgresJournal(store)
        await journal.daemon_seen(first)
        open_now = replace(
            first, breaker="open", spool_messages=2, spool_bytes=3_000_000_000,
            spool_oldest=now, sessions=4, inflight=5, detail={"spool": "/there"},
        )  # fmt: skip
        await journal.daemon_seen(open_now)
        (known,) = await journal.daemons()
        assert replace(known, seen_at=now) == open_now
        assert known.seen_at > now - timedelta(minutes=1)
        await journal.daemon_left(first.daemon)
        assert await journal.daemons() == []


NOW = datetime.now(UTC)
EVENTS = [
    SystemEvent(NOW - timedelta(days=40), "d", Kind.BREAKER_OPENED, {"failures": 5}),
    SystemEvent(NOW - timedelta(days=2), "d", Kind.STORE_AWAY),
    SystemEvent(NOW, "d", Kind.STORE_BACK, {"seconds": 1.5}),
]
TOKENS = {  # when it expires and when it was revoked, in days from now
    "0000000000aa": (None, None), "0000000000ab": (3, None), "0000000000ac": (-2, None),
    "0000000000ad": (None, -2), "0000000000ae": (-40, None), "0000000000af": (None, -40),
    "0000000000ba": (3, -40), "0000000000bb": (-2, -40),
}  # fmt: skip
STAY = ["0000000000aa", "0000000000ab", "0000000000ac", "0000000000ad"]


async def ended_long_ago(store: PostgresStore, dsn: str) -> PostgresJournal:
    """A journal with an old event and a silent daemon, beside old tokens."""
    journal = PostgresJournal(store)
    await journal.record_system_events(EVENTS)
    await journal.daemon_seen(DaemonState("dead", "h", 1, "v", NOW, NOW, "closed", NOW))
    await sql(dsn, "update bus.daemon set seen_at = now() - interval '2 days'")
    for known, moments in TOKENS.items():
        expires, revoked = (
            "null" if days is None else f"now() + interval '{days} days'" for days in moments
        )
        await sql(
            dsn,
            f"insert into bus.token values ('{known}', sha256('x'), 'me', '{{call}}', now(), "
            f"{expires}, null, {revoked})",
        )
    return journal


async def left(journal: PostgresJournal, dsn: str) -> list[str]:
    """The tokens that are still there, once it is seen that the rest is as it should be."""
    assert await journal.system_events(NOW - timedelta(days=50)) == EVENTS[:0:-1]
    assert await journal.daemons() == []
    return [str(row[0]) for row in await sql(dsn, "select token_id from bus.token order by 1")]


async def test_events_keep_their_own_time(settings: Settings) -> None:
    async with open_store(settings) as store:
        journal = PostgresJournal(store)
        await journal.record_system_events(EVENTS)
        recent = NOW - timedelta(days=50)
        assert await journal.system_events(recent) == EVENTS[::-1]
        found = await journal.system_events(recent, kinds=[Kind.STORE_AWAY], limit=1)
        assert found == [EVENTS[1]]


async def test_cleanup_forgets_what_ended_long_ago(settings: Settings) -> None:
    dsn = settings.database_dsn() or ""
    async with open_store(settings) as store:
        journal = await ended_long_ago(store, dsn)
        async with PostgresRetention(store) as retention:
            for dry_run in (True, False):
                report = await cleanup(
                    retention, keep_events=timedelta(days=30), clock=SystemClock(), dry_run=dry_run
                )
                assert (report.system_events_deleted, report.tokens_deleted) == (1, 4)
        assert await left(journal, dsn) == STAY


async def test_the_sql_function_forgets_the_same(settings: Settings) -> None:
    dsn = settings.database_dsn() or ""
    async with open_store(settings) as store:
        journal = await ended_long_ago(store, dsn)
        assert await sql(dsn, "select note from bus.cleanup()") == [(None,)]
        assert await left(journal, dsn) == STAY
    query = "select detail ->> 'tokens', detail ->> 'by' from bus.upkeep where task = 'cleanup'"
    assert await sql(dsn, query) == [("4", "bus.cleanup()")]


async def test_the_janitor_deletes_no_token_that_is_good(settings: Settings) -> None:
    dsn = settings.database_dsn() or ""
    async with open_store(settings) as store:
        await ended_long_ago(store, dsn)
    await sql(dsn, "begin; set local role bus_janitor; delete from bus.token; commit")
    assert [row[0] for row in await sql(dsn, "select token_id from bus.token")] == STAY[:2]
