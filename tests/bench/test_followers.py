"""What followers cost writers: the rate of 16 writers of 1 KB, with two followers and without."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median

import pytest
from pydantic import SecretStr

from busctl.connect import Bus
from busctl.core.configuration.settings import Settings

pytestmark = [pytest.mark.bench, pytest.mark.timeout(300)]

WRITERS, FOLLOWERS, ROUNDS, SECS = 16, 2, 5, 1.5
SETTLE_SECS = 1.5
"""A follower's process is started, and has taken up what is there, before writers are timed."""


@asynccontextmanager
async def following(database: str, count: int) -> AsyncIterator[None]:
    """That many `busctl tail -f` under names of their own, each in its process."""
    arguments = [sys.executable, "-P", "-m", "busctl", "tail", "-f", "--json", "--name"]
    running = [
        await asyncio.create_subprocess_exec(
            *arguments, f"follower-{number}", stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "DATABASE_URL": database},
        )
        for number in range(count)
    ]  # fmt: skip
    try:
        await asyncio.sleep(SETTLE_SECS)
        assert all(one.returncode is None for one in running)
        yield
    finally:
        for one in running:
            one.terminate()
            await one.wait()


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


async def test_writers_hardly_notice_followers(database: str) -> None:
    found: dict[int, list[float]] = {0: [], FOLLOWERS: []}
    settings = Settings(database_url=SecretStr(database), pool_max_size=WRITERS)
    async with Bus.connect(settings) as bus:
        await rate(bus)
        for _ in range(ROUNDS):
            for count in found:
                async with following(database, count):
                    found[count].append(await rate(bus))
    ratios = [one / other for one, other in zip(found[FOLLOWERS], found[0], strict=True)]
    print(f"{median(found[0]):,.0f} puts/s, with followers {median(ratios):.2f} x", ratios)
    assert median(ratios) > 0.5
