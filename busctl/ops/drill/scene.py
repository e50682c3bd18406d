"""One drill while it is played: its calls, its rounds of fault and cure, and what it measured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from busctl.core.errors import BusctlError
from busctl.core.operating.drill import REMEDY, Attempt, plans
from busctl.core.operating.finding import Finding
from busctl.ops.drill.calling import Callers, probe
from busctl.ops.drill.deployment import PLAIN, Deployment, Proxy, Shape, Side, When
from busctl.ports import Clock

Act = Callable[[], Awaitable[None]]

FAULT_SECS = 3.0
"""How long a fault lasts at most: as long as callers make progress in spite of it, or that long."""
REACH_SECS = 15.0
"""How long a trap may wait for its message."""
RECOVERY_SECS = 60.0
FLIPPED_SHARE = 0.4
FLIPPED_SIZES = (200_000, 1_500_000, 20_000, 2_500_000)
PROBE_SECS = 0.05


class CannotDrill(BusctlError):
    """What the drill needs is not here; it was not played, which is never a pass."""

    code = "CANNOT_DRILL"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the way of a message into the store: the statement (a part of its text) it is sent
    with, when, after how many others, and a size in bytes of a message that passes it."""

    name: str
    statement: str
    when: When
    size: int
    skip: int = 0


_ROW, _CHUNK = "bus.message_put(", "insert into bus.message_chunk"
POINTS = (
    Point("before the insert of a row", _ROW, "before", 2_000),
    Point("within the insert of a row", _ROW, "half", 200_000),
    Point("after the commit of a row, before the answer", _ROW, "answered", 2_000),
    Point("before the first chunk", _CHUNK, "before", 3_500_000),
    Point("between chunks", _CHUNK, "before", 3_500_000, skip=2),
    Point("within a chunk", _CHUNK, "half", 3_500_000, skip=1),
    Point("before the commit of chunks", "commit", "before", 3_500_000),
    Point("after the commit of chunks, before the answer", "commit", "answered", 3_500_000),
)
"""Every point at which it matters whether what was sent is committed."""

DECISIVE = tuple(each for each in POINTS if each.skip == 2 or "commit" in each.name)
"""Those that a short run takes where each costs a restart."""
FULL_MESSAGES = 80
"""From so many messages on a drill takes every point."""


