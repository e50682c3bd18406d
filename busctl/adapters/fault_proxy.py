"""A proxy that fails as networks do: it cuts, stalls, leaves half-open, and flips bits.

Each connection's stream is taken apart into the messages of its protocol (busctl.core.wire), so
that a fault hits a chosen one: a trap fires before it, in the middle of it, or when its answer has
come and was not handed on. Nothing in what is tested knows of it.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Self

from busctl.adapters.latency_proxy import Address
from busctl.core.wire import (
    Message,
    PostgresBackend,
    PostgresFrontend,
    Splitter,
    WebSocketFrames,
    Whole,
)

READ_BYTES = 1 << 18
PREFIX = "busctl-faults-"
FLIPPED_FROM_BYTES = 4096
"""Smaller messages are left whole by `flip`: most of a larger one is payload."""
Dialect = Literal["postgres", "websocket", "opaque"]
Side = Literal["client", "server"]
When = Literal["before", "half", "answered"]


@dataclass
class Trap:
    """Fires once, at the message after `skip` others of that `statement` (a part of its text):
    before it is passed on, when half of it was, or when its answer came, which is held back until
    `action` has ended."""

    statement: str
    when: When
    action: Callable[[Line], Awaitable[None]]
    skip: int = 0
    fired: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """One connection through the proxy. `backend_pid` is the server process that answers it, 0
    until it is known (PostgreSQL only)."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.client = client
        self.server = server
        self.backend_pid = 0
        self.trap: Trap | None = None
        self.silent = False

    def abort(self) -> None:
        """Cut both sides, as a reset does."""
        self.client.transport.abort()
        self.server.transport.abort()


