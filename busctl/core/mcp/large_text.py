"""The payload of a result that is one large text, without parsing the result: the text is read out
of its JSON piece by piece, and its repetition as structured content is compared, not read.

Parsed, 20 MB of text are 20 to 80 MB of `str`, twice.
"""

from __future__ import annotations

import io
import re

from pydantic_core import from_json

from busctl.core.content_type import JSON, TEXT
from busctl.core.jsontext import parse_json
from busctl.core.mcp.result import STRUCTURED, ResultPayload, looks_json, one_text

LARGE_BYTES = 1 << 20
"""Smaller results are parsed: that costs less than this does."""
PIECE_BYTES = 1 << 20
AROUND_BYTES = 64 * 1024
"""How much there may be before the text, and after it and its repetition."""
_MARK = "\ue000busctl\ue000"
_TEXT = re.compile(rb'"text"\s*:\s*(?=")')
_REPEATED = re.compile(rb'"structuredContent"\s*:\s*\{\s*"result"\s*:\s*(?=")')
_HEX = rb"[0-9a-fA-F]"
_HIGH, _LOW = rb"[dD][89abAB]" + _HEX * 2, rb"[dD][c-fC-F]" + _HEX * 2
_ESCAPE = rb"\\(?:[^u]|u" + _HIGH + rb"\\u" + _LOW + rb"|u(?!" + _HIGH + rb")" + _HEX * 4 + rb")"
_RUN = re.compile(rb'[^"\\]*+(?:' + _ESCAPE + rb'[^"\\]*+)*+')
"""Text up to a quote or the end; never a part of an escape, nor half of a pair of them."""


def large_text(received: bytearray) -> ResultPayload | None:
    """The payload of a result by its JSON; None for one that is no single large text, which is to
    be parsed."""
    if len(received) < LARGE_BYTES:
        return None
    for found in _TEXT.finditer(received, 0, AROUND_BYTES):
        read = _string(received, found.end())
        if read is not None and read[1] - found.end() >= LARGE_BYTES // 4:
            return _payload(received, found.end(), *read)
    return None


def _payload(received: bytearray, start: int, text: bytes, end: int) -> ResultPayload | None:
    known = one_text(_skeleton(received, start, end) or {})
    if known is None or known.text != _MARK:
        return None
    ends = text[:AROUND_BYTES].decode("utf-8", "ignore"), text[-1024:].decode("utf-8", "ignore")
    kind = JSON if looks_json(*ends, whole=len(text) <= AROUND_BYTES) else TEXT
    repeats = known.metadata.get(STRUCTURED)
    return ResultPayload(
        text, kind, known.is_error, {} if repeats is None else {STRUCTURED: repeats}
    )


def _skeleton(received: bytearray, start: int, end: int) -> dict[str, object] | None:
    """The result with a mark in place of the text, and of a repetition of it."""
    mark = f'"{_MARK}"'.encode()
    parts = [bytes(received[:start]), mark]
    again = _REPEATED.search(received, end, end + AROUND_BYTES)
    if again is not None:
        with memoryview(received) as view, view[start:end] as text:
            repeated = received.startswith(text, again.end())
        if repeated:
            parts += [bytes(received[end : again.end()]), mark]
            end = again.end() + end - start
    if len(received) - end > AROUND_BYTES:
        return None
    try:
        result = parse_json(b"".join([*parts, received[end:]]))
    except ValueError:
        return None
    return result if isinstance(result, dict) else None


def _string(received: bytearray, start: int) -> tuple[bytes, int] | None:
    """The UTF-8 of the JSON string that begins there, and where it ends; None for what has no
    UTF-8 or is no string."""
    made = io.BytesIO()
    at = start + 1
    try:
        while at < len(received) and received[at] != ord('"'):
            run = _RUN.match(received, at, at + PIECE_BYTES)
            end = at if run is None else _boundary(received, at, run.end())
            if end == at:
                return None
            made.write(from_json(b'"%b"' % bytes(received[at:end])).encode())
            at = end
    except ValueError:
        return None
    return (made.getvalue(), at + 1) if at < len(received) else None


def _boundary(received: bytearray, at: int, end: int) -> int:
    """The end of a piece, before a character that it would cut."""
    while at < end < len(received) and received[end] & 0xC0 == 0x80:
        end -= 1
    return end
