"""Who has logged in: a random handle in a cookie, the principal behind it in this process alone.

The token itself is never in a cookie. A handle ends with its time, with a logout, with the
daemon, and when its token is no longer good.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from busctl.core.bucket import Bucket
from busctl.core.errors import OverCapacity, Unauthorized
from busctl.core.principal import Principal, Scope
from busctl.ports import TokenGuard

MOST = 1000
"""Logins at once; the oldest one gives way."""
LOGINS_PER_SEC = 5.0


@dataclass(frozen=True, slots=True)
class _Login:
    principal: Principal
    until: float


class Logins:
    """Handles by their SHA-256: what is in memory opens nothing."""

    def __init__(
        self, guard: TokenGuard, *, lifetime_secs: int, secure: bool,
        refused: Callable[[str], None],
    ) -> None:  # fmt: skip
        """`refused` is told why a login was not let in."""
        self._guard = guard
        self._refused = refused
        self._lifetime = lifetime_secs
        self._secure = secure
        self._known: OrderedDict[bytes, _Login] = OrderedDict()
        self._tries = Bucket(LOGINS_PER_SEC)

    async def principal_of(self, request: Request) -> Principal | None:
        """Who shows a handle that is good still; None for nobody."""
        digest = _digest(request.cookies.get(self._name(request), ""))
        login = self._known.get(digest)
        if login is None:
            return None
        if login.until < time.monotonic() or not await self._guard.holds(login.principal):
            self._known.pop(digest, None)
            return None
        return login.principal

    async def login(self, request: Request, token: str, response: Response) -> None:
        """Put a new handle into `response`. Raises Unauthorized, AccessDenied (without the scope
        read), OverCapacity when tokens are tried too fast, and the store's errors."""
        if wait := self._tries.take(time.monotonic()):
            raise OverCapacity(f"Too many logins at once: try again in {wait:.1f} s.")
        principal = await self._guard.identify(token) if token else None
        if principal is None:
            self._refused(Unauthorized.code.lower())
            raise Unauthorized("The token is wrong.")
        principal.require(Scope.READ)
        self.logout(request, response)
        handle = secrets.token_urlsafe(32)
        self._known[_digest(handle)] = _Login(principal, time.monotonic() + self._lifetime)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        response.set_cookie(
            self._name(request), handle, max_age=self._lifetime, path="/", httponly=True,
            secure=self._secure, samesite="strict",
        )  # fmt: skip

    def logout(self, request: Request, response: Response) -> None:
        name = self._name(request)
        self._known.pop(_digest(request.cookies.get(name, "")), None)
        response.delete_cookie(
            name, path="/", httponly=True, secure=self._secure, samesite="strict"
        )

    def _name(self, request: Request) -> str:
        """Cookies know no ports: two daemons of one host must not log each other out."""
        _, port = request.scope.get("server") or ("", None)
        return f"{'__Host-' if self._secure else ''}busctl-{port}"


def _digest(handle: str) -> bytes:
    return hashlib.sha256(handle.encode()).digest()
