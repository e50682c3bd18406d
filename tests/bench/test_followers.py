"""What followers cost writers: the rate of 16 writers of 1 KB, with two followers and without."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import psycopg
import pytest
from pydantic import SecretStr

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

WRITERS, FOLLOWERS, ROUNDS, SECS = 16, 2, 9, 1.0


@asynccontextmanager
async def following(database: str, count: int, folder: Path) -> AsyncIterator[None]:
    """That many `busctl tail -f` under names of their own, each in its process. They have taken up
    what is there before writers are timed, and it is waited until they have what these stored."""
    arguments = [sys.executable, "-P", "-m", "busctl", "tail", "-f", "--json", "--name"]
    running = []
    for number in range(count):
        with (folder / f"follower-{number}").open("ab") as printed:
            running.append(await asyncio.create_subprocess_exec(
                *arguments, f"follower-{number}", stdout=printed,
                stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "DATABASE_URL": database},
            ))  # fmt: skip
    try:
        await caught_up(database, count)
        yield
        if count:
            print("behind at the end of the burst:", await waiting(database))
        await caught_up(database, count)
        assert all(one.returncode is None for one in running)
    finally:
        for one in running:
            one.terminate()
            await one.wait()


async def caught_up(database: str, count: int) -> None:
    while count and await waiting(database) != [0] * count:
        await asyncio.sleep(0.1)
    await asyncio.sleep(0.5)  # what was in the hands of one is printed


async def waiting(database: str) -> list[int]:
    """How many messages, up to 10,000, each follower is behind."""
    async with await psycopg.AsyncConnection.connect(database) as session:
        rows = await session.execute("select waiting from bus.followers")
        return [row[0] for row in await rows.fetchall()]


async def rate(bus: Bus) -> float:
    """Messages a second that all writers together have stored."""
    payload, until, stored = os.urandom(1000), time.perf_counter() + SECS, 0

    async def write() -> None:
        nonlocal stored
        while time.perf_counter() < until:
            await bus.put(payload)
            stored += 1

    await asyncio.gather(*(write() for _ in range(WRITERS)))
    return stored / SECS


async def test_writers_hardly_notice_followers(database: str, tmp_path: Path) -> None:
    found: dict[int, list[float]] = {0: [], FOLLOWERS: []}
    settings = Settings(database_url=SecretStr(database), pool_max_size=WRITERS)
    async with Bus.connect(settings) as bus:
        await rate(bus)
        for _ in range(ROUNDS):
            for count in found:
                async with following(database, count, tmp_path):
                    found[count].append(await rate(bus))
    ratios = [one / other for one, other in zip(found[FOLLOWERS], found[0], strict=True)]
    print(f"{median(found[0]):,.0f} puts/s, with followers {median(ratios):.2f} x", ratios)
    with psycopg.connect(database) as session:
        (stored,) = session.execute("select count(*) from bus.message_bus").fetchone() or (0,)
    for printed in tmp_path.iterdir():
        ids = [json.loads(line)["transaction_id"] for line in printed.read_text().splitlines()]
        assert len(ids) == len(set(ids)) == stored
    assert median(ratios) >= 0.9
