"""Analysing: a language model looks at the whole of a payload, in parts where it is larger than
what the model reads at once, and within a budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from busctl.core.envelope import Envelope
from busctl.core.errors import ModelFailed
from busctl.core.watching.analysis import (
    Analysis,
    Cutter,
    NoAnalysis,
    parsed,
    part_question,
    whole_question,
)
from busctl.core.watching.observation import Remark, Rule, Severity
from busctl.ports import Clock, Model

SURE_FROM = 0.5
"""Anomalies of which the model is less sure are information."""
LOOK_SECS = 15.0
"""How old what others have spent may be."""
AT_ONCE = 16
"""Parts that are summed up together."""


@dataclass(frozen=True, slots=True)
class Analysed:
    """`result` is the model's, with what it cost; None when there is none, and a remark why."""

    bytes_read: int
    result: dict[str, Any] | None
    remarks: list[Remark]
    tokens: int


class _Spent(Exception):
    """The budget is used up."""


class Analyst:
    """`part_bytes`: what the model is given at once. `per_minute`: questions; more wait. `budget`:
    tokens a day (UTC), past which nothing is asked; `all_spent` tells how many of them all watchers
    have used up."""

    def __init__(
        self, model: Model, clock: Clock, *, part_bytes: int, per_minute: int, budget: int,
        all_spent: Callable[[], Awaitable[int]],
    ) -> None:  # fmt: skip
        self._model, self._clock = model, clock
        self._part_bytes, self._gap, self._budget = part_bytes, 60 / per_minute, budget
        self._all_spent = all_spent
        self._spent, self._day = 0, clock.now().date()
        self._next = self._looks = clock.monotonic()

    async def analyse(self, envelope: Envelope, pieces: AsyncIterator[bytes]) -> Analysed:
        """Read all of it and say what the model says. Raises what reading the pieces raises."""
        before, read = self._spent, 0
        tool, parts = envelope.labels.tool_name, list[Analysis]()
        try:
            async for text, so_far in _parts(pieces, self._part_bytes):
                question = part_question(
                    tool, envelope.labels.content_type, envelope.payload_size_bytes,
                    len(parts) + 1, text,
                )  # fmt: skip
                reply = await self._ask(question)
                read = so_far
                parts.append(parsed(reply))
            count = len(parts)
            while len(parts) > 1:
                groups = [parts[at : at + AT_ONCE] for at in range(0, len(parts), AT_ONCE)]
                parts = [parsed(await self._ask(whole_question(tool, group))) for group in groups]
        except (_Spent, NoAnalysis, ModelFailed) as error:
            return Analysed(read, None, [_failed(error)], self._spent - before)
        tokens = self._spent - before
        if not parts:
            return Analysed(0, None, [], 0)
        found = {**parts[0].as_json(), "parts": count, "tokens": tokens}
        return Analysed(read, found, _remarks(parts[0]), tokens)

    async def _ask(self, question: str) -> str:
        """The model's reply. Raises _Spent, ModelFailed, and the store's errors."""
        await self._count()
        if self._spent >= self._budget:
            raise _Spent(f"The budget of {self._budget:,} tokens a day is used up: not analysed.")
        now = self._clock.monotonic()
        start, self._next = max(now, self._next), max(now, self._next) + self._gap
        await asyncio.sleep(start - now)
        reply = await self._model.ask(question)
        # A provider that does not count is counted by its text.
        self._spent += reply.tokens or (len(question) + len(reply.text)) // 3
        return reply.text

    async def _count(self) -> None:
        """What this day has taken: by our own count, or by all watchers' once a while."""
        today, now = self._clock.now().date(), self._clock.monotonic()
        if today != self._day:
            self._day, self._spent = today, 0
        if now >= self._looks:
            self._looks = now + LOOK_SECS
            self._spent = max(self._spent, await self._all_spent())


async def _parts(pieces: AsyncIterator[bytes], size: int) -> AsyncIterator[tuple[str, int]]:
    """Parts of the text, each with the bytes that were read up to it."""
    cutter, read = Cutter(size), 0
    async for piece in pieces:
        read += len(piece)
        for part in cutter.add(piece):
            yield part, read
    if rest := cutter.rest():
        yield rest, read


def _remarks(found: Analysis) -> list[Remark]:
    severity = Severity.WARNING if found.confidence >= SURE_FROM else Severity.INFO
    return [Remark(Rule.LLM, severity, found.confidence, one) for one in found.anomalies]


def _failed(error: Exception) -> Remark:
    spent = isinstance(error, _Spent)
    what = (
        f"The model's reply was no analysis: {error}."
        if isinstance(error, NoAnalysis)
        else str(error)
    )
    kind = "budget" if spent else "error"
    return Remark(
        Rule.LLM, Severity.INFO if spent else Severity.WARNING, 1.0, what, {"not_analysed": kind}
    )
