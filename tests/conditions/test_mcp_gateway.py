"""The gateway between a real client and a real server, both written with the Python SDK, each over
a pipe of its own: `busctl mcp -- COMMAND`, and the daemon with a file of servers."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from tests.adapters.bus_sql import eventually, sql
from tests.e2e.daemons import ROOT, daemon
from tests.e2e.mcp_clients import ERAS, over_http, over_stdio
from tests.upstream.server import image_of, text_of

SERVER = ("--", sys.executable, "-m", "tests.upstream.server")
ALONE = {"BUSCTL_TOOLS": "", "PYTHONPATH": str(ROOT)}
LARGE = 20_000_000

pytestmark = pytest.mark.parametrize("era", ERAS)


def wrapped(database: str, tmp_path: Path, era: str, **options: Any) -> Any:
    return over_stdio(database, tmp_path, era, *SERVER, settings=ALONE, **options)


async def test_answers_of_every_kind_pass(database: str, tmp_path: Path, era: str) -> None:
    async with wrapped(database, tmp_path, era) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["weather"].output_schema is None
        assert tools["weather"].description == "Structured content."
        assert {"bus_read", "bus_search", "bus_info"} <= set(tools)
        weather = await client.call_tool("weather", {"city": "Oslo"})
        assert weather.structured_content == {"city": "Oslo", "degrees": 21.5, "rain": False}
        assert json.loads(weather.content[0].text) == weather.structured_content
        blocks = (await client.call_tool("blocks", {})).content
        assert [block.type for block in blocks] == ["text", "audio", "resource", "resource_link"]
        assert blocks[2].resource.text == "embedded"
        icon = await client.call_tool("image", {"size": 3_000})
        assert base64.b64decode(icon.content[1].data) == image_of(3_000)
        failed = await client.call_tool("fail", {"words": "no luck"})
        assert failed.is_error
        assert failed.content[0].text == "Error executing tool fail"  # what the server says
        long = await client.call_tool("fail_large", {"size": 50_000})
        assert long.is_error
        assert long.content[1].size == 50_000
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        beside = await client.call_tool("beside", {}, meta={"traceparent": trace})
        assert beside.content[0].text[:35] == trace[:35]  # the trace is one, spans are each one's
        several = await asyncio.gather(
            *(client.call_tool("plain", {"words": f"w{at}"}) for at in range(50))
        )
        assert [one.content[0].text for one in several] == [f"w{at}" for at in range(50)]
    kept = await sql(database, "select count(*) from bus.message_bus")
    assert kept == [(6 + 50,)]


async def test_twenty_megabytes_come_back_by_their_link(
    database: str, tmp_path: Path, era: str
) -> None:
    async with wrapped(database, tmp_path, era) as client:
        told = await client.call_tool("text", {"size": LARGE})
        assert told.structured_content is None
        link = told.content[1]
        assert link.size == LARGE
        digest = hashlib.sha256(text_of(LARGE).encode()).hexdigest()
        assert digest in told.content[0].text
        whole = (await client.read_resource(link.uri)).contents[0].text
        assert hashlib.sha256(whole.encode()).hexdigest() == digest
        picture = await client.call_tool("image", {"size": 5_000_000})
        result = (await client.read_resource(picture.content[1].uri)).contents[0].text
        data = json.loads(result)["content"][1]["data"]
        assert base64.b64decode(data) == image_of(5_000_000)
        part = await client.call_tool("bus_read", {"id": link.uri, "offset": 0, "length": 100})
        assert whole[:40] in part.content[-1].text


async def test_resources_prompts_and_completions_pass(
    database: str, tmp_path: Path, era: str
) -> None:
    async with wrapped(database, tmp_path, era) as client:
        listed = {str(one.uri) for one in (await client.list_resources()).resources}
        assert "memo://welcome" in listed
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == [
            "bus://{transaction_id}", "memo://numbered/{number}",
        ]  # fmt: skip
        welcome = await client.read_resource("memo://welcome")
        assert welcome.contents[0].text == "welcome to the tests"
        numbered = await client.read_resource("memo://numbered/7")
        assert numbered.contents[0].text == "this is 7"
        picture = await client.read_resource("memo://picture")
        assert base64.b64decode(picture.contents[0].blob) == image_of(1000)
        assert [one.name for one in (await client.list_prompts()).prompts] == ["greet"]
        greeting = await client.get_prompt("greet", {"name": "Ann"})
        assert greeting.messages[0].content.text == "Greet Ann."
        with pytest.raises(MCPError):
            await client.get_prompt("nothing", {})
        with pytest.raises(MCPError):
            await client.read_resource("memo://nothing")


async def test_progress_and_cancelling_pass(database: str, tmp_path: Path, era: str) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    marker = tmp_path / "marker"
    async with wrapped(database, tmp_path, era) as client:
        await client.call_tool("steps", {"count": 3}, progress_callback=hear)
        assert heard == [(1, 3, "step 1"), (2, 3, "step 2"), (3, 3, "step 3")]
        hanging = asyncio.create_task(client.call_tool("hang", {"marker": str(marker)}))
        await eventually(lambda: _says(marker, "began"), "the tool has begun")
        hanging.cancel()
        await asyncio.wait([hanging])
        await eventually(lambda: _says(marker, "cancelled"), "the tool was cancelled")
        assert (await client.call_tool("plain", {"words": "on"})).content[0].text == "on"


async def _says(marker: Path, words: str) -> bool:
    return marker.exists() and marker.read_text() == words


async def test_a_server_that_dies_in_mid_call_is_told_of(
    database: str, tmp_path: Path, era: str
) -> None:
    async with wrapped(database, tmp_path, era) as client:
        died = await client.call_tool("die", {})
        assert died.is_error
        assert "EXEC_ERROR" in died.content[0].text

        async def answers() -> bool:
            again = await client.call_tool("plain", {"words": "back"})
            return not again.is_error and again.content[0].text == "back"

        await eventually(answers, "the server is started again")


async def test_a_list_that_changes_is_told(database: str, tmp_path: Path, era: str) -> None:
    changes: list[str] = []

    async def heard(message: Any) -> None:
        changes.append(type(message).__name__)

    async with wrapped(database, tmp_path, era, message_handler=heard) as client:
        await client.list_tools()
        changes.clear()
        if era == "auto":
            async with client.listen(tools_list_changed=True) as events:
                await client.call_tool("learn", {"name": "dance"})
                async with asyncio.timeout(30):
                    event = await anext(aiter(events))
                assert type(event).__name__ == "ToolsListChanged"
        else:
            await client.call_tool("learn", {"name": "dance"})
            await eventually(lambda: _in("ToolListChangedNotification", changes), "it is told")

        async def offered() -> bool:
            listed = await client.list_tools(cache_mode="bypass")
            return "dance" in {tool.name for tool in listed.tools}

        await eventually(offered, "it is listed")
        assert (await client.call_tool("dance", {})).content[0].text == "I am dance"


async def _in(name: str, changes: list[str]) -> bool:
    return name in changes


async def test_nothing_is_left_of_one_that_was_killed(
    database: str, tmp_path: Path, era: str
) -> None:
    marker = tmp_path / "child"
    async with wrapped(database, tmp_path, era) as client:
        child = int((await client.call_tool("child", {"marker": str(marker)})).content[0].text)
        for pid in _running():
            if _cwd(pid) == str(tmp_path) and b"busctl\0mcp" in _cmdline(pid):
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(MCPError, match="Connection closed"):
            await client.call_tool("plain", {"words": "x"})

    async def gone() -> bool:
        return child not in _running()

    await eventually(gone, "the server's own child is gone")


def _running() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _cwd(pid: int) -> str:
    try:
        return str((Path("/proc") / str(pid) / "cwd").readlink())
    except OSError:
        return ""


def _cmdline(pid: int) -> bytes:
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


async def test_a_daemon_with_a_file_of_servers(database: str, tmp_path: Path, era: str) -> None:
    entry = {"command": sys.executable, "args": list(SERVER[2:]), "env": {"PYTHONPATH": str(ROOT)}}
    config = tmp_path / "servers.json"
    config.write_text(json.dumps({"mcpServers": {"one": entry, "two": entry}}))
    state = {"BUSCTL_STATE_DIR": str(tmp_path / "state"), "BUSCTL_TOOLS": ""}
    with daemon(database, "--mcp-config", str(config), **state) as running:
        async with over_http(running, era) as client:
            names = {tool.name for tool in (await client.list_tools()).tools}
            first = next(name for name in sorted(names) if name.endswith("plain"))
            assert first != "plain"
            assert (await client.call_tool(first, {"words": "hi"})).content[0].text == "hi"
            large = first.replace("plain", "text")
            told = await client.call_tool(large, {"size": 3_000_000})
            whole = (await client.read_resource(told.content[1].uri)).contents[0].text
            assert whole == text_of(3_000_000)
