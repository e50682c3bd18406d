"""The SDK's server, both eras of the protocol, its handlers answered by the gateway."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError

from busctl.adapters.mcp_front.progress import telling
from busctl.adapters.mcp_front.unsifted import tell, unsifted
from busctl.core.errors import (
    AccessDenied,
    BusctlError,
    InvalidArguments,
    InvalidId,
    MessageExpired,
    MessageMissing,
    PromptNotFound,
    ResourceNotFound,
    ToolNotFound,
)
from busctl.core.traceparent import traceparent_in, with_traceparent
from busctl.ports.gateway import Caller, Gateway, Shape
from busctl.ports.upstreams import Offering

NAME = "busctl"
INSTRUCTIONS = (
    "Large answers come as a preview with a bus:// id; nothing of them is lost. Read on with "
    "bus_read (a range of bytes or lines), bus_search (a pattern) or bus_info. The resource "
    "bus://<id> is the identical bytes."
)
RESOURCE_NOT_FOUND = -32002
"""Of the revisions before 2026-07-28, which says INVALID_PARAMS."""
FIRST_WITH_LINKS = "2025-06-18"
COMPLETE = {"resultType": "complete"}
LISTED = {**COMPLETE, "ttlMs": 0, "cacheScope": "private"}
"""What 2026-07-28 wants with every result, and with those that might be cached: nobody may keep
them. Earlier revisions are not told."""
RESERVED = "io.modelcontextprotocol/"
EVENTS: Mapping[Offering, ServerEvent] = {
    Offering.TOOLS: ToolsListChanged(),
    Offering.RESOURCES: ResourcesListChanged(),
    Offering.PROMPTS: PromptsListChanged(),
}
_ABSENT = (MessageMissing, MessageExpired, InvalidId, ResourceNotFound)
_ASKED_WRONGLY = (*_ABSENT, ToolNotFound, PromptNotFound, InvalidArguments)

log = logging.getLogger("busctl.mcp")

Context = Any
"""The SDK's ServerRequestContext of any transport."""


class McpServer(Server[Any]):
    """Says of every list that it may change, in both eras."""

    def create_initialization_options(
        self, notification_options: NotificationOptions | None = None, *others: Any, **more: Any
    ) -> InitializationOptions:
        changes = notification_options or NotificationOptions(
            prompts_changed=True, resources_changed=True, tools_changed=True
        )
        return super().create_initialization_options(changes, *others, **more)


def make_server(
    gateway: Callable[[], Awaitable[Gateway]], caller_of: Callable[[Context], Caller], version: str
) -> McpServer:
    """A server of that version. Its handlers wait for the gateway if need be, the handshake does
    not."""
    handlers = _Handlers(gateway, caller_of)
    events = InMemorySubscriptionBus()
    listening = ListenHandler(events)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[dict[str, Any]]:
        publishing = asyncio.create_task(_publish(gateway, events))
        try:
            yield {}
        finally:
            publishing.cancel()
            listening.close()

    server = McpServer(
        NAME, version=version, instructions=INSTRUCTIONS, lifespan=lifespan,
        on_list_tools=handlers.list_tools, on_call_tool=handlers.call_tool,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=handlers.read_resource, on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt, on_completion=handlers.complete,
        on_subscriptions_listen=listening,
    )  # fmt: skip
    server.middleware.clear()  # the SDK's own tracing; hops are traced by us
    server.middleware.append(unsifted)
    server.add_notification_handler(
        "notifications/initialized", types.NotificationParams, handlers.tell_changes
    )
    return server


async def _publish(
    gateway: Callable[[], Awaitable[Gateway]], events: InMemorySubscriptionBus
) -> None:
    async for changed in _changes(await gateway()):
        await events.publish(EVENTS[changed])


async def _changes(gateway: Gateway) -> AsyncIterator[Offering]:
    changes: asyncio.Queue[Offering] = asyncio.Queue()
    unwatch = gateway.watch(changes.put_nowait)
    try:
        while True:
            yield await changes.get()
    finally:
        unwatch()


