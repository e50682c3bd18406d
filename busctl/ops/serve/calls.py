"""Calls of tools: admitted, run once, their answers stored.

A call belongs to the daemon, not to the session that asked for it: it goes on when the client has
left, and a repeat of the request joins it or gets its stored answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from busctl.core.breaker import AWAY, FALLS_BACK
from busctl.core.envelope import Labels
from busctl.core.errors import (
    BusctlError,
    CallFailed,
    CallTimedOut,
    DrainingDaemon,
    DuplicateRequest,
    ProviderBusy,
    ToolFailed,
    ToolNotFound,
    UpstreamUnavailable,
)
from busctl.core.hops import Hop
from busctl.core.principal import Principal
from busctl.core.protocol import CallTool
from busctl.core.traceparent import traceparent_in, with_traceparent
from busctl.core.untraced import UNTRACED
from busctl.ops.bus import Bus
from busctl.ops.serve import answers
from busctl.ops.serve.answered import Answered
from busctl.ops.serve.context import concerning
from busctl.ops.serve.fallback import Keeper, Kept
from busctl.ops.serve.hops import Passage
from busctl.ops.serve.limits import Limits
from busctl.ports import Answer, Call, Lease, Meter, Request, Span, ToolHost, ToolInfo, Tracer

LEASE = timedelta(seconds=30)
RENEW_SECS = 10.0
FIRST_NOTE = "running"
CANCELLED = "CANCELLED"
"""The outcome of a call that its caller has cancelled, in the log and the metrics."""
AWAY_SECS = 5.0
"""How long a store that gave no lease is taken to be away still."""

log = logging.getLogger("busctl.serve")


@dataclass(frozen=True, slots=True)
class Terms:
    """What one caller wants beyond the call itself. `meta` goes to the tool's host, `heard` is told
    in the event loop's thread what the tool says of itself: how far it is, of how much, and a word;
    None for what it does not say. Answers of up to `unkept_bytes` pass and are kept nowhere; None
    keeps all."""

    meta: Mapping[str, Any] = field(default_factory=dict)
    heard: Callable[[float | None, float | None, str | None], None] | None = None
    unkept_bytes: int | None = None

    def passes(self, answer: Answer) -> bool:
        """Whether the answer is one of those that are kept nowhere."""
        if self.unkept_bytes is None or answer.payload is None or answer.is_error:
            return False
        return len(answer.payload) <= self.unkept_bytes


@dataclass(slots=True, eq=False)
class Running:
    """One call under way. `note` is what the tool said last, `traceparent` the caller's, then
    the daemon's own; `task` gives its stored answer."""

    request: CallTool
    request_id: str
    session_id: str
    principal: Principal
    tool: ToolInfo
    transaction_id: UUID
    began: float
    terms: Terms = Terms()
    note: str = FIRST_NOTE
    stopping: bool = False
    spooled: bool = False
    away: BusctlError | None = None
    away_at: float = 0.0
    traceparent: str | None = None
    task: asyncio.Task[Kept] = field(init=False)

    @property
    def key(self) -> Request:
        """What names the request in the store too."""
        return Request(self.principal.name, self.session_id, self.request_id)

    @property
    def session(self) -> tuple[str, str]:
        """Whose session it is: the label alone is the client's own text."""
        return self.principal.name, self.session_id

    def call(self, traceparent: str | None) -> Call:
        """The call as the tool's host is told it."""
        request = self.request
        return Call(
            request.name, request.arguments, self.principal, self.session_id, self.request_id,
            self.transaction_id, self.say, self.advance,
            with_traceparent(self.terms.meta, traceparent),
        )  # fmt: skip

    def advance(self, done: float, of: float | None) -> None:
        """Called by the tool's host, in the event loop's thread."""
        self.note = f"{done:g}" if of is None else f"{done:g} of {of:g}"
        if self.terms.heard is not None:
            self.terms.heard(done, of, None)

    def say(self, note: str) -> None:
        """Called by the tool's host, in the event loop's thread."""
        self.note = note
        if self.terms.heard is not None:
            self.terms.heard(None, None, note)


