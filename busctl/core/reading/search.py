"""Searching a payload piece by piece: where a pattern matches, with the lines around.

Matches lie within a line. A line longer than what the finder looks at in one go is looked at in
stretches that overlap: there a match may begin anywhere, and reaches no farther than into the next
stretch. Memory is bounded by a piece and a stretch, whatever the payload is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol

from busctl.core.reading.search_lines import LINE_BYTES, Line, Shown

OVERLAP = 64 * 1024
"""A match that begins in one stretch may go on so far into the next, at least half a stretch."""
KEPT_BYTES = 16 * 1024
"""How much in front of where it looks a search remembers for the lines before a match."""
MOST_HITS = 8
"""Matches after which looking ahead in a piece ends: the lines between them are worth no jump."""
_NEWLINE = 10


Buffer = bytes | bytearray


class Finder(Protocol):
    """Finds the first match. `stretch` (bytes) is how much it may be given in one go: it cannot be
    interrupted within that."""

    @property
    def stretch(self) -> int: ...

    def find(self, text: Buffer, start: int, stop: int) -> tuple[int, int] | None:
        """The first match within [start, stop); what lies around is context."""


@dataclass(slots=True)
class Found:
    """`lines` in order, each once; `matches` were counted in them. `more`: there are others, from
    the byte `next_offset` on. `looked_at` bytes were searched."""

    lines: list[Line] = field(default_factory=list)
    matches: int = 0
    more: bool = False
    next_offset: int | None = None
    looked_at: int = 0


def clean_lines(
    finder: Finder, text: bytes, begin: int, end: int, late: Callable[[], bool] = lambda: False
) -> list[tuple[int, int]]:
    """The stretches of whole lines in text[begin:end] in which nothing matches, in order. It ends
    with MOST_HITS matches, and when it is `late`."""
    run, last = text.find(b"\n", begin, end) + 1, text.rfind(b"\n", begin, end) + 1
    # One byte behind them must be there, to tell the end of a line from that of the payload.
    last = last if last < end else text.rfind(b"\n", begin, last - 1) + 1
    clean: list[tuple[int, int]] = []
    at, hits = run, 0
    while at < last and hits < MOST_HITS and not late():
        near = at + finder.stretch
        stop = last if last <= near else text.rfind(b"\n", at, near) + 1
        hit = finder.find(text, at, stop) if stop else (at, at)  # a line too long for one go
        if hit is None or hit[0] >= stop > 0:
            at = stop
            continue
        hits += 1
        line = max(at, text.rfind(b"\n", at, hit[0]) + 1)
        if run < line:
            clean.append((run, line))
        run = at = text.find(b"\n", hit[0], last) + 1
    if run < at:
        clean.append((run, at))
    return clean


class _Fed(NamedTuple):
    """piece[begin:end], in whose whole lines [first, last) nothing matches."""

    piece: bytes
    begin: int
    first: int
    last: int
    end: int


class Search:
    """One search: `feed` pieces in order from the payload's first byte, after each `step` until it
    says that there is nothing left to do; after the last one `end` and `step` again."""

    def __init__(
        self, finder: Finder, *, context: int = 0, most: int = 50, room: int = 8_000,
        start: int = 0,
    ) -> None:  # fmt: skip
        """`most` matches are told, in lines of `room` bytes in all; those from byte `start` on."""
        self.found = Found()
        self.stopped_early = False
        self._finder = finder
        self._overlap = min(OVERLAP, max(1, finder.stretch // 2))
        self._most, self._room = most, room
        self._at = start
        self._text = bytearray()
        self._base = 0
        self._ended = False
        self._done = False
        self._shown = Shown(context)
        self._fed: deque[_Fed] = deque()
        self._clean: deque[tuple[int, int]] = deque()
        self._over: _Fed | None = None

    @property
    def done(self) -> bool:
        """Nothing more need be fed."""
        return self._done

    @property
    def held_bytes(self) -> int:
        """Bytes in memory now."""
        return len(self._text) + self._shown.skipped_bytes

    def feed(
        self, piece: bytes, clean: Sequence[tuple[int, int]] = (), begin: int = 0,
        end: int | None = None,
    ) -> None:  # fmt: skip
        """The next bytes, piece[begin:end]; in its stretches `clean` of whole lines nothing
        matches."""
        behind = len(piece) if end is None else end
        for (first, last), (following, _) in pairwise([*clean, (behind, behind)]):
            self._fed.append(_Fed(piece, begin, first, last, following))
            begin = following
        if begin < behind:
            self._fed.append(_Fed(piece, begin, begin, begin, behind))

    def end(self) -> None:
        """There are no more pieces."""
        self._ended = self._shown.ended = True

    def step(self) -> bool:
        """Look at one stretch, or up to the first match in it. False: feed more, or it is done."""
        if self._done:
            return False
        have = self._base + len(self._text)
        last = self._at_end(self._at)
        if self._at >= have and not last:
            return self._wait(have)
        end, reach = (have, have) if last else self._stretch(have)
        if end == self._at and not last:
            return self._wait(have)
        clean = self._clean_from(self._at)
        if clean is not None and clean[0] <= self._at:
            self._advance(clean[1])
            return True
        if clean is not None and clean[0] < end:
            end = reach = clean[0]
        hit = self._find(reach)
        if hit is not None and (hit[0] < end or self._at_end(hit[0])):
            return self._hit(*hit)
        self._advance(max(end, self._at + last))
        return True

    def give_up(self) -> None:
        """The time is over: end it where it is."""
        self.stopped_early = True
        self._stop(more=True)

    def _stop(self, *, more: bool) -> None:
        self._done = True
        self._shown.finish(self._text, self._base)
        self.found.looked_at = self._at
        if more:
            self.found.more, self.found.next_offset = True, self._at
        self.found.lines = self._shown.lines

    # --- inside -----------------------------------------------------------------------------

    def _wait(self, have: int) -> bool:
        """Whether there is more to look at after all."""
        if self._over is not None:
            self._jump(have, self._over)
            return True
        if self._fed:
            self._take(have, self._fed.popleft())
            return True
        if self._ended:
            self._stop(more=False)
        elif self._at >= have and len(self._text) > KEPT_BYTES:
            self._forget()
        return False

    def _take(self, have: int, fed: _Fed) -> None:
        piece, begin, first, last, end = fed
        if last - first > 4 * KEPT_BYTES and self._at <= have:
            # Up to the first byte of the lines that it will jump over.
            self._text += piece[begin : first + 1]
            self._over = fed
            return
        if first < last:
            self._clean.append((have + first - begin, have + last - begin))
        self._text += piece[begin:end]

    def _jump(self, have: int, fed: _Fed) -> None:
        """Over lines in which nothing matches, of which the first byte is there already; unless
        some of them are to be shown."""
        piece, _, first, last, end = fed
        self._over = None
        begin, stop = have - 1, have - 1 + last - first
        if self._shown.follows:
            self._clean.append((begin, stop))
            self._text += piece[first + 1 : end]
            return
        self._shown.count(self._text, self._base, begin)
        self._shown.skip(piece, first, last, stop)
        self._text = bytearray(piece[last - KEPT_BYTES : end])
        self._base, self._at = stop - KEPT_BYTES, stop

    def _stretch(self, have: int) -> tuple[int, int]:
        """Matches may begin before `end` and must end before `reach`; both where it looks now:
        more bytes are needed."""
        at, text, base = self._at, self._text, self._base
        end = min(at + self._finder.stretch, have)
        newline = text.rfind(b"\n", at - base, end - base)
        if newline >= 0:
            # One byte behind it must be there to tell the end of a line from that of the payload.
            end = base + newline + 1
            if end < have or self._ended:
                return end, end
            earlier = text.rfind(b"\n", at - base, newline)
            end = base + earlier + 1
            return (end, end) if earlier >= 0 else (at, at)
        reach = min(at + self._finder.stretch + self._overlap, have)
        newline = text.find(b"\n", end - base, reach - base)
        if newline >= 0 and (base + newline + 1 < have or self._ended):
            return base + newline + 1, base + newline + 1
        if self._ended or reach < have:
            return (reach, reach) if self._ended and reach == have else (end, reach)
        return at, at

    def _clean_from(self, at: int) -> tuple[int, int] | None:
        while self._clean and self._clean[0][1] <= at:
            self._clean.popleft()
        return self._clean[0] if self._clean else None

    def _find(self, reach: int) -> tuple[int, int] | None:
        base = self._base
        hit = self._finder.find(self._text, self._at - base, reach - base)
        return None if hit is None else (base + hit[0], base + hit[1])

    def _at_end(self, offset: int) -> bool:
        """An empty match behind the last byte is one, unless a line has ended there."""
        have = self._base + len(self._text)
        return self._ended and offset == have and bool(self._text) and self._text[-1] != _NEWLINE

    def _hit(self, start: int, stop: int) -> bool:
        found = self.found
        if found.matches >= self._most or self._shown.bytes >= self._room:
            self._at = start
            self._stop(more=True)
            return False
        self._shown.hit(self._text, self._base, start, stop)
        found.matches += 1
        self._at = stop if stop > start else self._behind(start)
        if self._at > self._base + len(self._text):
            self._stop(more=False)
        return not self._done

    def _behind(self, offset: int) -> int:
        """The next character: an empty match is not found twice, nor inside of a character."""
        at = offset - self._base + 1
        while at < len(self._text) and self._text[at] & 0xC0 == 0x80:
            at += 1
        return self._base + at

    def _advance(self, end: int) -> None:
        self._at = end
        self._shown.passed(self._text, self._base, end)
        self._forget()

    def _forget(self) -> None:
        keep_from = self._shown.needs(self._at - KEPT_BYTES)
        have = self._base + len(self._text)
        spare = min(keep_from, self._at - 1, have - 1) - self._base
        if spare >= LINE_BYTES:
            self._shown.count(self._text, self._base, self._base + spare)
            del self._text[:spare]
            self._base += spare
