"""Reading a part of a payload: a range of bytes, or lines."""

from __future__ import annotations

from dataclasses import dataclass, field

from busctl.core.errors import ConfigurationError
from busctl.core.part import UTF8_MOST, Part, whole_characters
from busctl.ops.bus import Bus
from busctl.ops.reading.source import Place, Source, opened

VIA = "bus_read"


async def read_range(bus: Bus, place: Place, *, offset: int, length: int) -> Part:
    """The bytes [offset, offset + length), moved by up to three bytes where they would split a
    character of UTF-8. Raises ConfigurationError past the end, and the outcomes of redeeming."""
    _refuse_negative(place, offset, length)
    before = min(offset, UTF8_MOST - 1)
    wanted = before + length + UTF8_MOST
    async with opened(bus, place, offset=offset - before, length=wanted) as source:
        raw = b"".join([piece async for piece in source.pieces])
        _require_within(place, offset, source, offset - before + len(raw))
        asked = (before, min(len(raw), before + length))
        first, last = whole_characters(raw, *asked)
        base = offset - before
        ends = base + last >= source.size if source.size is not None else len(raw) < wanted
        ends = ends and last == len(raw)
        return _told(bus, source, Part(
            place.transaction_id, place.block, source.content_type,
            source.size if source.size is not None else (base + len(raw) if ends else None),
            base + first, base + last, raw[first:last], None if ends else base + last,
        ))  # fmt: skip


async def read_lines(
    bus: Bus, place: Place, *, first: int = 1, count: int | None = None, offset: int | None = None,
    room: int,
) -> Part:  # fmt: skip
    """`count` lines from line `first` on (from 1), or from the byte `offset`; as many as there is
    `room` for (bytes). Only what lies before them is read besides. Raises as `read_range`."""
    _refuse_negative(place, offset or 0, room)
    if first < 1 or (count is not None and count < 1):
        raise ConfigurationError(
            "Lines are counted from 1, and at least one is read.",
            transaction_id=place.transaction_id, remedy="",
        )  # fmt: skip
    by_number = offset is None
    gathered = _Lines(skip=first - 1 if by_number else 0, count=count, room=room)
    async with opened(bus, place, offset=offset or 0) as source:
        async for piece in source.pieces:
            gathered.add(piece)
            if gathered.full:
                break
        start = source.start + gathered.skipped
        if not gathered.raw and offset:
            _require_within(place, offset, source, start)
        if not gathered.raw and first > 1:
            raise ConfigurationError(
                f"Message {place.transaction_id} has {gathered.seen:,} lines; none from "
                f"{first:,} on.",
                transaction_id=place.transaction_id, remedy="Lines are counted from 1.",
            )  # fmt: skip
        _, last = whole_characters(bytes(gathered.raw), 0, len(gathered.raw))
        raw = bytes(gathered.raw[:last])
        more = gathered.full and (gathered.behind or last < len(gathered.raw))
        if source.size is not None:
            more = start + len(raw) < source.size
        told = raw.count(b"\n") + (bool(raw) and not raw.endswith(b"\n"))
        return _told(bus, source, Part(
            place.transaction_id, place.block, source.content_type,
            source.size, start, start + len(raw), raw, start + len(raw) if more else None,
            (first, first + max(0, told - 1)) if by_number else None,
        ))  # fmt: skip


@dataclass(slots=True)
class _Lines:
    """Gathers `count` lines behind the first `skip`, of `room` bytes at most."""

    skip: int
    count: int | None
    room: int
    skipped: int = 0
    seen: int = 0
    raw: bytearray = field(default_factory=bytearray)
    full: bool = False
    behind: bool = False

    def add(self, piece: bytes) -> None:
        at = 0
        if self.skip:
            at = self._skip(piece)
            self.skipped += at
            if self.skip:
                return
        self._gather(piece, at)

    def _skip(self, piece: bytes) -> int:
        here = piece.count(b"\n")
        if here < self.skip:
            self.skip -= here
            self.seen += here
            return len(piece)
        at = 0
        while self.skip:
            at = piece.index(b"\n", at) + 1
            self.skip -= 1
            self.seen += 1
        return at

    def _gather(self, piece: bytes, at: int) -> None:
        stop = min(len(piece), at + self.room - len(self.raw))
        end = at
        while self.count is None or self.count > 0:
            newline = piece.find(b"\n", end, stop)
            if newline < 0:
                end = stop
                break
            end = newline + 1
            if self.count is not None:
                self.count -= 1
        self.raw += piece[at:end]
        self.full = self.count == 0 or len(self.raw) >= self.room
        self.behind = end < len(piece)


def _told(bus: Bus, source: Source, part: Part) -> Part:
    bus.handed_on(source.claim, part.start, part.stop, via=VIA)
    return part


def _refuse_negative(place: Place, offset: int, length: int) -> None:
    if offset < 0 or length < 0:
        raise ConfigurationError(
            f"A range of message {place.transaction_id} has a negative offset or length.",
            transaction_id=place.transaction_id,
            remedy="Count bytes from the beginning, the first is 0.",
        )


def _require_within(place: Place, offset: int, source: Source, seen: int) -> None:
    size = source.size if source.size is not None else seen
    if offset > size or (offset == size and offset > 0):
        raise ConfigurationError(
            f"Message {place.transaction_id} has {size:,} bytes; none from {offset:,} on.",
            transaction_id=place.transaction_id, remedy="Bytes are counted from 0.",
        )  # fmt: skip
