"""Answers of the older revisions of the protocol over HTTP that have one body.

There the SDK answers every request with an event stream, and clients bound what one event may hold
(the Python SDK's at 1 MiB). The protocol allows one JSON body in its place, which has no bound: so
is answered who does not ask to be told of progress, the one thing that comes before an answer.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send

PEEKED_BYTES = 64 * 1024
"""Longer requests are not looked at: they get their stream."""
_DATA = b"data: "
_END = b"\r\n\r\n"


async def answered_alone(scope: Scope, receive: Receive) -> tuple[bool, Receive]:
    """Whether a request wants nothing but its answer, and the request again."""
    length = Headers(scope=scope).get("content-length", "")
    if scope["method"] != "POST" or not length.isdigit() or int(length) > PEEKED_BYTES:
        return False, receive
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    first: list[Message] = [{**message, "body": body}]

    async def again() -> Message:
        return first.pop() if first else await receive()

    return _wants_no_progress(body), again


def _wants_no_progress(body: bytes) -> bool:
    try:
        asked: Any = json.loads(body)
    except ValueError:  # the SDK refuses it, whichever way
        return False
    if isinstance(asked, dict) and asked.get("method") == "resources/read":
        return True  # it may be large, and nothing is told of how far it is
    params = asked.get("params") if isinstance(asked, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return not (isinstance(meta, dict) and "progressToken" in meta)


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
