"""The page *Health*: every check with its remedies, and what alerts there were."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from busctl.adapters.asgi.pages.rendering import html
from busctl.core.principal import Principal
from busctl.ports import Desk


async def page(_: Request, principal: Principal, desk: Desk) -> Response:
    found = await desk.health()
    notices = await desk.notices() if found.reached else ()
    return html("health.html", here="health", principal=principal, health=found, notices=notices)
