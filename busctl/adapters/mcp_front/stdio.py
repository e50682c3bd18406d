"""The Model Context Protocol over standard input and output: one JSON object a line.

The SDK's own transport reads and writes in threads and hands each message through two queues; here
whoever wants a message takes it from the pipe, and whoever has one writes it there.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Self

import anyio
from mcp.server.runner import serve_dual_era_loop, serve_loop
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCRequest, jsonrpc_message_adapter
from pydantic import ValidationError

from busctl.adapters.mcp_front.encoding import encoded, is_short
from busctl.adapters.mcp_front.server import make_server, takes_links
from busctl.core.errors import ConfigurationError
from busctl.core.mcp.jsonrpc import refused_id
from busctl.core.principal import Principal
from busctl.ports.gateway import Caller, Gateway

log = logging.getLogger("busctl.mcp")


async def serve_stdio(
    gateway: Callable[[], Awaitable[Gateway]], principal: Principal, session_id: str,
    stop: asyncio.Event, *, version: str, max_message_bytes: int,
) -> None:  # fmt: skip
    """Serve the one client there is until its end of standard input is closed, or `stop` is set.
    It is answered as soon as it asks; what needs the gateway waits for it. Raises
    ConfigurationError when standard input cannot be waited for."""
    server = make_server(
        gateway, lambda ctx: Caller(principal, session_id, takes_links=takes_links(ctx)), version
    )
    async with claimed(max_message_bytes, stop) as (reader, writer):
        outgoing = Outgoing(writer)
        incoming = Incoming(reader, outgoing)
        # Only the newer era needs the SDK's relay, which tells the eras apart: a hop a message.
        serve = serve_loop if await incoming.begins_with("initialize") else serve_dual_era_loop
        async with server.lifespan(server) as state:
            await serve(server, incoming, outgoing, lifespan_state=state)


class _Stream:
    """What the SDK wants of both ways."""

    async def aclose(self) -> None:
        """Both are closed with the pipes."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


class Outgoing(_Stream):
    """Messages to the client, one after the other."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._writing = asyncio.Lock()

    async def send(self, item: SessionMessage, /) -> None:
        """To a client that reads no more nothing is sent."""
        async with self._writing:
            pieces = list(encoded(item.message)) if is_short(item.message) else None
            if pieces is not None:
                await self._write(pieces)
            else:
                # Cancelled in the middle, the line would be torn.
                await asyncio.shield(asyncio.ensure_future(self._write(encoded(item.message))))

    async def _write(self, pieces: Iterable[bytes]) -> None:
        try:
            for piece in pieces:
                self._writer.write(piece)
                await self._writer.drain()  # what waits in the pipe's buffer is a copy
        except (BrokenPipeError, ConnectionResetError):
            log.info("the client reads no more")


class Incoming(_Stream):
    """Messages of the client."""

    def __init__(self, reader: asyncio.StreamReader, outgoing: Outgoing) -> None:
        self._reader = reader
        self._outgoing = outgoing
        self._first: SessionMessage | None = None

    async def begins_with(self, method: str) -> bool:
        """Whether the first message, which will be given in its turn, asks for that."""
        self._first = await self._next()
        message = None if self._first is None else self._first.message
        return isinstance(message, JSONRPCRequest) and message.method == method

    async def receive(self) -> SessionMessage:
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise anyio.EndOfStream from None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        message, self._first = self._first, None
        message = message or await self._next()
        if message is None:
            raise StopAsyncIteration
        return message

    async def _next(self) -> SessionMessage | None:
        while line := await self._line():
            try:
                return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
            except ValidationError:
                await self._outgoing.send(SessionMessage(_unreadable(line)))
        log.info("standard input ended")
        return None

    async def _line(self) -> bytes:
        """The next line that is not blank, b"" at the end. One that is too long is cut, and so
        refused as unreadable."""
        while True:
            try:
                line = await self._reader.readline()
            except ValueError:
                return b"{"
            if not line or line.strip():
                return line


def _unreadable(line: bytes) -> JSONRPCError:
    """The error to the id that asked, where the line tells it: JSON that is no message, or holds
    half of a surrogate pair."""
    error = ErrorData(code=PARSE_ERROR, message="The line is no JSON-RPC message, or too long.")
    return JSONRPCError(jsonrpc="2.0", id=refused_id(line), error=error)


@asynccontextmanager
async def claimed(
    limit: int, stop: asyncio.Event
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Both ends for the protocol alone: whatever else reads or prints in this process, or in those
    it starts, meets the end of the input and standard error. `stop` ends the input."""
    loop = asyncio.get_running_loop()
    mine_in, mine_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    for number, name in ((mine_in, "Standard input"), (mine_out, "Standard output")):
        if stat.S_ISREG(os.fstat(number).st_mode):
            raise ConfigurationError(
                f"{name} is a file.",
                remedy="Start `busctl mcp` with pipes, as MCP clients do, or through `cat`.",
            )
    reader = asyncio.StreamReader(limit=limit)
    read_pipe, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(mine_in, "rb", 0)
    )
    write_pipe, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(mine_out, "wb", 0)
    )
    stopping = asyncio.create_task(_close(read_pipe, stop))
    writer = asyncio.StreamWriter(write_pipe, protocol, None, loop)
    try:
        yield reader, writer
    finally:
        stopping.cancel()
        read_pipe.close()
        writer.close()


async def _close(pipe: asyncio.ReadTransport, stop: asyncio.Event) -> None:
    """For whoever reads it has ended, then, and the SDK takes leave as it does at the end."""
    await stop.wait()
    pipe.close()
