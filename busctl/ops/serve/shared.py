"""One answer for all who ask the same: however many look, the store is asked once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from busctl.core.errors import BusctlError
from busctl.ports import Clock

Result = TypeVar("Result")

MOST = 256
"""Questions whose answers are kept; those asked longest ago are forgotten first."""


@dataclass
class _Kept:
    """An answer, when it came (monotonic, s), and the asking of the next one."""

    value: Any = None
    at: float = float("-inf")
    asking: asyncio.Task[Any] | None = None


class Shared:
    """Answers by key, each asked for at most once at a time and once in so many seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[Result]], *, secs: float
    ) -> Result:
        """The answer, at most `secs` old. Raises what asking raises, to all who wait for it."""
        kept = self._of(key)
        if self._clock.monotonic() - kept.at < secs:
            fresh: Result = kept.value
            return fresh
        # Shielded: one viewer that leaves must not take the answer from the others.
        answer: Result = await asyncio.shield(self._asked(kept, ask))
        return answer

    def latest(
        self, key: Hashable, ask: Callable[[], Awaitable[Result]], *, secs: float
    ) -> Result | None:
        """The last answer at once, None when there is none yet; a newer one is asked for once it
        is `secs` old."""
        kept = self._of(key)
        if self._clock.monotonic() - kept.at >= secs:
            self._asked(kept, ask)
        value: Result | None = kept.value
        return value

    def _of(self, key: Hashable) -> _Kept:
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return kept

    def _asked(self, kept: _Kept, ask: Callable[[], Awaitable[Any]]) -> asyncio.Task[Any]:
        if kept.asking is None:
            kept.asking = asyncio.create_task(self._ask(kept, ask))
            kept.asking.add_done_callback(_heard)
        return kept.asking

    async def _ask(self, kept: _Kept, ask: Callable[[], Awaitable[Any]]) -> Any:
        try:
            kept.value = await ask()
            kept.at = self._clock.monotonic()
            return kept.value
        finally:
            kept.asking = None


def _heard(task: asyncio.Task[Any]) -> None:
    """A failure is for those who wait; when nobody does, the next who asks meets it anew."""
    if not task.cancelled() and not isinstance(task.exception(), BusctlError | None):
        task.get_loop().call_exception_handler(
            {"message": "a shared question failed", "exception": task.exception(), "task": task}
        )
