"""One id names one payload: a retry is the same message, anything else is refused by name."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from busctl.connect import Bus
from busctl.core.envelope import ClaimCheck
from busctl.core.errors import DigestMismatch, MessageMissing, TransactionConflict
from busctl.core.samples import sample
from busctl.ops.bus import Outgoing
from tests.adapters.bus_sql import MIB, connected, new_id, sql

pytestmark = pytest.mark.one_database

Way = Callable[[Bus, bytes, UUID], Awaitable[ClaimCheck]]


async def _by_put(bus: Bus, payload: bytes, chosen: UUID) -> ClaimCheck:
    return await bus.put(payload, transaction_id=chosen)


async def _by_file(bus: Bus, payload: bytes, chosen: UUID) -> ClaimCheck:
    return await bus.put_file(io.BytesIO(payload), transaction_id=chosen)


async def _by_many(bus: Bus, payload: bytes, chosen: UUID) -> ClaimCheck:
    _, claim = await bus.put_many([b"another", Outgoing(payload, transaction_id=chosen)])
    return claim


WAYS = pytest.mark.parametrize("way", [_by_put, _by_file, _by_many])
SIZES = [0, 100, 100_000, MIB, MIB + 1, 5_000_000]


@WAYS
async def test_a_retry_is_the_same_message(bus: Bus, way: Way) -> None:
    for size in SIZES:
        payload, chosen = sample("json", size), new_id()
        first = await bus.put(payload, transaction_id=chosen)
        again = await way(bus, payload, chosen)
        assert again.as_json() == first.as_json()
        assert await bus.get(chosen) == payload
        assert await _stored_times(bus, chosen) == 1


@WAYS
@pytest.mark.parametrize("other_size", [50, 5_000_000])
async def test_another_payload_is_a_conflict(bus: Bus, way: Way, other_size: int) -> None:
    for size in SIZES:
        payload, chosen = sample("json", size), new_id()
        await bus.put(payload, transaction_id=chosen)
        with pytest.raises(TransactionConflict) as caught:
            await way(bus, sample("random", other_size, seed=9), chosen)
        assert caught.value.transaction_id == chosen
        assert await bus.get(chosen) == payload
        chunks = (await bus.stat(chosen)).chunk_count
        stored = "select count(*) from bus.message_chunk where transaction_id = %s"
        assert await sql(_dsn(bus), stored, chosen) == [(chunks,)]


@pytest.mark.parametrize("size", [100, MIB, 3 * MIB])
async def test_many_at_the_same_time_are_one_message(bus: Bus, size: int) -> None:
    payload, chosen = sample("json", size), new_id()
    claims = await asyncio.gather(*(bus.put(payload, transaction_id=chosen) for _ in range(6)))
    assert {claim.checksum for claim in claims} == {hashlib.sha256(payload).hexdigest()}
    assert await bus.get(chosen) == payload
    assert await _stored_times(bus, chosen) == 1


@pytest.mark.parametrize("size", [100, 3 * MIB])
async def test_of_different_payloads_at_the_same_time_one_is_stored(bus: Bus, size: int) -> None:
    payloads, chosen = [sample("json", size, seed) for seed in range(6)], new_id()
    putting = (bus.put(payload, transaction_id=chosen) for payload in payloads)
    outcomes = await asyncio.gather(*putting, return_exceptions=True)
    tried = zip(payloads, outcomes, strict=True)
    stored = [payload for payload, outcome in tried if isinstance(outcome, ClaimCheck)]
    assert [await bus.get(chosen)] == stored
    assert sum(isinstance(outcome, TransactionConflict) for outcome in outcomes) == 5


async def test_one_id_twice_in_a_list(bus: Bus) -> None:
    chosen = new_id()
    same = [Outgoing(b"same", transaction_id=chosen)] * 2
    one, two = await bus.put_many(same)
    assert (one.transaction_id, one.checksum) == (two.transaction_id, two.checksum)
    assert await _stored_times(bus, chosen) == 1
    with pytest.raises(TransactionConflict):
        await bus.put_many(
            [Outgoing(text, transaction_id=other) for other in [new_id()] for text in (b"a", b"b")]
        )


async def test_a_list_larger_than_one_statement(bus: Bus) -> None:
    payloads = [sample("random", 60_000, seed) for seed in range(150)]
    claims = await bus.put_many(payloads)
    assert [await bus.get(claim.transaction_id) for claim in claims] == payloads


@pytest.mark.parametrize("size", [100, MIB, 3 * MIB])
async def test_bytes_other_than_announced_are_not_stored(bus: Bus, size: int) -> None:
    payload, chosen = sample("json", size), new_id()
    digest = hashlib.sha256(payload).hexdigest()
    wrong = hashlib.sha256(b"other").hexdigest()
    for refused in (
        bus.put(payload, transaction_id=chosen, checksum=wrong),
        bus.put_file(io.BytesIO(payload), transaction_id=chosen, checksum=wrong),
    ):
        with pytest.raises(DigestMismatch, match=digest) as caught:
            await refused
        assert caught.value.transaction_id == chosen
    with pytest.raises(MessageMissing):
        await bus.get(chosen)
    claim = await bus.put(payload, transaction_id=chosen, checksum=digest.upper())
    assert claim.checksum == digest
    with pytest.raises(DigestMismatch):
        await bus.put(payload, transaction_id=chosen, checksum=wrong)


@pytest.mark.parametrize("size", [100, 5 * MIB])
async def test_the_server_checks_what_it_stored(database: str, size: int) -> None:
    """Also with one connection: checking must not wait for the one that stored."""
    async with connected(
        database, verify_integrity=True, pool_max_size=1, connect_timeout_secs=1
    ) as bus:
        payload = sample("json", size)
        claims = await asyncio.gather(*(bus.put(payload) for _ in range(3)))
        assert [await bus.get(claim.transaction_id) for claim in claims] == [payload] * 3


@pytest.mark.alone
@pytest.mark.parametrize(("size", "part"), [(100, None), (5 * MIB, 0)])
async def test_the_server_names_what_it_stored_wrongly(
    database: str, size: int, part: int | None
) -> None:
    """A trigger plays the disk that turns a bit."""
    from busctl.core.errors import MessageCorrupt

    await sql(
        database,
        "create function public.turn() returns trigger language plpgsql as $$ begin "
        "if tg_argv[0] = 'row' then new.payload := set_byte(new.payload, 0, 7); "
        "else new.body := set_byte(new.body, 9, 7); end if; return new; end $$",
    )
    for table, what in (("message_bus", "row"), ("message_chunk", "chunk")):
        when = "new.payload is not null" if what == "row" else "new.seq = 0"
        await sql(
            database,
            f"create trigger turn before insert on bus.{table} for each row "
            f"when ({when}) execute function public.turn('{what}')",
        )
    chosen = new_id()
    async with connected(database, verify_integrity=True) as bus:
        with pytest.raises(MessageCorrupt, match="on its way into the store") as caught:
            await bus.put(sample("random", size), transaction_id=chosen)
        with pytest.raises(MessageMissing):  # it was rolled back
            await bus.get(chosen)
        await sql(
            database, "drop trigger turn on bus.message_bus; drop trigger turn on bus.message_chunk"
        )
        await bus.put(sample("random", size), transaction_id=chosen)
        assert await bus.get(chosen) == sample("random", size)
    assert (caught.value.transaction_id, caught.value.chunk) == (chosen, part)


async def _stored_times(bus: Bus, chosen: UUID) -> int:
    return sum(event.kind == "stored" for event in await bus.events(chosen))


def _dsn(bus: Bus) -> str:
    dsn = bus.settings.database_dsn()
    assert dsn is not None
    return dsn