class Calls:
    """The calls of one daemon, whose own name is `daemon` in the store's leases."""

    def __init__(
        self, bus: Bus, tools: ToolHost, meter: Meter, keeper: Keeper, *, daemon: str,
        tracer: Tracer = UNTRACED,
    ) -> None:  # fmt: skip
        self._bus = bus
        self._keeper = keeper
        self._answered = Answered(keeper.spool)
        self._tools = tools
        self._meter = meter
        self._daemon = daemon
        self._tracer = tracer
        self._limits = Limits(bus.settings)
        self._running: dict[Request, Running] = {}
        self._freed = asyncio.Event()
        self._listed: Sequence[ToolInfo] = ()
        self._named: Mapping[str, ToolInfo] = {}
        self.draining = False
        self.abandoned = 0

    @property
    def inflight(self) -> int:
        return self._limits.inflight

    def admit(
        self, request: CallTool, request_id: str, session_id: str, principal: Principal,
        terms: Terms = Terms(),
    ) -> Running:  # fmt: skip
        """Start a call, or join the one with this id that runs in this daemon already, on the
        terms that it was started with.

        Raises DuplicateRequest, DrainingDaemon, ToolNotFound and OverCapacity; then nothing runs.
        """
        joined = self._running.get(Request(principal.name, session_id, request_id))
        if joined is not None:
            if joined.request.digest != request.digest:
                raise DuplicateRequest(f"Request {request_id!r} is running with another call.")
            return joined
        if self.draining:
            raise DrainingDaemon("The daemon is stopping and takes no more calls.")
        tool = self.tool(request.name)
        self._limits.take(tool, (principal.name, session_id))
        self._meter.inflight(self.inflight)
        clock = self._bus.clock
        return self._start(Running(
            request, request_id, session_id, principal, tool, clock.new_id(),
            clock.monotonic(), terms,
            traceparent=request.traceparent or traceparent_in(terms.meta),
        ))  # fmt: skip

    def _start(self, running: Running) -> Running:
        self._running[running.key] = running
        with concerning(
            session=running.session_id, request_id=running.request_id, tool=running.request.name,
            transaction_id=str(running.transaction_id),
        ):  # fmt: skip
            running.task = asyncio.create_task(self._run(running))
        running.task.add_done_callback(lambda _: self._ended(running))
        return running

    def tool(self, name: str) -> ToolInfo:
        """Raises ToolNotFound."""
        if not self.offers(name):
            raise ToolNotFound(f"There is no tool {name[:128]!r}.")
        return self._named[name]

    def offers(self, name: str) -> bool:
        """Whether there is a tool of that name."""
        listed = self._tools.list_tools()
        if listed is not self._listed:
            self._listed, self._named = listed, {tool.name: tool for tool in reversed(listed)}
        return name in self._named

    def timeout_of(self, tool: ToolInfo) -> float:
        """Seconds that a call of it may take."""
        own = tool.bounds.timeout_secs
        return self._bus.settings.call_timeout_secs if own is None else own

    async def freed(self) -> None:
        """Wait until a call has ended: for whoever was told OverCapacity."""
        await self._freed.wait()

    def cancel(self, running: Running) -> None:
        """End a call that nobody wants any more. What was stored of it by then stays."""
        running.task.cancel()

    async def drain(self, seconds: float) -> None:
        """Take no more calls, let those running end, and end what takes longer than `seconds`."""
        self.draining = True
        tasks = {running.task for running in self._running.values()}
        if not tasks:
            return
        log.info("draining", extra={"calls": len(tasks), "seconds": seconds})
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for running in list(self._running.values()):
            running.stopping = True
            running.task.cancel()
        self.abandoned = len(late)
        if late:
            await asyncio.wait(late)

    # --- inside ----------------------------------------------------------------------------

    def _ended(self, running: Running) -> None:
        del self._running[running.key]
        self._limits.release(running.tool, running.session)
        self._meter.inflight(self.inflight)
        self._freed.set()
        self._freed = asyncio.Event()
        outcome = _outcome(running.task)
        seconds = self._bus.clock.monotonic() - running.began
        self._meter.call_ended(running.request.name, outcome, seconds)
        log.info(
            "call ended",
            extra={
                "session": running.session_id, "principal": running.principal.name,
                "request_id": running.request_id,
                "tool": running.request.name, "transaction_id": str(running.transaction_id),
                "outcome": outcome, "seconds": round(seconds, 3),
            },
        )  # fmt: skip

    async def _run(self, running: Running) -> Kept:
        """The call as the daemon's own span. Raises named errors only."""
        span = self._tracer.begin(
            Hop.DAEMON, running.request.name, running.traceparent,
            transaction_id=str(running.transaction_id), request_id=running.request_id,
            session_id=running.session_id,
        )  # fmt: skip
        running.traceparent = span.traceparent
        with span:
            kept = await self._run_named(running)
            span.set(size=kept.claim.payload_size_bytes, spooled=kept.claim.spooled)
            return kept

    async def _run_named(self, running: Running) -> Kept:
        """Run the call under a lease if the client named it. Raises named errors only."""
        try:
            if running.request.request_id is None or not running.tool.kept:
                return await self._execute(running)  # reading twice is as reading once
            return await self._execute_once(running)
        except asyncio.CancelledError:
            if not running.stopping:
                raise
            raise CallFailed(
                "The daemon is stopping; the call took longer than BUSCTL_DRAIN_TIMEOUT_SECS and "
                "was ended.",
                code=CallTimedOut.code,
                remedy=DrainingDaemon.default_remedy,
                retry_after=DrainingDaemon.retry_after,
            ) from None
        except BusctlError:
            raise
        except Exception as error:
            log.exception("call failed in the daemon")
            raise ToolFailed(
                f"The daemon failed at this call: {type(error).__name__}: {error}.",
                remedy="The daemon's log says where; call again.",
            ) from error

    async def _execute_once(self, running: Running) -> Kept:
        """Run a request that has a name, unless it has an answer."""
        known = await self._answered.waiting(running.key)
        lease = None if known else await self._lease(running)
        if lease is None:
            known = known or self._answered.lately(running.key)
        elif not lease.mine and not lease.done:
            raise DuplicateRequest(
                f"Request {running.request_id!r} is being answered by another daemon.",
                retry_after=RENEW_SECS,
            )
        elif not lease.mine:
            known = lease.transaction_id
        if known is not None:
            running.transaction_id = known
            request = running.request
            return await answers.recall(self._bus, known, request.name, request.digest)
        with self._answered.remembering(running.key, running.transaction_id):
            if lease is None:
                return await self._execute(running)
            async with self._leased(running):
                return await self._execute(running)

    async def _lease(self, running: Running) -> Lease | None:
        """The right to run it; None when nobody can give it and it is run all the same."""
        if not self._bus.settings.enabled:
            return None
        try:
            return await self._bus.store.request_begin(
                running.principal.name, running.session_id, running.request_id,
                running.transaction_id, daemon=self._daemon, lease=LEASE,
                ttl=self._bus.settings.ttl,
            )  # fmt: skip
        except FALLS_BACK as error:
            if self._keeper.spool is None:
                raise
            log.warning("running without a lease", extra={"error": error.message})
            running.away = error
            running.away_at = self._bus.clock.monotonic()
            return None

    @asynccontextmanager
    async def _leased(self, running: Running) -> AsyncIterator[None]:
        """Renew the lease while the block runs; afterwards the request is answered, or free."""
        renewing = asyncio.create_task(self._renew(running))
        answered = False
        try:
            yield
            answered = True
        except BusctlError as error:
            # A stored error is an answer as well: the tool is not run again for it.
            answered = error.transaction_id == running.transaction_id
            raise
        finally:
            renewing.cancel()
            # One that the store is just doing must not come after what follows.
            await asyncio.wait([renewing])
            # The store is away for one that fell back; reconciling tells it of the answer.
            if not running.spooled:
                await self._settle(running, answered=answered)

    async def _renew(self, running: Running) -> None:
        while True:
            await asyncio.sleep(RENEW_SECS)
            await self._settle(running, answered=False, lease=LEASE)

    async def _settle(
        self, running: Running, *, answered: bool, lease: timedelta = timedelta()
    ) -> None:
        try:
            ours = await self._bus.store.request_renew(
                running.principal.name, running.session_id, running.request_id,
                daemon=self._daemon, lease=lease, answered=answered,
            )  # fmt: skip
        except BusctlError as error:
            # The answer is stored or told already; an unrenewed lease ends by itself.
            log.warning("lease not renewed", extra={"error": str(error)})
            return
        if not ours:
            log.warning("lease lost: another daemon has taken the request over")

    async def _execute(self, running: Running) -> Kept:
        """The tool's answer, stored. Its failure is stored too, and raised with its id."""
        request = running.request
        labels = Labels(
            tool_name=request.name, session_id=running.session_id,
            owner=running.principal.name, request_id=running.request_id,
            metadata=with_traceparent(
                {answers.ARGUMENTS_DIGEST: request.digest}, running.traceparent
            ),
        )  # fmt: skip
        if running.tool.kept:
            self._keeper.check_room()
        try:
            answer = await self._answer(running)
            if not running.tool.kept or running.terms.passes(answer):
                return await self._keeper.passed(answer, labels, running.transaction_id)
            began = self._bus.clock.monotonic()
            passage = Passage(self._bus, self._meter, answer, running.transaction_id)
            try:
                with self._tracer.begin(Hop.STORE, "put", running.traceparent) as span:
                    kept = await self._keeper.keep(
                        passage.answer, labels, running.transaction_id, away=self._away(running)
                    )
                    span.set(size=kept.claim.payload_size_bytes, spooled=kept.claim.spooled)
            finally:
                await passage.measured()
            passage.accepted(kept.claim)
        except (*answers.UNKEPT, UpstreamUnavailable, ProviderBusy):
            raise  # nothing to keep: nothing has run, or nothing takes it
        except BusctlError as error:
            if not running.tool.kept:
                raise
            raise await answers.keep_error(
                self._keeper, error, labels, running.transaction_id
            ) from error
        seconds = self._bus.clock.monotonic() - began
        running.spooled = kept.claim.spooled
        if not (kept.claim.spooled or kept.nowhere):
            self._meter.stored(kept.claim.payload_size_bytes, seconds)
        if self._bus.settings.log_all_operations:
            size = kept.claim.payload_size_bytes
            log.info("stored", extra={"bytes": size, "seconds": round(seconds, 3)})
        if kept.cut is not None:
            raise answers.broken_off(kept, kept.cut) from kept.cut
        return kept

    def _away(self, running: Running) -> BusctlError | None:
        """Why the store is not asked to take the answer: it gave no lease just now."""
        lately = self._bus.clock.monotonic() - running.away_at < AWAY_SECS
        return running.away if lately and isinstance(running.away, AWAY) else None

    async def _answer(self, running: Running) -> Answer:
        seconds = self.timeout_of(running.tool)
        deadline = asyncio.get_running_loop().time() + seconds
        with ExitStack() as stack:
            span = stack.enter_context(self._tool_span(running))
            with _named(running, seconds):
                async with asyncio.timeout_at(deadline):
                    answer = await self._tools.call(running.call(span.traceparent))
            if answer.pieces is None:
                span.set(size=len(answer.payload or b""))
                return answer
            stack.pop_all()  # it goes on for as long as pieces come
        pieces = _until(answer.pieces, deadline, running, seconds, span)
        return replace(answer, pieces=pieces)

    def _tool_span(self, running: Running) -> Span:
        return self._tracer.begin(
            Hop.TOOL, running.request.name, running.traceparent, provider=running.tool.provider
        )


