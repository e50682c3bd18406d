"""Connections are few, are never held by a slow reader, and their failures have names."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from busctl.adapters import embedded
from busctl.adapters.postgres.errors import mapped
from busctl.connect import Bus
from busctl.core.breaker import State
from busctl.core.configuration.settings import Settings
from busctl.core.errors import (
    BusctlError,
    ConfigurationError,
    SchemaMissing,
    SchemaOutdated,
    StoreFailed,
    StoreReadOnly,
    StoreTimeout,
    StoreUnreachable,
)
from busctl.core.samples import sample
from tests.adapters.bus_sql import MIB, connected, eventually, new_id, sessions, sql
from tests.conftest import alter_database, clients, direct, make_database


async def test_a_reader_that_stalls_holds_nothing(bus: Bus, database: str) -> None:
    """Between two pieces there is no transaction, no snapshot, and no connection in use."""
    payload = sample("random", 12 * MIB)
    chosen = (await bus.put(payload)).transaction_id
    pieces = bus.stream(chosen)
    got = [await anext(pieces)]

    async def quiet() -> bool:
        return all(row == ("idle", False, False) for row in await sessions(database))

    await eventually(quiet, "the read-ahead of a stalled reader ended")
    for _ in range(20):
        await asyncio.sleep(0.1)
        assert await quiet()
        assert bus.store.inner.pool.idle == clients(database)  # type: ignore[attr-defined]  # the adapter's own
    got += [piece async for piece in pieces]
    assert b"".join(got) == payload


async def test_a_reader_that_leaves_holds_nothing(bus: Bus, database: str) -> None:
    chosen = (await bus.put(sample("random", 12 * MIB))).transaction_id
    pieces = bus.stream(chosen)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]  # an async generator

    async def quiet() -> bool:
        return all(row[0] == "idle" and not row[1] for row in await sessions(database))

    await eventually(quiet, "the connection of a reader that left is idle or closed")
    assert len(await bus.get(chosen)) == 12 * MIB


async def test_a_producer_that_stalls_holds_nothing(bus: Bus, database: str) -> None:
    """A slow stream, and a slow pipe, wait in a file: a transaction that waits with them would
    hold back every follower and vacuum."""
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield sample("random", 6 * MIB)
        await go_on.wait()
        yield b"end"

    streaming = asyncio.create_task(bus.put_stream(slow()))
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as pipe, os.fdopen(writer, "wb") as feeding:
        piping = asyncio.create_task(bus.put_file(pipe))
        await asyncio.to_thread(feeding.write, sample("random", 6 * MIB))
        await asyncio.to_thread(feeding.flush)
        for _ in range(15):
            await asyncio.sleep(0.1)
            assert all(row == ("idle", False, False) for row in await sessions(database))
        go_on.set()
        feeding.close()
        claims = await asyncio.gather(streaming, piping)
    assert [claim.payload_size_bytes for claim in claims] == [6 * MIB + 3, 6 * MIB]


async def test_one_connection_serves_many(database: str) -> None:
    async with connected(database, pool_max_size=1) as bus:
        payloads = [sample("random", size, size) for size in (10, 3 * MIB, 500_000, 6 * MIB)] * 6
        claims = await asyncio.gather(*(bus.put(payload) for payload in payloads))
        got = await asyncio.gather(*(bus.get(claim.transaction_id) for claim in claims))
        assert got == payloads
        assert clients(database) == 1


async def test_at_most_as_many_connections_as_allowed(bus: Bus, database: str) -> None:
    await asyncio.gather(*(bus.put(sample("random", 2 * MIB, n)) for n in range(12)))
    assert clients(database) <= bus.settings.pool_max_size


@pytest.mark.parametrize("size", [100, 3 * MIB])
async def test_connections_that_died_idle_are_replaced(bus: Bus, database: str, size: int) -> None:
    payload = sample("json", size)
    chosen = (await bus.put(payload)).transaction_id
    for act in ("get", "put", "stat", "many"):
        await asyncio.gather(*(bus.get(chosen) for _ in range(4)))
        await bus.deliveries.flush()
        await sql(
            database,
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name = 'busctl' and datname = current_database()",
        )
        match act:
            case "get":
                assert await bus.get(chosen) == payload
            case "put":
                claim = await bus.put(payload)
                assert await bus.get(claim.transaction_id) == payload
            case "stat":
                assert (await bus.stat(chosen)).payload_size_bytes == size
            case "many":
                assert len(await bus.put_many([b"a", b"b"])) == 2


async def test_a_server_that_restarts_is_met_again(open_folder: Path) -> None:
    home = open_folder / f"restart-{os.getpid()}"
    with embedded.acquire(home) as lease:
        dsn = await make_database(lease.server, "restarted")
        async with connected(dsn) as bus:
            payload = sample("json", 3 * MIB)
            chosen = (await bus.put(payload)).transaction_id
            embedded.stop(home, force=True)
            with pytest.raises(StoreUnreachable):
                await bus.get(chosen)
            with embedded.acquire(home):
                assert await bus.get(chosen) == payload
                await bus.put(payload)


async def test_partitions_that_are_missing_are_made(bus: Bus, database: str) -> None:
    """By put itself, at the last: a message of today never fails for want of a partition."""
    for payload in (b"small", sample("random", 3 * MIB)):
        await _drop_partitions(database)
        assert await bus.get((await bus.put(payload)).transaction_id) == payload
    await _drop_partitions(database)
    claims = await bus.put_many([b"a", b"b"])
    assert [await bus.get(claim.transaction_id) for claim in claims] == [b"a", b"b"]
    past = new_id(-100 * 3600)
    assert (await bus.put(b"late", transaction_id=past)).transaction_id == past


async def _drop_partitions(database: str) -> None:
    names = await sql(
        database,
        "select inhrelid::regclass::text from pg_inherits "
        "where inhparent::regclass::text in ('bus.message_bus', 'bus.message_chunk', "
        "'bus.message_event')",
    )
    for (name,) in names:
        await sql(database, f"drop table {name}")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://someone:s3cr3t-pw@127.0.0.1:1/none",
        "postgresql://someone:s3cr3t-pw@no-such-host.invalid/none",
        "host=/nowhere user=someone password=s3cr3t-pw dbname=none",
    ],
)
async def test_a_store_that_is_not_there(dsn: str) -> None:
    with pytest.raises(StoreUnreachable) as caught:
        async with connected(dsn, connect_timeout_secs=3):
            raise AssertionError("must not connect")
    _tells_no_secret(caught.value)


async def test_a_wrong_password(server: embedded.Server, database: str) -> None:
    """Over TCP a server asks for one; ours speaks on a socket only, so a fake one asks here."""

    async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(b"N")  # no TLS
        await reader.read(1024)
        text = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "someone"\0\0'
        writer.write(b"E" + (len(text) + 4).to_bytes(4, "big") + text)
        await writer.drain()
        writer.close()

    asked = await asyncio.start_server(ask, "127.0.0.1", 0)
    port = asked.sockets[0].getsockname()[1]
    async with asked:
        with pytest.raises(StoreUnreachable, match="password authentication failed") as caught:
            async with connected(
                f"postgresql://someone:s3cr3t-pw@127.0.0.1:{port}/none?gssencmode=disable"
            ):
                raise AssertionError("must not connect")
    _tells_no_secret(caught.value)


def _tells_no_secret(error: BusctlError) -> None:
    told = f"{error!r} {error} {error.remedy} {error.__cause__!r} {error.__cause__}"
    assert "s3cr3t-pw" not in told
    assert error.exit_code == 3


async def test_a_database_that_does_not_exist(server: embedded.Server) -> None:
    dsn = psycopg.conninfo.make_conninfo(server.dsn, dbname="no_such_database")
    with pytest.raises(StoreUnreachable, match="no_such_database"):
        async with connected(dsn):
            raise AssertionError("must not connect")


def test_a_server_without_our_roles_has_no_schema_of_ours() -> None:
    said = psycopg.errors.InvalidParameterValue('role "bus_reader" does not exist')
    assert type(mapped(said)) is SchemaMissing
    other = psycopg.errors.InvalidParameterValue('invalid value for parameter "x"')
    assert type(mapped(other)) is StoreFailed


async def test_a_schema_that_is_missing_or_old(empty_database: str, database: str) -> None:
    with pytest.raises(SchemaMissing, match="migrate up"):
        async with connected(empty_database):
            raise AssertionError("must not connect")
    newest = "(select max(version) from bus.migration)"
    await sql(database, f"delete from bus.migration where version = {newest}")
    with pytest.raises(SchemaOutdated, match="migrate up"):
        async with connected(database):
            raise AssertionError("must not connect")


@asynccontextmanager
async def _locked(database: str, table: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(direct(database)) as holder:
        await holder.execute(f"lock table bus.{table} in access exclusive mode".encode())
        yield


@pytest.mark.parametrize("size", [100, 3 * MIB])
async def test_no_progress_is_a_timeout_and_passes(database: str, size: int) -> None:
    payload = sample("random", size)
    async with connected(database, read_timeout_secs=0.5, write_timeout_secs=0.5) as bus:
        chosen = (await bus.put(payload)).transaction_id
        table = "message_chunk" if size > MIB else "message_bus"
        async with _locked(database, table):
            with pytest.raises(StoreTimeout, match=r"no progress for (0\.5|1|1\.5) s") as caught:
                await bus.get(chosen)  # the time-out is per chunk: three of them in one statement
            assert caught.value.exit_code == 3
            assert caught.value.transaction_id == chosen
            with pytest.raises(StoreTimeout, match=r"0\.5 s") as caught:
                await bus.put(payload)
            assert str(caught.value.transaction_id) in str(caught.value)
        assert await bus.get(chosen) == payload
        assert await bus.get((await bus.put(payload)).transaction_id) == payload


async def test_a_slow_transfer_that_moves_is_no_timeout(database: str) -> None:
    """Time-outs bound lack of progress. Each chunk here takes 50 ms, all of them 1.2 s."""
    async with connected(database, write_timeout_secs=0.6) as bus:
        await sql(
            database,
            "create function public.slow() returns trigger language plpgsql as "
            "$$ begin perform pg_sleep(0.05); return new; end $$",
        )
        await sql(
            database,
            "create trigger slow before insert on bus.message_chunk "
            "for each row execute function public.slow()",
        )
        payload = sample("random", 24 * MIB)
        assert await bus.get((await bus.put(payload)).transaction_id) == payload


async def _crowd(bus: Bus, calls: int = 8) -> list[StoreUnreachable]:
    """What so many puts come to while there is no connection for them."""
    done = await asyncio.gather(*(bus.put(b"x") for _ in range(calls)), return_exceptions=True)
    refused = [one for one in done if isinstance(one, StoreUnreachable)]
    assert len(refused) == calls, done
    return refused


async def test_own_transfers_that_move_open_no_breaker(database: str) -> None:
    """Who finds every connection busy falls back, and says nothing of the store."""
    await sql(
        database,
        "create function public.slow() returns trigger language plpgsql as "
        "$$ begin perform pg_sleep(0.1); return new; end $$",
    )
    await sql(
        database,
        "create trigger slow before insert on bus.message_chunk "
        "for each row execute function public.slow()",
    )
    payload = sample("random", 24 * MIB)
    async with connected(database, pool_max_size=1, connect_timeout_secs=0.5) as bus:
        large = asyncio.create_task(bus.put(payload))
        await asyncio.sleep(0.3)
        assert all(one.busy and not one.asked for one in await _crowd(bus))
        assert (bus.store.writes.state, bus.store.writes.failures) == (State.CLOSED, 0)
        assert await bus.get((await large).transaction_id) == payload


async def test_connections_that_stand_still_do(database: str) -> None:
    async with connected(
        database, pool_max_size=1, connect_timeout_secs=0.5, write_timeout_secs=5
    ) as bus:
        await bus.put(b"x")
        async with _locked(database, "message_bus"):
            standing = asyncio.create_task(bus.put(b"x"))
            await asyncio.sleep(0.6)
            assert not any(one.busy for one in await _crowd(bus))
        await standing
        assert bus.store.writes.state is State.OPEN


async def test_a_read_only_database_still_reads(database: str) -> None:
    async with connected(database) as bus:
        small, large = await bus.put(b"small"), await bus.put(sample("json", 3 * MIB))
    alter_database(database, "set default_transaction_read_only = on")
    async with connected(database) as bus:
        assert await bus.get(small.transaction_id) == b"small"
        assert len(await bus.get(large.transaction_id)) == 3 * MIB
        for payload in (b"x", sample("json", 3 * MIB)):
            with pytest.raises(StoreReadOnly, match="25006"):
                await bus.put(payload)
        with pytest.raises(StoreReadOnly):
            await bus.put_many([b"x"])
        await bus.deliveries.flush()
        assert bus.deliveries.unrecorded == 2


@pytest.fixture
def file_of_60_mb(tmp_path: Path) -> Path:
    from busctl.core.samples import pieces

    path = tmp_path / "60mb"
    with path.open("wb") as out:
        out.writelines(pieces("json", 60_000_000))
    return path


async def test_memory_is_bounded_while_60_mb_stream(
    database: str, file_of_60_mb: Path, tmp_path: Path
) -> None:
    """In a process of its own: peak resident memory after, against before."""
    code = """
