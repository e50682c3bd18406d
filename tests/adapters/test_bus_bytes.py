"""What goes in comes out: any bytes, any way in, any way out, on both versions of the server."""

from __future__ import annotations

import array
import asyncio
import hashlib
import io
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from busctl.connect import Bus
from busctl.core.envelope import CHUNK_BYTES, Compression, Labels
from busctl.core.errors import (
    ConfigurationError,
    PayloadTooLarge,
    SchemaMissing,
    SizeMismatch,
)
from busctl.core.samples import KINDS, Kind, sample
from tests.adapters.bus_sql import MIB, connected, sql
from tests.conftest import shared_or_new

pytestmark = pytest.mark.one_database

# One database and one bus serve all examples of a test; each example has an id of its own.
few = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=["18", "15"])
async def any_bus(
    request: pytest.FixtureRequest, of_this_module: dict[str, str]
) -> AsyncIterator[Bus]:
    """A bus on each version of PostgreSQL that is supported."""
    # Not `database15`, which is async: getting it by name needs the loop of the test.
    server = request.getfixturevalue({"18": "server", "15": "server15"}[request.param])
    async with connected(await shared_or_new(request, server, of_this_module)) as bus:
        yield bus


@pytest.mark.parametrize("compression", ["auto", "none", "gzip", "zstd"])
@few
@given(payload=st.one_of(st.binary(max_size=3_000), st.binary(max_size=20).map(lambda b: b * 400)))
async def test_any_bytes_come_back(any_bus: Bus, compression: str, payload: bytes) -> None:
    any_bus.settings = any_bus.settings.model_copy(update={"compression": compression})
    claim = await any_bus.put(payload)
    assert await any_bus.get(claim.transaction_id) == payload
    assert claim.checksum == hashlib.sha256(payload).hexdigest()
    assert claim.payload_size_bytes == len(payload)


@few
@given(payloads=st.lists(st.binary(max_size=500), max_size=30))
async def test_many_at_once_come_back_in_order(any_bus: Bus, payloads: list[bytes]) -> None:
    claims = await any_bus.put_many(payloads)
    assert [await any_bus.get(claim.transaction_id) for claim in claims] == payloads


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1])
async def test_sizes_around_a_chunk(any_bus: Bus, size: int, compression: str) -> None:
    any_bus.settings = any_bus.settings.model_copy(update={"compression": compression})
    payload = sample("json", size)
    by_memory = await any_bus.put(payload)
    by_file = await any_bus.put_file(io.BytesIO(payload))
    by_stream = await any_bus.put_stream(_pieces(payload, 400_000))
    for claim in (by_memory, by_file, by_stream):
        assert await any_bus.get(claim.transaction_id) == payload
        envelope = await any_bus.stat(claim.transaction_id)
        assert envelope.chunk_count == (0 if size <= MIB else -(-size // MIB))
        assert envelope.payload_size_bytes == size


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_sample(bus: Bus, kind: Kind) -> None:
    for size in (1_000, 100_000, 3_000_000):
        payload = sample(kind, size, seed=size)
        claim = await bus.put(payload, Labels(content_type="application/json"))
        assert await bus.get(claim.transaction_id) == payload


async def test_buffers_of_every_type(bus: Bus) -> None:
    import array

    numbers = array.array("I", range(500_000))
    for buffer in (bytearray(b"\x00\xff"), memoryview(b"abcdef")[1:], memoryview(numbers)):
        claim = await bus.put(buffer)
        assert await bus.get(claim.transaction_id) == bytes(buffer)
    text = await bus.put("naïve \x00 text")
    assert await bus.get(text.transaction_id) == "naïve \x00 text".encode()
    assert (text.content_type, text.preview) == ("text/plain; charset=utf-8", "naïve ␀ text")


@given(data=st.data())
@few
async def test_any_range_is_the_slice(bus: Bus, data: st.DataObject) -> None:
    chunked, small = sample("json", 3 * MIB + 77), sample("hostile", 5_000)
    payload = data.draw(st.sampled_from([chunked, small]))
    edges = [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, len(payload) - 1, len(payload), len(payload) + 9]
    offset = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, len(payload) + 9)))
    length = data.draw(st.one_of(st.none(), st.sampled_from(edges), st.integers(0, len(payload))))
    claim = await _put_once(bus, payload)
    stop = None if length is None else offset + length
    assert await bus.get(claim, offset=offset, length=length) == payload[offset:stop]
    streamed = [piece async for piece in bus.stream(claim, offset=offset, length=length)]
    assert b"".join(streamed) == payload[offset:stop]


async def _put_once(bus: Bus, payload: bytes) -> UUID:
    known: dict[bytes, UUID] = bus.__dict__.setdefault("known", {})
    if payload not in known:
        known[payload] = (await bus.put(payload)).transaction_id
    return known[payload]


