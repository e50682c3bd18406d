"""How many sessions and redemptions there may be at once: the next is told when to come again."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from busctl.adapters.asgi.problems import problem_of
from busctl.core.errors import OverCapacity

MESSAGES = "/messages/"


class Places:
    """Counts one kind of guest. `setting` is the name that the refusal gives."""

    def __init__(self, most: int, what: str, setting: str) -> None:
        self._most = most
        self._what = what
        self._setting = setting
        self._taken = 0

    def take(self) -> None:
        """Raises OverCapacity; else `release` is to follow."""
        if self._taken >= self._most:
            raise OverCapacity(
                f"{self._taken} {self._what} are under way, as many as {self._setting} allows."
            )
        self._taken += 1

    def release(self) -> None:
        self._taken -= 1


class Capacity:
    """ASGI middleware: WebSocket sessions and redemptions over HTTP get a place or a 503."""

    def __init__(self, app: ASGIApp, *, sessions: int, redemptions: int) -> None:
        self._app = app
        self._sessions = Places(sessions, "sessions", "BUSCTL_MAX_SESSIONS")
        self._redemptions = Places(redemptions, "redemptions", "BUSCTL_MAX_REDEMPTIONS")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        places = self._places(scope)
        if places is None:
            await self._app(scope, receive, send)
            return
        try:
            places.take()
        except OverCapacity as error:
            await problem_of(error)(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            places.release()

    def _places(self, scope: Scope) -> Places | None:
        if scope["type"] == "websocket":
            return self._sessions
        if scope["type"] == "http" and scope["path"].startswith(MESSAGES):
            return self._redemptions
        return None
