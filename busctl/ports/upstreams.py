"""Servers of the Model Context Protocol behind the daemon, and what they offer besides tools.

Resources, prompts and results are objects of the protocol by its own names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from busctl.core.mcp.result import ResultPayload
from busctl.core.mcp.upstream import Upstream

Heard = Callable[[float | None, float | None, str | None], None]
"""Told in the event loop's thread how far a call is: done, of how much, and a word; None for what
is not said."""


class Condition(StrEnum):
    """How an upstream server is."""

    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    """It failed or ended, and is started again after a while."""
    STOPPED = "stopped"


class Offering(StrEnum):
    """What an upstream server offers lists of."""

    TOOLS = "tools"
    RESOURCES = "resources"
    PROMPTS = "prompts"


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """One upstream as it is: `error` says why it is not ready, `since_secs` for how long it is as
    it is. `pid` is the process of one that is a command; `starts` counts its starts. `left_out`
    names what it lists that is not as the protocol has it, and why."""

    name: str
    condition: Condition
    since_secs: float
    starts: int
    tools: int
    protocol: str | None = None
    pid: int | None = None
    error: str | None = None
    left_out: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """As it is told to clients and in the journal."""
        return {
            "name": self.name, "condition": self.condition.value, "error": self.error,
            "secs": self.since_secs, "starts": self.starts, "tools": self.tools,
            "protocol": self.protocol, "left_out": list(self.left_out),
        }  # fmt: skip


class Upstreams(Protocol):
    """All upstream servers of one daemon. What one of them cannot be asked for just now is missing
    from lists; asking for a thing of it raises UpstreamUnavailable."""

    async def settled(self) -> None:
        """Wait until every server has told what it offers, has failed once, or its time to start
        is over."""

    def states(self) -> Sequence[UpstreamState]: ...

    def watch(self, heard: Callable[[Offering], None]) -> Callable[[], None]:
        """Call `heard` in the event loop's thread whenever a list has changed, until the returned
        function is called."""

    async def list_resources(self) -> Sequence[Mapping[str, Any]]: ...
    async def list_resource_templates(self) -> Sequence[Mapping[str, Any]]: ...

    async def read_resource(self, uri: str) -> Mapping[str, Any]:
        """The result of `resources/read`. Raises ResourceNotFound for an URI that no server lists
        and no template fits, UpstreamFailed with the server's own error."""

    async def list_prompts(self) -> Sequence[Mapping[str, Any]]: ...

    async def get_prompt(self, name: str, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """The result of `prompts/get`. Raises PromptNotFound, and UpstreamFailed with the server's
        own error."""

    async def complete(
        self, ref: Mapping[str, Any], argument: Mapping[str, str], context: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        """The result of `completion/complete`. Raises as the two above."""


class UpstreamLine(Protocol):
    """A session with one server that has been greeted. What it is asked raises UpstreamFailed."""

    @property
    def protocol(self) -> str:
        """The revision of the protocol that both speak."""

    @property
    def pid(self) -> int | None: ...

    @property
    def left_out(self) -> Sequence[str]:
        """What its lists have that is not as the protocol has it, and why."""

    async def ended(self) -> str:
        """Wait until the session is over; why it is, for people."""

    async def list_tools(self) -> Sequence[Mapping[str, Any]]: ...
    async def list_resources(self) -> Sequence[Mapping[str, Any]]: ...
    async def list_resource_templates(self) -> Sequence[Mapping[str, Any]]: ...
    async def list_prompts(self) -> Sequence[Mapping[str, Any]]: ...

    async def call_tool(
        self, name: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any], heard: Heard
    ) -> ResultPayload:
        """The result of `tools/call`. Cancelling tells the server."""

    async def read_resource(self, uri: str) -> Mapping[str, Any]: ...
    async def get_prompt(self, name: str, arguments: Mapping[str, str]) -> Mapping[str, Any]: ...
    async def complete(
        self, ref: Mapping[str, Any], argument: Mapping[str, str], context: Mapping[str, Any] | None
    ) -> Mapping[str, Any]: ...


class Connector(Protocol):
    """Reaches upstream servers."""

    def connect(
        self, upstream: Upstream, changed: Callable[[Offering], None], *, start_secs: float
    ) -> AbstractAsyncContextManager[UpstreamLine]:
        """Start or reach a server and greet it; leaving the block ends it. `changed` is called in
        the event loop's thread when the server says that one of its lists has. Raises
        UpstreamFailed, also for a server that is not there within `start_secs`."""

    def fits(self, template: str, uri: str) -> bool:
        """Whether the URI is one of the URI template."""
