"""The hot calls: prepared when that pays, prepared again when the server has forgotten."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import psycopg
import pytest

from busctl.adapters import embedded
from busctl.adapters.postgres.calling import Call, call
from busctl.adapters.postgres.pool import Pool
from busctl.connect import Bus
from busctl.core.errors import StoreFailed, StoreTimeout
from busctl.core.settings import Settings

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
    opened = Pool(database, size=1, connect_timeout=5)
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
    assert await prepared(pool) == ["busctl_1"]


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
    assert await prepared(pool) == ["busctl_2"]


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
    settings: Settings, server: embedded.Server
) -> None:
    quick = settings.model_copy(update={"read_timeout_secs": 0.3})
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
