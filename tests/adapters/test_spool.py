"""The spool: files that are whole or not there, read as the store is read, drained once."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import io
import os
import stat
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

import pytest

from busctl.adapters import spool_file
from busctl.adapters.clock import SystemClock
from busctl.adapters.spool import FileSpool, path_of
from busctl.connect import Bus
from busctl.core.codec import Encoder, chunk_count_of
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Chunk, Compression, Labels
from busctl.core.errors import MessageCorrupt, SpoolDamaged, SpoolFull
from busctl.core.fate import Fate
from busctl.ops.guarding import GuardedStore
from busctl.ops.putting import Outgoing
from busctl.ops.reconcile import ReconcileReport, look, reconcile, set_aside_old
from busctl.ports import Draft, Request, Spool, Waiting
from tests.adapters.bus_sql import MIB, new_id, sql

LABELS = Labels(
    tool_name="t", session_id="s", request_id="r", content_type="text/plain",
    metadata={"é": ["\x01", None]},
)  # fmt: skip


@pytest.fixture
def spool(tmp_path: Path) -> FileSpool:
    return FileSpool(tmp_path / "spool", 200 * MIB)


def spooling(bus: Bus, spool: Spool) -> Bus:
    """A bus that puts into the spool, and reads from it what is not in the store."""
    guarded = GuardedStore(bus.store.inner, bus.settings, bus.clock, spool)
    sink = spool.sink("STORE_UNAVAILABLE", "d")
    return Bus(guarded, bus.settings, bus.clock, sink=sink)


async def drained(bus: Bus, spool: Spool, **fields: object) -> ReconcileReport:
    settings = bus.settings.model_copy(update=fields)
    return await reconcile(bus.store.inner, spool, settings, SystemClock())


@pytest.mark.parametrize("size", [0, 1, 70_000, MIB, MIB + 1, 3 * MIB + 17])
@pytest.mark.parametrize("compression", ["none", "zstd"])
async def test_what_waits_is_read_and_stored_as_it_is(
    bus: Bus, spool: FileSpool, size: int, compression: str
) -> None:
    settings = bus.settings.model_copy(update={"compression": compression})
    away = spooling(Bus(bus.store.inner, settings, bus.clock), spool)
    payload = bytes(index % 251 for index in range(size))
    claim = await away.put(payload, LABELS)
    assert claim.spooled
    assert claim.checksum == hashlib.sha256(payload).hexdigest()
    assert await away.get(claim.transaction_id) == payload
    assert await away.get(claim.transaction_id, offset=size // 2) == payload[size // 2 :]
    stored = await away.open_stored(claim.transaction_id)
    coded = b"".join([piece async for piece in stored.pieces])
    envelope = await away.stat(claim.transaction_id)
    assert (envelope.labels, envelope.spooled) == (LABELS, True)

    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.STORED]
    assert spool.ids() == []
    found = await bus.stat(claim.transaction_id)
    assert found.created_at == envelope.created_at
    assert (found.expires_at, found.checksum) == (envelope.expires_at, envelope.checksum)
    assert found.labels == LABELS
    stored = await bus.open_stored(claim.transaction_id)
    assert b"".join([piece async for piece in stored.pieces]) == coded
    assert await bus.get(claim.transaction_id) == payload
    kinds = [event.kind for event in await bus.events(claim.transaction_id)]
    assert sorted(set(kinds)) == ["delivered", "fell_back", "reconciled", "stored"]


async def test_files_are_for_their_owner_and_one_to_a_message(bus: Bus, spool: FileSpool) -> None:
    claim = await spooling(bus, spool).put(b"secret")
    (name,) = [path.name for path in spool.path.iterdir()]
    assert name == f"{claim.transaction_id}.msg"
    assert stat.S_IMODE(spool.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((spool.path / name).stat().st_mode) == 0o600
    spool.path.chmod(0o755)
    open_to_all = Settings(spool_dir=spool.path)
    with pytest.raises(Exception, match="0700"):
        FileSpool.of(open_to_all)


def test_each_store_has_a_spool_of_its_own(tmp_path: Path) -> None:
    def path(dsn: str | None) -> Path:
        return path_of(Settings(state_dir=tmp_path, database_url=dsn))

    dsns = [None, "postgresql://me@a/x", "postgresql://me@b/x", "postgresql://me@a/y"]
    assert len({path(dsn) for dsn in dsns}) == 4
    assert path("postgresql://me:one@a/x") == path("postgresql://me:two@a/x?sslmode=require")


async def test_a_thousand_messages_are_a_thousand_rows(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    expected: dict[UUID, str] = {}
    for number in range(1000):
        payload = f"message {number} ".encode() * (1 + number % 50)
        claim = await away.put(payload, Labels(session_id="s", request_id=str(number)))
        expected[claim.transaction_id] = claim.checksum
    before = spool.extent()
    assert (before.messages, before.aside) == (1000, 0)
    # Two at once, as two daemons of one host: each file is drained by one of them.
    reports = await asyncio.gather(drained(bus, spool), drained(bus, spool))
    settled = [step for report in reports for step in report.of(Fate.STORED, Fate.KNOWN)]
    assert len(settled) == 1000
    assert spool.extent().messages == 0
    dsn = bus.settings.database_dsn() or ""
    rows = await sql(dsn, "select transaction_id, encode(checksum, 'hex') from bus.message_bus")
    assert len(rows) == 1000
    assert dict(rows) == expected
    assert await sql(dsn, "select bus.damaged_parts(transaction_id) from bus.message_bus") == []
    events = "select count(*) from bus.message_event where kind = 'reconciled'"
    assert await sql(dsn, events) == [(1000,)]
    assert await sql(dsn, "select count(*) from bus.request where answered") == [(1000,)]


async def test_a_repeat_of_any_step_changes_nothing(bus: Bus, spool: FileSpool) -> None:
    """As after a crash between the put, its events and the removal of the file."""
    away = spooling(bus, spool)
    small, large = await away.put(b"small", LABELS), await away.put(bytes(2 * MIB), LABELS)
    kept = {path: path.read_bytes() for path in spool.path.glob("*.msg")}
    await drained(bus, spool)
    for path, content in kept.items():
        path.write_bytes(content)
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.KNOWN, Fate.KNOWN]
    for claim in (small, large):
        kinds = [event.kind for event in await bus.events(claim.transaction_id)]
        assert sorted(kinds) == ["fell_back", "reconciled", "stored"]


@pytest.mark.parametrize("cut", [0, 10, -1, -40, -60])
async def test_a_file_cut_short_is_named_and_set_aside(
    bus: Bus, spool: FileSpool, cut: int
) -> None:
    away = spooling(bus, spool)
    claim, other = await away.put(b"x" * 1000), await away.put(b"sound")
    path = spool.path / f"{claim.transaction_id}.msg"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(MessageCorrupt, match=str(claim.transaction_id)):
        await away.get(claim.transaction_id)
    looked = await look(spool, SystemClock())
    assert {step.fate for step in looked.steps} == {Fate.DAMAGED, Fate.WAITING}
    report = await drained(bus, spool)
    assert {step.transaction_id: step.fate for step in report.steps} == {
        claim.transaction_id: Fate.DAMAGED, other.transaction_id: Fate.STORED,
    }  # fmt: skip
    assert not report.ok
    assert [path.name for path in (spool.path / "aside").iterdir()] == [
        f"{claim.transaction_id}.damaged"
    ]
    assert [event.kind for event in await bus.events(claim.transaction_id)] == ["corrupt"]


async def test_what_others_put_there_hinders_nothing(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    claim = await away.put(b"ours", LABELS)
    ours = spool.path_of(claim.transaction_id)
    for name in ("notes.msg", f"{uuid4()}.msg", f"{'f' * 12}7{'f' * 19}.msg", f"x-{ours.name}",
                 ours.name.upper(), f"{ours.name}.msg", ".msg"):  # fmt: skip
        (spool.path / name).write_bytes(b"not ours")
    (spool.path / f"{new_id(-1)}.msg").mkdir()
    assert spool.ids() == [claim.transaction_id]
    assert spool.extent().messages == 1
    assert (await spool.answer_of(Request("operator", "s", "r"))) == claim.transaction_id
    assert [step.fate for step in (await look(spool, SystemClock())).steps] == [Fate.WAITING]
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.STORED]


async def test_a_damaged_file_that_is_old_holds_up_nothing(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    damaged = await away.put(b"x" * 1000, transaction_id=new_id(-20))
    old = await away.put(b"old", transaction_id=new_id(-10))
    spool.path_of(damaged.transaction_id).write_bytes(b"cut")
    soon = bus.settings.model_copy(update={"spool_max_age_hours": 1e-9})
    steps = await set_aside_old(spool, soon, SystemClock())
    assert [(step.transaction_id, step.fate) for step in steps] == [
        (old.transaction_id, Fate.EXPIRED)
    ]
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.DAMAGED]


@pytest.mark.parametrize("size", [1000, 3 * MIB])
async def test_a_changed_byte_is_found_on_each_reading(
    bus: Bus, spool: FileSpool, size: int
) -> None:
    settings = bus.settings.model_copy(update={"checksum_enabled": False})
    away = spooling(Bus(bus.store.inner, settings, bus.clock), spool)
    claim = await away.put(os.urandom(size))
    path = spool.path / f"{claim.transaction_id}.msg"
    content = bytearray(path.read_bytes())
    content[14 + size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MessageCorrupt) as caught:
        await away.get(claim.transaction_id)
    assert caught.value.chunk == (None if size < MIB else 1)
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.DAMAGED]
    assert await bus.store.find(claim.transaction_id) is None


async def test_another_payload_under_the_id_is_refused_and_kept(bus: Bus, spool: FileSpool) -> None:
    claim = await bus.put(b"first")
    await spooling(bus, spool).put(b"second", transaction_id=claim.transaction_id)
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.REFUSED]
    assert await bus.get(claim.transaction_id) == b"first"
    assert spool.extent().aside == 1


async def test_past_the_horizon_it_is_an_event_and_a_file_aside(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    old = (await away.put(b"old", transaction_id=new_id(-3 * 3600))).transaction_id
    late = (await away.put(b"late", transaction_id=new_id(-3600))).transaction_id
    report = await drained(bus, spool, horizon_hours=2.0)
    assert [(step.transaction_id, step.fate) for step in report.steps] == [
        (old, Fate.EXPIRED), (late, Fate.STORED)
    ]  # fmt: skip
    assert [event.kind for event in await bus.events(old)] == ["expired"]
    assert (spool.path / "aside" / f"{old}.expired").exists()
    assert await bus.get(late) == b"late"


async def test_what_has_waited_too_long_is_set_aside_without_a_store(
    bus: Bus, spool: FileSpool
) -> None:
    claim = await spooling(bus, spool).put(b"x", transaction_id=new_id(-10))
    settings = bus.settings
    assert await set_aside_old(spool, settings, SystemClock()) == []
    soon = settings.model_copy(update={"spool_max_age_hours": 1e-9})
    steps = await set_aside_old(spool, soon, SystemClock())
    assert [(step.transaction_id, step.fate) for step in steps] == [
        (claim.transaction_id, Fate.EXPIRED)
    ]
    assert (spool.extent().messages, spool.extent().aside) == (0, 1)


async def test_a_full_spool_refuses_and_leaves_nothing_half_written(
    bus: Bus, tmp_path: Path
) -> None:
    spool = FileSpool(tmp_path / "spool", 5 * MIB)
    away = spooling(bus, spool)
    held = spool.path_of((await away.put(os.urandom(2 * MIB))).transaction_id).stat().st_size
    for _ in range(2):  # what was begun in vain takes no room from the next one
        with pytest.raises(SpoolFull, match="reconcile") as caught:
            await away.put(os.urandom(4 * MIB))
        assert f"holds {held:,} bytes of at most {5 * MIB:,}" in caught.value.message
        assert f"of {3 * MIB + 14:,} bytes or more is not taken" in caught.value.message
    assert len(list(spool.path.iterdir())) == 1
    await away.put(os.urandom(2 * MIB))


async def test_what_is_being_written_takes_room_from_others(
    bus: Bus, spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count of the folder, in between, does not forget it."""
    monkeypatch.setattr("busctl.adapters.spool.COUNT_SECS", 0.0)
    before, room = spool.room(), []

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield os.urandom(MIB)

    sink = spool.sink("STORE_UNAVAILABLE", "d")

    async def chunks() -> AsyncIterator[Chunk]:
        async for piece in pieces():
            room.append(before - spool.room())
            yield Encoder(Compression.NONE).chunk(len(room) - 1, piece)

    with pytest.raises(ZeroDivisionError):
        await sink.put_chunks(new_id(0), chunks(), lambda: 1 // 0)  # type: ignore[arg-type,return-value]  # must never be called
    assert room == [0, *(14 + seq * MIB for seq in range(1, 8))]
    assert spool.room() == before


@pytest.mark.parametrize("size", [0, 1000, 70_000, 2 * MIB])
@pytest.mark.parametrize("compression", [Compression.ZSTD, Compression.GZIP])
async def test_a_body_is_not_expanded_beyond_what_its_envelope_says(
    bus: Bus, spool: FileSpool, size: int, compression: Compression
) -> None:
    """A crafted file: all digests of what lies there fit, and a few kilobytes are 300 MB."""
    bomb, packer = io.BytesIO(), Encoder(compression)
    for _ in range(300):
        bomb.write(packer.encode(bytes(1_000_000)))
    known = crafted(spool, bomb.getvalue(), size, compression)
    away = spooling(bus, spool)
    tracemalloc.start()
    try:
        with pytest.raises(MessageCorrupt, match=str(known)):
            await away.get(known)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


async def test_an_envelope_may_not_declare_more_than_a_body_holds(
    bus: Bus, spool: FileSpool
) -> None:
    """What is declared bounds what is expanded: so a row of 300 MB is damage, not a message."""
    body = Encoder(Compression.ZSTD).encode(bytes(300_000_000))
    known = crafted(spool, body, 300_000_000, Compression.ZSTD, chunks=0)
    away = spooling(bus, spool)
    with pytest.raises(SpoolDamaged, match="0 chunks of 0, not 287"):
        await away.get(known)
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.DAMAGED]


