"""Somebody else's MCP server behind the gateway: server-everything, from npm. A client hears of it
what it would hear directly."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import PromptReference

from tests.conditions.npm_programs import installed
from tests.e2e.daemons import daemon, session
from tests.e2e.mcp_clients import ERAS, over_http

MANIFEST = Path(__file__).parent / "npm_mcp"
CALLS = [
    ("echo", {"message": "hello"}),
    ("get-sum", {"a": 2, "b": 3}),
    ("get-annotated-message", {"messageType": "error", "includeImage": True}),
    ("get-tiny-image", {}),
    ("get-resource-links", {"count": 3}),
    ("get-structured-content", {"location": "Chicago"}),
    ("get-sum", {"a": "no number", "b": 3}),
]
VARIES = {"timestamp", "lastModified"}


@pytest.fixture(scope="session")
def program() -> str:
    return str(installed(MANIFEST) / ".bin" / "mcp-server-everything")


def said(value: Any) -> Any:
    """An object without what is about the exchange alone, or about the time of day."""
    shape = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    exchange = ("_meta", "ttlMs", "cacheScope", "resultType", "isError")
    kept = {name: each for name, each in shape.items() if name not in exchange}
    return json.loads(json.dumps(kept), object_hook=_timeless) | {
        "isError": shape.get("isError", False)
    }


def _timeless(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in shape.items() if name not in VARIES}


async def heard(client: Any, echo: str = "echo") -> dict[str, Any]:
    """What there is, and what it says. `echo` is what its tool of that name is called there."""
    found: dict[str, Any] = {}
    for at, (name, arguments) in enumerate(CALLS):
        found[f"{at} {name}"] = said(
            await client.call_tool(echo if name == "echo" else name, arguments)
        )
    tools = (await client.list_tools()).tools
    found["tools"] = {tool.name: said(tool) | {"outputSchema": None} for tool in tools
                      if not tool.name.startswith("bus_")}  # fmt: skip
    found["resources"] = [said(each) for each in (await client.list_resources()).resources]
    templates = (await client.list_resource_templates()).resource_templates
    found["templates"] = [said(each) for each in templates
                          if not each.uri_template.startswith("bus:")]  # fmt: skip
    found["prompts"] = {each.name: said(each) for each in (await client.list_prompts()).prompts}
    found["prompt"] = said(await client.get_prompt("args-prompt", {"city": "Oslo", "state": "N"}))
    uri = (await client.list_resources()).resources[0].uri
    found["resource"] = said(await client.read_resource(uri))
    found["completion"] = said(await client.complete(
        PromptReference(type="ref/prompt", name="completable-prompt"),
        {"name": "department", "value": "E"},
    ))  # fmt: skip
    return found


@contextmanager
def behind_http(program: str, port: int) -> Iterator[str]:
    """The server behind streamable HTTP with sessions, as it was before 2026; its URL."""
    process = subprocess.Popen(
        [program, "streamableHttp"], env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None, "it did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_a_server_behind_http_that_was_started_anew_is_reached_anew(
    database: str, tmp_path: Path, program: str
) -> None:
    port, config = free_port(), tmp_path / "mcp.json"
    url = f"http://127.0.0.1:{port}/mcp"
    config.write_text(json.dumps({"mcpServers": {"everything": {"url": url}}}))
    with daemon(database, BUSCTL_MCP_CONFIG=str(config), BUSCTL_TOOLS="") as running:
        async with session(running) as client:
            for _ in range(2):
                with behind_http(program, port):
                    async with asyncio.timeout(60):
                        while "error" in (answer := await summed(client)):
                            assert answer["error"]["code"] in ("TOOL_NOT_FOUND", "EXEC_ERROR",
                                                               "UPSTREAM_UNAVAILABLE")  # fmt: skip
                            await asyncio.sleep(0.2)
                    assert "5" in answer["outputs"][0]["text"]


async def summed(client: Any) -> Any:
    return await client.call("get-sum", {"a": 2, "b": 3})


@pytest.mark.parametrize("era", ERAS)
async def test_the_same_is_heard_as_directly(
    database: str, tmp_path: Path, program: str, era: str
) -> None:
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"everything": {"command": program}}}))
    with daemon(database, BUSCTL_MCP_CONFIG=str(config), BUSCTL_TOOLS="",
                MESSAGE_BUS_MCP_INLINE_MAX_BYTES="1000000") as running:  # fmt: skip
        async with over_http(running, era) as client:
            through = await heard(client, echo="everything_echo")
            told: list[float] = []

            async def note(progress: float, total: float | None, message: str | None) -> None:
                told.append(progress)

            await client.call_tool(
                "trigger-long-running-operation", {"duration": 1, "steps": 4},
                progress_callback=note,
            )  # fmt: skip
            assert 4.0 in told
    parameters = StdioServerParameters(command=program)
    async with Client(stdio_client(parameters), mode="legacy") as client:
        wanted = await heard(client)
    # The daemon has an echo of its own, which keeps its name.
    through["tools"]["echo"] = through["tools"].pop("everything_echo") | {"name": "echo"}
    for name, there in wanted["tools"].items():
        if era != "legacy":
            del there["execution"]  # what 2026-07-28 does not have
        assert through["tools"].pop(name) == there, name
    assert set(through["tools"]) == {"generate"}
    assert through | {"tools": None} == wanted | {"tools": None}