def _outcome(task: asyncio.Task[Kept]) -> str:
    """OK for an answer, else the code of the error."""
    if task.cancelled():
        return CANCELLED
    error = task.exception()
    return str(getattr(error, "error_code", getattr(error, "code", "OK")))


@contextmanager
def _named(running: Running, seconds: float) -> Iterator[None]:
    """The errors of a tool that runs in the block, by their names."""
    try:
        yield
    except BusctlError:
        raise
    except TimeoutError as error:
        raise CallTimedOut(
            f"Tool {running.request.name} gave no whole answer within {seconds:g} s."
        ) from error
    except Exception as error:
        raise ToolFailed(
            f"Tool {running.request.name} failed: {type(error).__name__}: {error}"
        ) from error


async def _until(
    pieces: AsyncIterator[bytes], deadline: float, running: Running, seconds: float, span: Span
) -> AsyncIterator[bytes]:
    """The pieces of an answer, each due before `deadline`; storing them takes its own time. The
    tool's `span` ends with them."""
    size = 0
    try:
        while True:
            with _named(running, seconds):
                async with asyncio.timeout_at(deadline):
                    piece = await anext(pieces, None)
            if piece is None:
                span.set(size=size)
                return
            size += len(piece)
            yield piece
    except BusctlError as error:
        span.end(error.code)
        raise
    finally:
        span.end()
