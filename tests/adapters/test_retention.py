"""Cleanup on real PostgreSQL 18 and 15: what goes, what stays, what comes back from an accident."""

from __future__ import annotations

import asyncio
import itertools
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.migrator import Migrator
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import LockHeld
from busctl.core.ids import make_id, unix_ms
from busctl.ops.cleanup import CleanupReport, Why, cleanup
from tests.bench import expiry
from tests.conftest import alter_database, direct, dsn_of, is_pooled, make_database

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
_numbers = itertools.count()


@pytest.fixture(params=[18, 15], ids=["18", "15"])
async def dsn(request: pytest.FixtureRequest) -> str:
    server: embedded.Server = request.getfixturevalue(
        "server" if request.param == 18 else "server15"
    )
    return await make_database(server, f"retention_{os.getpid()}_{next(_numbers)}")


@asynccontextmanager
async def opened(dsn: str, **options: float) -> AsyncIterator[PostgresRetention]:
    store = await PostgresStore.open(dsn)
    try:
        async with PostgresRetention(store, **options) as retention:
            yield retention
    finally:
        await store.close()


async def clean(dsn: str, **options: object) -> CleanupReport:
    async with opened(dsn) as retention:
        return await run(retention, **options)


async def run(retention: PostgresRetention, **options: object) -> CleanupReport:
    chosen = {"keep_events": 30 * DAY, "clock": SystemClock(), **options}
    return await cleanup(retention, **chosen)  # type: ignore[arg-type]  # the keywords of cleanup, untyped


@asynccontextmanager
async def admin(dsn: str) -> AsyncIterator[psycopg.AsyncConnection[tuple[object, ...]]]:
    async with await psycopg.AsyncConnection.connect(direct(dsn), autocommit=True) as connection:
        yield connection


async def ask(dsn: str, query: str) -> list[tuple[object, ...]]:
    async with admin(dsn) as connection:
        cursor = await connection.execute(query.encode())
        return await cursor.fetchall() if cursor.description else []


async def tables(dsn: str, parent: str = "message_bus") -> set[str]:
    found = await ask(
        dsn,
        "select relname::text from pg_class where relnamespace = 'bus'::regnamespace "
        f"and relkind = 'r' and relname like '{parent}\\_p%'",
    )
    return {str(row[0]) for row in found}


