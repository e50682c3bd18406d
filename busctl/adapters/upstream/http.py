"""The streams of an upstream server that is reached by streamable HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from busctl.core.mcp.upstream import Endpoint

CONNECT_SECS = 30.0


@asynccontextmanager
async def reached(endpoint: Endpoint, most_bytes: int) -> AsyncIterator[tuple[Any, Any]]:
    """The session's streams for the time of the block. An answer may take its time: calls have
    limits of their own."""
    times = httpx2.Timeout(CONNECT_SECS, read=None)
    async with (
        httpx2.AsyncClient(headers=dict(endpoint.headers), timeout=times) as client,
        streamable_http_client(
            endpoint.url, http_client=client, max_sse_event_size=most_bytes
        ) as streams,
    ):
        yield streams
