"""A client of the daemon: calls, claims redeemed and verified, many at once on one connection."""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NoReturn
from uuid import UUID, uuid4

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_connection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI

from busctl.adapters import tokenfile, tracing
from busctl.adapters.websocket_fetch import Memory, Receipt, Sink
from busctl.adapters.websocket_line import PARSED_IN_PLACE, Call, Line, Noted
from busctl.core.configuration.address import url_of
from busctl.core.configuration.settings import Settings
from busctl.core.envelope import ClaimCheck
from busctl.core.errors import (
    BusctlError,
    CallFailed,
    ConfigurationError,
    DaemonUnreachable,
    MessageCorrupt,
    ProtocolError,
    Unauthorized,
)
from busctl.core.hops import Hop
from busctl.core.protocol import CLAIM, DEFAULT_MAX_MESSAGE_BYTES, RECEIVED, TYPED, Close
from busctl.core.replies import (
    CallResult,
    CallUnanswered,
    read_claim,
    read_conversation,
    read_error,
    read_frame,
    read_whole,
    text_size,
)
from busctl.core.traceparent import with_traceparent
from busctl.ports import Span, ToolInfo, Tracer

GREET_SECS = 15.0
PING_SECS = 20.0
PONG_SECS = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as the caller wants it."""

    tool: str
    arguments: Mapping[str, Any]
    request_id: str | None
    on_progress: Noted | None
    timeout: float | None


class BusClient(Line):
    """A session with the daemon: `async with BusClient.connect() as client:`.

    Any number of calls and fetches may run at once. When the connection is lost, everything that
    waits raises DaemonUnreachable; connecting again is the caller's: with the same `session_id`
    and the same `request_id`, a call is not run twice. `session_id` is the daemon's answer to the
    one asked for, `received_bytes` what has crossed the socket towards us so far.
    """

    tracer: Tracer | None = None

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        url: str | None = None,
        token: str | None = None,
        *,
        settings: Settings | None = None,
        session_id: str | None = None,
        accepts_claims: bool = True,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        tracer: Tracer | None = None,
    ) -> AsyncIterator[BusClient]:
        """Say hello and keep the session for the time of the block.

        `url` (ws, wss, http or https) and `token` default to those of `settings`, which default
        to the environment. `max_message_bytes` is the largest frame taken. Without a `tracer`
        OpenTelemetry is asked for one, if the program has loaded that. Raises DaemonUnreachable,
        Unauthorized, and ConfigurationError for an url that is none.
        """
        if settings is None and (url is None or token is None):
            from busctl.adapters.environment import load

            settings = (await asyncio.to_thread(load)).settings
        if url is None:
            url = url_of(settings or Settings())
        if token is None:
            token = await asyncio.to_thread(tokenfile.read, settings or Settings())
        url = re.sub(r"^http(?=s?://)", "ws", url)
        connection = await _opened(url, max_message_bytes)
        client = cls(connection, url)
        client.tracer = tracer
        try:
            await client._greet(token, session_id, accepts_claims, max_message_bytes)
            reading = asyncio.create_task(client._read())
            try:
                yield client
            finally:
                await client._stop_reporting()
                reading.cancel()
                await asyncio.wait([reading])
                client._fail(DaemonUnreachable("The client was closed.", remedy=""))
        finally:
            await connection.close()

    # --- calls -----------------------------------------------------------------------------

    async def list_tools(self) -> Sequence[ToolInfo]:
        """The tools that the daemon offers."""
        reply = await self._ask("list_tools")
        return [
            ToolInfo(each["name"], each["description"], each["inputSchema"], "")
            for each in reply["tools"]
        ]

    async def call(
        self,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
        on_progress: Noted | None = None,
        timeout: float | None = None,
        into: Sink | None = None,
        traceparent: str | None = None,
    ) -> CallResult:
        """Call a tool and have its whole answer, redeemed and verified.

        `timeout` in seconds bounds the call, not the redeeming. With `into` (anything that has a
        `write`, called in a thread) the bytes go there as they come and not into the result; they
        are verified when this returns. `traceparent` joins the call to a trace (W3C); without one
        OpenTelemetry is asked for it, if the program has loaded that. Raises CallFailed with the
        daemon's code (TIMEOUT for our own), MessageCorrupt, the other outcomes of redeeming, and
        DaemonUnreachable.
        """
        with self._span(tool, traceparent) as span:
            asked = Asked(tool, arguments or {}, request_id, on_progress, timeout)
            result = await self._called_whole(asked, into, span.traceparent)
            span.set(transaction_id=str(result.transaction_id), size=result.size)
            return result

    async def _called_whole(
        self, asked: Asked, into: Sink | None, traceparent: str | None
    ) -> CallResult:
        called = await self._call(asked, traceparent)
        if isinstance(called, CallResult):
            if into is None:
                return called
            await asyncio.to_thread(into.write, memoryview(called.payload))
            return replace(called, payload=b"")
        request_id, claim, conversation = called
        memory = Memory()
        await self._fetch(claim.transaction_id, 0, None, into or memory, claim, traceparent)
        return CallResult(
            memory.value(), claim, claim.transaction_id, claim.content_type, request_id,
            claim.payload_size_bytes, claim.checksum, claim.incomplete, conversation,
        )  # fmt: skip

    async def call_claim(
        self,
        tool: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        request_id: str | None = None,
        on_progress: Noted | None = None,
        timeout: float | None = None,
        traceparent: str | None = None,
    ) -> ClaimCheck:
        """Call a tool and have the claim check of its answer, unredeemed. Raises as `call`."""
        with self._span(tool, traceparent) as span:
            asked = Asked(tool, arguments or {}, request_id, on_progress, timeout)
            called = await self._call(asked, span.traceparent)
            if isinstance(called, CallResult):  # it came whole; its claim is asked for
                claim = await self._fetch(called.transaction_id, 0, 0, Memory(), None)
                return replace(claim, incomplete=called.incomplete)
            span.set(transaction_id=str(called[1].transaction_id))
            return called[1]

    async def fetch(
        self, transaction_id: UUID, offset: int = 0, length: int | None = None, *,
        traceparent: str | None = None,
    ) -> bytes:  # fmt: skip
        """The bytes [offset, offset + length) of a payload, up to its end; verified.

        Raises MessageMissing, MessageExpired, MessageCorrupt, AccessDenied, StoreUnreachable,
        CallFailed with any other code, and DaemonUnreachable. Never fewer bytes.
        """
        memory = Memory()
        with self._span("fetch", traceparent, transaction_id=str(transaction_id)) as span:
            await self._fetch(transaction_id, offset, length, memory, None, span.traceparent)
        return memory.value()

    async def fetch_to(self, transaction_id: UUID, target: Path | Sink) -> ClaimCheck:
        """A whole payload into a file, in bounded memory; raises as `fetch`.

        A path is replaced when everything has come and is verified, and left as it was otherwise;
        anything else with a `write` gets the bytes as they come.
        """
        with self._span("fetch", None, transaction_id=str(transaction_id)) as span:
            if not isinstance(target, Path):
                return await self._fetch(transaction_id, 0, None, target, None, span.traceparent)
            with _replacing(target) as out:
                return await self._fetch(transaction_id, 0, None, out, None, span.traceparent)

    async def health(self) -> Mapping[str, Any]:
        """The daemon's own account of its health."""
        reply = await self._ask("health")
        return {"ok": reply["ok"], **reply["health"]}

    async def rotate_token(self, old: str, new: str) -> None:
        """Give the daemon a new token. Raises CallFailed with its reason to refuse."""
        reply = await self._ask("rotate_token", old=old, new=new)
        if not reply["ok"]:
            raise CallFailed(str(reply.get("error")), code="UNAUTHORIZED", remedy="")

    # --- asking ----------------------------------------------------------------------------

    async def _greet(
        self, token: str, session_id: str | None, accepts_claims: bool, max_message_bytes: int
    ) -> None:
        try:
            await self._send(
                "hello", token=token, max_message_bytes=max_message_bytes,
                accepts=[CLAIM, TYPED] if accepts_claims else [TYPED],
                **({} if session_id is None else {"session_id": session_id}),
            )  # fmt: skip
            async with asyncio.timeout(GREET_SECS):
                message = await self._connection.recv()
        except ConnectionClosed as error:
            raise self._closed(error) from error
        except TimeoutError as error:
            raise DaemonUnreachable(
                f"{self._url} did not answer hello within {GREET_SECS:g} s."
            ) from error
        if isinstance(message, bytes):
            raise ProtocolError(f"{self._url} answered hello with a binary frame.")
        frame = read_frame(message)
        if not frame.get("ok"):
            await self._refused(frame)
        self.session_id = str(frame["session_id"])
        self._reports = RECEIVED in (frame.get("accepts") or ())

    async def _refused(self, frame: Mapping[str, Any]) -> NoReturn:
        await self._connection.wait_closed()
        reason = frame.get("error") or frame.get("message")
        if self._connection.close_code in (Close.UNAUTHORIZED, Close.TOKEN_MISSING):
            raise Unauthorized(f"The daemon at {self._url} refused the token: {reason}.")
        if self._connection.close_code == Close.TRY_AGAIN_LATER:
            raise DaemonUnreachable(
                f"The daemon at {self._url} cannot let anybody in now: {reason}.",
                remedy="Try again later.",
            )
        raise ProtocolError(f"The daemon at {self._url} refused the session: {reason}.")

    def _span(self, what: str, traceparent: str | None, **attributes: Any) -> Span:
        return (self.tracer or tracing.ambient()).begin(
            Hop.CLIENT, what, traceparent, session_id=self.session_id, **attributes
        )

    async def _call(
        self, asked: Asked, traceparent: str | None
    ) -> CallResult | tuple[str, ClaimCheck, Mapping[str, Any]]:
        chosen = asked.request_id or uuid4().hex
        if chosen in self._calls:
            raise ConfigurationError(f"Request {chosen!r} waits for its answer already.")
        waiting = self._calls[chosen] = Call(asked.on_progress)
        try:
            async with asyncio.timeout(asked.timeout):
                await self._send(
                    "call_tool", request_id=chosen, name=asked.tool,
                    arguments=dict(asked.arguments), **with_traceparent({}, traceparent),
                )  # fmt: skip
                frame = await waiting.answer
        except TimeoutError as error:
            raise CallUnanswered(
                f"The call of {asked.tool!r} was not answered within {asked.timeout:g} s "
                f"(request {chosen}, session {self.session_id}).",
                code="TIMEOUT",
                remedy="The call goes on: repeat it with the same session and request id.",
            ) from error
        finally:
            del self._calls[chosen]
        if "error" in frame:
            raise read_error(frame["error"])
        if "claim" in frame:
            return chosen, read_claim(frame["claim"]), read_conversation(frame)
        return await self._whole(frame)

    async def _whole(self, frame: dict[str, Any]) -> CallResult:
        try:
            if text_size(frame) <= PARSED_IN_PLACE:
                result = read_whole(frame)
            else:
                result = await asyncio.to_thread(read_whole, frame)
        except MessageCorrupt as error:
            self._report_corrupt(error)
            raise
        self._report(result.transaction_id, result.size, result.checksum, ok=True)
        return result

    def _report_corrupt(self, error: MessageCorrupt, offset: int | None = None) -> None:
        if error.came is not None and error.transaction_id is not None:
            self._report(error.transaction_id, *error.came, ok=False, offset=offset)

    async def _fetch(
        self,
        transaction_id: UUID,
        offset: int,
        length: int | None,
        sink: Sink,
        claim: ClaimCheck | None,
        traceparent: str | None = None,
    ) -> ClaimCheck:
        # Parts carry the id alone: fetches of one id follow one another, and one that its caller
        # has left is waited for.
        while (before := self._fetches.get(transaction_id)) is not None:
            await before.ended.wait()
        receipt = Receipt(uuid4().hex, transaction_id, offset)
        self._fetches[transaction_id] = receipt
        asking = asyncio.create_task(self._send_fetch(receipt, offset, length, traceparent))
        try:
            # Sent even if the caller leaves now: its end is what the next fetch waits for.
            await asyncio.shield(asking)
            told = await receipt.receive(sink, length, claim)
            taken = receipt.taken
            part = None if taken.size == told.payload_size_bytes else offset
            if length != 0:  # else only the claim was asked for
                self._report(transaction_id, taken.size, taken.checksum, ok=True, offset=part)
            return told
        except MessageCorrupt as error:
            self._report_corrupt(error, None if length is None and offset == 0 else offset)
            raise
        finally:
            receipt.leave()

    async def _send_fetch(
        self, receipt: Receipt, offset: int, length: int | None, traceparent: str | None
    ) -> None:
        try:
            await self._send(
                "fetch", request_id=receipt.request_id,
                transaction_id=str(receipt.transaction_id), offset=offset,
                **with_traceparent({} if length is None else {"length": length}, traceparent),
            )  # fmt: skip
        except BusctlError as error:
            receipt.fail(error)
            self._forget(receipt)


async def _opened(url: str, max_message_bytes: int) -> ClientConnection:
    try:
        return await open_connection(
            url, max_size=max_message_bytes, max_queue=4, compression=None, proxy=None,
            ping_interval=PING_SECS, ping_timeout=PONG_SECS,
        )  # fmt: skip
    except InvalidURI as error:
        raise ConfigurationError(
            f"{url!r} is no WebSocket address.", remedy="Write ws://host:port/ or wss://host:port/."
        ) from error
    except (OSError, InvalidHandshake, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise DaemonUnreachable(f"No daemon answered at {url}: {reason}.") from error


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
    """A file beside `target` that takes its place when the block has ended well."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:200]}.", dir=target.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
        umask = os.umask(0o077)  # which can only be read by setting it
        os.umask(umask)
        partial.chmod(0o666 & ~umask)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
