"""A stream taken apart gives the same stream back, however it is cut."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from busctl.core.wire import (
    Message,
    PostgresBackend,
    PostgresFrontend,
    Splitter,
    WebSocketFrames,
    Whole,
)


def typed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


STARTUP = struct.pack(">ii", 8 + 5, 196608) + b"user\0"
TLS_REQUEST = struct.pack(">ii", 8, 80877103)
BIND = typed(b"B", b"\0s1\0" + bytes(600))
FRONTEND = [
    STARTUP, typed(b"P", b"s1\0insert into x\0\0\0"), BIND, typed(b"B", b"\0other\0"),
    typed(b"Q", b"commit\0"), typed(b"S", b""),
]  # fmt: skip
HEAD = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
FRAMES = [
    HEAD, b"\x81\x05hello", b"\x82\x7e" + struct.pack(">H", 300) + bytes(300),
    b"\x81\x83maskabc", b"\x82\x7f" + struct.pack(">Q", 70_000) + bytes(70_000), b"\x88\x00",
]  # fmt: skip


def fed(splitter: Splitter, stream: bytes, cuts: list[int]) -> list[Message]:
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [
        message for first, last in pairwise(places) for message in splitter.feed(stream[first:last])
    ]


cut_anywhere = st.lists(st.integers(min_value=0, max_value=100_000), max_size=12)


@given(cut_anywhere)
def test_a_client_of_postgresql(cuts: list[int]) -> None:
    found = fed(PostgresFrontend(), b"".join(FRONTEND), cuts)
    assert [one.raw for one in found] == FRONTEND
    assert [(one.kind, one.text) for one in found] == [
        ("startup", ""), ("P", "insert into x"), ("B", "insert into x"), ("B", ""),
        ("Q", "commit"), ("S", ""),
    ]  # fmt: skip


@given(cut_anywhere)
def test_a_websocket(cuts: list[int]) -> None:
    found = fed(WebSocketFrames(), b"".join(FRAMES), cuts)
    assert [one.raw for one in found] == FRAMES
    assert [one.kind for one in found] == ["head", "text", "binary", "text", "binary", "close"]


def test_tls_is_passed_on_and_not_read() -> None:
    for answer, encrypted in ((b"S", True), (b"N", False)):
        frontend = PostgresFrontend()
        backend = PostgresBackend(frontend)
        assert [one.kind for one in frontend.feed(TLS_REQUEST)] == ["tls_request"]
        assert backend.feed(answer) == [Message("tls_answer", answer)]
        assert frontend.encrypted is encrypted
        sent = b"\x16\x03\x01 hello" if encrypted else STARTUP
        kinds = [one.kind for one in frontend.feed(sent)]
        assert kinds == ["" if encrypted else "startup"]
        ready = typed(b"Z", b"I")
        assert [one.raw for one in backend.feed(ready)] == [ready]


def test_what_has_no_dialect_is_left_whole() -> None:
    assert Whole().feed(b"anything") == [Message("", b"anything")]
