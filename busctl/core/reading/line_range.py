"""Lines of a payload by number, from its pieces."""

from __future__ import annotations


class LineRange:
    """Gives of each piece what lies in the lines `first` (from 1) to `last` (None: to the end)."""

    def __init__(self, first: int, last: int | None = None) -> None:
        self.done = False
        """All of the lines were given."""
        self.begins_at: int | None = None
        """The byte at which the first of them begins, once it was met."""
        self.newlines = 0
        """Ends of lines seen, up to where it was done."""
        self._at = 0
        self._skip = first - 1
        self._left = None if last is None else last - first + 1

    def take(self, piece: bytes) -> bytes:
        """What of the next piece lies in them."""
        if self.done or not piece:
            return b""
        start = self._passed(piece) if self._skip else 0
        self._at += len(piece)
        if self._skip or start == len(piece):
            return b""
        if self.begins_at is None:
            self.begins_at = self._at - len(piece) + start
        return piece[start : self._ended(piece, start)]

    def _passed(self, piece: bytes) -> int:
        here = piece.count(b"\n")
        if here < self._skip:
            self._skip -= here
            self.newlines += here
            return len(piece)
        at = 0
        while self._skip:
            at = piece.index(b"\n", at) + 1
            self._skip -= 1
            self.newlines += 1
        return at

    def _ended(self, piece: bytes, start: int) -> int:
        if self._left is None:
            return len(piece)
        here = piece.count(b"\n", start)
        if here < self._left:
            self._left -= here
            self.newlines += here
            return len(piece)
        at = start
        while self._left:
            at = piece.index(b"\n", at) + 1
            self._left -= 1
            self.newlines += 1
        self.done = True
        return at
