"""Signals to children that are just ending."""

from __future__ import annotations

import asyncio
import time

from busctl.adapters import child


async def test_a_child_that_is_just_ending_tells_its_own_exit_code() -> None:
    """Asked of one method of `Process` too early, asyncio would say 255 for some of them."""
    codes = set()
    for number in range(60):
        process = await asyncio.create_subprocess_exec("sh", "-c", "exit 7")
        time.sleep(number % 20 / 10_000)  # asyncio must not hear of the end
        await child.end(process)
        codes.add(process.returncode)
    assert codes <= {7, -9}


async def test_a_child_that_has_ended_gets_no_signal() -> None:
    process = await asyncio.create_subprocess_exec("true")
    await process.wait()
    await child.end(process)
    assert process.returncode == 0
