"""verify, fsck and trace on a store whose rows were damaged behind its back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from uuid import UUID

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from busctl.adapters.postgres.inspection import PostgresInspection
from busctl.adapters.postgres.store import PostgresStore
from busctl.connect import Bus
from busctl.core import samples
from busctl.core.envelope import Status
from busctl.core.errors import MessageCorrupt, MessageMissing
from busctl.core.operating.finding import Finding
from busctl.ops.fsck import Checked, Scope, fsck
from busctl.ops.trace import trace_of
from busctl.ops.verify import verify
from busctl.ports import Filter
from tests.adapters.bus_sql import MIB, connected, eventually, new_id, sql

SIZE = 3 * MIB + 7
SMALL, LARGE = samples.sample("json", 5_000), samples.sample("random", SIZE)
ALL = (UUID(int=0), UUID(int=2**128 - 1))
BODY = "update bus.message_bus set payload = set_byte(payload, 9, get_byte(payload, 9) # 1)"
CHUNK = "update bus.message_chunk set body = set_byte(body, 3, get_byte(body, 3) # 1)"


def inspection(bus: Bus) -> PostgresInspection:
    assert isinstance(bus.store.inner, PostgresStore)
    return PostgresInspection(bus.store.inner)


async def checked(bus: Bus, *, fix_status: bool = False, **scope: object) -> Checked:
    done = Checked()
    wanted = Scope(*ALL, **scope)  # type: ignore[arg-type]  # named below
    await fsck(bus, inspection(bus), wanted, done, fix_status=fix_status)
    return done


def kinds(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(one.kind, one.subject) for one in findings]


async def put_four(bus: Bus) -> dict[str, UUID]:
    """A small and a large message that stay whole, and one each to be damaged."""
    payloads = {"small": SMALL, "large": LARGE, "small damaged": SMALL, "large damaged": LARGE}
    return {name: (await bus.put(one)).transaction_id for name, one in payloads.items()}


@pytest.mark.parametrize("full", [False, True])
async def test_all_is_well(bus: Bus, full: bool) -> None:
    ids = await put_four(bus)
    done = await checked(bus, full=full)
    assert (done.messages, done.total_messages, done.share, done.next) == (4, 4, 1.0, None)
    assert done.stored_bytes == done.total_bytes
    assert done.read_bytes == (2 * SIZE + 10_000 if full else 0)
    assert done.report.ok
    for one in ids.values():
        assert (await verify(bus, one)).findings == ()
        assert (await trace_of(bus, inspection(bus), one)).differs is None
        envelope = await bus.stat(one)
        assert (envelope.status, envelope.retrieved_count) == (Status.PENDING, 0)
    assert {one.kind for one in await bus.events(ids["large"])} == {"stored", "verified"}


DAMAGE = [
    ("small", f"{BODY} where transaction_id = %s", "body_altered"),
    ("large", f"{CHUNK} where transaction_id = %s and seq = 2", "chunk_altered"),
    ("large", "delete from bus.message_chunk where transaction_id = %s and seq = 1",
     "chunk_missing"),
    ("large", "delete from bus.message_chunk where transaction_id = %s", "chunk_missing"),
    ("small", "update bus.message_bus set payload = substr(payload, 1, 99) "
     "where transaction_id = %s", "size_differs"),
    ("small", "update bus.message_bus set payload = null where transaction_id = %s",
     "body_missing"),
    ("large", "update bus.message_bus set payload_size_bytes = payload_size_bytes - 1 "
     "where transaction_id = %s", "size_differs"),
    ("small", "update bus.message_bus set checksum = sha256('x') where transaction_id = %s",
     "envelope_altered"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "statement", "kind"), DAMAGE)
async def test_damage_is_named_marked_and_traced(
    bus: Bus, database: str, which: str, statement: str, kind: str
) -> None:
    ids = await put_four(bus)
    damaged = ids[f"{which} damaged"]
    await sql(database, statement, damaged)
    found = kinds((await checked(bus)).findings)
    assert (kind, str(damaged)) in found
    assert {subject for _, subject in found} == {str(damaged)}
    for one in ids.values():
        assert bool((await verify(bus, one)).findings) == (one == damaged)
        first = (await trace_of(bus, inspection(bus), one)).differs
        assert (first is None) if one != damaged else (first is not None and first.hop == "store")
    assert [(await checked(bus, fix_status=True)).marked for _ in range(2)] == [1, 0]
    listed = await bus.list(Filter(status=Status.ERROR))
    assert [one.transaction_id for one in listed] == [damaged]
    marks = [
        one for one in await bus.events(damaged) if (one.kind, one.hop) == ("corrupt", "store")
    ]
    assert len(marks) == 1
    assert "fault" in marks[0].detail


async def test_every_damaged_chunk_is_named_with_its_bytes(bus: Bus, database: str) -> None:
    damaged = (await put_four(bus))["large damaged"]
    await sql(database, f"{CHUNK} where transaction_id = %s and seq in (0, 3)", damaged)
    for findings in ((await verify(bus, damaged)).findings, (await checked(bus)).findings):
        assert kinds(findings) == [("chunk_altered", str(damaged))] * 2
        assert f"chunk 0 (bytes 0-{MIB})" in findings[0].message
        assert f"chunk 3 (bytes {3 * MIB}-{SIZE})" in findings[1].message


async def test_only_reading_finds_whole_chunks_in_the_wrong_order(bus: Bus, database: str) -> None:
    damaged = (await put_four(bus))["large damaged"]
    for seq, renamed in ((0, 99), (1, 0), (99, 1)):
        await sql(
            database,
            "update bus.message_chunk set seq = %s where transaction_id = %s and seq = %s",
            renamed, damaged, seq,
        )  # fmt: skip
    assert (await checked(bus)).findings == []
    assert kinds((await checked(bus, full=True)).findings) == [("payload_altered", str(damaged))]


async def test_chunks_without_an_envelope_are_found_whatever_the_sample(
    bus: Bus, database: str
) -> None:
    lost = (await put_four(bus))["large damaged"]
    await sql(database, "delete from bus.message_bus where transaction_id = %s", lost)
    found = (await checked(bus, share=0.00001)).findings
    assert kinds(found) == [("orphan_chunks", str(lost))]
    assert "4 chunks" in found[0].message
    traced = await trace_of(bus, inspection(bus), lost)
    assert [one.event for one in traced.passed] == ["stored"]


async def test_what_is_missing_or_expired(bus: Bus) -> None:
    unknown = new_id()
    assert kinds((await verify(bus, unknown)).findings) == [("missing", str(unknown))]
    removed = (await bus.put(b"short")).transaction_id
    await bus.remove(removed)
    assert kinds((await verify(bus, removed)).findings) == [("expired", str(removed))]
    with pytest.raises(MessageMissing):
        await trace_of(bus, inspection(bus), unknown)


async def test_what_was_only_on_its_way_is_missing_not_expired(bus: Bus) -> None:
    """A tool's answer that could not be stored has hops and was never there."""
    lost = new_id()
    for kind, hop in (("produced", "tool"), ("accepted", "daemon"), ("sent", "wire")):
        bus.passed(lost, kind, hop, {"size": 1})
    await bus.deliveries.flush()
    assert kinds((await verify(bus, lost)).findings) == [("missing", str(lost))]
    assert (await trace_of(bus, inspection(bus), lost)).unseen == ("store", "client")


