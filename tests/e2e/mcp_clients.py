"""The Python SDK's client of the Model Context Protocol, on our two fronts."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from tests.e2e.daemons import TOKEN, Running, environment

# The clients are `Any`: which kind of block is where, the tests say by what they look at.

ERAS = ("legacy", "auto")
"""The handshake of 2025-11-25, and what is tried first today: stateless 2026-07-28."""


@asynccontextmanager
async def over_http(
    running: Running, era: str, *, token: str = TOKEN, headers: Mapping[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Any]:  # fmt: skip
    sent = {"Authorization": f"Bearer {token}", **(headers or {})}
    async with httpx2.AsyncClient(headers=sent, timeout=60, trust_env=False) as http:
        transport = streamable_http_client(f"{running.url}/mcp", http_client=http)
        async with Client(transport, mode=era, read_timeout_seconds=60, **options) as client:
            yield client


@asynccontextmanager
async def over_stdio(
    dsn: str, folder: Path, era: str, *words: str, settings: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Any]:  # fmt: skip
    """A client that starts `busctl mcp` as desktop clients do; its stderr is `folder`/stderr."""
    env = {**environment(dsn, BUSCTL_STATE_DIR=str(folder / "state")), **(settings or {})}
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "busctl", "mcp", *words], env=env, cwd=folder
    )
    with (folder / "stderr").open("a") as errlog:
        transport = stdio_client(parameters, errlog=errlog)
        async with Client(transport, mode=era, read_timeout_seconds=60, **options) as client:
            yield client
