"""Who may talk to the daemon at all: the Host and Origin headers, before anything is routed.

A web page of another site can make a browser connect to 127.0.0.1, and a name it controls can be
made to resolve to it. Both show here: the Origin is not ours, or the Host is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from busctl.adapters.asgi.problems import problem

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """ASGI middleware that answers 403 to foreign Hosts and Origins, for WebSockets too."""

    def __init__(
        self, app: ASGIApp, *, host: str, hosts: Sequence[str], origins: Sequence[str]
    ) -> None:
        self._app = app
        self._own = LOCAL_NAMES | {host.lower()}
        self._hosts = frozenset(one.lower() for one in hosts)
        self._origins = frozenset(one.lower().rstrip("/") for one in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        address, port = scope.get("server") or ("", None)
        host, origin = headers.get("host", "").lower(), headers.get("origin")
        if not self._is_own(host, address):
            return problem(
                403, "FORBIDDEN_HOST", f"The Host {host!r} is not this daemon's.",
                remedy="Add it to BUSCTL_ALLOWED_HOSTS.",
            )  # fmt: skip
        if origin is not None and not self._is_own_origin(origin.lower(), address, port):
            return problem(
                403, "FORBIDDEN_ORIGIN", f"Pages of {origin!r} may not connect.",
                remedy="Add it to BUSCTL_ALLOWED_ORIGINS.",
            )  # fmt: skip
        return None

    def _is_own(self, host: str, address: str) -> bool:
        if host in self._hosts:
            return True
        name = _name_of(host)
        return bool(name) and (name in self._own or name in self._hosts or name == address)

    def _is_own_origin(self, origin: str, address: str, port: int | None) -> bool:
        if origin in self._origins:
            return True
        try:
            parts = urlsplit(origin)
            its_port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        except ValueError:  # no URL at all, so nobody's page that we know
            return False
        if parts.scheme not in ("http", "https"):
            return False
        if parts.netloc in self._hosts:
            return True
        return its_port == port and self._is_own(parts.netloc, address)


def _name_of(host: str) -> str:
    """The host of a Host header without its port, an IPv6 address without its brackets."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # malformed: nobody's name
        return ""
    try:
        return str(ip_address(name))
    except ValueError:  # a name, not an address
        return name
