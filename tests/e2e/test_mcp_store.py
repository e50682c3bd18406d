"""What the gateway keeps, where, and for whom: with the store away, small answers left out, the
bus off."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from mcp.shared.exceptions import MCPError

from tests.adapters.bus_sql import sql
from tests.e2e.daemons import TOKEN, daemon
from tests.e2e.mcp_clients import over_http
from tests.e2e.test_daemon_fallback import is_away, is_drained, settings
from tests.e2e.test_tokens import busctl
from tests.gate import LOOSE_ENDS, gate_to

pytestmark = LOOSE_ENDS

COUNT = "select count(*) from bus.message_bus"


async def test_with_the_store_away_answers_pass_and_are_redeemed(
    database: str, tmp_path: Path
) -> None:
    with gate_to(database) as gate, daemon(gate.dsn, **settings(tmp_path)) as running:
        async with over_http(running, "legacy") as client:
            gate.shut()
            await is_away(running)
            small = await client.call_tool("text", {"value": "small"})
            assert small.content[0].text == "small"
            large = await client.call_tool("letters", {"count": 50_000})
            assert large.content[1].size == 100_000
            streamed = await client.call_tool("stream", {"pieces": 30, "piece_bytes": 100_000})
            assert streamed.content[1].size == 3_000_000
            read = await client.read_resource(large.content[1].uri)
            assert read.contents[0].text == "é" * 50_000
            gate.open()
            await is_drained(tmp_path)
            with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "other")) as other:
                async with over_http(other, "auto") as elsewhere:
                    again = await elsewhere.read_resource(large.content[1].uri)
                    assert again.contents[0].text == read.contents[0].text
    assert await sql(database, COUNT) == [(3,)]


async def test_small_answers_may_be_left_out(database: str, tmp_path: Path) -> None:
    chosen = {
        "MESSAGE_BUS_MCP_STORE_SMALL": "false", "MESSAGE_BUS_MCP_INLINE_MAX_BYTES": "100",
        "BUSCTL_STATE_DIR": str(tmp_path),
    }  # fmt: skip
    with daemon(database, **chosen) as running:
        async with over_http(running, "auto") as client:
            small = await client.call_tool("text", {"value": "s" * 100})
            assert small.content[0].text == "s" * 100
            assert await sql(database, COUNT) == [(0,)]
            large = await client.call_tool("text", {"value": "s" * 101})
            assert large.content[1].size == 101
            failed = await client.call_tool("fail", {"words": "no"})
            assert failed.is_error
    assert await sql(database, COUNT) == [(2,)]


async def test_with_the_bus_switched_off_all_pass_whole(database: str, tmp_path: Path) -> None:
    chosen = {"MESSAGE_BUS_ENABLED": "false", "BUSCTL_STATE_DIR": str(tmp_path)}
    with daemon(database, **chosen) as running:
        async with over_http(running, "auto") as client:
            large = await client.call_tool("letters", {"count": 50_000})
            assert [block.text for block in large.content] == ["é" * 50_000]
            with pytest.raises(MCPError, match="switched off"):
                await client.read_resource("bus://01a21c7d-9ad0-7901-af8e-c3a78895d4a5")
    assert await sql(database, COUNT) == [(0,)]


async def test_a_session_is_its_principals(database: str, tmp_path: Path) -> None:
    words = ("token", "create", "--principal", "eve", "--scope", "call,read", "--json")
    eve = json.loads(busctl(database, *words).stdout)["token"]
    headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}

    def post(token: str, body: dict[str, object], **more: str) -> tuple[int, str | None]:
        request = urllib.request.Request(
            f"{url}/mcp", data=json.dumps(body).encode(),
            headers={**headers, "Authorization": f"Bearer {token}", **more},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, response.headers["mcp-session-id"]
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None

    client = {"name": "test", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path)) as running:
        url = running.url
        status, session = await asyncio.to_thread(post, TOKEN, body)
        assert status == 200
        assert session
        for token, expected in ((TOKEN, 200), (eve, 404)):
            found, _ = await asyncio.to_thread(post, token, ping, **{"Mcp-Session-Id": session})
            assert found == expected
