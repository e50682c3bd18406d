"""Applying the replacements of rules to a file: bytes in, bytes out, nothing else touched.

A finding's fix is applied whole or not at all. Encoding, byte order mark, line endings and the
final line break (or its absence) stay; a result that does not parse is thrown away.
"""

from __future__ import annotations

import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from busctl.audit.model import Confidence, Finding, Severity, Span
from busctl.audit.replacing import replace_file
from busctl.audit.rule import Rule
from busctl.audit.source import Source
from busctl.audit.tree import parse

BROKEN = "AU004"
Replacement = tuple[Span, str]
Edit = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class Fix:
    """What a rule would replace to mend one finding."""

    finding: Finding
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class Mended:
    """A file before and after. `left` holds findings whose fix was not applied, and why; `broken`
    is the finding that the fixes together do not parse (the file is then as before)."""

    path: str
    before: bytes
    after: bytes
    encoding: str
    applied: tuple[Finding, ...] = ()
    left: tuple[tuple[Finding, str], ...] = ()
    broken: Finding | None = None

    @property
    def changed(self) -> bool:
        return self.before != self.after


def mend(path: str, data: bytes, findings: Sequence[Finding], rules: Mapping[str, Rule]) -> Mended:
    """Ask the rules (by code) for their fixes of one Python file's findings, and apply them.
    Raises SyntaxError or ValueError if the file cannot be read as Python."""
    encoding = encoding_of(data)
    text = data.decode(encoding)
    source = Source(path, text)
    fixes = []
    for finding in findings:
        rule = rules.get(finding.code)
        if rule is not None and (replacements := tuple(rule.fix(source, finding))):
            fixes.append(Fix(finding, replacements))
    return apply(path, data, fixes)


def encoding_of(data: bytes) -> str:
    """The encoding that a Python file's mark or comment names, UTF-8 without one. Raises
    SyntaxError for one that does not exist."""
    return tokenize.detect_encoding(io.BytesIO(data).readline)[0]


def apply(path: str, data: bytes, fixes: Sequence[Fix]) -> Mended:
    """Apply fixes in the order given. Of two that overlap the first wins, the other is in
    `left`."""
    encoding = encoding_of(data)
    text = data.decode(encoding)
    if text.encode(encoding) != data:
        why = f"its encoding, {encoding}, cannot be written back as it was"
        left = tuple((fix.finding, why) for fix in fixes)
        return Mended(path, data, data, encoding, left=left)
    chosen, applied, left = _chosen(text, fixes)
    if not applied:
        return Mended(path, data, data, encoding, left=left)
    try:
        new = _checked(_ended_like(text, replaced(text, chosen)), encoding)
    except (SyntaxError, ValueError) as error:
        return Mended(path, data, data, encoding, left=left, broken=_broken(path, applied, error))
    return Mended(path, data, new, encoding, applied, left)


def _checked(text: str, encoding: str) -> bytes:
    """The bytes of a mended file. Raises SyntaxError or ValueError if Python could not read it."""
    parse(text)
    data = text.encode(encoding)
    if encoding_of(data) != encoding:
        raise ValueError(f"its encoding would no longer be {encoding}")
    return data


# --- places ------------------------------------------------------------------------------------


def _chosen(
    text: str, fixes: Sequence[Fix]
) -> tuple[list[Edit], tuple[Finding, ...], tuple[tuple[Finding, str], ...]]:
    starts, ending = _line_starts(text), _line_ending(text)
    taken: list[Edit] = []
    applied: list[Finding] = []
    left: list[tuple[Finding, str]] = []
    for fix in fixes:
        edits = [_edit(text, starts, ending, each) for each in fix.replacements]
        known = [each for each in edits if each is not None]
        if len(known) < len(edits):
            left.append((fix.finding, "its fix lies outside the file"))
        elif (merged := _merged(taken, known)) is None:
            left.append((fix.finding, "its fix overlaps with another; run --fix again"))
        else:
            taken = merged
            applied.append(fix.finding)
    return taken, tuple(applied), tuple(left)


def _merged(taken: list[Edit], more: Sequence[Edit]) -> list[Edit] | None:
    """Both in order, None if they overlap. The same edit twice (an import that two fixes add) is
    one."""
    together = sorted({*taken, *more})
    apart = all(
        one[1] <= other[0] and one[:2] != other[:2] for one, other in pairwise(together)
    )  # two insertions at one place have no order
    return together if apart else None


def _edit(text: str, starts: Sequence[int], ending: str, each: Replacement) -> Edit | None:
    span, new = each
    start = _offset(text, starts, span.line, span.column)
    end = _offset(text, starts, span.end_line, span.end_column)
    if start is None or end is None or end < start:
        return None
    return start, end, new.replace("\r\n", "\n").replace("\r", "\n").replace("\n", ending)


def _offset(text: str, starts: Sequence[int], line: int, column: int) -> int | None:
    """A place as an offset. One past the last character of a line is a place; further is none."""
    if not 1 <= line < len(starts) or column < 1:
        return None
    first, after = starts[line - 1], starts[line]
    offset = first + column - 1
    return offset if offset <= first + len(text[first:after].rstrip("\r\n")) else None


def _line_starts(text: str) -> list[int]:
    """Where each line begins, and the end of the text behind them. Lines end as Python's do."""
    starts, at = [0], 0
    for line in io.StringIO(text, newline=""):
        at += len(line)
        starts.append(at)
    if text.endswith(("\n", "\r")) or not text:
        starts.append(at)
    return starts


def _line_ending(text: str) -> str:
    """The one that most lines have."""
    crlf = text.count("\r\n")
    counts = {
        "\n": text.count("\n") - crlf,
        "\r\n": crlf,
        "\r": text.count("\r") - crlf,
    }
    return max(counts, key=lambda ending: counts[ending])


def replaced(text: str, edits: Sequence[Edit]) -> str:
    """`text` with edits that are sorted and do not overlap."""
    parts, at = [], 0
    for start, end, new in edits:
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def _ended_like(before: str, after: str) -> str:
    """A file keeps its last line break, or its lack of one."""
    if not before or not after:
        return after
    if before.endswith(("\n", "\r")):
        return after if after.endswith(("\n", "\r")) else after + _line_ending(before)
    return after.removesuffix("\n").removesuffix("\r") if after[-1] in "\r\n" else after


def _broken(path: str, applied: Sequence[Finding], error: Exception) -> Finding:
    codes = ", ".join(sorted({one.code for one in applied}))
    line = min(one.span.line for one in applied)
    return Finding(
        code=BROKEN, name="broken-fix", path=path, span=Span(line, 1, line, 1),
        message=f"The fixes of {codes} together give a file that is no Python any more ({error}): "
        "it was left alone, and none of them was applied.",
        severity=Severity.ERROR, confidence=Confidence.HIGH,
        remedy="Fix one rule at a time with --select, or by hand, and report the rule.",
        anchor=codes,
    )  # fmt: skip


# --- what becomes of it ------------------------------------------------------------------------


def write(path: Path, mended: Mended) -> None:
    """Put the mended file in its place, mode and owner kept. Raises FileFailed, also if the file is
    no longer what was audited."""
    if mended.changed:
        replace_file(path, mended.after, expected=mended.before)
