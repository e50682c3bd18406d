"""However many ask, the store is asked once a second, and a failure is told to all who wait."""

from __future__ import annotations

import asyncio

import pytest

from busctl.adapters.clock import SystemClock
from busctl.core.errors import StoreUnreachable
from busctl.ops.serve.shared import MOST, Shared


async def test_twenty_viewers_ask_once() -> None:
    shared, asked = Shared(SystemClock()), 0

    async def ask() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)
        return asked

    first = await asyncio.gather(*(shared.get("now", ask, secs=60) for _ in range(20)))
    again = await asyncio.gather(*(shared.get("now", ask, secs=60) for _ in range(20)))
    assert (set(first), set(again), asked) == ({1}, {1}, 1)
    assert await shared.get("other", ask, secs=60) == 2
    assert await shared.get("now", ask, secs=0) == 3


async def test_a_failure_is_told_and_asked_again() -> None:
    shared, works = Shared(SystemClock()), False

    async def ask() -> str:
        if not works:
            raise StoreUnreachable("away")
        return "here"

    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            await shared.get("now", ask, secs=60)
    assert shared.latest("now", ask, secs=60) is None
    await asyncio.sleep(0)
    works = True
    assert await shared.get("now", ask, secs=60) == "here"
    assert shared.latest("now", ask, secs=60) == "here"


async def test_who_leaves_does_not_take_the_answer_away() -> None:
    shared, go = Shared(SystemClock()), asyncio.Event()

    async def ask() -> str:
        await go.wait()
        return "here"

    leaving = asyncio.create_task(shared.get("now", ask, secs=60))
    staying = asyncio.create_task(shared.get("now", ask, secs=60))
    await asyncio.sleep(0)
    leaving.cancel()
    go.set()
    assert await staying == "here"


async def test_it_does_not_grow_without_end() -> None:
    shared = Shared(SystemClock())

    async def ask() -> int:
        return 1

    for key in range(MOST + 10):
        await shared.get(key, ask, secs=60)
    assert len(shared._kept) == MOST
