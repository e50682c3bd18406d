"""Each fault of the proxy is the fault it says, and is over when it is healed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest

from busctl.adapters.fault_proxy import FaultProxy, Line
from busctl.adapters.latency_proxy import Address
from busctl.adapters.postgres.proxied import address_of, through
from tests.conftest import direct

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echoing() -> AsyncIterator[FaultProxy]:
    """A proxy before a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    place = Address("127.0.0.1", server.sockets[0].getsockname()[1])
    async with FaultProxy(place, "opaque", seed=1) as proxy:
        yield proxy
    server.close()


@asynccontextmanager
async def connected(proxy: FaultProxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(proxy.address.host, proxy.address.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def said(streams: Streams, what: bytes) -> bytes:
    """What came back for it; b"" when the line was cut."""
    reader, writer = streams
    writer.write(what)
    try:
        async with asyncio.timeout(5):
            return await reader.readexactly(len(what))
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def is_silent(streams: Streams) -> bool:
    reader, writer = streams
    writer.write(b"anybody?")
    try:
        async with asyncio.timeout(0.1):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def test_dropped_lines_are_cut_and_new_ones_served() -> None:
    async with echoing() as proxy, connected(proxy) as before:
        assert await said(before, b"one") == b"one"
        proxy.drop()
        assert await said(before, b"two") == b""
        async with connected(proxy) as after:
            assert await said(after, b"three") == b"three"


async def test_a_cut_lasts_until_it_is_healed() -> None:
    async with echoing() as proxy, connected(proxy) as before:
        assert await said(before, b"one") == b"one"
        proxy.cut()
        assert await said(before, b"two") == b""
        async with connected(proxy) as meanwhile:
            assert await said(meanwhile, b"three") == b""
        proxy.heal()
        async with connected(proxy) as after:
            assert await said(after, b"four") == b"four"


async def test_a_stalled_line_carries_it_later() -> None:
    async with echoing() as proxy, connected(proxy) as line:
        assert await said(line, b"one") == b"one"
        proxy.stall()
        assert await is_silent(line)
        proxy.heal()
        assert await said(line, b"two") == b"anybody?two"[:3]


async def test_a_half_open_line_says_nothing_for_ever() -> None:
    async with echoing() as proxy, connected(proxy) as line:
        assert await said(line, b"one") == b"one"
        proxy.half_open()
        assert await is_silent(line)
        async with connected(proxy) as other:
            assert await said(other, b"two") == b"two"
        proxy.heal()
        assert await said(line, b"three") == b""


@pytest.mark.parametrize("share", [1.0, 0.0])
async def test_flipped_bits_are_one_in_a_large_message_of_one_side(share: float) -> None:
    """Whatever the share, the first one has its turn: a drill must not pass by chance."""
    async with echoing() as proxy, connected(proxy) as line:
        proxy.flip("server", share)
        sent = bytes(4096)
        got = await said(line, sent)
        assert len(got) == len(sent)
        assert sum(one.bit_count() for one in got) == proxy.flipped == 1
        assert await said(line, b"small") == b"small"
        proxy.heal()
        assert await said(line, sent) == sent


@pytest.mark.parametrize(("when", "committed"), [
    ("before", False), ("half", False), ("answered", True),
])  # fmt: skip
async def test_a_trap_meets_one_statement_where_it_says(
    database: str, when: Any, committed: bool
) -> None:
    own = direct(database)
    met: list[int] = []

    async def cut(line: Line) -> None:
        met.append(line.backend_pid)
        line.abort()

    with psycopg.connect(own, autocommit=True) as admin:
        admin.execute("create table public.met (n int)")
        async with FaultProxy(address_of(own), "postgres") as proxy:
            armed = proxy.arm("public.met", when, cut, skip=1)
            dsn = through(own, proxy.address)
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as line:
                await line.execute("insert into public.met values (%s)", [1])
                assert not armed.fired.is_set()
                await line.execute("select 1")
                pid = line.info.backend_pid
                with pytest.raises(psycopg.OperationalError):
                    await line.execute("insert into public.met values (%s)", [2])
                assert armed.fired.is_set()
                assert met == [pid]
            async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as after:
                await after.execute("insert into public.met values (%s)", [3])
        found = {row[0] for row in admin.execute("select n from public.met")}
        assert found == ({1, 2, 3} if committed else {1, 3})
