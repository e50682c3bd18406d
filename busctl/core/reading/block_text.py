"""What a block of a result carries, read out of its JSON string piece by piece."""

from __future__ import annotations

import base64
import json
import re

_ESCAPES = len(r"\ud83d\ude00")
_SPACE = b" \t\r\n"
_CUT = re.compile(
    rb"\\(?:u[0-9a-fA-F]{0,3})?\Z|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?\Z"
)


class BlockDecoder:
    """Fed with what stands between the quotes; gives the text's UTF-8, or the bytes that base64
    stands for when `encoded`. Raises ValueError for what cannot be read."""

    def __init__(self, *, encoded: bool) -> None:
        self._encoded = encoded
        self._held = b""
        self._digits = b""

    def add(self, piece: bytes) -> bytes:
        raw = self._held + piece
        at = _whole_to(raw)
        self._held = raw[at:]
        return self._read(raw[:at])

    def finish(self) -> bytes:
        """What was held back."""
        rest = self._read(self._held)
        if self._digits:
            raise ValueError("its base64 ends early")
        return rest

    def _read(self, raw: bytes) -> bytes:
        text = _unescaped(raw) if b"\\" in raw else raw
        if not self._encoded:
            return text
        digits = self._digits + text.translate(None, _SPACE)
        whole = len(digits) - len(digits) % 4
        self._digits = digits[whole:]
        return base64.b64decode(digits[:whole], validate=True)


def _unescaped(raw: bytes) -> bytes:
    text: str = json.loads(b'"' + raw + b'"', strict=False)
    # A lone surrogate has no UTF-8: it stays written as JSON writes it.
    return text.encode("utf-8", "backslashreplace")


def _whole_to(raw: bytes) -> int:
    """Up to where no escape and no character is cut."""
    tail = raw[-_ESCAPES:]
    at = len(raw)
    cut = _cut_escape(raw, tail)
    if cut:
        return at - cut
    for back in range(1, min(3, len(tail)) + 1):
        byte = tail[-back]
        if byte & 0xC0 == 0x80:
            continue
        wanted = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4 if byte >= 0xF0 else 1
        return at - back if wanted > back else at
    return at


def _cut_escape(raw: bytes, tail: bytes) -> int:
    """Bytes of an escape, or half a pair of them, that the end cuts; 0 for none."""
    for found in re.finditer(rb"\\", tail):
        start = len(raw) - len(tail) + found.start()
        before = len(raw[:start]) - len(raw[:start].rstrip(b"\\"))
        if before % 2 == 0 and _CUT.match(raw, start):
            return len(raw) - start
    return 0