class Scene:
    """What a drill plays with. Times are in seconds from the cure: `recoveries` to the first answer
    that goes straight into the store again, `drained` to an empty spool behind that."""

    def __init__(
        self, name: str, deployment: Deployment, clock: Clock, messages: int, seed: int
    ) -> None:
        self.name = name
        self.deployment = deployment
        self.messages = messages
        self.attempts: list[Attempt] = []
        self.sessions: list[str] = []
        self.recoveries: list[float] = []
        self.drained: list[float] = []
        self.notes: list[str] = []
        self.findings: list[Finding] = []
        self.unreached: list[str] = []
        self._clock = clock
        self._seed = seed
        self._rounds = 0
        self._probes = 0
        self._recovering: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def calls(self, messages: int, *sizes: int) -> AsyncIterator[Callers]:
        """So many calls are made beside the block, the first ones of those sizes in bytes; after a
        cure in it the end waits for the recovery."""
        self._rounds += 1
        prefix = f"{self.name}-{self._seed}-{self._rounds}"
        wanted = plans(messages, self._seed, prefix, sizes=sizes)
        callers = Callers(self.deployment, self._clock, wanted, prefix)
        self.sessions += callers.sessions
        try:
            async with callers:
                yield callers
            if self._recovering is not None:
                await self._recovering
        finally:
            if self._recovering is not None:
                self._recovering.cancel()
                self._recovering = None
            self.attempts += callers.attempts

    def part(self, of: int, parts: int) -> int:
        """So many parts of the messages, two for each caller at least."""
        return max(8, -(-self.messages * of // parts))

    async def round(self, messages: int, fault: Act, cure: Act, sizes: Sequence[int] = ()) -> None:
        """A quarter of the calls before a fault, at its beginning, while it lasts, and after its
        cure, beside the recovery. The first ones have those sizes in bytes."""
        quarter = max(1, messages // 4)
        async with self.calls(messages, *sizes) as callers:
            await callers.release(quarter)
            await callers.settled(FAULT_SECS)
            await callers.release(quarter)
            await fault()
            await callers.release(quarter)
            await callers.settled(FAULT_SECS)
            await cure()
            self.cured()

    async def silence(self, line: Proxy) -> None:
        """Two rounds: a line that stays and carries nothing, then one that is half-open."""

        async def stall() -> None:
            line.stall()

        async def half_open() -> None:
            line.half_open()

        async def heal() -> None:
            line.heal()

        await self.round(self.part(1, 2), stall, heal)
        await self.round(self.part(1, 2), half_open, heal)

    async def at_points(
        self, line: Proxy, fault: Callable[[Any], Awaitable[None]], cure: Act,
        *, few: Sequence[Point] = POINTS, share: int | None = None,
    ) -> None:  # fmt: skip
        """The fault, told the connection, at each point; each time a cure and a recovery.
        `few` are the points of a short run, `share` how many of the messages it takes."""
        points = POINTS if self.messages >= FULL_MESSAGES else few
        messages = self.messages if share is None else share
        each = max(3, -(-messages // len(points)))
        for point in points:
            armed = line.arm(point.statement, point.when, fault, point.skip)
            async with self.calls(each, point.size, point.size) as callers:
                await callers.release(each)
                try:
                    async with asyncio.timeout(REACH_SECS):
                        await armed.fired.wait()
                except TimeoutError:
                    self.unreached.append(point.name)
                    line.heal()
                else:
                    await callers.settled(FAULT_SECS / 3)
                await cure()
                self.cured()
        self.notes.append("points: " + "; ".join(point.name for point in points))

    async def spoilt(self, line: Proxy, side: Side, messages: int) -> None:
        """A round in which bits flip in what `side` of the line sends."""
        before = line.flipped

        async def flip() -> None:
            line.flip(side, FLIPPED_SHARE)

        async def heal() -> None:
            line.heal()

        larger = [FLIPPED_SIZES[number % len(FLIPPED_SIZES)] for number in range(messages * 3 // 4)]
        await self.round(messages, flip, heal, larger)
        flipped = line.flipped - before
        self.notes.append(f"a bit flipped in {flipped} messages that the {side} sent")
        if not flipped:
            self.unreached.append(f"a message that the {side} sends")

    def cured(self) -> None:
        """Measure from now on, beside the calls that are still made, how long it recovers."""
        self._recovering = asyncio.create_task(self.recovered())

    async def recovered(self) -> None:
        """Wait until an answer goes straight into the store, and then until the spool is empty."""
        began = self._clock.monotonic()
        for times, is_well, what in (
            (self.recoveries, self._is_back, "No answer went straight into the store"),
            (self.drained, self._is_drained, "The spool was not drained"),
        ):
            if not await self._comes(is_well, began):
                message = f"{what} within {RECOVERY_SECS:g} s of the cure."
                self.findings.append(Finding("not_recovered", self.name, message, REMEDY))
                return
            times.append(self._clock.monotonic() - began)

    async def settled(self) -> None:
        """Wait for the spool to be empty once more: calls were made beside the recovery."""
        await self._comes(self._is_drained, self._clock.monotonic())

    async def _comes(self, is_well: Callable[[], Awaitable[bool]], began: float) -> bool:
        while not await is_well():
            if self._clock.monotonic() - began > RECOVERY_SECS:
                return False
            await asyncio.sleep(PROBE_SECS)
        return True

    async def _is_back(self) -> bool:
        self._probes += 1
        session = f"{self.name}-{self._seed}-probe"
        known = await probe(self.deployment, session, f"{session}-{self._probes}")
        return known is not None and await self.deployment.went_straight(known)

    async def _is_drained(self) -> bool:
        return not await self.deployment.waiting()


@dataclass(frozen=True)
class Drill:
    """One fault to be rehearsed. `what` happens, and what it `proves`, as sentences;
    `needs_server`: the server itself is tampered with, so that it must be the deployment's own."""

    name: str
    what: str
    proves: str
    play: Callable[[Scene], Awaitable[None]]
    shape: Shape = PLAIN
    needs_server: bool = False


async def nothing() -> None:
    """The cure of what cures itself."""
