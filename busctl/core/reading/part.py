"""A part of a payload as it is told: text where it is text, and where it begins and ends."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import UUID

UTF8_MOST = 4
"""Bytes of a character at most."""


@dataclass(frozen=True, slots=True)
class Part:
    """The bytes [start, stop) of a payload, or of one block of it; `raw` holds them. `size` is how
    many there are in all, None where that was not seen. `lines` are the first and the last line in
    it, counted from 1, where lines were asked for by number. `next_offset` is None at the end."""

    transaction_id: UUID
    block: int | None
    content_type: str
    size: int | None
    start: int
    stop: int
    raw: bytes
    next_offset: int | None
    lines: tuple[int, int] | None = None

    @property
    def text(self) -> str | None:
        """The bytes as UTF-8; None where they are none, or hold NUL."""
        if b"\0" in self.raw:
            return None
        try:
            return self.raw.decode()
        except UnicodeDecodeError:
            return None

    def as_json(self) -> dict[str, Any]:
        """`{transaction_id, block?, content_type, size, offset, length, next_offset, lines?,
        encoding, text | data}`: encoding is utf-8, or base64 for bytes that are no text."""
        shape: dict[str, Any] = {
            "transaction_id": str(self.transaction_id), "content_type": self.content_type,
            "size": self.size, "offset": self.start, "length": self.stop - self.start,
            "next_offset": self.next_offset,
        }  # fmt: skip
        if self.block is not None:
            shape["block"] = self.block
        if self.lines is not None:
            shape["lines"] = list(self.lines)
        text = self.text
        if text is None:
            return shape | {"encoding": "base64", "data": base64.b64encode(self.raw).decode()}
        return shape | {"encoding": "utf-8", "text": text}


def whole_characters(raw: bytes, first: int, last: int) -> tuple[int, int]:
    """The range [first, last) of `raw` moved so that it splits no character of UTF-8: its beginning
    back to that of the character, its end back, too, unless nothing were left. As it was where the
    bytes there are no UTF-8."""
    start = _begin(raw, first)
    stop = _begin(raw, last)
    if stop <= start and last > first:
        stop = min(len(raw), _end(raw, start))
    try:
        raw[start:stop].decode()
    except UnicodeDecodeError:
        return first, last
    return start, stop


def _begin(raw: bytes, at: int) -> int:
    """Where the character begins in whose midst `at` lies; `at` when it lies in none."""
    for back in range(1, UTF8_MOST):
        lead = at - back
        if lead < 0:
            break
        if raw[lead] & 0xC0 != 0x80:
            return lead if lead + _length(raw[lead]) > at else at
    return at


def _end(raw: bytes, start: int) -> int:
    return start + _length(raw[start]) if start < len(raw) else start


def _length(lead: int) -> int:
    if lead >= 0xF0:
        return 4
    return 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
