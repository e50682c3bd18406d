"""The same request is never executed twice: repeats join it or get its stored answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.e2e.daemons import Client, Running, daemon, session


@pytest.fixture
def running(database: str) -> Iterator[Running]:
    with daemon(database) as started:
        yield started


@pytest.fixture
def second(database: str) -> Iterator[Running]:
    with daemon(database) as started:
        yield started


class Gate:
    """A call of `wait_for` that runs until `open`; `runs` counts how often it was begun."""

    def __init__(self, folder: Path) -> None:
        self.path, self.marker = folder / "gate", folder / "marker"

    @property
    def call(self) -> dict[str, Any]:
        arguments = {"path": str(self.path), "marker": str(self.marker)}
        return {"name": "wait_for", "arguments": arguments, "request_id": "same"}

    def open(self) -> None:
        self.path.write_text("opened")

    @property
    def runs(self) -> int:
        return len(self.marker.read_text().splitlines()) if self.marker.exists() else 0

    async def begun(self) -> None:
        while not self.runs:
            await asyncio.sleep(0.01)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate(tmp_path)


async def begin(client: Client, gate: Gate) -> None:
    await client.say("call_tool", **gate.call)
    assert (await client.hear_op("call_tool_ack"))["accepted"] is True
    await gate.begun()


async def change(dsn: str, query: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as admin:
        await admin.execute(query)


async def test_a_repeat_while_it_runs_joins_it(running: Running, gate: Gate) -> None:
    async with session(running, session_id="s") as one, session(running, session_id="s") as two:
        await begin(one, gate)
        await two.say("call_tool", **gate.call)
        assert (await two.hear_op("call_tool_ack"))["accepted"] is True
        gate.open()
        answers = [await client.hear_op("call_tool_res") for client in (one, two)]
        assert answers[0] == answers[1]
        assert answers[0]["outputs"][0]["text"] == "opened"
    assert gate.runs == 1


async def test_a_client_that_left_gets_the_answer_when_it_comes_back(
    running: Running, gate: Gate
) -> None:
    async with session(running, session_id="s") as client:
        await begin(client, gate)
    gate.open()
    async with session(running, session_id="s") as client:
        first = await client.call(**gate.call)
        again = await client.call(**gate.call)
    assert first["outputs"][0]["text"] == again["outputs"][0]["text"] == "opened"
    assert first["transaction_id"] == again["transaction_id"]
    assert gate.runs == 1


async def test_another_daemon_refuses_it_while_it_runs_and_tells_the_answer_afterwards(
    running: Running, second: Running, gate: Gate
) -> None:
    async with session(running, session_id="s") as one, session(second, session_id="s") as two:
        await begin(one, gate)
        refused = await two.call(**gate.call)
        assert refused["error"]["code"] == "DUPLICATE"
        assert refused["error"]["retry_after"] > 0
        gate.open()
        first = await one.hear_op("call_tool_res")
        again = await two.call(**gate.call)
        assert again == first
    assert gate.runs == 1


async def test_another_session_with_the_same_request_id_is_another_request(
    running: Running,
) -> None:
    async with session(running, session_id="a") as one, session(running, session_id="b") as two:
        first = await one.call("text", {"value": "1"}, request_id="same")
        other = await two.call("text", {"value": "2"}, request_id="same")
    assert first["outputs"][0]["text"] == "1"
    assert other["outputs"][0]["text"] == "2"


async def test_a_request_id_names_one_call(running: Running, gate: Gate) -> None:
    async with session(running, session_id="s") as client:
        await begin(client, gate)
        other = await client.call("text", {"value": "x"}, request_id="same")
        assert other["error"]["code"] == "DUPLICATE"
        gate.open()
        await client.hear_op("call_tool_res")
        for call in ({"name": "text", "arguments": {"value": "x"}}, {"name": "wait_for"}):
            other = await client.call(**call, request_id="same")
            assert other["error"]["code"] == "DUPLICATE"


async def test_a_stored_error_is_the_answer_of_a_repeat(running: Running) -> None:
    async with session(running, session_id="s") as client:
        first = await client.call("fail", {"words": "once"}, request_id="f")
        again = await client.call("fail", {"words": "once"}, request_id="f")
        assert "once" in first["error"]["message"]
        assert again["error"]["message"] == first["error"]["message"]
        assert again["error"]["transaction_id"] == first["error"]["transaction_id"]
        stored, payload = await client.fetch(first["error"]["transaction_id"])
        assert stored["message_type"] == "error"
        assert b"once" in payload


async def test_a_lease_that_ran_out_with_its_daemon_is_taken_over(
    database: str, running: Running, second: Running, gate: Gate
) -> None:
    async with session(running, session_id="s") as client:
        await begin(client, gate)
        running.process.kill()
        running.process.wait()
    async with session(second, session_id="s") as client:
        refused = await client.call(**gate.call)
        assert refused["error"]["code"] == "DUPLICATE"
        await change(database, "update bus.request set lease_until = now() - interval '1 s'")
        gate.open()
        answer = await client.call(**gate.call)
        assert answer["outputs"][0]["text"] == "opened"
    assert gate.runs == 2


async def test_an_answer_that_was_stored_but_not_told_is_not_made_again(
    database: str, running: Running, second: Running, gate: Gate
) -> None:
    gate.open()
    async with session(running, session_id="s") as client:
        first = await client.call(**gate.call)
    await change(
        database,
        "update bus.request set answered = false, lease_until = now() - interval '1 s'",
    )
    async with session(second, session_id="s") as client:
        assert await client.call(**gate.call) == first
    assert gate.runs == 1
