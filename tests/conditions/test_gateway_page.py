"""docs/gateway.md: the entry of every client is started as that client would, and used."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.conditions.npm_programs import installed
from tests.e2e.daemons import ROOT, TOKEN, Running, daemon, environment

PAGE = ROOT / "docs" / "gateway.md"
MANIFEST = Path(__file__).parent / "npm_mcp"
SNIPPET = re.compile(r"<!-- client: ([\w-]+) -->\n```(\w+)\n(.*?)\n```", re.DOTALL)
SNIPPETS = {name: (kind, text) for name, kind, text in SNIPPET.findall(PAGE.read_text())}
OVER_HTTP = [name for name in SNIPPETS if name.endswith("-http")]
OVER_STDIO = [name for name in SNIPPETS if name not in ("daemon", "relay", *OVER_HTTP)]
TEXT = "".join(f"line {number} of the notes\n" for number in range(20_000))
SERVERS = {
    "mcpServers": {
        "files": {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "."]}
    }
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's folder, in which npx finds the server as it does once it was fetched."""
    (tmp_path / "node_modules").symlink_to(installed(MANIFEST))
    (tmp_path / "notes.txt").write_text(TEXT)
    (tmp_path / "servers.json").write_text(json.dumps(SERVERS))
    return tmp_path


@pytest.fixture
def env(database: str, folder: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return environment(
        database, PATH=path, BUSCTL_TOOLS="", BUSCTL_STATE_DIR=str(folder / "state"),
        npm_config_offline="true",
    )  # fmt: skip


def entry_of(name: str) -> Mapping[str, Any]:
    """The one server that a snippet names, as the client reads it."""
    kind, text = SNIPPETS[name]
    if kind == "sh":
        return _added(shlex.split(text))
    shape = json.loads(text) if kind == "json" else tomllib.loads(text)
    servers = shape[{"vscode": "servers", "zed": "context_servers", "codex": "mcp_servers"}.get(
        name.removesuffix("-http"), "mcpServers"
    )]  # fmt: skip
    (entry,) = servers.values()
    assert isinstance(entry, dict)
    return entry


def _added(words: list[str]) -> dict[str, Any]:
    """What `claude mcp add` takes: options, a name, and a URL or a command behind `--`."""
    assert words[:3] == ["claude", "mcp", "add"]
    assert words[3] == "--transport"
    if words[4] == "stdio":
        command = words[words.index("--") + 1 :]
        return {"command": command[0], "args": command[1:]}
    assert words[7] == "--header"
    header, _, value = words[8].partition(": ")
    return {"url": words[6], "headers": {header: value}}


async def used(transport: Any, file: Path) -> None:
    """Ask for more than fits, and read on."""
    async with Client(transport, mode="legacy", read_timeout_seconds=90) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"read_text_file", "bus_read", "bus_search", "bus_info"} <= tools
        told = await client.call_tool("read_text_file", {"path": str(file)})
        assert not told.is_error, told.content
        link: Any = told.content[1]
        assert link.size == len(TEXT)
        contents: Any = (await client.read_resource(link.uri)).contents
        assert contents[0].text == TEXT
        found: Any = await client.call_tool("bus_search", {"id": link.uri, "pattern": "line 777 "})
        assert "line 777 of the notes" in found.content[0].text
        part: Any = await client.call_tool(
            "bus_read", {"id": link.uri, "first_line": 101, "lines": 2}
        )
        assert "line 100 of the notes\nline 101 of the notes" in part.content[-1].text


def test_the_page_has_every_client() -> None:
    assert set(OVER_STDIO) == {"claude-code", "mcp-servers", "vscode", "zed", "codex"}
    assert set(OVER_HTTP) == {"claude-code-http", "cursor-http", "vscode-http", "codex-http"}


@pytest.mark.parametrize("name", OVER_STDIO)
async def test_an_entry_that_is_a_command(name: str, env: dict[str, str], folder: Path) -> None:
    entry = entry_of(name)
    parameters = StdioServerParameters(
        command=entry["command"],
        args=entry["args"],
        cwd=folder,
        env={**env, **entry.get("env", {})},
    )
    with (folder / "stderr").open("a") as errlog:
        await used(stdio_client(parameters, errlog=errlog), folder / "notes.txt")


@contextmanager
def served(database: str, folder: Path, env: dict[str, str], **more: str) -> Iterator[Running]:
    words = shlex.split(SNIPPETS["daemon"][1])
    assert words[:2] == ["busctl", "serve"]
    options = [str(folder / word) if word.endswith(".json") else word for word in words[2:]]
    with daemon(database, *options, **{**env, **more}) as running:
        yield running


async def test_entries_that_are_an_address(
    database: str, env: dict[str, str], folder: Path
) -> None:
    servers = json.loads((folder / "servers.json").read_text())
    servers["mcpServers"]["files"]["cwd"] = str(folder)
    (folder / "servers.json").write_text(json.dumps(servers))
    with served(database, folder, env) as running:
        entry = entry_of("relay")
        parameters = StdioServerParameters(
            command=entry["command"], args=entry["args"], cwd=folder,
            env={**env, "BUSCTL_PORT": str(running.port)},
        )  # fmt: skip
        with (folder / "stderr").open("a") as errlog:
            await used(stdio_client(parameters, errlog=errlog), folder / "notes.txt")
        for name in OVER_HTTP:
            entry = entry_of(name)
            assert entry["url"] == "http://127.0.0.1:8765/mcp"
            headers = entry.get("headers") or {
                "Authorization": f"Bearer {entry['bearer_token_env_var']}"
            }
            shown = headers["Authorization"]
            assert re.fullmatch(r"Bearer (\$?BUSCTL_TOKEN|\$\{input:busctl\})", shown)
            async with httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
            ) as http:
                transport = streamable_http_client(f"{running.url}/mcp", http_client=http)
                await used(transport, folder / "notes.txt")