def crafted(
    spool: FileSpool, body: bytes, size: int, compression: Compression, chunks: int | None = None
) -> UUID:
    """A file whose digests are right and whose sizes need not be."""
    known, digest = new_id(0), hashlib.sha256(body).digest()
    count = chunk_count_of(size) if chunks is None else chunks
    draft = Draft(
        known, Labels(), size, digest, compression, len(body), digest, count,
        timedelta(hours=1), datetime.now(UTC),
    )  # fmt: skip
    share = len(body) // max(1, count)
    cuts = [*(share * seq for seq in range(count)), len(body)]
    pieces = [
        (last - first, min(MIB, size - seq * MIB), digest,
         hashlib.sha256(body[first:last]).digest())
        for seq, (first, last) in enumerate(pairwise(cuts))
    ]  # fmt: skip
    spool.path.mkdir(mode=0o700, exist_ok=True)
    waiting = Waiting(draft, datetime.now(UTC), "STORE_UNAVAILABLE", "d")
    envelope = spool_file.envelope_bytes(waiting, pieces if count else [])
    spool.path_of(known).write_bytes(spool_file.MAGIC + body + envelope)
    return known


async def test_what_a_dead_writer_left_is_swept(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    began, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield bytes(6 * MIB)
        began.set()
        await goes_on.wait()

    claim = await away.put(b"x")
    left = spool.path / f".{claim.transaction_id}-1-abc.part"
    left.write_bytes(b"half")
    writing = asyncio.create_task(away.put_stream(slow()))
    await began.wait()
    assert spool.sweep() == 1
    assert not left.exists()
    goes_on.set()
    claim = await writing
    assert await away.get(claim.transaction_id) == bytes(6 * MIB)


async def test_a_message_that_another_drains_is_left_to_it(bus: Bus, spool: FileSpool) -> None:
    claim = await spooling(bus, spool).put(b"x")
    other = FileSpool(spool.path, 10 * MIB)
    async with other.hold(claim.transaction_id) as held:
        assert held is not None
        assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.LOCKED]
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.STORED]