class FaultProxy:
    """`async with FaultProxy(upstream, "postgres") as proxy:` listens at `proxy.address`, on a Unix
    socket where `upstream` is one. `upstream` may be changed: new connections lead there."""

    def __init__(
        self, upstream: Address, dialect: Dialect, *, seed: int = 0, prefix: str = PREFIX
    ) -> None:
        """`prefix` begins the name of the temporary folder of its socket."""
        self.upstream = upstream
        self.address = upstream
        self.flipped = 0
        self._dialect = dialect
        self._prefix = prefix
        self._random = random.Random(seed)  # noqa: S311  # faults that can be repeated
        self._lines: dict[Line, asyncio.Task[None]] = {}
        self._moving = asyncio.Event()
        self._moving.set()
        self._refusing = False
        self._flipping: tuple[Side, float] | None = None
        self._unflipped = False
        self._trap: Trap | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self.upstream.unix_path is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
            host, port = self._server.sockets[0].getsockname()[:2]
            self.address = Address(host, port)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix=self._prefix)
            self.address = Address(self._folder.name, self.upstream.port)
            path = self.address.unix_path
            self._server = await asyncio.start_unix_server(self._accept, path)
            os.chmod(self._folder.name, 0o755)  # noqa: PTH101, S103  # for other users
        return self

    async def __aexit__(self, *_: object) -> None:
        self.heal()
        if self._server is not None:
            self._server.close()
        for line, task in list(self._lines.items()):
            task.cancel()
            line.abort()
        await asyncio.gather(*self._lines.values(), return_exceptions=True)
        if self._folder is not None:
            self._folder.cleanup()

    # --- faults ----------------------------------------------------------------------------

    def heal(self) -> None:
        """All as it should be, for lines that still are and for new ones."""
        self._refusing = False
        self._flipping = None
        self._trap = None
        self._moving.set()
        for line in [each for each in self._lines if each.silent]:
            line.abort()

    def drop(self) -> None:
        """Cut every line; new ones are served."""
        for line in list(self._lines):
            line.abort()

    def cut(self) -> None:
        """Cut every line, and each new one as soon as it is there."""
        self._refusing = True
        self.drop()

    def stall(self) -> None:
        """Lines stay, new ones are taken, and nothing is carried."""
        self._moving.clear()

    def half_open(self) -> None:
        """The server's side of every line is gone and the client is not told."""
        for line in list(self._lines):
            line.silent = True
            line.server.transport.abort()

    def flip(self, side: Side, share: float) -> None:
        """Flip a bit in that share of the larger messages that `side` sends, in their middle; in
        the first of them at any rate."""
        self._flipping = (side, share)
        self._unflipped = True

    def arm(
        self, statement: str, when: When, action: Callable[[Line], Awaitable[None]], skip: int = 0
    ) -> Trap:
        """Wait for one message; the trap armed before is gone."""
        self._trap = Trap(statement, when, action, skip)
        return self._trap

    # --- carrying --------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._moving.wait()
        dialled = None if self._refusing else await self._dialled()
        if dialled is None:  # cut, or nobody listens there now: neither do we
            writer.transport.abort()
            return
        there, to_there = dialled
        line = Line(writer, to_there)
        task = asyncio.ensure_future(self._join(line, reader, there))
        self._lines[line] = task
        try:
            await asyncio.wait([task])
        finally:
            del self._lines[line]
            # What was written last (why the server ends the session) still goes out.
            line.client.close()
            line.server.close()

    async def _dialled(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        path = self.upstream.unix_path
        try:
            if path is not None:
                return await asyncio.open_unix_connection(path, limit=READ_BYTES)
            return await asyncio.open_connection(
                self.upstream.host, self.upstream.port, limit=READ_BYTES
            )
        except OSError:
            return None

    async def _join(
        self, line: Line, client: asyncio.StreamReader, server: asyncio.StreamReader
    ) -> None:
        asking, answering = self._splitters()
        ways = [
            asyncio.ensure_future(self._asked(line, client, asking)),
            asyncio.ensure_future(self._answered(line, server, answering)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if line.silent:
                await asyncio.wait(ways[:1])
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    def _splitters(self) -> tuple[Splitter, Splitter]:
        if self._dialect == "postgres":
            frontend = PostgresFrontend()
            return frontend, PostgresBackend(frontend)
        if self._dialect == "websocket":
            return WebSocketFrames(), WebSocketFrames()
        return Whole(), Whole()

    async def _asked(self, line: Line, client: asyncio.StreamReader, splitter: Splitter) -> None:
        while data := await client.read(READ_BYTES):
            for message in splitter.feed(data):
                await self._moving.wait()
                if line.silent:
                    continue
                if line.server.is_closing():
                    return
                rest = await self._sprung(line, message)
                if not line.server.is_closing():  # the trap may have cut it
                    line.server.write(self._worn("client", rest))
                    await line.server.drain()

    async def _sprung(self, line: Line, message: Message) -> bytes:
        """What of the message is still to be passed on, the trap fired if it is for this one."""
        trap, raw = self._trap, message.raw
        if trap is None or message.kind not in ("B", "Q") or trap.statement not in message.text:
            return raw
        if trap.skip > 0:
            trap.skip -= 1
            return raw
        self._trap = None
        if trap.when == "answered":
            line.trap = trap
            return raw
        if trap.when == "half":
            line.server.write(raw[: len(raw) // 2])
            await line.server.drain()
            raw = raw[len(raw) // 2 :]
        await self._fire(trap, line)
        return raw

    @staticmethod
    async def _fire(trap: Trap, line: Line) -> None:
        trap.fired.set()
        await trap.action(line)

    async def _answered(self, line: Line, server: asyncio.StreamReader, splitter: Splitter) -> None:
        held: list[bytes] = []
        while data := await server.read(READ_BYTES):
            for message in splitter.feed(data):
                await self._moving.wait()
                if message.kind == "K":
                    line.backend_pid = int.from_bytes(message.raw[5:9], "big")
                if line.client.is_closing():
                    return
                if line.trap is None:
                    line.client.write(self._worn("server", message.raw))
                    continue
                held.append(message.raw)
                if message.kind == "Z":
                    trap, line.trap = line.trap, None
                    await self._fire(trap, line)
                    if not line.client.is_closing():
                        line.client.write(b"".join(held))
                    held.clear()
            await line.client.drain()

    def _worn(self, side: Side, raw: bytes) -> bytes:
        """The message, with a bit flipped if its turn has come."""
        if (
            self._flipping is None or self._flipping[0] != side or len(raw) < FLIPPED_FROM_BYTES
            or (not self._unflipped and self._random.random() >= self._flipping[1])
        ):  # fmt: skip
            return raw
        self._unflipped = False
        self.flipped += 1
        place = self._random.randrange(len(raw) // 4, len(raw) * 3 // 4)
        spoilt = bytearray(raw)
        spoilt[place] ^= 1 << self._random.randrange(8)
        return bytes(spoilt)
