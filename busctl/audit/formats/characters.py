"""Letters that a form cannot carry: control characters, lone surrogates, text that turns round."""

from __future__ import annotations

import re
import unicodedata

_SURROGATE = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """`text` on one line with control characters written out: `\\x1b` moves no cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _written(letter) for letter in text)


def encodable(text: str) -> str:
    """`text` with what UTF-8 cannot hold (halves of a pair, bytes of a path) replaced by U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def width(text: str) -> int:
    """How many columns of a terminal a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def counted(count: int, noun: str) -> str:
    """`1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _written(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
