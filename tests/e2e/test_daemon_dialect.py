"""The WebSocket dialect: recorded frames replayed, and frames that no client should send."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from busctl.adapters import embedded
from busctl.core.ids import parse_id
from tests.conftest import make_database
from tests.e2e.daemons import TOKEN, Client, Running, daemon, raw, session

RECORDED = Path(__file__).parent / "data" / "dialect.jsonl"
_PLACEHOLDER = re.compile(r"\$([A-Z]+)(?:=(\w+))?")


@pytest.fixture(scope="module")
def running(server: embedded.Server) -> Iterator[Running]:
    """One daemon for all of these tests: none of them may disturb it for the others."""
    dsn = asyncio.run(make_database(server, f"dialect_{os.getpid()}"))
    with daemon(dsn, BUSCTL_MAX_MESSAGE_BYTES="100000") as started:
        yield started


@pytest.fixture
async def client(running: Running) -> AsyncIterator[Client]:
    async with session(running) as greeted:
        yield greeted


def recorded() -> dict[str, list[dict[str, Any]]]:
    """The steps of each recorded session by its name."""
    sessions: dict[str, list[dict[str, Any]]] = {}
    steps: list[dict[str, Any]] = []
    for line in RECORDED.read_text().splitlines():
        step = json.loads(line)
        if "session" in step:
            steps = sessions[step["session"]] = []
        else:
            steps.append(step)
    return sessions


class Memory:
    """Values that placeholders have met: `$ID=name` keeps one, `$name` asks for it again."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {"TOKEN": TOKEN}

    def fill(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self.fill(one) for key, one in value.items()}
        if isinstance(value, str) and value.startswith("$"):
            return self.kept[value[1:]]
        return value

    def check(self, expected: Any, found: Any, where: str = "frame") -> None:
        if isinstance(expected, dict):
            assert isinstance(found, dict), where
            assert set(expected) == set(found), f"{where}: {found}"
            for key, one in expected.items():
                self.check(one, found[key], f"{where}.{key}")
        elif isinstance(expected, list):
            assert isinstance(found, list) and len(found) == len(expected), where
            for place, one in enumerate(expected):
                self.check(one, found[place], f"{where}[{place}]")
        elif isinstance(expected, str) and expected.startswith("$"):
            self._check_placeholder(expected, found, where)
        else:
            assert found == expected, where

    def _check_placeholder(self, expected: str, found: Any, where: str) -> None:
        match = _PLACEHOLDER.fullmatch(expected)
        if match is None:
            assert found == self.kept[expected[1:]], where
            return
        kind, name = match.groups()
        assert _KINDS[kind](found), f"{where}: {found!r} is no {kind}"
        if name:
            self.kept[name] = found


_KINDS = {
    "TEXT": lambda value: isinstance(value, str) and value != "",
    "NUMBER": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "HEX": lambda value: re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    "ID": lambda value: parse_id(value) is not None,
    "LIST": lambda value: isinstance(value, list) and value != [],
}


@pytest.mark.parametrize("name", list(recorded()))
async def test_recorded_frames_are_answered_as_recorded(running: Running, name: str) -> None:
    memory = Memory()
    async with raw(running) as client:
        for step in recorded()[name]:
            match step:
                case {"send": frame}:
                    await client.send(json.dumps(memory.fill(frame)))
                case {"expect": frame}:
                    memory.check(frame, await client.hear())
                case {"expect_part": part}:
                    part = memory.fill(part)
                    assert await client.hear() == (
                        parse_id(part["transaction_id"]).bytes
                        + part["offset"].to_bytes(8, "big")
                        + bytes.fromhex(part["raw_hex"])
                    )
                case {"expect_close": code}:
                    assert await client.closed() == code
    assert "Traceback" not in running.log


