"""What one Python tool may take, where it says so itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemons import Running, daemon, session

pytestmark = pytest.mark.one_database

STREAM = 95_000_000


@pytest.fixture
def running(database: str) -> Iterator[Running]:
    with daemon(database) as started:
        yield started


@pytest.mark.parametrize(("name", "arguments"), [("short", {"seconds": 60}), ("dripping", {})])
async def test_its_time_ends_a_call(
    running: Running, name: str, arguments: dict[str, float]
) -> None:
    async with session(running) as client:
        await client.say("call_tool", name=name, arguments=arguments)
        assert (await client.hear_op("call_tool_ack"))["timeout"] == 0.3
        error = (await client.hear_op("call_tool_res"))["error"]
        assert (error["code"], "0.3 s" in error["message"]) == ("TIMEOUT", True)
        opened, _ = await client.fetch(error["transaction_id"])
        assert opened["message_type"] == "error"
        answer = await client.call("short", {"seconds": 0})
        assert answer["outputs"][0]["text"] == "in time"


async def test_no_more_calls_than_it_takes_run_at_once(running: Running, tmp_path: Path) -> None:
    gate = {"path": str(tmp_path / "gate")}
    async with session(running) as client:
        await client.say("call_tool", name="alone", arguments=gate, request_id="first")
        assert (await client.hear_op("call_tool_ack", "first"))["accepted"] is True
        refused = await client.call("alone", gate, request_id="second")
        assert refused["error"]["code"] == "OVER_CAPACITY"
        assert "'alone'" in refused["error"]["message"]
        assert (await client.call("text", {"value": "others run"}))["outputs"]
        Path(gate["path"]).touch()
        answer = await client.hear_op("call_tool_res", "first")
        assert answer["outputs"][0]["text"] == "alone"
        assert (await client.call("alone", gate))["outputs"][0]["text"] == "alone"


async def test_its_inline_limit_decides_how_an_answer_travels(running: Running) -> None:
    async with session(running) as client:
        assert (await client.call("brief", {"count": 10}))["outputs"][0]["text"] == "x" * 10
        answer = await client.call("brief", {"count": 11})
        _, payload = await client.fetch(answer["claim"]["transaction_id"])
        assert payload == b"x" * 11
    async with session(running, accepts=()) as client:
        assert (await client.call("brief", {"count": 11}))["outputs"][0]["text"] == "x" * 11


async def test_a_stream_is_stored_in_bounded_memory(running: Running) -> None:
    async with session(running) as client:
        await client.call("generate", {"size_bytes": 20_000_000, "kind": "random"})
        before = memory(running.process.pid, "VmRSS")
        Path(f"/proc/{running.process.pid}/clear_refs").write_text("5")  # the peak begins anew
        answer = await client.call("generate", {"size_bytes": STREAM, "kind": "random"})
        assert answer["claim"]["payload_size_bytes"] == STREAM
        grown = memory(running.process.pid, "VmHWM") - before
    assert grown < 40_000_000, f"{grown:,} bytes"


def memory(pid: int, field: str) -> int:
    """Bytes of memory that a process has, or has had at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith(f"{field}:")]
    return int(line.split()[1]) * 1024
