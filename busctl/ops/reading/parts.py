"""Reading a part of a payload: a range of bytes, or lines."""

from __future__ import annotations

from busctl.core.errors import InvalidPlace
from busctl.core.reading.line_range import LineRange
from busctl.core.reading.part import UTF8_MOST, Part, whole_characters
from busctl.ops.bus import Bus
from busctl.ops.reading.source import Place, Source, opened

VIA = "bus_read"
_NEWLINE = ord("\n")


async def read_range(bus: Bus, place: Place, *, offset: int, length: int) -> Part:
    """The bytes [offset, offset + length), moved by up to three bytes where they would split a
    character of UTF-8. Raises InvalidPlace past the end, and the outcomes of redeeming."""
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
        raise InvalidPlace(
            "Lines are counted from 1, and at least one is read.",
            transaction_id=place.transaction_id, remedy="",
        )  # fmt: skip
    by_number = offset is None
    begin = first if by_number else 1
    lines = LineRange(begin, None if count is None else begin + count - 1)
    raw = bytearray()
    async with opened(bus, place, offset=offset or 0) as source:
        async for piece in source.pieces:
            raw += lines.take(piece)
            if lines.done or len(raw) > room:
                break
        whole = lines.done or len(raw) <= room
        start = source.start + (lines.begins_at or 0)
        if not raw:
            _require_lines(place, source, lines, first, offset)
        _, last = whole_characters(bytes(raw), 0, min(len(raw), room))
        stop = start + last
        more = not whole or last < len(raw) or lines.done
        if source.size is not None:
            more = stop < source.size
        told = raw.count(b"\n", 0, last) + (last > 0 and raw[last - 1] != _NEWLINE)
        return _told(bus, source, Part(
            place.transaction_id, place.block, source.content_type,
            source.size, start, stop, bytes(raw[:last]), stop if more else None,
            (first, first + max(0, told - 1)) if by_number else None,
        ))  # fmt: skip


def _require_lines(
    place: Place, source: Source, lines: LineRange, first: int, offset: int | None
) -> None:
    if offset:
        _require_within(place, offset, source, source.start)
    if first > 1:
        raise InvalidPlace(
            f"Message {place.transaction_id} has {lines.newlines:,} ends of lines; there is no "
            f"line {first:,}.",
            transaction_id=place.transaction_id, remedy="Lines are counted from 1.",
        )  # fmt: skip


def _told(bus: Bus, source: Source, part: Part) -> Part:
    bus.handed_on(source.claim, part.start, part.stop, via=VIA)
    return part


def _refuse_negative(place: Place, offset: int, length: int) -> None:
    if offset < 0 or length < 0:
        raise InvalidPlace(
            f"A range of message {place.transaction_id} has a negative offset or length.",
            transaction_id=place.transaction_id,
            remedy="Count bytes from the beginning, the first is 0.",
        )


def _require_within(place: Place, offset: int, source: Source, seen: int) -> None:
    size = source.size if source.size is not None else seen
    if offset > size or (offset == size and offset > 0):
        raise InvalidPlace(
            f"Message {place.transaction_id} has {size:,} bytes; none from {offset:,} on.",
            transaction_id=place.transaction_id, remedy="Bytes are counted from 0.",
        )  # fmt: skip
