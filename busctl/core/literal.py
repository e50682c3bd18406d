"""Finding bytes as they are."""

from __future__ import annotations

from dataclasses import dataclass

from busctl.core.errors import InvalidPattern
from busctl.core.search import Finder

MOST_BYTES = 2_000
STRETCH_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Literal:
    """The finder of these bytes."""

    text: bytes
    stretch: int = STRETCH_BYTES

    def find(self, text: bytearray, start: int, stop: int) -> tuple[int, int] | None:
        at = text.find(self.text, start, stop)
        return None if at < 0 else (at, at + len(self.text))


def literal_finder(text: bytes) -> Finder:
    """Raises InvalidPattern for no bytes, more than 2,000, and an end of line among them."""
    if b"\n" in text:
        raise InvalidPattern(
            "The text to search for has an end of line in it; matches lie within one line.",
            remedy="Search for a part of it that lies in one line.",
        )
    if not 0 < len(text) <= MOST_BYTES:
        raise InvalidPattern(f"A literal of {len(text):,} bytes; 1 to {MOST_BYTES:,} go.")
    return Literal(text)
