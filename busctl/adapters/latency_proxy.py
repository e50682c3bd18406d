"""A proxy that delays and counts: what a store at the end of a long line costs.

Forwards TCP or Unix-socket connections, every byte half a round trip later than it came, whatever
its number (the line has length here, not width), and counts round trips: how often a client spoke
after having heard an answer.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

READ_BYTES = 1 << 18
IN_FLIGHT_READS = 64
"""What may be on the line at once, in reads (16 MiB): more than a socket's buffers hold."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: a host, or the absolute path of the folder of a Unix socket, and a
    port (PostgreSQL's way of naming both)."""

    host: str
    port: int

    @property
    def unix_path(self) -> Path | None:
        return Path(self.host) / f".s.PGSQL.{self.port}" if self.host.startswith("/") else None


class LatencyProxy:
    """`async with LatencyProxy(upstream, rtt_seconds=0.03) as proxy:` listens at `proxy.address`.

    `round_trips` counts those of all connections since the start.
    """

    def __init__(self, upstream: Address, *, rtt_seconds: float) -> None:
        self.address = upstream
        self.round_trips = 0
        self._upstream = upstream
        self._delay = rtt_seconds / 2
        self._lines: set[asyncio.Task[None]] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self._upstream.unix_path is None:
            self._server = await asyncio.start_server(
                self._accept, "127.0.0.1", 0, limit=READ_BYTES
            )
            host, port = self._server.sockets[0].getsockname()[:2]
            self.address = Address(host, port)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="busctl-proxy-")
            self.address = Address(self._folder.name, self._upstream.port)
            self._server = await asyncio.start_unix_server(
                self._accept, self.address.unix_path, limit=READ_BYTES
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)
        if self._folder is not None:
            self._folder.cleanup()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._join(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        await asyncio.wait([line])

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection until either side ends it."""
        there, to_there = await self._connect()
        heard = True

        def client_spoke() -> None:
            nonlocal heard
            self.round_trips += heard
            heard = False

        def server_spoke() -> None:
            nonlocal heard
            heard = True

        ways = [
            asyncio.ensure_future(self._carry(reader, to_there, client_spoke)),
            asyncio.ensure_future(self._carry(there, writer, server_spoke)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            to_there.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = self._upstream.unix_path
        if path is not None:
            return await asyncio.open_unix_connection(path, limit=READ_BYTES)
        return await asyncio.open_connection(
            self._upstream.host, self._upstream.port, limit=READ_BYTES
        )

    async def _carry(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, spoke: Callable[[], None]
    ) -> None:
        """One direction until its end: bytes are stamped as they come, written when due."""
        loop = asyncio.get_running_loop()
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT_READS)

        async def read() -> None:
            while piece := await source.read(READ_BYTES):
                spoke()
                await line.put((loop.time() + self._delay, piece))
            await line.put((loop.time() + self._delay, b""))

        reading = asyncio.ensure_future(read())
        try:
            while True:
                due, piece = await line.get()
                if (early := due - loop.time()) > 0:
                    await asyncio.sleep(early)
                if not piece:
                    return
                target.write(piece)
                await target.drain()
        finally:
            reading.cancel()
