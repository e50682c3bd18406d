"""Against pgmq, whose SQL ships in its Python package: the same payloads, the same server.

pgmq takes and gives JSON values, the bus bytes. What is asserted lets each begin and end with what
its users hold: pgmq with parsed values, which its client encodes (`Jsonb`) and psycopg parses, both
in the timed part as nobody can use pgmq without; the bus with bytes. Beside it is printed what it
takes when pgmq, too, begins and ends with bytes. Deleting what was read is not timed, nor is the
bus's record of a delivery.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from pgmq.install import get_embedded_install_sql
from psycopg.types.json import Jsonb

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.samples import sample
from tests.bench.timing import medians

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
SEND = "select * from pgmq.send(queue_name => 'bench', msg => %s::jsonb)"
SEND_BATCH = "select * from pgmq.send_batch(queue_name => 'bench', msgs => %s::jsonb[])"
READ = "select msg_id, message from pgmq.read(queue_name => 'bench', vt => 600, qty => 1)"
ROUNDS = 7
WARM_UP = 2


class Queue:
    """pgmq's own functions, called as its psycopg client calls them."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def send(self, value: Any) -> None:
        await self._connection.execute(SEND, (Jsonb(value),))

    async def send_batch(self, values: list[Any]) -> None:
        await self._connection.execute(SEND_BATCH, ([Jsonb(value) for value in values],))

    async def read(self) -> Any:
        """The next message's value."""
        row = await (await self._connection.execute(READ)).fetchone()
        assert row is not None
        return row[1]

    async def send_bytes(self, payload: bytes) -> None:
        await self.send(json.loads(payload))

    async def send_many_bytes(self, payloads: list[bytes]) -> None:
        await self.send_batch([json.loads(payload) for payload in payloads])

    async def read_bytes(self) -> bytes:
        return json.dumps(await self.read()).encode()


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
    values = [json.loads(payload) for payload in payloads]
    times = await medians(
        {
            "bus": lambda: bus.put_many(payloads),
            "values": lambda: queue.send_batch(values),
            "bytes": lambda: queue.send_many_bytes(payloads),
        },
        60,
    )
    ratio, from_bytes = times["values"] / times["bus"], times["bytes"] / times["bus"]
    print(
        f"put_many of 100 x 1 KB: {ratio:.2f} x the rate of pgmq.send_batch "
        f"({from_bytes:.2f} x with pgmq beginning with bytes)"
    )
    assert ratio >= 4


async def test_ten_megabytes_against_send_and_read(bus: Bus, queue: Queue) -> None:
    payload = sample("json", 10_000_000)
    value = json.loads(payload)
    claim = await bus.put(payload)
    stores = await medians(
        {
            "bus": lambda: bus.put(payload),
            "values": lambda: queue.send(value),
            "bytes": lambda: queue.send_bytes(payload),
        },
        ROUNDS,
        WARM_UP,
    )
    fetches = await medians(
        {
            "bus": lambda: bus.get(claim.transaction_id),
            "values": queue.read,
            "bytes": queue.read_bytes,
        },
        ROUNDS,
        WARM_UP,
    )
    store, fetch = stores["bus"] / stores["values"], fetches["bus"] / fetches["values"]
    print(
        f"10 MB against pgmq: store {store:.3f} x, fetch {fetch:.3f} x (bytes on both sides: "
        f"store {stores['bus'] / stores['bytes']:.3f} x, "
        f"fetch {fetches['bus'] / fetches['bytes']:.3f} x)"
    )
    assert (store <= 0.17, fetch <= 0.20) == (True, True), (store, fetch)
