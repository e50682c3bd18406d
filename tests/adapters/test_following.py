"""Following: each committed message once for each follower, whatever the order of commits."""

from __future__ import annotations

import asyncio
import os
import time
from uuid import UUID

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.clock import SystemClock
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels, Status
from busctl.core.errors import ConfigurationError, CursorForeign, CursorMoved, MessagesForeign
from busctl.core.operating.diagnosis import Mode
from busctl.core.watching.following import Batch
from busctl.ops.following import Follower
from busctl.ports import Filter
from tests.conftest import direct, dsn_of, is_pooled

PUT = (
    "select bus.message_put(%s, null, 60, 1, 1, 0, 'tool_response', 'none', 'text/plain', 'me', "
    "'slow', null, null, sha256('x'), null, null, 'x')"
)


def ids_of(batch: Batch) -> list[UUID]:
    return [one.envelope.transaction_id for one in batch.messages]


async def drained(follower: Follower) -> list[UUID]:
    """What is there for it now, committed."""
    found: list[UUID] = []
    async for batch in follower.batches(once=True):
        found += ids_of(batch)
        assert await follower.commit(batch)
    return found


async def put(bus: Bus, count: int, **labels: str) -> list[UUID]:
    chosen = Labels(**labels)  # type: ignore[arg-type]  # the keywords of Labels, untyped
    return [(await bus.put(os.urandom(20), chosen)).transaction_id for _ in range(count)]


async def test_each_message_once_and_in_order(bus: Bus) -> None:
    ids = await put(bus, 450)
    async with bus.follow("one") as one, bus.follow("other", most=7) as other:
        assert await drained(one) == ids
        more = await put(bus, 10)
        assert await drained(one) == more
        assert await drained(other) == ids + more
        assert await drained(one) == []


async def test_a_batch_that_is_not_committed_comes_again(bus: Bus) -> None:
    ids = await put(bus, 3)
    async with bus.follow("f") as follower:
        for _ in range(2):
            batch = await follower.next()
            assert batch is not None
            assert ids_of(batch) == ids
        assert await drained(follower) == ids


async def test_rows_that_show_late_are_followed_and_hold_nobody_up(
    bus: Bus, settings: Settings
) -> None:
    """A transaction begun before others and committed after them; another is rolled back."""
    clock = SystemClock()
    late, gone = clock.new_id(), clock.new_id()
    address = direct(bus_dsn(settings))
    with psycopg.connect(address) as slow, psycopg.connect(address) as undone:
        slow.execute(PUT, [late])
        undone.execute(PUT, [gone])
        async with bus.follow("f") as follower:
            ids = await put(bus, 5)
            assert await drained(follower) == ids
            ids = await put(bus, 5)
            assert await drained(follower) == ids
            slow.commit()
            undone.rollback()
            last = await put(bus, 1)
            assert sorted(await drained(follower)) == sorted([late, *last])
            assert await drained(follower) == []


async def test_a_transaction_of_another_database_holds_nobody_up(
    bus: Bus, server: embedded.Server
) -> None:
    with psycopg.connect(dsn_of(server, "postgres")) as other:
        other.execute("select pg_current_xact_id()")
        async with bus.follow("f") as follower:
            for _ in range(3):
                ids = await put(bus, 4)
                assert await drained(follower) == ids
        with psycopg.connect(direct(bus_dsn(bus.settings)), autocommit=True) as session:
            xmin, xmax = session.execute(
                "select pg_snapshot_xmin(seen)::text::bigint, pg_snapshot_xmax(seen)::text::bigint "
                "from bus.watcher_cursor"
            ).fetchone() or (0, 0)
            assert xmin < xmax  # its number is kept, to be looked at again


async def test_several_under_one_name_share_without_doubling(settings: Settings) -> None:
    async with Bus.connect(settings) as bus:
        found: list[UUID] = []

        async def work(stop: asyncio.Event) -> None:
            async with Bus.connect(settings) as own, own.follow("crew", most=10) as follower:
                while not stop.is_set():
                    batch = await follower.next()
                    if batch is None:
                        await asyncio.sleep(0.005)
                        continue
                    await asyncio.sleep(0.001)
                    if await follower.commit(batch):
                        found.extend(ids_of(batch))

        stop = asyncio.Event()
        crew = [asyncio.create_task(work(stop)) for _ in range(3)]
        ids = await put(bus, 300)
        while len(found) < len(ids):
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.gather(*crew)
        assert sorted(found) == sorted(ids)


async def test_of_two_who_did_the_same_batch_one_is_undone(bus: Bus, settings: Settings) -> None:
    """As when the first stood still for longer than its batch was held for it."""
    await put(bus, 3)
    with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
        session.execute("create table bus.log (id uuid)")
        session.execute("grant insert on bus.log to public")
        async with bus.follow("f") as one, bus.follow("f") as other:
            first = await one.next()
            assert first is not None
            assert await other.next() is None
            session.execute("update bus.watcher_cursor set holder = 'gone', held_until = now()")
            second = await other.next()
            assert second is not None
            assert ids_of(second) == ids_of(first)
            async with other.transaction(second) as connection:
                await connection.execute("insert into bus.log select gen_random_uuid()")
            with pytest.raises(CursorMoved):
                async with one.transaction(first) as connection:
                    await connection.execute("insert into bus.log select gen_random_uuid()")
            assert not await one.commit(first)
        assert session.execute("select count(*) from bus.log").fetchone() == (1,)


async def test_what_is_there_includes_what_one_that_was_killed_had(bus: Bus) -> None:
    ids = await put(bus, 3)
    async with bus.follow("f") as killed:
        assert await killed.next() is not None
    async with bus.follow("f") as follower:
        assert await drained(follower) == ids


