"""What the store tells about messages: envelopes, listings, the audit trail, deliveries."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from busctl.adapters.clock import SkewedClock
from busctl.connect import Bus
from busctl.core.envelope import Compression, Labels, MessageType, Status
from busctl.core.errors import StoreFailed
from busctl.core.samples import sample
from busctl.ops.bus import Outgoing
from busctl.ports import Filter
from tests.adapters.bus_sql import MIB, connected, new_id, sql
from tests.conftest import direct


@pytest.mark.parametrize("size", [0, 50_000, 3 * MIB])
async def test_an_envelope_says_all_that_was_said(bus: Bus, size: int) -> None:
    payload = sample("json", size)
    labels = Labels(
        message_type=MessageType.WATCHER_OBSERVATION, content_type="application/json",
        tool_name="größer", session_id="s", request_id="r", owner="alice",
        metadata={"seen": ["a", 1, None], "ünï": {"x": 1.5}},
    )  # fmt: skip
    began = datetime.now(UTC)
    claim = await bus.put(payload, labels, ttl=timedelta(hours=3))
    envelope = await bus.stat(claim.transaction_id)
    assert envelope.labels == labels
    assert envelope.payload_size_bytes == size
    assert envelope.checksum == hashlib.sha256(payload).digest()
    assert envelope.compression is (Compression.ZSTD if size else Compression.NONE)
    assert envelope.chunk_count == (3 if size > MIB else 0)
    assert envelope.status is Status.PENDING
    assert envelope.expires_at - envelope.created_at == timedelta(hours=3)
    assert abs(envelope.created_at - began) < timedelta(minutes=1)
    assert (envelope.pinned, envelope.retrieved_count, envelope.retrieved_at) == (False, 0, None)
    assert envelope.write_duration_ms is not None


async def test_a_claim_says_when_the_message_expires(bus: Bus) -> None:
    claims = [await bus.put(b"x"), await bus.put(sample("json", 3 * MIB))]
    for claim in claims:
        assert claim.expires_at == (await bus.stat(claim.transaction_id)).expires_at


@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_deliveries_are_counted_and_in_the_trail(bus: Bus, size: int) -> None:
    chosen = (await bus.put(sample("json", size))).transaction_id
    await bus.get(chosen)
    await bus.get(chosen, offset=2, length=3)
    assert [piece async for piece in bus.stream(chosen)]
    envelope = await bus.stat(chosen)
    assert envelope.status is Status.DELIVERED
    assert envelope.retrieved_count == 3
    assert envelope.retrieved_at is not None
    assert envelope.retrieved_at >= envelope.created_at
    assert envelope.read_duration_ms is not None
    first, *rest = await bus.events(chosen)
    assert (first.kind, first.hop, first.detail["size"]) == ("stored", "store", size)
    assert [(event.kind, event.hop) for event in rest] == [("delivered", "client")] * 3
    whole = {"verified": True, "size": size, "checksum": envelope.checksum.hex()}
    part = {"length": 3, "offset": 2, "verified": True}
    assert sorted((dict(event.detail) for event in rest), key=str) == sorted(
        [part, whole, whole], key=str
    )


async def test_a_delivery_being_recorded_when_the_bus_closes_is_not_lost(database: str) -> None:
    async with connected(database) as bus:
        chosen = (await bus.put(b"x")).transaction_id
    async with await psycopg.AsyncConnection.connect(direct(database)) as holder:
        async with connected(database) as bus:
            await holder.execute("select 1 from bus.message_bus for update")
            await bus.get(chosen)
            await asyncio.sleep(0.2)  # the recording has begun and waits for the row

            async def release() -> None:
                await asyncio.sleep(0.3)  # until the bus is closing
                await holder.rollback()

            freeing = asyncio.create_task(release())
        await freeing
    async with connected(database) as bus:
        assert (await bus.stat(chosen)).retrieved_count == 1


async def test_pin_unpin_extend(bus: Bus) -> None:
    chosen = (await bus.put(b"x", ttl=timedelta(milliseconds=1))).transaction_id
    await asyncio.sleep(0.01)
    assert (await bus.pin(chosen)).pinned
    assert await bus.get(chosen) == b"x"
    unpinned = await bus.unpin(chosen)
    assert not unpinned.pinned
    assert unpinned.expires_at > datetime.now(UTC) + timedelta(hours=47)
    extended = await bus.extend(chosen, timedelta(hours=100))
    assert extended.expires_at > datetime.now(UTC) + timedelta(hours=99)
    kinds = [event.kind for event in await bus.events(chosen)]
    assert [kind for kind in kinds if kind != "delivered"] == [
        "stored", "pinned", "unpinned", "extended", "extended",
    ]  # fmt: skip


async def test_what_is_kept_can_be_handled_after_its_events_are_gone(
    bus: Bus, database: str
) -> None:
    """Events leave after 30 days with their partition; a pinned message may stay longer."""
    chosen = (await bus.put(b"x")).transaction_id
    await bus.pin(chosen)
    parts = await sql(
        database,
        "select inhrelid::regclass::text from pg_inherits "
        "where inhparent = 'bus.message_event'::regclass",
    )
    for (name,) in parts:
        await sql(database, f"drop table {name}")
    assert await bus.get(chosen) == b"x"
    await bus.deliveries.flush()
    assert bus.deliveries.unrecorded == 0
    assert (await bus.stat(chosen)).retrieved_count == 1
    await bus.extend(chosen, timedelta(hours=1))
    await bus.unpin(chosen)
    await bus.remove(chosen)


async def test_listing_filters(bus: Bus) -> None:
    old = new_id(-3600)
    await bus.put_many(
        [
            Outgoing(b"1", Labels(tool_name="grep", session_id="s1"), old),
            Outgoing(b"2", Labels(tool_name="grep", session_id="s2", request_id="r")),
            Outgoing(b"3", Labels(tool_name="cat", owner="alice")),
            Outgoing(b"4", Labels(message_type=MessageType.ERROR)),
        ]
    )
    read = await bus.list(Filter(tool_name="cat"))
    await bus.get(read[0].transaction_id)
    now = datetime.now(UTC)

    async def sizes(wanted: Filter) -> int:
        return len(await bus.list(wanted))

    assert await sizes(Filter()) == 4
    assert await sizes(Filter(tool_name="grep")) == 2
    assert await sizes(Filter(tool_name="grep", session_id="s2", request_id="r")) == 1
    assert await sizes(Filter(owner="alice")) == 1
    assert await sizes(Filter(message_type=MessageType.ERROR)) == 1
    assert await sizes(Filter(status=Status.DELIVERED)) == 1
    assert await sizes(Filter(status=Status.PENDING)) == 2
    assert await sizes(Filter(status=Status.ERROR)) == 1
    assert await sizes(Filter(status=Status.EXPIRED)) == 0
    assert await sizes(Filter(since=now - timedelta(minutes=30))) == 3
    (early,) = await bus.list(Filter(until=now - timedelta(minutes=30)))
    assert early.transaction_id == old
    assert await sizes(Filter(tool_name="' or true --")) == 0


async def test_paging_meets_every_message_once(bus: Bus) -> None:
    claims = await bus.put_many([str(number).encode() for number in range(25)])
    expected = sorted((claim.transaction_id for claim in claims), reverse=True)
    for oldest_first in (False, True):
        seen, after = [], None
        while page := await bus.list(Filter(after=after, limit=7, oldest_first=oldest_first)):
            seen += [one.transaction_id for one in page]
            after = seen[-1]
        assert seen == (expected[::-1] if oldest_first else expected)


@pytest.mark.parametrize("hours", [-20, 20])
async def test_claims_carry_the_stores_time_whatever_the_writers_clock_says(
    bus: Bus, hours: float
) -> None:
    off = Bus(bus.store, bus.settings, SkewedClock(timedelta(hours=hours)))
    claims = [*await off.put_many([b"one", b"two"]), await off.put(b"three")]
    for claim in claims:
        assert claim.expires_at == (await bus.stat(claim.transaction_id)).expires_at
        assert await bus.get(claim.transaction_id)


@pytest.mark.parametrize("size", [10, 3 * MIB])
async def test_a_writers_clock_that_is_a_year_ahead_is_told_as_that(bus: Bus, size: int) -> None:
    off = Bus(bus.store, bus.settings, SkewedClock(timedelta(days=365)))
    with pytest.raises(StoreFailed, match="too far ahead") as caught:
        await off.put(sample("json", size))
    assert "clock of this machine" in caught.value.remedy
    assert caught.value.transaction_id is not None


async def test_expired_messages_are_listed_as_expired(bus: Bus) -> None:
    await bus.put(b"x", ttl=timedelta(milliseconds=1))
    await asyncio.sleep(0.01)
    assert [one.status for one in await bus.list(Filter(status=Status.EXPIRED))] == [Status.EXPIRED]
    assert await bus.list(Filter(status=Status.PENDING)) == []


async def test_events_of_nothing(bus: Bus) -> None:
    assert await bus.events(new_id()) == []
