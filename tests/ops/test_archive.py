"""Archives: what is exported is what is imported, and every kind of damage is named."""

from __future__ import annotations

import hashlib
import io
import random
import tarfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from busctl.adapters import embedded
from busctl.connect import Bus
from busctl.core import archive
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels, MessageType
from busctl.core.errors import ConfigurationError, LockHeld
from busctl.ops.archive import Exported, Problem, Selection, export_file
from busctl.ops.archive_importing import Imported, import_archive, verify_archive
from busctl.ops.partial import growing, partial_of
from busctl.ports import Filter
from tests.conftest import make_database

SIZES = [0, 1, 511, 512, 513, (1 << 20) + 1]


@pytest.fixture
async def other(server: embedded.Server, tmp_path: Path) -> AsyncIterator[Bus]:
    """A second bus, on a store of its own."""
    name = f"other_{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:16]}"
    dsn = await make_database(server, name)
    async with Bus.connect(Settings(database_url=dsn)) as connected:
        yield connected


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def fill(bus: Bus) -> list[str]:
    labels = Labels(
        MessageType.ERROR, "text/plain", "tøol", "s", "r", "alice", {"a": [1, None, "ü"]}
    )
    claims = [await bus.put(noise(size), labels, ttl=timedelta(hours=5)) for size in SIZES]
    return [str(claim.transaction_id) for claim in claims]


async def exported(
    bus: Bus, target: Path, selection: Selection | None = None
) -> tuple[Exported, list[Problem]]:
    problems: list[Problem] = []
    done = await export_file(
        bus, target, selection or Selection(), tell=problems.append, moved=lambda size: None
    )
    return done, problems


async def imported(
    bus: Bus, target: Path, ttl: timedelta | None = None
) -> tuple[Imported, list[Problem]]:
    problems: list[Problem] = []
    with target.open("rb") as source:
        done, fault = await import_archive(bus, source, ttl=ttl, tell=problems.append)
    assert fault is None
    return done, problems


async def checked(body: bytes) -> tuple[Imported, list[Problem], str]:
    problems: list[Problem] = []
    done, fault = await verify_archive(io.BytesIO(body), tell=problems.append)
    return done, problems, fault.message if fault else ""


async def test_everything_arrives_as_it_left(bus: Bus, other: Bus, tmp_path: Path) -> None:
    ids = await fill(bus)
    target = tmp_path / "a.tar"
    done, problems = await exported(bus, target)
    assert (done.exported, done.failed, problems) == (len(SIZES), 0, [])
    assert done.payload_bytes == sum(SIZES)
    assert done.archive_bytes == target.stat().st_size
    assert not partial_of(target).exists()
    arrived, problems = await imported(other, target)
    assert (arrived.imported, arrived.payload_bytes, problems) == (len(SIZES), sum(SIZES), [])
    for theirs, ours in zip(await other.list(), await bus.list(), strict=True):
        assert str(theirs.transaction_id) in ids
        assert (theirs.labels, theirs.checksum, theirs.created_at, theirs.expires_at) == (
            ours.labels, ours.checksum, ours.created_at, ours.expires_at,
        )  # fmt: skip
        assert await other.get(theirs.transaction_id) == noise(theirs.payload_size_bytes)
    again, problems = await imported(other, target)
    assert (again.imported, again.already, problems) == (0, len(SIZES), [])


async def test_any_tar_program_reads_it(bus: Bus, tmp_path: Path) -> None:
    ids = await fill(bus)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    with tarfile.open(target) as opened:
        sums = opened.extractfile(archive.SUMS_NAME)
        assert sums is not None
        lines = [line.split("  ") for line in sums.read().decode().splitlines()]
        listed = {name: digest for digest, name in lines}
        for one, size in zip(ids, SIZES, strict=True):
            body = opened.extractfile(f"messages/{one}.payload")
            assert body is not None
            payload = body.read()
            assert payload == noise(size)
            assert listed[f"messages/{one}.payload"] == hashlib.sha256(payload).hexdigest()
        assert len(listed) == 2 * len(ids)
        assert opened.getnames()[0] == archive.HEADER_NAME
        assert opened.getnames()[-1] == archive.INDEX_NAME