def past(age: timedelta) -> datetime:
    """A moment in the middle of the partition of `age` ago, so that neighbours do not matter."""
    moment = datetime.now(UTC) - age
    return moment.replace(hour=moment.hour // 6 * 6 + 3, minute=0, second=0, microsecond=0)


def partition_of(moment: datetime) -> str:
    start = moment.replace(hour=moment.hour // 6 * 6)
    return f"message_bus_p{start:%Y%m%dh%H}"


def an_id(moment: datetime) -> UUID:
    return make_id(unix_ms(moment), os.urandom(10))


async def put(
    dsn: str, moment: datetime, payload: bytes = b"x" * 1000, *, ends: datetime | None = None,
    pinned: bool = False, set_by: str | None = None,
) -> UUID:  # fmt: skip
    """A message made at `moment` that expired long ago, or expires at `ends`."""
    message = an_id(moment)
    settings = Settings(database_url=dsn, compression="none")
    async with Bus.connect(settings) as bus:
        await bus.put(payload, transaction_id=message)
    expires = ends or moment + timedelta(minutes=1)
    async with admin(set_by or dsn) as connection:
        await connection.execute(
            "update bus.message_bus set expires_at = %s, pinned = %s where transaction_id = %s",
            (expires, pinned, message),
        )
    return message


async def stored(dsn: str) -> set[UUID]:
    return {row[0] for row in await ask(dsn, "select transaction_id from bus.message_bus")}  # type: ignore[misc]  # rows of one id


async def events(dsn: str, message: UUID) -> list[str]:
    found = await ask(
        dsn, f"select kind from bus.message_event where transaction_id = '{message}' order by at"
    )
    return [str(row[0]) for row in found]


async def test_a_whole_expired_partition_leaves_with_its_chunks_and_one_event(dsn: str) -> None:
    old = past(3 * DAY)
    small, large = await put(dsn, old), await put(dsn, old, os.urandom(3_000_000))
    before = await ask(dsn, "select pg_database_size(current_database())")
    report = await clean(dsn)
    assert report.ok and report.messages == 2 and report.rows_deleted == 0
    assert report.payload_bytes == 3_001_000
    assert report.returned_bytes > 3_000_000
    assert [one.partition for one in report.partitions_dropped] == [partition_of(old)]
    assert partition_of(old) not in await tables(dsn)
    assert partition_of(old).replace("_bus_", "_chunk_") not in await tables(dsn, "message_chunk")
    after = await ask(dsn, "select pg_database_size(current_database())")
    assert int(before[0][0]) - int(after[0][0]) > 2_500_000  # type: ignore[call-overload]  # a row of one number
    detail = await ask(
        dsn,
        "select transaction_id, detail from bus.message_event "
        "where kind = 'expired' and detail ? 'partition'",
    )
    assert len(detail) == 1
    assert detail[0][1]["rows"] == 2 and detail[0][1]["partition"] == partition_of(old)  # type: ignore[index]  # a row of one JSON object
    assert await events(dsn, small) == await events(dsn, large) == ["stored"]


async def test_delivered_messages_expire_too(dsn: str) -> None:
    message = await put(dsn, past(3 * DAY))
    await ask(dsn, "update bus.message_bus set status = 'delivered', retrieved_count = 1")
    await clean(dsn)
    assert message not in await stored(dsn)


async def test_pinned_and_live_messages_stay_and_their_neighbours_go_singly(dsn: str) -> None:
    old, older = past(3 * DAY), past(4 * DAY)
    pinned, gone = await put(dsn, old, pinned=True), await put(dsn, old, os.urandom(2_500_000))
    live = await put(dsn, older, ends=datetime.now(UTC) + 2 * DAY)
    beside = await put(dsn, older)
    report = await clean(dsn, batch=1)
    assert await stored(dsn) == {pinned, live}
    assert report.rows_deleted == 2 and report.returned_bytes == 0
    assert report.reusable_bytes == 2_501_000
    assert await ask(dsn, "select count(*) from bus.message_chunk") == [(0,)]
    assert await events(dsn, gone) == await events(dsn, beside) == ["stored", "expired"]
    assert await events(dsn, pinned) == ["stored"]


async def test_the_current_partition_is_cleaned_row_by_row(dsn: str) -> None:
    now = datetime.now(UTC)
    gone, live = await put(dsn, now, ends=now), await put(dsn, now, ends=now + DAY)
    report = await clean(dsn)
    assert await stored(dsn) == {live}
    assert (report.rows_deleted, report.partitions_dropped) == (1, ())
    assert await events(dsn, gone) == ["stored", "expired"]


async def test_what_will_soon_be_dropped_whole_waits_unless_eager(dsn: str) -> None:
    old = past(2 * DAY)
    gone = await put(dsn, old)
    live = await put(dsn, old, ends=datetime.now(UTC) + 3 * HOUR)
    report = await clean(dsn)
    assert await stored(dsn) == {gone, live}
    left = [(one.partition, one.why) for one in report.left]
    assert left == [(partition_of(old), Why.SOON_WHOLE)]
    assert report.ok
    assert (await clean(dsn, eager=True)).rows_deleted == 1
    assert await stored(dsn) == {live}


async def test_dry_run_tells_the_same_and_changes_nothing(dsn: str) -> None:
    await put(dsn, past(3 * DAY), os.urandom(2_000_000))
    await put(dsn, datetime.now(UTC), ends=datetime.now(UTC))
    kept = await stored(dsn)
    async with opened(dsn) as holder:
        assert await holder.lock()
        told = await clean(dsn, dry_run=True)  # a look needs no lock
    assert await stored(dsn) == kept and told.dry_run
    done = await clean(dsn)
    assert told.messages == done.messages == 2
    assert told.payload_bytes == done.payload_bytes
    assert told.reusable_bytes == done.reusable_bytes
    assert told.returned_bytes == done.returned_bytes > 2_000_000


async def test_partitions_ahead_are_made(dsn: str) -> None:
    await ask(dsn, f"drop table bus.{partition_of(datetime.now(UTC) + DAY)}")
    assert (await clean(dsn)).partitions_made == 1
    assert partition_of(datetime.now(UTC) + DAY) in await tables(dsn)


async def test_old_events_and_orphan_chunk_partitions_go(dsn: str) -> None:
    old = past(40 * DAY)
    await ask(dsn, f"select bus.ensure_partitions('{old}', '{old}')")
    await ask(dsn, f"drop table bus.{partition_of(old)}")
    event = f"message_event_p{old:%Y%m%d}"
    young = past(5 * DAY)
    await ask(dsn, f"select bus.ensure_partitions_of('message_event', '{young}', '{young}')")
    report = await clean(dsn)
    assert event not in await tables(dsn, "message_event")
    assert f"message_event_p{young:%Y%m%d}" in await tables(dsn, "message_event")
    assert not [one for one in await tables(dsn, "message_chunk") if f"{old:%Y%m%d}" in one]
    assert len(report.partitions_dropped) == 2
    report = await clean(dsn, keep_events=DAY)
    assert f"message_event_p{young:%Y%m%d}" not in await tables(dsn, "message_event")


async def test_events_stay_as_long_as_their_messages(dsn: str) -> None:
    old = past(40 * DAY)
    settings = Settings(database_url=dsn, horizon_hours=24 * 60)
    message = an_id(old)
    async with Bus.connect(settings) as bus:
        await bus.put(b"kept", transaction_id=message)
        await bus.pin(message)
    await clean(dsn)
    assert await events(dsn, message) == ["stored", "pinned"]


async def test_old_requests_go_in_batches(dsn: str) -> None:
    await ask(
        dsn,
        "insert into bus.request select 'o', 's', n::text, gen_random_uuid(), 'd', now(), "
        "now() + case when n > 7 then interval '1 hour' else interval '-1 hour' end "
        "from generate_series(1, 9) n",
    )
    assert (await clean(dsn, dry_run=True)).requests_deleted == 7
    assert (await clean(dsn, batch=3)).requests_deleted == 7
    assert await ask(dsn, "select count(*) from bus.request") == [(2,)]


async def test_a_database_that_is_read_only_by_default_is_cleaned(dsn: str) -> None:
    await put(dsn, past(3 * DAY), os.urandom(2_000_000))
    await put(dsn, datetime.now(UTC), ends=datetime.now(UTC))
    alter_database(dsn, "set default_transaction_read_only = on")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await ask(dsn, "delete from bus.request")
    report = await clean(dsn)
    assert report.ok and report.messages == 2
    assert await ask(dsn, "select count(*) from bus.message_bus") == [(0,)]


async def test_one_run_at_a_time(dsn: str) -> None:
    async with opened(dsn) as first:
        assert await first.lock()
        with pytest.raises(LockHeld):
            await clean(dsn)
        await first.unlock()
        assert (await clean(dsn)).ok


async def test_the_lock_holds_back_neither_vacuum_nor_a_detach(dsn: str) -> None:
    await put(dsn, past(3 * DAY))
    async with opened(dsn) as holder, opened(dsn) as worker:
        assert await holder.lock()
        held = await ask(
            dsn,
            "select backend_xmin is null and backend_xid is null from pg_stat_activity "
            "where state = 'idle in transaction' and datname = current_database()",
        )
        assert held == [(True,)]
        await asyncio.wait_for(worker.partitions(), 5)
        now = await worker.now()
        (old,) = [
            one for one in await worker.partitions() if one.name == partition_of(past(3 * DAY))
        ]
        dropped = await asyncio.wait_for(worker.drop([old], now), 20)
        assert dropped is not None and dropped.rows == 1


async def test_idle_in_transaction_time_out_does_not_end_the_lock(dsn: str) -> None:
    alter_database(dsn, "set idle_in_transaction_session_timeout = '200ms'")
    async with opened(dsn) as holder, opened(dsn) as other:
        assert await holder.lock()
        await asyncio.sleep(0.6)
        assert not await other.lock()


async def test_partitions_in_use_are_left_and_go_the_next_time(dsn: str) -> None:
    old, older = past(3 * DAY), past(4 * DAY)
    await put(dsn, old)
    await put(dsn, older)
    async with await psycopg.AsyncConnection.connect(direct(dsn)) as reader:
        await reader.execute("select count(*) from bus.message_bus")
        async with opened(dsn, lock_timeout=0.1) as retention:
            report = await run(retention)
        assert not report.ok
        # The first is half detached; the server lets the second one begin only after it.
        assert [(one.partition, one.why) for one in report.left] == [
            (partition_of(older), Why.IN_USE), (partition_of(old), Why.IN_USE)
        ]  # fmt: skip
        assert {partition_of(old), partition_of(older)} <= await tables(dsn)
        pending = await ask(dsn, "select count(*) from pg_inherits where inhdetachpending")
        # Behind a pooler there is no DETACH CONCURRENTLY: nothing is half detached.
        assert pending == [(0 if is_pooled(dsn) else 1,)]
    report = await clean(dsn)
    assert report.ok and not {partition_of(old), partition_of(older)} & await tables(dsn)
    assert report.messages == 2


async def test_a_message_that_turns_up_during_a_detach_comes_back(dsn: str) -> None:
    """The race between looking and detaching, at its worst: detached with a live message in it."""
    old = past(3 * DAY)
    live = await put(dsn, old, os.urandom(2_000_000), ends=datetime.now(UTC) + 2 * DAY)
    name, chunk = partition_of(old), partition_of(old).replace("_bus_", "_chunk_")
    await ask(dsn, f"alter table bus.message_bus detach partition bus.{name} concurrently")
    await ask(dsn, f"alter table bus.message_chunk detach partition bus.{chunk}")
    assert await stored(dsn) == set()
    report = await clean(dsn)
    assert report.ok and report.messages == 0
    settings = Settings(database_url=dsn)
    async with Bus.connect(settings) as bus:
        assert len(await bus.get(live)) == 2_000_000
    checks = await ask(
        dsn, f"select conname from pg_constraint where conrelid = 'bus.{name}'::regclass "
        "and contype = 'c'"
    )  # fmt: skip
    assert checks == []
    forced = await ask(
        dsn, f"select relforcerowsecurity from pg_class where oid = 'bus.{name}'::regclass"
    )
    assert forced == [(True,)]


async def test_a_live_message_in_a_pending_detach_comes_back(dsn: str) -> None:
    old = past(3 * DAY)
    live = await put(dsn, old, ends=datetime.now(UTC) + 2 * DAY)
    await leave_pending(dsn, partition_of(old))
    assert await stored(dsn) == set()
    assert (await clean(dsn)).ok
    assert await stored(dsn) == {live}


@asynccontextmanager
async def opened_as_through_a_pooler(dsn: str) -> AsyncIterator[PostgresRetention]:
    """What a transaction pooler makes of it: no session settings, no DETACH CONCURRENTLY."""
    store = await PostgresStore.open(dsn)
    store.pool.without_prepared_statements()
    try:
        async with PostgresRetention(store) as retention:
            yield retention
    finally:
        await store.close()


async def test_through_a_pooler_partitions_leave_in_plain_transactions(dsn: str) -> None:
    old = past(3 * DAY)
    message = await put(dsn, old, os.urandom(2_000_000))
    async with opened_as_through_a_pooler(dsn) as retention:
        async with await psycopg.AsyncConnection.connect(direct(dsn)) as reader:
            await reader.execute("select count(*) from bus.message_bus")
            report = await run(retention)
            assert [one.why for one in report.left] == [Why.IN_USE]
            assert await stored(dsn) == {message}  # nothing is half gone
        report = await run(retention)
    assert report.ok and report.messages == 1 and report.payload_bytes == 2_000_000
    assert partition_of(old) not in await tables(dsn)


@pytest.mark.parametrize("lives", [False, True], ids=["gone", "back"])
async def test_through_a_pooler_an_interrupted_detach_is_finished(dsn: str, lives: bool) -> None:
    old = past(3 * DAY)
    ends = datetime.now(UTC) + 2 * DAY if lives else None
    message = await put(dsn, old, ends=ends)
    await leave_pending(dsn, partition_of(old))
    async with opened_as_through_a_pooler(dsn) as retention:
        report = await run(retention)
    assert report.ok and report.messages == (0 if lives else 1)
    assert await stored(dsn) == ({message} if lives else set())
    assert (partition_of(old) in await tables(dsn)) is lives


async def test_a_half_detached_partition_does_not_keep_older_ones_from_leaving(dsn: str) -> None:
    young, older = past(3 * DAY), past(4 * DAY)
    await put(dsn, young)
    await put(dsn, older)
    await leave_pending(dsn, partition_of(young))
    async with await psycopg.AsyncConnection.connect(direct(dsn)) as reader:
        await reader.execute("select count(*) from bus.message_bus")
        async with opened(dsn, lock_timeout=0.1) as retention:
            report = await run(retention)
        # The server detaches one at a time: without the first being finished, the second could
        # not even begin. It begins, and waits for the reader.
        assert [one.partition for one in report.left] == [partition_of(older)]
        assert report.messages == 1 and not report.ok
    report = await clean(dsn)
    assert report.ok and report.messages == 1
    assert not {partition_of(young), partition_of(older)} & await tables(dsn)


async def leave_pending(dsn: str, table: str) -> None:
    """A DETACH CONCURRENTLY that gave up between its two transactions."""
    async with await psycopg.AsyncConnection.connect(direct(dsn)) as reader:
        await reader.execute("select count(*) from bus.message_bus")
        async with admin(dsn) as interrupted:
            await interrupted.execute("set lock_timeout = 100")
            detach = f"alter table bus.message_bus detach partition bus.{table} concurrently"
            with pytest.raises(psycopg.errors.LockNotAvailable):
                await interrupted.execute(detach.encode())


CLEANUP = "set transaction read write; select messages, partitions, note from bus.cleanup({})"


async def test_the_sql_function_removes_the_same(dsn: str) -> None:
    old, mixed, now = past(3 * DAY), past(5 * DAY), datetime.now(UTC)
    await put(dsn, old, os.urandom(2_000_000))
    gone, ended = await put(dsn, mixed, os.urandom(2_000_000)), await put(dsn, now, ends=now)
    pinned, live = await put(dsn, mixed, pinned=True), await put(dsn, now, ends=now + DAY)
    alter_database(dsn, "set default_transaction_read_only = on")
    assert await call_cleanup(dsn) == (3, 2, None)
    assert await stored(dsn) == {pinned, live}
    assert await ask(dsn, "select count(*) from bus.message_chunk") == [(0,)]
    assert await events(dsn, gone) == await events(dsn, ended) == ["stored", "expired"]
    assert partition_of(old) not in await tables(dsn)
    assert await call_cleanup(dsn) == (0, 0, None)


async def test_the_sql_function_gives_way(dsn: str) -> None:
    old, now = past(3 * DAY), datetime.now(UTC)
    await put(dsn, old)
    for _ in range(3):
        await put(dsn, now, ends=now)
    async with await psycopg.AsyncConnection.connect(direct(dsn)) as reader:
        await reader.execute("select count(*) from bus.message_bus")
        messages, partitions, note = await call_cleanup(dsn, "2")
        assert (messages, partitions) == (2, 0)
        assert note == (
            "more messages have expired than were deleted; " + partition_of(old) + " is in use"
        )
    async with opened(dsn) as holder:
        assert await holder.lock()
        assert await call_cleanup(dsn) == (0, 0, "another cleanup is running")
    assert await call_cleanup(dsn) == (2, 2, None)


async def call_cleanup(dsn: str, arguments: str = "") -> tuple[object, ...]:
    """As pg_cron does: one string, one implicit transaction."""
    async with admin(dsn) as connection:
        cursor = await connection.execute(CLEANUP.format(arguments).encode())
        cursor.nextset()
        row = await cursor.fetchone()
        assert row is not None
        return row


async def test_rows_that_somebody_holds_are_passed_over(dsn: str) -> None:
    now = datetime.now(UTC)
    held, free = await put(dsn, now, ends=now), await put(dsn, now, ends=now)
    async with await psycopg.AsyncConnection.connect(direct(dsn)) as holder:
        await holder.execute(
            "select from bus.message_bus where transaction_id = %s for update", (held,)
        )
        report = await clean(dsn)
    assert await stored(dsn) == {held}
    assert report.rows_deleted == 1 and not report.ok
    assert (await clean(dsn)).rows_deleted == 1
    assert await stored(dsn) == set() and await events(dsn, free) == ["stored", "expired"]


async def test_the_time_limit_ends_a_run_and_the_report_says_what_is_left(dsn: str) -> None:
    now = datetime.now(UTC)
    await put(dsn, now, ends=now)
    await put(dsn, past(3 * DAY))
    report = await clean(dsn, max_seconds=0)
    assert {one.why for one in report.left} == {Why.OUT_OF_TIME} and report.ok
    assert len(await stored(dsn)) == 2


async def test_nothing_live_is_lost_beside_writers(dsn: str) -> None:
    for days in (2, 3, 4, 5):
        for _ in range(3):
            await put(dsn, past(days * DAY))
    settings = Settings(database_url=dsn)
    claims: list[UUID] = []
    stop = asyncio.Event()

    async def write(bus: Bus) -> None:
        while not stop.is_set():
            claims.append((await bus.put(os.urandom(500))).transaction_id)

    async with Bus.connect(settings) as bus:
        writers = [asyncio.create_task(write(bus)) for _ in range(3)]
        report = await clean(dsn)
        stop.set()
        await asyncio.gather(*writers)
        assert report.ok and report.messages == 12
        assert claims and await stored(dsn) == set(claims)


async def test_twenty_thousand_messages_leave_beside_a_writer(dsn: str) -> None:
    outcome = await expiry.measure(dsn, 20_000, quiet_seconds=0.2)
    report = outcome.report
    assert report.ok and not outcome.lost and outcome.during_ms
    # All but what shares a partition with messages that are still alive.
    whole = 20_000 // expiry.SPREAD_HOURS * (43 - 6)
    assert report.messages >= whole and outcome.expired_left <= 20_000 - whole
    assert {one.why for one in report.left} <= {Why.SOON_WHOLE}
    assert report.returned_bytes > whole * 1000
    assert outcome.before_bytes - outcome.after_bytes > whole * 800


async def test_a_non_superuser_owner_that_bypasses_policies_cleans(
    server: embedded.Server,
) -> None:
    """As on Supabase: `postgres` there is no superuser, owns the database and has BYPASSRLS."""
    name = f"owner_{os.getpid()}"
    await make_database(server, f"makes_the_roles_{os.getpid()}")
    await ask(server.dsn, f"create role {name} login createrole bypassrls")
    await ask(server.dsn, f"create database {name} owner {name}")
    dsn = psycopg.conninfo.make_conninfo(dsn_of(server, name), user=name)
    let_in(server, name)
    await ask(
        server.dsn, "select pg_reload_conf(); "
        f"grant bus_writer, bus_reader, bus_janitor to {name} with admin option"
    )  # fmt: skip
    async with await Migrator.connect(dsn) as migrator:
        await migrator.up()
    old = past(3 * DAY)
    gone = await put(dsn, old, set_by=dsn_of(server, name))
    live = await put(dsn, old, set_by=dsn_of(server, name), ends=datetime.now(UTC) + DAY)
    other = await put(dsn, old - DAY, set_by=dsn_of(server, name))
    assert await ask(dsn, "select usesuper from pg_user where usename = session_user") == [(False,)]
    report = await clean(dsn)
    assert report.ok and report.messages == 2
    assert await stored(dsn) == {live}
    assert await events(dsn, gone) == ["stored", "expired"] and await events(dsn, other)
    assert partition_of(old - DAY) not in await tables(dsn)
    assert await call_cleanup(dsn) == (0, 0, None)


def let_in(server: embedded.Server, name: str) -> None:
    """The server lets in nobody but its own role: name another one that we may be."""
    map_file, access = server.home / "data/pg_ident.conf", server.home / "data/pg_hba.conf"
    user = pwd.getpwuid(os.geteuid()).pw_name
    map_file.write_text(f"{map_file.read_text()}busctl {user} {name}\n")
    access.write_text(f"{access.read_text()}local all {name} peer map=busctl\n")
