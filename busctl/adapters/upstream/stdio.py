"""The streams of an upstream program, as the SDK's session takes them.

The SDK's own stdio client joins and copies a long line with every piece that comes, and parses its
result into models. Here a line is one growing buffer, and a result stays what its server wrote.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)

from busctl.adapters.upstream import program
from busctl.adapters.upstream.guard import Guard
from busctl.adapters.upstream.lines import TooLong, lines
from busctl.core.bucket import Bucket
from busctl.core.mcp.jsonrpc import asked_id, batch_in, id_in, response_in
from busctl.core.mcp.upstream import Command

log = logging.getLogger("busctl.upstream")

SHOWN_CHARS = 2000
"""How much of one line of standard error is logged."""
STDERR_BYTES = 64 * 1024
STDERR_LINES_PER_SEC = 100.0
"""More than that of one server is counted, not logged: it must not fill the disk."""
LOOK_SECS = 1.0
"""How often it is looked whether the program is still there."""

Inbound = MemoryObjectReceiveStream[SessionMessage | Exception]
Outbound = MemoryObjectSendStream[SessionMessage]


@dataclass(frozen=True, slots=True)
class Pipes:
    """A running program and the streams of its messages."""

    process: Process
    inbound: Inbound
    outbound: Outbound

    async def ended(self) -> str:
        """Wait for its end; how it ended, for people."""
        code = await program.ended(self.process, 0.005)  # it is about to
        return f"it was ended by signal {-code}" if code < 0 else f"it ended with status {code}"


@asynccontextmanager
async def piped(
    name: str, command: Command, guard: Guard, clean: Callable[[str], str], most_bytes: int
) -> AsyncIterator[Pipes]:
    """Run the program for the time of the block. `clean` takes secrets out of what it says on
    standard error; lines over `most_bytes` are answered by an error. Raises UpstreamFailed."""
    process = await program.start(name, command, guard)
    to_session, inbound = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outbound, from_session = anyio.create_memory_object_stream[SessionMessage](0)
    reader = _Reader(name, to_session, clean, most_bytes)
    tasks = [
        asyncio.create_task(reader.read(process)),
        asyncio.create_task(_write(process, from_session, to_session)),
        asyncio.create_task(_log(name, process, clean)),
        asyncio.create_task(reader.end_with(process)),
    ]
    try:
        yield Pipes(process, inbound, outbound)
    finally:
        with anyio.CancelScope(shield=True):
            await program.end(process, guard)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in (to_session, inbound, outbound, from_session):
                stream.close()


class _Reader:
    """Takes messages off the program's standard output."""

    def __init__(
        self, name: str, to_session: MemoryObjectSendStream[SessionMessage | Exception],
        clean: Callable[[str], str], most_bytes: int,
    ) -> None:  # fmt: skip
        self._name = name
        self._to_session = to_session
        self._clean = clean
        self._most = most_bytes
        self._taken = 0

    async def end_with(self, process: Process) -> None:
        """End the messages soon after the program has ended: its output is then still open where
        a child of it has inherited that."""
        await program.ended(process, LOOK_SECS)
        taken = -1
        while taken != self._taken:
            taken = self._taken
            await asyncio.sleep(LOOK_SECS)
        self._to_session.close()

    async def read(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101  # started with a pipe
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the session is over
            async for line in lines(process.stdout, self._most):
                messages = [self._message(each) for each in _unbatched(line)]
                self._taken += 1
                del line  # the session's from here on: it is not held until the next one comes
                while messages:
                    message = messages.pop(0)
                    if message is not None:
                        await self._to_session.send(SessionMessage(message))
                        del message
        self._to_session.close()
        while await process.stdout.read(program.LIMIT_BYTES):
            pass  # one that cannot write cannot end either

    def _message(self, line: bytearray | TooLong) -> JSONRPCMessage | None:
        if isinstance(line, TooLong):
            return self._refused(line)
        response = response_in(line)
        if response is not None:
            # Not validated: a result that we only pass on is none of our business.
            return JSONRPCResponse.model_construct(
                jsonrpc="2.0", id=response.id, result=response.result
            )
        if not line.strip():
            return None
        try:
            return jsonrpc_message_adapter.validate_json(bytes(line), by_name=False)
        except ValueError:
            text = self._clean(line[:SHOWN_CHARS].decode("utf-8", "replace"))
            log.warning(
                "upstream wrote no JSON-RPC to its standard output",
                extra={"upstream": self._name, "line": text},
            )
            answered = asked_id(line)
            # Without a word to whoever asked, the call would wait for its whole time.
            return None if answered is None else _error(answered, "the answer is no JSON-RPC")

    def _refused(self, line: TooLong) -> JSONRPCMessage | None:
        found = id_in(line.head)
        if found is None:
            found = id_in(line.tail)
        log.error(
            "upstream sent a message over the limit",
            extra={"upstream": self._name, "bytes": line.size, "limit": self._most},
        )
        if found is None:
            return None
        words = f"the answer has {line.size:,} bytes as JSON, {self._most:,} are taken"
        return _error(found, words)


def _unbatched(line: bytearray | TooLong) -> Sequence[bytearray | TooLong]:
    """The messages of a line: one, or those of a batch, which the revision of 2025-03-26 had."""
    if isinstance(line, TooLong) or not line.startswith(b"["):
        return [line]
    return batch_in(line) or [line]


def _error(id: int | str, words: str) -> JSONRPCError:
    error = ErrorData(code=INTERNAL_ERROR, message=words)
    return JSONRPCError(jsonrpc="2.0", id=id, error=error)


async def _write(
    process: Process, from_session: MemoryObjectReceiveStream[SessionMessage],
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:  # fmt: skip
    assert process.stdin is not None  # noqa: S101  # started with a pipe
    try:
        async for each in from_session:
            text = each.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()
    except OSError:
        # It may live on without reading: the session must not wait for its answers.
        log.debug("upstream takes nothing any more", exc_info=True)
        to_session.close()


async def _log(name: str, process: Process, clean: Callable[[str], str]) -> None:
    """What it says on standard error, line by line."""
    assert process.stderr is not None  # noqa: S101  # started with a pipe
    pace, unlogged = Bucket(STDERR_LINES_PER_SEC), 0
    async for line in lines(process.stderr, STDERR_BYTES):
        if pace.take(asyncio.get_running_loop().time()):
            unlogged += 1
            continue
        if unlogged:
            _log_unlogged(name, unlogged)
            unlogged = 0
        raw = line.head if isinstance(line, TooLong) else line
        text = clean(raw[:SHOWN_CHARS].decode("utf-8", "replace").rstrip())
        if text:
            log.info("upstream says", extra={"upstream": name, "line": text})
    if unlogged:
        _log_unlogged(name, unlogged)


def _log_unlogged(name: str, lines: int) -> None:
    log.warning("upstream says more than is logged", extra={"upstream": name, "lines": lines})
