"""The bearer token of an HTTP request."""

from __future__ import annotations

from starlette.requests import Request

from busctl.core.errors import Unauthorized
from busctl.ports import TokenGuard


async def require_token(request: Request, guard: TokenGuard) -> None:
    """Raises Unauthorized unless the request shows the token (RFC 6750, header only)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized(
            "The request shows no token.", remedy="Send `Authorization: Bearer <token>`."
        )
    if not await guard.check(token.strip()):
        raise Unauthorized("The token is wrong.")
