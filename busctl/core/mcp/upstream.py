"""MCP servers behind the daemon: how one is reached, and what its tools may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from busctl.core.tools.bounds import NONE, Bounds


@dataclass(frozen=True, slots=True)
class Command:
    """A server that is a program. `inherits`: it gets the whole environment but for our own
    variables, not only what every program needs."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: str | None = None
    inherits: bool = False

    @property
    def shown(self) -> str:
        """For people, without secrets."""
        return self.command


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that is reached by streamable HTTP."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """For people, without secrets: scheme and host. Paths have keys in them, too."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


@dataclass(frozen=True, slots=True)
class Upstream:
    """One server: how it is reached, what its tools may take (all, and by their own names), and
    seconds for its start, None for what the settings say."""

    name: str
    via: Command | Endpoint
    bounds: Bounds = NONE
    tool_bounds: Mapping[str, Bounds] = field(default_factory=dict)
    start_timeout_secs: float | None = None

    def bounds_of(self, tool: str) -> Bounds:
        """What a tool of that name there may take."""
        return self.tool_bounds.get(tool, NONE).over(self.bounds)
