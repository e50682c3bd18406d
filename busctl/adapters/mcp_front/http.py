"""The Model Context Protocol over streamable HTTP: one ASGI application, loaded when it is first
asked, so that a daemon without such clients does not pay for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from busctl.adapters.asgi.bearer import principal_of
from busctl.adapters.mcp_front.one_body import OneBody, answered_alone
from busctl.core.configuration.settings import Settings
from busctl.core.errors import DrainingDaemon
from busctl.core.principal import Principal
from busctl.ports import Clock, TokenGuard
from busctl.ports.gateway import Caller, Gateway

if TYPE_CHECKING:
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

PRINCIPAL = "busctl.principal"
SESSION_HEADER = "mcp-session-id"

log = logging.getLogger("busctl.mcp")


class McpEndpoint:
    """`/mcp`. `close` ends its sessions; then every request is refused."""

    def __init__(
        self, gateway: Gateway, guard: TokenGuard, settings: Settings, clock: Clock, version: str
    ) -> None:
        self._gateway = gateway
        self._guard = guard
        self._settings = settings
        self._clock = clock
        self._version = version
        self._running: asyncio.Task[None] | None = None
        self._started: asyncio.Future[StreamableHTTPSessionManager] | None = None
        self._stop = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = await principal_of(Request(scope), self._guard)
        manager = await self._manager()
        scope[PRINCIPAL] = principal
        scope["user"] = _user(principal)
        alone, receive = await answered_alone(scope, receive)
        if alone:
            send = OneBody(send)
        await manager.handle_request(scope, receive, send)

    async def close(self) -> None:
        """End what is open."""
        self._stop.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _manager(self) -> StreamableHTTPSessionManager:
        """Raises DrainingDaemon."""
        if self._stop.is_set():
            raise DrainingDaemon("The daemon is stopping and takes no more requests.")
        if self._started is None:
            self._started = asyncio.get_running_loop().create_future()
            self._running = asyncio.create_task(self._run(self._started))
            self._running.add_done_callback(self._told_why)
        return await asyncio.shield(self._started)

    async def _run(self, started: asyncio.Future[StreamableHTTPSessionManager]) -> None:
        manager = await asyncio.to_thread(
            _make_manager, self._answering, self._caller_of, self._settings, self._version
        )
        async with manager.run():
            started.set_result(manager)
            log.info("serving the Model Context Protocol")
            await self._stop.wait()

    def _told_why(self, running: asyncio.Task[None]) -> None:
        """What could not be loaded is told to everybody who waits for it."""
        if self._started is not None and not self._started.done():
            error = None if running.cancelled() else running.exception()
            self._started.set_exception(error or EOFError())

    async def _answering(self) -> Gateway:
        return self._gateway

    def _caller_of(self, ctx: Any) -> Caller:
        """Who sent the request; without a session of the protocol, each is one of its own."""
        from busctl.adapters.mcp_front.server import takes_links

        principal: Principal = ctx.request.scope[PRINCIPAL]
        session = ctx.request.headers.get(SESSION_HEADER) or self._clock.new_id().hex
        return Caller(principal, session, takes_links=takes_links(ctx))


def _make_manager(
    gateway: Callable[[], Awaitable[Gateway]], caller_of: Callable[[Any], Caller],
    settings: Settings, version: str,
) -> StreamableHTTPSessionManager:  # fmt: skip
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    from busctl.adapters.mcp_front.server import make_server

    return StreamableHTTPSessionManager(
        make_server(gateway, caller_of, version), max_sessions=settings.max_sessions,
        max_request_body_size=settings.max_message_bytes,
    )  # fmt: skip


def _user(principal: Principal) -> Any:
    """As the SDK wants it: a session goes on for the principal alone that has begun it."""
    from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
    from mcp.server.auth.provider import AccessToken

    scopes = sorted(scope.value for scope in principal.scopes)
    return AuthenticatedUser(AccessToken(token="", client_id=principal.name, scopes=scopes))
