"""Server-sent events: the changing part of a page, sent when it has changed.

Own, and not a library's: it is one loop over what the page itself renders. Each viewer has one;
what they show is asked of the store once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from busctl.adapters.asgi.capacity import Places
from busctl.adapters.asgi.pages import messages, now, watch
from busctl.adapters.asgi.pages.logins import Logins
from busctl.adapters.asgi.pages.rendering import HEADERS, text_of
from busctl.core.errors import BusctlError
from busctl.core.principal import Principal
from busctl.ports import Desk

Part = Callable[[Request, Principal, Desk], Awaitable[str]]
PARTS: dict[str, Part] = {"now": now.part, "messages": messages.part, "watch": watch.part}
PAUSE_SECS = 1.0
SILENCE_PAUSES = 15
"""After so many without a change a comment tells that the line is good."""
MOST_VIEWERS = 48


class Viewers:
    """Everybody who has a page open."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        self._places = Places(MOST_VIEWERS, "live pages", "the dashboard")

    async def follow(self, request: Request, principal: Principal, desk: Desk) -> Response:
        """`?view=` names the page; what else it is asked for is as in the page's address."""
        view = request.query_params.get("view", "")
        if view not in PARTS:
            return Response(status_code=404, headers=HEADERS)
        self._places.take()
        stream = self._stream(request, principal, desk, view)
        return _Following(
            stream, self._places, headers={
                **HEADERS, "Cache-Control": "no-store", "Content-Type": "text/event-stream",
            },
        )  # fmt: skip

    async def _stream(
        self, request: Request, principal: Principal, desk: Desk, view: str
    ) -> AsyncIterator[str]:
        before = shown = ""
        silence = 0
        yield "retry: 2000\n\n"
        while not desk.draining and await self._logins.principal_of(request) is not None:
            try:
                text = await PARTS[view](request, principal, desk)
                shown = text
            except BusctlError as error:
                text = text_of("fault_part.html", error=error) + shown
            if text != before:
                before, silence = text, 0
                yield event(view, text)
            elif silence >= SILENCE_PAUSES:
                silence = 0
                yield ": still here\n\n"
            silence += 1
            await asyncio.sleep(PAUSE_SECS)


class _Following(StreamingResponse):
    """Gives its place back however it ends."""

    def __init__(self, stream: AsyncIterator[str], places: Places, headers: dict[str, str]) -> None:
        super().__init__(stream, headers=headers)
        self._places = places

    async def __call__(self, scope, receive, send) -> None:  # type: ignore[no-untyped-def]  # ASGI
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._places.release()


def event(name: str, text: str) -> str:
    """One event in the format of https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    lines = "".join(f"data: {line}\n" for line in text.splitlines())
    return f"event: {name}\n{lines}\n"
