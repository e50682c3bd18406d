"""The routes of the dashboard, and who may see them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from busctl.adapters.asgi.pages import events, health, message, messages, now, watch
from busctl.adapters.asgi.pages.logins import Logins
from busctl.adapters.asgi.pages.rendering import HEADERS, html, static, statics
from busctl.adapters.asgi.problems import status_of
from busctl.adapters.asgi.redemption import Redemption
from busctl.core.errors import BusctlError, Unauthorized
from busctl.core.principal import Principal
from busctl.ports import Desk

FORM_BYTES = 8192
View = Callable[[Request, Principal, Desk], Awaitable[Response]]


class Site:
    """Pages at `/` and under `/ui/`. Whoever has not logged in sees the login."""

    def __init__(self, desk: Desk, logins: Logins, redemption: Redemption) -> None:
        self._desk = desk
        self._logins = logins
        self._redemption = redemption
        self._viewers = events.Viewers(self._logins)

    @property
    def routes(self) -> list[Route]:
        def page(path: str, view: View) -> Route:
            return Route(path, self._for_somebody(view), methods=["GET"])

        return [
            page("/", now.page),
            page("/ui/messages", messages.page),
            page("/ui/messages/{id}", message.page),
            page("/ui/messages/{id}/trace", message.trace),
            page("/ui/messages/{id}/observations", message.observations),
            page("/ui/messages/{id}/preview", message.preview),
            page("/ui/messages/{id}/verify", message.verify),
            page("/ui/messages/{id}/download", self._download),
            page("/ui/watch", watch.page),
            page("/ui/health", health.page),
            page("/ui/events", self._viewers.follow),
            Route("/ui/static/{name}", self._static, methods=["GET"]),
            Route("/ui/login", self._show_login, methods=["GET"]),
            Route("/ui/login", self._login, methods=["POST"]),
            Route("/ui/logout", self._logout, methods=["POST"]),
        ]

    def _for_somebody(self, view: View) -> Callable[[Request], Awaitable[Response]]:
        async def show(request: Request) -> Response:
            principal = await self._logins.principal_of(request)
            if principal is None:
                return _to_login(request)
            try:
                return await view(request, principal, self._desk)
            except BusctlError as error:
                part = "hx-request" in request.headers
                return html(
                    "fault_part.html" if part else "fault.html",
                    # htmx shows nothing of a refusal.
                    200 if part else status_of(error),
                    error=error, principal=principal, here="",
                )  # fmt: skip

        return show

    async def _download(self, request: Request, principal: Principal, _: Desk) -> Response:
        response = await self._redemption.serve_to(request, principal)
        # Whatever its writer called it: a browser saves it and opens nothing.
        response.headers["Content-Type"] = "application/octet-stream"
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        return response

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        return static(name) if name in statics() else Response(status_code=404, headers=HEADERS)

    # --- login -----------------------------------------------------------------------------

    async def _show_login(self, request: Request) -> Response:
        return html("login.html", fault="", next=_next(request))

    async def _login(self, request: Request) -> Response:
        wanted = _next(request)
        if not _is_from_here(request):
            return html("login.html", 403, fault="The form came from another page.", next=wanted)
        form = parse_qs((await _body(request)).decode("utf-8", "replace"))
        response = RedirectResponse(wanted, 303, HEADERS)
        try:
            await self._logins.login(request, form.get("token", [""])[0].strip(), response)
        except BusctlError as error:
            return html("login.html", status_of(error), fault=error.message, next=wanted)
        return response

    async def _logout(self, request: Request) -> Response:
        if not _is_from_here(request):
            return html("login.html", 403, fault="The form came from another page.", next="/")
        response = RedirectResponse("/ui/login", 303, HEADERS)
        self._logins.logout(request, response)
        return response


def _to_login(request: Request) -> Response:
    if "hx-request" in request.headers or request.url.path == "/ui/events":
        # A part of a page cannot be the login: the whole page goes there.
        page = URL(request.headers.get("hx-current-url", "/"))
        return Response(status_code=401, headers={**HEADERS, "HX-Redirect": _login_for(page)})
    return RedirectResponse(_login_for(request.url), 303, HEADERS)


def _login_for(page: URL) -> str:
    asked = page.path + (f"?{page.query}" if page.query else "")
    return f"/ui/login?{urlencode({'next': asked})}"


def _next(request: Request) -> str:
    """The page to go on to after a login: one of ours, whatever the address says."""
    asked = request.query_params.get("next", "/")
    ours = asked == "/" or asked.startswith(("/?", "/ui/"))
    return asked if ours and asked.isprintable() and "\\" not in asked else "/"


def _is_from_here(request: Request) -> bool:
    """Browsers send the Origin of every form. The Guard before us lets only our own pass, so that
    it is there is enough; what hides it ("null") is no page of ours."""
    return request.headers.get("origin", "null") != "null"


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > FORM_BYTES:
            raise Unauthorized("That is no login.")
    return bytes(found)
