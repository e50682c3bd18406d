"""One client's session: frames in, answers out. Calls and fetches run beside one another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from uuid import UUID

from busctl.core import protocol
from busctl.core.bucket import Bucket
from busctl.core.errors import BusctlError, OverCapacity, PeerGone
from busctl.core.hops import Hop
from busctl.core.principal import NOBODY, Scope
from busctl.core.protocol import (
    CallTool,
    Close,
    Fetch,
    Frame,
    Health,
    Hello,
    InvalidFrame,
    ListTools,
    Received,
    RotateToken,
    State,
    Step,
    error_shape,
)
from busctl.core.route import Reader, Route
from busctl.ops.serve import delivery
from busctl.ops.serve.answers import as_told
from busctl.ops.serve.calls import Running
from busctl.ops.serve.context import concerning
from busctl.ops.serve.fetching import fetch
from busctl.ops.serve.receipts import Receipts
from busctl.ops.serve.sending import Sender
from busctl.ports import Socket, Span

if TYPE_CHECKING:
    from busctl.ops.serve.daemon import Daemon

WAITING_PER_CALL = 4
"""How many unanswered requests a session may have for each call it may run (joined ones count)."""

REDEEM_SECS = 2.0
"""How long a stopping daemon waits for a client to begin to redeem a claim it was just told."""

log = logging.getLogger("busctl.serve")


class Session:
    """Serves one connection until either side leaves. `id` is the client's label or ours,
    `principal` whose token it showed."""

    def __init__(self, daemon: Daemon, socket: Socket) -> None:
        self._daemon = daemon
        self._socket = socket
        self._sender = Sender(socket)
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetches = 0
        settings = daemon.settings
        self._calls_rate = Bucket(settings.max_calls_per_sec)
        self._frames_rate = Bucket(settings.max_frames_per_sec)
        self._told: dict[UUID, float] = {}
        self._receipts = Receipts(daemon.bus, daemon.meter)
        self._state = State.NEW
        self._reader = Reader(False, protocol.DEFAULT_MAX_MESSAGE_BYTES)
        self.id = ""
        self.principal = NOBODY

    async def converse(self) -> None:
        """Greet, then serve frame after frame. Returns when the connection is over."""
        try:
            if await self._greet():
                with concerning(session=self.id):
                    log.info(
                        "session opened",
                        extra={
                            "principal": self.principal.name,
                            "claims": self._reader.accepts_claims,
                        },
                    )
                    await self._serve()
        except PeerGone:
            log.info("session ended", extra={"session": self.id or None})
        except Exception:
            log.exception("session failed", extra={"session": self.id or None})
            await self._socket.close(Close.INTERNAL_ERROR, "internal error, see the daemon's log")
        finally:
            self._state = State.CLOSED
            for task in self._tasks:
                task.cancel()

    async def finish(self, code: Close, reason: str) -> None:
        """Let what is being told to the client be told, then close."""
        while self._tasks or self._redeems():
            if self._tasks:
                await asyncio.wait(self._tasks)
            else:
                await asyncio.sleep(0.02)
        await self._socket.close(code, reason)

    async def dismiss(self, reason: str) -> None:
        """Close at once: the token is good no more. Calls that run belong to the daemon."""
        for task in self._tasks:
            task.cancel()
        await self._socket.close(Close.UNAUTHORIZED, reason)

    def _redeems(self) -> bool:
        """Whether a claim was told so lately that the client may be about to fetch it."""
        since = self._daemon.bus.clock.monotonic() - REDEEM_SECS
        self._told = {claimed: told for claimed, told in self._told.items() if told > since}
        return bool(self._told)

    # --- hello -----------------------------------------------------------------------------

    async def _greet(self) -> bool:
        settings = self._daemon.settings
        try:
            async with asyncio.timeout(settings.hello_timeout_secs):
                message = await self._socket.receive()
        except TimeoutError:
            seconds = f"{settings.hello_timeout_secs:g} s"
            return await self._turn_away(Close.HELLO_TIMEOUT, f"no hello within {seconds}")
        try:
            hello = protocol.parse(message)
        except InvalidFrame as error:
            return await self._turn_away(Close.INVALID_HELLO, error.message)
        if protocol.step_for(self._state, hello) is not Step.GREET or not isinstance(hello, Hello):
            return await self._turn_away(Close.INVALID_HELLO, "the first frame must be hello")
        if not hello.token:
            return await self._turn_away(Close.TOKEN_MISSING, "token missing")
        try:
            principal = await self._daemon.guard.identify(hello.token)
        except BusctlError as error:
            log.warning("token not looked at", extra={"error": error.message})
            return await self._turn_away(Close.TRY_AGAIN_LATER, "the token cannot be checked now")
        if principal is None:
            return await self._turn_away(Close.UNAUTHORIZED, "unauthorized")
        self.principal = principal
        await self._welcome(hello)
        return True

    async def _welcome(self, hello: Hello) -> None:
        self.id = hello.session_id or str(self._daemon.bus.clock.new_id())
        self._reader = Reader(hello.accepts_claims, hello.max_message_bytes, hello.as_blocks)
        self._state = State.OPEN
        takes = [protocol.RECEIVED] if self._daemon.settings.trace_hops else []
        await self._send(
            "hello_ack", ok=True, session_id=self.id, protocol=protocol.PROTOCOL, accepts=takes
        )

    async def _turn_away(self, code: Close, reason: str) -> bool:
        log.warning("hello refused", extra={"close_code": int(code), "reason": reason})
        self._daemon.refused("websocket", code.name.lower())
        await self._send("hello_ack", ok=False, error=reason, protocol=protocol.PROTOCOL)
        await self._socket.close(code, reason[:120])
        return False

    # --- frames ----------------------------------------------------------------------------

    async def _serve(self) -> None:
        while True:
            message = await self._socket.receive()
            await self._keep_pace()
            frame: Frame | None
            try:
                frame = protocol.parse(message)
            except InvalidFrame as error:
                await self._refuse(error)
                continue
            if protocol.step_for(self._state, frame) is Step.REFUSE:
                await self._refuse(InvalidFrame("hello was said already."))
                continue
            await self._dispatch(frame)

    async def _keep_pace(self) -> None:
        """Waits, if frames come too often: what is not read fills the client's own buffers."""
        wait = self._frames_rate.take(self._daemon.bus.clock.monotonic())
        if wait:
            await asyncio.sleep(wait)
            self._frames_rate.take(self._daemon.bus.clock.monotonic())

    async def _refuse(self, error: InvalidFrame) -> None:
        log.warning("frame refused", extra={"reason": error.message})
        if error.op == "fetch" and error.request_id is not None:
            await self._send("fetch_res", request_id=error.request_id, error=error_shape(error))
            return
        extra = {} if error.request_id is None else {"request_id": error.request_id}
        await self._send("error", message=error.message, **extra)

    async def _dispatch(self, frame: Frame) -> None:
        match frame:
            case ListTools():
                await self._ask(self._list_tools())
            case CallTool():
                await self._call(frame)
            case Fetch():
                await self._begin_fetch(frame)
            case Health():
                await self._ask(self._health())
            case Received():
                self._receipts.take(frame)
            case RotateToken():
                await self._rotate(frame)

    async def _ask(self, question: Coroutine[Any, Any, None]) -> None:
        """The store, or a server that is starting, may take its time to answer; other frames do
        not wait for it, unless the client asks without listening."""
        asking = self._spawn(question)
        if len(self._tasks) > self._most_waiting:
            await asyncio.wait([asking])

    async def _list_tools(self) -> None:
        await self._daemon.settled()
        tools = [
            {
                "name": tool.name,
                "description": tool.description,
                "inputSchema": dict(tool.input_schema),
            }
            for tool in self._daemon.tools.list_tools()
        ]
        await self._send("list_tools_res", tools=tools)

    async def _health(self) -> None:
        health = await self._daemon.health()
        await self._send("health_res", ok=health["store"] in ("ok", "disabled"), health=health)

    async def _rotate(self, frame: RotateToken) -> None:
        try:
            self.principal.require(Scope.ADMIN)
            await self._daemon.guard.rotate(frame.old, frame.new)
        except BusctlError as error:
            await self._send("rotate_token_res", ok=False, error=str(error))
            return
        log.info("token rotated")
        await self._send("rotate_token_res", ok=True)

    # --- calls -----------------------------------------------------------------------------

    async def _call(self, frame: CallTool) -> None:
        request_id = frame.request_id or self._daemon.bus.clock.new_id().hex
        ack: dict[str, Any] = {
            "request_id": request_id, "timeout": self._daemon.settings.call_timeout_secs,
            "name": frame.name,
        }  # fmt: skip
        try:
            await self._daemon.bus.require(self.principal, Scope.CALL, tool=frame.name)
            self._check_pace()
            await self._daemon.settled(frame.name)
            running = self._daemon.calls.admit(frame, request_id, self.id, self.principal)
        except BusctlError as error:
            log.warning(
                "call refused",
                extra={"request_id": request_id, "tool": frame.name, "code": error.code},
            )
            await self._send("call_tool_ack", accepted=False, **ack)
            await self._send_error(request_id, error)
            return
        ack["timeout"] = self._daemon.calls.timeout_of(running.tool)
        await self._send("call_tool_ack", accepted=True, **ack)
        self._spawn(self._follow(running))

    @property
    def _most_waiting(self) -> int:
        return WAITING_PER_CALL * self._daemon.settings.max_inflight_per_session

    def _check_pace(self) -> None:
        most = self._most_waiting
        if len(self._tasks) >= most:
            raise OverCapacity(f"{most} requests of this session wait for their answers.")
        if wait := self._calls_rate.take(self._daemon.bus.clock.monotonic()):
            raise OverCapacity(
                "This session calls more often than BUSCTL_MAX_CALLS_PER_SEC allows.",
                retry_after=round(wait, 3),
            )

    async def _follow(self, running: Running) -> None:
        """Tell how a call goes, then its answer."""
        interval = self._daemon.settings.progress_interval_secs
        while not (await asyncio.wait({running.task}, timeout=interval))[0]:
            now = self._daemon.bus.clock.unix_ms() / 1000
            await self._send(
                "progress", request_id=running.request_id, name=running.request.name,
                t=now, note=running.note,
            )  # fmt: skip
        with self._daemon.tracer.begin(Hop.WIRE, "answer", running.traceparent) as span:
            await self._tell(running, span)

    async def _tell(self, running: Running, span: Span) -> None:
        try:
            kept = running.task.result()
            frame = await delivery.frame_for(
                self._daemon.bus, kept, running.request_id, self._reader,
                running.tool.bounds.inline_max_bytes,
            )  # fmt: skip
        except BusctlError as error:
            await self._send_error(running.request_id, error)
            span.set(via="error")
            return
        span.set(via=frame.way.value, size=frame.measured.get("size"))
        if frame.way is Route.CLAIM:
            self._redeems()  # forgets the older ones
            self._told[kept.claim.transaction_id] = self._daemon.bus.clock.monotonic()
        self._receipts.expect(kept.claim)
        await self._sender.text(frame.text)
        delivery.record(self._daemon.bus, kept, frame)

    async def _send_error(self, request_id: str, error: BusctlError) -> None:
        shape = error_shape(as_told(error))
        await self._send("call_tool_res", request_id=request_id, error=shape)

    # --- fetches ---------------------------------------------------------------------------

    async def _begin_fetch(self, frame: Fetch) -> None:
        most = self._daemon.settings.max_inflight_per_session
        if self._fetches >= most:
            error = OverCapacity(f"{most} fetches of this session are under way.")
            await self._send("fetch_res", request_id=frame.request_id, error=error_shape(error))
            return
        self._fetches += 1
        self._told.pop(frame.transaction_id, None)
        fetching = fetch(
            self._daemon, frame, self._sender, self.principal, self._receipts.expect
        )  # fmt: skip
        self._spawn(fetching).add_done_callback(self._fetch_ended)

    def _fetch_ended(self, _: object) -> None:
        self._fetches -= 1

    # --- tasks -----------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, PeerGone):
            log.error("request failed", exc_info=error, extra={"session": self.id})
            # A request that will never be answered: the client must not wait for it.
            self._spawn(self._socket.close(Close.INTERNAL_ERROR, "internal error, see the log"))

    async def _send(self, op: str, /, **fields: Any) -> None:
        await self._sender.send(op, **fields)