async def test_exporting_is_no_delivery_but_in_the_audit_trail(bus: Bus, tmp_path: Path) -> None:
    claim = await bus.put(b"x")
    await exported(bus, tmp_path / "a.tar")
    assert (await bus.stat(claim.transaction_id)).retrieved_count == 0
    events = await bus.events(claim.transaction_id)
    assert [event.kind for event in events] == ["stored", "exported"]


async def test_ids_and_filters_select(bus: Bus, tmp_path: Path) -> None:
    first = await bus.put(b"1", Labels(tool_name="a"))
    second = await bus.put(b"2", Labels(tool_name="b"))
    by_filter = Selection({"tool": "b"}, filter=Filter(tool_name="b"))
    by_id = Selection({"ids": "…"}, ids=(first.transaction_id, bus.clock.new_id()))
    for name, selection, wanted, failed in [
        ("f", by_filter, second, 0), ("i", by_id, first, 1),
    ]:  # fmt: skip
        done, problems = await exported(bus, tmp_path / name, selection)
        assert (done.exported, done.failed, len(problems)) == (1, failed, failed)
        assert str(wanted.transaction_id).encode() in (tmp_path / name).read_bytes()


async def test_every_truncation_is_named_and_resumed(bus: Bus, tmp_path: Path) -> None:
    """Cut anywhere: it never verifies, and the same export makes the same archive of it."""
    await fill(bus)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    whole = target.read_bytes()
    cuts = {0, 100, 512, 1_024, len(whole) - 1_024, len(whole) - 1_025, len(whole) - 3_000}
    cuts |= {random.Random(seed).randrange(len(whole)) for seed in range(8)}
    for cut in sorted(cuts):
        done, _, fault = await checked(whole[:cut])
        assert "truncated" in fault or "no archive" in fault, cut
        assert "no archive" not in fault or cut < 2_048
        if "truncated" in fault:
            assert f"byte {cut:,}" in fault
        target.unlink()
        partial_of(target).write_bytes(whole[:cut])
        resumed, problems = await exported(bus, target)
        assert (resumed.resumed, problems) == (done.verified, [])
        assert resumed.exported == len(SIZES) - done.verified
        assert (await checked(target.read_bytes()))[0].verified == len(SIZES)


