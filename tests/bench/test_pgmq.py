"""Against pgmq, whose SQL ships in its Python package: the same payloads, the same server."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from pgmq.install import get_embedded_install_sql
from psycopg.types.json import Jsonb

from busctl.connect import Bus
from busctl.core.samples import sample
from busctl.core.settings import Settings
from tests.bench.timing import medians

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]


class Queue:
    """pgmq's own functions, called as its client calls them."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def send(self, payload: bytes) -> None:
        message = Jsonb(json.loads(payload))
        await self._connection.execute("select pgmq.send('bench', %s::jsonb)", (message,))

    async def send_batch(self, payloads: list[bytes]) -> None:
        messages = [Jsonb(json.loads(payload)) for payload in payloads]
        await self._connection.execute("select pgmq.send_batch('bench', %s::jsonb[])", (messages,))

    async def read(self) -> bytes:
        """The next message, written out again, and then archived away by deleting it."""
        found = await self._connection.execute("select * from pgmq.read('bench', 30, 1)")
        row = await found.fetchone()
        assert row is not None
        text = json.dumps(row[-2] if isinstance(row[-2], dict) else row[-1]).encode()
        await self._connection.execute("select pgmq.delete('bench', %s::bigint)", (row[0],))
        return text


@pytest.fixture
async def queue(settings: Settings) -> AsyncIterator[Queue]:
    dsn = settings.database_dsn()
    assert dsn is not None
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(get_embedded_install_sql())
        await connection.execute("select pgmq.create('bench')")
        yield Queue(connection)


async def test_put_many_against_send_batch(bus: Bus, queue: Queue) -> None:
    payloads = [sample("json", 1_000, seed) for seed in range(100)]
    times = await medians(
        {"bus": lambda: bus.put_many(payloads), "pgmq": lambda: queue.send_batch(payloads)}, 60
    )
    ratio = times["pgmq"] / times["bus"]
    print(f"put_many of 100 x 1 KB: {ratio:.2f} x the rate of pgmq.send_batch")
    assert ratio >= 4


async def test_ten_megabytes_against_send_and_read(bus: Bus, queue: Queue) -> None:
    payload = sample("json", 10_000_000)
    claim = await bus.put(payload)
    stores = await medians(
        {"bus": lambda: bus.put(payload), "pgmq": lambda: queue.send(payload)}, 5, warm_up=1
    )
    fetches = await medians(
        {"bus": lambda: bus.get(claim.transaction_id), "pgmq": queue.read}, 5, warm_up=1
    )
    store, fetch = stores["bus"] / stores["pgmq"], fetches["bus"] / fetches["pgmq"]
    print(f"10 MB against pgmq: store {store:.2f} x, fetch {fetch:.2f} x")
    assert (store <= 0.17, fetch <= 0.20) == (True, True)
