"""What a GET asks for beyond the message's id: a range, a coding, a version it knows already."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes=\s*(\d{0,100})-(\d{0,100})\s*", re.ASCII | re.IGNORECASE)
_CODING = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?")


class Unsatisfiable(Exception):
    """The range lies outside the payload."""


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """The half-open byte range asked for; None for the whole payload.

    Several ranges, and what is no range of bytes, are answered with the whole (RFC 9110 §14.2).
    Raises Unsatisfiable.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise Unsatisfiable
    return start, stop


def accepts(header: str | None, coding: str) -> bool:
    """Whether Accept-Encoding takes that coding (RFC 9110 §12.5.3)."""
    weights: dict[str, float] = {}
    for part in (header or "").split(","):
        match = _CODING.fullmatch(part)
        if match is not None:
            weights[match[1].lower()] = float(match[2] or 1)
    return weights.get(coding, weights.get("*", 0.0)) > 0


def expects(header: str | None, etag: str) -> bool:
    """Whether If-Match, where there is one, names that entity tag, compared strongly."""
    listed = [one.strip() for one in (header or "*").split(",")]
    return "*" in listed or etag in listed


def names(header: str, etag: str) -> bool:
    """Whether If-None-Match names that entity tag, compared weakly."""
    listed = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in listed or etag in listed
