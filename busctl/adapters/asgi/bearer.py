"""The bearer token of an HTTP request."""

from __future__ import annotations

from starlette.requests import Request

from busctl.core.errors import Unauthorized
from busctl.core.principal import Principal
from busctl.ports import TokenGuard


async def principal_of(request: Request, guard: TokenGuard) -> Principal:
    """Whose token the request shows (RFC 6750, header only). Raises Unauthorized."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthorized(
            "The request shows no token.", remedy="Send `Authorization: Bearer <token>`."
        )
    principal = await guard.identify(token.strip())
    if principal is None:
        raise Unauthorized("The token is wrong.")
    return principal