async def test_what_a_filter_leaves_out_is_passed_over(bus: Bus) -> None:
    async with bus.follow("f", Filter(tool_name="a", session_id="s"), most=5) as follower:
        await put(bus, 40, tool_name="b")
        wanted = await put(bus, 3, tool_name="a", session_id="s")
        await put(bus, 40, tool_name="a")
        assert await drained(follower) == wanted
    async with bus.follow("f") as follower:
        assert await drained(follower) == []


async def test_where_a_new_follower_begins(bus: Bus) -> None:
    await put(bus, 3)
    async with bus.follow("now", from_now=True) as now:
        assert await drained(now) == []
        moment = (await bus.stat((await put(bus, 1))[0])).created_at
        async with bus.follow("since", since=moment) as since:
            assert len(await drained(since)) == 1
            ids = await put(bus, 2)
            assert await drained(since) == ids
        assert (await drained(now))[1:] == ids


async def test_a_place_of_another_cluster_is_refused(bus: Bus, settings: Settings) -> None:
    async with bus.follow("f") as follower:
        await put(bus, 2)
        await drained(follower)
        with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
            session.execute("update bus.watcher_cursor set system_identifier = 1")
        with pytest.raises(CursorForeign, match="another database cluster"):
            await follower.next()
    async with bus.follow("f", from_now=True) as anew:
        assert await drained(anew) == []
        assert await drained(anew) == []


async def test_messages_of_another_cluster_are_adopted(bus: Bus, settings: Settings) -> None:
    """As in a dump that was restored: their transactions are ahead of this cluster's counter."""
    ids = await put(bus, 3)
    with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
        moved = "update bus.message_bus set xid = (xid::text::bigint + 1000000)::text::xid8"
        session.execute(moved)
        async with bus.follow("f") as follower:
            with pytest.raises(MessagesForeign, match="another database cluster") as raised:
                await follower.next()
            assert "bus.adopt_messages()" in raised.value.remedy
            assert session.execute("select bus.adopt_messages()").fetchone() == (3,)
            assert session.execute("select bus.adopt_messages()").fetchone() == (0,)
            more = await put(bus, 2)
            assert await drained(follower) == ids + more


async def test_a_batch_is_held_on_after_a_failure_of_any_kind(bus: Bus, settings: Settings) -> None:
    await put(bus, 1)
    held = "select held_until from bus.watcher_cursor"
    with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
        session.execute("alter function bus.follow_stay rename to follow_stayed")
        async with bus.follow("f") as follower:
            assert await follower.next() is not None
            before = session.execute(held).fetchone()
            await asyncio.sleep(0.5)
            session.execute("alter function bus.follow_stayed rename to follow_stay")
            while session.execute(held).fetchone() == before:
                await asyncio.sleep(0.05)


async def test_a_filter_by_what_changes_is_refused(bus: Bus) -> None:
    for wanted in (Filter(status=Status.PENDING), Filter(request_id="1")):
        with pytest.raises(ConfigurationError, match="cannot filter by"):
            bus.follow("f", wanted)


async def test_what_killed_tails_left_is_tidied(bus: Bus, settings: Settings) -> None:
    with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
        for name in ("tail/old", "tail/new", "named"):
            async with bus.follow(name) as follower:
                await follower.next()
        session.execute(
            "update bus.watcher_cursor set moved_at = now() - interval '6 days' "
            "* case name when 'tail/new' then 1 else 2 end"
        )
        async with bus.follow("tail/mine") as follower:
            await follower.forget()
        left = session.execute("select name from bus.watcher_cursor order by name").fetchall()
        assert left == [("named",), ("tail/new",)]


async def test_how_it_is_woken_is_proved(bus: Bus, settings: Settings) -> None:
    """Followers wait while a message is put: by NOTIFY, or by asking."""
    async with bus.follow("f") as follower:
        mode = await follower.wakened()
        assert (mode is Mode.TRANSACTION) == is_pooled(bus_dsn(settings))
        batches = follower.batches()
        waiting = asyncio.ensure_future(anext(batches))
        await asyncio.sleep(0.3)
        ids = await put(bus, 1)
        batch = await waiting
        assert ids_of(batch) == ids
        assert await follower.commit(batch)
        if mode is Mode.DIRECT:
            assert await bus.store.wake()


async def test_nobody_is_called_when_nobody_listens(bus: Bus) -> None:
    assert not await bus.store.wake()


def bus_dsn(settings: Settings) -> str:
    dsn = settings.database_dsn()
    assert dsn is not None
    return dsn


async def test_a_look_costs_the_same_however_many_messages_there_are(
    bus: Bus, settings: Settings
) -> None:
    """Blocks of the index by which messages are followed, at the start of a round: 30,000 messages
    fill 120 of them. The view of followers seeks likewise."""
    with psycopg.connect(direct(bus_dsn(settings)), autocommit=True) as session:
        async with bus.follow("f") as follower:
            await bus.put_many([b"x"] * 30_000)
            assert len(await drained(follower)) == 30_000
            before = read_blocks(session)
            for _ in range(10):
                assert await follower.next() is None
                session.execute("select waiting from bus.followers")
            assert (read_blocks(session) - before) / 20 < 60


def read_blocks(session: psycopg.Connection[tuple[int]]) -> int:
    """Of all the indexes by transaction. Other backends tell what they read within a second."""
    time.sleep(1.2)
    session.execute("select pg_stat_force_next_flush()")
    (blocks,) = session.execute(
        "select sum(idx_blks_hit + idx_blks_read)::bigint from pg_statio_all_indexes "
        "where schemaname = 'bus' and indexrelname like '%\\_xid\\_seq\\_idx'"
    ).fetchone() or (0,)
    return blocks
