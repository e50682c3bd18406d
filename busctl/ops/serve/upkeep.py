"""What the daemon does by itself: partitions ahead of time, cleanup, looking at the store.

A run that fails is logged and counted, and the next one comes in its time: upkeep never ends the
daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from busctl.core.errors import BusctlError, LockHeld
from busctl.ports import Meter

log = logging.getLogger("busctl.upkeep")

PARTITIONS_SECS = 3600.0
LOOK_SECS = 5.0
SPOOL_SECS = 2.0
DAEMONS_SECS = 30.0

Task = Callable[[], Awaitable[object]]


async def repeat(
    name: str, task: Task, seconds: float, meter: Meter, *, first: float = 0.0
) -> None:
    """Run `task` after `first` seconds and every `seconds`, until cancelled."""
    await asyncio.sleep(first)
    own = asyncio.current_task()
    while True:
        await once(name, task, meter)
        if own is not None and own.cancelling():
            # What was given up for that failed in its own way, and hid it.
            raise asyncio.CancelledError
        await asyncio.sleep(seconds)


async def once(name: str, task: Task, meter: Meter) -> None:
    """One run, its failure logged and counted."""
    try:
        result = await task()
    except LockHeld:
        log.info("left to another run", extra={"task": name})
        return
    except (BusctlError, OSError) as error:
        log.warning("upkeep failed", extra={"task": name, "error": str(error)})
        meter.upkeep(name, ok=False)
        return
    meter.upkeep(name, ok=True)
    log.debug("upkeep done", extra={"task": name, "result": str(result)})