BAD_FRAMES: dict[str, str | bytes] = {
    "not JSON": "{",
    "empty": "",
    "a number": "1",
    "a list": "[]",
    "null": "null",
    "NaN": '{"op": NaN}',
    "no op": "{}",
    "op of another type": '{"op": 1}',
    "unknown op": '{"op": "bogus"}',
    "nested too deeply": "[" * 50_000,
    "arguments nested too deeply": '{"op": "call_tool", "name": "text", "arguments": {"a": '
    + "[" * 900
    + "]" * 900
    + "}}",
    "a huge number": '{"op": "fetch", "offset": ' + "9" * 5000 + "}",
    "second hello": json.dumps({"op": "hello", "token": TOKEN}),
    "name missing": '{"op": "call_tool"}',
    "name of another type": '{"op": "call_tool", "name": ["text"]}',
    "name too long": json.dumps({"op": "call_tool", "name": "x" * 300}),
    "arguments of another type": '{"op": "call_tool", "name": "text", "arguments": []}',
    "request_id of another type": '{"op": "call_tool", "name": "text", "request_id": 7}',
    "request_id empty": '{"op": "call_tool", "name": "text", "request_id": ""}',
    "request_id with NUL": '{"op": "call_tool", "name": "text", "request_id": "a\\u0000"}',
    "request_id with half a pair": '{"op": "call_tool", "name": "text", "request_id": "\\ud800"}',
    "fetch without request_id": '{"op": "fetch", "transaction_id": "x"}',
    "rotate_token without new": '{"op": "rotate_token", "old": "x"}',
    "binary": b"\x00\x01",
    "empty binary": b"",
}


@pytest.mark.parametrize("bad", BAD_FRAMES.values(), ids=list(BAD_FRAMES))
async def test_a_bad_frame_is_refused_and_the_session_lives_on(
    client: Client, running: Running, bad: str | bytes
) -> None:
    await client.send(bad)
    refused = await client.hear()
    if refused["op"] == "call_tool_ack":  # 900 levels are read on some Pythons
        refused = await client.hear()
        assert refused["error"]["code"] == "EXEC_ERROR"
    else:
        assert refused["op"] == "error"
        assert refused["message"]
    answer = await client.call("text", {"value": "still here"})
    assert answer["outputs"] == [{"type": "text", "text": "still here"}]
    assert "Traceback" not in running.log


BAD_FETCHES = {
    "no id": {"transaction_id": "nonsense"},
    "not a version 7 id": {"transaction_id": "00000000-0000-4000-8000-000000000000"},
    "negative offset": {"transaction_id": "$ID", "offset": -1},
    "length of another type": {"transaction_id": "$ID", "length": "all"},
    "boolean offset": {"transaction_id": "$ID", "offset": True},
}


@pytest.mark.parametrize("bad", BAD_FETCHES.values(), ids=list(BAD_FETCHES))
async def test_a_bad_fetch_is_answered_with_its_request_id(
    client: Client, bad: dict[str, Any]
) -> None:
    kept = await client.call("text", {"value": "x"})
    if bad["transaction_id"] == "$ID":
        bad = {**bad, "transaction_id": kept["transaction_id"]}
    await client.say("fetch", request_id="f", **bad)
    refused = await client.hear()
    assert refused["op"] == "fetch_res"
    assert refused["request_id"] == "f"
    assert refused["error"]["code"] in ("INVALID_ID", "PROTOCOL")


async def test_a_fetch_of_what_never_was_names_the_id(client: Client, running: Running) -> None:
    kept = await client.call("text", {"value": "x"})
    wrong = kept["transaction_id"][:-4] + "0000"
    opened, _ = await client.fetch(wrong)
    assert opened["error"]["code"] == "MISSING"
    assert opened["error"]["transaction_id"] == wrong


BAD_HELLOS = {
    "not JSON": "hello",
    "not hello": '{"op": "list_tools"}',
    "token of another type": '{"op": "hello", "token": 5}',
    "accepts of another type": json.dumps({"op": "hello", "token": TOKEN, "accepts": "claim"}),
    "negative limit": json.dumps({"op": "hello", "token": TOKEN, "max_message_bytes": -5}),
    "session_id with NUL": json.dumps({"op": "hello", "token": TOKEN, "session_id": "\0"}),
    "binary": b"hello",
}


