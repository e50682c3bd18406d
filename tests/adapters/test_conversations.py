"""Whose turn it is in a conversation, told by the store to all daemons; and what leaves it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.conversations import PostgresConversations
from busctl.adapters.postgres.retention import PostgresRetention
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels
from busctl.core.errors import MessageExpired
from busctl.core.providers.conversation import Role
from busctl.ops.cleanup import cleanup
from busctl.ports import Floor, Spoken, Thread
from tests.adapters.bus_sql import sql

LEASE, TTL = timedelta(seconds=30), timedelta(hours=1)
THREAD = Thread("alice", "talk")
PROMPT, ANSWER = (
    Spoken(Role.USER, UUID(int=1), {"size": 1}), Spoken(Role.ASSISTANT, UUID(int=2), {}),
)  # fmt: skip


async def test_one_at_a_time_has_the_turn(bus: Bus) -> None:
    talks = PostgresConversations(cast(PostgresStore, bus.store.inner))
    given = await asyncio.gather(*(talks.begin(THREAD, f"h{n}", LEASE, TTL) for n in range(8)))
    assert [one for one in given if one is not None] == [Floor(0, None)]
    holder = f"h{next(n for n, one in enumerate(given) if one)}"
    assert await talks.renew(THREAD, holder, LEASE)
    assert not await talks.renew(THREAD, "another", LEASE)
    assert await talks.add(THREAD, "another", [PROMPT], "kimi", TTL) is None
    assert await talks.add(THREAD, holder, [PROMPT, ANSWER], "kimi", TTL) == 1
    assert await talks.begin(THREAD, "next", LEASE, TTL) == Floor(1, "kimi")
    await talks.free(THREAD, "next")
    assert await talks.begin(THREAD, "after", LEASE, TTL) == Floor(1, "kimi")
    parts = await talks.parts(THREAD)
    assert [(one.turn, one.role, one.transaction_id.int) for one in parts] == [
        (1, Role.USER, 1), (1, Role.ASSISTANT, 2),
    ]  # fmt: skip
    assert parts[0].detail == {"size": 1}


async def test_a_turn_whose_daemon_died_ends_by_itself(bus: Bus) -> None:
    talks = PostgresConversations(cast(PostgresStore, bus.store.inner))
    assert await talks.begin(THREAD, "dead", timedelta(milliseconds=1), TTL)
    await asyncio.sleep(0.05)
    assert await talks.begin(THREAD, "next", LEASE, TTL)
    assert await talks.add(THREAD, "dead", [PROMPT], "kimi", TTL) is None


async def test_the_same_name_of_another_owner_is_another_conversation(bus: Bus) -> None:
    talks = PostgresConversations(cast(PostgresStore, bus.store.inner))
    await talks.begin(THREAD, "h", LEASE, TTL)
    await talks.add(THREAD, "h", [PROMPT], "kimi", TTL)
    bobs = Thread("bob", THREAD.conversation_id)
    assert await talks.begin(bobs, "h", LEASE, TTL) == Floor(0, None)
    assert await talks.parts(bobs) == []


async def test_a_turn_prolongs_what_was_said_before(bus: Bus, settings: Settings) -> None:
    talks = PostgresConversations(cast(PostgresStore, bus.store.inner))
    said, gone, bobs = [
        (await bus.put(b"x", Labels(owner=owner), ttl=ttl)).transaction_id
        for owner, ttl in (("alice", TTL / 2), ("alice", TTL), ("bob", TTL / 2))
    ]
    await sql(
        settings.database_dsn() or "",
        f"update bus.message_bus set expires_at = now() where transaction_id = '{gone}'",
    )
    await talks.begin(THREAD, "h", LEASE, TTL)
    await talks.add(
        THREAD, "h", [Spoken(Role.USER, one, {}) for one in (said, gone, bobs)], "", TTL
    )
    before = {one: (await bus.stat(one)).expires_at for one in (said, bobs)}
    await talks.prolong(THREAD, TTL)
    after = (await bus.stat(said)).expires_at
    assert after - before[said] > TTL / 3
    assert (await bus.stat(bobs)).expires_at == before[bobs]
    with pytest.raises(MessageExpired):
        await bus.get(gone)
    await talks.prolong(THREAD, TTL / 4)  # never shorter
    assert (await bus.stat(said)).expires_at == after


async def test_what_has_ended_leaves_with_a_cleanup(bus: Bus, settings: Settings) -> None:
    dsn = settings.database_dsn() or ""
    store = cast(PostgresStore, bus.store.inner)
    talks = PostgresConversations(store)
    for name, ttl in (("old", timedelta(0)), ("new", TTL)):
        thread = Thread("alice", name)
        await talks.begin(thread, "h", LEASE, timedelta(0))
        await talks.add(thread, "h", [PROMPT], "kimi", ttl)
    await sql(dsn, "update bus.conversation set lease_until = now()")
    await sql(
        dsn,
        "insert into bus.file_text values (sha256('old'), 'o', 's', gen_random_uuid(), now()), "
        "(sha256('new'), 'o', 's', gen_random_uuid(), now() + interval '1 hour')",
    )
    await sql(
        dsn,
        "insert into bus.provider_file (sha256, provider, account, purpose, name, size_bytes, "
        "file_id, lease_until, expires_at) values "
        "(sha256('forgotten'), 'p', 'a', 'p', 'n', 1, 'f', now(), now()), "
        "(sha256('unfinished'), 'p', 'a', 'p', 'n', 1, null, now() - interval '2 days', null), "
        "(sha256('kept'), 'p', 'a', 'p', 'kept', 1, 'g', now() - interval '9 days', null)",
    )
    async with PostgresRetention(store) as retention:
        await cleanup(retention, keep_events=timedelta(days=30), clock=SystemClock())
    rows = await sql(
        dsn,
        "select (select array_agg(conversation_id) from bus.conversation), "
        "(select array_agg(conversation_id) from bus.conversation_part), "
        "(select count(*) from bus.file_text), (select array_agg(name) from bus.provider_file)",
    )
    assert rows == [(["new"], ["new"], 1, ["kept"])]