@pytest.mark.parametrize("size", [10, 3 * MIB])
@pytest.mark.parametrize(("offset", "length"), [(-1, None), (0, -1), (-5, 3)])
async def test_a_negative_range_is_refused(
    bus: Bus, size: int, offset: int, length: int | None
) -> None:
    claim = await bus.put(sample("random", size))
    with pytest.raises(ConfigurationError, match="negative"):
        await bus.get(claim.transaction_id, offset=offset, length=length)
    with pytest.raises(ConfigurationError, match="negative"):
        await bus.open(claim.transaction_id, offset=offset, length=length)


@given(sizes=st.lists(st.integers(0, 900_000), max_size=12))
@settings(few, max_examples=12)
async def test_a_stream_of_odd_pieces(bus: Bus, sizes: list[int]) -> None:
    payload = sample("text", sum(sizes))

    async def pieces() -> AsyncIterator[bytes]:
        start = 0
        for size in sizes:
            yield payload[start : start + size]
            start += size

    claim = await bus.put_stream(pieces())
    assert await bus.get(claim.transaction_id) == payload


async def _pieces(payload: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(payload), size):
        yield payload[start : start + size]


@pytest.mark.parametrize("size", [0, 70_000, MIB, 3 * MIB + 5])
async def test_a_file_from_a_pipe(bus: Bus, size: int) -> None:
    payload = sample("json", size)
    reader, writer = os.pipe()

    def feed() -> None:
        with os.fdopen(writer, "wb") as out:
            for start in range(0, len(payload), 50_001):
                out.write(payload[start : start + 50_001])
                out.flush()

    feeding = threading.Thread(target=feed)
    feeding.start()
    with os.fdopen(reader, "rb") as source:
        claim = await bus.put_file(source)
    feeding.join()
    assert await bus.get(claim.transaction_id) == payload