@pytest.mark.parametrize("bad", BAD_HELLOS.values(), ids=list(BAD_HELLOS))
async def test_a_bad_hello_closes_4000(running: Running, bad: str | bytes) -> None:
    async with raw(running) as client:
        await client.send(bad)
        assert (await client.hear())["ok"] is False
        assert await client.closed() == 4000


async def test_no_hello_closes_4002(database: str) -> None:
    with daemon(database, BUSCTL_HELLO_TIMEOUT_SECS="0.2") as running:
        async with raw(running) as client:
            assert await client.closed() == 4002


async def test_an_oversized_frame_closes_1009_and_disturbs_nobody(
    client: Client, running: Running
) -> None:
    async with session(running) as other:
        await other.send(json.dumps({"op": "health", "padding": "x" * 100_000}))
        assert await other.closed() == 1009
    answer = await client.call("text", {"value": "undisturbed"})
    assert answer["outputs"][0]["text"] == "undisturbed"
    assert "Traceback" not in running.log


async def test_text_that_is_not_utf8_closes_1007_without_a_traceback(
    client: Client, running: Running
) -> None:
    async with session(running) as other:
        await other.connection.send(b"\xff\xfe", text=True)
        assert await other.closed() == 1007
    assert "outputs" in await client.call("text", {"value": "x"})
    assert "Traceback" not in running.log


async def test_calls_and_fetches_interleave_on_one_socket(
    client: Client, running: Running, tmp_path: Path
) -> None:
    big = await client.call("blob", {"size_bytes": 5_000_000})
    claim = big["claim"]["transaction_id"]
    gate = tmp_path / "gate"
    await client.say("call_tool", name="wait_for", arguments={"path": str(gate)}, request_id="w")
    await client.say("fetch", request_id="f0", transaction_id=claim)
    await client.say("fetch", request_id="f1", transaction_id=claim, offset=4_999_000)
    await client.say("call_tool", name="text", arguments={"value": "quick"}, request_id="q")
    ended: set[str] = set()
    received = 0
    while not {"f0", "f1", "q"} <= ended:
        frame = await client.hear()
        if isinstance(frame, bytes):
            received += len(frame) - 24
        elif frame["op"] in ("fetch_end", "call_tool_res"):
            assert "error" not in frame
            ended.add(frame["request_id"])
    assert received == 5_000_000 + 1_000
    assert "w" not in ended
    gate.write_text("open")
    assert (await client.hear_op("call_tool_res", "w"))["outputs"][0]["text"] == "open"


async def test_a_streamed_answer_is_stored_and_claimed(client: Client) -> None:
    answer = await client.call("stream", {"pieces": 30, "piece_bytes": 100_000})
    _, payload = await client.fetch(answer["claim"]["transaction_id"])
    assert payload == b"".join(bytes([index]) * 100_000 for index in range(30))


async def test_a_streamed_answer_goes_out_whole_to_a_client_without_claims(
    running: Running,
) -> None:
    async with session(running, accepts=()) as client:
        answer = await client.call("letters", {"count": 1_000_000})
        assert answer["outputs"] == [{"type": "text", "text": "é" * 1_000_000}]


async def test_progress_comes_with_the_tools_note(database: str, tmp_path: Path) -> None:
    with daemon(database, BUSCTL_PROGRESS_INTERVAL_SECS="0.1") as running:
        async with session(running) as client:
            await client.say("call_tool", name="surrogate_note", request_id="p")
            notes = []
            while (frame := await client.hear())["op"] != "call_tool_res":
                if frame["op"] == "progress":
                    assert frame["request_id"] == "p"
                    assert frame["name"] == "surrogate_note"
                    notes.append(frame["note"])
            assert "half \N{REPLACEMENT CHARACTER} a pair" in notes


async def test_hosts_and_origins_of_others_are_refused(running: Running) -> None:
    from websockets.exceptions import InvalidStatus

    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with raw(running, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403
    async with AsyncExitStack() as stack:
        own = {"Origin": f"http://localhost:{running.port}"}
        await stack.enter_async_context(raw(running, additional_headers=own))
