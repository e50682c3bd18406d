"""A way to a real PostgreSQL that tests can shut: the store is away, and comes back."""

from __future__ import annotations

import asyncio
import gc
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import make_conninfo

from busctl.adapters.postgres.proxied import address_of

PORT = 5432

LOOSE_ENDS = [
    pytest.mark.filterwarnings(
        f"ignore:Exception ignored in.*{place}:pytest.PytestUnraisableExceptionWarning"
    )
    for place in (
        "_SelectorTransport.__del__",
        "StreamWriter.__del__",
        "laddr=.*/.s.PGSQL.5432",
    )
]
"""For modules that shut a gate: a line that is cut in the middle of being taken is collected
unclosed now and then. It is the gate's own, in this process; the daemon runs in another."""


class Gate:
    """Forwards a Unix socket to the server's own address, in a thread of its own. Shut, it refuses
    and cuts all lines; stalled, it takes lines and carries nothing. `dsn` leads through it."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._upstream = address_of(dsn)
        self._path = folder / f".s.PGSQL.{PORT}"
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._moving = asyncio.Event()
        self._moving.set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.dsn = make_conninfo(dsn, host=str(folder), port=PORT)

    def open(self) -> None:
        self._do(self._open())

    def shut(self) -> None:
        self._do(self._shut())

    def stall(self) -> None:
        self._loop.call_soon_threadsafe(self._moving.clear)

    def end(self) -> None:
        self.shut()
        self._do(self._settled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        # Here, where it is expected, and not in the test of another module that comes next.
        gc.collect()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _open(self) -> None:
        self._moving.set()
        if self._server is None:
            self._path.unlink(missing_ok=True)
            self._server = await asyncio.start_unix_server(self._accept, self._path)
            self._path.chmod(0o777)

    async def _shut(self) -> None:
        self._moving.set()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._path.unlink(missing_ok=True)
        for line in self._lines:
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _settled(self) -> None:
        """What came in just before is let go too; what was aborted is closed in the next turns."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        await asyncio.sleep(0.05)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None:  # it was taken just before we shut
            writer.transport.abort()
            return
        line = asyncio.ensure_future(self._join(reader, writer))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        try:
            await asyncio.wait([line])
        finally:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = self._upstream.unix_path
        there, to_there = await (
            asyncio.open_connection(self._upstream.host, self._upstream.port)
            if path is None  # a pooler's
            else asyncio.open_unix_connection(path)
        )
        ways = [
            asyncio.ensure_future(self._carry(reader, to_there)),
            asyncio.ensure_future(self._carry(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_there.transport.abort()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(1 << 16):
            await self._moving.wait()
            target.write(piece)
            await target.drain()


@contextmanager
def gate_to(dsn: str) -> Iterator[Gate]:
    """An open gate to that database."""
    with tempfile.TemporaryDirectory(prefix="busctl-gate-") as folder:
        Path(folder).chmod(0o755)
        gate = Gate(dsn, Path(folder))
        gate.open()
        try:
            yield gate
        finally:
            gate.end()
