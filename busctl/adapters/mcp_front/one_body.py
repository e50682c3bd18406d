"""Large resources over the older revisions of the protocol.

There the SDK answers every request with an event stream, and clients bound what one event may hold
(the Python SDK's at 1 MiB). The protocol allows one JSON body in its place, which has no bound:
`resources/read` is answered so. Other requests keep their stream, for progress.
"""

from __future__ import annotations

import json

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

PEEKED_BYTES = 16 * 1024
"""Longer requests are no `resources/read`."""
_DATA = b"data: "
_END = b"\r\n\r\n"


async def peeked(scope: Scope, receive: Receive) -> tuple[str | None, Receive]:
    """The method that a POST asks for, None where it is not looked at, and the request again."""
    length = Headers(scope=scope).get("content-length", "")
    if scope["method"] != "POST" or not length.isdigit() or int(length) > PEEKED_BYTES:
        return None, receive
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    first: list[Message] = [{**message, "body": body}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return _method_of(body), again


def _method_of(body: bytes) -> str | None:
    try:
        asked = json.loads(body)
    except ValueError:  # the SDK refuses it
        return None
    return str(asked.get("method")) if isinstance(asked, dict) else None


class OneBody:
    """Wraps `send`: an event stream with one message becomes that message as a JSON body."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._converts = False
        self._done = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(raw=list(message["headers"]))
            self._converts = headers.get("content-type", "").startswith("text/event-stream")
            if self._converts:
                headers["content-type"] = "application/json"
                message = {**message, "headers": headers.raw}
        elif self._converts and message["type"] == "http.response.body":
            more = bool(message.get("more_body"))
            message = {**message, "body": self._body(message.get("body", b""), ended=not more)}
        await self._send(message)

    def _body(self, event: bytes, *, ended: bool) -> bytes:
        """The data of the event; for a comment that keeps the stream alive, a blank."""
        if ended or self._done or not event:
            return b""
        at = event.find(_DATA)
        stop = event.find(_END, at)
        if event.startswith(b":") or at < 0 or stop <= at + len(_DATA):
            return b" "
        self._done = True
        return event[at + len(_DATA) : stop]
