"""Against pgqueuer: the same bytes to its enqueue and dequeue, by its own psycopg driver.

Both take bytes and give bytes. What pgqueuer does after the job (logging it, deleting it) is not
timed, nor is the bus's record of a delivery.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pgqueuer.adapters.drivers.psycopg import PsycopgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.types import QueueEntrypoint, QueueManagerId
from pgqueuer.ports.repository import EntrypointExecutionParameter

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.samples import sample
from tests.bench.timing import medians

pytestmark = [pytest.mark.bench, pytest.mark.timeout(600)]
ENTRYPOINT = "bench"
ROUNDS = 9
WARM_UP = 2


class Queue:
    """pgqueuer's own queries on a connection of their own."""

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._queries = Queries(PsycopgDriver(connection))
        self._taken: list[Any] = []

    async def install(self) -> None:
        await self._queries.install()

    async def enqueue(self, payload: bytes) -> None:
        await self._queries.enqueue(ENTRYPOINT, payload)

    async def dequeue(self) -> bytes:
        """The oldest job's payload, as its worker gets it."""
        jobs = await self._queries.dequeue(
            batch_size=1,
            entrypoints={
                QueueEntrypoint(ENTRYPOINT): EntrypointExecutionParameter(concurrency_limit=0)
            },
            queue_manager_id=QueueManagerId(uuid.uuid4()),
            global_concurrency_limit=None,
            heartbeat_timeout=timedelta(minutes=10),
        )
        self._taken += jobs
        payload = jobs[0].payload
        assert isinstance(payload, bytes)
        return payload

    async def finish(self) -> None:
        """Log what was taken as done, which deletes it from the queue."""
        await self._queries.log_jobs([(job, "successful", None) for job in self._taken])
        self._taken.clear()


@pytest.fixture
async def queue(settings: Settings) -> AsyncIterator[Queue]:
    dsn = settings.database_dsn()
    assert dsn is not None
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        made = Queue(connection)
        await made.install()
        yield made


async def test_ten_megabytes_against_enqueue_and_dequeue(bus: Bus, queue: Queue) -> None:
    payload = sample("json", 10_000_000)
    claim = await bus.put(payload)
    stores = await medians(
        {"bus": lambda: bus.put(payload), "pgqueuer": lambda: queue.enqueue(payload)},
        ROUNDS,
        WARM_UP,
    )
    fetches = await medians(
        {"bus": lambda: bus.get(claim.transaction_id), "pgqueuer": queue.dequeue}, ROUNDS, WARM_UP
    )
    await queue.enqueue(payload)
    assert await queue.dequeue() == payload
    await queue.finish()
    store, fetch = stores["bus"] / stores["pgqueuer"], fetches["bus"] / fetches["pgqueuer"]
    print(f"10 MB against pgqueuer: store {store:.2f} x, fetch {fetch:.2f} x")
    assert (store <= 0.25, fetch <= 0.9) == (True, True), (store, fetch)
