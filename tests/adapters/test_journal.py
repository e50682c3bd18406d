"""What daemons say of themselves, written and read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.journal import PostgresJournal
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.connect import open_store
from busctl.core.journal import DaemonState, Kind, SystemEvent
from busctl.core.settings import Settings
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


async def test_events_keep_their_own_time_and_leave_with_the_others(settings: Settings) -> None:
    now = datetime.now(UTC)
    events = [
        SystemEvent(now - timedelta(days=40), "d", Kind.BREAKER_OPENED, {"failures": 5}),
        SystemEvent(now - timedelta(days=2), "d", Kind.STORE_AWAY),
        SystemEvent(now, "d", Kind.STORE_BACK, {"seconds": 1.5}),
    ]
    dsn = settings.database_dsn() or ""
    async with open_store(settings) as store:
        journal = PostgresJournal(store)
        await journal.record_system_events(events)
        assert await journal.system_events(now - timedelta(days=50)) == events[::-1]
        recent = now - timedelta(days=50)
        found = await journal.system_events(recent, kinds=[Kind.STORE_AWAY], limit=1)
        assert found == [events[1]]
        silent = DaemonState("dead", "h", 1, "v", now, now, "closed", now)
        await journal.daemon_seen(silent)
        await sql(dsn, "update bus.daemon set seen_at = now() - interval '2 days'")
        async with PostgresRetention(store) as retention:
            for dry_run in (True, False):
                report = await cleanup(
                    retention, keep_events=timedelta(days=30), clock=SystemClock(), dry_run=dry_run
                )
                assert report.system_events_deleted == 1
        assert await journal.system_events(now - timedelta(days=50)) == events[:0:-1]
        assert await journal.daemons() == []
