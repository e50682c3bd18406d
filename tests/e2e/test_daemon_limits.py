"""How much at once, how long, and what is told when it is too much."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.daemons import daemon, session

LIMITS = [
    ("BUSCTL_MAX_INFLIGHT", ("a", "b")),
    ("BUSCTL_MAX_INFLIGHT_PER_PROVIDER", ("a", "b")),
    ("BUSCTL_MAX_INFLIGHT_PER_SESSION", ("a", "a")),
]


@pytest.mark.parametrize(("limit", "names"), LIMITS, ids=[name for name, _ in LIMITS])
async def test_a_call_over_a_limit_is_refused_and_the_limit_is_freed(
    database: str, tmp_path: Path, limit: str, names: tuple[str, str]
) -> None:
    gate = tmp_path / "gate"
    with daemon(database, **{limit: "1"}) as running:
        async with (
            session(running, session_id=names[0]) as one,
            session(running, session_id=names[1]) as two,
        ):
            await one.say("call_tool", name="wait_for", arguments={"path": str(gate)})
            await one.hear_op("call_tool_ack")
            await two.say("call_tool", name="text", arguments={"value": "x"})
            ack, result = await two.hear(), await two.hear()
            assert ack["accepted"] is False
            assert result["error"]["code"] == "OVER_CAPACITY"
            assert limit in result["error"]["message"]
            assert result["error"]["retry_after"] > 0
            gate.write_text("open")
            await one.hear_op("call_tool_res")
            assert "outputs" in await two.call("text", {"value": "x"})


async def test_the_session_limit_leaves_other_sessions_alone(database: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with daemon(database, BUSCTL_MAX_INFLIGHT_PER_SESSION="1") as running:
        async with session(running) as one, session(running) as two:
            await one.say("call_tool", name="wait_for", arguments={"path": str(gate)})
            await one.hear_op("call_tool_ack")
            assert "outputs" in await two.call("text", {"value": "x"})
            gate.write_text("open")
            await one.hear_op("call_tool_res")


async def test_joined_requests_are_bounded_too(database: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with daemon(database, BUSCTL_MAX_INFLIGHT_PER_SESSION="1") as running:
        async with session(running) as client:
            call = {"name": "wait_for", "arguments": {"path": str(gate)}, "request_id": "same"}
            for _ in range(20):
                await client.say("call_tool", **call)
            accepted = [(await client.hear_op("call_tool_ack"))["accepted"] for _ in range(20)]
            assert accepted == [True] * 4 + [False] * 16
            gate.write_text("open")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("hang", {"seconds": 60}), ("wait_for", {"path": "/nowhere/at/all"})],
    ids=["sync", "async"],
)
async def test_a_call_that_takes_too_long_is_ended_and_stored(
    database: str, tool: str, arguments: dict[str, object]
) -> None:
    with daemon(database, BUSCTL_CALL_TIMEOUT_SECS="0.3") as running:
        async with session(running) as client:
            answer = await client.call(tool, arguments)
            assert answer["error"]["code"] == "TIMEOUT"
            stored, _ = await client.fetch(answer["error"]["transaction_id"])
            assert stored["message_type"] == "error"
        assert running.stop() == 0


async def test_an_answer_over_the_maximum_is_too_large(database: str) -> None:
    with daemon(database, MESSAGE_BUS_MAX_PAYLOAD_MB="1") as running:
        async with session(running) as client:
            answer = await client.call("blob", {"size_bytes": 1_000_001})
            assert answer["error"]["code"] == "TOO_LARGE"
            answer = await client.call("stream", {"pieces": 11, "piece_bytes": 100_000})
            assert answer["error"]["code"] == "TOO_LARGE"
            answer = await client.call("blob", {"size_bytes": 1_000_000})
            assert answer["claim"]["payload_size_bytes"] == 1_000_000
