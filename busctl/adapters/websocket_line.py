"""The client's end of a connection: frames out, and every frame in given to who waits for it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from busctl.adapters.websocket_fetch import Receipt
from busctl.core.errors import BusctlError, ConfigurationError, DaemonUnreachable, ProtocolError
from busctl.core.protocol import MAX_RECEIPTS, RECEIVED
from busctl.core.replies import read_frame, read_part

PARSED_IN_PLACE = 64 * 1024
"""Longer text frames are read in a thread, so that nothing else waits for them."""

REPORT_SECS = 0.05
"""How long receipts are collected before they are reported."""

Noted = Callable[[str], None]

log = logging.getLogger("busctl.client")


class Call:
    """A call that waits for its answer."""

    def __init__(self, on_progress: Noted | None) -> None:
        self.on_progress = on_progress
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        # Whose caller has left already, because nothing could be sent, is asked by nobody.
        self.answer.add_done_callback(_look)


def _look(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()


class Line:
    """What a client's requests share: who waits, and whether the connection is lost."""

    def __init__(self, connection: ClientConnection, url: str) -> None:
        self._connection = connection
        self._url = url
        self._calls: dict[str, Call] = {}
        self._fetches: dict[UUID, Receipt] = {}
        self._replies: dict[str, deque[asyncio.Future[dict[str, Any]]]] = {}
        self._lost: BusctlError | None = None
        self._receipts: list[dict[str, Any]] = []
        self._reporting: asyncio.Task[None] | None = None
        self._reports = False
        self.session_id = ""
        self.received_bytes = 0

    # --- asking ----------------------------------------------------------------------------

    async def _ask(self, op: str, **fields: Any) -> dict[str, Any]:
        """A request without an id; its answers come in order."""
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies.setdefault(f"{op}_res", deque()).append(reply)
        await self._send(op, **fields)
        return await reply

    async def _send(self, op: str, **fields: Any) -> None:
        if self._lost is not None:
            raise self._lost
        try:
            # ASCII, so that lone surrogates of an argument cross as JSON's own escapes.
            await self._connection.send(json.dumps({"op": op, **fields}, allow_nan=False))
        except ConnectionClosed as error:
            raise self._closed(error) from error
        except (TypeError, ValueError) as error:
            raise ConfigurationError(f"The arguments are not JSON: {error}.") from error

    # --- reporting -------------------------------------------------------------------------

    def _report(
        self, transaction_id: UUID, size: int, checksum: str, *, ok: bool, offset: int | None = None
    ) -> None:
        """Tell the daemon what has come, many at once and beside everything else."""
        if not self._reports:
            return
        part = {} if offset is None else {"offset": offset}
        self._receipts.append(
            {"transaction_id": str(transaction_id), "size": size, "checksum": checksum,
             "ok": ok, **part}
        )  # fmt: skip
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.create_task(self._report_soon())

    async def _stop_reporting(self) -> None:
        """Report what waits, and no more."""
        if self._reporting is not None:
            self._reporting.cancel()
            await asyncio.wait([self._reporting])
        await self._send_receipts()
        self._reports = False

    async def _report_soon(self) -> None:
        await asyncio.sleep(REPORT_SECS)
        await self._send_receipts()

    async def _send_receipts(self) -> None:
        while self._receipts and self._lost is None:
            told, self._receipts = self._receipts[:MAX_RECEIPTS], self._receipts[MAX_RECEIPTS:]
            try:
                await self._send(RECEIVED, receipts=told)
            except DaemonUnreachable as error:
                # What was received was received: only the daemon's trail lacks it.
                log.info("%d receipts not reported: %s", len(told), error)
                return

    # --- reading ---------------------------------------------------------------------------

    async def _read(self) -> None:
        """Give every frame to who waits for it, until the connection ends."""
        try:
            while True:
                await self._take(await self._connection.recv())
        except ConnectionClosed as error:
            self._fail(self._closed(error))
        except (KeyError, TypeError, ValueError) as error:
            self._fail(ProtocolError(f"{self._url} sent a frame that cannot be read: {error!r}."))
        except BusctlError as error:
            self._fail(error)

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.received_bytes += len(message)
            part = read_part(message)
            if receipt := self._fetches.get(part.transaction_id):
                await receipt.add(part)
            return
        if len(message) <= PARSED_IN_PLACE:
            frame = read_frame(message)
        else:
            frame = await asyncio.to_thread(read_frame, message)
        self.received_bytes += len(message) if message.isascii() else len(message.encode())
        await self._dispatch(frame)

    async def _dispatch(self, frame: dict[str, Any]) -> None:
        match frame["op"]:
            case "call_tool_res":
                self._answer(frame)
            case "progress":
                call = self._calls.get(frame["request_id"])
                if call and call.on_progress:
                    call.on_progress(str(frame["note"]))
            case "fetch_res" | "fetch_end" as op:
                await self._fetch_frame(op, frame)
            case "error":
                self._error(frame)
            case op if waiting := self._replies.get(op):
                reply = waiting.popleft()
                if not reply.done():
                    reply.set_result(frame)

    def _answer(self, frame: dict[str, Any]) -> None:
        call = self._calls.get(frame["request_id"])
        if call and not call.answer.done():
            call.answer.set_result(frame)

    async def _fetch_frame(self, op: str, frame: dict[str, Any]) -> None:
        for receipt in self._fetches.values():
            if receipt.request_id == frame["request_id"]:
                break
        else:
            return
        if op == "fetch_res":
            receipt.begin(frame)
        else:
            await receipt.end(frame)
        if receipt.ended.is_set():
            self._forget(receipt)

    def _error(self, frame: dict[str, Any]) -> None:
        """The daemon could not read a request of ours; without an id it may be any of them."""
        error = ProtocolError(f"The daemon refused a frame: {frame['message']}")
        call = self._calls.get(frame.get("request_id", ""))
        if call is None:
            raise error
        if not call.answer.done():
            call.answer.set_exception(error)

    def _forget(self, receipt: Receipt) -> None:
        if self._fetches.get(receipt.transaction_id) is receipt:
            del self._fetches[receipt.transaction_id]

    def _fail(self, error: BusctlError) -> None:
        self._lost = error
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(error)
        for replies in self._replies.values():
            for reply in replies:
                if not reply.done():
                    reply.set_exception(error)
        for receipt in list(self._fetches.values()):
            receipt.fail(error)
        self._fetches.clear()

    def _closed(self, error: ConnectionClosed) -> BusctlError:
        close = error.rcvd or error.sent
        why = f" ({close.code} {close.reason}".rstrip() + ")" if close else ""
        waiting = ", ".join([f"request {each}" for each in self._calls]
                            + [f"message {each}" for each in self._fetches])  # fmt: skip
        waiting = f" while waiting for {waiting}" if waiting else ""
        return DaemonUnreachable(
            f"The connection to {self._url} was lost{why}{waiting}.",
            remedy="Connect again; the same session and request id get the same answer.",
        )