async def test_every_flipped_bit_is_found(bus: Bus, tmp_path: Path) -> None:
    await fill(bus)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    whole = target.read_bytes()
    with tarfile.open(target) as opened:
        bodies = [(one.offset_data, one.size, one.name) for one in opened.getmembers()[1:]]
    for start, size, name in bodies:
        for place in {start, start + size // 2, start + size - 1} if size else ():
            damaged = bytearray(whole)
            damaged[place] ^= 0x10
            _, problems, fault = await checked(bytes(damaged))
            told = [problem.error.message for problem in problems] + [fault]
            assert any(name in text and "damaged" in text for text in told), (name, place)


async def test_damage_costs_one_message_and_is_placed(bus: Bus, other: Bus, tmp_path: Path) -> None:
    ids = await fill(bus)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    with tarfile.open(target) as opened:
        member = opened.getmember(f"messages/{ids[-1]}.payload")
    damaged = bytearray(target.read_bytes())
    damaged[member.offset_data + 1_000_000] ^= 1
    target.write_bytes(damaged)
    done, problems = await imported(other, target)
    assert (done.imported, done.failed) == (len(SIZES) - 1, 1)
    assert f"messages/{ids[-1]}.payload (at byte {member.offset:,})" in problems[0].error.message
    assert ids[-1] not in [str(one.transaction_id) for one in await other.list()]


async def test_a_damaged_header_names_its_offset(bus: Bus, tmp_path: Path) -> None:
    await bus.put(b"x" * 600)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    with tarfile.open(target) as opened:
        place = opened.getmembers()[2].offset
    damaged = bytearray(target.read_bytes())
    damaged[place] ^= 1
    _, _, fault = await checked(bytes(damaged))
    assert f"byte {place:,}" in fault


async def test_a_missing_or_doubled_message_is_found(bus: Bus, tmp_path: Path) -> None:
    await bus.put(b"1")
    await bus.put(b"2")
    target = tmp_path / "a.tar"
    await exported(bus, target)
    whole = target.read_bytes()
    with tarfile.open(target) as opened:
        first, second, sums = (opened.getmembers()[place].offset for place in (1, 3, 5))
    for tampered in (
        whole[:first] + whole[second:],
        whole[:second] + whole[first:second] + whole[second:],
        whole[:first] + whole[second:sums] + whole[first:second] + whole[sums:],
    ):
        assert "SHA256SUMS" in (await checked(tampered))[2]


async def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as foreign:
        foreign.add(__file__, "file.py")
    for body in (b"", b"text", bytes(4_096), (tmp_path / "t.tar").read_bytes()):
        assert "no archive" in (await checked(body))[2]
    assert "no archive" in (await checked(noise(10_000)))[2]


async def test_a_corrupt_message_is_left_out_of_a_file(bus: Bus, tmp_path: Path) -> None:
    ids = await fill(bus)
    await bus.put(b"after it")

    async def damage(session: object) -> None:
        await session.run(  # type: ignore[attr-defined]  # a Session of the pool
            "update bus.message_chunk set body = set_byte(body, 9, get_byte(body, 9) # 1)"
            " where seq = 0"
        )

    await bus.store.inner.pool.run(damage, timeout=5)  # type: ignore[attr-defined]  # a PostgresStore
    target = tmp_path / "a.tar"
    done, problems = await exported(bus, target)
    assert (done.exported, done.failed) == (len(SIZES), 1)
    assert str(problems[0].transaction_id) == ids[-1]
    assert "chunk 0" in problems[0].error.message
    verified, _, fault = await checked(target.read_bytes())
    assert (verified.verified, fault) == (len(SIZES), "")


async def test_another_selection_does_not_go_on_with_it(bus: Bus, tmp_path: Path) -> None:
    await bus.put(b"1")
    target = tmp_path / "a.tar"
    await exported(bus, target)
    target.rename(partial_of(target))
    with pytest.raises(ConfigurationError, match="something else"):
        await exported(bus, target, Selection({"tool": "x"}, filter=Filter(tool_name="x")))
    assert partial_of(target).exists()


async def test_two_exports_to_one_file_exclude_each_other(bus: Bus, tmp_path: Path) -> None:
    with growing(tmp_path / "a.tar"), pytest.raises(LockHeld):
        await exported(bus, tmp_path / "a.tar")


async def test_expiry_horizon_pins_and_conflicts(bus: Bus, other: Bus, tmp_path: Path) -> None:
    short = await bus.put(b"short", ttl=timedelta(microseconds=1))
    pinned = await bus.put(b"pinned", ttl=timedelta(microseconds=1))
    taken = await bus.put(b"one payload")
    await bus.pin(pinned.transaction_id)
    await other.put(b"another payload", transaction_id=taken.transaction_id)
    target = tmp_path / "a.tar"
    await exported(bus, target)
    done, problems = await imported(other, target)
    assert (done.imported, done.expired, done.failed) == (1, 1, 1)
    codes = {problem.transaction_id: problem.error.code for problem in problems}
    assert codes == {short.transaction_id: "EXPIRED", taken.transaction_id: "CONFLICT"}
    assert await other.get(pinned.transaction_id) == b"pinned"
    assert (await other.stat(pinned.transaction_id)).pinned
    done, _ = await imported(other, target, ttl=timedelta(hours=2))
    assert (done.imported, done.already, done.failed) == (1, 1, 1)
    envelope = await other.stat(short.transaction_id)
    left = envelope.expires_at - other.clock.now()
    assert timedelta(minutes=119) < left <= timedelta(hours=2)
    assert envelope.created_at == (await bus.stat(short.transaction_id)).created_at


async def test_ids_beyond_the_horizon_are_counted(bus: Bus, other: Bus, tmp_path: Path) -> None:
    one = await bus.put(b"x")
    target = tmp_path / "a.tar"
    await exported(bus, target)
    narrow = other.settings.model_copy(update={"horizon_hours": 0})
    later = Bus(other.store, narrow, other.clock)
    done, problems = await imported(later, target, ttl=timedelta(hours=1))
    assert (done.imported, done.beyond_horizon) == (0, 1)
    assert problems[0].transaction_id == one.transaction_id
    assert problems[0].error.code == "OUTSIDE_HORIZON"
