"""The server's process keeps what a chunk frees for the next one, once it was told to."""

from __future__ import annotations

import os
from pathlib import Path

from busctl.adapters.clock import SystemClock
from busctl.adapters.postgres.pool import Pool
from busctl.adapters.postgres.store import PostgresStore
from busctl.core.configuration.settings import Settings
from busctl.ops.bus import Bus
from tests.conftest import direct

SIZE = 10_000_000
MINOR_FAULTS = 7
"""The field of /proc/PID/stat after the name, counted from 0."""


def faults_of(pid: int) -> int:
    """Pages that a process was given anew so far."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[MINOR_FAULTS])


async def test_chunks_are_not_faulted_in_anew(database: str) -> None:
    """The shared buffers may be touched for the first time, a page for each of the payload's. A
    server that gives back what a chunk freed takes three pages each (8,000 faults measured)."""
    store = await PostgresStore.open(direct(database), pool_size=1)
    try:
        bus = Bus(store, Settings(), SystemClock(), hop="test")
        async with store.pool.borrow() as session:
            pid = session.connection.info.backend_pid
        for _ in range(2):
            await bus.put(os.urandom(SIZE))
        before = faults_of(pid)
        await bus.put(os.urandom(SIZE))
        assert faults_of(pid) - before < 1.5 * SIZE / os.sysconf("SC_PAGE_SIZE")
        await bus.deliveries.close()
    finally:
        await store.pool.close()


async def test_a_connection_is_told_once(database: str) -> None:
    pool = Pool(database, size=1, connect_timeout=10)
    try:
        async with pool.borrow() as session:
            copy = "copy (select 7) to stdout (format binary)"
            assert session.with_room(copy) != copy
            assert session.with_room(copy) == copy
            assert len(await session.copied(copy)) == 1
    finally:
        await pool.close()
