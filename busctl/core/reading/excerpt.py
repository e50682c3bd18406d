"""Head and tail of a payload as text, cut between lines or characters, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass

from busctl.core.text import printable_lines

UTF8_MOST = 4
"""Bytes that a character has at most."""
_LEAST_SHARE = 0.5
"""A cut goes back to the end of a line when at least so much of the room stays used."""
_STRAY = re.compile("[\udc80-\udcff]")
_STRAY_SHARE = 0.05
_CONTINUED = re.compile(rb"[\x80-\xbf]{0,3}")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """`head` shows the bytes [0, head_stop), `tail` those from `tail_start` on; both are text for
    people, control characters written out. `lines_between` counts the ends of lines that lie
    between. `replaced`: some bytes are no UTF-8 and show as U+FFFD."""

    head: str
    head_stop: int
    tail: str
    tail_start: int
    lines_between: int
    replaced: bool

    @property
    def whole(self) -> bool:
        """Nothing is left out."""
        return self.head_stop == self.tail_start


class Edges:
    """Fed with pieces; remembers `room` characters of either end, and counts."""

    def __init__(self, room: int) -> None:
        self.size = 0
        self.newlines = 0
        self._keep = room * UTF8_MOST
        self._head = bytearray()
        self._tail = b""

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.newlines += piece.count(b"\n")
        room = 2 * self._keep - len(self._head)
        if room > 0:
            self._head += piece[:room]
        self._tail = (self._tail + piece[-self._keep :])[-self._keep :]

    @property
    def lines(self) -> int:
        """As an editor numbers them: what follows the last end of a line is one, too."""
        return self.newlines + (self.size > 0 and not self._tail.endswith(b"\n"))

    @property
    def head(self) -> bytes:
        """The first bytes, up to eight times as many as there is room for characters."""
        return bytes(self._head)

    @property
    def is_text(self) -> bool:
        """Without NUL, and UTF-8 but for a stray byte here and there."""
        return _reads_as_text(self._head) and _reads_as_text(self._without_continued())

    def excerpt(self, head_room: int, tail_room: int) -> Excerpt:
        """At most so many characters of either end; all of it as head when it fits there."""
        head = _decoded(bytes(self._head))
        shown = _fitting(head, head_room + tail_room)
        if self.size <= len(self._head) and len(shown) == len(head):
            replaced = _STRAY.search(head) is not None
            return Excerpt(_readable(head), self.size, "", self.size, 0, replaced)
        head = _cut_head(_fitting(head, head_room))
        head_raw = _encoded(head)
        tail = _cut_tail(_fitting_end(_decoded(self._without_continued()), tail_room))
        tail_raw = _encoded(tail)
        if len(head_raw) + len(tail_raw) > self.size:
            tail_raw = tail_raw[len(head_raw) + len(tail_raw) - self.size :]
            tail = _decoded(tail_raw)
        between = self.newlines - head_raw.count(b"\n") - tail_raw.count(b"\n")
        replaced = _STRAY.search(head) is not None or _STRAY.search(tail) is not None
        return Excerpt(
            _readable(head), len(head_raw), _readable(tail), self.size - len(tail_raw), between,
            replaced,
        )  # fmt: skip

    def _without_continued(self) -> bytes:
        """The last bytes, from the beginning of a character on."""
        if self.size <= len(self._tail):
            return self._tail
        match = _CONTINUED.match(self._tail)
        return self._tail[match.end() if match else 0 :]


def _reads_as_text(raw: bytes | bytearray) -> bool:
    if b"\0" in raw:
        return False
    text = _decoded(bytes(raw))
    return len(_STRAY.findall(text)) <= UTF8_MOST - 1 + len(text) * _STRAY_SHARE


def _decoded(raw: bytes) -> str:
    """Every byte comes back from `_encoded`, whatever it was."""
    return raw.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _readable(text: str) -> str:
    return printable_lines(_STRAY.sub("\ufffd", text).replace("\r\n", "\n"))


def _fitting(text: str, room: int) -> str:
    """The longest beginning, about, that takes no more than `room` once it is readable."""
    text = text[:room]
    while len(shown := _readable(text)) > room:
        text = text[: min(len(text) - 1, len(text) * room // len(shown))]
    return text


def _fitting_end(text: str, room: int) -> str:
    text = text[-room:] if room else ""
    while len(shown := _readable(text)) > room:
        keep = min(len(text) - 1, len(text) * room // len(shown))
        text = text[len(text) - keep :]
    return text


def _cut_head(text: str) -> str:
    end = text.rfind("\n") + 1
    if end >= len(text) * _LEAST_SHARE:
        return text[:end]
    # A character of which the piece holds only the beginning is not shown as a stray byte.
    return text.rstrip("".join(map(chr, range(0xDC80, 0xDD00)))) or text


def _cut_tail(text: str) -> str:
    start = text.find("\n") + 1
    return text[start:] if 0 < start <= len(text) * (1 - _LEAST_SHARE) else text
