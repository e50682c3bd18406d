"""A transfer over a thin line takes its time: what bounds it is progress, not duration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import psycopg
import pytest

from busctl.connect import Bus
from busctl.core.breaker import State
from busctl.core.configuration.settings import Settings
from busctl.core.samples import sample

BYTES_A_SECOND = 20_000_000 / 8
PIECE = 16 * 1024


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What comes, no faster than the line carries it."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    with closing(writer):
        while piece := await reader.read(PIECE):
            due = max(due, loop.time()) + len(piece) / BYTES_A_SECOND
            await asyncio.sleep(max(0.0, due - loop.time()))
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def thin_line(dsn: str, folder: Path) -> AsyncIterator[str]:
    """The DSN of the same database over a line of 20 Mbit/s."""
    parts = psycopg.conninfo.conninfo_to_dict(dsn)
    target = f"{parts['host']}/.s.PGSQL.{parts['port']}"
    lines: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(target)
        for way in (_pump(reader, back), _pump(there, writer)):
            lines.add(asyncio.create_task(way))

    server = await asyncio.start_unix_server(carry, folder / f".s.PGSQL.{parts['port']}")
    try:
        yield psycopg.conninfo.make_conninfo(dsn, host=str(folder))
    finally:
        server.close()
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)


@pytest.mark.parametrize("kind", ["random", "json"])
async def test_a_transfer_longer_than_the_timeouts_arrives_whole(
    database: str, tmp_path: Path, kind: str
) -> None:
    payload = sample(kind, 20_000_000 if kind == "random" else 40_000_000)  # type: ignore[arg-type]  # a Kind
    async with thin_line(database, tmp_path) as dsn:
        # A chunk takes 0.4 s, the whole 8 s each way (JSON packed: a fifth of that).
        settings = Settings(database_url=dsn, write_timeout_secs=2, read_timeout_secs=2)
        async with Bus.connect(settings) as bus:
            claim = await bus.put(payload)
            assert await bus.get(claim.transaction_id) == payload
            assert bus.store.writes.state is State.CLOSED
            assert bus.store.reads.state is State.CLOSED
            assert bus.store.writes.failures == 0