async def test_files_in_and_out(bus: Bus, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    for size in (0, 5_000, MIB, 2 * MIB + 1):
        source.write_bytes(sample("hostile", size))
        claim = await bus.put_file(source)
        assert (await bus.get_file(claim.transaction_id, target)).checksum == claim.checksum
        assert target.read_bytes() == source.read_bytes()
    umask = os.umask(0)
    os.umask(umask)
    assert target.stat().st_mode & 0o777 == 0o666 & ~umask
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


async def test_a_file_is_written_through_a_link_and_into_a_pipe(bus: Bus, tmp_path: Path) -> None:
    """What is not a plain file stays what it is: nobody wants /dev/null replaced."""
    payload = sample("json", 2 * MIB)
    claim = await bus.put(payload)
    real, link, fifo = tmp_path / "real", tmp_path / "link", tmp_path / "fifo"
    real.write_bytes(b"old")
    link.symlink_to(real)
    await bus.get_file(claim.transaction_id, link)
    assert link.is_symlink()
    assert real.read_bytes() == payload

    os.mkfifo(fifo)
    # At once: a task of its own would begin when `get_file` first waits, and that opens the pipe.
    reading = asyncio.get_running_loop().run_in_executor(None, fifo.read_bytes)
    await bus.get_file(claim.transaction_id, fifo)
    assert await reading == payload
    assert fifo.is_fifo()


@pytest.mark.alone
async def test_too_large_is_refused_before_and_while_reading(database: str) -> None:
    async with connected(database, max_payload_mb=2) as bus:
        exact = sample("zeros", 2_000_000)
        assert await bus.get((await bus.put(exact)).transaction_id) == exact
        over = exact + b"x"
        reader, writer = os.pipe()
        feeding = threading.Thread(target=_feed, args=(writer, over))
        feeding.start()
        with os.fdopen(reader, "rb") as pipe:
            for refused in (
                bus.put(over),
                bus.put_file(io.BytesIO(over)),
                bus.put_file(pipe),
                bus.put_stream(_pieces(over, 300_000)),
                bus.put_many([over]),
            ):
                with pytest.raises(PayloadTooLarge, match="2,000,000"):
                    await refused
        feeding.join()
        assert len(await bus.list()) == 1


def _feed(writer: int, payload: bytes) -> None:
    with os.fdopen(writer, "wb") as out:
        try:
            out.write(payload)
        except BrokenPipeError:
            return  # refused before it had read all: what the test is about


@pytest.mark.alone
async def test_a_small_limit_holds_for_put_many_too(database: str) -> None:
    async with connected(database, max_payload_mb=0.001) as bus:
        with pytest.raises(PayloadTooLarge):
            await bus.put_many([b"x" * 1_000, b"x" * 1_001])
        assert await bus.list() == []


async def test_stored_bytes_are_the_frames_in_order(bus: Bus) -> None:
    from busctl.core.codec import Decoder

    for size in (50_000, 3 * MIB):
        payload = sample("json", size)
        claim = await bus.put(payload)
        opened = await bus.open_stored(claim.transaction_id)
        stored = b"".join([piece async for piece in opened.pieces])
        assert claim.compression is Compression.ZSTD
        assert len(stored) == opened.stored_size_bytes == opened.stop
        assert hashlib.sha256(stored).digest() == opened.stored_checksum
        assert Decoder(Compression.ZSTD).decode(stored, size) == payload


def test_a_chunk_is_a_mebibyte() -> None:
    assert CHUNK_BYTES == MIB


@pytest.mark.parametrize("count", [3, 30_000, 600_000])
async def test_views_of_wider_items_are_their_bytes(bus: Bus, count: int) -> None:
    """Their length counts items, their size in bytes is another."""
    view = memoryview(array.array("I", range(count)))

    async def twice() -> AsyncIterator[memoryview]:
        yield view
        yield view

    (many,) = await bus.put_many([view])
    for claim, payload in (
        (many, view.tobytes()),
        (await bus.put(view), view.tobytes()),
        (await bus.put_stream(twice()), view.tobytes() * 2),
    ):
        assert claim.payload_size_bytes == len(payload)
        assert await bus.get(claim.transaction_id) == payload


async def test_a_pipe_that_does_not_block_is_read_to_its_end(bus: Bus) -> None:
    """It says "nothing yet" in mid-payload, which is not its end."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def feed() -> None:
        with os.fdopen(writer, "wb", buffering=0) as feeding:
            for _ in range(20):
                feeding.write(b"x" * 1000)
                time.sleep(0.01)

    thread = threading.Thread(target=feed)
    with os.fdopen(reader, "rb") as pipe:
        thread.start()
        claim = await bus.put_file(pipe)
    thread.join()
    assert claim.payload_size_bytes == 20_000


class _SlowFile(io.FileIO):
    """A file as on a busy network disk; `seconds` a read."""

    seconds = 0.04

    def read(self, size: int | None = -1, /) -> bytes:
        time.sleep(self.seconds)
        return super().read(-1 if size is None else size)


@pytest.mark.alone
@pytest.mark.parametrize("ends", ["error", "cancelled"])
async def test_a_file_is_put_again_after_a_failure(
    bus: Bus, database: str, tmp_path: Path, ends: str
) -> None:
    """When put_file has ended nothing reads on, or a retry would store fewer bytes, no one told."""
    payload = sample("random", 12 * MIB + 5)
    source = tmp_path / "source"
    source.write_bytes(payload)
    with _SlowFile(str(source)) as opened:
        for delay in (0.06, 0.1, 0.14, 0.18):
            opened.seek(0)
            opened.seconds = 0.04
            if ends == "error":
                await sql(database, "alter table bus.message_chunk rename to elsewhere")
                with pytest.raises(SchemaMissing, match="migrate verify"):
                    await bus.put_file(opened)
                await sql(database, "alter table bus.elsewhere rename to message_chunk")
            else:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(delay):
                        await bus.put_file(opened)
            opened.seconds = 0
            opened.seek(0)
            claim = await bus.put_file(opened)
            assert claim.checksum == hashlib.sha256(payload).hexdigest()


class Shrinking(io.FileIO):
    """A file that somebody cuts while it is read."""

    def __init__(self, path: Path, left: int) -> None:
        super().__init__(path, "r+")
        self._left = left

    def read(self, size: int | None = -1) -> bytes:
        self.truncate(self._left)
        return super().read(size) or b""


@pytest.mark.parametrize(("size", "left"), [(1000, 999), (MIB, 0), (5 * MIB, MIB), (5 * MIB, 3)])
async def test_a_file_that_shrinks_while_it_is_read_is_refused(
    bus: Bus, tmp_path: Path, size: int, left: int
) -> None:
    before = await bus.list()
    path = tmp_path / "shrinking"
    path.write_bytes(sample("random", size))
    with Shrinking(path, left) as source, pytest.raises(SizeMismatch, match=f"{size:,}") as caught:
        await bus.put_file(source)
    assert f"{left:,} were there" in str(caught.value)
    assert await bus.list() == before


class Growing(io.FileIO):
    """A file that somebody writes to while it is read: each time its end was seen there is more."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "a+")
        self.seek(0)
        self._left = 3

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size) or b""
        if not piece and self._left:
            self._left -= 1
            place = self.tell()
            self.write(sample("random", MIB + 7))
            self.seek(place)
        return piece


@pytest.mark.parametrize("size", [0, 1000, MIB, MIB + 1, 5 * MIB - 1])
@pytest.mark.parametrize("compression", ["none", "zstd"])
async def test_of_a_file_that_grows_while_it_is_read_a_whole_beginning_is_stored(
    bus: Bus, tmp_path: Path, size: int, compression: str
) -> None:
    bus.settings = bus.settings.model_copy(update={"compression": compression})
    path = tmp_path / "growing"
    path.write_bytes(sample("random", size))
    with Growing(path) as source:
        claim = await bus.put_file(source)
    payload = await bus.get(claim.transaction_id)
    assert size <= len(payload) == claim.payload_size_bytes
    assert path.read_bytes().startswith(payload)
