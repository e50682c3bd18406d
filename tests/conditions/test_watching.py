"""A watcher that is killed, one with a large message, and one that must keep up."""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import Labels
from busctl.core.samples import sample

KILLS = 10
LARGE = 100_000_000
PER_SECOND = 500
SECONDS = 12
MOST_WAITING = 4 * PER_SECOND


@contextmanager
def watching(dsn: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-P", "-m", "busctl", "watch", "-q", *words]
    process = subprocess.Popen(command, env={**os.environ, "DATABASE_URL": dsn})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_each_message_is_observed_once_although_it_is_killed(
    database: str,
) -> None:
    async with Bus.connect(Settings(database_url=database)) as bus:
        stop, chance = asyncio.Event(), random.Random(3)

        async def write() -> int:
            count = 0
            while not stop.is_set():
                size = chance.choice((10, 500, 500, 3_000, 200_000, 1_300_000))
                await bus.put(sample("json", size, count), Labels(tool_name="t"))
                count += 1
                await asyncio.sleep(0.01)
            return count

        writing = asyncio.create_task(write())
        for _ in range(KILLS):
            with watching(database), watching(database):
                await asyncio.sleep(1.2 + chance.random())
        stop.set()
        stored = await writing
        with psycopg.connect(database, autocommit=True) as session:
            with watching(database):
                await observed(session, stored)
                await asyncio.sleep(0.5)
            rows = session.execute(
                "select count(*), count(distinct observed), sum(bytes_read), bool_and(ok or "
                "severity = 'info') from bus.watcher_observations"
            ).fetchone()
            size = session.execute(
                "select sum(payload_size_bytes) from bus.message_bus "
                "where message_type = 'tool_response'"
            ).fetchone()
        assert size is not None
        assert rows == (stored, stored, size[0], True)


async def test_a_large_message_is_observed_in_bounded_memory(database: str, tmp_path: Path) -> None:
    async with Bus.connect(Settings(database_url=database)) as bus:
        source = tmp_path / "large"
        source.write_bytes(sample("json", LARGE))
        claim = await bus.put_file(source, Labels(content_type="application/json"))
    with psycopg.connect(database, autocommit=True) as session, watching(database) as process:
        await observed(session, 1)
        status = Path(f"/proc/{process.pid}/status").read_text()
        found = session.execute(
            "select observed, bytes_read, ok from bus.watcher_observations"
        ).fetchall()
    assert found == [(claim.transaction_id, LARGE, True)]
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    assert int(peak[1]) < 130_000


async def test_it_keeps_up(database: str) -> None:
    """500 small messages a second: what waits stays bounded, and in the end nothing does."""
    with psycopg.connect(database, autocommit=True) as session, watching(database):
        async with Bus.connect(Settings(database_url=database)) as bus:
            await bus.put(b"first", Labels(tool_name="t"))
            await observed(session, 1)
            most, began = 0, time.monotonic()
            for count in range(PER_SECOND * SECONDS):
                await asyncio.sleep(max(0, began + count / PER_SECOND - time.monotonic()))
                await bus.put(
                    b'{"n": %d}' % count, Labels(content_type="application/json", tool_name="t")
                )
                if count % PER_SECOND == 0:
                    row = session.execute("select waiting from bus.followers").fetchone()
                    assert row is not None
                    most = max(most, row[0])
        await observed(session, PER_SECOND * SECONDS + 1)
    assert most <= MOST_WAITING


async def observed(session: psycopg.Connection[tuple[int, ...]], count: int) -> None:
    """Wait until so many are; the test's own time-out ends a wait in vain."""
    while session.execute("select count(*) from bus.watcher_observations").fetchone() != (count,):
        await asyncio.sleep(0.1)
