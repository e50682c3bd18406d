"""A piece of a payload made readable: as text, as JSON, as hexadecimal. Never more than a piece."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from busctl.core.text import printable_lines

PIECE_BYTES = 16_384
HEX_BYTES = 4_096
_ROW = 16
_INDENT = "  "
_PART = re.compile(r'\{\s*\}|\[\s*\]|"(?:[^"\\]|\\.)*"?|[{}\[\],:]|\s+|[^{}\[\],:"\s]+')
_TEXTS = ("text/", "application/xml", "application/javascript")


class Form(StrEnum):
    """How bytes are shown."""

    TEXT = "text"
    JSON = "json"
    HEX = "hex"


def form_of(content_type: str) -> Form:
    """The form that fits a content type."""
    plain = content_type.partition(";")[0].strip().lower()
    if plain == "application/json" or plain.endswith("+json"):
        return Form.JSON
    return Form.TEXT if plain.startswith(_TEXTS) else Form.HEX


def shown(piece: bytes, form: Form, *, offset: int) -> str:
    """The piece in that form. JSON is laid out in lines from its beginning, no letter of it changed
    (parsing would drop repeated keys); control characters are written out, bytes that are no UTF-8
    show as U+FFFD."""
    if form is Form.HEX:
        rows = range(0, len(piece), _ROW)
        return "\n".join(_hex_row(piece[at : at + _ROW], offset + at) for at in rows)
    text = piece.decode("utf-8", "replace")
    if form is Form.JSON and offset == 0:
        text = "".join(_laid_out(text))
    return printable_lines(text)


def _laid_out(text: str) -> Iterator[str]:
    depth = 0
    for part in _PART.findall(text):
        if part[0] in "{[" and len(part) > 1:
            yield part[0] + part[-1]
        elif part in "{[":
            depth += 1
            yield f"{part}\n{_INDENT * depth}"
        elif part in "}]":
            depth = max(0, depth - 1)
            yield f"\n{_INDENT * depth}{part}"
        elif part == ",":
            yield f",\n{_INDENT * depth}"
        elif part == ":":
            yield ": "
        elif not part.isspace():
            yield part


def _hex_row(row: bytes, at: int) -> str:
    digits = " ".join(f"{byte:02x}" for byte in row)
    letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
    return f"{at:08x}  {digits:<47}  {letters}"