import asyncio, resource, sys
from pathlib import Path
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

async def main(dsn, source, target):
    async with Bus.connect(Settings(database_url=dsn)) as bus:
        claim = await bus.put(b"warm" * 300_000)
        await bus.get(claim.transaction_id)
        before = peak()
        claim = await bus.put_file(Path(source))
        await bus.get_file(claim.transaction_id, Path(target))
        print(peak() - before)

asyncio.run(main(*sys.argv[1:]))
"""
    target = tmp_path / "back"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, database, str(file_of_60_mb), str(target),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    assert int(out) < 32 * MIB, f"{int(out):,} bytes above idle"
    assert target.read_bytes() == file_of_60_mb.read_bytes()


@pytest.mark.parametrize("size", [100, 3 * MIB])
async def test_an_answer_that_is_lost_names_the_message(database: str, size: int) -> None:
    """Nobody can tell whether it was stored: the caller learns under which id to try again."""
    payload = sample("random", size)
    async with connected(database, pool_max_size=1) as bus:
        await sql(
            database,
            "create function public.leave() returns trigger language plpgsql security definer as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$; "
            "create constraint trigger leave after insert on bus.message_event "
            "deferrable initially deferred for each row execute function public.leave()",
        )
        with pytest.raises(StoreUnreachable) as caught:
            await bus.put(payload)
        chosen = caught.value.transaction_id
        assert chosen is not None
        assert str(chosen) in str(caught.value)
        await sql(database, "drop function public.leave cascade")
        assert (await bus.put(payload, transaction_id=chosen)).transaction_id == chosen
        assert await bus.get(chosen) == payload


async def test_a_past_partition_that_left_is_made_again(bus: Bus, database: str) -> None:
    """Of an hour that this bus has stored chunks in already."""
    for _ in range(2):
        past, payload = new_id(-20 * 3600), sample("random", 2 * MIB)
        await bus.put(payload, transaction_id=past)
        assert await bus.get(past) == payload
        await _drop_partitions(database)


async def test_a_lease_whose_answer_was_lost_is_the_same_call(bus: Bus) -> None:
    """The pool asks again on a new connection; it must not hear that another daemon is at it."""
    span, chosen = timedelta(seconds=30), new_id()

    async def begin(daemon: str, transaction_id: UUID) -> bool:
        lease = await bus.store.request_begin(
            "me", "session", "request", transaction_id, daemon=daemon, lease=span, ttl=span
        )
        assert lease.transaction_id == chosen
        return lease.mine

    assert [await begin("one", chosen) for _ in range(2)] == [True, True]
    assert not await begin("two", new_id())
    assert not await begin("one", new_id())
    assert await bus.store.request_renew(
        "me", "session", "request", daemon="one", lease=span, answered=True
    )
    assert not await begin("one", chosen)


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("password=a hunter2=b host=h", "cannot be read by libpq."),
        ("postgresql://u:hunter2@h/db?pgbouncer=true", '"pgbouncer"'),
    ],
)
async def test_a_dsn_libpq_cannot_read_is_not_quoted(
    settings: Settings, dsn: str, said: str
) -> None:
    odd = settings.model_copy(update={"database_url": SecretStr(dsn)})
    with pytest.raises(ConfigurationError) as caught:
        async with Bus.connect(odd):
            pass
    assert said in caught.value.message
    assert "hunter2" not in str(caught.value)
