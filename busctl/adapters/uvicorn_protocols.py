"""uvicorn's protocols with the limits they lack: on what strangers send, and how slowly."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

HELLO_BYTES = 1 << 20
"""Largest frame before the daemon has said anything: strangers get no more memory than that."""
MOST_FRAGMENTS = 4096
"""Of one message: each costs memory of its own, however small it is."""


class PatientHttp(H11Protocol):
    """HTTP with the limits of `patient`."""

    head_secs = 15.0
    most_connections = 1000
    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if not getattr(self.cycle, "response_complete", True):
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        # Before the next request, which may have come already, is looked at.
        self._wait_for_head()
        super().on_response_complete()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(self.head_secs, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def patient(seconds: float, most: int) -> type[H11Protocol]:
    """HTTP that waits `seconds` at most for the whole head of a request, from the beginning of the
    connection or the end of the request before, and takes `most` connections at once."""
    limits = {"head_secs": seconds, "most_connections": most}
    return type("PatientHttp", (PatientHttp,), limits)


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """A WebSocket that costs bounded memory: frames are small until the daemon has answered the
    first one, fragments are counted, and pings of a client that reads nothing do not pile up."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._allowed = self.conn.max_message_size
        self.conn.max_message_size = min(HELLO_BYTES, self._allowed or HELLO_BYTES)
        self._owed = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.send":
            self.conn.max_message_size = self._allowed
        await super().send(message)

    def handle_cont(self, event: Frame) -> None:
        if self.close_sent:
            return
        if len(self.frames) >= MOST_FRAGMENTS:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"over {MOST_FRAGMENTS} fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            # RFC 6455 §5.5.3: a pong for the most recent ping is enough.
            self._owed = b"".join(self.conn.data_to_send())

    def resume_writing(self) -> None:
        super().resume_writing()
        owed, self._owed = self._owed, b""
        if owed and not self.close_sent:
            self.transport.write(owed)
