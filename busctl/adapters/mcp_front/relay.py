"""Standard input and output led to the gateway of a running daemon, message by message."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    encode_header_value,
)
from mcp.shared.message import ClientMessageMetadata, SessionMessage
from mcp_types import PROTOCOL_VERSION_META_KEY, JSONRPCRequest, JSONRPCResponse

from busctl.adapters.mcp_front.stdio import Incoming, Outgoing, claimed
from busctl.core.errors import DaemonUnreachable, Unauthorized

CONNECT_SECS = 10.0
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""The parameter that the newer era repeats in a header."""

log = logging.getLogger("busctl.mcp")


async def relay_stdio(url: str, token: str, stop: asyncio.Event, *, max_message_bytes: int) -> None:
    """Relay until standard input ends or `stop` is set. `url` is the daemon's (http or https).
    Raises DaemonUnreachable and Unauthorized before anything is relayed."""
    timeout = httpx2.Timeout(CONNECT_SECS, read=None, pool=None)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=timeout, trust_env=False) as http:
        await _knock(http, url)
        async with (
            claimed(max_message_bytes, stop) as (reader, writer),
            streamable_http_client(
                f"{url}/mcp", http_client=http, max_sse_event_size=None
            ) as (answers, asked),
        ):  # fmt: skip
            outgoing = Outgoing(writer)
            stamps = _Stamps()
            answering = asyncio.create_task(_answer(answers, outgoing, stamps))
            async for item in Incoming(reader, outgoing):
                metadata = ClientMessageMetadata(headers=stamps.of(item.message))
                await asked.send(SessionMessage(item.message, metadata=metadata))
            answering.cancel()
            await asyncio.wait([answering])


async def _knock(http: httpx2.AsyncClient, url: str) -> None:
    try:
        response = await http.get(f"{url}/mcp", headers={"Accept": "application/json"})
    except httpx2.TransportError as error:
        raise DaemonUnreachable(f"No daemon answered at {url}: {error}.") from error
    if response.status_code == httpx2.codes.UNAUTHORIZED:
        raise Unauthorized(f"The daemon at {url} refused the token.")


async def _answer(answers: Any, outgoing: Outgoing, stamps: _Stamps) -> None:
    async for item in answers:
        if isinstance(item, Exception):
            log.warning("the daemon's answer cannot be read", extra={"error": str(item)})
            continue
        stamps.see(item.message)
        await outgoing.send(item)


class _Stamps:
    """The headers that HTTP wants of what a pipe carries in the messages alone."""

    def __init__(self) -> None:
        self._greeting: Any = None
        self._version: str | None = None

    def see(self, message: Any) -> None:
        """The answer to the handshake says which revision is spoken from then on."""
        if isinstance(message, JSONRPCResponse) and message.id == self._greeting:
            self._version = message.result.get("protocolVersion")

    def of(self, message: Any) -> dict[str, str]:
        params = getattr(message, "params", None) or {}
        if isinstance(message, JSONRPCRequest) and message.method == "initialize":
            self._greeting = message.id
            return {}
        stateless = (params.get("_meta") or {}).get(PROTOCOL_VERSION_META_KEY)
        if stateless is None:
            return {} if self._version is None else {MCP_PROTOCOL_VERSION_HEADER: self._version}
        headers = {MCP_PROTOCOL_VERSION_HEADER: stateless, MCP_METHOD_HEADER: message.method}
        if name := params.get(_NAMED.get(message.method, "")):
            headers[MCP_NAME_HEADER] = encode_header_value(name)
        return headers
