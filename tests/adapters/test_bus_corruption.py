"""Damage in the store is found and named: which message, which chunk, which bytes."""

from __future__ import annotations

import gzip
import hashlib
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest
import zstandard

from busctl.connect import Bus
from busctl.core.errors import MessageCorrupt
from busctl.core.samples import sample
from tests.adapters.bus_sql import MIB, connected, sql

pytestmark = pytest.mark.one_database

SIZE = 4 * MIB + 100
NULL = Path("/dev/null")
Read = Callable[[Bus, UUID], Awaitable[object]]


async def _get(bus: Bus, chosen: UUID) -> object:
    return await bus.get(chosen)


async def _stream(bus: Bus, chosen: UUID) -> object:
    return b"".join([piece async for piece in bus.stream(chosen)])


async def _file(bus: Bus, chosen: UUID) -> object:
    return await bus.get_file(chosen, NULL)


async def _stored(bus: Bus, chosen: UUID) -> object:
    return [piece async for piece in (await bus.open_stored(chosen)).pieces]


READS = pytest.mark.parametrize("read", [_get, _stream, _file, _stored])
COMPRESSIONS = pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])


@READS
@COMPRESSIONS
async def test_a_turned_bit_in_a_chunk(database: str, read: Read, compression: str) -> None:
    async with connected(database, compression=compression) as bus:
        chosen = (await bus.put(sample("json", SIZE))).transaction_id
        await _turn_bits(database, chosen, 2)
        await _corrupt(bus, read, chosen, chunk=2, bytes_=(2 * MIB, 3 * MIB))


@READS
@COMPRESSIONS
async def test_a_turned_bit_in_the_row(database: str, read: Read, compression: str) -> None:
    async with connected(database, compression=compression) as bus:
        for size in (1, 40_000, MIB):
            chosen = (await bus.put(sample("json", size))).transaction_id
            await sql(
                database,
                "update bus.message_bus set payload = set_byte(payload, length(payload) / 2, "
                "get_byte(payload, length(payload) / 2) # 1) where transaction_id = %s",
                chosen,
            )
            await _corrupt(bus, read, chosen, chunk=None, bytes_=(0, size))


@READS
async def test_several_damaged_chunks_name_the_first(
    bus: Bus, database: str, read: Read, caplog: pytest.LogCaptureFixture
) -> None:
    """And the errors of those behind it are not printed as if nobody had looked."""
    import gc

    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    await _turn_bits(database, chosen, 1, 2, 3, 4)
    await _corrupt(bus, read, chosen, chunk=1, bytes_=(MIB, 2 * MIB))
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


@READS
@pytest.mark.parametrize("gone", [0, 3, 4])
async def test_a_missing_chunk(bus: Bus, database: str, read: Read, gone: int) -> None:
    chosen = (await bus.put(sample("json", SIZE))).transaction_id
    await sql(
        database,
        "delete from bus.message_chunk where transaction_id = %s and seq = %s", chosen, gone,
    )  # fmt: skip
    stop = min(SIZE, (gone + 1) * MIB)
    await _corrupt(bus, read, chosen, chunk=gone, bytes_=(gone * MIB, stop))


@READS
@COMPRESSIONS
async def test_a_truncated_chunk(database: str, read: Read, compression: str) -> None:
    async with connected(database, compression=compression) as bus:
        chosen = (await bus.put(sample("json", SIZE))).transaction_id
        await sql(
            database,
            "update bus.message_chunk set body = substr(body, 1, length(body) - 1) "
            "where transaction_id = %s and seq = 4",
            chosen,
        )
        await _corrupt(bus, read, chosen, chunk=4, bytes_=(4 * MIB, SIZE))


@READS
async def test_swapped_bodies(bus: Bus, database: str, read: Read) -> None:
    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    await sql(
        database,
        "update bus.message_chunk one set body = other.body from bus.message_chunk other "
        "where one.transaction_id = %s and other.transaction_id = one.transaction_id "
        "and one.seq in (0, 1) and other.seq = 1 - one.seq",
        chosen,
    )
    await _corrupt(bus, read, chosen, chunk=0, bytes_=(0, MIB))


@READS
async def test_swapped_rows_each_with_its_own_digest(bus: Bus, database: str, read: Read) -> None:
    """Each chunk is right by itself: only the digest of the whole tells."""
    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    for seq, renamed in ((0, 99), (1, 0), (99, 1)):
        await sql(
            database,
            "update bus.message_chunk set seq = %s where transaction_id = %s and seq = %s",
            renamed, chosen, seq,
        )  # fmt: skip
    await _corrupt(bus, read, chosen, chunk=None, bytes_=(0, SIZE))


@pytest.mark.parametrize(
    ("offset", "length", "bad"), [(0, MIB, 0), (MIB - 1, 2, 1), (4 * MIB, None, 4)]
)
async def test_a_range_over_a_damaged_chunk(
    bus: Bus, database: str, offset: int, length: int | None, bad: int
) -> None:
    payload = sample("random", SIZE)
    chosen = (await bus.put(payload)).transaction_id
    await _turn_bits(database, chosen, bad)
    with pytest.raises(MessageCorrupt) as caught:
        await bus.get(chosen, offset=offset, length=length)
    assert caught.value.chunk == bad
    assert await bus.get(chosen, offset=2 * MIB, length=MIB) == payload[2 * MIB : 3 * MIB]


