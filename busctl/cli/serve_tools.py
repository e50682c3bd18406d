"""Everything that a daemon offers to be called, put together."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from busctl.adapters.toolmodules import load_tools
from busctl.cli.serve_chat import chatting
from busctl.cli.serve_files import entrance, preparing
from busctl.cli.serve_reading import reading
from busctl.cli.serve_upstreams import behind
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.mcp.upstream import Upstream
from busctl.ops.tool_hosts import ToolHosts
from busctl.ops.tools import PythonTools
from busctl.ops.upstreams import Offered
from busctl.ports import Meter, ToolHost


def tools_of(settings: Settings, *, demo: bool = True) -> PythonTools:
    """The Python tools of these settings, and what is installed; without `demo` not those that
    come with busctl. Raises ConfigurationError."""
    if settings.tools:
        # Last, so that nothing in the working directory stands in for an installed module.
        sys.path.append(str(Path.cwd()))
    return PythonTools(load_tools(settings.tools, demo=demo))


@asynccontextmanager
async def offering(
    tools: PythonTools, upstreams: Sequence[Upstream], bus: Bus, meter: Meter, daemon: str
) -> AsyncIterator[tuple[ToolHost, Offered | None]]:
    """All tools, and what upstream servers offer besides, for the time of the block; `daemon` is
    its name in the store. Files that arguments name are looked at before any but the daemon's own
    tools for reading."""
    settings, reads = bus.settings, reading(bus)
    async with (
        preparing(settings, bus, meter, daemon) as prepared,
        chatting(settings, bus, prepared) as chat,
        behind(upstreams, [*reads, tools, chat], bus) as offered,
    ):
        others: list[ToolHost] = [tools, chat, *([] if offered is None else [offered])]
        yield ToolHosts([*reads, entrance(settings, ToolHosts(others))]), offered