async def test_it_goes_on_where_it_ended(bus: Bus) -> None:
    """A batch ends at 32 MB of stored bytes, a run at the time that was given."""
    ids = [
        (await bus.put(samples.sample("random", 20_000_000, seed))).transaction_id
        for seed in range(3)
    ]
    first = await checked(bus, seconds=0.0)
    assert (first.messages, first.next) == (1, ids[0])
    assert 0 < first.share < 0.5
    rest = await checked(bus, after=ids[0])
    assert (rest.messages, rest.next) == (2, None)


async def test_a_sample_is_the_same_for_the_same_seed(bus: Bus) -> None:
    await bus.put_many([str(number).encode() for number in range(600)])
    looked = [(await checked(bus, share=0.25, seed=seed)).messages for seed in (1, 1, 2)]
    assert looked[0] == looked[1]
    assert all(90 < one < 210 for one in looked)


# --- a line to the database that changes bytes ---------------------------------------------------

TOLD, CHANGED = b"the bytes as told", b"the bytes at fold"


class Line:
    """A TCP proxy to the server's socket that changes `TOLD`, on the way up or down."""

    def __init__(self, dsn: str) -> None:
        known = conninfo_to_dict(dsn)
        self._dsn = dsn
        self._socket = f"{known['host']}/.s.PGSQL.{known['port']}"
        self.up = self.down = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The DSN that goes through it."""
        proxy = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with proxy:
            port = proxy.sockets[0].getsockname()[1]
            yield make_conninfo(self._dsn, host="127.0.0.1", port=port, sslmode="disable")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above, below = await asyncio.open_unix_connection(self._socket)
        await asyncio.gather(
            self._carry(reader, below, lambda: self.up),
            self._carry(above, writer, lambda: self.down),
        )

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, on: Callable[[], bool]
    ) -> None:
        while data := await source.read(1 << 20):
            sink.write(data.replace(TOLD, CHANGED) if on() else data)
            await sink.drain()
        sink.close()


async def test_bytes_changed_on_their_way_into_the_database(bus: Bus, database: str) -> None:
    line = Line(database)
    async with line.open() as dsn, connected(dsn, compression="none") as far:
        line.up = True
        chosen = (await far.put(b"here are " + TOLD)).transaction_id
    assert kinds((await checked(bus)).findings) == [("body_altered", str(chosen))]
    assert kinds((await verify(bus, chosen)).findings) == [("payload_altered", str(chosen))]
    first = (await trace_of(bus, inspection(bus), chosen)).differs
    assert first is not None
    assert first.hop == "store"
    async with line.open() as dsn, connected(dsn, compression="none", verify_integrity=True) as far:
        with pytest.raises(MessageCorrupt):
            await far.put(b"here are " + TOLD)


async def test_bytes_changed_on_their_way_out_are_no_damage_in_the_store(
    bus: Bus, database: str
) -> None:
    line = Line(database)
    async with line.open() as dsn, connected(dsn, compression="none") as far:
        line.down = True
        chosen = (await far.put(b"here are " + TOLD)).transaction_id
        with pytest.raises(MessageCorrupt):
            await far.get(chosen)
    assert (await checked(bus)).findings == []
    found = await trace_of(bus, inspection(bus), chosen)
    assert found.differs is not None
    assert (found.differs.hop, found.differs.event) == ("client", "corrupt")
    assert [one.fault for one in found.passed if one.hop == "store"] == [None, None]


async def test_hops_wait_for_a_store_that_does_not_answer(database: str) -> None:
    async with connected(database, write_timeout_secs=0.2) as bus:
        chosen = (await bus.put(b"x")).transaction_id
        async with await psycopg.AsyncConnection.connect(database) as holder:
            await holder.execute("lock table bus.message_event in share mode")
            bus.passed(chosen, "sent", "wire", {"size": 1})
            await asyncio.sleep(0.5)  # a try that came to nothing
            assert not await _is_told(bus, chosen)
        await eventually(lambda: _is_told(bus, chosen), "the hop is recorded")
        assert bus.deliveries.unrecorded == 0


async def _is_told(bus: Bus, chosen: UUID) -> bool:
    return "sent" in {one.kind for one in await bus.store.events(chosen)}
