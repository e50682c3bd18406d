"""Tasks that work ahead of their reader."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def ahead(work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Begin `work` now. When the reader has met an error or left, nobody awaits it: then its own
    error must not be printed as one that nobody saw."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task
