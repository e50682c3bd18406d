"""Reading on through the daemon: by both of its protocols, nothing of it stored, only one's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.bus_sql import connected, sql
from tests.e2e.daemons import Running, daemon, raw, session
from tests.e2e.mcp_clients import over_http
from tests.e2e.test_tokens import make

ERA = "auto"
LETTERS = 400_000


@pytest.fixture
def running(database: str, tmp_path: Path) -> Iterator[Running]:
    with daemon(database, BUSCTL_STATE_DIR=str(tmp_path / "state")) as started:
        yield started


async def messages(database: str) -> int:
    ((count,),) = await sql(database, "select count(*) from bus.message_bus")
    return int(count)


def text_of(answer: dict[str, Any]) -> str:
    return "\n".join(each["text"] for each in answer["outputs"])


async def test_a_client_of_the_dialect_reads_on(running: Running, database: str) -> None:
    async with session(running, accepts=("claim",)) as client:
        answer = await client.call("letters", {"count": LETTERS})
        chosen = answer["claim"]["transaction_id"]
        before = await messages(database)
        read = await client.call("bus_read", {"id": chosen, "offset": 1, "length": 6})
        assert read["stored"] is False
        assert "ééé" in text_of(read)
        assert "Bytes 0 to 6 of 800,000" in text_of(read)
        found = await client.call(
            "bus_search", {"id": chosen, "pattern": "é{4}", "max_matches": 1, "format": "json"},
            request_id="twice",
        )  # fmt: skip
        shape = json.loads(text_of(found))
        assert (shape["matches"], shape["more"], shape["next_offset"]) == (1, True, 8)
        again = await client.call(
            "bus_search", {"id": chosen, "pattern": "é{4}", "max_matches": 1, "format": "json"},
            request_id="twice",
        )  # fmt: skip
        assert again["outputs"] == found["outputs"]
        known = await client.call("bus_info", {"id": chosen, "format": "json"})
        assert json.loads(text_of(known))["size"] == 2 * LETTERS
        for name, arguments, code in (
            ("bus_search", {"id": chosen, "pattern": "("}, "INVALID_PATTERN"),
            ("bus_search", {"id": chosen, "pattern": "$.a", "kind": "jsonpath"}, "NOT_JSON"),
            ("bus_read", {"id": chosen, "offset": 10**9}, "INVALID_ARGUMENT"),
            ("bus_read", {"id": "019aab3c-7e20-7c3a-9d45-6f1b2c3d4e5f"}, "EXPIRED"),
            ("bus_read", {"id": "nonsense"}, "INVALID_ID"),
        ):
            refused = await client.call(name, arguments)
            assert refused["error"]["code"] == code
        assert await messages(database) == before


async def test_a_client_of_mcp_reads_on_where_its_answer_was_cut(
    running: Running, database: str
) -> None:
    async with over_http(running, ERA) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed["bus_read"].annotations.read_only_hint
        answer = await client.call_tool("letters", {"count": LETTERS})
        link = answer.content[1].uri
        before = await messages(database)
        part = await client.call_tool("bus_read", {"id": str(link), "offset": 4, "length": 10})
        said, text = (block.text for block in part.content)
        assert text == "é" * 5
        assert "go on with offset 14" in said
        found = await client.call_tool("bus_search", {"id": str(link), "pattern": "x"})
        assert found.content[0].text.startswith("No match")
        wrong = await client.call_tool("bus_search", {"id": str(link), "pattern": "(a)\\1"})
        assert wrong.is_error
        assert "RE2" in wrong.content[0].text
        assert await messages(database) == before


async def test_another_principal_reads_none_of_it(running: Running, database: str) -> None:
    async with connected(database) as bus:
        anna = await make(bus, "anna", "call,read")
    async with session(running, accepts=("claim",)) as client:
        answer = await client.call("letters", {"count": LETTERS})
        chosen = answer["claim"]["transaction_id"]
    async with raw(running) as client:
        await client.say("hello", token=anna.secret)
        assert (await client.hear())["ok"] is True
        for name, more in (("bus_read", {}), ("bus_search", {"pattern": "a"}), ("bus_info", {})):
            refused = await client.call(name, {"id": chosen, **more})
            assert refused["error"]["code"] == "DENIED"
