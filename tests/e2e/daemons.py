"""Real daemons in processes of their own, and a bare WebSocket client to talk to them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import CloseCode

from tests.forks.client import Forked

TOKEN = "test-token-0123456789"
TOOLS = "tests.e2e.daemon_tools:tools"
ROOT = Path(__file__).parents[2]
START_SECS = 30.0


@dataclass
class Running:
    """A daemon that serves. `log` is what it has written to stderr."""

    process: subprocess.Popen[bytes]
    folder: Path
    url: str
    port: int

    @property
    def log(self) -> str:
        return (self.folder / "stderr").read_text(errors="replace")

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


def environment(dsn: str, **settings: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept, "DATABASE_URL": dsn, "BUSCTL_TOKEN": TOKEN, "BUSCTL_PORT": "0",
        "PYTHONPATH": str(ROOT), "BUSCTL_TOOLS": TOOLS, **settings,
    }  # fmt: skip


def spawn(folder: Path, env: dict[str, str], *options: str) -> subprocess.Popen[bytes]:
    with (folder / "stderr").open("wb") as stderr:
        return Forked(
            ["serve", "--ready-file", str(folder / "ready.json"), *options],
            env=env, cwd=folder, stderr=stderr, stdout=subprocess.DEVNULL,
        )  # fmt: skip


def wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> Running:
    ready = folder / "ready.json"
    deadline = time.monotonic() + START_SECS
    while not ready.exists():
        assert process.poll() is None, (folder / "stderr").read_text()
        assert time.monotonic() < deadline, "the daemon did not get ready"
        time.sleep(0.02)
    place = json.loads(ready.read_text())
    return Running(process, folder, place["url"], place["port"])


@contextmanager
def daemon(dsn: str, *options: str, **settings: str) -> Iterator[Running]:
    """A daemon on that database, killed at the end if it lives still."""
    with tempfile.TemporaryDirectory(prefix="busctl-daemon-") as name:
        folder = Path(name)
        process = spawn(folder, environment(dsn, **settings), *options)
        try:
            yield wait_until_ready(process, folder)
        finally:
            process.kill()
            process.wait()


class Client:
    """Frames out and in; every op that comes is kept in order."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, op: str, **fields: Any) -> None:
        await self.connection.send(json.dumps({"op": op, **fields}))

    async def send(self, message: str | bytes) -> None:
        await self.connection.send(message)

    async def hear(self) -> Any:
        """The next frame: a dict, or bytes."""
        async with asyncio.timeout(30):
            message = await self.connection.recv()
        return message if isinstance(message, bytes) else json.loads(message)

    async def hear_op(self, op: str, request_id: str | None = None) -> dict[str, Any]:
        """The next frame of that op (of that request), others passed over."""
        while True:
            frame = await self.hear()
            if isinstance(frame, bytes) or frame["op"] != op:
                continue
            if request_id is None or frame.get("request_id") == request_id:
                return dict(frame)

    async def call(self, name: str, arguments: Any = None, **fields: Any) -> dict[str, Any]:
        """Call and return the call_tool_res; nothing else may be under way."""
        await self.say("call_tool", name=name, arguments=arguments or {}, **fields)
        return await self.hear_op("call_tool_res", fields.get("request_id"))

    async def fetch(self, transaction_id: str, **fields: Any) -> tuple[dict[str, Any], bytes]:
        """The fetch_res and the bytes, verified against fetch_end."""
        await self.say("fetch", request_id="fetch", transaction_id=transaction_id, **fields)
        opened = await self.hear_op("fetch_res", "fetch")
        if "error" in opened:
            return opened, b""
        found = bytearray()
        while isinstance(frame := await self.hear(), bytes):
            assert int.from_bytes(frame[16:24], "big") == opened["offset"] + len(found)
            found += frame[24:]
        assert frame == {
            "op": "fetch_end", "request_id": "fetch",
            "checksum": hashlib.sha256(found).hexdigest(),
        }  # fmt: skip
        return opened, bytes(found)

    async def closed(self) -> int:
        """Wait for the daemon to close; the code it gave."""
        async with asyncio.timeout(30):
            await self.connection.wait_closed()
        return self.connection.close_code or CloseCode.NO_STATUS_RCVD


@asynccontextmanager
async def raw(running: Running, **options: Any) -> AsyncIterator[Client]:
    """A connection on which nothing was said yet."""
    url = running.url.replace("http", "ws", 1) + "/"
    async with connect(url, max_size=None, compression=None, **options) as connection:
        yield Client(connection)


@asynccontextmanager
async def session(
    running: Running, *, accepts: tuple[str, ...] = ("claim",), **hello: Any
) -> AsyncIterator[Client]:
    """A session that was greeted."""
    async with raw(running) as client:
        await client.say("hello", token=TOKEN, accepts=list(accepts), **hello)
        greeted = await client.hear()
        assert greeted["ok"] is True, greeted
        yield client
