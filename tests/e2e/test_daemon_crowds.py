"""Clients that are many, fast, slow, or take nothing: each is bounded, others are served."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode

from busctl.adapters import embedded
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from tests.conftest import make_database
from tests.e2e.daemons import TOKEN, Running, daemon, raw, session

LIMITS = {
    "BUSCTL_MAX_SESSIONS": "4",
    "BUSCTL_MAX_REDEMPTIONS": "2",
    "BUSCTL_MAX_CALLS_PER_SEC": "5",
    "BUSCTL_MAX_FRAMES_PER_SEC": "50",
    "BUSCTL_HELLO_TIMEOUT_SECS": "1",
    "BUSCTL_STALL_TIMEOUT_SECS": "2",
}


@pytest.fixture(scope="module")
def crowd_dsn(server: embedded.Server) -> str:
    return asyncio.run(make_database(server, f"crowds_{os.getpid()}"))


@pytest.fixture(scope="module")
def running(crowd_dsn: str) -> Iterator[Running]:
    with daemon(crowd_dsn, **LIMITS) as started:
        yield started


def opened(running: Running, *, buffer: int | None = None) -> socket.socket:
    """A TCP connection, with a small receive buffer if wanted."""
    plain = socket.socket()
    if buffer is not None:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    plain.settimeout(15)
    plain.connect(("127.0.0.1", running.port))
    return plain


def ended(plain: socket.socket) -> bytes:
    """What comes until the other side ends the connection."""
    found = b""
    try:
        while piece := plain.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


async def test_sessions_over_the_limit_are_told_to_come_again(running: Running) -> None:
    async with session(running), session(running), session(running), session(running) as last:
        with pytest.raises(InvalidStatus) as refused:
            async with raw(running):
                pass
        reply = refused.value.response
        assert reply.status_code == 503
        assert int(reply.headers["Retry-After"]) > 0
        error = json.loads(reply.body or b"")["error"]
        assert error["code"] == "OVER_CAPACITY"
        assert "BUSCTL_MAX_SESSIONS" in error["message"]
        assert "outputs" in await last.call("text", {"value": "x"})
    async with session(running) as again:
        assert "outputs" in await again.call("text", {"value": "x"})


async def test_redemptions_over_the_limit_are_503(running: Running, crowd_dsn: str) -> None:
    async with Bus.connect(Settings(database_url=crowd_dsn)) as bus:
        claim = await bus.put(os.urandom(30_000_000))
    head = f"GET /messages/{claim.transaction_id} HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    slow = [opened(running, buffer=4096) for _ in range(2)]
    for one in slow:
        one.sendall(head.encode())
        assert (await asyncio.to_thread(one.recv, 12)).startswith(b"HTTP/1.1 200")
    with opened(running) as third:
        third.sendall(head.encode())
        refused = await asyncio.to_thread(ended, third)
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"retry-after: " in refused.lower()
    assert b"OVER_CAPACITY" in refused
    # They take nothing: the kernel ends them, and their places are free again.
    deadline = time.monotonic() + 20
    while True:
        with opened(running) as again:
            again.sendall(head.encode())
            if (await asyncio.to_thread(ended, again)).startswith(b"HTTP/1.1 200"):
                break
        assert time.monotonic() < deadline, "a client that takes nothing holds its place"
        await asyncio.sleep(0.2)
    for one in slow:
        one.close()


@pytest.mark.parametrize(
    ("beginning", "drip"),
    [
        (b"", b""),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"x"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", b"x"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", b""),
    ],
    ids=["nothing", "head", "body", "body-of-a-post", "idle"],
)
async def test_who_sends_slowly_is_ended(running: Running, beginning: bytes, drip: bytes) -> None:
    with opened(running) as plain:
        plain.sendall(beginning)
        ending = asyncio.ensure_future(asyncio.to_thread(ended, plain))
        for _ in range(150):
            if (await asyncio.wait([ending], timeout=0.1))[0]:
                break
            if drip:
                try:
                    plain.sendall(drip)
                except OSError:
                    break
        async with asyncio.timeout(5):
            await ending


async def test_calls_over_the_rate_are_refused_and_frames_wait(running: Running) -> None:
    async with session(running) as client:
        for number in range(10):
            await client.say("call_tool", name="text", arguments={"value": "x"},
                             request_id=str(number))  # fmt: skip
        results = [await client.hear_op("call_tool_res") for _ in range(10)]
        refused = [one["error"] for one in results if "error" in one]
        assert 4 <= len(refused) <= 5
        for error in refused:
            assert error["code"] == "OVER_CAPACITY"
            assert "BUSCTL_MAX_CALLS_PER_SEC" in error["message"]
            assert 0 < error["retry_after"] <= 0.2
        await asyncio.sleep(0.3)
        assert "outputs" in await client.call("text", {"value": "x"})
        began = time.monotonic()
        for _ in range(120):
            await client.say("list_tools")
        for _ in range(120):
            await client.hear_op("list_tools_res")
        assert time.monotonic() - began > 0.9  # 120 frames, 50 of them ahead, 50 a second


async def test_strangers_may_not_send_much(running: Running) -> None:
    async with raw(running) as client:
        await client.send(json.dumps({"op": "hello", "token": "x" * 1_100_000}))
        assert await client.closed() == 1009
    async with session(running) as client:
        answer = await client.call("text", {"value": "x" * 2_000_000})
        assert answer["claim"]["payload_size_bytes"] == 2_000_000


async def test_a_message_in_very_many_pieces_is_refused(running: Running) -> None:
    def pieces() -> Iterator[str]:
        for _ in range(5000):
            yield "x"

    async with session(running) as client:
        with suppress(ConnectionClosed):  # in the midst of sending, or after it
            await client.connection.send(pieces())
        # A reset may overtake the close frame: the daemon does not read what still comes.
        assert await client.closed() in (1009, CloseCode.ABNORMAL_CLOSURE)


async def test_pings_of_who_reads_nothing_do_not_pile_up(running: Running) -> None:
    url = running.url.replace("http", "ws", 1) + "/"
    async with connect(url, compression=None, ping_interval=None) as connection:
        await connection.send(json.dumps({"op": "hello", "token": TOKEN}))
        await connection.recv()
        before = resident(running)
        plain: Any = connection.transport.get_extra_info("socket")
        transport = connection.transport
        transport.pause_reading()
        ping = b"\x89\xfd" + b"\0\0\0\0" + b"p" * 125
        await asyncio.to_thread(flood, os.dup(plain.fileno()), ping * 500, 40_000_000)
        assert resident(running) - before < 20_000_000
        transport.abort()
    async with session(running) as client:
        assert "outputs" in await client.call("text", {"value": "x"})


def flood(descriptor: int, block: bytes, size: int) -> None:
    with socket.socket(fileno=descriptor) as plain:
        plain.settimeout(15)
        try:
            for _ in range(size // len(block)):
                plain.sendall(block)
        except OSError:
            return  # it was ended, which is as good


def resident(running: Running) -> int:
    statm = Path(f"/proc/{running.process.pid}/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * os.sysconf("SC_PAGE_SIZE")
