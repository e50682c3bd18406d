"""The lines of a search as they are printed: as grep does, coloured on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from busctl.cli.rendering import printable
from busctl.core.text import text_of

if TYPE_CHECKING:
    from busctl.core.reading.search_lines import Line

_MATCH, _NUMBER, _MARK, _END = "\x1b[1;31m", "\x1b[32m", "\x1b[36m", "\x1b[0m"


def printed(lines: Sequence[Line], *, byte_offset: bool) -> Iterator[str]:
    """Each line with its number, `--` where lines are left out between."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    with_context = any(not line.matches for line in lines)
    before: Line | None = None
    for line in lines:
        if with_context and before is not None and line.number > before.number + 1:
            yield _coloured("--", _MARK, coloured)
        yield _line(line, byte_offset=byte_offset, coloured=coloured)
        before = line


def _line(line: Line, *, byte_offset: bool, coloured: bool) -> str:
    mark = _coloured(":" if line.matches else "-", _MARK, coloured)
    head = _coloured(str(line.number), _NUMBER, coloured) + mark
    if byte_offset:
        at = line.matches[0][0] if line.matches else line.offset
        head += _coloured(str(at), _NUMBER, coloured) + mark
    return head + _text(line, coloured) + ("…" if line.cut else "")


def _text(line: Line, coloured: bool) -> str:
    """The line's text, what matches in it marked."""
    parts, at = [], 0
    for offset, length in line.matches if coloured else ():
        start, stop = offset - line.offset, offset - line.offset + length
        parts.append(_shown(line.raw[at:start]))
        parts.append(_coloured(_shown(line.raw[start:stop]), _MATCH, coloured))
        at = stop
    return "".join([*parts, _shown(line.raw[at:])])


def _shown(raw: bytes) -> str:
    text = text_of(raw.removesuffix(b"\r"))
    return "".join(part if part == "\t" else printable(part) for part in text)


def _coloured(text: str, colour: str, coloured: bool) -> str:
    return f"{colour}{text}{_END}" if coloured and text else text
