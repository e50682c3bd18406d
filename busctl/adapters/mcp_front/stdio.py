"""The Model Context Protocol over standard input and output: one JSON object a line.

The SDK's own transport reads and writes in threads, three hops of them a message; here the event
loop does it, and what is written is encoded once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.runner import serve_dual_era_loop, serve_loop
from mcp.shared.message import SessionMessage
from mcp_types import (
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from busctl.adapters.mcp_front.encoding import encoded
from busctl.adapters.mcp_front.server import make_server, takes_links
from busctl.core.errors import ConfigurationError
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
    incoming, received = anyio.create_memory_object_stream[SessionMessage | Exception](16)
    to_send, outgoing = anyio.create_memory_object_stream[SessionMessage](16)
    reader, writer = await _claim(max_message_bytes)
    handshakes: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    reading = asyncio.create_task(_read(reader, incoming, to_send.clone(), handshakes))
    tasks = [
        reading,
        asyncio.create_task(_write(writer, outgoing)),
        asyncio.create_task(_end(reading, stop)),
    ]
    try:
        async with server.lifespan(server) as state:
            # By the first request: only the newer era needs the SDK's relay, a hop a message.
            serve = serve_loop if await handshakes else serve_dual_era_loop
            await serve(server, received, to_send, lifespan_state=state)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()


async def _read(
    reader: asyncio.StreamReader, incoming: Any, back: Any, handshakes: asyncio.Future[bool]
) -> None:
    """Pass on what comes. `handshakes` is told whether the first request is one."""
    async with incoming, back, _told_at_last(handshakes):
        while line := await _line(reader):
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValidationError:
                await back.send(SessionMessage(_unreadable()))
                continue
            if isinstance(message, JSONRPCRequest) and not handshakes.done():
                handshakes.set_result(message.method == "initialize")
            await incoming.send(SessionMessage(message))
        log.info("standard input ended")


@asynccontextmanager
async def _told_at_last(handshakes: asyncio.Future[bool]) -> AsyncIterator[None]:
    """A client that leaves without a request is served, too: nothing."""
    try:
        yield
    finally:
        if not handshakes.done():
            handshakes.set_result(True)


async def _end(reading: asyncio.Task[None], stop: asyncio.Event) -> None:
    """What is read no more has ended: from there on the SDK takes leave as it does at the end."""
    await stop.wait()
    reading.cancel()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next line that is not blank, b"" at the end. One that is too long is cut, and so refused
    as unreadable."""
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            return b"{"
        if not line or line.strip():
            return line


def _unreadable() -> JSONRPCError:
    error = ErrorData(code=PARSE_ERROR, message="The line is no JSON-RPC message, or too long.")
    return JSONRPCError(jsonrpc="2.0", id=None, error=error)


async def _write(writer: asyncio.StreamWriter, outgoing: Any) -> None:
    async with outgoing:
        async for one in outgoing:
            message = one.message
            del one  # a large one is not held until the next has come
            try:
                await _send(writer, message)
            except (BrokenPipeError, ConnectionResetError):
                log.info("the client reads no more")
                return


async def _send(writer: asyncio.StreamWriter, message: JSONRPCMessage) -> None:
    for piece in encoded(message):
        writer.write(piece)
        await writer.drain()  # what waits in the pipe's buffer is a copy


async def _claim(limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Both ends for the protocol alone: whatever else reads or prints in this process, or in those
    it starts, meets the end of the input and standard error."""
    loop = asyncio.get_running_loop()
    mine_in, mine_out = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    reader = asyncio.StreamReader(limit=limit)
    for number, name in ((mine_in, "standard input"), (mine_out, "standard output")):
        if stat.S_ISREG(os.fstat(number).st_mode):
            raise ConfigurationError(
                f"{name.capitalize()} is a file.",
                remedy="Start `busctl mcp` with pipes, as MCP clients do, or through `cat`.",
            )
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(mine_in, "rb", 0)
    )
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, os.fdopen(mine_out, "wb", 0)
    )
    return reader, asyncio.StreamWriter(transport, protocol, None, loop)
