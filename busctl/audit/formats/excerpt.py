"""The lines of a finding with their numbers, and marks under what is meant in the first of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from busctl.audit.formats.characters import printable, width
from busctl.audit.model import Span

TAB = "    "
LINES = 8
COLUMNS = 160


@dataclass(frozen=True, slots=True)
class Row:
    """A line of code with its `number`; one of marks, or of lines left out, has None."""

    number: int | None
    text: str

    @property
    def is_code(self) -> bool:
        return self.number is not None


def excerpt(lines: Sequence[str], span: Span) -> tuple[Row, ...]:
    """The span's lines, at most LINES of them, each at most COLUMNS wide; the common indentation
    is taken off. Nothing when the file has no such line (it changed, or could not be read)."""
    if not 1 <= span.line <= len(lines):
        return ()
    last = min(max(span.line, span.end_line), len(lines))
    return tuple(_rows(lines, span, last))


def _rows(lines: Sequence[str], span: Span, last: int) -> Iterator[Row]:
    shown = list(range(span.line, last + 1))
    cut = len(shown) > LINES
    if cut:
        shown = [*shown[: LINES - 1], last]
    off = _indentation([lines[number - 1] for number in shown])
    for number in shown:
        if cut and number == last:
            yield Row(None, "…")
        if number == span.line:
            yield from _with_marks(lines[number - 1], off, span)
        else:
            yield Row(number, _short(_shown(lines[number - 1][off:])))


def _with_marks(line: str, off: int, span: Span) -> Iterator[Row]:
    """The first line and its marks, both shifted when what is meant lies far to the right."""
    start, end = _marked(line, span)
    before, meant, after = _shown(line[off:start]), _shown(line[start:end]), _shown(line[end:])
    if len(before) > COLUMNS // 2:
        before = "…" + before[-COLUMNS // 4 :]
    text = _short(before + meant + after)
    yield Row(span.line, text)
    marks = min(width(meant), width(text) - width(before))
    yield Row(None, " " * width(before) + "^" * max(1, marks))


def _marked(line: str, span: Span) -> tuple[int, int]:
    """The part of the first line that the span covers, as 0-based bounds, without spaces around
    it."""
    start = max(0, min(span.column - 1, len(line)))
    end = len(line) if span.end_line > span.line else min(span.end_column - 1, len(line))
    inside = line[start : max(start, end)]
    start += len(inside) - len(inside.lstrip())
    return start, start + len(inside.strip())


def _short(text: str) -> str:
    return text.rstrip() if len(text) <= COLUMNS else text[:COLUMNS] + "…"


def _indentation(lines: Sequence[str]) -> int:
    """How many characters all lines that are not empty begin with, spaces and tabs alone."""
    filled = [line for line in lines if line.strip()]
    if not filled:
        return 0
    first, last = min(filled), max(filled)
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common] in " \t":
        common += 1
    return common


def _shown(text: str) -> str:
    return printable(text.replace("\t", TAB))
