"""The MCP servers behind a daemon, put together: from the configuration to tools that run."""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from busctl import __version__
from busctl.adapters.upstream_file import read_upstreams
from busctl.connect import Bus
from busctl.core.configuration.settings import Settings
from busctl.core.errors import ConfigurationInvalid
from busctl.core.mcp.upstream import Command, Upstream
from busctl.ops.upstreams import Offered
from busctl.ports import ToolHost

log = logging.getLogger("busctl.upstream")


def upstreams_of(settings: Settings, command: Sequence[str] = ()) -> list[Upstream]:
    """The servers that the settings name, and the one that a command line is. Raises
    ConfigurationInvalid with every fault of the file."""
    found = []
    if command:
        found.append(Upstream(Path(command[0]).name, _as_given(command)))
    if settings.mcp_config is not None:
        config = read_upstreams(settings.mcp_config)
        if config.faults:
            raise ConfigurationInvalid(config.faults, config.warnings)
        for warning in config.warnings:
            log.warning("MCP servers", extra={"warning": warning})
        for name in config.disabled:
            log.info("upstream is switched off", extra={"upstream": name})
        found += config.upstreams
    return found


def _as_given(command: Sequence[str]) -> Command:
    """Whoever wrapped the command has given us the environment that was meant for it."""
    return Command(command[0], tuple(command[1:]), inherits=True)


@asynccontextmanager
async def behind(
    upstreams: Sequence[Upstream], own: Sequence[ToolHost], bus: Bus
) -> AsyncIterator[Offered | None]:
    """What the servers offer, which run for the time of the block; names of `own` tools stay
    theirs. Without servers nothing of the protocol is loaded."""
    if not upstreams:
        yield None
        return
    loaded = await asyncio.to_thread(importlib.import_module, "busctl.adapters.upstream")
    settings = bus.settings
    connector = loaded.McpConnector(settings.max_payload_bytes, version=__version__)
    names = [tool.name for host in own for tool in host.list_tools()]
    offered = Offered(
        upstreams, connector, bus.clock, start_secs=settings.mcp_start_timeout_secs, own=names
    )
    try:
        async with offered.running():
            yield offered
    finally:
        await connector.close()
