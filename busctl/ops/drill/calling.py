"""The callers of a drill: many at once, each with a session, keeping a journal of what they were
told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from hashlib import sha256
from types import TracebackType
from typing import Self
from uuid import UUID

from busctl.core.errors import (
    BusctlError,
    CallFailed,
    DaemonUnreachable,
    DuplicateRequest,
    MessageCorrupt,
    ProtocolError,
    StoreUnreachable,
)
from busctl.core.operating.drill import Attempt, Outcome, Plan
from busctl.core.samples import sample
from busctl.ops.drill.deployment import Client, Deployment
from busctl.ports import Clock

TOOL = "generate"
CALLERS = 4
"""At once; the last of them is an old client, which takes whole answers only."""
STEP_SECS = 6.0
"""How long one answer may show no end before its caller asks again on a new connection."""
PATIENCE_SECS = 20.0
"""How long a caller asks again after unknown outcomes; then it has a named error."""
LEASE_PATIENCE_SECS = 1.5
"""The same where another daemon has the request (DUPLICATE): one that died has it for long."""
PAUSE_SECS = 0.05
LONGEST_PAUSE_SECS = 1.0


class Callers:
    """`async with Callers(…) as callers:` makes the calls that were released; at its end the block
    releases the rest and waits until each has an outcome."""

    def __init__(
        self, deployment: Deployment, clock: Clock, plans: Sequence[Plan], prefix: str
    ) -> None:
        self.attempts: list[Attempt] = []
        self.sessions = [f"{prefix}-caller-{number}" for number in range(CALLERS)]
        self._deployment = deployment
        self._clock = clock
        self._open = deque(plans)
        self._released = 0
        self._begun = 0
        self._done = 0
        self._moved = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._caller(session, claims=place < CALLERS - 1))
            for place, session in enumerate(self.sessions)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if error is not None:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            return
        await self.release(len(self._open))
        await asyncio.gather(*self._tasks)

    async def release(self, more: int) -> None:
        """Let so many calls more be made."""
        async with self._moved:
            self._released += more
            self._moved.notify_all()

    async def settled(self, seconds: float) -> None:
        """Wait until every released call has an outcome, or that long: callers that a fault holds
        up make no progress."""
        try:
            async with asyncio.timeout(seconds), self._moved:
                await self._moved.wait_for(lambda: self._done >= self._released)
        except TimeoutError:
            return

    # --- one caller ------------------------------------------------------------------------

    async def _caller(self, session: str, *, claims: bool) -> None:
        async with _Connected(self._deployment, session, claims=claims) as connected:
            while (plan := await self._next()) is not None:
                attempt = await _prepared(plan)
                self.attempts.append(attempt)
                began = self._clock.monotonic()
                await self._attempted(connected, attempt)
                attempt.seconds = self._clock.monotonic() - began
                async with self._moved:
                    self._done += 1
                    self._moved.notify_all()

    async def _next(self) -> Plan | None:
        async with self._moved:
            await self._moved.wait_for(lambda: self._begun < self._released or not self._open)
            if not self._open:
                return None
            self._begun += 1
            return self._open.popleft()

    async def _attempted(self, connected: _Connected, attempt: Attempt) -> None:
        """Ask until there is an outcome. The same session and request id each time: the tool is run
        once, whatever became of the answer."""
        began, leased_since = self._clock.monotonic(), None
        while True:
            error = await _asked(connected, attempt)
            if error is None:
                return
            now = self._clock.monotonic()
            leased_since = (leased_since or now) if _is_leased(error) else None
            if (
                now - began >= PATIENCE_SECS or not _may_change(error)
                or (leased_since is not None and now - leased_since >= LEASE_PATIENCE_SECS)
            ):  # fmt: skip
                _name(attempt, error)
                return
            attempt.repeats += 1
            wait = getattr(error, "retry_after", None) or PAUSE_SECS
            await asyncio.sleep(min(wait, LONGEST_PAUSE_SECS))


class _Connected:
    """A session's connection, made again when it was lost."""

    def __init__(self, deployment: Deployment, session: str, *, claims: bool) -> None:
        self._deployment = deployment
        self._session = session
        self._claims = claims
        self._stack = AsyncExitStack()
        self._client: Client | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()
        await asyncio.wait(self._leaving)

    def leave(self) -> None:
        """Give the connection up. Not waited for: closing asks a peer that may be silent."""
        self._client = None
        stack, self._stack = self._stack, AsyncExitStack()
        self._leaving.add(asyncio.create_task(stack.aclose()))

    async def ask(self, attempt: Attempt) -> bytes:
        """One call to its end. What is told before the end is in the journal at once."""
        client, plan = await self._connection(), attempt.plan
        arguments = {"size_bytes": plan.size, "kind": plan.kind, "seed": plan.seed}
        if not self._claims or plan.size <= self._deployment.inline_max_bytes:
            answer = await client.call(TOOL, arguments, request_id=plan.request_id)
            attempt.acknowledged.add(answer.transaction_id)
            return answer.payload
        claim = await client.call_claim(TOOL, arguments, request_id=plan.request_id)
        attempt.acknowledged.add(claim.transaction_id)
        return await client.fetch(claim.transaction_id)

    async def _connection(self) -> Client:
        if self._client is None:
            self._client = await self._stack.enter_async_context(
                self._deployment.client(self._session, claims=self._claims)
            )
        return self._client


async def probe(deployment: Deployment, session: str, request_id: str) -> UUID | None:
    """One small call; the id of its answer, None if there was none."""
    attempt = await _prepared(Plan(request_id, "json", 500, 1))
    async with _Connected(deployment, session, claims=True) as connected:
        await _asked(connected, attempt)
    return next(iter(attempt.acknowledged), None)


async def _prepared(plan: Plan) -> Attempt:
    expected = await asyncio.to_thread(sample, plan.kind, plan.size, plan.seed)
    return Attempt(plan, sha256(expected).hexdigest())


async def _asked(connected: _Connected, attempt: Attempt) -> BusctlError | None:
    """Ask once, and compare what comes; else the error that came in its place."""
    try:
        async with asyncio.timeout(STEP_SECS):
            _compare(attempt, await connected.ask(attempt))
    except TimeoutError:
        connected.leave()
        return CallFailed(f"No answer within {STEP_SECS:g} s.", code="TIMEOUT", retry_after=0.1)
    except MessageCorrupt as damaged:
        attempt.detected += 1
        return damaged
    except (DaemonUnreachable, ProtocolError) as lost:
        connected.leave()
        return lost
    except BusctlError as refused:
        return refused
    return None


def _compare(attempt: Attempt, payload: bytes) -> None:
    """The digest is of the bytes that this process made on its own."""
    if sha256(payload).hexdigest() == attempt.checksum:
        attempt.outcome = Outcome.INTACT
        return
    attempt.outcome = Outcome.WRONG
    attempt.message = f"{len(payload):,} bytes came, not the {attempt.plan.size:,} expected ones."


def _may_change(error: BusctlError) -> bool:
    """Whether asking again can end otherwise: the outcome is unknown, or it was said when to."""
    unknown = (DaemonUnreachable, ProtocolError, MessageCorrupt, StoreUnreachable)
    return isinstance(error, unknown) or getattr(error, "retry_after", None) is not None


def _is_leased(error: BusctlError) -> bool:
    return getattr(error, "error_code", error.code) == DuplicateRequest.code


def _name(attempt: Attempt, error: BusctlError) -> None:
    attempt.outcome = Outcome.NAMED
    attempt.code = getattr(error, "error_code", error.code)
    attempt.message = error.message