async def test_a_hundred_megabytes_pass(bus: Bus, spool: FileSpool) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield hashlib.sha256(bytes([number])).digest() * 31_250

    away = spooling(bus, spool)
    claim = await away.put_stream(pieces())
    assert claim.payload_size_bytes == 100_000_000
    assert [step.fate for step in (await drained(bus, spool)).steps] == [Fate.STORED]
    digest = hashlib.sha256()
    async for piece in bus.stream(claim.transaction_id):
        digest.update(piece)
    assert digest.hexdigest() == claim.checksum


async def test_the_expiry_is_that_of_the_putting(bus: Bus, spool: FileSpool) -> None:
    away = spooling(bus, spool)
    claim = await away.put(b"x", ttl=timedelta(hours=1))
    await drained(bus, spool)
    found = await bus.stat(claim.transaction_id)
    assert found.expires_at - found.created_at == timedelta(hours=1)
    assert found.expires_at == claim.expires_at
    # A bus with a spool puts many into the store itself.
    (many,) = await away.put_many([Outgoing(b"y")])
    assert not many.spooled


async def test_a_sweeper_between_making_and_locking_costs_nothing(
    bus: Bus, spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process may see the file of a writer before that has locked it."""
    away, lock, swept = spooling(bus, spool), fcntl.flock, []

    def late(opened: IO[bytes], how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        swept.append(FileSpool(spool.path, MIB).sweep())
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", late)
    claim = await away.put(b"kept")
    assert swept == [1]
    assert await away.get(claim.transaction_id) == b"kept"


async def test_a_file_under_the_name_of_one_that_was_drained_is_not_taken_for_it(
    bus: Bus, spool: FileSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening and locking another process drains the file, and a new one comes there."""
    away, lock = spooling(bus, spool), fcntl.flock
    claim = await away.put(b"drained by another")
    path = spool.path_of(claim.transaction_id)

    def late(opened: IO[bytes], how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
        lock(opened, how)

    monkeypatch.setattr(fcntl, "flock", late)
    async with spool.hold(claim.transaction_id) as held:
        assert held is None
    assert path.exists()


async def test_a_damaged_file_that_two_find_is_set_aside_and_told_once(
    bus: Bus, spool: FileSpool
) -> None:
    claim = await spooling(bus, spool).put(b"x" * 1000)
    path = spool.path_of(claim.transaction_id)
    path.write_bytes(path.read_bytes()[:-1])
    reports = await asyncio.gather(*(drained(bus, spool) for _ in range(3)))
    fates = [step.fate for report in reports for step in report.steps]
    assert fates.count(Fate.DAMAGED) == 1
    assert set(fates) <= {Fate.DAMAGED, Fate.LOCKED}
    assert spool.extent().aside == 1


async def test_the_way_to_the_first_file_is_on_the_disk(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder that was made is known to the one it lies in, before the answer is told."""
    synced, sync = set(), os.fsync

    def noting(descriptor: int) -> None:
        synced.add(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    deep = FileSpool(tmp_path / "state" / "spool" / "key", MIB)
    claim = await spooling(bus, deep).put(b"x")
    assert {str(tmp_path), *(str(tmp_path / each) for each in ("state", "state/spool"))} <= synced
    assert str(deep.path) in synced
    os.umask(mask := os.umask(0))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (deep.path, deep.path.parent)]
    assert modes == [0o700, 0o777 & ~mask]
    synced.clear()
    soon = bus.settings.model_copy(update={"spool_max_age_hours": 1e-9})
    await asyncio.sleep(0.01)
    assert await set_aside_old(deep, soon, SystemClock())
    assert {str(deep.path), str(deep.path / "aside")} <= synced
    assert not deep.holds(claim.transaction_id)
