"""MCP servers behind a daemon, over the WebSocket dialect: real servers in own processes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from busctl.core.content_type import MCP_RESULT
from tests.e2e import daemons
from tests.e2e.daemons import Client, Running, session
from tests.upstream.config import old, program, write
from tests.upstream.old import LONE
from tests.upstream.quoting import quoting
from tests.upstream.server import image_of, text_of

pytestmark = pytest.mark.one_database

LARGE = 20_000_000
IMAGE = 5_000_000


def daemon(database: str, **settings: str) -> contextlib.AbstractContextManager[Running]:
    """A daemon without tools of its own that would be named like those of the server."""
    return daemons.daemon(database, **{"BUSCTL_TOOLS": "", **settings})


@pytest.fixture
def running(database: str, tmp_path: Path) -> Iterator[Running]:
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config) as started:
        yield started


async def names(client: Client) -> set[str]:
    await client.say("list_tools")
    return {tool["name"] for tool in (await client.hear_op("list_tools_res"))["tools"]}


async def whole(client: Client, answer: dict[str, Any]) -> bytes:
    assert "claim" in answer, answer
    _, payload = await client.fetch(answer["claim"]["transaction_id"])
    assert hashlib.sha256(payload).hexdigest() == answer["claim"]["checksum"]
    return payload


async def states(client: Client) -> dict[str, dict[str, Any]]:
    await client.say("health")
    health = (await client.hear_op("health_res"))["health"]
    return {each["name"]: each for each in health["upstreams"]}


async def ready(client: Client, name: str, starts: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            state = (await states(client))[name]
            if state["condition"] == "ready" and state["starts"] >= starts:
                return state
            await asyncio.sleep(0.1)


async def test_its_tools_are_offered_and_answer(running: Running) -> None:
    async with session(running) as client:
        assert {"text", "weather", "echo"} <= await names(client)
        answer = await client.call("plain", {"words": "as they are\u00e9\n"})
        assert answer["outputs"] == [{"type": "text", "text": "as they are\u00e9\n"}]
        answer = await client.call("weather", {"city": "Uppsala"})
        assert json.loads(answer["outputs"][0]["text"])["city"] == "Uppsala"
        assert answer["content_type"] == "application/json"


async def test_a_large_text_is_its_bytes_once(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("text", {"size": LARGE})
        assert answer["claim"]["payload_size_bytes"] == LARGE
        assert await whole(client, answer) == text_of(LARGE).encode()


async def test_an_old_client_gets_whole_answers(running: Running) -> None:
    async with session(running, accepts=(), max_message_bytes=2 * LARGE) as client:
        answer = await client.call("text", {"size": LARGE})
        assert answer["outputs"] == [{"type": "text", "text": text_of(LARGE)}]
        answer = await client.call("image", {"size": IMAGE})
        caption, picture = answer["outputs"]
        assert caption == {"type": "text", "text": "a caption"}
        assert (picture["type"], picture["mimeType"]) == ("blob", "image/png")
        assert base64.b64decode(picture["data"]) == image_of(IMAGE)


async def test_several_blocks_are_kept_as_they_came(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("blocks")
        assert answer["content_type"] == MCP_RESULT
        result = json.loads(answer["outputs"][0]["text"])
        kinds = [block["type"] for block in result["content"]]
        assert kinds == ["text", "audio", "resource", "resource_link"]


async def test_an_error_of_the_server_is_told_with_its_id(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("fail", {"words": "no such thing"})
        assert answer["error"]["code"] == "EXEC_ERROR"
        assert "fail" in answer["error"]["message"]
        opened, stored = await client.fetch(answer["error"]["transaction_id"])
        assert opened["message_type"] == "error"
        assert stored.decode() == answer["error"]["message"]
        answer = await client.call("fail_large", {"size": 1_000_000})
        _, stored = await client.fetch(answer["error"]["transaction_id"])
        assert stored == text_of(1_000_000).encode()
        answer = await client.call("text", {"size": "no number"})
        assert answer["error"]["code"] == "EXEC_ERROR"


async def test_progress_comes_through(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=program())
    with daemon(
        database, BUSCTL_MCP_CONFIG=config, BUSCTL_PROGRESS_INTERVAL_SECS="0.05"
    ) as running:
        async with session(running) as client:
            await client.say("call_tool", name="steps", arguments={"count": 10})
            notes = set()
            while (frame := await client.hear())["op"] != "call_tool_res":
                notes.add(frame.get("note"))
        assert frame["outputs"][0]["text"] == "done"
        assert notes & {f"step {number}" for number in range(1, 11)}


async def test_one_that_dies_in_mid_call_is_named_and_comes_back(running: Running) -> None:
    async with session(running) as client:
        answer = await client.call("die")
        assert answer["error"]["code"] == "EXEC_ERROR"
        assert "'tests'" in answer["error"]["message"]
        assert answer["error"]["transaction_id"]
        answer = await client.call("plain", {"words": "a"})
        assert answer["error"]["code"] == "UPSTREAM_UNAVAILABLE"
        assert answer["error"]["retry_after"] >= 1
        assert "transaction_id" not in answer["error"]
        await ready(client, "tests", 2)
        assert (await client.call("plain", {"words": "back"}))["outputs"][0]["text"] == "back"
        assert "echo" in await names(client)


async def test_a_hang_ends_at_its_time_and_the_server_is_told(
    database: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    config = write(tmp_path, tests=program(busctl={"tools": {"hang": {"timeout_secs": 0.5}}}))
    with daemon(database, BUSCTL_MCP_CONFIG=config) as running:
        async with session(running) as client:
            await client.say("call_tool", name="hang", arguments={"marker": str(marker)})
            assert (await client.hear_op("call_tool_ack"))["timeout"] == 0.5
            answer = await client.hear_op("call_tool_res")
            assert answer["error"]["code"] == "TIMEOUT"
            async with asyncio.timeout(10):
                while marker.read_text() != "cancelled":
                    await asyncio.sleep(0.02)
            assert (await client.call("plain", {"words": "on"}))["outputs"][0]["text"] == "on"


async def test_fifty_calls_at_once(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=program())
    limits = {
        "BUSCTL_MAX_INFLIGHT": "100", "BUSCTL_MAX_INFLIGHT_PER_PROVIDER": "100",
        "BUSCTL_MAX_INFLIGHT_PER_SESSION": "100",
    }  # fmt: skip
    with daemon(database, BUSCTL_MCP_CONFIG=config, **limits) as running:
        async with session(running) as client:
            await names(client)
            for number in range(50):
                await client.say(
                    "call_tool", name="text", arguments={"size": 50_000 + number},
                    request_id=str(number),
                )  # fmt: skip
            found: dict[int, str] = {}
            while len(found) < 50:
                frame = await client.hear_op("call_tool_res")
                found[int(frame["request_id"])] = frame["outputs"][0]["text"]
    assert found == {number: text_of(50_000 + number) for number in range(50)}


async def test_one_that_is_dead_or_slow_holds_up_nobody(database: str, tmp_path: Path) -> None:
    config = write(
        tmp_path,
        good=program(), dead={"command": "no-such-program-anywhere"},
        slow=program("--slow", "3600", busctl={"start_timeout_secs": 2}),
        away={"url": "http://127.0.0.1:9/mcp"},
    )  # fmt: skip
    with daemon(database, BUSCTL_MCP_CONFIG=config) as running:
        async with session(running) as client:
            assert (await client.call("plain", {"words": "up"}))["outputs"][0]["text"] == "up"
            assert "plain" in await names(client)
            found = await states(client)
            assert found["good"]["condition"] == "ready"
            assert found["dead"]["condition"] == "waiting"
            assert "no-such-program-anywhere: No such file" in found["dead"]["error"]
            assert "'slow' did not greet within 2 s" in found["slow"]["error"]
            assert "'away' cannot be reached" in found["away"]["error"]
        metrics = (
            (await asyncio.to_thread(urllib.request.urlopen, f"{running.url}/metrics"))
            .read()
            .decode()
        )
        assert 'busctl_upstream_ready{upstream="good"} 1.0' in metrics
        assert 'busctl_upstream_ready{upstream="dead"} 0.0' in metrics


async def test_names_that_clash_are_prefixed(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, one=program(), **{"the other": program("--many", "3")})
    with daemon(database, BUSCTL_MCP_CONFIG=config) as running:
        async with session(running) as client:
            for server in ("one", "the other"):
                await ready(client, server, 1)
            listed = await names(client)
            assert {"one_plain", "the_other_plain", "tool_000", "echo"} <= listed
            assert "plain" not in listed
            answer = await client.call("the_other_plain", {"words": "x"})
            assert answer["outputs"][0]["text"] == "x"
            answer = await client.call("plain", {"words": "x"})
            assert answer["error"]["code"] == "TOOL_NOT_FOUND"


@pytest.mark.parametrize(("entry", "protocol"), [(program(), "2026-07-28"), (old(), "2025-11-25")])
async def test_a_tool_it_learns_is_offered(
    database: str, tmp_path: Path, entry: dict[str, Any], protocol: str
) -> None:
    config = write(tmp_path, tests=entry)
    with daemon(database, BUSCTL_MCP_CONFIG=config) as running:
        async with session(running) as client:
            assert (await ready(client, "tests", 1))["protocol"] == protocol
            assert "newly_learnt" not in await names(client)
            await client.call("learn", {"name": "newly_learnt"})
            async with asyncio.timeout(10):
                while "newly_learnt" not in await names(client):
                    await asyncio.sleep(0.05)
            answer = await client.call("newly_learnt")
            assert "newly_learnt" in answer["outputs"][0]["text"]


async def test_what_no_sdk_would_write(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=old())
    with daemon(database, BUSCTL_MCP_CONFIG=config, MESSAGE_BUS_MAX_PAYLOAD_MB="1") as running:
        async with session(running) as client:
            assert (await client.call("noise"))["outputs"][0]["text"] == "noise: "
            assert "Listening on standard input!" in running.log
            answer = await client.call("lone")
            assert answer["content_type"] == MCP_RESULT
            kept = json.loads(answer["outputs"][0]["text"])
            assert kept["content"][0]["text"] == LONE
            answer = await client.call("to_come")
            text = answer["outputs"][0]["text"]
            assert text == '{"content": [{"type": "hologram", "layers": [1.0, 1e400]}]}'
            answer = await client.call("endless", {"size": 6_000_000})
            assert "the answer has 6,000,0" in answer["error"]["message"]
            answer = await client.call("endless", {"size": 2_000_000})
            assert answer["error"]["code"] == "TOO_LARGE"
            answer = await client.call("refuse")
            assert "not today" in answer["error"]["message"]
            assert (await client.call("say", {"words": "on"}))["outputs"][0]["text"] == "say: on"


async def test_a_server_of_the_era_before_is_told_of_cancelling(
    database: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    config = write(tmp_path, tests=old(busctl={"timeout_secs": 0.3}))
    with daemon(database, BUSCTL_MCP_CONFIG=config) as running:
        async with session(running) as client:
            answer = await client.call("wait", {"marker": str(marker)})
            assert answer["error"]["code"] == "TIMEOUT"
            async with asyncio.timeout(10):
                while not marker.exists():
                    await asyncio.sleep(0.02)


async def test_its_stderr_is_logged_without_its_secrets(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=program(env={"API_KEY": "${TEST_SECRET_OF_IT}"}))
    secret = "hunter2-is-no-password"
    with daemon(
        database, BUSCTL_MCP_CONFIG=config, TEST_SECRET_OF_IT=secret, BUSCTL_LOG_FORMAT="json"
    ) as running:
        async with session(running) as client:
            answer = await client.call("variable", {"name": "API_KEY"})
            assert answer["outputs"][0]["text"] == secret
            answer = await client.call("variable", {"name": "BUSCTL_TOKEN"})
            assert answer["outputs"][0]["text"] == "unset"
            await client.call("speak", {"words": f"the key is {secret}, as said"})
        running.stop()
        said = [line for line in running.lines if line.get("upstream") == "tests"]
        assert any(line.get("line") == "the key is ***, as said" for line in said)
        assert secret not in running.log


async def test_what_a_server_was_shown_is_told_nowhere(database: str, tmp_path: Path) -> None:
    """A key in a header, and one that is a part of the address, as hosted servers have it; the
    servers quote both in all that they say."""
    key, part = "ghp_0123456789abcdef", "pathkey0123456789abcdef"
    headers = {"Authorization": "Bearer ${TEST_KEY}"}
    with quoting() as base:
        servers = {
            name: {"url": f"{base}/${{TEST_PART}}/{name}", "headers": headers}
            for name in ("refuses", "fails", "moves", "greets")
        }
        config = write(tmp_path, **servers)
        given = {"BUSCTL_MCP_CONFIG": config, "TEST_KEY": key, "TEST_PART": part}
        with daemon(database, BUSCTL_LOG_LEVEL="debug", **given) as running:
            async with session(running) as client:
                await ready(client, "greets", 1)
                await names(client)  # which waits for those that are starting
                told = [await client.call("sound"), await states(client)]
                metrics = await asyncio.to_thread(scraped, running)
            assert running.stop() == 0
            log = running.log
    assert told[0]["error"]["message"].endswith("call of 'sound': *** is not known to /***/greets")
    assert all(told[1][name]["error"] for name in ("refuses", "fails", "moves"))
    assert "'***'" in told[1]["greets"]["left_out"][0]
    for said in (json.dumps(told), metrics, log):
        assert key not in said
        assert part not in said


def scraped(running: Running) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{running.port}/metrics", timeout=30) as answer:
        return str(answer.read().decode())


async def test_a_flood_on_its_stderr_is_counted_instead_of_logged(
    database: str, tmp_path: Path
) -> None:
    config = write(tmp_path, tests=program())
    with daemon(database, BUSCTL_MCP_CONFIG=config, BUSCTL_LOG_FORMAT="json") as running:
        async with session(running) as client:
            await client.call("speak", {"words": "\n".join(["again"] * 5000)})
        running.stop()
        said = [line for line in running.lines if line.get("upstream") == "tests"]
        logged = sum(line.get("line") == "again" for line in said)
        counted = sum(line.get("lines", 0) for line in said)
        assert 100 <= logged < 2500
        assert logged + counted == 5000


async def test_answers_pass_whole_while_the_store_is_away(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, tests=program())
    dead = "postgresql://nobody@127.0.0.1:9/nothing"
    spool = str(tmp_path / "spool")
    with daemon(dead, BUSCTL_MCP_CONFIG=config, BUSCTL_SPOOL_DIR=spool) as running:
        async with session(running) as client:
            answer = await client.call("text", {"size": 2_000_000})
            assert answer["claim"]["spooled"] is True
            assert await whole(client, answer) == text_of(2_000_000).encode()


def test_faults_of_the_file_are_told_at_once(database: str, tmp_path: Path) -> None:
    config = write(tmp_path, a={}, b={"url": "ftp://x"}, c=program(env={"K": "${NOT_SET_HERE}"}))
    for command in (["serve"], ["config", "check"]):
        ended = subprocess.run(
            [sys.executable, "-m", "busctl", *command], cwd=daemons.ROOT, capture_output=True,
            text=True, env=daemons.environment(database, BUSCTL_MCP_CONFIG=config), timeout=60,
            check=False,
        )  # fmt: skip
        assert ended.returncode == 2
        assert "3 faults" in ended.stderr
        for words in ("a needs a command or url", "b.url is no http", "${NOT_SET_HERE}"):
            assert words in ended.stderr
