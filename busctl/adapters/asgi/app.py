"""The routes of the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from busctl.adapters.asgi.bearer import principal_of
from busctl.adapters.asgi.capacity import Capacity
from busctl.adapters.asgi.guard import Guard
from busctl.adapters.asgi.pages import Logins, Site
from busctl.adapters.asgi.problems import problem_of
from busctl.adapters.asgi.redemption import Redemption
from busctl.adapters.asgi.socket import StarletteSocket
from busctl.core.configuration.settings import Settings
from busctl.core.errors import BusctlError, Unauthorized
from busctl.core.principal import Scope
from busctl.core.untraced import UNTRACED
from busctl.ports import Desk, Meter, Reading, Socket, TokenGuard, Tracer

Refused = Callable[[str, str], None]
"""Told of a client that is turned away: by which door, and why."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the probes ask: `ready` the daemon's health with the store asked now (`store` is "ok"
    or not, `draining`), `metrics` the text exposition and its content type. `refused` is told of
    each client that is turned away: by which door, and why."""

    ready: Callable[[], Awaitable[dict[str, Any]]]
    metrics: Callable[[], tuple[bytes, str]]
    refused: Refused


def make_app(
    settings: Settings, converse: Callable[[Socket], Awaitable[None]], reading: Reading,
    guard: TokenGuard, meter: Meter, health: Health, desk: Desk, mcp: ASGIApp, *,
    tracer: Tracer = UNTRACED,
) -> Starlette:  # fmt: skip
    """The application; whoever shows a token redeems the messages of its principal, or sees them
    in the dashboard. `mcp` answers at `/mcp`."""

    async def websocket(connection: WebSocket) -> None:
        await connection.accept()
        await converse(StarletteSocket(connection))

    async def readyz(request: Request) -> Response:
        found = await health.ready()
        fine = found["store"] in ("ok", "disabled") and not found["draining"]
        status = 200 if fine else 503
        headers = {"Cache-Control": "no-store"}
        if "verbose" in request.query_params:
            return JSONResponse({"ok": fine, **found}, status, headers)
        fault = f": {found['store_fault']}" if found["store_fault"] else ""
        off = " (the bus is switched off: nothing is stored)" if not found["enabled"] else ""
        text = f"ok{off}\n" if fine else f"not ready: store {found['store']}{fault}\n"
        return PlainTextResponse(text, status, headers)

    async def metrics(request: Request) -> Response:
        if not settings.is_loopback:
            (await principal_of(request, guard)).require(Scope.READ)
        text, content_type = health.metrics()
        return Response(text, headers={"Content-Type": content_type})

    redemption = Redemption(
        reading, guard, meter, log_all=settings.log_all_operations, tracer=tracer
    )
    routes = [
        WebSocketRoute("/", websocket),
        Route("/messages/{id}", redemption.serve, methods=["GET"]),  # and HEAD with it
        Route("/mcp", mcp),  # all methods; a class of ours is taken as an application
        Route("/livez", _livez),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *_site(settings, guard, desk, redemption, health.refused).routes,
    ]
    return _guarded(settings, routes, health.refused)


def make_dashboard(
    settings: Settings, reading: Reading, guard: TokenGuard, meter: Meter, desk: Desk
) -> Starlette:
    """The dashboard alone: no calls, and downloads only from within it."""
    redemption = Redemption(reading, guard, meter, log_all=settings.log_all_operations)
    site = _site(settings, guard, desk, redemption, meter.refused)
    return _guarded(settings, [Route("/livez", _livez), *site.routes], meter.refused)


def _site(
    settings: Settings, guard: TokenGuard, desk: Desk, redemption: Redemption, refused: Refused
) -> Site:
    logins = Logins(
        guard, lifetime_secs=round(settings.login_hours * 3600),
        secure=settings.tls_cert is not None, refused=partial(refused, "dashboard"),
    )  # fmt: skip
    return Site(desk, logins, redemption)


def _guarded(settings: Settings, routes: Sequence[BaseRoute], refused: Refused) -> Starlette:
    async def problem(_: Request, error: Exception) -> Response:
        if not isinstance(error, BusctlError):
            raise error
        if isinstance(error, Unauthorized):
            refused("http", error.code.lower())
        return problem_of(error)

    return Starlette(
        routes=routes,
        middleware=[
            Middleware(
                Guard, host=settings.host, hosts=settings.allowed_hosts,
                origins=settings.allowed_origins,
            ),
            Middleware(
                Capacity, sessions=settings.max_sessions,
                redemptions=settings.max_redemptions,
            ),
        ],
        exception_handlers={BusctlError: problem},
    )  # fmt: skip


async def _livez(_: Request) -> Response:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})
