"""The daemon's own tasks end when they are told to, whatever their work makes of it."""

from __future__ import annotations

import asyncio

import pytest

from busctl.adapters.metrics import Metrics
from busctl.core.errors import StoreFailed
from busctl.ops.serve.upkeep import repeat


async def test_work_that_hides_its_cancelling_does_not_hold_up_the_end() -> None:
    begun = asyncio.Event()

    async def hides() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            raise StoreFailed("What was to be undone could not be.") from error

    task = asyncio.create_task(repeat("cleanup", hides, 3600.0, Metrics("test")))
    await begun.wait()
    task.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await task
