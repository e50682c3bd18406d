"""All upstream servers of a daemon together: their tools, resources and prompts, each by a name."""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from busctl.core.errors import PromptNotFound, ResourceNotFound, ToolNotFound
from busctl.core.mcp.tool_names import offered_names, offered_uris
from busctl.core.mcp.upstream import Upstream
from busctl.ops.upstreams.server import Server
from busctl.ports import Answer, Call, Clock, Connector, Offering, ToolInfo, UpstreamState

log = logging.getLogger("busctl.upstream")

SETTLE_SECS = 10.0
"""How long lists wait for servers that are starting; what comes later is told as a change."""
PROVIDER = "mcp:"
"""Before the name of an upstream, in what limits count calls by."""
_LISTED = ("name", "description", "inputSchema")
Place = tuple[Server, str]


class Offered:
    """What the upstreams offer: a ToolHost, and the Upstreams of the ports. `own` are the names of
    the daemon's own tools, which stay theirs."""

    def __init__(
        self, upstreams: Sequence[Upstream], connector: Connector, clock: Clock, *,
        start_secs: float, own: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self._own = own
        # With one server alone there is nothing else to list: that waits for all of its time.
        self._settle_secs = SETTLE_SECS if len(upstreams) > 1 else max(SETTLE_SECS, start_secs)
        self._connector = connector
        self._listeners: list[Callable[[Offering], None]] = []
        self._named: dict[Offering, dict[str, Place]] = {}
        self._tools: list[ToolInfo] | None = None
        self._servers = [
            Server(each, connector, clock, start_secs=start_secs, changed=self._has_changed)
            for each in upstreams
        ]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep every server running for the time of the block."""
        tasks = [
            asyncio.create_task(server.run(), name=f"upstream {server.name}")
            for server in self._servers
        ]
        for task in tasks:
            task.add_done_callback(_heard)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    async def settled(self) -> None:
        waiting = [
            asyncio.create_task(server.settled.wait())
            for server in self._servers
            if not server.settled.is_set()
        ]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=self._settle_secs)
            for task in late:
                task.cancel()

    def states(self) -> Sequence[UpstreamState]:
        return [server.state() for server in self._servers]

    def watch(self, heard: Callable[[Offering], None]) -> Callable[[], None]:
        self._listeners.append(heard)
        return lambda: self._listeners.remove(heard)

    def _has_changed(self, offering: Offering) -> None:
        self._named.pop(offering, None)
        if offering is Offering.TOOLS:
            self._tools = None
        for heard in tuple(self._listeners):
            heard(offering)

    # --- tools -----------------------------------------------------------------------------

    def list_tools(self) -> Sequence[ToolInfo]:
        if self._tools is None:
            self._tools = [
                self._info(name, *place)
                for name, place in sorted(self._names(Offering.TOOLS).items())
            ]
        return self._tools

    async def call(self, call: Call) -> Answer:
        """The answer of the tool's server. Raises ToolNotFound, UpstreamUnavailable and
        UpstreamFailed."""
        place = self._tool(call.name)
        if place is None:
            raise ToolNotFound(f"No tool is named {call.name!r}.")
        server, name = place

        def heard(done: float | None, of: float | None, words: str | None) -> None:
            if done is not None:
                call.advance(done, of)
            if words:
                call.note(words)

        kept = await server.line.call_tool(name, call.arguments, meta=call.meta, heard=heard)
        return Answer(
            kept.body, None, kept.content_type, is_error=kept.is_error, metadata=kept.metadata
        )

    def _tool(self, name: str) -> Place | None:
        return self._names(Offering.TOOLS).get(name)

    def _info(self, name: str, server: Server, there: str) -> ToolInfo:
        (shape,) = [each for each in server.lists[Offering.TOOLS] if each["name"] == there][:1]
        extra = {key: value for key, value in shape.items() if key not in _LISTED}
        return ToolInfo(
            name, shape.get("description") or "", shape["inputSchema"], PROVIDER + server.name,
            server.upstream.bounds_of(there), extra,
        )  # fmt: skip

    # --- names -----------------------------------------------------------------------------

    def _names(self, offering: Offering) -> dict[str, Place]:
        """Server and name there, by the name offered."""
        known = self._named.get(offering)
        if known is None:
            servers = {server.name: server for server in self._servers}
            names = {
                name: [each["name"] for each in server.lists[offering]]
                for name, server in servers.items()
            }
            own = self._own if offering is Offering.TOOLS else ()
            made = offered_names(own, names)
            known = {name: (servers[server], there) for name, (server, there) in made.items()}
            self._named[offering] = known
        return known

    # --- resources and prompts -------------------------------------------------------------

    async def list_resources(self) -> Sequence[Mapping[str, Any]]:
        await self.settled()
        shapes = {
            (server.name, each["uri"]): each
            for server in self._servers
            for each in server.lists[Offering.RESOURCES]
        }
        return [{**shapes[place], "uri": uri} for uri, place in self._uris().items()]

    async def list_resource_templates(self) -> Sequence[Mapping[str, Any]]:
        await self.settled()
        shapes = {
            (server.name, each["uriTemplate"]): each
            for server in self._servers
            for each in server.templates
        }
        return [{**shapes[place], "uriTemplate": uri} for uri, place in self._templates().items()]

    async def read_resource(self, uri: str) -> Mapping[str, Any]:
        await self.settled()
        server, there = self._resource(uri)
        result = await server.line.read_resource(there)
        if there == uri:
            return result
        told = [
            {**each, "uri": uri} if each.get("uri") == there else each
            for each in result.get("contents", ())
        ]
        return {**result, "contents": told}

    def _resource(self, uri: str) -> Place:
        """Whose resource a URI is, and which: one that is offered, or that a server has by itself,
        as links in its answers name it; there the first server's of several."""
        servers = {server.name: server for server in self._servers}
        if uri in (listed := self._uris()):
            name, there = listed[uri]
            return servers[name], there
        for server in self._servers:
            if any(each["uri"] == uri for each in server.lists[Offering.RESOURCES]):
                return server, uri
        for template, (name, there) in self._templates().items():
            if self._connector.fits(template, uri):
                return servers[name], uri.removeprefix(template.removesuffix(there))
        for server in self._servers:
            if any(self._connector.fits(each["uriTemplate"], uri) for each in server.templates):
                return server, uri
        raise ResourceNotFound(f"No server has a resource {uri}.")

    def _uris(self) -> Mapping[str, tuple[str, str]]:
        return offered_uris({
            server.name: [each["uri"] for each in server.lists[Offering.RESOURCES]]
            for server in self._servers
        })  # fmt: skip

    def _templates(self) -> Mapping[str, tuple[str, str]]:
        return offered_uris({
            server.name: [each["uriTemplate"] for each in server.templates]
            for server in self._servers
        })  # fmt: skip

    async def list_prompts(self) -> Sequence[Mapping[str, Any]]:
        await self.settled()
        return [
            {**self._prompt(*place), "name": name}
            for name, place in sorted(self._names(Offering.PROMPTS).items())
        ]

    async def get_prompt(self, name: str, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        server, there = await self._prompt_place(name)
        return await server.line.get_prompt(there, arguments)

    async def complete(
        self, ref: Mapping[str, Any], argument: Mapping[str, str], context: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        if ref.get("type") == "ref/prompt":
            server, there = await self._prompt_place(str(ref.get("name")))
            return await server.line.complete({**ref, "name": there}, argument, context)
        await self.settled()
        place = self._templates().get(str(ref.get("uri")))
        for server in self._servers:
            if place is not None and place[0] == server.name:
                return await server.line.complete({**ref, "uri": place[1]}, argument, context)
        raise ResourceNotFound(f"No server has a resource template {ref.get('uri')}.")

    def _prompt(self, server: Server, there: str) -> Mapping[str, Any]:
        return next(each for each in server.lists[Offering.PROMPTS] if each["name"] == there)

    async def _prompt_place(self, name: str) -> Place:
        await self.settled()
        names = self._names(Offering.PROMPTS)
        place = names.get(name)
        if place is None:
            near = difflib.get_close_matches(name, names, n=1)
            remedy = f"Did you mean {near[0]!r}?" if near else None
            raise PromptNotFound(f"No prompt is named {name!r}.", remedy=remedy)
        return place


def _heard(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("upstream given up: a fault of busctl", exc_info=error)
