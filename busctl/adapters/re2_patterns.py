"""Patterns in RE2: matched in time linear in the text, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import re2

from busctl.core.errors import InvalidPattern
from busctl.core.reading.required_text import required_texts
from busctl.core.reading.search import Buffer, Finder

MOST_CHARS = 2_000
MEMORY_BYTES = 4 << 20
"""For one pattern's program and its cache of states."""
MOST_INSTRUCTIONS = 10_000
STRETCH_BYTES = 1 << 20
STEPS = 20_000_000
"""Instructions times bytes that one call may cost at the worst, when RE2's cache of states is too
small: half a second or so."""
WORTHWHILE_BYTES = 4_096
"""In less, looking for a required text first costs more than it spares."""
LEAST_STRETCH_BYTES = 4_096
LEAST_WINDOW_BYTES = 32 * 1024
"""Several texts are looked for in so much at first, then in twice that: one that is rare is not
sought far for each time that another is found."""
LEAST_NEAR_BYTES = 2_048
MOST_NEAR_BYTES = 64 * 1024
"""Behind a text so much is looked at in one go, before the text is sought again: the more, the
denser its places are."""


class Re2Finder:
    """One compiled pattern. It knows no back-references and no looking around; `^` and `$` are the
    ends of lines, and nothing matches an end of line."""

    def __init__(self, regexp: Any, stretch: int, required: Sequence[Any] = ()) -> None:
        """`required` find texts of which every match has one in it, and find them faster."""
        self._search = regexp.search
        self._required = [each.search for each in required]
        self.stretch = stretch

    def find(self, text: Buffer, start: int, stop: int) -> tuple[int, int] | None:
        near = LEAST_NEAR_BYTES
        while self._required and stop - start > WORTHWHILE_BYTES:
            needed = self._needed(text, start, stop)
            if needed < 0:
                return None
            # What matches lies in the line of that text, or behind it.
            begin = max(start, text.rfind(b"\n", start, needed) + 1)
            near = LEAST_NEAR_BYTES if begin - start > near else min(2 * near, MOST_NEAR_BYTES)
            end = text.find(b"\n", min(needed + near, stop), stop) + 1 or stop
            match = self._search(text, begin, end)
            if match is not None:
                return _span(match)
            start = end
        match = self._search(text, start, stop)
        return None if match is None else _span(match)

    def _needed(self, text: Buffer, start: int, stop: int) -> int:
        """Where the first of the texts begins that every match has one of; -1: nowhere."""
        if len(self._required) == 1:
            match = self._required[0](text, start, stop)
            return -1 if match is None else _span(match)[0]
        window = LEAST_WINDOW_BYTES
        while start < stop:
            end = min(stop, start + window + MOST_CHARS)
            found = [_span(match) for each in self._required if (match := each(text, start, end))]
            if found:
                return min(found)[0]
            start, window = start + window, 2 * window
        return -1


def _span(match: Any) -> tuple[int, int]:
    start, stop = match.span()
    return start, stop


class Re2Patterns:
    """The `Patterns` of RE2."""

    def compile(self, pattern: str, *, ignore_case: bool, literal: bool) -> Finder:
        return finder_of(pattern, ignore_case=ignore_case, literal=literal)


def finder_of(pattern: str, *, ignore_case: bool = False, literal: bool = False) -> Finder:
    """The finder of a regular expression, or of a `literal`. Raises InvalidPattern: not one that
    RE2 knows, or one that needs more than it may take."""
    if len(pattern) > MOST_CHARS:
        raise InvalidPattern(f"The pattern has {len(pattern):,} characters; {MOST_CHARS:,} go.")
    if literal and (not pattern or "\n" in pattern):
        raise InvalidPattern(
            "A text to search for has at least one character, and no end of line: matches lie "
            "within one line.",
            remedy="Search for a part of it that lies in one line.",
        )
    options = options_of(ignore_case=ignore_case)
    needed = () if literal else required_texts(pattern)
    try:
        text = re2.escape(pattern) if literal else pattern
        regexp = re2.compile("(?m)" + text, options)
        required = [re2.compile(re2.escape(each), options) for each in needed]
    except (re2.error, UnicodeEncodeError) as error:
        raise InvalidPattern(f"RE2 does not take the pattern: {_told(error)}.") from error
    size = regexp.programsize
    if size > MOST_INSTRUCTIONS:
        raise InvalidPattern(
            f"The pattern becomes a program of {size:,} instructions; {MOST_INSTRUCTIONS:,} go."
        )
    stretch = max(LEAST_STRETCH_BYTES, min(STRETCH_BYTES, STEPS // max(1, size)))
    return Re2Finder(regexp, stretch, required)


def options_of(*, ignore_case: bool = False) -> Any:
    """RE2's options of a finder: bounded, silent, without groups and ends of lines."""
    options = re2.Options()
    options.max_mem = MEMORY_BYTES
    options.log_errors = False
    options.never_capture = True
    options.never_nl = True
    options.case_sensitive = not ignore_case
    return options


def _told(error: Exception) -> str:
    told = error.args[0] if error.args else ""
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(error)
