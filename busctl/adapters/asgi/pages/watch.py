"""The page *Watch*: followers, what watchers observed, and what they found."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from busctl.adapters.asgi.pages.rendering import html, text_of
from busctl.core.principal import Principal, Scope
from busctl.ports import Desk


async def page(_: Request, principal: Principal, desk: Desk) -> Response:
    """Raises AccessDenied without admin: observations tell of everybody's messages."""
    principal.require(Scope.ADMIN)
    return html("watch.html", here="watch", principal=principal, watch=await desk.watch())


async def part(_: Request, principal: Principal, desk: Desk) -> str:
    """What changes, as the page has it."""
    principal.require(Scope.ADMIN)
    return text_of("watch_part.html", watch=await desk.watch())
