"""Text for people: sizes, counts and foreign text that must not steer their terminal."""

from __future__ import annotations

import re

_STRAY = re.compile("[\udc80-\udcff]")


def printable(text: str) -> str:
    """`text` with control characters written out: a tool's name must not move the cursor."""
    return "".join(letter if letter.isprintable() else _written(letter) for letter in text)


def printable_lines(text: str) -> str:
    """As `printable`, but lines and tabs stay."""
    return "".join(letter if letter in "\n\t" else printable(letter) for letter in text)


def text_of(raw: bytes) -> str:
    """Bytes for people: what is no UTF-8 shows as U+FFFD."""
    return _STRAY.sub("\N{REPLACEMENT CHARACTER}", raw.decode("utf-8", "surrogateescape"))


def show_size(size: int) -> str:
    """`999 B`, `1.5 KB`, `10.0 MB`; 1 KB = 1,000 bytes."""
    if size < 1_000:
        return f"{size} B"
    amount = float(size)
    for unit in ("KB", "MB", "GB", "TB"):
        amount /= 1_000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount:.1f} TB"


def counted(count: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _written(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
