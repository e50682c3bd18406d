"""A stretch of JSON that is counted and not kept: how many commas are in it, and how it ends.

Strings are taken out, then closed containers, all by passes over bytes: no step for each value.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FLAT = rb"[\[{][^\[\]{}]*+[\]}]"
_INNER = rb"[\[{](?:[^\[\]{}]++|" + _FLAT + rb")*+[\]}]"
_CLOSED = re.compile(rb"[\[{](?:[^\[\]{}]++|" + _INNER + rb")*+[\]}]")
_PASSES = 6
"""Three levels of nesting each; what is deeper is walked bracket by bracket."""
_BRACKET = re.compile(rb"[\[\]{}]")
_VALUE = b"_"


@dataclass(slots=True)
class Stretch:
    """`size` bytes were counted; `deep` containers are open behind them, or a string. `commas` are
    those of the outermost level, `filled` says whether a value stands behind the last of them."""

    size: int
    deep: int
    commas: int
    filled: bool
    in_string: bool


def stretch_of(window: bytes, deep: int) -> Stretch | None:
    """Count a window that begins outside of strings, `deep` containers below the outermost level;
    None when that level itself ends in it."""
    if (len(window) - len(window.rstrip(b"\\"))) % 2:
        window = window[:-1]  # it goes with the next byte
    plain = window
    if b"\\" in plain:
        plain = plain.replace(b"\\\\", b"").replace(b'\\"', b"")
    parts = plain.split(b'"')
    outside = _VALUE.join(parts[::2])
    for _ in range(_PASSES):
        outside, found = _CLOSED.subn(_VALUE, outside)
        if not found:
            break
    stretch = _walked(outside, Stretch(len(window), deep, 0, False, len(parts) % 2 == 0))
    if stretch is not None and stretch.in_string and not stretch.deep:
        stretch.filled = True
    return stretch


def _walked(outside: bytes, stretch: Stretch) -> Stretch | None:
    last = 0
    for bracket in _BRACKET.finditer(outside):
        if not stretch.deep:
            _count(outside[last : bracket.start()], stretch)
        last = bracket.end()
        stretch.deep += 1 if bracket[0] in b"{[" else -1
        stretch.filled = True
        if stretch.deep < 0:
            return None
    if not stretch.deep:
        _count(outside[last:], stretch)
    return stretch


def _count(level: bytes, stretch: Stretch) -> None:
    _, comma, behind = level.rpartition(b",")
    stretch.commas += level.count(b",")
    stretch.filled = bool(behind.strip()) or (stretch.filled and not comma)
