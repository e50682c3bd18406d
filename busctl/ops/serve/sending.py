"""Frames of many requests on one socket, each whole."""

from __future__ import annotations

import asyncio
from typing import Any

from busctl.core.protocol import encode
from busctl.ports import Socket


class Sender:
    """Sends one frame after another, in the order they were asked for. Raises PeerGone."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._sending = asyncio.Lock()

    async def send(self, op: str, /, **fields: Any) -> None:
        """A text frame of that op."""
        await self.text(encode(op, **fields))

    async def text(self, text: str) -> None:
        async with self._sending:
            await self._socket.send_text(text)

    async def binary(self, message: bytes) -> None:
        async with self._sending:
            await self._socket.send_bytes(message)
