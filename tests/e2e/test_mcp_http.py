"""The gateway at /mcp, asked by the Python SDK's own client in both eras of the protocol."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from mcp.shared.exceptions import MCPError

from tests.adapters.bus_sql import sql
from tests.e2e.daemons import TOKEN, Running, daemon
from tests.e2e.mcp_clients import ERAS, over_http
from tests.e2e.test_tokens import busctl

pytestmark = [pytest.mark.one_database, pytest.mark.parametrize("era", ERAS)]


@pytest.fixture
def running(database: str, tmp_path: Path) -> Iterator[Running]:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as started:
        yield started


async def test_small_answers_are_told_whole(running: Running, era: str) -> None:
    async with over_http(running, era) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed["text"].input_schema["required"] == ["value"]
        answer = await client.call_tool("text", {"value": "héllo"})
        assert [block.text for block in answer.content] == ["héllo"]
        assert not answer.is_error
        structured = await client.call_tool("structured", {})
        assert structured.structured_content == {"b": 1, "a": [None, True, "\x00"]}
        shown = await client.call_tool("blocks", {})
        assert [block.type for block in shown.content] == ["text", "image"]
        assert shown.content[1].data == "iVBORw0K"


@pytest.mark.parametrize("tool", ["letters", "stream", "blob"])
async def test_a_large_answer_is_redeemed_by_its_link(
    running: Running, era: str, tool: str
) -> None:
    arguments = {
        "letters": {"count": 40_000}, "stream": {"pieces": 30, "piece_bytes": 100_000},
        "blob": {"size_bytes": 50_000},
    }  # fmt: skip
    payload = {
        "letters": "é".encode() * 40_000, "blob": bytes(at % 251 for at in range(50_000)),
        "stream": b"".join(bytes([at]) * 100_000 for at in range(30)),
    }[tool]  # fmt: skip
    digest = hashlib.sha256(payload).hexdigest()
    async with over_http(running, era) as client:
        answer = await client.call_tool(tool, arguments[tool])
        text, link = answer.content
        assert link.size == len(payload)
        assert digest in text.text
        assert f"{len(payload):,} bytes" in text.text
        assert link.uri in text.text
        assert len(text.text) < 4_000
        contents = (await client.read_resource(link.uri)).contents
        assert len(contents) == 1
        found = (
            base64.b64decode(contents[0].blob)
            if hasattr(contents[0], "blob")
            else contents[0].text.encode()
        )
        assert hashlib.sha256(found).hexdigest() == digest
        assert hasattr(contents[0], "text") == (tool == "letters")
        # Clients bound an event at 1 MiB: who asks for progress gets one body all the same.
        again = await client.read_resource(link.uri, meta={"progressToken": "how far"})
        assert again.contents == contents


async def test_errors(running: Running, era: str) -> None:
    async with over_http(running, era) as client:
        failed = await client.call_tool("fail", {"words": "no luck"})
        assert failed.is_error
        assert "ValueError: no luck" in failed.content[0].text
        assert "bus://" in failed.content[0].text
        refused = await client.call_tool("refuse", {"words": "not today"})
        assert refused.is_error
        assert refused.content[0].text == "not today"
        long = await client.call_tool("refuse", {"words": "no! ", "times": 9_000})
        assert long.is_error
        assert long.content[1].size == 36_000
        wrong = await client.call_tool("text", {})
        assert wrong.is_error
        with pytest.raises(MCPError, match="There is no tool 'nothing'"):
            await client.call_tool("nothing", {})
        for uri in ("bus://nonsense", "bus://01a21c7d-9ad0-7901-af8e-c3a78895d4a5", "file:///x"):
            with pytest.raises(MCPError) as told:
                await client.read_resource(uri)
            assert told.value.code == (-32602 if era == "auto" else -32002)


async def test_fifty_calls_at_once(running: Running, era: str) -> None:
    async with over_http(running, era) as client:
        answers = await asyncio.gather(
            *(client.call_tool("text", {"value": f"{at} " * 20}) for at in range(50))
        )
    assert [one.content[0].text for one in answers] == [f"{at} " * 20 for at in range(50)]


async def test_progress_is_told(running: Running, era: str, tmp_path: Path) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))
        (tmp_path / "file").write_text("there")

    async with over_http(running, era) as client:
        answer = await client.call_tool(
            "wait_for", {"path": str(tmp_path / "file")}, progress_callback=hear
        )
    assert answer.content[0].text == "there"
    assert [message for _, _, message in told] == ["waiting for the file"]


async def test_a_cancelled_call_ends(running: Running, era: str, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    async with over_http(running, era) as client:
        arguments = {"path": str(tmp_path / "never"), "marker": str(marker)}
        calling = asyncio.create_task(client.call_tool("wait_for", arguments))
        while not marker.exists():
            await asyncio.sleep(0.02)
        calling.cancel()
        await asyncio.wait([calling])
        deadline = time.monotonic() + 20
        while not any(line.get("outcome") == "CANCELLED" for line in running.lines):
            assert time.monotonic() < deadline, running.log
            await asyncio.sleep(0.05)
        still = await client.call_tool("text", {"value": "well"})
        assert still.content[0].text == "well"


async def test_every_answer_is_stored_and_counted(
    running: Running, era: str, database: str
) -> None:
    async with over_http(running, era) as client:
        small = 700 + len(era)
        await client.call_tool("text", {"value": "s" * small})
        answer = await client.call_tool("letters", {"count": 30_000})
        await client.read_resource(answer.content[1].uri)
    query = "select count(*) from bus.message_bus where payload_size_bytes = %s"
    assert await sql(database, query, small) == [(1,)]
    chosen = answer.content[1].uri.removeprefix("bus://")
    deadline = time.monotonic() + 20
    query = "select retrieved_count from bus.message_bus where transaction_id = %s"
    while await sql(database, query, UUID(chosen)) != [(1,)]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_a_message_is_its_owners_on_every_daemon(
    running: Running, era: str, database: str, tmp_path: Path
) -> None:
    def made(name: str, scopes: str = "call,read") -> str:
        words = ("--principal", f"{name}-{era}", "--scope", scopes)
        done = busctl(database, "token", "create", *words, "--json")
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["token"])

    ann, ben, reader = made("ann"), made("ben"), made("rita", "read")
    state = str(tmp_path / "state")
    with daemon(database, BUSCTL_STATE_DIR=state) as other:
        async with over_http(running, era, token=ann) as client:
            link = (await client.call_tool("letters", {"count": 20_000})).content[1]
        async with over_http(other, era, token=ann) as client:
            contents = (await client.read_resource(link.uri)).contents
            assert contents[0].text == "é" * 20_000
        for place in (running, other):
            async with over_http(place, era, token=ben) as client:
                with pytest.raises(MCPError, match="another principal"):
                    await client.read_resource(link.uri)
            async with over_http(place, era) as client:
                await client.read_resource(link.uri)
        async with over_http(other, era, token=reader) as client:
            with pytest.raises(MCPError, match="lacks the scope call"):
                await client.call_tool("text", {"value": "x"})


async def test_who_shows_no_token_is_sent_away(running: Running, era: str) -> None:
    version = "2026-07-28" if era == "auto" else "2025-11-25"
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer nonsense"}, 401),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://evil.example"}, 403),
    ):
        request = urllib.request.Request(
            f"{running.url}/mcp", data=b"{}", method="POST",
            headers={"MCP-Protocol-Version": version, **headers},
        )  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=30)
        assert refused.value.code == status
        refused.value.close()
