"""The lines that a search shows: those with matches and those around them, each once, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LINE_BYTES = 400
"""A longer line is shown in part: around its match, or its beginning."""
SKIPPED_BYTES = 32 << 20
"""So much that was jumped over stays in memory until its lines are counted, or need not be:
counting holds the interpreter's lock, which takes as long as looking at them did."""
_AROUND = 100
_NEWLINE = b"\n"


@dataclass(slots=True)
class Line:
    """A line, or the part of a long one that is shown: `raw` begins at the payload's byte `offset`.
    `matches` are (offset, length) in the payload; a line without any is there for context."""

    number: int
    offset: int
    raw: bytes
    cut: bool
    matches: list[tuple[int, int]] = field(default_factory=list)

    @property
    def stop(self) -> int:
        return self.offset + len(self.raw)


class Shown:
    """Collects lines while a search goes over the text, which begins at the payload's byte `base`
    whenever it is handed in."""

    def __init__(self, context: int) -> None:
        self.lines: list[Line] = []
        self.bytes = 0
        self.ended = False
        """The text's end is the payload's."""
        self._context = context
        self._newlines = 0
        self._counted_to = 0
        self._skipped: deque[tuple[bytes, int, int]] = deque()
        self.skipped_bytes = 0
        self._shown_to = 0
        self._after = 0
        self._after_at = 0
        self._seeks = False

    def hit(self, text: bytearray, base: int, start: int, stop: int) -> None:
        """Show the line of a match, with the lines before it."""
        last = self.lines[-1] if self.lines else None
        if last is not None and last.matches and start < last.stop + (not last.cut):
            last.matches.append((start, stop - start))
            self._go_on_behind(stop)
            return
        begin = text.rfind(_NEWLINE, 0, start - base) + 1
        known = begin > 0 or base == 0
        self.passed(text, base, base + begin if known else start)
        self.count(text, base, start)
        number = self._number()
        if known and self._context:
            self._before(text, base, begin, number)
        end = text.find(_NEWLINE, stop - base)
        line = self._part(text, base, begin, len(text) if end < 0 else end, start, stop)
        line.number, line.matches = number, [(start, stop - start)]
        line.cut = line.cut or not known or (end < 0 and not self.ended)
        self._add(line)
        self._after = self._context
        self._go_on_behind(stop)

    def passed(self, text: bytearray, base: int, to: int) -> None:
        """Nothing matches up to `to`: show the lines that follow the last match, if they are whole
        by now."""
        while self._after:
            newline = text.find(_NEWLINE, max(0, self._after_at - base), to - base)
            if newline < 0:
                self._wait(text, base, to)
                return
            if not self._seeks:
                self._add(self._context_line(text, base, self._after_at, base + newline))
                self._after -= 1
            self._seeks = False
            self._after_at = self._shown_to = base + newline + 1

    def finish(self, text: bytearray, base: int) -> None:
        """The search is over: the last line has no end of its own."""
        have = base + len(text)
        self.passed(text, base, have)
        if self._after and not self._seeks and self.ended and self._after_at < have:
            self._add(self._context_line(text, base, self._after_at, have))
        self._after = 0

    def needs(self, otherwise: int) -> int:
        """The first byte that must stay in the text."""
        return min(otherwise, self._after_at) if self._after and not self._seeks else otherwise

    @property
    def follows(self) -> bool:
        """Whether lines behind the last match are to be shown still."""
        return self._after > 0

    def skip(self, piece: bytes, first: int, last: int, to: int) -> None:
        """Up to `to` there is piece[first:last] behind what was counted. Its lines are counted when
        the number of one is told: most searches tell few."""
        self._skipped.append((piece, first, last))
        self.skipped_bytes += last - first
        self._counted_to = to
        while self.skipped_bytes > SKIPPED_BYTES:
            self._count_skipped()

    def count(self, text: bytearray, base: int, to: int) -> None:
        """Count the ends of lines up to `to`."""
        if to > self._counted_to:
            self._newlines += text.count(_NEWLINE, self._counted_to - base, to - base)
            self._counted_to = to

    # --- inside -----------------------------------------------------------------------------

    def _number(self) -> int:
        """That of the line behind what was counted."""
        while self._skipped:
            self._count_skipped()
        return self._newlines + 1

    def _count_skipped(self) -> None:
        piece, first, last = self._skipped.popleft()
        self.skipped_bytes -= last - first
        # Python before 3.13 counts a single byte at half the speed at which it takes it out.
        lines = piece[first:last]
        self._newlines += len(lines) - len(lines.replace(_NEWLINE, b""))

    def _go_on_behind(self, stop: int) -> None:
        self._seeks, self._after_at = True, stop

    def _wait(self, text: bytearray, base: int, to: int) -> None:
        if self._seeks:
            self._after_at = max(self._after_at, to)
        elif to - self._after_at > LINE_BYTES:
            self._add(self._context_line(text, base, self._after_at, to))
            self._after -= 1
            self._seeks, self._after_at = True, to

    def _before(self, text: bytearray, base: int, begin: int, number: int) -> None:
        starts: list[int] = []
        at = begin
        while at > 0 and len(starts) < self._context and base + at > self._shown_to:
            earlier = text.rfind(_NEWLINE, 0, at - 1) + 1
            if (earlier == 0 and base > 0) or base + earlier < self._shown_to:
                break
            starts.append(earlier)
            at = earlier
        for back, at in reversed(list(enumerate(starts, 1))):
            end = text.find(_NEWLINE, at)
            line = _beginning(text, base, at, end)
            line.number = number - back
            self._add(line)

    def _context_line(self, text: bytearray, base: int, start: int, stop: int) -> Line:
        self.count(text, base, start)
        line = _beginning(text, base, start - base, stop - base)
        line.number = self._number()
        return line

    def _part(
        self, text: bytearray, base: int, begin: int, end: int, start: int, stop: int
    ) -> Line:
        if end - begin <= LINE_BYTES:
            return Line(0, base + begin, bytes(text[begin:end]), cut=False)
        first = max(begin, start - base - _AROUND)
        last = min(end, first + LINE_BYTES, stop - base + _AROUND)
        first, last = _at_characters(text, first, last)
        return Line(0, base + first, bytes(text[first:last]), cut=True)

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self.bytes += len(line.raw)
        self._shown_to = max(self._shown_to, line.stop)


def _beginning(text: bytearray, base: int, start: int, stop: int) -> Line:
    cut = stop - start > LINE_BYTES
    _, last = _at_characters(text, start, start + LINE_BYTES) if cut else (start, stop)
    return Line(0, base + start, bytes(text[start:last]), cut=cut)


def _at_characters(text: bytearray, first: int, last: int) -> tuple[int, int]:
    """The range without the halves of characters of UTF-8 at either end."""
    for _ in range(3):
        if first < last and text[first] & 0xC0 == 0x80:
            first += 1
    for _ in range(3):
        if first < last < len(text) and text[last] & 0xC0 == 0x80:
            last -= 1
    return first, last
