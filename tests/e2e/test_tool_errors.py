"""Answers that a tool itself calls errors, and results of several blocks, over the WebSocket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from busctl.adapters.websocket import BusClient
from busctl.core.content_type import MCP_RESULT
from tests.e2e.daemons import TOKEN, Running, daemon, session

pytestmark = pytest.mark.one_database

LARGE = 100_000


@pytest.fixture
def running(database: str) -> Iterator[Running]:
    with daemon(database) as started:
        yield started


async def test_a_small_error_is_told_in_full_and_stored_whole(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("refuse", {"words": "no such file"})
        error = answer["error"]
        assert (error["code"], error["message"]) == ("EXEC_ERROR", "no such file")
        opened, stored = await client.fetch(error["transaction_id"])
    assert stored == b"no such file"
    assert opened["message_type"] == "error"


async def test_a_large_error_is_told_by_its_id(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("refuse", {"words": "x", "times": LARGE})
        assert len(json.dumps(answer)) < 2_000
        assert f"{LARGE:,} bytes" in answer["error"]["message"]
        _, stored = await client.fetch(answer["error"]["transaction_id"])
    assert stored == b"x" * LARGE


async def test_a_repeat_is_told_the_same_error(running: Running) -> None:
    async with session(running, session_id="again") as client:
        first = await client.call("refuse", {"words": "never"}, request_id="one")
        assert await client.call("refuse", {"words": "never"}, request_id="one") == first
    assert first["error"]["message"] == "never"


async def test_an_error_of_several_blocks_is_told_by_its_texts(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("blocks", {"is_error": True})
        assert answer["error"]["message"] == "seen"


async def test_an_old_client_gets_an_output_for_each_block(running: Running) -> None:
    async with session(running, accepts=()) as client:
        answer = await client.call("blocks")
    assert answer["outputs"] == [
        {"type": "text", "text": "seen"},
        {"type": "blob", "data": "iVBORw0K", "mimeType": "image/png"},
    ]


@pytest.mark.parametrize("claims", [True, False])
async def test_our_own_client_gets_the_result_it_can_verify(running: Running, claims: bool) -> None:
    async with BusClient.connect(running.url, token=TOKEN, accepts_claims=claims) as client:
        answer = await client.call("blocks")
    assert answer.content_type == MCP_RESULT
    assert [block["type"] for block in json.loads(answer.payload)["content"]] == ["text", "image"]
