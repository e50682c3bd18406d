"""The hot calls: prepared when that pays, prepared again when the server has forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.calling import Call, Statements, call
from busctl.adapters.postgres.connection import Connection
from busctl.adapters.postgres.pool import Pool
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import StoreFailed, StoreTimeout
from tests.conftest import direct

DOUBLE = Call("select %(n)b::int4 * 2, %(n)b::int4")


async def doubled(pool: Pool, number: int) -> int:
    row = await pool.call(DOUBLE, {"n": number.to_bytes(4)}, timeout=5)
    assert row.get_value(0, 1) == number.to_bytes(4)
    return int.from_bytes(row.get_value(0, 0) or b"")


async def prepared(pool: Pool) -> list[str]:
    names = await pool.run(
        lambda session: session.all("select name from pg_prepared_statements"), timeout=5
    )
    return [row[0] for row in names if row[0].startswith("busctl_")]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = Pool(direct(database), size=1, connect_timeout=5)
    yield opened
    await opened.close()


def test_a_name_used_twice_is_one_parameter() -> None:
    assert DOUBLE.text == b"select $1::int4 * 2, $1::int4"
    assert DOUBLE.names == ("n",)
    assert call("select %(n)b") is call("select %(n)b")


async def test_prepared_only_once_it_pays(pool: Pool) -> None:
    for number in range(5):
        assert await doubled(pool, number) == number * 2
    assert await prepared(pool) == []
    assert await doubled(pool, 5) == 10
    assert await prepared(pool) == [f"{DOUBLE.name.decode()}_0"]


async def test_never_prepared_behind_a_pooler(pool: Pool) -> None:
    pool.without_prepared_statements()
    for number in range(8):
        assert await doubled(pool, number) == number * 2
    assert await prepared(pool) == []


async def test_a_forgotten_statement_is_prepared_again(pool: Pool) -> None:
    for number in range(6):
        await doubled(pool, number)
    await pool.run(lambda session: session.command("deallocate all"), timeout=5)
    assert await doubled(pool, 7) == 14
    assert await prepared(pool) == [f"{DOUBLE.name.decode()}_1"]


async def test_a_result_that_changed_its_type_is_prepared_again(pool: Pool) -> None:
    await pool.run(lambda session: session.command("create table t (n int4)"), timeout=5)
    everything = Call("select * from t")
    for _ in range(6):
        await pool.call(everything, {}, timeout=5)
    await pool.run(lambda session: session.command("alter table t add m int8"), timeout=5)
    assert (await pool.call(everything, {}, timeout=5)).nfields == 2


async def test_an_error_leaves_the_connection_in_use(pool: Pool) -> None:
    failing = Call("select 1 / %(n)b::int4")
    assert await doubled(pool, 1) == 2
    before = pool.backend_pids
    with pytest.raises(StoreFailed, match="division by zero"):
        await pool.call(failing, {"n": (0).to_bytes(4)}, timeout=5)
    assert pool.backend_pids == before


async def test_a_call_that_takes_too_long_is_given_up(pool: Pool, database: str) -> None:
    with pytest.raises(StoreTimeout):
        await pool.call(Call("select pg_sleep(30)"), {}, timeout=0.2)
    assert pool.backend_pids == []
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as other:
        for _ in range(100):
            found = await other.execute(
                "select 1 from pg_stat_activity where query like 'select pg_sleep%' "
                "and state = 'active' and pid <> pg_backend_pid()"
            )
            if await found.fetchone() is None:
                return
            await asyncio.sleep(0.05)
    pytest.fail("the server still runs what nobody waits for")


async def test_a_server_that_stops_answering_times_out(
    database: str, server: embedded.Server
) -> None:
    quick = Settings(database_url=direct(database), read_timeout_secs=0.3)
    async with Bus.connect(quick) as bus:
        claim = await bus.put(b"x")
        (pid,) = bus.store.inner.pool.backend_pids  # type: ignore[attr-defined]  # PostgresStore has one
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreTimeout) as raised:
                await bus.get(claim.transaction_id)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert str(claim.transaction_id) in str(raised.value)
        assert await bus.get(claim.transaction_id) == b"x"


async def test_a_name_means_the_same_to_every_client(database: str) -> None:
    """Numbers as names would have one client run what another one prepared, through a pooler that
    nobody noticed."""
    one, two = Call("select %(a)b::text || 'one'"), Call("select %(a)b::text || 'two'")
    async with await Connection.connect(direct(database), autocommit=True) as connection:
        clients = [Statements(0), Statements(0)]
        for wanted, answer in ((one, b"xone"), (two, b"xtwo"), (one, b"xone")):
            for client in (clients[0], clients[1], clients[0]):
                running = client.run(connection.pgconn, wanted, {"a": b"x"})
                assert (await connection.wait(running)).get_value(0, 0) == answer
            clients.reverse()
        clients[0].forget()
        running = clients[0].run(connection.pgconn, one, {"a": b"x"})
        assert (await connection.wait(running)).get_value(0, 0) == b"xone"
        held = await connection.execute("select count(*) from pg_prepared_statements")
        assert await held.fetchone() == (3,)


QUICK = Call("select %(n)b::int4 * 2", quick=True)
LATE = Call("select %(n)b::int4 * 2 from pg_sleep(0.2)", quick=True)
LONG = Call("select repeat('x', %(n)b::int4)", quick=True)


@pytest.mark.parametrize("wanted", [QUICK, LATE])
async def test_an_answer_that_comes_at_once_or_late(pool: Pool, wanted: Call) -> None:
    for number in range(8):
        row = await pool.call(wanted, {"n": number.to_bytes(4)}, timeout=5)
        assert row.get_value(0, 0) == (2 * number).to_bytes(4)


async def test_others_go_on_while_a_quick_call_is_late(pool: Pool) -> None:
    late = asyncio.ensure_future(pool.call(LATE, {"n": bytes(4)}, timeout=5))
    turns = 0
    while not late.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert (await late).get_value(0, 0) == bytes(4)
    assert turns > 10


async def test_a_quick_call_with_a_long_answer(pool: Pool) -> None:
    for length in (1, 1_000_000, 5_000_000):
        row = await pool.call(LONG, {"n": length.to_bytes(4)}, timeout=30)
        assert row.get_value(0, 0) == b"x" * length


async def test_a_quick_call_that_fails(pool: Pool) -> None:
    failing = Call("select 1 / %(n)b::int4", quick=True)
    with pytest.raises(StoreFailed):
        await pool.call(failing, {"n": bytes(4)}, timeout=5)
    assert await doubled(pool, 21) == 42


async def test_a_quick_call_in_vain_is_timed_out(pool: Pool) -> None:
    endless = Call("select %(n)b::int4 from pg_sleep(60)", quick=True)
    with pytest.raises(StoreTimeout):
        await pool.call(endless, {"n": bytes(4)}, timeout=0.3)
    assert await doubled(pool, 21) == 42
