"""How far a tool is, told to the client that asked to be told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from busctl.ports.gateway import Heard

MOST = 1000
"""Reports that wait for a client that takes none; then the oldest go."""
STEP = 1e-3
"""What a word alone advances: the protocol wants every report to be further than the last."""


@asynccontextmanager
async def telling(ctx: Any) -> AsyncIterator[Heard | None]:
    """What the call is to report to, None when nobody listens. All is told when the block ends."""
    if "progress_token" not in (ctx.meta or {}) and "progressToken" not in (ctx.meta or {}):
        yield None
        return
    reports = _Reports()
    telling_them = asyncio.create_task(reports.tell(ctx.session))
    try:
        yield reports.hear
        reports.end()
        await telling_them
    finally:
        telling_them.cancel()


class _Reports:
    def __init__(self) -> None:
        self._waiting: deque[tuple[float | None, float | None, str | None]] = deque(maxlen=MOST)
        self._came = asyncio.Event()
        self._ended = False
        self._at = 0.0
        self._of: float | None = None

    def hear(self, done: float | None, of: float | None, note: str | None) -> None:
        """A word and a number that come together, either first, are one report."""
        if self._waiting:
            last_done, last_of, last_note = self._waiting[-1]
            if last_done is None and note is None:
                self._waiting.pop()
                note = last_note
            elif last_note is None and done is None:
                self._waiting.pop()
                done, of = last_done, last_of
        self._waiting.append((done, of, note))
        self._came.set()

    def end(self) -> None:
        self._ended = True
        self._came.set()

    async def tell(self, session: Any) -> None:
        while True:
            while self._waiting:
                done, of, note = self._waiting.popleft()
                self._at = self._at + STEP if done is None else done
                self._of = of if done is not None else self._of
                await session.report_progress(self._at, self._of, note)
            if self._ended:
                return
            self._came.clear()
            await self._came.wait()
