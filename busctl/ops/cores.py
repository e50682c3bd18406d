"""Hashing and packing in threads: as many at a time as there are cores, first come first served.

asyncio's own pool has more threads than cores: chunks that are begun together then all end late,
and the one that is waited for is no earlier than the last.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=os.cpu_count() or 1, thread_name_prefix="busctl-core")


async def on_a_core(work: Callable[..., Result], *values: Any) -> Result:
    """`work(*values)`, which lets go of the GIL, in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_pool(), work, *values)