async def test_a_file_on_its_way_is_left_as_it_was(bus: Bus, database: str, tmp_path: Path) -> None:
    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    await _turn_bits(database, chosen, 4)
    target = tmp_path / "target"
    target.write_bytes(b"what was there")
    with pytest.raises(MessageCorrupt):
        await bus.get_file(chosen, target)
    assert target.read_bytes() == b"what was there"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


async def test_a_stream_never_gives_all_bytes_of_a_damaged_payload(bus: Bus, database: str) -> None:
    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    await _turn_bits(database, chosen, 0)
    given: list[int] = []

    async def drain() -> None:
        async for piece in bus.stream(chosen):
            given.append(len(piece))

    with pytest.raises(MessageCorrupt):
        await drain()
    assert sum(given) < SIZE


async def test_damage_is_in_the_audit_trail(bus: Bus, database: str) -> None:
    chosen = (await bus.put(sample("random", SIZE))).transaction_id
    await _turn_bits(database, chosen, 3)
    for read in (_get, _stream, _stored):
        with pytest.raises(MessageCorrupt):
            await read(bus, chosen)
    noted = [event for event in await bus.events(chosen) if event.kind == "corrupt"]
    assert [event.detail["chunk"] for event in noted] == [3, 3, 3]
    assert noted[0].detail["bytes"] == [3 * MIB, 4 * MIB]
    assert (await bus.stat(chosen)).retrieved_count == 0


@pytest.mark.alone
@COMPRESSIONS
async def test_without_verification_bytes_are_as_stored_but_never_fewer(
    database: str, compression: str
) -> None:
    payload = sample("random", SIZE)
    async with connected(database, compression=compression, checksum_enabled=False) as bus:
        claim = await bus.put(payload)
        assert claim.checksum == hashlib.sha256(payload).hexdigest()
        envelope = await bus.stat(claim.transaction_id)
        assert envelope.checksum == hashlib.sha256(payload).digest()
        digests = await sql(
            database,
            "select seq, raw_checksum::bytea, sha256(body) = stored_checksum::bytea "
            "from bus.message_chunk order by seq",
        )
        assert [(bytes(row[1]), row[2]) for row in digests] == [
            (hashlib.sha256(payload[seq * MIB : (seq + 1) * MIB]).digest(), True)
            for seq in range(5)
        ]
        assert await bus.get(claim.transaction_id) == payload
        if compression == "none":
            await _turn_bits(database, claim.transaction_id, 2)
            changed = await bus.get(claim.transaction_id)
            assert len(changed) == SIZE
            assert changed != payload
        await sql(
            database,
            "update bus.message_chunk set body = substr(body, 1, length(body) - 1) where seq = 1",
        )
        with pytest.raises(MessageCorrupt) as caught:
            await bus.get(claim.transaction_id)
        assert caught.value.chunk == 1
        await sql(database, "delete from bus.message_chunk where seq = 0")
        with pytest.raises(MessageCorrupt, match="not in the store"):
            await bus.get(claim.transaction_id)


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
async def test_ten_joined_frames_in_one_body_are_read_whole(
    bus: Bus, database: str, compression: str
) -> None:
    """Another writer may have joined frames: `zstandard.decompress` alone returns the first."""
    parts = [sample("json", 20_000, seed) for seed in range(10)]
    raw = b"".join(parts)
    pack = zstandard.ZstdCompressor().compress if compression == "zstd" else gzip.compress
    body = b"".join(pack(part) for part in parts)
    chosen = (await bus.put(raw)).transaction_id
    await _put_body(database, chosen, body, compression)
    assert await bus.get(chosen) == raw
    assert await _stream(bus, chosen) == raw
    assert await bus.get(chosen, offset=150_000, length=10) == raw[150_000:150_010]


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
async def test_a_bomb_is_refused_in_bounded_memory(
    bus: Bus, database: str, compression: str
) -> None:
    pack = zstandard.ZstdCompressor().compress if compression == "zstd" else gzip.compress
    bomb = pack(bytes(200_000_000))
    chosen = (await bus.put(sample("json", 5_000))).transaction_id
    await _put_body(database, chosen, bomb, compression)
    tracemalloc.start()
    try:
        with pytest.raises(MessageCorrupt, match="more than 5000 bytes"):
            await bus.get(chosen)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB


async def _put_body(database: str, chosen: UUID, body: bytes, compression: str) -> None:
    await sql(
        database,
        "update bus.message_bus set payload = %s, compression = %s::bus.compression, "
        "stored_size_bytes = %s, stored_checksum = %s where transaction_id = %s",
        body, compression, len(body), hashlib.sha256(body).digest(), chosen,
    )  # fmt: skip


async def _turn_bits(database: str, chosen: UUID, *chunks: int) -> None:
    await sql(
        database,
        "update bus.message_chunk set body = set_byte(body, length(body) / 2, "
        "get_byte(body, length(body) / 2) # 1) where transaction_id = %s and seq = any (%s)",
        chosen, list(chunks),
    )  # fmt: skip


async def _corrupt(
    bus: Bus, read: Read, chosen: UUID, *, chunk: int | None, bytes_: tuple[int, int]
) -> None:
    null = NULL.stat().st_mode
    with pytest.raises(MessageCorrupt, match=str(chosen)) as caught:
        await read(bus, chosen)
    assert (caught.value.transaction_id, caught.value.chunk) == (chosen, chunk)
    assert caught.value.byte_range == bytes_
    assert NULL.stat().st_mode == null
