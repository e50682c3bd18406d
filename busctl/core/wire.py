"""Taking a byte stream apart into the messages of its protocol: PostgreSQL's version 3, WebSocket.

Pure: given bytes as they come, it gives back whole messages, whose bytes joined are the stream.
What a fault proxy needs to hit one message and not another.

Sources: https://www.postgresql.org/docs/current/protocol-message-formats.html and RFC 6455, 5.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

TLS_REQUESTS = frozenset({80877103, 80877104})
"""SSLRequest and GSSENCRequest: answered with one byte."""
OPAQUE = ""
WEBSOCKET_KINDS = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `kind` is its type byte as text, a name for those that have none, and OPAQUE for
    a piece of a stream that cannot be read (TLS). `text` is the statement that it concerns."""

    kind: str
    raw: bytes
    text: str = ""


class Splitter(Protocol):
    """One direction of one connection."""

    def feed(self, data: bytes) -> Sequence[Message]:
        """The messages that are whole now."""


class Whole:
    """A stream that is not taken apart."""

    def feed(self, data: bytes) -> Sequence[Message]:
        return [Message(OPAQUE, data)]


class PostgresFrontend:
    """What a client says. Parse, Bind and Query carry the statement's text."""

    def __init__(self) -> None:
        self.encrypted = False
        self.asked_for_tls = 0
        self._held = bytearray()
        self._started = False
        self._statements: dict[bytes, str] = {}

    def feed(self, data: bytes) -> Sequence[Message]:
        if self.encrypted:
            return [Message(OPAQUE, data)]
        self._held += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> Message | None:
        raw = _cut(self._held, at=1 if self._started else 0)
        if raw is None:
            return None
        if not self._started:
            if int.from_bytes(raw[4:8], "big") in TLS_REQUESTS:
                self.asked_for_tls += 1
                return Message("tls_request", raw)
            self._started = True
            return Message("startup", raw)
        kind = chr(raw[0])
        return Message(kind, raw, self._text_of(kind, raw))

    def _text_of(self, kind: str, raw: bytes) -> str:
        match kind:
            case "Q":
                return raw[5:-1].decode("utf-8", "surrogateescape")
            case "P":
                name, _, rest = raw[5:].partition(b"\0")
                text = rest.partition(b"\0")[0].decode("utf-8", "surrogateescape")
                self._statements[name] = text
                return text
            case "B":
                _, _, rest = raw[5 : 5 + 512].partition(b"\0")
                return self._statements.get(rest.partition(b"\0")[0], "")
        return ""


class PostgresBackend:
    """What the server answers; told by the other direction what it was asked for before."""

    def __init__(self, frontend: PostgresFrontend) -> None:
        self._frontend = frontend
        self._held = bytearray()

    def feed(self, data: bytes) -> Sequence[Message]:
        if self._frontend.encrypted:
            return [Message(OPAQUE, data)]
        self._held += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> Message | None:
        if not self._held:
            return None
        if self._frontend.asked_for_tls:
            self._frontend.asked_for_tls -= 1
            answer = bytes(self._held[:1])
            del self._held[:1]
            # N: go on in the clear. E would be an error message of an ancient server.
            self._frontend.encrypted = answer in (b"S", b"G")
            return Message("tls_answer", answer)
        raw = _cut(self._held, at=1)
        return None if raw is None else Message(chr(raw[0]), raw)


class WebSocketFrames:
    """One direction of a WebSocket connection, the HTTP head before it included."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._started = False

    def feed(self, data: bytes) -> Sequence[Message]:
        self._held += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> Message | None:
        if not self._started:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                return None
            self._started = True
            return Message("head", _taken(self._held, end + 4))
        size = _frame_size(self._held)
        if size is None or len(self._held) < size:
            return None
        kind = WEBSOCKET_KINDS.get(self._held[0] & 0x0F, "unknown")
        return Message(kind, _taken(self._held, size))


def _frame_size(held: bytearray) -> int | None:
    if len(held) < 2:
        return None
    short = held[1] & 0x7F
    wide = {126: 2, 127: 8}.get(short, 0)
    if len(held) < 2 + wide:
        return None
    size = int.from_bytes(held[2 : 2 + wide], "big") if wide else short
    return 2 + wide + (4 if held[1] & 0x80 else 0) + size


def _cut(held: bytearray, *, at: int) -> bytes | None:
    """The first message, whose length (of itself and what follows it) stands at `at`."""
    if len(held) < at + 4:
        return None
    size = at + int.from_bytes(held[at : at + 4], "big")
    return _taken(held, size) if len(held) >= size else None


def _taken(held: bytearray, size: int) -> bytes:
    raw = bytes(held[:size])
    del held[:size]
    return raw
