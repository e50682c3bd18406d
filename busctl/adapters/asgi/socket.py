"""A Starlette WebSocket as the Socket port."""

from __future__ import annotations

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from busctl.core.errors import PeerGone

_GONE = (WebSocketDisconnect, RuntimeError)
"""Starlette raises RuntimeError for a connection that was closed on this side already."""


class StarletteSocket:
    """Implements `busctl.ports.Socket`."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes:
        try:
            message = await self._websocket.receive()
        except _GONE as error:
            raise PeerGone("The connection is closed.") from error
        if message["type"] == "websocket.disconnect":
            raise PeerGone(f"The client left (code {message.get('code')}).")
        text: str | None = message.get("text")
        if text is not None:
            return text
        received: bytes = message.get("bytes") or b""
        return received

    async def send_text(self, message: str) -> None:
        try:
            await self._websocket.send_text(message)
        except _GONE as error:
            raise PeerGone("The client left.") from error

    async def send_bytes(self, message: bytes) -> None:
        try:
            await self._websocket.send_bytes(message)
        except _GONE as error:
            raise PeerGone("The client left.") from error

    async def close(self, code: int, reason: str) -> None:
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            return
        try:
            await self._websocket.close(code, reason)
        except _GONE:
            return  # it was closed from the other side in this moment: the wish is fulfilled