class _Handlers:
    """One method for each request. What they return are objects of the protocol as plain dicts."""

    def __init__(
        self, gateway: Callable[[], Awaitable[Gateway]], caller_of: Callable[[Context], Caller]
    ) -> None:
        self._gateway = gateway
        self._caller_of = caller_of

    async def list_tools(self, ctx: Context, _: Any) -> Any:
        return {**LISTED, "tools": await self._list(ctx, "tools")}

    async def list_resources(self, ctx: Context, _: Any) -> Any:
        return {**LISTED, "resources": await self._list(ctx, "resources")}

    async def list_templates(self, ctx: Context, _: Any) -> Any:
        return {**LISTED, "resourceTemplates": await self._list(ctx, "templates")}

    async def list_prompts(self, ctx: Context, _: Any) -> Any:
        return {**LISTED, "prompts": await self._list(ctx, "prompts")}

    async def call_tool(self, ctx: Context, params: types.CallToolRequestParams) -> Any:
        meta = _passed_on(params.meta)
        if traceparent_in(meta) is None and ctx.request is not None:
            meta = with_traceparent(meta, traceparent_in(ctx.request.headers))
        with _as_protocol_errors(ctx):
            gateway = await self._gateway()
            async with telling(ctx) as heard:
                result = await gateway.call(
                    self._caller_of(ctx), params.name, params.arguments or {}, meta=meta,
                    heard=heard,
                )  # fmt: skip
        tell(result)
        return {**COMPLETE, **result}

    async def read_resource(self, ctx: Context, params: types.ReadResourceRequestParams) -> Any:
        with _as_protocol_errors(ctx, uri=str(params.uri)):
            gateway = await self._gateway()
            return {**LISTED, **await gateway.read(self._caller_of(ctx), str(params.uri))}

    async def get_prompt(self, ctx: Context, params: types.GetPromptRequestParams) -> Any:
        with _as_protocol_errors(ctx):
            gateway = await self._gateway()
            caller = self._caller_of(ctx)
            return {
                **COMPLETE,
                **await gateway.prompt(caller, params.name, params.arguments or {}),
            }

    async def complete(self, ctx: Context, params: types.CompleteRequestParams) -> Any:
        asked = params.model_dump(by_alias=True, exclude_none=True, mode="json")
        with _as_protocol_errors(ctx):
            gateway = await self._gateway()
            result = await gateway.complete(
                self._caller_of(ctx), asked["ref"], asked["argument"], asked.get("context", {})
            )
            return {**COMPLETE, **result}

    async def tell_changes(self, ctx: Context, _: Any) -> None:
        """Runs for as long as the connection does: the SDK ends it with that."""
        async for changed in _changes(await self._gateway()):
            match changed:
                case Offering.TOOLS:
                    await ctx.session.send_tool_list_changed()
                case Offering.RESOURCES:
                    await ctx.session.send_resource_list_changed()
                case Offering.PROMPTS:
                    await ctx.session.send_prompt_list_changed()

    async def _list(self, ctx: Context, what: str) -> Sequence[Shape]:
        with _as_protocol_errors(ctx):
            gateway = await self._gateway()
            listed: Sequence[Shape] = await getattr(gateway, what)()
            return listed


class _as_protocol_errors:  # noqa: N801  # reads as a statement
    """Errors of the block as the protocol's: what the client asked wrongly, and all others."""

    def __init__(self, ctx: Context, uri: str | None = None) -> None:
        self._modern = ctx.protocol_version >= "2026"
        self._uri = uri

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, BusctlError):
            return
        code = getattr(error, "rpc_code", None) or types.INTERNAL_ERROR
        if isinstance(error, _ABSENT) and not self._modern:
            code = RESOURCE_NOT_FOUND
        elif isinstance(error, _ASKED_WRONGLY):
            code = types.INVALID_PARAMS
        elif isinstance(error, AccessDenied):
            code = types.INVALID_REQUEST
        data: dict[str, Any] = {"code": error.code}
        if self._uri is not None:
            data["uri"] = self._uri
        raise MCPError(code, str(error), data) from error


def _passed_on(meta: Any) -> dict[str, Any]:
    """What of a request's `_meta` is the tool's: not the progress token, not the envelope."""
    return {
        name: value
        for name, value in (meta or {}).items()
        if name not in ("progressToken", "progress_token") and not name.startswith(RESERVED)
    }


def takes_links(ctx: Context) -> bool:
    """Whether the revision that is spoken knows resource links."""
    return str(ctx.protocol_version) >= FIRST_WITH_LINKS
